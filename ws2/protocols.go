package ws2

import (
	"upcall.dev/spi"
)

// WSAEnumProtocols stores the catalog's entries that clients see, neither
// hidden ones nor bare layers, and returns their number. A nil filter means all
// protocols; any other ends at its first 0 or its end. length counts bytes: the
// buffer's size going in, the size needed coming out. WSAENOBUFS (too small),
// WSAEFAULT (no length, or a buf shorter than length says).
// Source: winsock2/nf-winsock2-wsaenumprotocolsw.
func (t *Thread) WSAEnumProtocols(filter []int32, buf []spi.ProtocolInfo, length *uint32) (int, error) {
	r, e := t.enter()
	if e != 0 {
		return 0, t.fail(e)
	}
	n, e := r.catalog.EnumClientProtocols(filter, buf, length)
	if e != 0 {
		return 0, t.fail(e)
	}
	return n, nil
}
