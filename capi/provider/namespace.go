package provider

/*
#include "namespace.h"
#include <stdlib.h>
*/
import "C"

import (
	"errors"
	"runtime"
	"sync"
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
)

func init() { process.LoadNamespace = loadNames }

// loadNames loads a shared object for [ws2.Config.LoadNamespace].
func loadNames(path string) (spi.NSPStartupFunc, error) {
	l := &library{path: path}
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	libraries.Lock()
	l.c = C.upcall_library_new(name, C.uint64_t(len(libraries.all)))
	libraries.all = append(libraries.all, l)
	libraries.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.loadNames(); err != nil {
		return nil, err
	}
	return l.startNames, nil
}

// loadNames opens the object unless it is open. The caller holds mu.
func (l *library) loadNames() error {
	if l.open {
		C.upcall_library_keep(l.c)
		return nil
	}
	var why [512]byte
	runtime.LockOSThread()
	ok := C.upcall_names_open(l.c, (*C.char)(unsafe.Pointer(&why[0])), C.uint(len(why)))
	runtime.UnlockOSThread()
	if ok == 0 {
		return errors.New(C.GoString((*C.char)(unsafe.Pointer(&why[0]))))
	}
	l.open = true
	return nil
}

// startNames is the library's NSPStartup.
func (l *library) startNames(id *spi.GUID, _ spi.NSPHost) (spi.NSP, spi.Errno) {
	l.mu.Lock()
	if err := l.loadNames(); err != nil {
		l.mu.Unlock()
		return nil, spi.WSASYSNOTREADY
	}
	l.starts++
	l.mu.Unlock()
	var e C.uint32_t
	c := C.upcall_names_start(l.c, C.uintptr_t(at(id)), &e)
	runtime.KeepAlive(id)
	if c == nil || e != 0 {
		C.upcall_names_free(c)
		l.left()
		if c == nil {
			return nil, spi.WSA_NOT_ENOUGH_MEMORY
		}
		return nil, spi.Errno(e)
	}
	l.mu.Lock()
	C.upcall_names_keep(c)
	l.mu.Unlock()
	n := &names{library: l, c: c, notifications: map[spi.Lookup][]notification{}}
	r := n.routine()
	if spi.CheckNSP(r.Provider()) != 0 { // the host says so, and starts it no more
		if c.table.NSPCleanup != nil {
			C.upcall_names_cleanup(c, C.uintptr_t(at(id)))
		}
		l.left()
	}
	return r.Provider(), 0
}

// names is a name-space provider in C that was started.
type names struct {
	library *library
	c       *C.struct_upcall_names

	mu            sync.Mutex // a leaf lock; guards notifications
	notifications map[spi.Lookup][]notification
}

// notification is a completion that an NSPIoctl has left pending, until its
// lookup ends: for the provider, and what keeps the client's memory.
type notification struct {
	c     *C.struct_upcall_notification
	spi   *spi.NotifyCompletion
	where uintptr // of its OVERLAPPED
}

// apcs is the routines of notifications by APC, by the address of the OVERLAPPED.
var apcs sync.Map // uintptr to spi.CompletionRoutine

//export goNameNotified
func goNameNotified(e, transferred uint32, ov uintptr, flags uint32) {
	if routine, ok := apcs.LoadAndDelete(ov); ok {
		n := routine.(*spi.NotifyCompletion)
		n.Routine(spi.Errno(e), transferred, n.Overlapped, flags)
	}
}

// routine returns the provider's table as Go calls it: with nothing where it has
// nothing.
func (n *names) routine() *spi.NSPRoutine {
	t := &n.c.table
	r := &spi.NSPRoutine{Size: uint32(t.cbSize), MajorVersion: uint32(t.dwMajorVersion), MinorVersion: uint32(t.dwMinorVersion)}
	if t.NSPCleanup != nil {
		r.LpNSPCleanup = n.cleanup
	}
	if t.NSPLookupServiceBegin != nil {
		r.LpNSPLookupServiceBegin = n.begin
	}
	if t.NSPLookupServiceNext != nil {
		r.LpNSPLookupServiceNext = n.next
	}
	if t.NSPLookupServiceEnd != nil {
		r.LpNSPLookupServiceEnd = n.end
	}
	if t.NSPSetService != nil {
		r.LpNSPSetService = n.set
	}
	if t.NSPInstallServiceClass != nil {
		r.LpNSPInstallServiceClass = n.installClass
	}
	if t.NSPRemoveServiceClass != nil {
		r.LpNSPRemoveServiceClass = n.removeClass
	}
	if t.NSPGetServiceClassInfo != nil {
		r.LpNSPGetServiceClassInfo = n.classInfo
	}
	if t.NSPIoctl != nil {
		r.LpNSPIoctl = n.ioctl
	}
	return r
}

// packed is a structure in memory of the C library's: what it points to is there,
// too.
type packed struct{ memory unsafe.Pointer }

func (p packed) at() C.uintptr_t { return C.uintptr_t(uintptr(p.memory)) }
func (p packed) free()           { C.free(p.memory) }

func pack(store func([]byte, *uint32) spi.Errno) (packed, spi.Errno) {
	var length uint32
	if e := store(nil, &length); e != 0 && e != spi.WSAEFAULT {
		return packed{}, e
	}
	p := packed{C.calloc(1, C.size_t(length))}
	if p.memory == nil {
		return packed{}, spi.WSA_NOT_ENOUGH_MEMORY
	}
	if e := store(unsafe.Slice((*byte)(p.memory), length), &length); e != 0 {
		p.free()
		return packed{}, e
	}
	return p, 0
}

// packClass is [pack] of a class, nothing for nil.
func packClass(class *spi.ServiceClassInfo) (packed, spi.Errno) {
	if class == nil {
		return packed{}, 0
	}
	return pack(class.Pack)
}

// cleanup undoes one start. The library is closed after the last one, once no
// thread is inside it.
func (n *names) cleanup(id *spi.GUID) spi.Errno {
	e := spi.Errno(C.upcall_names_cleanup(n.c, C.uintptr_t(at(id))))
	runtime.KeepAlive(id)
	if e == 0 {
		n.library.left()
	}
	return e
}

func (n *names) begin(id *spi.GUID, restrictions *spi.QuerySet, class *spi.ServiceClassInfo, flags uint32) (spi.Lookup, spi.Errno) {
	query, e := pack(restrictions.Pack)
	if e != 0 {
		return 0, e
	}
	defer query.free()
	info, e := packClass(class)
	if e != 0 {
		return 0, e
	}
	defer info.free()
	var lookup C.uintptr_t
	e = spi.Errno(C.upcall_names_begin(n.c, C.uintptr_t(at(id)), query.at(), info.at(), C.uint32_t(flags), &lookup))
	runtime.KeepAlive(id)
	return spi.Lookup(lookup), e
}

func (n *names) next(h spi.Lookup, flags uint32, length *uint32, results []byte) spi.Errno {
	*length = min(*length, uint32(len(results)))
	e := C.upcall_names_next(n.c, C.uintptr_t(h), C.uint32_t(flags), C.uintptr_t(at(length)), C.uintptr_t(start(results)))
	runtime.KeepAlive(length)
	runtime.KeepAlive(results)
	return spi.Errno(e)
}

func (n *names) end(h spi.Lookup) spi.Errno {
	e := spi.Errno(C.upcall_names_end(n.c, C.uintptr_t(h)))
	n.mu.Lock()
	all := n.notifications[h]
	delete(n.notifications, h)
	n.mu.Unlock()
	for _, one := range all {
		C.free(unsafe.Pointer(one.c))
	}
	return e
}

func (n *names) set(id *spi.GUID, class *spi.ServiceClassInfo, regInfo *spi.QuerySet, operation int32, flags uint32) spi.Errno {
	registered, e := pack(regInfo.Pack)
	if e != 0 {
		return e
	}
	defer registered.free()
	info, e := packClass(class)
	if e != 0 {
		return e
	}
	defer info.free()
	e = spi.Errno(C.upcall_names_set(n.c, C.uintptr_t(at(id)), info.at(), registered.at(), C.int32_t(operation), C.uint32_t(flags)))
	runtime.KeepAlive(id)
	return e
}

func (n *names) installClass(id *spi.GUID, class *spi.ServiceClassInfo) spi.Errno {
	info, e := packClass(class)
	if e != 0 {
		return e
	}
	defer info.free()
	e = spi.Errno(C.upcall_names_install_class(n.c, C.uintptr_t(at(id)), info.at()))
	runtime.KeepAlive(id)
	return e
}

func (n *names) removeClass(id, class *spi.GUID) spi.Errno {
	e := C.upcall_names_remove_class(n.c, C.uintptr_t(at(id)), C.uintptr_t(at(class)))
	runtime.KeepAlive(id)
	runtime.KeepAlive(class)
	return spi.Errno(e)
}

// classInfo asks for a class. The function in C finds its id in the memory that
// the answer goes to.
func (n *names) classInfo(id, class *spi.GUID, length *uint32, info []byte) spi.Errno {
	*length = min(*length, uint32(len(info)))
	var question spi.ServiceClassInfo
	room := C.calloc(1, C.size_t(max(uintptr(*length), unsafe.Sizeof(question))+unsafe.Sizeof(*class)))
	if room == nil {
		return spi.WSA_NOT_ENOUGH_MEMORY
	}
	defer C.free(room)
	asked := (*spi.ServiceClassInfo)(room)
	asked.ServiceClassID = (*spi.GUID)(unsafe.Add(room, max(uintptr(*length), unsafe.Sizeof(question))))
	*asked.ServiceClassID = *class
	e := spi.Errno(C.upcall_names_class_info(n.c, C.uintptr_t(at(id)), C.uintptr_t(at(length)), C.uintptr_t(uintptr(room))))
	runtime.KeepAlive(id)
	runtime.KeepAlive(length)
	if e != 0 {
		return e
	}
	*length = uint32(len(info))
	return asked.Pack(info, length)
}

func (n *names) ioctl(h spi.Lookup, code uint32, in, out []byte, returned *uint32, completion *spi.NotifyCompletion, thread *spi.ThreadID) spi.Errno {
	var pending notification
	if completion != nil {
		ov := uintptr(unsafe.Pointer(completion.Overlapped))
		pending = notification{
			c:   C.upcall_notification_new(C.int32_t(completion.Type), C.uint32_t(completion.Message), C.uintptr_t(ov), C.uintptr_t(completion.Handle), C.uintptr_t(completion.Context)),
			spi: completion, where: ov,
		}
		if pending.c == nil {
			return spi.WSA_NOT_ENOUGH_MEMORY
		}
		if completion.Routine != nil {
			apcs.Store(ov, completion)
		}
		n.mu.Lock()
		n.notifications[h] = append(n.notifications[h], pending)
		n.mu.Unlock()
	}
	e := spi.Errno(C.upcall_names_ioctl(n.c, C.uintptr_t(h), C.uint32_t(code), C.uintptr_t(start(in)), C.uint32_t(len(in)),
		C.uintptr_t(start(out)), C.uint32_t(len(out)), C.uintptr_t(at(returned)), pending.c, C.uintptr_t(at(thread))))
	runtime.KeepAlive(in)
	runtime.KeepAlive(out)
	runtime.KeepAlive(returned)
	runtime.KeepAlive(thread)
	if completion != nil && e != spi.WSA_IO_PENDING {
		apcs.CompareAndDelete(pending.where, completion)
	}
	return e
}
