package winsock

/*
#include "callbacks.h"
*/
import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
)

// completionRoutine is the completion routine that calls one in C, nil for none.
func completionRoutine(routine uintptr) spi.CompletionRoutine {
	if routine == 0 {
		return nil
	}
	return func(e spi.Errno, transferred uint32, ov *spi.Overlapped, flags uint32) {
		C.upcall_completed(C.uintptr_t(routine), C.uint32_t(e), C.uint32_t(transferred), where(ov), C.uint32_t(flags))
	}
}

// buffers returns an array of WSABUFs; ok is false when there is none where
// there should be.
func buffers(p unsafe.Pointer, count uint32) (bufs []spi.Buf, ok bool) {
	if p == nil {
		return nil, count == 0
	}
	return unsafe.Slice((*spi.Buf)(p), count), true
}

const fault = int32(spi.WSAEFAULT)

//export goWSASend
func goWSASend(t unsafe.Pointer, s uint64, p unsafe.Pointer, n uint32, sent unsafe.Pointer, flags uint32, ov unsafe.Pointer, routine uintptr) int32 {
	bufs, ok := buffers(p, n)
	if !ok {
		return fault
	}
	return code(process.Thread(t).WSASend(socket(s), bufs, (*uint32)(sent), flags, (*spi.Overlapped)(ov), completionRoutine(routine)))
}

//export goWSASendTo
func goWSASendTo(t unsafe.Pointer, s uint64, p unsafe.Pointer, n uint32, sent unsafe.Pointer, flags uint32,
	to unsafe.Pointer, toLength int32, ov unsafe.Pointer, routine uintptr,
) int32 {
	bufs, ok := buffers(p, n)
	if !ok {
		return fault
	}
	return code(process.Thread(t).WSASendTo(socket(s), bufs, (*uint32)(sent), flags, memory(to, toLength), (*spi.Overlapped)(ov), completionRoutine(routine)))
}

//export goWSASendMsg
func goWSASendMsg(t unsafe.Pointer, s uint64, message unsafe.Pointer, flags uint32, sent, ov unsafe.Pointer, routine uintptr) int32 {
	return code(process.Thread(t).WSASendMsg(socket(s), (*spi.Msg)(message), flags, (*uint32)(sent), (*spi.Overlapped)(ov), completionRoutine(routine)))
}

//export goWSARecv
func goWSARecv(t unsafe.Pointer, s uint64, p unsafe.Pointer, n uint32, received, flags, ov unsafe.Pointer, routine uintptr) int32 {
	bufs, ok := buffers(p, n)
	if !ok {
		return fault
	}
	return code(process.Thread(t).WSARecv(socket(s), bufs, (*uint32)(received), (*uint32)(flags), (*spi.Overlapped)(ov), completionRoutine(routine)))
}

//export goWSARecvFrom
func goWSARecvFrom(t unsafe.Pointer, s uint64, p unsafe.Pointer, n uint32, received, flags, from, fromLength, ov unsafe.Pointer, routine uintptr) int32 {
	bufs, ok := buffers(p, n)
	if !ok {
		return fault
	}
	name, length := address(from, fromLength)
	return code(process.Thread(t).WSARecvFrom(socket(s), bufs, (*uint32)(received), (*uint32)(flags), name, length, (*spi.Overlapped)(ov), completionRoutine(routine)))
}

//export goWSARecvMsg
func goWSARecvMsg(t unsafe.Pointer, s uint64, message, received, ov unsafe.Pointer, routine uintptr) int32 {
	return code(process.Thread(t).WSARecvMsg(socket(s), (*spi.Msg)(message), (*uint32)(received), (*spi.Overlapped)(ov), completionRoutine(routine)))
}

//export goWSAGetOverlappedResult
func goWSAGetOverlappedResult(t unsafe.Pointer, s uint64, ov, transferred unsafe.Pointer, wait bool, flags unsafe.Pointer) int32 {
	return code(process.Thread(t).WSAGetOverlappedResult(socket(s), (*spi.Overlapped)(ov), (*uint32)(transferred), wait, (*uint32)(flags)))
}
