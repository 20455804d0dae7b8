//go:build linux

package kernel

import (
	"upcall.dev/internal/addrtext"
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
		text = addrtext.Format(a)
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
	case spi.AF_INET, spi.AF_INET6:
		a, ok := addrtext.Parse(text, af)
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
