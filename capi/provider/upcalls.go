package provider

/*
#include "upcalls.h"
*/
import "C"

import (
	"sync"
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
)

// This file is the Go halves of the upcalls that providers in C make, which are
// in upcalls.c. They go through the table of the latest start.

// share makes the contexts of the process's non-IFS handles readable in C.
var share = sync.OnceFunc(func() {
	shared := process.DLL().ShareContexts(func(index int, slots unsafe.Pointer) {
		C.upcall_share_segment(C.uint32_t(index), C.uintptr_t(uintptr(slots)))
	})
	if shared {
		C.upcall_share()
	}
})

// up returns the table of the latest start, the DLL's own before the first:
// helpers that the library exports call through it, too.
func up() *spi.UpcallTable {
	if l := latest.Load(); l != nil {
		return l.upcalls
	}
	return own()
}

var own = sync.OnceValue(func() *spi.UpcallTable {
	table := process.DLL().UpcallTable()
	return &table
})

//export goWPUCloseEvent
func goWPUCloseEvent(ev uint64) (e int32) {
	defer recovered("WPUCloseEvent", &e)
	return int32(up().WPUCloseEvent(spi.Event(ev)))
}

//export goWPUCloseSocketHandle
func goWPUCloseSocketHandle(s uint64) (e int32) {
	defer recovered("WPUCloseSocketHandle", &e)
	return int32(up().WPUCloseSocketHandle(spi.Socket(s)))
}

//export goWPUCreateEvent
func goWPUCreateEvent() (ev uint64, e int32) {
	defer recovered("WPUCreateEvent", &e)
	made, code := up().WPUCreateEvent()
	return uint64(made), int32(code)
}

//export goWPUCreateSocketHandle
func goWPUCreateSocketHandle(id uint32, context uintptr) (s uint64, e int32) {
	defer recovered("WPUCreateSocketHandle", &e)
	made, code := up().WPUCreateSocketHandle(id, context)
	return uint64(made), int32(code)
}

//export goWPUGetProviderPath
func goWPUGetProviderPath(id, path, length unsafe.Pointer) (e int32) {
	defer recovered("WPUGetProviderPath", &e)
	if id == nil || length == nil {
		return int32(spi.WSAEFAULT)
	}
	n := (*int32)(length)
	return int32(up().WPUGetProviderPath((*spi.GUID)(id), memory[uint16](path, *n), n))
}

//export goWPUModifyIFSHandle
func goWPUModifyIFSHandle(id uint32, proposed uint64) (s uint64, e int32) {
	defer recovered("WPUModifyIFSHandle", &e)
	made, code := up().WPUModifyIFSHandle(id, spi.Socket(proposed))
	return uint64(made), int32(code)
}

//export goWPUPostMessage
func goWPUPostMessage(wnd uint64, msg uint32, wParam, lParam uintptr) (posted int32) {
	failed := int32(0)
	defer recovered("WPUPostMessage", &failed)
	return int32(truth(up().WPUPostMessage(spi.HWND(wnd), msg, wParam, lParam)))
}

// goWPUQueryBlockingCallback tells whether the thread has a hook; goBlocking
// runs it.
//
//export goWPUQueryBlockingCallback
func goWPUQueryBlockingCallback(id uint32) (has bool, e int32) {
	defer recovered("WPUQueryBlockingCallback", &e)
	callback, _, code := blocking(id)
	return callback != nil, int32(code)
}

func blocking(id uint32) (callback spi.BlockingCallback, context uintptr, e spi.Errno) {
	e = up().WPUQueryBlockingCallback(id, &callback, &context)
	return callback, context, e
}

// goBlocking is upcall_blocking: true means to wait on.
//
//export goBlocking
func goBlocking(id uintptr) (again int32) {
	failed := int32(0)
	defer recovered("a blocking hook", &failed)
	callback, context, e := blocking(uint32(id))
	if e != 0 || callback == nil {
		return 1
	}
	return int32(truth(callback(context)))
}

//export goWPUQuerySocketHandleContext
func goWPUQuerySocketHandleContext(s uint64) (context uintptr, e int32) {
	defer recovered("WPUQuerySocketHandleContext", &e)
	context, code := up().WPUQuerySocketHandleContext(spi.Socket(s))
	return context, int32(code)
}

//export goWPUQueueApc
func goWPUQueueApc(thread unsafe.Pointer, apc uintptr, loading uint64, context uintptr) (e int32) {
	defer recovered("WPUQueueApc", &e)
	return int32(up().WPUQueueApc((*spi.ThreadID)(thread), apcOf(apc, loading), context))
}

//export goWPUResetEvent
func goWPUResetEvent(ev uint64) (e int32) {
	defer recovered("WPUResetEvent", &e)
	return int32(up().WPUResetEvent(spi.Event(ev)))
}

//export goWPUSetEvent
func goWPUSetEvent(ev uint64) (e int32) {
	defer recovered("WPUSetEvent", &e)
	return int32(up().WPUSetEvent(spi.Event(ev)))
}

// goWPUOpenCurrentThread is called with the thread adopted, which gives it the
// means to run APCs.
//
//export goWPUOpenCurrentThread
func goWPUOpenCurrentThread(_, thread unsafe.Pointer) (e int32) {
	defer recovered("WPUOpenCurrentThread", &e)
	return int32(up().WPUOpenCurrentThread((*spi.ThreadID)(thread)))
}

//export goWPUCloseThread
func goWPUCloseThread(thread unsafe.Pointer) (e int32) {
	defer recovered("WPUCloseThread", &e)
	return int32(up().WPUCloseThread((*spi.ThreadID)(thread)))
}

// goWPUCompleteOverlappedRequest is of the export, which needs no start of a
// provider in C.
//
//export goWPUCompleteOverlappedRequest
func goWPUCompleteOverlappedRequest(s uint64, ov unsafe.Pointer, status, transferred uint32) (e int32) {
	defer recovered("WPUCompleteOverlappedRequest", &e)
	dll := process.DLL().Exports()
	if l := latest.Load(); l != nil {
		dll = l.dll
	}
	o := (*spi.Overlapped)(ov)
	ended(o)
	return int32(dll.WPUCompleteOverlappedRequest(spi.Socket(s), o, spi.Errno(int32(status)), transferred))
}
