package winsock

import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
)

// bigEndian is BIGENDIAN.
const bigEndian = 0

// goBigEndian tells whether the addresses of a socket's protocol are in big
// endian order.
//
//export goBigEndian
func goBigEndian(t unsafe.Pointer, s uint64) (bool, int32) {
	info := new(spi.ProtocolInfo)
	length := int32(unsafe.Sizeof(*info))
	err := process.Thread(t).GetSockOpt(socket(s), spi.SOL_SOCKET, spi.SO_PROTOCOL_INFOW, memory(unsafe.Pointer(info), length), &length)
	return info.NetworkByteOrder == bigEndian, code(err)
}
