// Package process is what a process of the C door has once: its [ws2.DLL], and,
// for each of its threads, a last error and a [ws2.Thread]. Its C half is
// thread.h, which the C files of the door's other packages include.
package process

/*
#cgo CFLAGS: -std=gnu11 -O2 -Wall -Wextra

int upcall_in_provider(void);
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// With a single processor to itself the runtime has nowhere to go on while a
// thread is in the system, and a thread that comes back waits for it: hand-overs
// take five times as long. So there are two unless the environment says
// otherwise.
func init() {
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) < 2 {
		runtime.GOMAXPROCS(2)
	}
}

// LoadLibrary loads a provider that is a shared object; the package that does it
// sets it when it is initialised.
var LoadLibrary func(path string) (spi.StartupFunc, error)

// the is the process's DLL once somebody has asked for it.
var the struct {
	dll   atomic.Pointer[ws2.DLL]
	once  sync.Once
	given atomic.Bool // by Use
}

// DLL returns the process's Windows Sockets DLL. The first call makes it, over
// the installed catalog, unless [Use] came before.
func DLL() *ws2.DLL {
	if d := the.dll.Load(); d != nil {
		return d
	}
	the.once.Do(func() { serve(New(ws2.Config{Catalog: Catalog()})) })
	return the.dll.Load()
}

func serve(d *ws2.DLL) {
	shareEvents(d)
	the.dll.Store(d)
}

// LoadNamespace is LoadLibrary for a name-space provider.
var LoadNamespace func(path string) (spi.NSPStartupFunc, error)

// New returns a DLL that can load shared objects.
func New(c ws2.Config) *ws2.DLL {
	c.LoadLibrary, c.LoadNamespace = LoadLibrary, LoadNamespace
	return ws2.New(c)
}

// Use makes d the process's DLL, for a program in Go that hosts providers
// written in C. It reports false when there is one already.
func Use(d *ws2.DLL) bool {
	first := false
	the.once.Do(func() {
		the.given.Store(true)
		serve(d)
		first = true
	})
	return first
}

// Catalog returns the installed catalog, the file that the WSC functions change.
var Catalog = sync.OnceValue(func() *catalog.File { return catalog.OpenFile(catalog.DefaultPath()).Reporting(Tell) })

// StartedCatalog returns the catalog that the DLL has started with where that is
// what WSCEnumProtocols and WSCGetProviderPath are to show: to a provider, so
// that a layer finds its chain in it, and in a process whose DLL came by [Use].
// It is nil where the installed catalog is meant, and while nothing is started.
func StartedCatalog() *catalog.Catalog {
	if C.upcall_in_provider() == 0 && !the.given.Load() {
		return nil
	}
	return DLL().Catalog()
}

// Thread returns the thread that C holds as its Go half.
func Thread(t unsafe.Pointer) *ws2.Thread { return (*ws2.Thread)(t) }

// upcallAdopt returns the Go half of the calling thread. keep is false for one
// of Go's own threads that runs C code of a provider: which goroutine it serves
// next is not known.
//
//export upcallAdopt
func upcallAdopt(inProvider bool) (t uintptr, keep bool) {
	d := DLL()
	if inProvider {
		if bound := d.CallingThread(); bound != nil {
			return address(bound), false
		}
		return address(d.Unbound()), false
	}
	return address(d.AdoptThread()), true
}

// address returns where a thread is. The DLL keeps it there until its Unbind;
// cgo would refuse the pointer for what the thread points to.
func address(t *ws2.Thread) uintptr { return uintptr(unsafe.Pointer(t)) }

//export upcallThreadEnds
func upcallThreadEnds(t unsafe.Pointer) { Thread(t).Unbind() }

// told is the failures that Tell has told.
var told sync.Map

// Tell writes to standard error, once, why a provider or the catalog failed: a
// program in C gets only the code.
func Tell(err error) {
	if _, plain := err.(spi.Errno); plain {
		return
	}
	var provider *ws2.ProviderError
	var file *catalog.FileError
	if errors.As(err, &provider) || errors.As(err, &file) {
		if _, again := told.LoadOrStore(err.Error(), true); !again {
			fmt.Fprintln(os.Stderr, "upcall:", err)
		}
	}
}
