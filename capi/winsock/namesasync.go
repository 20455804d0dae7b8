package winsock

import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
)

// The asynchronous database functions return a handle, 0 with an error.

//export goAsyncGetHostByName
func goAsyncGetHostByName(t unsafe.Pointer, wnd uintptr, msg uint32, name, buf unsafe.Pointer, length int32) (uintptr, int32) {
	h, err := process.Thread(t).WSAAsyncGetHostByName(spi.HWND(wnd), msg, textOr(name, false, ""), memory(buf, length))
	return h, code(err)
}

//export goAsyncGetHostByAddr
func goAsyncGetHostByAddr(t unsafe.Pointer, wnd uintptr, msg uint32, addr unsafe.Pointer, addrLength, family int32, buf unsafe.Pointer, length int32) (uintptr, int32) {
	h, err := process.Thread(t).WSAAsyncGetHostByAddr(spi.HWND(wnd), msg, memory(addr, addrLength), family, memory(buf, length))
	return h, code(err)
}

//export goAsyncGetServByName
func goAsyncGetServByName(t unsafe.Pointer, wnd uintptr, msg uint32, name, protocol, buf unsafe.Pointer, length int32) (uintptr, int32) {
	h, err := process.Thread(t).WSAAsyncGetServByName(spi.HWND(wnd), msg, textOr(name, false, ""), textOr(protocol, false, ""), memory(buf, length))
	return h, code(err)
}

//export goAsyncGetServByPort
func goAsyncGetServByPort(t unsafe.Pointer, wnd uintptr, msg uint32, port int32, protocol, buf unsafe.Pointer, length int32) (uintptr, int32) {
	h, err := process.Thread(t).WSAAsyncGetServByPort(spi.HWND(wnd), msg, uint16(port), textOr(protocol, false, ""), memory(buf, length))
	return h, code(err)
}

//export goAsyncGetProtoByName
func goAsyncGetProtoByName(t unsafe.Pointer, wnd uintptr, msg uint32, name, buf unsafe.Pointer, length int32) (uintptr, int32) {
	h, err := process.Thread(t).WSAAsyncGetProtoByName(spi.HWND(wnd), msg, textOr(name, false, ""), memory(buf, length))
	return h, code(err)
}

//export goAsyncGetProtoByNumber
func goAsyncGetProtoByNumber(t unsafe.Pointer, wnd uintptr, msg uint32, number int32, buf unsafe.Pointer, length int32) (uintptr, int32) {
	h, err := process.Thread(t).WSAAsyncGetProtoByNumber(spi.HWND(wnd), msg, number, memory(buf, length))
	return h, code(err)
}

//export goCancelAsyncRequest
func goCancelAsyncRequest(t unsafe.Pointer, handle uintptr) int32 {
	return code(process.Thread(t).WSACancelAsyncRequest(handle))
}
