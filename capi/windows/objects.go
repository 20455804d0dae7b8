package windows

import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

//export goCloseHandle
func goCloseHandle(t unsafe.Pointer, h uintptr) int32 {
	thread := process.Thread(t)
	if thread.WSACloseEvent(spi.Event(h)) == nil || process.DLL().CloseThread(spi.Event(h)) == nil || closePort(h) == nil ||
		process.DLL().CloseNotification(ws2.Notification(h)) == nil {
		return 0
	}
	return handleCode(thread.CloseSocket(spi.Socket(h)))
}

//export goCreateEvent
func goCreateEvent(t unsafe.Pointer, manual, set bool) (uintptr, int32) {
	ev, err := process.Thread(t).CreateEvent(manual, set)
	return uintptr(ev), code(err)
}

//export goSetEvent
func goSetEvent(t unsafe.Pointer, h uintptr) int32 {
	return code(process.Thread(t).WSASetEvent(spi.Event(h)))
}

//export goResetEvent
func goResetEvent(t unsafe.Pointer, h uintptr) int32 {
	return code(process.Thread(t).WSAResetEvent(spi.Event(h)))
}

//export goCreateSemaphore
func goCreateSemaphore(t unsafe.Pointer, initial, maximum int32) (uintptr, int32) {
	ev, err := process.Thread(t).CreateSemaphore(initial, maximum)
	return uintptr(ev), code(err)
}

//export goReleaseSemaphore
func goReleaseSemaphore(t unsafe.Pointer, h uintptr, n int32) (int32, int32) {
	previous, err := process.Thread(t).ReleaseSemaphore(spi.Event(h), n)
	return previous, code(err)
}
