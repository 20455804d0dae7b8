package chains

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
	"upcall.dev/wsnet"
)

// BindOwn binds a dup of the program's socket.
func (c *Chains) BindOwn(fd int, to netip.AddrPort) unix.Errno {
	return c.serverErrno(c.thread.Bind(spi.Socket(fd), spi.SockaddrFrom(to)))
}

// ListenOwn makes a dup of the program's bound socket listen.
func (c *Chains) ListenOwn(fd, backlog int) unix.Errno {
	err := c.thread.Listen(spi.Socket(fd), int32(min(max(backlog, 0), spi.SOMAXCONN-1)))
	if errors.Is(err, spi.WSAEISCONN) {
		return unix.EINVAL // as the kernel says it
	}
	return c.serverErrno(err)
}

// AcceptOwn takes a connection of a dup of the program's listening socket. It
// waits for one if that blocks; closing the dup by [Chains.ReleaseOwn] ends that
// with EINTR. The caller gives accepted up by ReleaseOwn.
func (c *Chains) AcceptOwn(fd int) (accepted int, peer netip.AddrPort, errno unix.Errno) {
	var name [spi.SizeofSockaddrStorage]byte
	length := int32(len(name))
	s, err := c.thread.Accept(spi.Socket(fd), name[:], &length)
	if err != nil {
		return -1, peer, c.serverErrno(err)
	}
	peer, _ = spi.AddrPortFrom(name[:max(0, min(int(length), len(name)))])
	return int(s), peer, 0
}

// serverErrno is what a program gets for an error of bind, listen or accept.
func (c *Chains) serverErrno(err error) unix.Errno {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, spi.WSAEWOULDBLOCK):
		return unix.EAGAIN
	case errors.Is(err, spi.WSAECONNRESET):
		return unix.ECONNABORTED // the peer of a connection that nobody has accepted
	case errors.Is(err, spi.WSAENOTSOCK):
		return unix.ENETDOWN
	}
	return c.Errno(err)
}

// Hold adds a holder for one who has the chains already; it ends by
// [Chains.Release].
func (c *Chains) Hold() *Chains {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holders++
	return c
}

// Sharing is how the program's socket shares its address.
type Sharing struct {
	V6Only    bool
	ReusePort bool // with other listening sockets
}

// Bind gives an address to a stream socket of the chain, in the place of a
// program's socket of that domain.
func (c *Chains) Bind(domain int, at netip.AddrPort, sharing Sharing) (*wsnet.Bound, unix.Errno) {
	network := "tcp4"
	if domain == unix.AF_INET6 && !at.Addr().Is4In6() {
		network = "tcp6"
	}
	lc := wsnet.ListenConfig{
		Stack: c.stack, KeepAlive: -1, // the program's own business
		Control: func(_ context.Context, network, _ string, s spi.Socket) error {
			c.takeUrgentInLine(s)
			if network == "tcp6" {
				// A provider without the option takes IPv6 alone.
				_ = c.thread.SetSockOpt(s, spi.IPPROTO_IPV6, spi.IPV6_V6ONLY, boolOption(sharing.V6Only))
			}
			if sharing.ReusePort {
				return c.thread.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_REUSEADDR, boolOption(true))
			}
			return nil
		},
	}
	b, err := lc.Bind(context.Background(), network, netip.AddrPortFrom(at.Addr().Unmap(), at.Port()).String())
	if err != nil {
		return nil, c.serverErrno(err)
	}
	return b, 0
}

// takeUrgentInLine keeps a byte that is sent out of band from being lost between
// two sockets that are joined: it arrives as one of the others. A provider
// without the option has no such bytes.
func (c *Chains) takeUrgentInLine(s spi.Socket) {
	_ = c.thread.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_OOBINLINE, boolOption(true))
}

func boolOption(on bool) []byte {
	if on {
		return []byte{1, 0, 0, 0}
	}
	return []byte{0, 0, 0, 0}
}

// Listen makes a bound socket listen; a backlog below zero is the longest.
func (c *Chains) Listen(b *wsnet.Bound, backlog int) (*wsnet.Listener, unix.Errno) {
	if backlog == 0 {
		backlog = 1
	}
	l, err := b.Listen(max(backlog, 0))
	if err != nil {
		return nil, c.serverErrno(err)
	}
	return l, 0
}

// Connect connects a bound socket. For a target of the other family, a mapped address
// to which a socket of IPv6 connects, another is bound in its place.
func (c *Chains) Connect(ctx context.Context, b *wsnet.Bound, to netip.AddrPort) (*wsnet.Conn, error) {
	own, isTCP := b.Addr().(*net.TCPAddr)
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if isTCP && (own.IP.To4() != nil) != to.Addr().Is4() {
		_ = b.Close()
		return c.DialFrom(ctx, own.AddrPort(), to)
	}
	return b.Connect(ctx, to)
}

// DialFrom is [Chains.Dial] from a local address, for a stream that is joined to the
// program's: bytes out of band arrive in line. The zero from lets the provider choose;
// an unspecified address is of the family of to, as for a socket of IPv6 that connects
// to a mapped address.
func (c *Chains) DialFrom(ctx context.Context, from, to netip.AddrPort) (*wsnet.Conn, error) {
	d := c.stack.Dialer()
	d.KeepAlive = -1
	d.Control = func(_ context.Context, _, _ string, s spi.Socket) error {
		c.takeUrgentInLine(s)
		return nil
	}
	if from.IsValid() {
		ip := from.Addr().Unmap()
		if ip.IsUnspecified() && to.Addr().Unmap().Is4() {
			ip = netip.IPv4Unspecified()
		}
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, from.Port()))
	}
	conn, err := d.DialContext(ctx, "tcp", netip.AddrPortFrom(to.Addr().Unmap(), to.Port()).String())
	if err != nil {
		return nil, err
	}
	return conn.(*wsnet.Conn), nil
}
