package windows

/*
#include <stdint.h>

void windows_run_apc(void *routine, uintptr_t data);
*/
import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
)

//export goOpenThread
func goOpenThread(t unsafe.Pointer) (uintptr, int32) {
	h, err := process.Thread(t).OpenThread()
	return uintptr(h), code(err)
}

//export goSetExitCode
func goSetExitCode(t unsafe.Pointer, exitCode uint32) { process.Thread(t).SetExitCode(exitCode) }

//export goGetExitCodeThread
func goGetExitCodeThread(h uintptr) (uint32, int32) {
	exitCode, err := process.DLL().ExitCodeThread(spi.Event(h))
	return exitCode, code(err)
}

// apc returns a C routine as ws2 calls it.
func apc(routine unsafe.Pointer) spi.UserAPC {
	return func(context uintptr) { C.windows_run_apc(routine, C.uintptr_t(context)) }
}

//export goQueueOwnAPC
func goQueueOwnAPC(t, routine unsafe.Pointer, data uintptr) int32 {
	return code(process.Thread(t).QueueAPC(apc(routine), data))
}

//export goQueueUserAPC
func goQueueUserAPC(routine unsafe.Pointer, h, data uintptr) int32 {
	return code(process.DLL().QueueUserAPC(apc(routine), spi.Event(h), data))
}
