package winsock

import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
)

//export goSend
func goSend(t unsafe.Pointer, s uint64, buf unsafe.Pointer, length, flags int32) int32 {
	return count(process.Thread(t).Send(socket(s), memory(buf, length), flags))
}

//export goRecv
func goRecv(t unsafe.Pointer, s uint64, buf unsafe.Pointer, length, flags int32) int32 {
	return count(process.Thread(t).Recv(socket(s), memory(buf, length), flags))
}

//export goSendTo
func goSendTo(t unsafe.Pointer, s uint64, buf unsafe.Pointer, length, flags int32, to unsafe.Pointer, toLength int32) int32 {
	return count(process.Thread(t).SendTo(socket(s), memory(buf, length), flags, memory(to, toLength)))
}

//export goRecvFrom
func goRecvFrom(t unsafe.Pointer, s uint64, buf unsafe.Pointer, length, flags int32, from, fromLength unsafe.Pointer) int32 {
	name, n := address(from, fromLength)
	return count(process.Thread(t).RecvFrom(socket(s), memory(buf, length), flags, name, n))
}
