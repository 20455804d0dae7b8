//go:build linux

package kernel

import (
	"net/netip"
	"strconv"
	"strings"

	"upcall.dev/spi"
)

// WSPAddressToString writes an address as Winsock does: 192.0.2.1 and
// 192.0.2.1:80, 2001:db8::1, fe80::1%3 and [2001:db8::1]:80, an AF_UNIX path.
// Port zero is left out.
func (p *provider) WSPAddressToString(addr []byte, info *spi.ProtocolInfo, buf []uint16, length *uint32) spi.Errno {
	if length == nil {
		return spi.WSAEFAULT
	}
	family := spi.AddressFamily(addr)
	if info != nil && info.AddressFamily != family {
		return spi.WSAEINVAL
	}
	var text string
	if a, ok := spi.AddrPortFrom(addr); ok {
		text = a.Addr().String()
		if a.Port() != 0 {
			text = a.String()
		}
	} else if path, ok := spi.UnixPathFrom(addr); ok {
		text = path
	} else {
		return spi.WSAEINVAL
	}
	return spi.CopyUTF16(text, buf, length)
}

// WSPStringToAddress reads what WSPAddressToString writes, and for IPv4 also
// the forms of inet_addr: fewer than four parts, octal and hexadecimal numbers.
func (p *provider) WSPStringToAddress(str []uint16, af int32, info *spi.ProtocolInfo, addr []byte, addrLen *int32) spi.Errno {
	if addrLen == nil {
		return spi.WSAEFAULT
	}
	if info != nil && info.AddressFamily != af {
		return spi.WSAEINVAL
	}
	text := spi.UTF16ToString(str)
	var name []byte
	switch af {
	case spi.AF_INET:
		a, ok := parseIPv4(text)
		if !ok {
			return spi.WSAEINVAL
		}
		name = spi.SockaddrFrom(a)
	case spi.AF_INET6:
		a, ok := parseIPv6(text)
		if !ok {
			return spi.WSAEINVAL
		}
		name = spi.SockaddrFrom(a)
	case spi.AF_UNIX:
		var ok bool
		if name, ok = spi.SockaddrUnix(text); !ok || text == "" || text == "@" {
			return spi.WSAEINVAL
		}
	default:
		return spi.WSAEINVAL
	}
	return spi.StoreAddress(name, addr, addrLen)
}

func parseIPv4(text string) (netip.AddrPort, bool) {
	host, port := text, uint64(0)
	if h, p, ok := strings.Cut(text, ":"); ok {
		host = h
		if port, ok = parseNumber(p, 16); !ok {
			return netip.AddrPort{}, false
		}
	}
	parts := strings.Split(host, ".")
	if len(parts) > 4 {
		return netip.AddrPort{}, false
	}
	var ip uint64
	for i, part := range parts {
		bits := 8
		if last := i == len(parts)-1; last {
			bits = 8 * (4 - i) // the last part fills what is left
		}
		v, ok := parseNumber(part, bits)
		if !ok {
			return netip.AddrPort{}, false
		}
		ip = ip<<bits | v
	}
	a := netip.AddrFrom4([4]byte{byte(ip >> 24), byte(ip >> 16), byte(ip >> 8), byte(ip)})
	return netip.AddrPortFrom(a, uint16(port)), true
}

// parseNumber reads a number as C writes it, of at most so many bits.
func parseNumber(text string, bits int) (uint64, bool) {
	base := 10
	switch {
	case strings.HasPrefix(text, "0x"), strings.HasPrefix(text, "0X"):
		text, base = text[2:], 16
	case len(text) > 1 && text[0] == '0':
		text, base = text[1:], 8
	}
	v, err := strconv.ParseUint(text, base, bits)
	return v, err == nil
}

func parseIPv6(text string) (netip.AddrPort, bool) {
	host, port := text, uint64(0)
	if rest, ok := strings.CutPrefix(text, "["); ok {
		h, p, ok := strings.Cut(rest, "]")
		if !ok {
			return netip.AddrPort{}, false
		}
		host = h
		if p != "" {
			if p, ok = strings.CutPrefix(p, ":"); !ok {
				return netip.AddrPort{}, false
			}
			if port, ok = parseNumber(p, 16); !ok {
				return netip.AddrPort{}, false
			}
		}
	}
	a, err := netip.ParseAddr(host)
	if err != nil || !a.Is6() {
		return netip.AddrPort{}, false
	}
	if a.Zone() != "" {
		if _, err := strconv.ParseUint(a.Zone(), 10, 32); err != nil {
			return netip.AddrPort{}, false
		}
	}
	return netip.AddrPortFrom(a, uint16(port)), true
}

// WSPGetQOSByName finds no template: there is no QOS.
func (p *provider) WSPGetQOSByName(s spi.Socket, name *spi.Buf, qos *spi.QOS) spi.Errno {
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	d.release()
	if name == nil || qos == nil {
		return spi.WSAEFAULT
	}
	return spi.WSAEINVAL
}
