//go:build linux

package kernel

import (
	"encoding/binary"
	"unsafe"

	"upcall.dev/spi"
)

// storeBytes stores a value and its length; WSAEFAULT, with the length that is
// needed, when the buffer is too small.
func storeBytes(value, buf []byte, length *int32) spi.Errno {
	*length = int32(len(value))
	if len(buf) < len(value) {
		return spi.WSAEFAULT
	}
	copy(buf, value)
	return 0
}

func storeInt(v int32, buf []byte, length *int32) spi.Errno {
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], uint32(v))
	return storeBytes(b[:], buf, length)
}

// storeBool stores a BOOL, or one byte where there is no room for more.
func storeBool(on bool, buf []byte, length *int32) spi.Errno {
	var b [4]byte
	if on {
		binary.NativeEndian.PutUint32(b[:], 1)
	}
	if n := len(buf); n > 0 && n < len(b) {
		buf[0] = 0
		if on {
			buf[0] = 1
		}
		*length = 1
		return 0
	}
	return storeBytes(b[:], buf, length)
}

// loadBool reads a BOOL of one to four bytes.
func loadBool(val []byte) (bool, spi.Errno) {
	if len(val) == 0 {
		return false, spi.WSAEFAULT
	}
	for _, b := range val[:min(len(val), 4)] {
		if b != 0 {
			return true, 0
		}
	}
	return false, 0
}

// sizeofSocketAddress is the size of SOCKET_ADDRESS, a pointer and a length.
const sizeofSocketAddress = 16

// appendSocketAddresses fills the SOCKET_ADDRESS structures in head, from
// offset at, with pointers to the names, which it appends. The pointers are
// those of dst, where the caller copies the result; an empty name gives none.
func appendSocketAddresses(head []byte, at int, names [][]byte, dst []byte) []byte {
	for _, name := range names {
		if len(name) > 0 {
			if need := len(head) + len(name); need <= len(dst) {
				binary.NativeEndian.PutUint64(head[at:], uint64(uintptr(unsafe.Pointer(&dst[len(head)]))))
			}
			binary.NativeEndian.PutUint32(head[at+8:], uint32(len(name)))
			head = append(head, name...)
		}
		at += sizeofSocketAddress
	}
	return head
}
