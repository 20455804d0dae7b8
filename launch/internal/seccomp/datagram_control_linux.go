package seccomp

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/internal/chains"
)

// split checks that a chain can send the datagram, and cuts one that stands for
// several (UDP_SEGMENT). control is what each part has with it.
func (c *datagramCall) split(o *outgoing) (parts [][]byte, control sendControl, errno unix.Errno) {
	if unknown := o.flags &^ harmlessSendFlags; unknown != 0 {
		c.s.reportOnce(c.n, "flags", fmt.Sprintf("sends a datagram with the flags %#x, which no chain carries: that fails with EOPNOTSUPP", unknown))
		return nil, control, unix.EOPNOTSUPP
	}
	control, errno = c.readControl(o.control, c.wayTo(o.to))
	if errno != 0 {
		return nil, control, errno
	}
	rest := o.payload
	for control.segment > 0 && len(rest) > control.segment {
		if len(parts) == maxSegments {
			return nil, control, unix.EINVAL
		}
		parts, rest = append(parts, rest[:control.segment]), rest[control.segment:]
	}
	return append(parts, rest), control, 0
}

const (
	maxSegments = 128 // UDP_MAX_SEGMENTS
	udpSegment  = 103 // UDP_SEGMENT
)

// sendControl is what a program says of a datagram in control messages.
type sendControl struct {
	segment int                     // of UDP_SEGMENT, or zero
	way     []chains.ControlMessage // for the way through the network
	source  bool                    // a source address is among it
}

// wayTo returns the domain whose control messages the kernel heeds on the way to an
// address: an IPv6 socket has IPv4's for those that are mapped.
func (c *datagramCall) wayTo(to netip.AddrPort) (domain int) {
	if to.Addr().Is4In6() {
		return unix.AF_INET
	}
	return c.domain
}

// readControl looks through the control messages of a send.
func (c *datagramCall) readControl(control []byte, way int) (sc sendControl, errno unix.Errno) {
	order := binary.NativeEndian
	for len(control) >= unix.SizeofCmsghdr {
		length := order.Uint64(control)
		if length < unix.SizeofCmsghdr || length > uint64(len(control)) {
			return sc, unix.EINVAL
		}
		level, kind := int(int32(order.Uint32(control[8:]))), int(int32(order.Uint32(control[12:])))
		data := control[unix.SizeofCmsghdr:length]
		hint, isHint := hints[[2]int{level, kind}]
		switch {
		case level == unix.IPPROTO_UDP && kind == udpSegment && len(data) == 2:
			sc.segment = int(order.Uint16(data))
		case isHint:
			if hint.domain != way {
				break
			}
			value, ok := hint.value(data)
			if !ok {
				return sc, unix.EINVAL
			}
			sc.way = append(sc.way, chains.ControlMessage{Level: level, Type: kind, Data: order.AppendUint32(nil, uint32(value))})
		case level == unix.IPPROTO_IP && kind == unix.IP_PKTINFO && len(data) == unix.SizeofInet4Pktinfo && way == unix.AF_INET:
			sc.source = sc.source || !anySource(data[4:8])
			sc.way = append(sc.way, chains.ControlMessage{Level: level, Type: kind, Data: data})
		case level == unix.IPPROTO_IPV6 && kind == unix.IPV6_PKTINFO && len(data) == unix.SizeofInet6Pktinfo && c.domain == unix.AF_INET6:
			sc.source = sc.source || !anySource(data[:16])
			sc.way = append(sc.way, chains.ControlMessage{Level: level, Type: kind, Data: data})
		case level == unix.IPPROTO_IP && kind == unix.IP_PKTINFO: // on the way to an IPv6 address
		case level == unix.SOL_SOCKET && (kind == unix.SCM_RIGHTS || kind == unix.SCM_CREDENTIALS): // the kernel passes them over as well
		default:
			return sc, c.controlRefused(level, kind)
		}
		control = control[min((length+7)&^7, uint64(len(control))):]
	}
	return sc, 0
}

func (c *datagramCall) controlRefused(level, kind int) unix.Errno {
	c.s.reportOnce(c.n, "control", fmt.Sprintf("sends a datagram with a control message of level %d, type %d, which the chain does not carry: that fails with EOPNOTSUPP", level, kind))
	return unix.EOPNOTSUPP
}

// without is what becomes of a send whose chain carries no control messages: it
// goes without hints, but not from another address than the program has asked for.
func (c *datagramCall) without(control sendControl) unix.Errno {
	if control.source {
		if c.domain == unix.AF_INET {
			return c.controlRefused(unix.IPPROTO_IP, unix.IP_PKTINFO)
		}
		return c.controlRefused(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO)
	}
	if len(control.way) > 0 {
		c.hintsLost()
	}
	return 0
}

func (c *datagramCall) hintsLost() {
	c.s.reportOnce(c.n, "hints", "sends datagrams with a traffic class or a time to live of their own, which the chain does not carry: the socket's counts")
}

// hint is a number for a datagram's way through the network.
type hint struct {
	domain   int // of the way that the kernel heeds it on
	smallest int
	byteWide bool // one byte will do in place of four
}

var hints = map[[2]int]hint{
	{unix.IPPROTO_IP, unix.IP_TOS}:          {unix.AF_INET, 0, true},
	{unix.IPPROTO_IP, unix.IP_TTL}:          {unix.AF_INET, 1, false},
	{unix.IPPROTO_IPV6, unix.IPV6_TCLASS}:   {unix.AF_INET6, -1, false},
	{unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT}: {unix.AF_INET6, -1, false},
}

// value returns what a control message says. ok is false where the kernel refuses
// it.
func (h hint) value(data []byte) (value int, ok bool) {
	switch {
	case len(data) == 4:
		value = int(int32(binary.NativeEndian.Uint32(data)))
	case len(data) == 1 && h.byteWide:
		value = int(data[0])
	default:
		return 0, false
	}
	return value, value >= h.smallest && value <= 255
}

// anySource reports whether a source address says nothing, or is the loopback
// address that a joined socket has told the program to be its own.
func anySource(ip []byte) bool {
	addr, ok := netip.AddrFromSlice(ip)
	return ok && (addr.Unmap().IsUnspecified() || addr.Unmap().IsLoopback())
}
