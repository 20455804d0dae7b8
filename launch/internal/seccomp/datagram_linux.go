package seccomp

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/internal/chains"
)

// datagramCall is a trapped call on a UDP socket that a chain carries.
type datagramCall struct {
	s        *Server
	n        *notification
	fd       int // a dup of the program's socket; closed by end
	domain   int
	cookie   uint64
	blocking bool
	through  *chains.Chains
	adopted  bool          // the chain knows fd
	joined   *joinedSocket // what is known of the socket, if it is joined
	borrower borrower
}

// maybeDatagram handles calls that are trapped for the sake of UDP sockets. All
// other sockets' go on as if nobody had asked.
func (s *Server) maybeDatagram(n *notification) {
	if s.traps.Datagrams == chains.Untouched && n.Call != unix.SYS_GETSOCKNAME { // stopped to be told of
		s.countUncarried(n)
		s.pass(n)
		return
	}
	c, ok := s.datagramCall(n)
	if !ok {
		return
	}
	defer c.end()
	switch n.Call {
	case unix.SYS_SENDTO:
		c.sendTo()
	case unix.SYS_SENDMSG:
		c.sendMessage()
	case unix.SYS_SENDMMSG:
		c.sendMessages()
	case unix.SYS_RECVFROM:
		c.receiveFrom()
	case unix.SYS_RECVMSG:
		c.receiveMessage()
	case unix.SYS_RECVMMSG:
		c.receiveMessages()
	case unix.SYS_BIND:
		c.bind()
	case unix.SYS_GETSOCKNAME:
		c.localName()
	default:
		s.pass(n)
	}
}

// datagramCall looks at the socket of a call. It answers the call and reports
// false when it is none of the chains' business.
func (s *Server) datagramCall(n *notification) (c *datagramCall, ok bool) {
	c = &datagramCall{s: s, n: n}
	s.datagramCalls.enter(&c.borrower, n.ID)
	var err error
	if c.fd, err = s.pidfds.borrow(int(n.TID), int(int32(n.Args[0]))); err != nil {
		s.datagramCalls.leave(&c.borrower)
		s.datagramRefused(n, err)
		return nil, false
	}
	carried, errno := c.describe()
	switch {
	case !stillWaiting(s.listener, n.ID):
	case errno != 0:
		c.fail(errno)
	case !carried && c.domain == unix.AF_UNIX && s.traps.Unix:
		fd := c.fd
		c.fd = -1
		c.end()
		s.unixDatagram(n, fd)
	case !carried:
		c.countUncarried()
		c.pass()
	default:
		return c, true
	}
	c.end()
	return nil, false
}

// unixDatagram handles calls on Unix sockets, of which it owns the dup, among those
// that are trapped for the sake of datagrams.
func (s *Server) unixDatagram(n *notification, fd int) {
	c := s.unixCall(n, fd, nil)
	if c == nil {
		return
	}
	defer c.end()
	switch n.Call {
	case unix.SYS_SENDTO, unix.SYS_SENDMSG, unix.SYS_SENDMMSG:
		c.send()
	case unix.SYS_BIND:
		c.bind()
	default:
		s.pass(n)
	}
}

func (c *datagramCall) describe() (carried bool, errno unix.Errno) {
	if !c.isUDP() {
		return false, 0
	}
	var err error
	if c.cookie, err = unix.GetsockoptUint64(c.fd, unix.SOL_SOCKET, unix.SO_COOKIE); err != nil {
		return false, errnoOf(err)
	}
	if c.joined = c.s.joinedSockets.lookup(c.cookie); c.joined == nil {
		if c.through, err = c.s.chainsOf(int(c.n.TID)); err != nil {
			c.s.countUnstarted("udp", c.cookie, netip.AddrPort{})
			c.s.reported.once(err.Error(), func() { c.s.Log(fmt.Sprintf("%v; what the program does with UDP fails with ENETDOWN", err)) })
			return false, unix.ENETDOWN
		}
		carriage := c.through.Carriage(c.domain, unix.SOCK_DGRAM)
		if carriage == chains.Untouched || c.s.traps.Datagrams < carriage {
			return false, 0
		}
	}
	flags, err := unix.FcntlInt(uintptr(c.fd), unix.F_GETFL, 0)
	c.blocking = err == nil && flags&unix.O_NONBLOCK == 0
	return true, 0
}

func (c *datagramCall) isUDP() bool {
	var err error
	if c.domain, err = unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_DOMAIN); err != nil || c.domain != unix.AF_INET && c.domain != unix.AF_INET6 {
		return false
	}
	protocol, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil || protocol != unix.IPPROTO_UDP {
		return false
	}
	kind, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil && kind == unix.SOCK_DGRAM // a raw socket has a protocol too
}

// end frees what the call holds. It may be called again.
func (c *datagramCall) end() {
	switch {
	case c.fd < 0:
	case c.adopted:
		c.through.ReleaseOwn(c.fd)
	default:
		_ = unix.Close(c.fd)
	}
	c.fd = -1
	c.s.datagramCalls.leave(&c.borrower)
	if c.through != nil {
		c.through.Release()
		c.through = nil
	}
}

// own reports whether the chain works on the program's socket itself.
func (c *datagramCall) own() bool {
	return c.joined == nil && c.through.Carriage(c.domain, unix.SOCK_DGRAM) == chains.Own
}

// fail answers an errno, or success for zero, after what the call holds is freed: a
// program that closes its socket then may want the address again at once.
func (c *datagramCall) fail(errno unix.Errno) {
	c.end()
	c.s.fail(c.n, errno)
}

// pass lets the kernel go on with the call, after what it holds is freed.
func (c *datagramCall) pass() {
	c.end()
	c.s.pass(c.n)
}

// result answers a count, or an errno.
func (c *datagramCall) result(n int, errno unix.Errno) {
	if errno != 0 {
		c.fail(errno)
		return
	}
	c.end()
	_ = respond(c.s.listener, &answer{ID: c.n.ID, Value: int64(n)})
}

// datagramRefused answers a call whose socket cannot be had. What sends or binds
// might go around the chain and fails; what only asks goes on.
func (s *Server) datagramRefused(n *notification, err error) {
	switch n.Call {
	case unix.SYS_SENDTO, unix.SYS_SENDMSG, unix.SYS_SENDMMSG, unix.SYS_BIND:
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
			s.borrowRefused(n, err)
			return
		}
	}
	s.pass(n)
}
