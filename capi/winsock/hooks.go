package winsock

/*
#include "callbacks.h"
*/
import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
)

//export goWSASetBlockingHook
func goWSASetBlockingHook(t unsafe.Pointer, function uintptr) int32 {
	var hook func() bool
	if function != 0 {
		hook = func() bool { return C.upcall_hooked(C.uintptr_t(function)) != 0 }
	}
	_, err := process.Thread(t).WSASetBlockingHook(hook)
	return code(err)
}

//export goWSAUnhookBlockingHook
func goWSAUnhookBlockingHook(t unsafe.Pointer) int32 {
	return code(process.Thread(t).WSAUnhookBlockingHook())
}

//export goWSAIsBlocking
func goWSAIsBlocking(t unsafe.Pointer) (int32, int32) {
	thread := process.Thread(t)
	thread.WSASetLastError(0)
	if thread.WSAIsBlocking() {
		return 1, 0
	}
	return 0, int32(thread.WSAGetLastError())
}

//export goWSACancelBlockingCall
func goWSACancelBlockingCall(t unsafe.Pointer) int32 {
	return code(process.Thread(t).WSACancelBlockingCall())
}
