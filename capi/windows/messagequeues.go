package windows

import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// The system's codes for windows, which ws2 does not have.
const (
	errorNotSupported        = 50
	errorInvalidWindowHandle = 1400
	errorInvalidThreadID     = 1444
	errorNotEnoughQuota      = 1816
)

// windowCode returns the system's code for an error of a call about windows.
func windowCode(err error) int32 {
	switch ws2.CodeOf(err) {
	case spi.WSA_INVALID_HANDLE:
		return errorInvalidWindowHandle
	case spi.WSA_INVALID_PARAMETER:
		return errorInvalidThreadID
	case spi.WSAENOBUFS:
		return errorNotEnoughQuota
	case spi.WSAEOPNOTSUPP:
		return errorNotSupported
	}
	return code(err)
}

//export goCreateWindow
func goCreateWindow(t unsafe.Pointer) (uintptr, int32) {
	wnd, err := process.Thread(t).CreateWindow()
	return uintptr(wnd), windowCode(err)
}

//export goDestroyWindow
func goDestroyWindow(t unsafe.Pointer, wnd uintptr) int32 {
	return windowCode(process.Thread(t).DestroyWindow(spi.HWND(wnd)))
}

//export goIsWindow
func goIsWindow(wnd uintptr) int32 {
	if process.DLL().IsWindow(spi.HWND(wnd)) {
		return 1
	}
	return 0
}

// foreign reports whether a filter is for a window that is not one of the
// thread's.
func foreign(t *ws2.Thread, wnd uintptr) bool {
	return wnd != 0 && wnd != invalid && !t.OwnsWindow(spi.HWND(wnd))
}

//export goGetMessage
func goGetMessage(t unsafe.Pointer, wnd uintptr, least, most uint32) (uintptr, uint32, uintptr, uintptr, int32) {
	m, err := process.Thread(t).GetFilteredMessage(ws2.MessageFilter{Window: spi.HWND(wnd), Min: least, Max: most}, spi.WSA_INFINITE)
	return uintptr(m.Window), m.Message, m.WParam, m.LParam, windowCode(err)
}

// goPeekMessage returns -1 as the code when there is no message.
//
//export goPeekMessage
func goPeekMessage(t unsafe.Pointer, wnd uintptr, least, most uint32, remove bool) (uintptr, uint32, uintptr, uintptr, int32) {
	thread := process.Thread(t)
	if foreign(thread, wnd) {
		return 0, 0, 0, 0, errorInvalidWindowHandle
	}
	m, ok := thread.PeekFilteredMessage(ws2.MessageFilter{Window: spi.HWND(wnd), Min: least, Max: most}, remove)
	if !ok {
		return 0, 0, 0, 0, -1
	}
	return uintptr(m.Window), m.Message, m.WParam, m.LParam, 0
}

//export goPostMessage
func goPostMessage(t unsafe.Pointer, wnd uintptr, message uint32, wParam, lParam uintptr) int32 {
	return windowCode(process.Thread(t).PostMessage(spi.HWND(wnd), message, wParam, lParam))
}

//export goPostThreadMessage
func goPostThreadMessage(osThread, message uint32, wParam, lParam uintptr) int32 {
	return windowCode(process.DLL().PostThreadMessage(int(osThread), message, wParam, lParam))
}

//export goPostQuitMessage
func goPostQuitMessage(t unsafe.Pointer, exitCode int32) {
	_ = process.Thread(t).PostQuitMessage(uintptr(exitCode)) // only the unbound thread has no queue
}
