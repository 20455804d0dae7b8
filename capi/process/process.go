// Package process is what a process of the C door has once: its [ws2.DLL], and,
// for each of its threads, a last error and a [ws2.Thread]. Its C half is
// thread.h, which the C files of the door's other packages include.
package process

/*
#cgo CFLAGS: -std=gnu11 -O2 -Wall -Wextra
*/
import "C"

import (
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// LoadLibrary loads a provider that is a shared object; the package that does it
// sets it when it is initialised.
var LoadLibrary func(path string) (spi.StartupFunc, error)

// the is the process's DLL once somebody has asked for it.
var the struct {
	dll  atomic.Pointer[ws2.DLL]
	once sync.Once
}

// DLL returns the process's Windows Sockets DLL. The first call makes it, over
// the installed catalog, unless [Use] came before.
func DLL() *ws2.DLL {
	if d := the.dll.Load(); d != nil {
		return d
	}
	the.once.Do(func() { the.dll.Store(New(ws2.Config{Catalog: Catalog()})) })
	return the.dll.Load()
}

// New returns a DLL that can load shared objects.
func New(c ws2.Config) *ws2.DLL {
	c.LoadLibrary = LoadLibrary
	return ws2.New(c)
}

// Use makes d the process's DLL, for a program in Go that hosts providers
// written in C. It reports false when there is one already.
func Use(d *ws2.DLL) bool {
	first := false
	the.once.Do(func() {
		the.dll.Store(d)
		first = true
	})
	return first
}

// Catalog returns the installed catalog, the file that the WSC functions change.
var Catalog = sync.OnceValue(func() *catalog.File { return catalog.OpenFile(catalog.DefaultPath()) })

// Thread returns the thread that C holds as its Go half.
func Thread(t unsafe.Pointer) *ws2.Thread { return (*ws2.Thread)(t) }

// threads keeps the Go halves where they are while C points to them.
var threads sync.Map // *runtime.Pinner by *ws2.Thread

// upcallAdopt returns the Go half of the calling thread. keep is false for one
// of Go's own threads that runs C code of a provider: which goroutine it serves
// next is not known.
//
//export upcallAdopt
func upcallAdopt(inProvider bool) (t unsafe.Pointer, keep bool) {
	d := DLL()
	if inProvider {
		if bound := d.CallingThread(); bound != nil {
			return unsafe.Pointer(bound), false
		}
		return unsafe.Pointer(d.Unbound()), false
	}
	adopted := d.AdoptThread()
	pin := new(runtime.Pinner)
	pin.Pin(adopted)
	threads.Store(adopted, pin)
	return unsafe.Pointer(adopted), true
}

//export upcallThreadEnds
func upcallThreadEnds(t unsafe.Pointer) {
	thread := Thread(t)
	thread.Unbind()
	if pin, ok := threads.LoadAndDelete(thread); ok {
		pin.(*runtime.Pinner).Unpin()
	}
}
