package seccomp

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// bind gives a UDP socket its address through the chain.
func (c *datagramCall) bind() {
	tid := int(c.n.TID)
	name, errno := readName(tid, c.n.Args[1], uint32(c.n.Args[2]))
	if errno != 0 {
		c.fail(errno)
		return
	}
	at, errno := name.bindAddress(c.domain)
	switch {
	case errno != 0:
		c.fail(errno)
	case c.own():
		c.adopted = true
		errno := c.through.BindOwn(c.fd, at)
		if errno == unix.EADDRINUSE { // perhaps only by a dup of the host's
			c.s.datagramCalls.release(c.s.listener, &c.borrower)
			errno = c.through.BindOwn(c.fd, at)
		}
		c.fail(c.countedBind(at, errno))
	case c.joined != nil:
		c.fail(unix.EINVAL)
	case at.Addr().Is4In6() && c.v6only():
		c.fail(unix.EINVAL)
	default:
		_, errno := c.join(at, true)
		c.fail(c.countedBind(at, errno))
	}
}

// localName answers getsockname with the address of the chain's socket.
func (c *datagramCall) localName() {
	if c.joined == nil {
		c.pass()
		return
	}
	at, errno := c.joined.chain.LocalAddr()
	if errno != 0 {
		c.fail(errno)
		return
	}
	c.storeName(at)
}

// joinedPeerName answers getpeername on a joined socket. It reports false for
// any other.
func (s *Server) joinedPeerName(n *notification) bool {
	fd, err := s.pidfds.borrow(int(n.TID), int(int32(n.Args[0])))
	if err != nil {
		return false
	}
	c := &datagramCall{s: s, n: n, fd: fd}
	defer c.end()
	if !c.isUDP() {
		return false
	}
	if c.cookie, err = unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE); err != nil || !stillWaiting(s.listener, n.ID) {
		return false
	}
	if c.joined = s.joinedSockets.lookup(c.cookie); c.joined == nil {
		return false
	}
	c.peerName()
	return true
}

// peerName answers getpeername with the address that the program gave.
func (c *datagramCall) peerName() {
	var peer netip.AddrPort
	if c.joined != nil {
		c.joined.mu.Lock()
		peer = c.joined.peer
		c.joined.mu.Unlock()
	}
	if !peer.IsValid() {
		c.pass()
		return
	}
	c.storeName(peer)
}

func (c *datagramCall) storeName(a netip.AddrPort) {
	c.fail(storeValue(int(c.n.TID), c.n.Args[1], c.n.Args[2], sockaddrFor(c.domain, a), true))
}
