package ws2

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"upcall.dev/spi"
)

// InetPton stores the address that text says in dst: 4 bytes for AF_INET, from
// four decimal parts, 16 for AF_INET6, without a scope. It needs no WSAStartup.
// WSAEINVAL (not an address of the family), WSAEAFNOSUPPORT, WSAEFAULT (dst is
// too short). It stands for inet_pton and InetPtonW, which return 0 for
// WSAEINVAL and -1 for the others.
// Source: ws2tcpip/nf-ws2tcpip-inet_pton.
func InetPton(family int32, text string, dst []byte) spi.Errno {
	if family != spi.AF_INET && family != spi.AF_INET6 {
		return spi.WSAEAFNOSUPPORT
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" || familyOf(addr) != family {
		return spi.WSAEINVAL
	}
	b := addr.AsSlice()
	if len(dst) < len(b) {
		return spi.WSAEFAULT
	}
	copy(dst, b)
	return 0
}

// InetNtop returns the text of an address of 4 or 16 bytes. It needs no
// WSAStartup. WSAEAFNOSUPPORT, WSAEFAULT (src is too short). It stands for
// inet_ntop and InetNtopW.
// Source: ws2tcpip/nf-ws2tcpip-inet_ntop.
func InetNtop(family int32, src []byte) (string, spi.Errno) {
	switch {
	case family != spi.AF_INET && family != spi.AF_INET6:
		return "", spi.WSAEAFNOSUPPORT
	case family == spi.AF_INET && len(src) >= 4:
		return netip.AddrFrom4([4]byte(src)).String(), 0
	case family == spi.AF_INET6 && len(src) >= 16:
		return netip.AddrFrom16([16]byte(src)).String(), 0
	}
	return "", spi.WSAEFAULT
}

// parseInetAddr is [InetAddr] as an address; it also knows 255.255.255.255, and
// takes no white space.
func parseInetAddr(text string) (netip.Addr, bool) {
	if strings.ContainsAny(text, " \t\n\v\f\r") {
		return netip.Addr{}, false
	}
	a := InetAddr(text)
	if a == INADDR_NONE && text != "255.255.255.255" {
		return netip.Addr{}, false
	}
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], Ntohl(a))
	return netip.AddrFrom4(b), true
}
