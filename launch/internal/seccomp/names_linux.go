package seccomp

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// known returns a dup of a trapped call's socket, which the caller closes, and
// the connection that is known of it, or nil.
func (s *Server) known(n *notification) (c *connection, fd int, ok bool) {
	fd, err := s.pidfds.borrow(int(n.TID), int(int32(n.Args[0])))
	if err != nil {
		return nil, -1, false
	}
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil || !stillWaiting(s.listener, n.ID) {
		_ = unix.Close(fd)
		return nil, -1, false
	}
	return s.table.lookup(cookie), fd, true
}

// getpeername answers the address that the program asked for, where the kernel
// would name the host's end of the relay or the peer that a layer chose.
func (s *Server) getpeername(n *notification) {
	if s.joinedSockets.count.Load() > 0 && (!s.letIn(n) || s.joinedPeerName(n)) {
		return
	}
	if s.table.telling.Load() == 0 {
		s.pass(n)
		return
	}
	c, fd, ok := s.known(n)
	if !ok {
		s.pass(n)
		return
	}
	if c == nil {
		_ = unix.Close(fd)
		s.pass(n)
		return
	}
	c.mu.Lock() // the socket of a connect that is failing is final then
	peer, errno := socketName(unix.SYS_GETPEERNAME, fd, c.domain)
	c.mu.Unlock()
	_ = unix.Close(fd)
	if errno != 0 {
		s.fail(n, errno)
		return
	}
	s.countUnderway(c, 0)
	if peer == c.target { // an IFS chain did not redirect it
		if !c.isOwed() {
			s.table.remove(c)
		}
		s.pass(n)
		return
	}
	if s.letIn(n) {
		s.fail(n, storeValue(int(n.TID), n.Args[1], n.Args[2], sockaddrFor(c.domain, c.target), true))
	}
}

// getsockname answers the address of the chain's socket for one that is joined to
// it.
func (s *Server) getsockname(n *notification) {
	if s.table.count.Load() == 0 && s.servers.count.Load() == 0 {
		s.maybeDatagram(n)
		return
	}
	fd, err := s.pidfds.borrow(int(n.TID), int(int32(n.Args[0])))
	if err != nil {
		s.pass(n)
		return
	}
	domain, at := s.ownName(fd)
	_ = unix.Close(fd)
	switch {
	case !at.IsValid():
		s.maybeDatagram(n)
	case stillWaiting(s.listener, n.ID):
		s.fail(n, storeValue(int(n.TID), n.Args[1], n.Args[2], sockaddrFor(domain, at), true))
	}
}

// ownName returns the address that a socket has in the chain, if it has one.
func (s *Server) ownName(fd int) (domain int, at netip.AddrPort) {
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		return 0, at
	}
	if c := s.table.lookup(cookie); c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.domain, c.local
	}
	if b := s.servers.lookup(cookie); b != nil {
		return b.domain, b.at
	}
	return 0, at
}

// socketError answers SO_ERROR with the chain's error, once.
func (s *Server) socketError(n *notification) {
	if s.table.telling.Load() == 0 && !s.receivers.missed.Load() {
		s.pass(n)
		return
	}
	c, fd, ok := s.known(n)
	if !ok {
		s.pass(n)
		return
	}
	errno := c.takeError()
	switch {
	case errno != 0:
	case c != nil:
		errno = s.takeKernelError(c, fd)
	case neverTried(fd):
		errno = unix.ECONNABORTED
	}
	if errno != 0 {
		clearSocketError(fd)
	}
	_ = unix.Close(fd)
	if errno == 0 {
		s.pass(n)
		return
	}
	if s.letIn(n) {
		s.fail(n, storeValue(int(n.TID), n.Args[3], n.Args[4], binary.NativeEndian.AppendUint32(nil, uint32(errno)), false))
	}
}

// takeError takes the error that the program is still to be told, if any.
func (c *connection) takeError() unix.Errno {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended || c.told || c.errno == 0 {
		return 0
	}
	c.told = true
	return c.errno
}

// neverTried reports whether a TCP socket is as new. A program asks such a one for
// its error when a signal has interrupted its connect in the moment before the host
// received it, as receivers.missed tells: it believes that the attempt goes on, and
// zero would mean that it has succeeded.
func neverTried(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.State == tcpClose && info.Segs_out == 0
}

// storeValue stores a value and its length in the program's memory as the
// kernel does for a value-result length: an address reports its whole
// length, an option the length stored.
func storeValue(tid int, at, lengthAt uint64, value []byte, wholeLength bool) unix.Errno {
	var length [4]byte
	if err := readMemory(tid, lengthAt, length[:]); err != nil {
		return unix.EFAULT
	}
	room := int32(binary.NativeEndian.Uint32(length[:]))
	if room < 0 {
		return unix.EINVAL
	}
	stored := value[:min(int(room), len(value))]
	if err := writeMemory(tid, at, stored); err != nil {
		return unix.EFAULT
	}
	result := len(stored)
	if wholeLength {
		result = len(value)
	}
	binary.NativeEndian.PutUint32(length[:], uint32(result))
	if err := writeMemory(tid, lengthAt, length[:]); err != nil {
		return unix.EFAULT
	}
	return 0
}
