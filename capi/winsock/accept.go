package winsock

/*
#include "callbacks.h"
*/
import "C"

import (
	"runtime"
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
)

//export goAccept
func goAccept(t unsafe.Pointer, s uint64, name, length unsafe.Pointer) (uint64, int32) {
	buf, n := address(name, length)
	accepted, err := process.Thread(t).Accept(socket(s), buf, n)
	return uint64(accepted), code(err)
}

//export goWSAAccept
func goWSAAccept(t unsafe.Pointer, s uint64, name, length unsafe.Pointer, condition, data uintptr) (uint64, int32) {
	buf, n := address(name, length)
	var decide spi.ConditionFunc
	if condition != 0 {
		decide = func(callerID []byte, callerData *spi.Buf, sqos, gqos *spi.QOS,
			calleeID []byte, calleeData *spi.Buf, group *spi.Group, context uintptr,
		) int32 {
			return ask(condition, callerID, callerData, sqos, gqos, calleeID, calleeData, group, context)
		}
	}
	accepted, err := process.Thread(t).WSAAccept(socket(s), buf, n, decide, data)
	return uint64(accepted), code(err)
}

// ask calls a condition function in C. Its arguments are on the heap, for they
// have come through a function value.
func ask(condition uintptr, callerID []byte, callerData *spi.Buf, sqos, gqos *spi.QOS,
	calleeID []byte, calleeData *spi.Buf, group *spi.Group, context uintptr,
) int32 {
	question := C.struct_upcall_condition{
		caller:        where(unsafe.SliceData(callerID)),
		caller_length: C.uint32_t(len(callerID)),
		caller_data:   where(callerData),
		sqos:          where(sqos),
		gqos:          where(gqos),
		callee:        where(unsafe.SliceData(calleeID)),
		callee_length: C.uint32_t(len(calleeID)),
		callee_data:   where(calleeData),
		group:         where(group),
		context:       C.uintptr_t(context),
	}
	answer := C.upcall_ask(C.uintptr_t(condition), &question)
	runtime.KeepAlive(callerID)
	runtime.KeepAlive(callerData)
	runtime.KeepAlive(sqos)
	runtime.KeepAlive(gqos)
	runtime.KeepAlive(calleeID)
	runtime.KeepAlive(calleeData)
	runtime.KeepAlive(group)
	return int32(answer)
}

func where[T any](p *T) C.uintptr_t { return C.uintptr_t(uintptr(unsafe.Pointer(p))) }
