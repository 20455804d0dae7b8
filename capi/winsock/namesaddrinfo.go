package winsock

import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
)

//export goGetAddrInfo
func goGetAddrInfo(t, node, service, hints unsafe.Pointer, wide bool) (list uintptr, e int32) {
	found, err := process.Thread(t).GetAddrInfo(textAt(node, wide), textAt(service, wide), (*spi.AddrInfo)(hints))
	if err != nil {
		return 0, code(err)
	}
	copied, ok := copyAddrInfo(found, wide)
	if !ok {
		return 0, int32(spi.WSA_NOT_ENOUGH_MEMORY)
	}
	return uintptr(unsafe.Pointer(copied)), 0
}

// copyAddrInfo copies a list for the program. Each element is one piece of memory
// with what it points to: a program may take the list apart and free the parts.
func copyAddrInfo(list *spi.AddrInfo, wide bool) (first *spi.AddrInfo, ok bool) {
	at := &first
	for a := range list.All() {
		const size = unsafe.Sizeof(*a)
		name := canonical(a.CanonName, wide)
		memory := allocate(int(size) + room8(a.AddrLen) + len(name))
		if memory == nil {
			freeAddrInfo(first)
			return nil, false
		}
		c := (*spi.AddrInfo)(memory)
		c.Flags, c.Family, c.SockType, c.Protocol = a.Flags, a.Family, a.SockType, a.Protocol
		c.AddrLen, c.Addr = a.AddrLen, (*byte)(unsafe.Add(memory, size))
		copy(c.Sockaddr(), a.Sockaddr())
		c.CanonName = storeCanonical(unsafe.Add(memory, size+uintptr(room8(a.AddrLen))), name)
		*at, at = c, &c.Next
	}
	return first, true
}

func freeAddrInfo(list *spi.AddrInfo) {
	for list != nil {
		next := list.Next
		free(unsafe.Pointer(list))
		list = next
	}
}

// room8 returns the bytes that an address takes before something aligned.
func room8(length uintptr) int { return int(length+7) &^ 7 }

// canonical returns a list's canonical name in the form, nothing for none.
func canonical(name *uint16, wide bool) []byte {
	if name == nil {
		return nil
	}
	return encoded(spi.UTF16PtrToString(name), wide)
}

func storeCanonical(memory unsafe.Pointer, name []byte) *uint16 {
	if len(name) == 0 {
		return nil
	}
	copy(unsafe.Slice((*byte)(memory), len(name)), name)
	return (*uint16)(memory)
}

// longestName is room for every name of a host or service, in WCHARs.
const longestName = 1 << 12

//export goGetNameInfo
func goGetNameInfo(t, addr unsafe.Pointer, length int32, host unsafe.Pointer, hostSize uint32, service unsafe.Pointer, serviceSize uint32, flags int32, wide bool) int32 {
	if wide {
		return code(process.Thread(t).GetNameInfo(memory(addr, length), units(host, hostSize), units(service, serviceSize), flags))
	}
	hostRoom, serviceRoom := room(host, hostSize, false), room(service, serviceSize, false)
	hostName, serviceName := unitsFor(hostRoom), unitsFor(serviceRoom)
	if err := process.Thread(t).GetNameInfo(memory(addr, length), hostName, serviceName, flags); err != nil {
		return code(err)
	}
	if !narrowInto(serviceRoom, serviceName) || !narrowInto(hostRoom, hostName) {
		return int32(spi.WSAEFAULT)
	}
	return 0
}

// units returns n WCHARs at p, nil if there are none.
func units(p unsafe.Pointer, n uint32) []uint16 {
	if p == nil {
		return nil
	}
	return unsafe.Slice((*uint16)(p), n)
}

// unitsFor returns room for a name that is to go to narrow, nil if none is.
func unitsFor(narrow []byte) []uint16 {
	if narrow == nil {
		return nil
	}
	return make([]uint16, longestName)
}

// narrowInto stores a name; false if it has no room.
func narrowInto(narrow []byte, name []uint16) bool {
	if narrow == nil {
		return true
	}
	text := encoded(spi.UTF16ToString(name), false)
	return len(text) <= len(narrow) && copy(narrow, text) > 0
}
