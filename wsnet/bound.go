package wsnet

import (
	"context"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"upcall.dev/spi"
)

// Bound is a stream socket that has its local address and does not listen yet.
// [Bound.Listen], [Bound.Connect] or [Bound.Close] must end it before [Stack.Close]
// is called, which waits for it.
type Bound struct {
	socket    *socket
	local     net.Addr
	protocol  protocol
	keepAlive time.Duration
	path      string // of a unix socket file to remove; "" for none

	mu    sync.Mutex // guards ended
	ended bool
}

// Bind is the first half of [ListenConfig.Listen]: it gives a socket its local
// address, at which nobody can connect until [Bound.Listen].
func (lc *ListenConfig) Bind(ctx context.Context, network, address string) (*Bound, error) {
	p, s, err := lc.bind(ctx, network, address, spi.SOCK_STREAM)
	if err != nil {
		return nil, err
	}
	b := &Bound{socket: s, local: s.localAddr(p), protocol: *p, keepAlive: lc.KeepAlive}
	if p.family == spi.AF_UNIX {
		b.path = createdPath(address)
	}
	return b, nil
}

// Addr returns the address that the socket is bound to.
func (b *Bound) Addr() net.Addr { return b.local }

// Listen makes the socket listen, with room for backlog connections that wait
// to be accepted; zero means the provider's maximum. On failure the socket is
// closed. net.ErrClosed when Listen, Connect or Close has been called before.
func (b *Bound) Listen(backlog int) (*Listener, error) {
	if !b.end() {
		return nil, &net.OpError{Op: "listen", Net: b.protocol.network, Addr: b.local, Err: net.ErrClosed}
	}
	l := &Listener{socket: b.socket, local: b.local, protocol: b.protocol, keepAlive: b.keepAlive, path: b.path}
	longest := int32(spi.SOMAXCONN)
	if backlog > 0 {
		longest = int32(min(backlog, spi.SOMAXCONN))
	}
	if err := b.socket.stack.thread.Listen(b.socket.handle, longest); err != nil {
		b.socket.discard()
		l.unlink()
		return nil, l.opError("listen", os.NewSyscallError("listen", err))
	}
	if err := b.socket.ready(); err != nil {
		l.unlink()
		return nil, l.opError("listen", err)
	}
	return l, nil
}

// Connect connects the socket, from the address that it has, to an address of the
// same family. When ctx ends first the error matches ctx.Err(). On failure the
// socket is closed. net.ErrClosed when Listen, Connect or Close has been called
// before.
func (b *Bound) Connect(ctx context.Context, to netip.AddrPort) (*Conn, error) {
	remote := net.TCPAddrFromAddrPort(to)
	fail := func(err error) (*Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: b.protocol.network, Source: b.local, Addr: remote, Err: contextError(err)}
	}
	if !b.end() {
		return fail(net.ErrClosed)
	}
	if err := b.socket.connect(ctx, spi.SockaddrFrom(to)); err != nil {
		b.socket.discard()
		return fail(err)
	}
	local, peer := b.socket.localAddr(&b.protocol), b.socket.remoteAddr(&b.protocol, remote)
	if err := b.socket.ready(); err != nil {
		return fail(err)
	}
	c := newConn(b.socket, &b.protocol, local, peer)
	c.setDefaults(b.keepAlive)
	return c, nil
}

// Close closes the socket. After Listen it does nothing and gives net.ErrClosed.
func (b *Bound) Close() error {
	if !b.end() {
		return &net.OpError{Op: "close", Net: b.protocol.network, Addr: b.local, Err: net.ErrClosed}
	}
	b.socket.discard()
	(&Listener{path: b.path}).unlink()
	return nil
}

func (b *Bound) end() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	ended := b.ended
	b.ended = true
	return !ended
}
