// Package provider lets providers written in C and in Go serve in one chain: it
// loads shared objects with a WSPStartup, giving them the upcall table of the
// headers, and gives every provider written in Go a WSPStartup that C can call.
//
// # C below Go
//
// library.go loads a shared object and starts it; calls.go is its thirty
// functions as methods, and calls.c the calls themselves; upcalls.c is the
// table that it gets, with upcalls.go for what C cannot answer.
//
// # Go below C
//
// A layer in C finds the next provider by its path. LoadLibrary of a path that
// begins with "go:" is goModuleOpen in modules.go; the WSPStartup and the thirty
// functions that it gets are in thunks.c, their Go halves in entries.go.
//
// # Memory
//
// Memory goes through as it is, in both directions: the structures of package
// spi are laid out as in C. What a pending operation uses is kept in pending.go.
// Go never moves it, and what comes through a method of an interface is on the
// heap.
package provider

/*
#cgo CFLAGS: -std=gnu11 -O2 -Wall -Wextra -Wno-unused-parameter -I${SRCDIR}/../../include/upcall -I${SRCDIR}/../process
#cgo LDFLAGS: -ldl
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"unsafe"

	"upcall.dev/spi"
)

// at returns where v is, for C. It makes v escape to the heap, where it stays;
// the caller keeps it alive until C is done with it.
func at[T any](v *T) uintptr {
	if escaping {
		sink = unsafe.Pointer(v)
	}
	return uintptr(unsafe.Pointer(v))
}

// start returns where a slice's elements are, 0 for a nil slice.
func start[T any](s []T) uintptr { return at(unsafe.SliceData(s)) }

// escaping is never true, which the compiler does not know.
var (
	escaping bool
	sink     unsafe.Pointer
)

// memory returns length elements at p as a slice, nil for a nil pointer or a
// negative length.
func memory[T any, L int32 | uint32](p unsafe.Pointer, length L) []T {
	if p == nil || length < 0 {
		return nil
	}
	return unsafe.Slice((*T)(p), int(length))
}

// room returns the memory at p whose length is at length, nil when either is.
func room(p unsafe.Pointer, length unsafe.Pointer) []byte {
	if length == nil {
		return nil
	}
	return memory[byte](p, *(*int32)(length))
}

// errEnded is the panic of a call to a provider that has ended.
var errEnded = errors.New("the provider has ended")

// told is the messages that tell has written.
var told sync.Map

// tell writes a line to standard error, once.
func tell(format string, arguments ...any) {
	message := fmt.Sprintf(format, arguments...)
	if _, again := told.LoadOrStore(message, true); !again {
		fmt.Fprintln(os.Stderr, "upcall: "+message)
	}
}

// recovered is the deferred end of everything in Go that C calls: a panic must
// not unwind C's frames.
func recovered(function string, e *int32) {
	v := recover()
	if v == nil {
		return
	}
	if v == any(errEnded) {
		*e = int32(spi.WSANOTINITIALISED)
		return
	}
	*e = int32(spi.WSASYSCALLFAILURE)
	message := fmt.Sprintf("panic in %s, called from C: %v", function, v)
	if _, again := told.LoadOrStore(message, true); !again {
		fmt.Fprintf(os.Stderr, "upcall: %s\n%s", message, debug.Stack())
	}
}
