package windows

import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
)

//export goWait
func goWait(t, handles unsafe.Pointer, n uint32, all bool, milliseconds uint32, alertable bool) (uint32, int32) {
	objects := unsafe.Slice((*spi.Event)(handles), int(n))
	r, err := process.Thread(t).WSAWaitForMultipleEvents(objects, all, milliseconds, alertable)
	return r, code(err)
}

//export goSleep
func goSleep(t unsafe.Pointer, milliseconds uint32) uint32 {
	return process.Thread(t).SleepEx(milliseconds, true)
}
