package seccomp

import (
	"golang.org/x/sys/unix"

	"upcall.dev/launch/internal/chains"
	"upcall.dev/launch/internal/tally"
)

// A connect that the kernel goes on with after the call is counted when it shows
// how it has ended: that is when the program asks, or connects again. One of which
// nobody asks has got as far as the chain, and counts as without an error.

// underwayLocked leaves the outcome to be counted later; the caller holds c.mu, and
// has not answered the call.
func (s *Server) underwayLocked(c *connection, through *chains.Chains) {
	if s.Tally != nil {
		way := through.Way(c.domain, unix.SOCK_STREAM)
		c.underway, c.uncounted = true, &way
	}
}

// countUnderway counts the outcome, if that is still to be done.
func (s *Server) countUnderway(c *connection, errno unix.Errno) {
	if way := c.takeUncounted(); way != nil {
		s.count(c.use(), *way, errno)
	}
}

func (c *connection) takeUncounted() *chains.Way {
	c.mu.Lock()
	defer c.mu.Unlock()
	way := c.uncounted
	c.uncounted = nil
	return way
}

func (c *connection) isUncounted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.uncounted != nil
}

func (c *connection) use() tally.Use {
	return tally.Use{Place: tally.Place{Protocol: "tcp", Address: c.target}, Socket: c.cookie}
}

// takeKernelError takes the error of the program's socket for a program that asks
// for it, where it tells the outcome of what is still to be counted.
func (s *Server) takeKernelError(c *connection, fd int) unix.Errno {
	if !c.isUncounted() {
		return 0
	}
	value, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return 0
	}
	errno := unix.Errno(value)
	if errno != 0 || stateOf(fd) == tcpEstablished {
		s.countUnderway(c, errno)
	}
	return errno
}

// countRest counts what is left to be counted.
func (s *Server) countRest() {
	if s.Tally == nil {
		return
	}
	for _, c := range s.table.all() {
		s.countUnderway(c, 0)
	}
}
