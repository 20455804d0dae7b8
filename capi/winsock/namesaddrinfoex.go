package winsock

/*
#include "namescallbacks.h"
*/
import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// notifyRoutine returns a completion routine of the program as one of Go.
func notifyRoutine(routine uintptr) spi.CompletionRoutine {
	if routine == 0 {
		return nil
	}
	return func(e spi.Errno, transferred uint32, ov *spi.Overlapped, flags uint32) {
		C.upcall_notified(C.uintptr_t(routine), C.uint32_t(e), C.uint32_t(transferred), C.uintptr_t(uintptr(unsafe.Pointer(ov))), C.uint32_t(flags))
	}
}

// search is the arguments of GetAddrInfoEx.
type search struct {
	node, service *string
	nameSpace     uint32
	provider      *spi.GUID
	hints         *spi.AddrInfoEx
	timeout       *spi.Timeval
	wide          bool
}

//export goGetAddrInfoEx
func goGetAddrInfoEx(t, node, service unsafe.Pointer, nameSpace uint32, provider, hints, result, timeout, ov unsafe.Pointer,
	routine uintptr, handle unsafe.Pointer, wide bool,
) int32 {
	q := &search{
		node: textAt(node, wide), service: textAt(service, wide), nameSpace: nameSpace, provider: (*spi.GUID)(provider),
		hints: (*spi.AddrInfoEx)(hints), timeout: (*spi.Timeval)(timeout), wide: wide,
	}
	thread := process.Thread(t)
	if ov != nil {
		return q.later(thread, result, (*spi.Overlapped)(ov), routine, (*uintptr)(handle))
	}
	var found *spi.AddrInfoEx
	var refused ws2.NameCompletion
	if routine != 0 {
		refused = func(spi.Errno, uint32, *spi.Overlapped) {} // ws2 says what is wrong with one
	}
	err := thread.GetAddrInfoEx(q.node, q.service, nameSpace, q.provider, q.hints, &found, q.timeout, nil, refused, (*uintptr)(handle))
	if err != nil {
		return code(err)
	}
	return int32(q.store(result, found))
}

// store gives the program a copy of a list.
func (q *search) store(result unsafe.Pointer, found *spi.AddrInfoEx) spi.Errno {
	copied, ok := copyAddrInfoEx(found, q.wide)
	if !ok {
		return spi.WSA_NOT_ENOUGH_MEMORY
	}
	*(*uintptr)(result) = uintptr(unsafe.Pointer(copied))
	return 0
}

// later begins a search that goes on in the background. ws2 completes an OVERLAPPED
// of our own, so that the program's list is there before its OVERLAPPED says so.
func (q *search) later(thread *ws2.Thread, result unsafe.Pointer, ov *spi.Overlapped, routine uintptr, handle *uintptr) int32 {
	event := ov.HEvent
	if (routine == 0) == (event.Untagged() == spi.InvalidEvent) {
		return int32(spi.WSAEINVAL)
	}
	if routine == 0 {
		if err := thread.WSAResetEvent(event); err != nil {
			return code(err)
		}
	}
	before := *ov
	ov.Offset, ov.OffsetHigh = uint32(uintptr(result)), uint32(uintptr(result)>>32) // OVERLAPPED.Pointer
	ov.Start()
	var found *spi.AddrInfoEx
	dll := process.DLL()
	complete := func(e spi.Errno, _ uint32, _ *spi.Overlapped) {
		if e == 0 {
			e = q.store(result, found)
		}
		ov.Complete(e, 0)
		if routine == 0 {
			_ = dll.Unbound().WSASetEvent(event) // an event that is closed by now is passed over
			return
		}
		C.upcall_found(C.uintptr_t(routine), C.uint32_t(e), 0, C.uintptr_t(uintptr(unsafe.Pointer(ov))))
	}
	err := thread.GetAddrInfoEx(q.node, q.service, q.nameSpace, q.provider, q.hints, &found, q.timeout, new(spi.Overlapped), complete, handle)
	if e := ws2.CodeOf(err); e != spi.WSA_IO_PENDING {
		*ov = before
	}
	return code(err)
}

func copyAddrInfoEx(list *spi.AddrInfoEx, wide bool) (first *spi.AddrInfoEx, ok bool) {
	at := &first
	for a := range list.All() {
		const size, idSize = unsafe.Sizeof(*a), unsafe.Sizeof(*a.Provider)
		name := canonical(a.CanonName, wide)
		address := uintptr(room8(a.AddrLen))
		memory := allocate(int(size+address+idSize) + len(name))
		if memory == nil {
			freeAddrInfoEx(first)
			return nil, false
		}
		c := (*spi.AddrInfoEx)(memory)
		c.Flags, c.Family, c.SockType, c.Protocol = a.Flags, a.Family, a.SockType, a.Protocol
		c.AddrLen, c.Addr = a.AddrLen, (*byte)(unsafe.Add(memory, size))
		copy(c.Sockaddr(), a.Sockaddr())
		if a.Provider != nil {
			c.Provider = (*spi.GUID)(unsafe.Add(memory, size+address))
			*c.Provider = *a.Provider
		}
		c.CanonName = storeCanonical(unsafe.Add(memory, size+address+idSize), name)
		*at, at = c, &c.Next
	}
	return first, true
}

func freeAddrInfoEx(list *spi.AddrInfoEx) {
	for list != nil {
		next := list.Next
		free(unsafe.Pointer(list))
		list = next
	}
}

//export goGetAddrInfoExCancel
func goGetAddrInfoExCancel(t, handle unsafe.Pointer) int32 {
	return code(process.Thread(t).GetAddrInfoExCancel((*uintptr)(handle)))
}

//export goGetAddrInfoExOverlappedResult
func goGetAddrInfoExOverlappedResult(t, ov unsafe.Pointer) int32 {
	return code(process.Thread(t).GetAddrInfoExOverlappedResult((*spi.Overlapped)(ov)))
}

//export goSetAddrInfoEx
func goSetAddrInfoEx(t, node, service, addresses unsafe.Pointer, count uint32, blob unsafe.Pointer, flags, nameSpace uint32,
	provider, timeout, ov unsafe.Pointer, routine uintptr, handle unsafe.Pointer, wide bool,
) int32 {
	var all []spi.SocketAddress
	if addresses != nil && count <= mostAddresses {
		all = unsafe.Slice((*spi.SocketAddress)(addresses), count)
	} else if count > 0 {
		return int32(spi.WSAEFAULT)
	}
	var reserved ws2.NameCompletion
	if routine != 0 {
		reserved = func(spi.Errno, uint32, *spi.Overlapped) {} // ws2 refuses it
	}
	return code(process.Thread(t).SetAddrInfoEx(textAt(node, wide), textAt(service, wide), all, (*spi.Blob)(blob), flags, nameSpace,
		(*spi.GUID)(provider), (*spi.Timeval)(timeout), (*spi.Overlapped)(ov), reserved, (*uintptr)(handle)))
}

// mostAddresses is what a name may have.
const mostAddresses = 1 << 16
