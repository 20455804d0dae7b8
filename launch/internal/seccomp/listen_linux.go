package seccomp

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/internal/chains"
)

// streamCall is a trapped call on a TCP socket that a chain carries.
type streamCall struct {
	s        *Server
	n        *notification
	socket   programSocket
	through  *chains.Chains
	carriage chains.Carriage
	adopted  bool // the chain knows the dup
	ended    bool // end has been called
	borrower borrower
}

// streamCall looks at the socket of a call: nil when the call has been answered,
// or when the socket is another's business, which then other answers.
func (s *Server) streamCall(n *notification, other func(*notification)) *streamCall {
	c := &streamCall{s: s, n: n}
	s.streamCalls.enter(&c.borrower, n.ID)
	fd, err := s.pidfds.borrow(int(n.TID), int(int32(n.Args[0])))
	if err != nil {
		s.streamCalls.leave(&c.borrower)
		s.borrowRefused(n, err)
		return nil
	}
	c.socket.fd = fd
	if !stillWaiting(s.listener, n.ID) {
		c.end()
		return nil
	}
	p, ok := describeSocket(fd)
	if !ok {
		c.end()
		other(n)
		return nil
	}
	through, err := s.chainsOf(int(n.TID))
	if err != nil {
		c.end()
		s.countUnstarted("tcp", 0, netip.AddrPort{})
		s.reported.once(err.Error(), func() { s.Log(fmt.Sprintf("%v; the program's servers fail with ENETDOWN", err)) })
		s.fail(n, unix.ENETDOWN)
		return nil
	}
	c.socket, c.through, c.carriage = p, through, through.Carriage(p.domain, unix.SOCK_STREAM)
	if c.carriage == chains.Untouched {
		if c.end(); n.Call == unix.SYS_LISTEN {
			s.reportListener(n)
		}
		s.pass(n)
		return nil
	}
	return c
}

// end frees what the call holds, once.
func (c *streamCall) end() {
	if c.ended {
		return
	}
	c.ended = true
	if c.adopted {
		c.through.ReleaseOwn(c.socket.fd)
	} else {
		_ = unix.Close(c.socket.fd)
	}
	c.s.streamCalls.leave(&c.borrower)
	if c.through != nil {
		c.through.Release()
	}
}

// fail answers the call, after what it holds is freed: a program that closes its
// socket then may want the address again at once.
func (c *streamCall) fail(errno unix.Errno) {
	c.end()
	c.s.fail(c.n, errno)
}

// bind gives a socket its address through the chain.
func (s *Server) bind(n *notification) {
	if s.traps.Streams == chains.Untouched {
		s.maybeDatagram(n)
		return
	}
	c := s.streamCall(n, s.maybeDatagram)
	if c == nil {
		return
	}
	defer c.end()
	length := int32(n.Args[2])
	if length < 0 || length > maxSockaddr {
		c.fail(unix.EINVAL)
		return
	}
	name := make(sockaddr, length)
	if err := readMemory(int(n.TID), n.Args[1], name); err != nil {
		s.memoryRefused(n, err)
		return
	}
	at, errno := name.bindAddress(c.socket.domain)
	switch {
	case errno != 0:
		c.fail(errno)
	case c.carriage == chains.Own:
		c.adopted = true
		c.fail(c.countedBind(at, c.againIfInUse(func() unix.Errno { return c.through.BindOwn(c.socket.fd, at) })))
	default:
		_, errno := c.bindJoined(at)
		c.fail(c.countedBind(at, errno))
	}
}

// bindAddress checks the address for a socket of the given domain as bind(2)
// does, which takes the family 0 with the address 0.0.0.0.
func (s sockaddr) bindAddress(domain int) (netip.AddrPort, unix.Errno) {
	if domain == unix.AF_INET && s.family() == unix.AF_UNSPEC && len(s) >= sizeofSockaddrIn {
		inet := append(sockaddr(nil), s...)
		inet[0], inet[1] = unix.AF_INET, 0
		if at, errno := inet.addrPort(domain); errno != 0 || at.Addr().IsUnspecified() {
			return at, errno
		}
	}
	return s.addrPort(domain)
}

// listen makes a socket listen through the chain. One without an address gets
// one first, as from the kernel.
func (s *Server) listen(n *notification) {
	c := s.streamCall(n, s.listenOther)
	if c == nil {
		return
	}
	defer c.end()
	switch c.carriage {
	case chains.Own:
		c.fail(c.countedListen(c.listenOwn()))
	default:
		c.fail(c.countedListen(c.listenJoined()))
	}
}

// listenOther handles the listening of sockets that are not of TCP.
func (s *Server) listenOther(n *notification) {
	if !s.traps.Unix {
		s.pass(n)
		return
	}
	fd, err := s.pidfds.borrow(int(n.TID), int(int32(n.Args[0])))
	if err != nil {
		s.borrowRefused(n, err)
		return
	}
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || domain != unix.AF_UNIX {
		_ = unix.Close(fd)
		s.pass(n)
		return
	}
	s.listenUnix(n, fd)
}

func (c *streamCall) listenOwn() unix.Errno {
	c.adopted = true
	fd, domain := c.socket.fd, c.socket.domain
	at, errno := socketName(unix.SYS_GETSOCKNAME, fd, domain)
	if errno != 0 {
		return errno
	}
	if at.Port() == 0 {
		if errno := c.through.BindOwn(fd, netip.AddrPortFrom(at.Addr(), 0)); errno != 0 {
			return errno
		}
	}
	return c.againIfInUse(func() unix.Errno { return c.through.ListenOwn(fd, int(int32(c.n.Args[1]))) })
}

// againIfInUse tries once more when only the host has kept the address from being
// free.
func (c *streamCall) againIfInUse(try func() unix.Errno) unix.Errno {
	errno := try()
	if errno == unix.EADDRINUSE {
		c.s.collectListeners(&c.borrower)
		errno = try()
	}
	return errno
}
