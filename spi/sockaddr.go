package spi

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"
)

// Sizes of the socket addresses, in bytes.
const (
	SizeofSockaddrIn      = 16
	SizeofSockaddrIn6     = 28
	SizeofSockaddrUn      = 110
	SizeofSockaddrStorage = 128
)

// AddressFamily returns the family of a socket address, or AF_UNSPEC when it is
// too short to have one.
func AddressFamily(name []byte) int32 {
	if len(name) < 2 {
		return AF_UNSPEC
	}
	return int32(binary.NativeEndian.Uint16(name))
}

// SockaddrFrom returns the sockaddr_in or sockaddr_in6 of an address. An IPv4
// address gives sockaddr_in; a numeric zone gives sin6_scope_id.
func SockaddrFrom(addr netip.AddrPort) []byte {
	if addr.Addr().Is4() {
		return AppendSockaddr(make([]byte, 0, SizeofSockaddrIn), addr)
	}
	return AppendSockaddr(make([]byte, 0, SizeofSockaddrIn6), addr)
}

// AppendSockaddr appends what [SockaddrFrom] returns to b.
func AppendSockaddr(b []byte, addr netip.AddrPort) []byte {
	ip := addr.Addr()
	if ip.Is4() {
		var name [SizeofSockaddrIn]byte
		binary.NativeEndian.PutUint16(name[:], AF_INET)
		binary.BigEndian.PutUint16(name[2:], addr.Port())
		a := ip.As4()
		copy(name[4:], a[:])
		return append(b, name[:]...)
	}
	var name [SizeofSockaddrIn6]byte
	binary.NativeEndian.PutUint16(name[:], AF_INET6)
	binary.BigEndian.PutUint16(name[2:], addr.Port())
	a := ip.As16()
	copy(name[8:], a[:])
	if scope, err := strconv.ParseUint(ip.Zone(), 10, 32); err == nil {
		binary.NativeEndian.PutUint32(name[24:], uint32(scope))
	}
	return append(b, name[:]...)
}

// AddrPortFrom returns the address in a sockaddr_in or sockaddr_in6. ok is
// false for any other family and for a name that is too short.
func AddrPortFrom(name []byte) (addr netip.AddrPort, ok bool) {
	switch family := AddressFamily(name); {
	case family == AF_INET && len(name) >= SizeofSockaddrIn:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(name[4:8])), binary.BigEndian.Uint16(name[2:])), true
	case family == AF_INET6 && len(name) >= SizeofSockaddrIn6:
		ip := netip.AddrFrom16([16]byte(name[8:24]))
		if scope := binary.NativeEndian.Uint32(name[24:]); scope != 0 {
			ip = ip.WithZone(strconv.FormatUint(uint64(scope), 10))
		}
		return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(name[2:])), true
	}
	return netip.AddrPort{}, false
}

// SockaddrUnix returns the sockaddr_un of a path; a leading @ means the
// abstract namespace, as in Go's net package. ok is false when the path is too
// long.
func SockaddrUnix(path string) (name []byte, ok bool) {
	if len(path) > SizeofSockaddrUn-3 {
		return nil, false
	}
	abstract := len(path) > 0 && path[0] == '@'
	b := make([]byte, 2, 3+len(path))
	binary.NativeEndian.PutUint16(b, AF_UNIX)
	b = append(b, path...)
	if abstract {
		b[2] = 0
	} else if path != "" {
		b = append(b, 0)
	}
	return b, true
}

// UnixPathFrom is the inverse of [SockaddrUnix]. ok is false for another
// family.
func UnixPathFrom(name []byte) (path string, ok bool) {
	if AddressFamily(name) != AF_UNIX {
		return "", false
	}
	b := name[2:]
	if len(b) > 1 && b[0] == 0 && b[1] != 0 {
		return "@" + string(b[1:]), true
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b), true
}

// AddressString returns a socket address for people: "127.0.0.1:80",
// "[::1]:80", "unix:/run/x", or "family N" for one that it does not know.
func AddressString(name []byte) string {
	if a, ok := AddrPortFrom(name); ok {
		return a.String()
	}
	if p, ok := UnixPathFrom(name); ok {
		return "unix:" + p
	}
	return "family " + strconv.Itoa(int(AddressFamily(name)))
}

// StoreAddress stores a socket address in a caller's buffer and its length in
// *length, as WSPGetSockName and its like do. Both may be nil together, which
// stores nothing. WSAEFAULT when one is missing or the buffer is too small;
// *length is then the size needed.
func StoreAddress(name, buf []byte, length *int32) Errno {
	if buf == nil && length == nil {
		return 0
	}
	if length == nil {
		return WSAEFAULT
	}
	*length = int32(len(name))
	if len(buf) < len(name) {
		return WSAEFAULT
	}
	copy(buf, name)
	return 0
}
