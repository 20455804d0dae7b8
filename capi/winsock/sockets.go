package winsock

import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
)

//export goSocket
func goSocket(t unsafe.Pointer, af, typ, protocol int32) (uint64, int32) {
	s, err := process.Thread(t).Socket(af, typ, protocol)
	return uint64(s), code(err)
}

//export goWSASocket
func goWSASocket(t unsafe.Pointer, af, typ, protocol int32, info unsafe.Pointer, g, flags uint32, ansi bool) (uint64, int32) {
	wide := (*spi.ProtocolInfo)(info)
	if ansi && info != nil {
		wide = narrowProtocol(info)
	}
	s, err := process.Thread(t).WSASocket(af, typ, protocol, wide, spi.Group(g), flags)
	return uint64(s), code(err)
}

//export goCloseSocket
func goCloseSocket(t unsafe.Pointer, s uint64) int32 {
	return code(process.Thread(t).CloseSocket(socket(s)))
}

//export goBind
func goBind(t unsafe.Pointer, s uint64, name unsafe.Pointer, length int32) int32 {
	return code(process.Thread(t).Bind(socket(s), memory(name, length)))
}

//export goListen
func goListen(t unsafe.Pointer, s uint64, backlog int32) int32 {
	return code(process.Thread(t).Listen(socket(s), backlog))
}

//export goConnect
func goConnect(t unsafe.Pointer, s uint64, name unsafe.Pointer, length int32) int32 {
	return code(process.Thread(t).Connect(socket(s), memory(name, length)))
}

//export goShutdown
func goShutdown(t unsafe.Pointer, s uint64, how int32) int32 {
	return code(process.Thread(t).Shutdown(socket(s), how))
}

//export goGetSockName
func goGetSockName(t unsafe.Pointer, s uint64, name, length unsafe.Pointer) int32 {
	n := (*int32)(length)
	return code(process.Thread(t).GetSockName(socket(s), counted(name, n), n))
}

//export goGetPeerName
func goGetPeerName(t unsafe.Pointer, s uint64, name, length unsafe.Pointer) int32 {
	n := (*int32)(length)
	return code(process.Thread(t).GetPeerName(socket(s), counted(name, n), n))
}
