package seccomp

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// connectDatagram handles a connect(2) on a UDP socket; it owns fd.
func (s *Server) connectDatagram(n *notification, fd int, name sockaddr) {
	c := &datagramCall{s: s, n: n, fd: fd}
	defer c.end()
	switch carried, errno := c.describe(); {
	case errno != 0:
		s.fail(n, errno)
	case !carried:
		c.countName(name, 0)
		s.pass(n)
	case c.own():
		c.fail(c.countedConnect(name, c.connectOwn(name)))
	default:
		c.fail(c.countedConnect(name, c.connectJoined(name)))
	}
}

// connectOwn lets an IFS chain set the peer of the program's own socket.
func (c *datagramCall) connectOwn(name sockaddr) unix.Errno {
	if earlier := c.s.table.lookup(c.cookie); earlier != nil {
		c.s.table.remove(earlier)
	}
	if name.family() == unix.AF_UNSPEC { // ends the association
		return connectSocket(c.fd, name)
	}
	target, errno := c.peer(name)
	if errno != 0 {
		return errno
	}
	c.adopted = true
	if errno := c.through.ConnectOwn(c.fd, target); errno != 0 {
		return errno
	}
	if peer, errno := socketName(unix.SYS_GETPEERNAME, c.fd, c.domain); errno == 0 && peer != target {
		redirected := &connection{cookie: c.cookie, domain: c.domain, target: target, cancel: func() {}, done: make(chan struct{}), own: true}
		redirected.end(0)
		if c.s.table.add(redirected) == nil {
			c.s.settle(redirected, c.fd)
		}
	}
	return 0
}

// peer returns the address of a connect, checked as the kernel does.
func (c *datagramCall) peer(name sockaddr) (netip.AddrPort, unix.Errno) {
	mapped := false
	domain := c.domain
	if domain == unix.AF_INET6 && name.family() == unix.AF_INET {
		if c.v6only() {
			return netip.AddrPort{}, unix.EAFNOSUPPORT
		}
		domain, mapped = unix.AF_INET, true
	}
	to, errno := name.addrPort(domain)
	switch {
	case errno != 0:
		return to, errno
	case mapped:
		to = netip.AddrPortFrom(netip.AddrFrom16(to.Addr().As16()), to.Port())
	case to.Addr().Is4In6() && c.v6only():
		return to, unix.ENETUNREACH
	}
	return orLoopback(to), 0
}
