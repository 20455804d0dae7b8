package wsnet

import (
	"net"
	"net/netip"
	"strconv"

	"upcall.dev/spi"
)

// protocol is what a network's name stands for.
type protocol struct {
	network string // as the caller said it
	family  int32  // AF_UNSPEC when the address decides
	typ     int32  // SOCK_
	number  int32  // IPPROTO_
}

// parseNetwork returns net.UnknownNetworkError for a name that is not one of
// the package's networks.
func parseNetwork(network string) (protocol, error) {
	p := protocol{network: network}
	switch network {
	case "tcp", "tcp4", "tcp6":
		p.typ, p.number = spi.SOCK_STREAM, spi.IPPROTO_TCP
	case "udp", "udp4", "udp6":
		p.typ, p.number = spi.SOCK_DGRAM, spi.IPPROTO_UDP
	case "unix":
		p.typ, p.family = spi.SOCK_STREAM, spi.AF_UNIX
		return p, nil
	default:
		return p, net.UnknownNetworkError(network)
	}
	switch network[3:] {
	case "4":
		p.family = spi.AF_INET
	case "6":
		p.family = spi.AF_INET6
	}
	return p, nil
}

// fits reports whether an IP address belongs to the network.
func (p *protocol) fits(ip netip.Addr) bool {
	switch p.family {
	case spi.AF_INET:
		return ip.Is4()
	case spi.AF_INET6:
		return ip.Is6()
	}
	return true
}

// netAddr returns the package net form of a socket address.
func (p *protocol) netAddr(name []byte) net.Addr {
	if p.family == spi.AF_UNIX {
		path, _ := spi.UnixPathFrom(name)
		if path == "" {
			path = "@" // what package net calls a socket without a name
		}
		return &net.UnixAddr{Name: path, Net: p.network}
	}
	ap := addrPort(name)
	if p.typ == spi.SOCK_DGRAM {
		return net.UDPAddrFromAddrPort(ap)
	}
	return net.TCPAddrFromAddrPort(ap)
}

// addrPort returns the IP address and port in a socket address, with an
// interface name for a zone, and IPv4 as such on a socket of both families.
func addrPort(name []byte) netip.AddrPort {
	ap, _ := spi.AddrPortFrom(name)
	ip := ap.Addr().Unmap()
	if zone := ip.Zone(); zone != "" {
		if index, err := strconv.Atoi(zone); err == nil {
			if ifi, err := net.InterfaceByIndex(index); err == nil {
				ip = ip.WithZone(ifi.Name)
			}
		}
	}
	return netip.AddrPortFrom(ip, ap.Port())
}

// appendSockaddr appends the socket address of an IP address for a socket of
// that family, where an AF_INET6 socket takes IPv4 addresses in mapped form. ok is
// false when an AF_INET socket would have to take an IPv6 address.
func appendSockaddr(b []byte, ap netip.AddrPort, family int32) (_ []byte, ok bool) {
	ip := ap.Addr().Unmap()
	switch {
	case family == spi.AF_INET6 && ip.Is4():
		ip = netip.AddrFrom16(ip.As16())
	case family == spi.AF_INET && !ip.Is4():
		return b, false
	}
	if zone := ip.Zone(); zone != "" {
		if _, err := strconv.Atoi(zone); err != nil {
			ifi, err := net.InterfaceByName(zone)
			if err != nil {
				return b, false
			}
			ip = ip.WithZone(strconv.Itoa(ifi.Index))
		}
	}
	return spi.AppendSockaddr(b, netip.AddrPortFrom(ip, ap.Port())), true
}

// ipAddrPort returns the IP address and port of a net.Addr that has them. ok is
// false for another kind of address; a nil IP gives the zero Addr.
func ipAddrPort(addr net.Addr) (ap netip.AddrPort, ok bool) {
	var ip net.IP
	var port int
	var zone string
	switch a := addr.(type) {
	case *net.TCPAddr:
		if a == nil {
			return ap, false
		}
		ip, port, zone = a.IP, a.Port, a.Zone
	case *net.UDPAddr:
		if a == nil {
			return ap, false
		}
		ip, port, zone = a.IP, a.Port, a.Zone
	default:
		return ap, false
	}
	na, _ := netip.AddrFromSlice(ip)
	na = na.Unmap()
	if zone != "" && na.Is6() {
		na = na.WithZone(zone)
	}
	return netip.AddrPortFrom(na, uint16(port)), true
}

func familyOf(ip netip.Addr) int32 {
	if ip.Is4() {
		return spi.AF_INET
	}
	return spi.AF_INET6
}
