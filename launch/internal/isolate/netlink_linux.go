package isolate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/netip"

	"golang.org/x/sys/unix"
)

// routeSocket is a socket to a network namespace's own configuration.
type routeSocket struct {
	fd       int
	sequence uint32
}

func openRouteSocket() (*routeSocket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	return &routeSocket{fd: fd}, nil
}

func (r *routeSocket) close() { _ = unix.Close(r.fd) }

// message is a netlink message in the making: a body, then attributes.
type message struct{ b []byte }

func (m *message) attribute(kind uint16, value []byte) {
	m.b = binary.NativeEndian.AppendUint16(m.b, uint16(unix.SizeofRtAttr+len(value)))
	m.b = binary.NativeEndian.AppendUint16(m.b, kind)
	m.b = append(m.b, value...)
	for len(m.b)%4 != 0 {
		m.b = append(m.b, 0)
	}
}

func (m *message) number(kind uint16, value uint32) {
	m.attribute(kind, binary.NativeEndian.AppendUint32(nil, value))
}

// nested adds an attribute that holds attributes, after a header of its own.
func (m *message) nested(kind uint16, header []byte, fill func(*message)) {
	inner := message{b: append([]byte(nil), header...)}
	fill(&inner)
	m.attribute(kind, inner.b)
}

// do sends a request and waits for the kernel's answer to it.
func (r *routeSocket) do(kind, flags uint16, m message) error {
	return r.ask(kind, flags, m, func(uint16, []byte) {})
}

// ask does the same, and calls told with what the kernel tells before it answers.
func (r *routeSocket) ask(kind, flags uint16, m message, told func(kind uint16, body []byte)) error {
	r.sequence++
	request := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(m.b)))
	request = binary.NativeEndian.AppendUint16(request, kind)
	request = binary.NativeEndian.AppendUint16(request, flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	request = binary.NativeEndian.AppendUint32(request, r.sequence)
	request = binary.NativeEndian.AppendUint32(request, 0)
	request = append(request, m.b...)
	if err := unix.Sendto(r.fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 16<<10)
	for {
		n, _, err := unix.Recvfrom(r.fd, answer, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if n < unix.SizeofNlMsghdr+4 {
			return unix.EBADMSG
		}
		if binary.NativeEndian.Uint32(answer[8:]) != r.sequence {
			continue
		}
		if kind := binary.NativeEndian.Uint16(answer[4:]); kind != unix.NLMSG_ERROR {
			told(kind, answer[unix.SizeofNlMsghdr:n])
			continue
		}
		if code := int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])); code != 0 {
			return unix.Errno(-code)
		}
		return nil
	}
}

// infoLink is a struct ifinfomsg.
func infoLink(index int, flags, change uint32) []byte {
	b := make([]byte, 4, unix.SizeofIfInfomsg)
	b = binary.NativeEndian.AppendUint32(b, uint32(index))
	b = binary.NativeEndian.AppendUint32(b, flags)
	return binary.NativeEndian.AppendUint32(b, change)
}

// Attributes that package unix lacks.
const (
	inet6AddrGenMode     = 8 // IFLA_INET6_ADDR_GEN_MODE
	inet6AddrGenModeNone = 1
	vethInfoPeer         = 1 // VETH_INFO_PEER
)

// device is what makes one end of a veth pair.
type device struct {
	name     string
	hardware [6]byte
	mtu      uint32
}

func (d device) describe(m *message) {
	m.attribute(unix.IFLA_IFNAME, append([]byte(d.name), 0))
	m.attribute(unix.IFLA_ADDRESS, d.hardware[:])
	m.number(unix.IFLA_MTU, d.mtu)
}

// addPair makes a veth pair, inner in this socket's namespace, outer in another.
func (r *routeSocket) addPair(inner, outer device, outerNamespace int) error {
	m := message{b: infoLink(0, unix.IFF_NOARP, unix.IFF_NOARP)}
	inner.describe(&m)
	m.nested(unix.IFLA_LINKINFO, nil, func(m *message) {
		m.attribute(unix.IFLA_INFO_KIND, []byte("veth"))
		m.nested(unix.IFLA_INFO_DATA, nil, func(m *message) {
			m.nested(vethInfoPeer, infoLink(0, unix.IFF_NOARP, unix.IFF_NOARP), func(m *message) {
				outer.describe(m)
				m.number(unix.IFLA_NET_NS_FD, uint32(outerNamespace))
			})
		})
	})
	if err := r.do(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, m); err != nil {
		return fmt.Errorf("make a veth pair: %w", err)
	}
	return nil
}

// allowJoined lets a device take packets of joined segments of TCP over IPv4 up to
// a size, and returns what it takes now: 0 from a kernel that knows of none, which
// is silent about what it does not know.
func (r *routeSocket) allowJoined(index int, size uint32) (allowed uint32, err error) {
	m := message{b: infoLink(index, 0, 0)}
	m.number(unix.IFLA_GSO_IPV4_MAX_SIZE, size)
	if err := r.do(unix.RTM_NEWLINK, 0, m); err != nil {
		return 0, err
	}
	err = r.ask(unix.RTM_GETLINK, 0, message{b: infoLink(index, 0, 0)}, func(kind uint16, body []byte) {
		if kind != unix.RTM_NEWLINK || len(body) < unix.SizeofIfInfomsg {
			return
		}
		for kind, value := range attributes(body[unix.SizeofIfInfomsg:]) {
			if kind == unix.IFLA_GSO_IPV4_MAX_SIZE && len(value) == 4 {
				allowed = binary.NativeEndian.Uint32(value)
			}
		}
	})
	return allowed, err
}

// attributes yields the attributes of a message by their kinds.
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofRtAttr {
			length := int(binary.NativeEndian.Uint16(b))
			if length < unix.SizeofRtAttr || length > len(b) || !yield(binary.NativeEndian.Uint16(b[2:]), b[unix.SizeofRtAttr:length]) {
				return
			}
			b = b[min(len(b), (length+3)&^3):]
		}
	}
}

// setUp brings a device up.
func (r *routeSocket) setUp(index int) error {
	return r.do(unix.RTM_NEWLINK, 0, message{b: infoLink(index, unix.IFF_UP, unix.IFF_UP)})
}

// quiet keeps the kernel from giving a device an IPv6 address of its own, and so
// from announcing it.
func (r *routeSocket) quiet(index int) error {
	m := message{b: infoLink(index, 0, 0)}
	m.nested(unix.IFLA_AF_SPEC, nil, func(m *message) {
		m.nested(unix.AF_INET6, nil, func(m *message) { m.attribute(inet6AddrGenMode, []byte{inet6AddrGenModeNone}) })
	})
	err := r.do(unix.RTM_NEWLINK, 0, m)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return nil // a kernel without IPv6
	}
	return err
}

func family(a netip.Addr) byte {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// addAddress gives a device an address of its own, at once, without asking the
// link for others that have it.
func (r *routeSocket) addAddress(index int, a netip.Addr) error {
	m := message{b: []byte{family(a), byte(a.BitLen()), unix.IFA_F_NODAD, unix.RT_SCOPE_UNIVERSE}}
	m.b = binary.NativeEndian.AppendUint32(m.b, uint32(index))
	m.attribute(unix.IFA_LOCAL, a.AsSlice())
	m.attribute(unix.IFA_ADDRESS, a.AsSlice())
	return r.do(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, m)
}

// addDefaultRoute sends everything of the source's family to a device.
func (r *routeSocket) addDefaultRoute(index int, source netip.Addr) error {
	m := message{b: []byte{family(source), 0, 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST, 0, 0, 0, 0}}
	m.number(unix.RTA_OIF, uint32(index))
	m.attribute(unix.RTA_PREFSRC, source.AsSlice())
	return r.do(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, m)
}
