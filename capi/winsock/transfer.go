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
