package winsock

import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
)

//export goSocket
func goSocket(t unsafe.Pointer, af, typ, protocol int32) (uint64, int32) {
	s, err := process.Thread(t).Socket(af, typ, protocol)
	return uint64(s), code(err)
}

//export goCloseSocket
func goCloseSocket(t unsafe.Pointer, s uint64) int32 {
	return code(process.Thread(t).CloseSocket(socket(s)))
}

//export goConnect
func goConnect(t unsafe.Pointer, s uint64, name unsafe.Pointer, length int32) int32 {
	return code(process.Thread(t).Connect(socket(s), memory(name, length)))
}
