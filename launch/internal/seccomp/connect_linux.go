package seccomp

import (
	"context"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/internal/lent"
)

// maxSockaddr is the longest address that connect(2) takes.
const maxSockaddr = unix.SizeofSockaddrAny

// programSocket is a dup of the program's socket.
type programSocket struct {
	fd, domain int
	protocol   int
	state      uint8 // enum tcp_state
	blocking   bool
	multipath  bool // MPTCP: SYN hold cannot hold it
}

// connect decides about one connect(2). Everything after the two reads from
// the program acts on copies.
func (s *Server) connect(n *notification) {
	if length := int32(n.Args[2]); length < 2 || length > maxSockaddr {
		s.pass(n) // the kernel refuses it
		return
	}
	tid := int(n.TID)
	name := make(sockaddr, int32(n.Args[2]))
	if err := readMemory(tid, n.Args[1], name); err != nil {
		s.memoryRefused(n, err)
		return
	}
	fd, pinned, err := s.pidfds.borrowPinned(tid, int(int32(n.Args[0])), n.opened)
	if err != nil {
		s.borrowRefused(n, err)
		return
	}
	if !pinned && !stillWaiting(s.listener, n.ID) {
		_ = unix.Close(fd)
		return
	}
	// What the socket is decides who carries the call, and not the family in the
	// address: the kernel would read that again.
	p, ok := describeSocket(fd)
	switch {
	case ok:
		s.connectTCP(n, p, name)
	case p.domain == unix.AF_UNIX:
		s.connectUnix(n, fd, name)
	default:
		s.connectDatagram(n, fd, name)
	}
}

// describeSocket reports whether fd is a TCP socket.
func describeSocket(fd int) (p programSocket, tcp bool) {
	p.fd = fd
	var err error
	if p.domain, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN); err != nil || p.domain != unix.AF_INET && p.domain != unix.AF_INET6 {
		return p, false
	}
	p.protocol, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil || p.protocol != unix.IPPROTO_TCP && p.protocol != unix.IPPROTO_MPTCP {
		return p, false
	}
	p.multipath = p.protocol == unix.IPPROTO_MPTCP
	var errno unix.Errno
	if p.state, errno = tcpState(fd); errno != 0 && !p.multipath {
		return p, false // a raw socket has a protocol too
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	p.blocking = err == nil && flags&unix.O_NONBLOCK == 0
	return p, true
}

// connectTCP owns p.fd.
func (s *Server) connectTCP(n *notification, p programSocket, name sockaddr) {
	cookie, err := unix.GetsockoptUint64(p.fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		_ = unix.Close(p.fd)
		s.fail(n, errnoOf(err))
		return
	}
	earlier := s.table.lookup(cookie)
	if name.family() == unix.AF_UNSPEC { // ends the association
		if earlier != nil {
			earlier.cancel()
			s.table.remove(earlier)
			s.countUnderway(earlier, 0)
		}
		errno := connectSocket(p.fd, name)
		_ = unix.Close(p.fd)
		s.fail(n, errno)
		return
	}
	target, errno := name.addrPort(p.domain)
	if errno == 0 && p.domain == unix.AF_INET6 {
		errno = s.checkFamily(p, cookie, target.Addr())
	}
	if errno != 0 {
		_ = unix.Close(p.fd)
		s.fail(n, errno)
		return
	}
	switch {
	case earlier != nil && s.connectAgain(n, p, earlier):
		return
	case earlier == nil && p.state != tcpClose:
		s.fail(n, connectStarted(p))
		return
	}
	s.streamCalls.release(s.listener, nil) // nobody listens who has been killed
	s.servers.endClosedAt(target.Port())
	through, err := s.chainsOf(int(n.TID))
	if err != nil {
		_ = unix.Close(p.fd)
		s.countUnstarted("tcp", cookie, target)
		s.reported.once(err.Error(), func() { s.Log(fmt.Sprintf("%v; the program's connect fails with ENETDOWN", err)) })
		s.fail(n, unix.ENETDOWN)
		return
	}
	c := &connection{
		cookie: cookie, domain: p.domain, target: orLoopback(target), done: make(chan struct{}),
		own: through.ConnectsOwn(p.domain, unix.SOCK_STREAM) && (p.blocking || !through.Handshakes(p.domain)),
	}
	attempt := &attempt{s: s, n: *n, c: c, chains: through, socket: p, started: time.Now()}
	ctx := context.Background()
	if !c.own {
		ctx, c.cancel = context.WithCancel(ctx)
	} else {
		c.cancel = attempt.abandon
		attempt.lent = lent.Socket{Domain: p.domain, Protocol: p.protocol, Cookie: cookie, Nonblocking: !p.blocking}
	}
	if other := s.table.add(c); other != nil { // two threads at once
		if !c.own {
			c.cancel()
		}
		through.Release()
		if !s.connectAgain(n, p, other) {
			_ = unix.Close(p.fd)
			s.fail(n, unix.EALREADY)
		}
		return
	}
	if s.isClosing() { // connects have been cancelled, this one perhaps not
		c.cancel()
	}
	if c.own {
		attempt.connectOwn()
	} else {
		attempt.connectJoined(ctx)
	}
	s.countConnect(c, through)
}

// orLoopback does what the kernel does with a connect to no address in
// particular.
func orLoopback(target netip.AddrPort) netip.AddrPort {
	ip := target.Addr()
	switch {
	case ip.Is4In6() && ip.Unmap().IsUnspecified():
		return netip.AddrPortFrom(netip.AddrFrom16(loopbacks[0].As16()), target.Port())
	case ip.Is4() && ip.IsUnspecified():
		return netip.AddrPortFrom(loopbacks[0], target.Port())
	case ip.IsUnspecified():
		return netip.AddrPortFrom(loopbacks[1], target.Port())
	}
	return target
}

// checkFamily does what the kernel does with an address whose kind an IPv6 socket
// has no route to.
func (s *Server) checkFamily(p programSocket, cookie uint64, target netip.Addr) unix.Errno {
	var only6, only4 bool
	if b := s.servers.lookup(cookie); b != nil { // the program's own socket has another address
		ip := b.at.Addr()
		only6, only4 = b.sharing.V6Only || ip.Is6() && !ip.IsUnspecified(), ip.Is4()
	} else {
		only6 = target.Is4In6() && isV6Only(p.fd)
	}
	switch {
	case target.Is4In6() && only6:
		return unix.ENETUNREACH
	case !target.Is4In6() && only4:
		return unix.EAFNOSUPPORT
	}
	return 0
}

func isV6Only(fd int) bool {
	only, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
	return err == nil && only != 0
}

// connectAgain answers a connect on a socket whose earlier one is known. It
// reports false, and leaves p to the caller, when it is a connect from the start.
func (s *Server) connectAgain(n *notification, p programSocket, c *connection) bool {
	state := stateOf(p.fd)
	c.mu.Lock()
	ended, errno, told := c.ended || state == tcpEstablished && !p.blocking, c.errno, c.told
	if ended && errno != 0 {
		c.told = true
	}
	owed := c.owed && state != tcpClose
	c.owed = false
	c.mu.Unlock()
	switch {
	case !ended && !p.blocking:
		_ = unix.Close(p.fd)
		s.fail(n, unix.EALREADY)
	case !ended:
		again := &attempt{s: s, n: *n, c: c, socket: p, started: time.Now(), follower: true}
		again.watch()
		<-c.done
		again.unwatch()
		if c.isNative() && !again.answered.Load() {
			again.answer(connectStarted(p))
			return true
		}
		again.answerOutcome()
		_ = unix.Close(p.fd)
	case owed:
		_ = unix.Close(p.fd)
		s.fail(n, 0)
	case errno != 0 && !told:
		clearSocketError(p.fd)
		_ = unix.Close(p.fd)
		s.fail(n, errno)
	case state == tcpClose:
		s.table.remove(c)
		c.takeUncounted() // the kernel answers this connect with its error
		return false
	default:
		errno := connectStarted(p)
		if errno == 0 || errno == unix.EISCONN {
			s.countUnderway(c, 0)
		}
		s.fail(n, errno)
	}
	return true
}

// connectStarted answers a connect on a socket that has been connected, or is on the
// way to it, by the kernel alone: 0 the first time and then EISCONN, or the error that
// the socket has. It owns p.fd.
func connectStarted(p programSocket) unix.Errno {
	// The address counts only should the socket have been disconnected just now:
	// then nobody answers there.
	errno := connectSocket(p.fd, sockaddrFor(p.domain, netip.AddrPortFrom(loopbacks[0], 0)))
	_ = unix.Close(p.fd)
	return errno
}

// States of enum tcp_state.
const (
	tcpEstablished = 1
	tcpClose       = 7
	tcpListen      = 10
)

func stateOf(fd int) uint8 {
	state, _ := tcpState(fd)
	return state // where it is not to be had, connect(2) itself says what is wrong
}

// tcpState is the state of a TCP socket, tcpClose with an error.
func tcpState(fd int) (state uint8, errno unix.Errno) {
	length := uint32(unsafe.Sizeof(state)) // it is the first of struct tcp_info
	_, _, errno = unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.IPPROTO_TCP, unix.TCP_INFO, uintptr(unsafe.Pointer(&state)), uintptr(unsafe.Pointer(&length)), 0)
	if errno != 0 {
		return tcpClose, errno
	}
	return state, 0
}

func clearSocketError(fd int) { _, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR) }

// borrowRefused answers a connect whose socket cannot be had.
func (s *Server) borrowRefused(n *notification, err error) {
	switch errno := errnoOf(err); errno {
	case unix.EPERM:
		s.refusedOnce(n, err)
		s.fail(n, unix.EACCES)
	case unix.EMFILE, unix.ENFILE:
		s.reported.once("descriptors", func() {
			s.Log(fmt.Sprintf("no descriptor is left (%v): the program's connect fails with it; raise the limit with ulimit -n", errno))
		})
		s.fail(n, errno)
	default:
		s.fail(n, errno)
	}
}

func (s *Server) memoryRefused(n *notification, err error) {
	errno := errnoOf(err)
	if errno == unix.EPERM || errno == unix.ENOSYS {
		s.refusedOnce(n, unix.EPERM)
		errno = unix.EACCES
	}
	s.fail(n, errno)
}

func (s *Server) refusedOnce(n *notification, err error) {
	s.countUnseen(unix.EACCES)
	process := processName(int(n.TID))
	s.reported.once("refused "+process, func() {
		s.Log(tracingError(process, err).Error() + "; its connects fail with EACCES")
	})
}
