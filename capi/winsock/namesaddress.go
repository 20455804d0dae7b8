package winsock

import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

//export goInetNtop
func goInetNtop(family int32, addr, name unsafe.Pointer, size uint32, wide bool) int32 {
	length := 4
	if family == spi.AF_INET6 {
		length = 16
	}
	text, e := ws2.InetNtop(family, memory(addr, int32(length)))
	if e == spi.WSAEFAULT {
		return int32(spi.WSA_INVALID_PARAMETER)
	}
	if e != 0 {
		return int32(e)
	}
	to, units := room(name, size, wide), encoded(text, wide)
	if len(units) > len(to) {
		return int32(spi.WSA_INVALID_PARAMETER)
	}
	copy(to, units)
	return 0
}

//export goInetPton
func goInetPton(family int32, text, addr unsafe.Pointer, wide bool) int32 {
	length := 4
	if family == spi.AF_INET6 {
		length = 16
	}
	if text == nil {
		return int32(spi.WSAEFAULT)
	}
	return int32(ws2.InetPton(family, *textAt(text, wide), memory(addr, int32(length))))
}

// narrowProtocol reads a WSAPROTOCOL_INFOA, which is a WSAPROTOCOL_INFOW but for
// its name.
func narrowProtocol(p unsafe.Pointer) *spi.ProtocolInfo {
	if p == nil {
		return nil
	}
	var info spi.ProtocolInfo
	const plain = unsafe.Offsetof(info.ProtocolName)
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&info)), plain), unsafe.Slice((*byte)(p), plain))
	name := unsafe.Slice((*byte)(unsafe.Add(p, plain)), len(info.ProtocolName))
	for i, c := range name {
		if c == 0 {
			name = name[:i]
			break
		}
	}
	info.SetName(string(name))
	return &info
}

func protocolAt(p unsafe.Pointer, wide bool) *spi.ProtocolInfo {
	if wide {
		return (*spi.ProtocolInfo)(p)
	}
	return narrowProtocol(p)
}

//export goWSAAddressToString
func goWSAAddressToString(t, addr unsafe.Pointer, addrLength uint32, info, text, length unsafe.Pointer, wide bool) int32 {
	thread, name, size := process.Thread(t), memory(addr, addrLength), (*uint32)(length)
	if size == nil || wide {
		var to []uint16
		if size != nil {
			to = units(text, *size)
		}
		return code(thread.WSAAddressToString(name, protocolAt(info, wide), to, size))
	}
	found, n := make([]uint16, longestName), uint32(longestName)
	if err := thread.WSAAddressToString(name, protocolAt(info, false), found, &n); err != nil {
		return code(err)
	}
	to, narrow := room(text, *size, false), encoded(spi.UTF16ToString(found), false)
	*size = uint32(len(narrow))
	if len(narrow) > len(to) {
		return int32(spi.WSAEFAULT)
	}
	copy(to, narrow)
	return 0
}

//export goWSAStringToAddress
func goWSAStringToAddress(t, text unsafe.Pointer, family int32, info, addr, length unsafe.Pointer, wide bool) int32 {
	size := (*int32)(length)
	if text == nil || size == nil {
		return int32(spi.WSAEFAULT)
	}
	str := encoded(*textAt(text, wide), true)
	return code(process.Thread(t).WSAStringToAddress(unsafe.Slice((*uint16)(unsafe.Pointer(&str[0])), len(str)/2),
		family, protocolAt(info, wide), memory(addr, *size), size))
}

//export goErrorText
func goErrorText(e int32, text unsafe.Pointer, size uint32, wide bool) {
	to, units := room(text, size, wide), encoded(spi.Errno(e).Error(), wide)
	copy(to[:len(to)-2], units) // a text that is too long loses its end, not its NUL
}
