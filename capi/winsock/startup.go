package winsock

import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/ws2"
)

//export goWSAStartup
func goWSAStartup(t unsafe.Pointer, version uint16, data unsafe.Pointer) int32 {
	return code(process.Thread(t).WSAStartup(version, (*ws2.WSAData)(data)))
}

//export goWSACleanup
func goWSACleanup(t unsafe.Pointer) int32 { return code(process.Thread(t).WSACleanup()) }
