package launch

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// known finds the connection of a trapped call's socket. When there is none
// the call goes on in the kernel; otherwise the caller must close fd.
func (s *server) known(n *notification) (c *connection, fd int) {
	if s.table.count.Load() == 0 {
		s.pass(n)
		return nil, -1
	}
	fd, err := borrowSocket(int(n.TID), int(int32(n.Args[0])))
	if err != nil {
		s.pass(n)
		return nil, -1
	}
	if cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE); err == nil && stillWaiting(s.listener, n.ID) {
		c = s.table.lookup(cookie)
	}
	if c == nil {
		_ = unix.Close(fd)
		s.pass(n)
		return nil, -1
	}
	return c, fd
}

// getpeername answers the address that the program asked for, where the kernel
// would name the host's end of the relay or the peer that a layer chose.
func (s *server) getpeername(n *notification) {
	c, fd := s.known(n)
	if c == nil {
		return
	}
	peer, errno := socketName(unix.SYS_GETPEERNAME, fd, c.domain)
	_ = unix.Close(fd)
	if errno != 0 {
		s.fail(n, errno)
		return
	}
	if peer == c.target {
		s.table.remove(c) // an IFS chain that did not redirect it
		s.pass(n)
		return
	}
	s.fail(n, storeValue(int(n.TID), n.Args[1], n.Args[2], sockaddrFor(c.domain, c.target), true))
}

// socketError answers SO_ERROR with the chain's error, once.
func (s *server) socketError(n *notification) {
	c, fd := s.known(n)
	if c == nil {
		return
	}
	c.mu.Lock()
	errno := c.errno
	if !c.ended || c.told || errno == 0 {
		c.mu.Unlock()
		_ = unix.Close(fd)
		s.pass(n)
		return
	}
	c.told = true
	c.mu.Unlock()
	s.table.remove(c)
	clearSocketError(fd)
	_ = unix.Close(fd)
	s.fail(n, storeValue(int(n.TID), n.Args[3], n.Args[4], binary.NativeEndian.AppendUint32(nil, uint32(errno)), false))
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
