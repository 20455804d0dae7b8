package nonifs

import (
	"net/netip"

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
	text := a.String()
	if a.Port() == 0 {
		text = a.Addr().String()
	}
	return spi.CopyUTF16(text, buf, length)
}

// StringToAddress is the inverse of [AddressToString]; a missing port is zero.
// WSAEFAULT (addrLen is what is needed), WSAEINVAL.
func StringToAddress(str []uint16, af int32, addr []byte, addrLen *int32) spi.Errno {
	if addrLen == nil {
		return spi.WSAEFAULT
	}
	text := spi.UTF16ToString(str)
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return spi.WSAEINVAL
		}
		a = netip.AddrPortFrom(ip, 0)
	}
	if a.Addr().Is4() != (af == spi.AF_INET) || a.Addr().Is6() != (af == spi.AF_INET6) {
		return spi.WSAEINVAL
	}
	return spi.StoreAddress(spi.SockaddrFrom(a), addr, addrLen)
}
