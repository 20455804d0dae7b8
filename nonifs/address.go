package nonifs

import (
	"upcall.dev/internal/addrtext"
	"upcall.dev/spi"
)

// AddressToString is WSPAddressToString for sockaddr_in and sockaddr_in6:
// "1.2.3.4:80" and "[::1]:80", or the bare address when the port is zero.
// length counts WCHARs with the NUL. WSAEFAULT (length is what is needed),
// WSAEINVAL.
func AddressToString(addr []byte, buf []uint16, length *uint32) spi.Errno {
	if length == nil {
		return spi.WSAEFAULT
	}
	a, ok := spi.AddrPortFrom(addr)
	if !ok {
		return spi.WSAEINVAL
	}
	return spi.CopyUTF16(addrtext.Format(a), buf, length)
}

// StringToAddress is the inverse of [AddressToString]; a missing port is zero.
// For IPv4 it also takes the forms of inet_addr. WSAEFAULT (addrLen is what is
// needed), WSAEINVAL.
func StringToAddress(str []uint16, af int32, addr []byte, addrLen *int32) spi.Errno {
	if addrLen == nil {
		return spi.WSAEFAULT
	}
	a, ok := addrtext.Parse(spi.UTF16ToString(str), af)
	if !ok {
		return spi.WSAEINVAL
	}
	return spi.StoreAddress(spi.SockaddrFrom(a), addr, addrLen)
}
