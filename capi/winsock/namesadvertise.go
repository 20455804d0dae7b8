package winsock

/*
#include "namescallbacks.h"
*/
import "C"

import (
	"runtime"
	"sync"
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
)

// second is the functions of an NSPV2_ROUTINE in C, 0 for one that is not there.
type second struct {
	startup, cleanup, begin, next, end, set, rundown C.uintptr_t
}

// answers is the results that a provider is to give, until it has completed the
// call: it writes to memory of the C library's.
var answers sync.Map // spi.AsyncCall to *pendingAnswer

type pendingAnswer struct {
	memory  unsafe.Pointer // a DWORD in 8 bytes, the length, and the results
	length  *uint32        // where the length and results go; nil for a call without, which only reads the memory
	results []byte
}

const answerHeader = 8 // bytes before the results

//export goAdvertiseProvider
func goAdvertiseProvider(t, id unsafe.Pointer, size, major, minor uint32, startup, cleanup, begin, next, end, set, rundown uintptr) int32 {
	f := &second{
		C.uintptr_t(startup), C.uintptr_t(cleanup), C.uintptr_t(begin), C.uintptr_t(next), C.uintptr_t(end), C.uintptr_t(set), C.uintptr_t(rundown),
	}
	return code(process.Thread(t).WSAAdvertiseProvider((*spi.GUID)(id), f.routine(size, major, minor)))
}

//export goUnadvertiseProvider
func goUnadvertiseProvider(t, id unsafe.Pointer) int32 {
	return code(process.Thread(t).WSAUnadvertiseProvider((*spi.GUID)(id)))
}

//export goProviderCompleteAsyncCall
func goProviderCompleteAsyncCall(t unsafe.Pointer, call uintptr, e int32) int32 {
	if kept, ok := answers.LoadAndDelete(spi.AsyncCall(call)); ok {
		e = int32(kept.(*pendingAnswer).take(spi.Errno(e)))
	}
	return code(process.Thread(t).WSAProviderCompleteAsyncCall(spi.AsyncCall(call), spi.Errno(e)))
}

// take copies the answer to where Go waits for it.
func (p *pendingAnswer) take(e spi.Errno) spi.Errno {
	defer free(p.memory)
	if p.length == nil { // of a call without results
		return e
	}
	length := *(*uint32)(p.memory)
	if e != 0 {
		*p.length = length
		return e
	}
	return (*spi.QuerySet2)(unsafe.Add(p.memory, answerHeader)).Pack(p.results, p.length)
}

// inC is a structure in memory of the C library's, which pack lays out there; nil
// when there is no memory.
func inC(pack func([]byte, *uint32) spi.Errno) (memory unsafe.Pointer, e spi.Errno) {
	var length uint32
	if e := pack(nil, &length); e != 0 && e != spi.WSAEFAULT {
		return nil, e
	}
	if memory = allocate(int(length)); memory == nil {
		return nil, spi.WSA_NOT_ENOUGH_MEMORY
	}
	if e := pack(unsafe.Slice((*byte)(memory), length), &length); e != 0 {
		free(memory)
		return nil, e
	}
	return memory, 0
}

// routine returns the functions as Go calls them.
func (f *second) routine(size, major, minor uint32) *spi.NSPv2Routine {
	r := &spi.NSPv2Routine{Size: size, MajorVersion: major, MinorVersion: minor}
	if f.startup != 0 {
		r.LpNSPv2Startup = func(id *spi.GUID, session *uintptr) spi.Errno {
			var argument C.uintptr_t
			e := C.upcall_v2_startup(f.startup, pointer(id), &argument)
			runtime.KeepAlive(id)
			*session = uintptr(argument)
			return spi.Errno(e)
		}
	}
	if f.cleanup != 0 {
		r.LpNSPv2Cleanup = func(id *spi.GUID, session uintptr) spi.Errno {
			e := C.upcall_v2_cleanup(f.cleanup, pointer(id), C.uintptr_t(session))
			runtime.KeepAlive(id)
			return spi.Errno(e)
		}
	}
	if f.begin != 0 {
		r.LpNSPv2LookupServiceBegin = f.lookupBegin
	}
	if f.next != 0 {
		r.LpNSPv2LookupServiceNextEx = f.lookupNext
	}
	if f.end != 0 {
		r.LpNSPv2LookupServiceEnd = func(h spi.Lookup) spi.Errno {
			return spi.Errno(C.upcall_v2_end(f.end, C.uintptr_t(h)))
		}
	}
	if f.set != 0 {
		r.LpNSPv2SetServiceEx = f.setService
	}
	if f.rundown != 0 {
		r.LpNSPv2ClientSessionRundown = func(id *spi.GUID, session uintptr) {
			C.upcall_v2_rundown(f.rundown, pointer(id), C.uintptr_t(session))
			runtime.KeepAlive(id)
		}
	}
	return r
}

// pointer returns where something on the heap is.
func pointer[T any](p *T) C.uintptr_t { return C.uintptr_t(uintptr(unsafe.Pointer(p))) }

func (f *second) lookupBegin(id *spi.GUID, query *spi.QuerySet2, flags uint32, session uintptr) (spi.Lookup, spi.Errno) {
	copied, e := inC(query.Pack)
	if e != 0 {
		return 0, e
	}
	defer free(copied)
	var handle C.uintptr_t
	e = spi.Errno(C.upcall_v2_begin(f.begin, pointer(id), C.uintptr_t(uintptr(copied)), C.uint32_t(flags), C.uintptr_t(session), &handle))
	runtime.KeepAlive(id)
	return spi.Lookup(handle), e
}

func (f *second) lookupNext(call spi.AsyncCall, h spi.Lookup, flags uint32, length *uint32, results []byte) {
	room := min(*length, uint32(len(results)))
	memory := allocate(answerHeader + int(room))
	if memory == nil {
		_ = process.DLL().Unbound().WSAProviderCompleteAsyncCall(call, spi.WSA_NOT_ENOUGH_MEMORY) // the call is new
		return
	}
	*(*uint32)(memory) = room
	answers.Store(call, &pendingAnswer{memory, length, results})
	at := C.uintptr_t(uintptr(memory))
	C.upcall_v2_next(f.next, C.uintptr_t(call), C.uintptr_t(h), C.uint32_t(flags), at, at+answerHeader)
}

func (f *second) setService(call spi.AsyncCall, id *spi.GUID, info *spi.QuerySet2, operation int32, flags uint32, session uintptr) {
	copied, e := inC(info.Pack)
	if e != 0 {
		_ = process.DLL().Unbound().WSAProviderCompleteAsyncCall(call, e) // the call is new
		return
	}
	// The provider may read it until it has completed the call.
	answers.Store(call, &pendingAnswer{memory: copied})
	C.upcall_v2_set(f.set, C.uintptr_t(call), pointer(id), C.uintptr_t(uintptr(copied)), C.int32_t(operation), C.uint32_t(flags), C.uintptr_t(session))
	runtime.KeepAlive(id)
}
