package wsnet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"upcall.dev/spi"
)

// Dialer connects through a [Stack], as net.Dialer does. Only Stack must be
// set. Its methods may be called from several goroutines at once.
type Dialer struct {
	// Stack carries the connections.
	Stack *Stack
	// Timeout is the longest that a dial takes, over all addresses of a name;
	// zero means no limit.
	Timeout time.Duration
	// Deadline is when dials fail; zero means never.
	Deadline time.Time
	// LocalAddr is the address to connect from; nil lets the provider choose.
	LocalAddr net.Addr
	// KeepAlive is the idle time and interval of keep-alive probes: zero means
	// 15 s, below zero none.
	KeepAlive time.Duration
	// Resolver looks names up; nil means net.DefaultResolver.
	Resolver *net.Resolver
	// Protocol is the catalog entry to use, from WSAEnumProtocols; nil takes
	// the first entry of the catalog that fits the network.
	Protocol *spi.ProtocolInfo
	// Control, if set, is called with each new socket before it is bound and
	// connected, to set options through the thread of Stack.DLL().Unbound().
	// Its error ends the dial.
	Control func(ctx context.Context, network, address string, s spi.Socket) error
}

// Dial is [Dialer.DialContext] with context.Background.
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext connects to an address and returns a *[Conn] or, for the udp
// networks, a *[PacketConn]. When a name has several addresses it tries one
// after the other, each with its share of the time that is left. When ctx ends
// first the socket is closed and the error matches ctx.Err().
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	p, err := parseNetwork(network)
	if err != nil {
		return nil, d.opError(network, nil, err)
	}
	if deadline := d.deadline(ctx, time.Now()); !deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	targets, err := p.resolve(ctx, d.resolver(), address, false)
	if err != nil {
		return nil, d.opError(network, nil, contextError(err))
	}
	var first error
	for i := range targets {
		conn, err := d.dialShare(ctx, &p, &targets[i], len(targets)-i)
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = d.opError(network, targets[i].addr, contextError(err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

func (d *Dialer) deadline(ctx context.Context, now time.Time) time.Time {
	earliest := d.Deadline
	if d.Timeout != 0 {
		if t := now.Add(d.Timeout); earliest.IsZero() || t.Before(earliest) {
			earliest = t
		}
	}
	if t, ok := ctx.Deadline(); ok && (earliest.IsZero() || t.Before(earliest)) {
		earliest = t
	}
	return earliest
}

func (d *Dialer) resolver() *net.Resolver {
	if d.Resolver != nil {
		return d.Resolver
	}
	return net.DefaultResolver
}

func (d *Dialer) opError(network string, addr net.Addr, err error) error {
	return &net.OpError{Op: "dial", Net: network, Source: d.LocalAddr, Addr: addr, Err: err}
}

// leastShare is the shortest time that one of several addresses gets, while
// there is that much.
const leastShare = 2 * time.Second

// dialShare dials with an equal share of the time that ctx leaves for this
// and the other addresses.
func (d *Dialer) dialShare(ctx context.Context, p *protocol, t *target, addresses int) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok && addresses > 1 {
		left := time.Until(deadline)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, max(left/time.Duration(addresses), min(left, leastShare)))
		defer cancel()
	}
	for range selfConnects {
		conn, err := d.dialTarget(ctx, p, t)
		if err != nil || !selfConnected(conn) {
			return conn, err
		}
		conn.Close()
	}
	return d.dialTarget(ctx, p, t)
}

// selfConnects is how often a connection of a socket with itself, which TCP
// makes when the chosen local port is the one that was dialled, is given up.
const selfConnects = 2

func selfConnected(conn net.Conn) bool {
	local, ok := conn.LocalAddr().(*net.TCPAddr)
	remote, _ := conn.RemoteAddr().(*net.TCPAddr)
	return ok && remote != nil && local.Port == remote.Port && local.IP.Equal(remote.IP)
}

func (d *Dialer) dialTarget(ctx context.Context, p *protocol, t *target) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := d.Stack.socket(p, t.family, d.Protocol)
	if err != nil {
		return nil, err
	}
	if err := d.prepare(ctx, p, t, s); err != nil {
		s.discard()
		return nil, err
	}
	local, remote := s.localAddr(p), s.remoteAddr(p, t.addr)
	if err := s.ready(); err != nil {
		return nil, err
	}
	if p.typ == spi.SOCK_DGRAM {
		return newPacketConn(s, p, local, remote), nil
	}
	conn := newConn(s, p, local, remote)
	conn.setDefaults(d.KeepAlive)
	return conn, nil
}

// prepare makes a new socket a connected one.
func (d *Dialer) prepare(ctx context.Context, p *protocol, t *target, s *socket) error {
	if d.Control != nil {
		if err := d.Control(ctx, p.network, t.addr.String(), s.handle); err != nil {
			return err
		}
	}
	if d.LocalAddr != nil {
		name, err := p.localName(d.LocalAddr, t.family)
		if err != nil {
			return err
		}
		if err := s.stack.thread.Bind(s.handle, name); err != nil {
			return os.NewSyscallError("bind", err)
		}
	}
	return s.connect(ctx, t.name)
}

// localName returns the socket address of a dialer's LocalAddr.
func (p *protocol) localName(addr net.Addr, family int32) ([]byte, error) {
	mismatch := &net.AddrError{Err: "mismatched local address type", Addr: addr.String()}
	if family == spi.AF_UNIX {
		ua, ok := addr.(*net.UnixAddr)
		if !ok {
			return nil, mismatch
		}
		name, ok := spi.SockaddrUnix(ua.Name)
		if !ok {
			return nil, &net.AddrError{Err: "the path is too long for a unix socket", Addr: ua.Name}
		}
		return name, nil
	}
	if _, udp := addr.(*net.UDPAddr); udp != (p.typ == spi.SOCK_DGRAM) {
		return nil, mismatch
	}
	ap, ok := ipAddrPort(addr)
	if !ok {
		return nil, mismatch
	}
	if !ap.Addr().IsValid() {
		ip := netip.IPv4Unspecified()
		if family == spi.AF_INET6 {
			ip = netip.IPv6Unspecified()
		}
		ap = netip.AddrPortFrom(ip, ap.Port())
	}
	name, ok := appendSockaddr(nil, ap, family)
	if !ok {
		return nil, mismatch
	}
	return name, nil
}

// contextError turns the error of a context that has ended into package net's,
// which says what became of the dial and matches the context's.
func contextError(err error) error {
	switch {
	case errors.Is(err, net.ErrClosed):
		return net.ErrClosed
	case err == context.Canceled:
		return canceledError{}
	case err == context.DeadlineExceeded:
		return timeoutError{}
	}
	return err
}

type canceledError struct{}

func (canceledError) Error() string        { return "operation was canceled" }
func (canceledError) Is(target error) bool { return target == context.Canceled }

type timeoutError struct{}

func (timeoutError) Error() string   { return "i/o timeout" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }
func (timeoutError) Is(target error) bool {
	return target == context.DeadlineExceeded || target == os.ErrDeadlineExceeded
}
