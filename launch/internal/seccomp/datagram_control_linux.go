package seccomp

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// split checks that a chain can send the datagram, and cuts one that stands for
// several (UDP_SEGMENT).
func (c *datagramCall) split(o *outgoing) (parts [][]byte, errno unix.Errno) {
	if unknown := o.flags &^ harmlessSendFlags; unknown != 0 {
		c.s.reportOnce(c.n, "flags", fmt.Sprintf("sends a datagram with the flags %#x, which no chain carries: that fails with EOPNOTSUPP", unknown))
		return nil, unix.EOPNOTSUPP
	}
	size, errno := c.readControl(o.control)
	if errno != 0 {
		return nil, errno
	}
	rest := o.payload
	for size > 0 && len(rest) > size {
		if len(parts) == maxSegments {
			return nil, unix.EINVAL
		}
		parts, rest = append(parts, rest[:size]), rest[size:]
	}
	return append(parts, rest), 0
}

const (
	maxSegments = 128 // UDP_MAX_SEGMENTS
	udpSegment  = 103 // UDP_SEGMENT
)

// readControl looks through the control messages of a send. Hints for the way
// through the network are left out; what names a source address that the chain
// would have to take is refused. segment is the size of UDP_SEGMENT, or zero.
func (c *datagramCall) readControl(control []byte) (segment int, errno unix.Errno) {
	order := binary.NativeEndian
	for len(control) >= unix.SizeofCmsghdr {
		length := order.Uint64(control)
		if length < unix.SizeofCmsghdr || length > uint64(len(control)) {
			return 0, unix.EINVAL
		}
		level, kind := int(int32(order.Uint32(control[8:]))), int(int32(order.Uint32(control[12:])))
		data := control[unix.SizeofCmsghdr:length]
		switch {
		case level == unix.IPPROTO_UDP && kind == udpSegment && len(data) == 2:
			segment = int(order.Uint16(data))
		case level == unix.IPPROTO_IP && (kind == unix.IP_TOS || kind == unix.IP_TTL),
			level == unix.IPPROTO_IPV6 && (kind == unix.IPV6_TCLASS || kind == unix.IPV6_HOPLIMIT):
			c.s.reportOnce(c.n, "hints", "sends datagrams with a traffic class or a time to live of their own, which chains do not carry: the socket's counts")
		case level == unix.IPPROTO_IP && kind == unix.IP_PKTINFO && len(data) == unix.SizeofInet4Pktinfo && anySource(data[4:8]),
			level == unix.IPPROTO_IPV6 && kind == unix.IPV6_PKTINFO && len(data) == unix.SizeofInet6Pktinfo && anySource(data[:16]):
		case level == unix.SOL_SOCKET && (kind == unix.SCM_RIGHTS || kind == unix.SCM_CREDENTIALS): // the kernel passes them over as well
		default:
			c.s.reportOnce(c.n, "control", fmt.Sprintf("sends a datagram with a control message of level %d, type %d, which the chain does not carry: that fails with EOPNOTSUPP", level, kind))
			return 0, unix.EOPNOTSUPP
		}
		control = control[min((length+7)&^7, uint64(len(control))):]
	}
	return segment, 0
}

// anySource reports whether a source address says nothing, or is the loopback
// address that a joined socket has told the program to be its own.
func anySource(ip []byte) bool {
	addr, ok := netip.AddrFromSlice(ip)
	return ok && (addr.Unmap().IsUnspecified() || addr.Unmap().IsLoopback())
}
