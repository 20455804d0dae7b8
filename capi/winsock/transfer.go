package winsock

import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// unreadable reports whether a buffer's address and length cannot be right.
func unreadable(buf unsafe.Pointer, length int32) bool {
	return length < 0 || buf == nil && length != 0
}

// badBuffer returns the code for a call with such a buffer, negated: WSAEFAULT, unless
// the socket or the start-up is at fault before.
func badBuffer(t *ws2.Thread, s uint64) int32 {
	var typ, size int32 = 0, 4
	if err := t.GetSockOpt(socket(s), spi.SOL_SOCKET, spi.SO_TYPE, memory(unsafe.Pointer(&typ), size), &size); err != nil {
		return -code(err)
	}
	return -int32(spi.WSAEFAULT)
}

//export goSend
func goSend(t unsafe.Pointer, s uint64, buf unsafe.Pointer, length, flags int32) int32 {
	if unreadable(buf, length) {
		return badBuffer(process.Thread(t), s)
	}
	return count(process.Thread(t).Send(socket(s), memory(buf, length), flags))
}

//export goRecv
func goRecv(t unsafe.Pointer, s uint64, buf unsafe.Pointer, length, flags int32) int32 {
	if unreadable(buf, length) {
		return badBuffer(process.Thread(t), s)
	}
	return count(process.Thread(t).Recv(socket(s), memory(buf, length), flags))
}

//export goSendTo
func goSendTo(t unsafe.Pointer, s uint64, buf unsafe.Pointer, length, flags int32, to unsafe.Pointer, toLength int32) int32 {
	if unreadable(buf, length) {
		return badBuffer(process.Thread(t), s)
	}
	return count(process.Thread(t).SendTo(socket(s), memory(buf, length), flags, memory(to, toLength)))
}

//export goRecvFrom
func goRecvFrom(t unsafe.Pointer, s uint64, buf unsafe.Pointer, length, flags int32, from, fromLength unsafe.Pointer) int32 {
	if unreadable(buf, length) {
		return badBuffer(process.Thread(t), s)
	}
	name, n := address(from, fromLength)
	return count(process.Thread(t).RecvFrom(socket(s), memory(buf, length), flags, name, n))
}
