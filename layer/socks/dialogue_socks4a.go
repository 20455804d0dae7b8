package socks

import (
	"encoding/binary"

	"upcall.dev/spi"
)

// begin4 is the handshake of SOCKS4, with the extension 4a for names. It is one
// request and one answer.
func begin4(user string, to target) (step, error) {
	b := []byte{4, commandConnect}
	b = binary.BigEndian.AppendUint16(b, to.addr.Port())
	addr := to.addr.Addr().Unmap()
	switch {
	case to.name != "":
		b = append(b, 0, 0, 0, 1) // an address of this form says that a name follows
	case addr.Is4():
		raw := addr.As4()
		if raw[0] == 0 && raw[1] == 0 && raw[2] == 0 {
			return step{}, refused(spi.WSAEADDRNOTAVAIL, "SOCKS4a takes %v for the sign of a name", addr)
		}
		b = append(b, raw[:]...)
	default:
		return step{}, refused(spi.WSAEAFNOSUPPORT, "SOCKS4a has no IPv6 addresses")
	}
	b = append(append(b, user...), 0)
	if to.name != "" {
		b = append(append(b, to.name...), 0)
	}
	return step{send: b, read: 8, then: func(b []byte) (step, error) {
		switch {
		case b[0] != 0:
			return step{}, misunderstood(spi.WSAECONNABORTED, "it does not speak SOCKS4a: its answer begins with %#02x; type= says what it speaks", b[0])
		case b[1] == 90:
			return step{}, nil
		case b[1] == 92, b[1] == 93:
			return step{}, misunderstood(spi.WSAEACCES, "it does not know user %q (answer %d)", user, b[1])
		}
		return step{}, refused(spi.WSAECONNREFUSED, "it refuses (answer %d)", b[1])
	}}, nil
}
