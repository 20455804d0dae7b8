package provider

/*
#include "callbacks.h"
*/
import "C"

import (
	"runtime"
	"runtime/cgo"
	"unsafe"

	"upcall.dev/spi"
)

// condition is a condition function of Go's, with the data that it gets.
type condition struct {
	decide spi.ConditionFunc
	data   uintptr
}

// goCondition is upcall_condition: C asks a condition function of Go's.
//
//export goCondition
func goCondition(handle uintptr, caller, callerData, sqos, gqos, callee, calleeData, group unsafe.Pointer) (answer int32) {
	failed := int32(0)
	defer func() {
		if failed != 0 {
			answer = spi.CF_REJECT
		}
	}()
	defer recovered("a condition function", &failed)
	c := cgo.Handle(handle).Value().(*condition)
	return c.decide(bytesAt(caller), (*spi.Buf)(callerData), (*spi.QOS)(sqos), (*spi.QOS)(gqos),
		bytesAt(callee), (*spi.Buf)(calleeData), (*spi.Group)(group), c.data)
}

// bytesAt returns what the WSABUF at p describes.
func bytesAt(p unsafe.Pointer) []byte {
	if p == nil {
		return nil
	}
	return (*spi.Buf)(p).Bytes()
}

// conditionOf returns C's condition function as one of Go's.
func conditionOf(function uintptr) spi.ConditionFunc {
	if function == 0 {
		return nil
	}
	return func(callerID []byte, callerData *spi.Buf, sqos, gqos *spi.QOS, calleeID []byte, calleeData *spi.Buf, group *spi.Group, callbackData uintptr) int32 {
		answer := C.upcall_provider_run_condition(C.uintptr_t(function), C.uintptr_t(start(callerID)), C.uint32_t(len(callerID)), C.uintptr_t(at(callerData)),
			C.uintptr_t(at(sqos)), C.uintptr_t(at(gqos)), C.uintptr_t(start(calleeID)), C.uint32_t(len(calleeID)), C.uintptr_t(at(calleeData)),
			C.uintptr_t(at(group)), C.uintptr_t(callbackData))
		runtime.KeepAlive(callerID)
		runtime.KeepAlive(callerData)
		runtime.KeepAlive(sqos)
		runtime.KeepAlive(gqos)
		runtime.KeepAlive(calleeID)
		runtime.KeepAlive(calleeData)
		runtime.KeepAlive(group)
		return int32(answer)
	}
}

// routineOf returns C's completion routine, other than upcall_completion, as one
// of Go's.
func routineOf(function uintptr) spi.CompletionRoutine {
	return func(err spi.Errno, transferred uint32, ov *spi.Overlapped, flags uint32) {
		C.upcall_provider_run_completion(C.uintptr_t(function), C.uint32_t(err), C.uint32_t(transferred), C.uintptr_t(at(ov)), C.uint32_t(flags))
		runtime.KeepAlive(ov)
	}
}

var ownRoutine = uintptr(C.upcall_completion_address())

// apcOf returns C's APC as one of Go's. It does nothing once the shared object
// that the function is in, whose loading is given, has been unloaded.
func apcOf(function uintptr, loading uint64) spi.UserAPC {
	if function == 0 {
		return nil
	}
	return func(context uintptr) {
		C.upcall_provider_run_apc(C.uintptr_t(function), C.uint64_t(loading), C.uintptr_t(context))
	}
}

// queued is an APC of Go's that a foreign WPUQueueApc has queued.
type queued struct {
	apc     spi.UserAPC
	context uintptr
}

// goApc is upcall_apc.
//
//export goApc
func goApc(handle uintptr) {
	var e int32
	defer recovered("an APC", &e)
	q := cgo.Handle(handle).Value().(queued)
	cgo.Handle(handle).Delete()
	q.apc(q.context)
}

// blockingOf returns C's blocking callback as one of Go's.
func blockingOf(function uintptr) spi.BlockingCallback {
	if function == 0 {
		return nil
	}
	return func(context uintptr) bool {
		return C.upcall_provider_run_blocking(C.uintptr_t(function), C.uintptr_t(context)) != 0
	}
}
