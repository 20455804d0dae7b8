//go:build linux

package kernel

import (
	"unsafe"

	"upcall.dev/spi"
)

// extensions is the functions that clients get pointers to, by
// SIO_GET_EXTENSION_FUNCTION_POINTER. They live as long as the provider.
type extensions struct {
	poll spi.WSAPollFunc
}

func (x *extensions) init(p *provider) {
	x.poll = p.poll
}

// extension stores the pointer to the function whose GUID in holds.
// WSAEFAULT (in or out is too small), WSAEINVAL (no such function).
func (p *provider) extension(in, out []byte) (int, spi.Errno) {
	var id spi.GUID
	if len(in) < int(unsafe.Sizeof(id)) {
		return 0, spi.WSAEFAULT
	}
	copy((*[unsafe.Sizeof(id)]byte)(unsafe.Pointer(&id))[:], in)
	var n uint32
	e := spi.WSAEINVAL
	switch x := &p.extensions; id {
	case spi.WSAID_WSAPOLL:
		e = spi.StoreExtension(out, &n, &x.poll)
	}
	return int(n), e
}
