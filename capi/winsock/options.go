package winsock

import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
)

//export goGetSockOpt
func goGetSockOpt(t unsafe.Pointer, s uint64, level, name int32, value, length unsafe.Pointer) int32 {
	n := (*int32)(length)
	return code(process.Thread(t).GetSockOpt(socket(s), level, name, counted(value, n), n))
}

//export goSetSockOpt
func goSetSockOpt(t unsafe.Pointer, s uint64, level, name int32, value unsafe.Pointer, length int32) int32 {
	return code(process.Thread(t).SetSockOpt(socket(s), level, name, memory(value, length)))
}

//export goIoctlSocket
func goIoctlSocket(t unsafe.Pointer, s uint64, command uint32, argument unsafe.Pointer) int32 {
	return code(process.Thread(t).IoctlSocket(socket(s), command, (*uint32)(argument)))
}
