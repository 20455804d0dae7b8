package winsock

import "C"

import (
	"unsafe"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// beforeName is the bytes that WSAPROTOCOL_INFOA and WSAPROTOCOL_INFOW have in
// common: all but the protocol's name.
const beforeName = unsafe.Offsetof(spi.ProtocolInfo{}.ProtocolName)

// wideInfo returns the WSAPROTOCOL_INFOA at p with its name in UTF-16.
func wideInfo(p unsafe.Pointer) *spi.ProtocolInfo {
	ansi := unsafe.Slice((*byte)(p), ws2.SizeofProtocolInfoA)
	wide := new(spi.ProtocolInfo)
	copy(unsafe.Slice((*byte)(unsafe.Pointer(wide)), beforeName), ansi)
	name := ansi[beforeName:]
	for i, c := range name {
		if c == 0 {
			name = name[:i]
			break
		}
	}
	wide.SetName(string(name))
	return wide
}

// storeInfoA stores info at p as a WSAPROTOCOL_INFOA; a name too long for it is
// cut.
func storeInfoA(p unsafe.Pointer, info *spi.ProtocolInfo) {
	ansi := unsafe.Slice((*byte)(p), ws2.SizeofProtocolInfoA)
	n := copy(ansi, unsafe.Slice((*byte)(unsafe.Pointer(info)), beforeName))
	clear(ansi[n:])
	copy(ansi[n:len(ansi)-1], info.Name())
}
