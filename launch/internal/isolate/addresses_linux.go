package isolate

import (
	"bytes"
	"net"
	"net/netip"
)

// Addresses of the link. 192.0.0.0/29 is for links like this one (RFC 7335), the
// IPv6 prefix a unique local one (RFC 4193).
var (
	programIPv4 = netip.MustParseAddr("192.0.0.2")
	programIPv6 = netip.MustParseAddr("fd75:7063:616c:6c00::2")

	// LoopbackIPv4 and LoopbackIPv6 stand, in the namespace, for 127.0.0.1 and
	// ::1 of the host.
	LoopbackIPv4 = netip.MustParseAddr("192.0.0.1")
	LoopbackIPv6 = netip.MustParseAddr("fd75:7063:616c:6c00::1")

	// resolverAddresses stand for name servers that the namespace cannot reach.
	resolverAddresses = [maxNameservers]netip.Addr{
		netip.MustParseAddr("192.0.0.3"), netip.MustParseAddr("192.0.0.4"), netip.MustParseAddr("192.0.0.5"),
	}
)

// maxNameservers is how many of a resolv.conf a C library reads, MAXNS.
const maxNameservers = 3

// directory tells addresses in the namespace from those that the chains get.
type directory struct {
	out map[netip.Addr]netip.Addr
}

// newDirectory takes the name servers that stand behind resolverAddresses. In a
// namespace of this kind the host is the one of that namespace.
func newDirectory(resolvers []netip.Addr) *directory {
	d := &directory{out: map[netip.Addr]netip.Addr{
		LoopbackIPv4: netip.AddrFrom4([4]byte{127, 0, 0, 1}),
		LoopbackIPv6: netip.IPv6Loopback(),
	}}
	if around, err := net.InterfaceByName(innerEnd.name); err == nil && bytes.Equal(around.HardwareAddr, innerEnd.hardware[:]) {
		d.out[LoopbackIPv4], d.out[LoopbackIPv6] = LoopbackIPv4, LoopbackIPv6
	}
	for i, r := range resolvers {
		d.out[resolverAddresses[i]] = r
	}
	return d
}

// outside returns what the chains connect to for a destination in the namespace.
func (d *directory) outside(to netip.AddrPort) netip.AddrPort {
	if a, ok := d.out[to.Addr()]; ok {
		return netip.AddrPortFrom(a, to.Port())
	}
	return to
}

// inside returns the source that the program sees for one that the chains name.
func (d *directory) inside(from netip.AddrPort) netip.AddrPort {
	switch from.Addr() {
	case d.out[LoopbackIPv4]:
		return netip.AddrPortFrom(LoopbackIPv4, from.Port())
	case d.out[LoopbackIPv6]:
		return netip.AddrPortFrom(LoopbackIPv6, from.Port())
	}
	return from
}
