package socks

import (
	"io"
	"net/netip"
	"sync/atomic"
	"time"

	"upcall.dev/layer/names"
	"upcall.dev/spi"
)

// association is a UDP ASSOCIATE: the proxy carries datagrams for as long as the
// connection that asked for it is open.
type association struct {
	control *own
	next    spi.Provider // of carry
	carry   spi.Socket   // connected with the address that the proxy takes datagrams at
	event   spi.Event
	told    atomic.Bool // something has happened to control
	gone    spi.Event   // which tells so
	upcalls *spi.UpcallTable
}

// associate asks the proxy to carry datagrams. wake is called when some may have
// come, or the association may be over.
func (m *module) associate(cancel <-chan struct{}, wake func()) (*association, error) {
	control, err := m.dial(cancel, m.config.timeout)
	if err != nil {
		return nil, err
	}
	session := m.route.session(commandAssociate, target{addr: netip.AddrPortFrom(netip.IPv4Unspecified(), 0)})
	if err := shake(control, session.begin()); err != nil {
		control.close()
		return nil, err
	}
	if m.route.tries() {
		m.run(m.try)
	}
	at, err := m.relayAddress(control, session.bound)
	if err != nil {
		control.close()
		return nil, err
	}
	a := &association{control: control, upcalls: control.upcalls}
	if err := a.open(m, at, wake); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// relayAddress returns where datagrams go. A proxy that names no address means
// its own.
func (m *module) relayAddress(control *own, bound target) (netip.AddrPort, error) {
	at := bound.addr
	proxy, _ := spi.AddrPortFrom(control.proxy)
	switch {
	case at.Port() == 0:
		return at, misunderstood(spi.WSAECONNABORTED, "it carries datagrams, but does not say at which port")
	case bound.name != "":
		addr, err := names.Default.Assign(bound.name)
		if err != nil || !m.overProxy() {
			return at, misunderstood(spi.WSAECONNABORTED, "it wants datagrams sent to the name %q instead of an address", bound.name)
		}
		at = netip.AddrPortFrom(addr, at.Port())
	case at.Addr().IsUnspecified():
		at = netip.AddrPortFrom(proxy.Addr().Unmap(), at.Port())
	}
	return at, nil
}

// open makes the socket that datagrams go through.
func (a *association) open(m *module, at netip.AddrPort, wake func()) error {
	family := int32(spi.AF_INET)
	if at.Addr().Is6() {
		family = spi.AF_INET6
	}
	link, errno := m.datagramLink(family)
	if errno != 0 {
		return errno
	}
	s, errno := link.Next().WSPSocket(family, spi.SOCK_DGRAM, spi.IPPROTO_UDP, link.Below(link.Entry()), 0, spi.WSA_FLAG_OVERLAPPED|spi.WSA_FLAG_NO_HANDLE_INHERIT)
	if errno != 0 {
		return errno
	}
	a.next, a.carry = link.Next(), s
	host := m.chains.Host()
	if a.event, errno = host.DLL.RegisterWait(wake); errno == 0 {
		if errno = a.next.WSPEventSelect(s, a.event, spi.FD_READ|spi.FD_WRITE|spi.FD_CLOSE); errno == 0 {
			errno = a.next.WSPConnect(s, spi.SockaddrFrom(at), nil, nil, nil, nil)
		}
	}
	if errno == 0 {
		a.gone, errno = host.DLL.RegisterWait(func() {
			a.told.Store(true)
			wake()
		})
	}
	if errno == 0 { // from here on the control connection only tells of the end
		errno = a.control.next.WSPEventSelect(a.control.s, a.gone, spi.FD_READ|spi.FD_CLOSE)
	}
	return asError(errno)
}

// over reports whether the proxy has ended the association.
func (a *association) over() bool {
	if !a.told.Swap(false) {
		return false
	}
	a.control.deadline = time.Time{} // so that nothing waits
	var b [64]byte
	for {
		if _, err := a.control.Read(b[:]); err != nil { // else something that means nothing
			return err == io.EOF || outcome(err) != spi.WSAETIMEDOUT
		}
	}
}

// send sends a datagram, with its header. What goes wrong is lost with it.
func (a *association) send(b []byte) {
	bufs, n := [1]spi.Buf{spi.NewBuf(b)}, uint32(0)
	a.next.WSPSend(a.carry, bufs[:], &n, 0, nil, nil, nil)
}

// receive takes a datagram with its header; false when there is none.
func (a *association) receive(b []byte) (int, bool) {
	for range 16 { // errors of datagrams that were sent are passed over
		bufs, n, flags := [1]spi.Buf{spi.NewBuf(b)}, uint32(0), uint32(0)
		switch a.next.WSPRecv(a.carry, bufs[:], &n, &flags, nil, nil, nil) {
		case 0:
			return int(n), true
		case spi.WSAECONNRESET, spi.WSAENETRESET, spi.WSAEMSGSIZE, spi.WSAECONNREFUSED, spi.WSAEINTR:
		default:
			return 0, false
		}
	}
	return 0, false
}

func (a *association) close() {
	if a.next != nil {
		a.next.WSPEventSelect(a.carry, spi.InvalidEvent, 0)
		a.next.WSPCloseSocket(a.carry)
	}
	a.control.close()
	for _, e := range []spi.Event{a.event, a.gone} {
		if e != spi.InvalidEvent {
			a.upcalls.WPUCloseEvent(e)
		}
	}
}

// The header of a datagram: RSV, RSV, FRAG, and an address.

// longestHeader is that of a name.
const longestHeader = 3 + 1 + 1 + 255 + 2

func appendHeader(b []byte, to target) []byte { return appendAddress5(append(b, 0, 0, 0), to) }

// parseHeader returns where a datagram is from, and what is in it. False for a
// fragment, which nobody sends, and for what is none.
func parseHeader(b []byte) (from target, data []byte, ok bool) {
	if len(b) < 4 || b[0] != 0 || b[1] != 0 || b[2] != 0 {
		return from, nil, false
	}
	return parseAddress5(b[3:])
}
