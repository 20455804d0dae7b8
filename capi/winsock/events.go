package winsock

import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
)

//export goWSACreateEvent
func goWSACreateEvent(t unsafe.Pointer) (uintptr, int32) {
	ev, err := process.Thread(t).WSACreateEvent()
	return uintptr(ev), code(err)
}

//export goWSACloseEvent
func goWSACloseEvent(t unsafe.Pointer, ev uintptr) int32 {
	return code(process.Thread(t).WSACloseEvent(spi.Event(ev)))
}

//export goWSASetEvent
func goWSASetEvent(t unsafe.Pointer, ev uintptr) int32 {
	return code(process.Thread(t).WSASetEvent(spi.Event(ev)))
}

//export goWSAResetEvent
func goWSAResetEvent(t unsafe.Pointer, ev uintptr) int32 {
	return code(process.Thread(t).WSAResetEvent(spi.Event(ev)))
}

//export goWSAWaitForMultipleEvents
func goWSAWaitForMultipleEvents(t unsafe.Pointer, count uint32, events unsafe.Pointer, all bool, timeout uint32, alertable bool) (uint32, int32) {
	if events == nil {
		count = 0
	}
	n, err := process.Thread(t).WSAWaitForMultipleEvents(unsafe.Slice((*spi.Event)(events), count), all, timeout, alertable)
	return n, code(err)
}

//export goWSAEventSelect
func goWSAEventSelect(t unsafe.Pointer, s uint64, ev uintptr, mask int32) int32 {
	return code(process.Thread(t).WSAEventSelect(socket(s), spi.Event(ev), mask))
}

//export goWSAEnumNetworkEvents
func goWSAEnumNetworkEvents(t unsafe.Pointer, s uint64, ev uintptr, found unsafe.Pointer) int32 {
	return code(process.Thread(t).WSAEnumNetworkEvents(socket(s), spi.Event(ev), (*spi.NetworkEvents)(found)))
}

//export goWSAAsyncSelect
func goWSAAsyncSelect(t unsafe.Pointer, s uint64, window uintptr, message uint32, mask int32) int32 {
	return code(process.Thread(t).WSAAsyncSelect(socket(s), spi.HWND(window), message, mask))
}
