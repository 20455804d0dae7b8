package provider

/*
#include "calls.h"
#include <stdlib.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/cgo"
	"sync"
	"sync/atomic"
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

func init() { process.LoadLibrary = load }

// library is a provider in C: a shared object with a WSPStartup. It is open from
// its loading, or a later start, to the last WSPCleanup, and then until the last
// thread has left it.
type library struct {
	path string
	c    *C.struct_upcall_library

	mu     sync.Mutex // guards the rest; held over loading and unloading
	open   bool
	starts int // WSPStartups under way, and those not undone
}

// libraries are all of them, by the number that C has.
var libraries struct {
	sync.RWMutex
	all []*library
}

// load loads a shared object for [ws2.Config.LoadLibrary].
func load(path string) (spi.StartupFunc, error) {
	l := &library{path: path}
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	libraries.Lock()
	l.c = C.upcall_library_new(name, C.uint64_t(len(libraries.all)))
	libraries.all = append(libraries.all, l)
	libraries.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.load(); err != nil {
		return nil, err
	}
	return l.start, nil
}

// load opens the object unless it is open. The caller holds mu.
func (l *library) load() error {
	if l.open {
		C.upcall_library_keep(l.c)
		return nil
	}
	var why [512]byte
	runtime.LockOSThread()
	ok := C.upcall_library_open(l.c, (*C.char)(unsafe.Pointer(&why[0])), C.uint(len(why)))
	runtime.UnlockOSThread()
	if ok == 0 {
		return errors.New(C.GoString((*C.char)(unsafe.Pointer(&why[0]))))
	}
	l.open = true
	return nil
}

// left undoes one start. The object is closed after the last, once no thread is
// inside it.
func (l *library) left() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.starts--
	l.closeIdle()
}

func (l *library) closeIdle() {
	if l.open && l.starts == 0 && C.upcall_library_idle(l.c) != 0 {
		C.upcall_library_close(l.c)
		l.open = false
	}
}

// goLibraryLeft is called by a thread that has left a library that is to be
// closed, when no other is inside.
//
//export goLibraryLeft
func goLibraryLeft(number uint64) {
	libraries.RLock()
	l := libraries.all[number]
	libraries.RUnlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeIdle()
}

// starting is what a WSPStartup is called with, for the providers that it
// starts in its turn.
type starting struct {
	path    string // of the provider that is being started
	upcalls *spi.UpcallTable
	dll     spi.DLL
}

// latest is the latest start: its table counts.
var latest atomic.Pointer[starting]

// host is what the DLL hands to providers beside the documented functions.
type host interface {
	Host() *ws2.DLL
	Explain(provider string, err error)
}

// errSecondDLL names the one thing that a provider in C cannot tell apart.
var errSecondDLL = errors.New("a provider written in C serves one Windows Sockets DLL of a process, and this one is another: make it the process's with process.Use before it starts up")

// start is the library's WSPStartup.
func (l *library) start(version uint16, data *spi.WSPData, info *spi.ProtocolInfo, upcalls spi.UpcallTable, dll spi.DLL) (spi.Provider, spi.Errno) {
	h, known := dll.(host)
	if known && h.Host() != process.DLL() {
		h.Explain(l.path, errSecondDLL)
		return nil, spi.WSAEPROVIDERFAILEDINIT
	}
	if data == nil || info == nil {
		return nil, spi.WSAEFAULT
	}
	l.mu.Lock()
	if err := l.load(); err != nil {
		l.mu.Unlock()
		if known {
			h.Explain(l.path, fmt.Errorf("cannot be loaded: %w", err))
		}
		return nil, spi.WSAEPROVIDERFAILEDINIT
	}
	l.starts++
	l.mu.Unlock()

	context := &starting{path: l.path, upcalls: &upcalls, dll: dll}
	latest.Store(context)
	share()
	handle := cgo.NewHandle(context)
	r := C.upcall_library_start(l.c, C.uint16_t(version), C.uintptr_t(at(data)), C.uintptr_t(at(info)), C.uintptr_t(handle))
	handle.Delete()
	runtime.KeepAlive(data)
	runtime.KeepAlive(info)
	if r.error != 0 {
		l.left()
		return nil, spi.Errno(r.error)
	}
	p := &called{library: l, c: r.started}
	if r.missing != 0 {
		return p.incomplete(uint32(r.missing)), 0
	}
	return p, 0
}
