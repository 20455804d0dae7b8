package seccomp

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/internal/chains"
	"upcall.dev/launch/internal/tally"
)

// What becomes of sockets is entered here. Without a Tally nothing is looked at.

// count enters a use by its outcome: an errno other than zero is a refusal, and
// sockets that need no chain have passed by.
func (s *Server) count(u tally.Use, way chains.Way, errno unix.Errno) {
	switch errno {
	case 0, unix.EINPROGRESS:
		u.Outcome, u.How = tally.Carried, way.Name
		if way.Carriage == chains.Untouched {
			u.Outcome = tally.PassedBy
		}
	default:
		u.Outcome, u.How = tally.Refused, unix.ErrnoName(errno)
	}
	u.Address = unmapped(u.Address)
	s.Tally.Count(u)
}

// countConnect enters the outcome of a TCP connect that has ended with its call.
func (s *Server) countConnect(c *connection, through *chains.Chains) {
	if s.Tally == nil {
		return
	}
	c.mu.Lock()
	errno, underway := c.errno, c.underway
	c.mu.Unlock()
	if !underway {
		s.count(c.use(), through.Way(c.domain, unix.SOCK_STREAM), errno)
	}
}

// countUnstarted enters a connect that no chain could be started for.
func (s *Server) countUnstarted(protocol string, cookie uint64, target netip.AddrPort) {
	s.count(tally.Use{Place: tally.Place{Protocol: protocol, Address: target}, Socket: cookie}, chains.Way{}, unix.ENETDOWN)
}

// countListener enters a listening socket that is the kernel's business.
func (s *Server) countListener(fd int, at netip.AddrPort) {
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err == nil {
		s.count(tally.Use{Place: tally.Place{Protocol: "tcp", Direction: tally.At, Address: at}, Socket: cookie}, chains.Way{Name: chains.KernelAlone}, 0)
	}
}

// counted enters what a TCP server has asked for.
func (c *streamCall) counted(direction tally.Direction, at netip.AddrPort, errno unix.Errno) unix.Errno {
	if c.s.Tally != nil {
		cookie := c.cookie()
		if direction == tally.Accepted {
			cookie = 0 // of the listening socket
		}
		c.s.count(tally.Use{Place: tally.Place{Protocol: "tcp", Direction: direction, Address: at}, Socket: cookie},
			c.through.Way(c.socket.domain, unix.SOCK_STREAM), errno)
	}
	return errno
}

// countedListen is counted for a listen.
func (c *streamCall) countedListen(errno unix.Errno) unix.Errno {
	return c.counted(tally.At, c.ownAddress(), errno)
}

// countedBind is counted for a bind that is refused; one that is not comes to
// something by listening or connecting.
func (c *streamCall) countedBind(at netip.AddrPort, errno unix.Errno) unix.Errno {
	if errno == 0 {
		return 0
	}
	return c.counted(tally.At, at, errno)
}

// ownAddress is what the program takes for its socket's address.
func (c *streamCall) ownAddress() netip.AddrPort {
	if c.s.Tally == nil {
		return netip.AddrPort{}
	}
	if b := c.s.servers.lookup(c.cookie()); b != nil {
		return b.at
	}
	at, _ := socketName(unix.SYS_GETSOCKNAME, c.socket.fd, c.socket.domain)
	return at
}

// counted enters what has become of a carried UDP socket's connect, bind or send.
func (c *datagramCall) counted(direction tally.Direction, at netip.AddrPort, datagrams uint64, errno unix.Errno) unix.Errno {
	if c.s.Tally != nil && errno != unix.EAGAIN {
		u := tally.Use{Place: tally.Place{Protocol: "udp", Direction: direction, Address: at}, Socket: c.cookie, Datagrams: datagrams}
		var way chains.Way
		switch {
		case c.through != nil:
			way = c.through.Way(c.domain, unix.SOCK_DGRAM)
		case c.joined != nil:
			way = c.joined.through.Way(c.domain, unix.SOCK_DGRAM)
		}
		c.s.count(u, way, errno)
	}
	return errno
}

// countedConnect is counted for a connect, unless it ends an association.
func (c *datagramCall) countedConnect(name sockaddr, errno unix.Errno) unix.Errno {
	if c.s.Tally == nil || name.family() == unix.AF_UNSPEC {
		return errno
	}
	to, _ := c.peer(name)
	return c.counted(tally.To, to, 0, errno)
}

// countedBind is counted for a bind to an address, which the socket then has.
func (c *datagramCall) countedBind(at netip.AddrPort, errno unix.Errno) unix.Errno {
	if c.s.Tally != nil && errno == 0 {
		if c.joined != nil {
			at, _ = c.joined.chain.LocalAddr()
		} else {
			at, _ = socketName(unix.SYS_GETSOCKNAME, c.fd, c.domain)
		}
	}
	return c.counted(tally.At, at, 0, errno)
}

// countUncarried enters a call on a UDP socket that goes on as if nobody had
// asked.
func (s *Server) countUncarried(n *notification) {
	if s.Tally == nil {
		return
	}
	fd, err := s.pidfds.borrow(int(n.TID), int(int32(n.Args[0])))
	if err != nil {
		return // nor can it be seen whether it is a UDP socket; its making was
	}
	c := &datagramCall{s: s, n: n, fd: fd}
	defer c.end()
	if !c.isUDP() {
		return
	}
	if c.cookie, err = unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE); err == nil {
		c.countUncarried()
	}
}

// countUncarried reads the addresses of the call.
func (c *datagramCall) countUncarried() {
	if c.s.Tally == nil {
		return
	}
	n := c.n
	switch n.Call {
	case unix.SYS_BIND:
		c.countNameAt(n.Args[1], uint32(n.Args[2]), 0)
	case unix.SYS_SENDTO:
		c.countNameAt(n.Args[4], uint32(n.Args[5]), 1)
	case unix.SYS_SENDMSG:
		c.countMessage(n.Args[1])
	case unix.SYS_SENDMMSG:
		for i := range uint64(min(uint32(n.Args[2]), maxVectors)) {
			c.countMessage(n.Args[1] + i*sizeofMultipleHeader)
		}
	}
}

func (c *datagramCall) countMessage(at uint64) {
	if h, errno := readHeader(int(c.n.TID), at); errno == 0 {
		c.countNameAt(h.name, h.nameLength, 1)
	}
}

func (c *datagramCall) countNameAt(at uint64, length uint32, datagrams uint64) {
	if name, errno := readName(int(c.n.TID), at, length); errno == 0 {
		c.countName(name, datagrams)
	}
}

// countName enters a connect, bind or send that the kernel goes on with.
func (c *datagramCall) countName(name sockaddr, datagrams uint64) {
	if c.s.Tally == nil || c.cookie == 0 || len(name) < 2 || name.family() == unix.AF_UNSPEC {
		return
	}
	p := tally.Place{Protocol: "udp", Outcome: tally.PassedBy, How: chains.KernelAlone}
	if c.through != nil {
		p.How = c.through.Way(c.domain, unix.SOCK_DGRAM).Name
	}
	var errno unix.Errno
	if c.n.Call == unix.SYS_BIND {
		p.Direction = tally.At
		p.Address, errno = name.bindAddress(c.domain)
	} else {
		p.Address, _, errno = destination(name, c.domain, func() bool { return false })
	}
	if errno == 0 { // else the kernel refuses it
		p.Address = unmapped(p.Address)
		c.s.Tally.Count(tally.Use{Place: p, Socket: c.cookie, Datagrams: datagrams})
	}
}

// countUnix enters a connect to a Unix socket: whoever is there may pass on what
// it gets.
func (s *Server) countUnix(n *notification, name sockaddr, errno unix.Errno) {
	if s.Tally == nil || name.family() != unix.AF_UNIX {
		return
	}
	p := tally.Place{Protocol: "unix", Path: unixPath(name), Outcome: tally.PassedBy, How: "Unix sockets are not carried"}
	if errno == 0 && nobodyAt(int(n.TID), p.Path) {
		return
	}
	if errno != 0 {
		p.Outcome, p.How = tally.Refused, unix.ErrnoName(errno)
	}
	s.Tally.Count(tally.Use{Place: p})
}

// countUnixJudged enters what a chain has decided about a Unix socket.
func (s *Server) countUnixJudged(c *unixCall, call chains.UnixCall, path string, errno unix.Errno) {
	if s.Tally == nil {
		return
	}
	u := tally.Use{Place: tally.Place{Protocol: "unix", Path: path}}
	u.Socket, _ = unix.GetsockoptUint64(c.fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	switch call {
	case chains.UnixSend:
		u.Datagrams = 1
	case chains.UnixBind, chains.UnixListen:
		u.Direction = tally.At
	}
	s.count(u, c.through.Way(unix.AF_UNIX, unix.SOCK_STREAM), errno)
}

// unixPath is the address of a Unix socket as people write it, an abstract one
// with an @.
func unixPath(name sockaddr) string {
	text := name[2:]
	if len(text) > 0 && text[0] == 0 {
		return "@" + string(text[1:])
	}
	for i, b := range text {
		if b == 0 {
			return string(text[:i])
		}
	}
	return string(text)
}

// nobodyAt reports whether there is no file at a path as a thread sees it, so
// that the kernel refuses the connect.
func nobodyAt(tid int, path string) bool {
	from := "root"
	switch {
	case path == "" || path[0] == '@':
		return false
	case path[0] != '/':
		from = "cwd"
	}
	_, err := os.Lstat(fmt.Sprintf("/proc/%d/%s/%s", tid, from, path))
	return errors.Is(err, fs.ErrNotExist)
}

// countUnseen enters a call whose socket or address the kernel does not let the
// host see, and which is therefore refused.
func (s *Server) countUnseen(errno unix.Errno) {
	s.count(tally.Use{Place: tally.Place{Protocol: "-"}}, chains.Way{}, errno)
}
