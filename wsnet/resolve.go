package wsnet

import (
	"context"
	"net"
	"net/netip"

	"upcall.dev/spi"
)

// target is one socket address to try.
type target struct {
	family int32
	name   []byte
	addr   net.Addr
}

// resolve returns the socket addresses that address stands for, in the order to
// try them: for a dial an address without a host means this machine, for a
// listener every interface, both families where the network has them.
func (p *protocol) resolve(ctx context.Context, resolver *net.Resolver, address string, listen bool) ([]target, error) {
	if p.family == spi.AF_UNIX {
		name, ok := spi.SockaddrUnix(address)
		if !ok {
			return nil, &net.AddrError{Err: "the path is too long for a unix socket", Addr: address}
		}
		return []target{{p.family, name, &net.UnixAddr{Name: address, Net: p.network}}}, nil
	}
	var host, service string
	if address != "" || !listen {
		var err error
		if host, service, err = net.SplitHostPort(address); err != nil {
			return nil, err
		}
	}
	port, err := resolver.LookupPort(ctx, p.network, service)
	if err != nil {
		return nil, err
	}
	ips, err := p.lookup(ctx, resolver, host, listen)
	if err != nil {
		return nil, err
	}
	var targets []target
	for _, ip := range ips {
		ip = ip.Unmap()
		if !p.fits(ip) {
			continue
		}
		t, ok := p.target(netip.AddrPortFrom(ip, uint16(port)))
		if ok {
			targets = append(targets, t)
		}
	}
	if len(targets) == 0 {
		return nil, &net.AddrError{Err: "no suitable address found", Addr: host}
	}
	return targets, nil
}

func (p *protocol) target(ap netip.AddrPort) (target, bool) {
	family := familyOf(ap.Addr())
	name, ok := appendSockaddr(nil, ap, family)
	if !ok {
		return target{}, false
	}
	var addr net.Addr
	if p.typ == spi.SOCK_DGRAM {
		addr = net.UDPAddrFromAddrPort(ap)
	} else {
		addr = net.TCPAddrFromAddrPort(ap)
	}
	return target{family, name, addr}, true
}

func (p *protocol) lookup(ctx context.Context, resolver *net.Resolver, host string, listen bool) ([]netip.Addr, error) {
	loopback4, loopback6 := netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()
	if host == "" {
		if listen {
			return []netip.Addr{netip.IPv6Unspecified(), netip.IPv4Unspecified()}, nil
		}
		return []netip.Addr{loopback4, loopback6}, nil
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.IsUnspecified() && !listen {
			if ip.Is4() {
				return []netip.Addr{loopback4}, nil
			}
			return []netip.Addr{loopback6, loopback4}, nil
		}
		return []netip.Addr{ip}, nil
	}
	family := "ip"
	switch p.family {
	case spi.AF_INET:
		family = "ip4"
	case spi.AF_INET6:
		family = "ip6"
	}
	ips, err := resolver.LookupNetIP(ctx, family, host)
	if listen { // a name that has both means the IPv4 address, as in package net
		for _, ip := range ips {
			if ip = ip.Unmap(); ip.Is4() {
				return []netip.Addr{ip}, err
			}
		}
	}
	return ips, err
}
