package wsnet

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"upcall.dev/spi"
)

// ListenConfig announces on local addresses of a [Stack], as net.ListenConfig
// does. Only Stack must be set.
type ListenConfig struct {
	// Stack carries the connections.
	Stack *Stack
	// KeepAlive is that of [Dialer], for accepted connections.
	KeepAlive time.Duration
	// Backlog is the longest queue of connections that wait to be accepted;
	// zero means the provider's maximum.
	Backlog int
	// Resolver looks names up; nil means net.DefaultResolver.
	Resolver *net.Resolver
	// Protocol is that of [Dialer].
	Protocol *spi.ProtocolInfo
	// Control, if set, is called with each new socket before it is bound.
	Control func(ctx context.Context, network, address string, s spi.Socket) error
}

// Listen announces on a tcp or unix address and returns a *[Listener]. Without
// a host, network tcp means every interface and both IP families where the
// chain has sockets of both families at once, else IPv4. ctx only limits the
// lookup of a name.
func (lc *ListenConfig) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	b, err := lc.Bind(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return b.Listen(lc.Backlog)
}

// ListenPacket announces on a udp address and returns a *[PacketConn].
func (lc *ListenConfig) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	p, s, err := lc.bind(ctx, network, address, spi.SOCK_DGRAM)
	if err != nil {
		return nil, err
	}
	local := s.localAddr(p)
	if err := s.ready(); err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: local, Err: err}
	}
	return newPacketConn(s, p, local, nil), nil
}

// bind returns a bound socket that is not ready yet.
func (lc *ListenConfig) bind(ctx context.Context, network, address string, typ int32) (*protocol, *socket, error) {
	fail := func(addr net.Addr, err error) (*protocol, *socket, error) {
		return nil, nil, &net.OpError{Op: "listen", Net: network, Addr: addr, Err: err}
	}
	p, err := parseNetwork(network)
	if err == nil && p.typ != typ {
		err = net.UnknownNetworkError(network)
	}
	if err != nil {
		return fail(nil, err)
	}
	resolver := lc.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	targets, err := p.resolve(ctx, resolver, address, true)
	if err != nil {
		return fail(nil, contextError(err))
	}
	// Only an address without a host has two targets, both families first.
	var s *socket
	for i := range targets {
		if s, err = lc.bindTarget(ctx, &p, &targets[i]); err == nil {
			return &p, s, nil
		}
	}
	return fail(targets[len(targets)-1].addr, err)
}

func (lc *ListenConfig) bindTarget(ctx context.Context, p *protocol, t *target) (*socket, error) {
	s, err := lc.Stack.socket(p, t.family, lc.Protocol)
	if err != nil {
		return nil, err
	}
	err = s.prepareBind(p, t)
	if err == nil && lc.Control != nil {
		err = lc.Control(ctx, p.network, t.addr.String(), s.handle)
	}
	if err == nil {
		err = os.NewSyscallError("bind", s.stack.thread.Bind(s.handle, t.name))
	}
	if err != nil {
		s.discard()
		return nil, err
	}
	return s, nil
}

// prepareBind decides whether an IPv6 socket takes IPv4 too: when it is bound
// to every interface and the network does not say 6.
func (s *socket) prepareBind(p *protocol, t *target) error {
	if t.family != spi.AF_INET6 {
		return nil
	}
	ap, _ := spi.AddrPortFrom(t.name)
	both := p.family == spi.AF_UNSPEC && ap.Addr().IsUnspecified()
	err := s.setInt(spi.IPPROTO_IPV6, spi.IPV6_V6ONLY, boolInt(!both))
	if both {
		return err
	}
	return nil // IPv6 alone is what a provider without the option gives
}

// Listener accepts connections over tcp or unix. Its methods may be called
// from several goroutines at once; Close ends those that wait.
type Listener struct {
	socket    *socket
	local     net.Addr
	protocol  protocol
	keepAlive time.Duration
	path      string // of a unix socket file to remove; "" for none

	mu sync.Mutex // serialises Accept, as the waiter asks
}

// Accept returns the next connection, a *[Conn].
func (l *Listener) Accept() (net.Conn, error) {
	if err := l.socket.enter(); err != nil {
		return nil, l.opError("accept", err)
	}
	defer l.socket.leave()
	conn, err := l.accept()
	if err != nil {
		return nil, l.opError("accept", callError("accept", err))
	}
	conn.setDefaults(l.keepAlive)
	return conn, nil
}

func (l *Listener) accept() (*Conn, error) {
	stack := l.socket.stack
	if err := stack.begin(); err != nil {
		return nil, err
	}
	var name [spi.SizeofSockaddrStorage]byte
	var length int32
	handle := spi.InvalidSocket
	var failure error
	l.mu.Lock()
	err := l.socket.waiter.read(func(uintptr) bool {
		for {
			length = int32(len(name))
			handle, failure = stack.thread.Accept(l.socket.handle, name[:], &length)
			// A peer that has gone before it was accepted is nobody's business.
			if !isCode(failure, spi.WSAECONNABORTED) && !isCode(failure, spi.WSAECONNRESET) {
				return !wouldBlock(failure)
			}
		}
	})
	l.mu.Unlock()
	if err == nil {
		err = failure
	}
	if err != nil {
		stack.end()
		return nil, err
	}
	s, err := newSocket(stack, handle, l.socket.family)
	if err != nil {
		return nil, err
	}
	local, remote := s.localAddr(&l.protocol), l.protocol.netAddr(name[:max(0, min(int(length), len(name)))])
	if local == nil {
		local = l.local
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	return newConn(s, &l.protocol, local, remote), nil
}

// Addr returns the address that the listener is bound to.
func (l *Listener) Addr() net.Addr { return l.local }

// Close stops listening. Connections that were accepted stay. The file of a
// unix socket is removed.
func (l *Listener) Close() error {
	err := l.socket.close()
	if !errors.Is(err, net.ErrClosed) {
		l.unlink()
	}
	return l.opError("close", err)
}

// SetDeadline sets when Accept fails with os.ErrDeadlineExceeded; zero means
// never.
func (l *Listener) SetDeadline(t time.Time) error {
	return l.opError("set", l.socket.use(func() error { return l.socket.waiter.setReadDeadline(t) }))
}

// Control is that of [Conn].
func (l *Listener) Control(f func(s spi.Socket)) error {
	return l.opError("control", l.socket.control(f))
}

// SyscallConn is that of [Conn].
func (l *Listener) SyscallConn() (syscall.RawConn, error) {
	raw, err := l.socket.syscallConn()
	return raw, l.opError("raw-control", err)
}

func (l *Listener) opError(op string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: l.protocol.network, Addr: l.local, Err: err}
}

func (l *Listener) unlink() {
	if l.path != "" {
		os.Remove(l.path)
	}
}

// createdPath returns the path of a unix socket when there is such a file.
// A provider may have unix addresses that are no files.
func createdPath(address string) string {
	info, err := os.Lstat(address)
	if err != nil || info.Mode()&os.ModeSocket == 0 {
		return ""
	}
	return address
}

var (
	_ net.Listener   = (*Listener)(nil)
	_ net.Conn       = (*Conn)(nil)
	_ net.Conn       = (*PacketConn)(nil)
	_ net.PacketConn = (*PacketConn)(nil)
	_ syscall.Conn   = (*Conn)(nil)
)
