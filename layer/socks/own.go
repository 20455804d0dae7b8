package socks

import (
	"context"
	"time"

	"upcall.dev/layer"
	"upcall.dev/spi"
)

// own is a stream socket of the layer's own, connected with the proxy.
type own struct {
	lower
	upcalls *spi.UpcallTable
	proxy   []byte // the socket address that it is connected to
}

// link returns a started chain entry that m's layer has for a protocol.
func (m *module) link(match func(*spi.ProtocolInfo) bool) (*layer.Link, spi.Errno) {
	for _, l := range m.chains.Links() {
		if match(l.Entry()) {
			return m.chains.Find(l.Entry())
		}
	}
	return nil, spi.WSAEPROTONOSUPPORT
}

// dial connects with the proxy, in limit at most, unless cancel is closed
// before. The deadline stays in force until the caller sets another one.
func (m *module) dial(cancel <-chan struct{}, limit time.Duration) (*own, error) {
	ctx, stop := context.WithTimeout(context.Background(), limit)
	defer stop()
	ending := m.ending()
	family, err := m.route.family(ctx)
	if err != nil {
		return nil, err
	}
	link, errno := m.link(func(e *spi.ProtocolInfo) bool { return isStream(e) && e.AddressFamily == family })
	if errno != 0 {
		return nil, errno
	}
	proxy, err := m.route.address(ctx, family)
	if err != nil {
		return nil, err
	}
	s, errno := link.Next().WSPSocket(family, spi.SOCK_STREAM, spi.IPPROTO_TCP, link.Below(link.Entry()), 0, spi.WSA_FLAG_OVERLAPPED|spi.WSA_FLAG_NO_HANDLE_INHERIT)
	if errno != 0 {
		return nil, errno
	}
	host := m.chains.Host()
	o := &own{
		lower:   lower{next: link.Next(), s: s, deadline: time.Now().Add(limit), cancel: cancel, ending: ending},
		upcalls: &host.Upcalls,
		proxy:   spi.SockaddrFrom(proxy),
	}
	if err = o.watch(host.DLL, o.upcalls); err == nil {
		err = o.connect(o.proxy)
	}
	if err != nil {
		o.close()
		return nil, err
	}
	return o, nil
}

// close ends the connection at once.
func (o *own) close() {
	o.unwatch(o.upcalls)
	o.next.WSPSetSockOpt(o.s, spi.SOL_SOCKET, spi.SO_LINGER, []byte{1, 0, 0, 0})
	o.next.WSPCloseSocket(o.s)
}
