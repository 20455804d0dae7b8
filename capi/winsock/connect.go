package winsock

import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
)

//export goWSAConnect
func goWSAConnect(t unsafe.Pointer, s uint64, name unsafe.Pointer, length int32, caller, callee, sqos, gqos unsafe.Pointer) int32 {
	return code(process.Thread(t).WSAConnect(socket(s), memory(name, length), (*spi.Buf)(caller), (*spi.Buf)(callee), (*spi.QOS)(sqos), (*spi.QOS)(gqos)))
}

//export goWSAJoinLeaf
func goWSAJoinLeaf(t unsafe.Pointer, s uint64, name unsafe.Pointer, length int32, caller, callee, sqos, gqos unsafe.Pointer, flags uint32) (uint64, int32) {
	leaf, err := process.Thread(t).WSAJoinLeaf(socket(s), memory(name, length), (*spi.Buf)(caller), (*spi.Buf)(callee), (*spi.QOS)(sqos), (*spi.QOS)(gqos), flags)
	return uint64(leaf), code(err)
}

//export goWSAConnectByName
func goWSAConnectByName(t unsafe.Pointer, s uint64, node, service unsafe.Pointer, wide bool, localLength, local, remoteLength, remote, timeout unsafe.Pointer) int32 {
	here, hereLength := address(local, localLength)
	there, thereLength := address(remote, remoteLength)
	return code(process.Thread(t).WSAConnectByName(socket(s), textOr(node, wide, ""), textOr(service, wide, ""),
		hereLength, here, thereLength, there, (*spi.Timeval)(timeout)))
}

//export goWSAConnectByList
func goWSAConnectByList(t unsafe.Pointer, s uint64, list unsafe.Pointer, count int32, localLength, local, remoteLength, remote, timeout unsafe.Pointer) int32 {
	here, hereLength := address(local, localLength)
	there, thereLength := address(remote, remoteLength)
	return code(process.Thread(t).WSAConnectByList(socket(s), unsafe.Slice((*spi.SocketAddress)(list), count),
		hereLength, here, thereLength, there, (*spi.Timeval)(timeout)))
}

//export goWSASendDisconnect
func goWSASendDisconnect(t unsafe.Pointer, s uint64, data unsafe.Pointer) int32 {
	return code(process.Thread(t).WSASendDisconnect(socket(s), (*spi.Buf)(data)))
}

//export goWSARecvDisconnect
func goWSARecvDisconnect(t unsafe.Pointer, s uint64, data unsafe.Pointer) int32 {
	return code(process.Thread(t).WSARecvDisconnect(socket(s), (*spi.Buf)(data)))
}

//export goWSAGetQOSByName
func goWSAGetQOSByName(t unsafe.Pointer, s uint64, name, qos unsafe.Pointer) int32 {
	return code(process.Thread(t).WSAGetQOSByName(socket(s), (*spi.Buf)(name), (*spi.QOS)(qos)))
}
