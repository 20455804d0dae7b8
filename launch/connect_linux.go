package launch

import (
	"context"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// maxSockaddr is the longest address that connect(2) takes.
const maxSockaddr = unix.SizeofSockaddrAny

// programSocket is a dup of the program's socket.
type programSocket struct {
	fd, domain int
	blocking   bool
}

// connect decides about one connect(2). Everything after the two reads from
// the program acts on copies.
func (s *server) connect(n *notification) {
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
	switch name.family() {
	case unix.AF_INET, unix.AF_INET6, unix.AF_UNSPEC:
	default:
		s.pass(n)
		return
	}
	fd, err := borrowSocket(tid, int(int32(n.Args[0])))
	if err != nil {
		s.borrowRefused(n, err)
		return
	}
	if !stillWaiting(s.listener, n.ID) {
		_ = unix.Close(fd)
		return
	}
	domain, tcp := socketKind(fd)
	if !tcp {
		_ = unix.Close(fd)
		if domain == unix.AF_INET || domain == unix.AF_INET6 {
			s.reportOnce(n, "connect", "connects a socket that is not TCP, which is not carried: it works as without upcall")
		}
		s.pass(n)
		return
	}
	s.connectTCP(n, programSocket{fd: fd, domain: domain, blocking: isBlocking(fd)}, name)
}

func socketKind(fd int) (domain int, tcp bool) {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || domain != unix.AF_INET && domain != unix.AF_INET6 {
		return domain, false
	}
	protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	return domain, err == nil && (protocol == unix.IPPROTO_TCP || protocol == unix.IPPROTO_MPTCP)
}

func isBlocking(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_NONBLOCK == 0
}

// connectTCP owns p.fd.
func (s *server) connectTCP(n *notification, p programSocket, name sockaddr) {
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
		}
		errno := connectSocket(p.fd, name)
		_ = unix.Close(p.fd)
		s.fail(n, errno)
		return
	}
	target, errno := name.addrPort(p.domain)
	if errno == 0 && target.Addr().Is4In6() && isV6Only(p.fd) {
		errno = unix.ENETUNREACH
	}
	if errno != 0 {
		_ = unix.Close(p.fd)
		s.fail(n, errno)
		return
	}
	if earlier != nil && s.connectAgain(n, p, earlier) {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &connection{
		cookie: cookie, domain: p.domain, target: target, cancel: cancel, done: make(chan struct{}),
		own: s.chain.connectsOwn(p.domain),
	}
	if other := s.table.add(c); other != nil { // two threads at once
		cancel()
		if !s.connectAgain(n, p, other) {
			_ = unix.Close(p.fd)
			s.fail(n, unix.EALREADY)
		}
		return
	}
	attempt := &attempt{s: s, n: *n, c: c, socket: p, started: time.Now()}
	if c.own {
		attempt.connectOwn()
	} else {
		attempt.connectJoined(ctx)
	}
}

func isV6Only(fd int) bool {
	only, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
	return err == nil && only != 0
}

// connectAgain answers a connect on a socket whose earlier one is known. It
// reports false, and leaves p to the caller, when it is a connect from the start.
func (s *server) connectAgain(n *notification, p programSocket, c *connection) bool {
	c.mu.Lock()
	ended, errno, told := c.ended, c.errno, c.told
	if ended && errno != 0 {
		c.told = true
	}
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
		again.answerOutcome()
		_ = unix.Close(p.fd)
	case errno != 0 && !told:
		s.table.remove(c)
		clearSocketError(p.fd)
		_ = unix.Close(p.fd)
		s.fail(n, errno)
	case c.own && !isUnconnected(p.fd):
		errno := s.chain.connectOwn(p.fd, c.target)
		s.chain.release(p.fd)
		s.fail(n, errno)
	case isUnconnected(p.fd):
		s.table.remove(c)
		return false
	default:
		// The kernel says 0 the first time and then EISCONN. The address
		// counts only should the socket have been disconnected just now: then
		// nobody answers there.
		errno := connectSocket(p.fd, sockaddrFor(p.domain, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)))
		_ = unix.Close(p.fd)
		s.fail(n, errno)
	}
	return true
}

const tcpClose = 7 // TCP_CLOSE of enum tcp_state

func isUnconnected(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.State == tcpClose
}

func clearSocketError(fd int) { _, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR) }

// attempt is one trapped connect(2) that takes its time.
type attempt struct {
	s        *server
	n        notification
	c        *connection
	socket   programSocket
	started  time.Time
	answered atomic.Bool
	timer    *time.Timer
	follower bool // waits for another attempt's outcome
}

// answer answers the system call, unless that has been done.
func (a *attempt) answer(errno unix.Errno) {
	if a.answered.CompareAndSwap(false, true) {
		a.s.fail(&a.n, errno)
	}
}

// answerOutcome answers with the connection's outcome, which the program then
// has been told.
func (a *attempt) answerOutcome() {
	if !a.answered.CompareAndSwap(false, true) {
		return
	}
	a.c.mu.Lock()
	errno := a.c.errno
	if errno != 0 {
		if a.c.told {
			errno = unix.ECONNABORTED // as the kernel does once the error is taken
		}
		a.c.told = true
	}
	a.c.mu.Unlock()
	if errno != 0 {
		a.s.table.remove(a.c)
	}
	a.s.fail(&a.n, errno)
}

// connectOwn lets an IFS chain connect the program's own socket.
func (a *attempt) connectOwn() {
	c, p := a.c, a.socket
	a.watch()
	errno := a.s.chain.connectOwn(p.fd, c.target)
	a.unwatch()
	peer, peerErrno := socketName(unix.SYS_GETPEERNAME, p.fd, p.domain)
	redirected := peerErrno != 0 || peer != c.target
	a.s.chain.release(p.fd)

	c.cancel()
	c.mu.Lock()
	if c.ended { // timed out meanwhile
		c.mu.Unlock()
		return
	}
	c.end(0)
	abandoned := a.answered.Load() // a signal: the program asks SO_ERROR
	switch {
	case errno == unix.EINPROGRESS, errno == 0 && redirected:
		a.s.table.settle(c)
	case errno != 0 && abandoned:
		c.errno = errno
		a.s.table.settle(c)
	default:
		a.s.table.remove(c)
	}
	c.mu.Unlock()
	a.answer(errno)
}

// connectJoined connects a socket of the chain and joins the program's to it.
func (a *attempt) connectJoined(ctx context.Context) {
	c, p := a.c, a.socket
	defer c.cancel()
	if !isUnconnected(p.fd) {
		a.refuse(unix.EISCONN)
		return
	}
	if !p.blocking {
		if errno := a.s.joiner.hold(p, c.target.Addr()); errno != unix.EINPROGRESS {
			a.refuse(errno)
			return
		}
		c.mu.Lock()
		c.held = true
		c.mu.Unlock()
		a.answer(unix.EINPROGRESS)
	}
	a.watch()
	remote, err := a.s.chain.dial(ctx, c.target)
	a.unwatch()

	c.mu.Lock()
	if c.ended { // timed out meanwhile
		c.mu.Unlock()
		_ = unix.Close(p.fd)
		if err == nil {
			reset(remote)
		}
		return
	}
	if err != nil {
		a.failLocked(connectErrno(err))
		c.mu.Unlock()
		_ = unix.Close(p.fd)
		a.answerIfBlocked()
		return
	}
	held := c.held
	c.joining = true
	c.mu.Unlock()

	local, errno := a.s.joiner.join(p, c.target.Addr(), held)
	c.mu.Lock()
	if errno != 0 {
		a.failLocked(errno)
	} else {
		c.end(0)
	}
	c.mu.Unlock()
	_ = unix.Close(p.fd)
	if errno != 0 {
		reset(remote)
		a.answerIfBlocked()
		return
	}
	a.s.startRelay(c, local, remote)
	a.answer(0)
}

// refuse ends an attempt that has not begun.
func (a *attempt) refuse(errno unix.Errno) {
	a.c.mu.Lock()
	a.c.told = true
	a.c.end(errno)
	a.c.mu.Unlock()
	a.s.table.remove(a.c)
	_ = unix.Close(a.socket.fd)
	a.answer(errno)
}

// failLocked ends the connection with an errno. A socket in SYN hold is shut
// down, so that the program's poll reports an error and SO_ERROR is asked.
func (a *attempt) failLocked(errno unix.Errno) {
	a.c.end(errno)
	a.s.table.settle(a.c)
	if a.c.held {
		_ = unix.Shutdown(a.socket.fd, unix.SHUT_RDWR)
	}
}

// answerIfBlocked tells a caller that still waits in connect the outcome.
func (a *attempt) answerIfBlocked() {
	if !a.answered.Load() {
		a.answerOutcome()
	}
}

// Times of the watch over an attempt: how soon it looks first, and then how
// often, whether the caller has a signal or is gone.
const (
	firstLook = 25 * time.Millisecond
	laterLook = 100 * time.Millisecond
)

// watch looks after an attempt that takes long: it interrupts the system call
// for a signal or SO_SNDTIMEO, gives up when the caller has been killed, and
// ends the attempt after the connect timeout.
func (a *attempt) watch() {
	a.s.work.Add(1)
	a.c.mu.Lock()
	a.timer = time.AfterFunc(firstLook, a.look)
	a.c.mu.Unlock()
}

// unwatch ends the watch; look may still run once.
func (a *attempt) unwatch() {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	if a.timer != nil && a.timer.Stop() {
		a.s.work.Done()
	}
	a.timer = nil
}

func (a *attempt) look() {
	waiting := !a.answered.Load()
	signalled := waiting && a.socket.blocking && hasSignal(int(a.n.TID))
	killed := waiting && !stillWaiting(a.s.listener, a.n.ID)

	c := a.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || c.joining || a.timer == nil {
		a.timer = nil
		a.s.work.Done()
		return
	}
	elapsed := time.Since(a.started)
	switch {
	case killed && !a.follower:
		c.cancel()
	case signalled && a.detachLocked():
		a.answer(restartSystemCall)
	case waiting && a.socket.blocking && a.sendTimedOut(elapsed) && a.detachLocked():
		a.answer(unix.EINPROGRESS)
	case elapsed > a.s.connectTimeout && !a.follower:
		a.timedOutLocked()
		a.timer = nil
		a.s.work.Done()
		return
	}
	a.timer.Reset(laterLook)
}

// detachLocked makes the connect go on without its caller, as the kernel's
// does after EINTR: the program may poll the socket for the outcome.
func (a *attempt) detachLocked() bool {
	if a.c.own || a.c.held {
		return true
	}
	a.c.held = a.s.joiner.hold(a.socket, a.c.target.Addr()) == unix.EINPROGRESS
	return a.c.held
}

// sendTimedOut reports whether the socket's SO_SNDTIMEO, which bounds a
// blocking connect, has passed.
func (a *attempt) sendTimedOut(elapsed time.Duration) bool {
	limit, err := unix.GetsockoptTimeval(a.socket.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO)
	return err == nil && limit.Nano() > 0 && elapsed > time.Duration(limit.Nano())
}

func (a *attempt) timedOutLocked() {
	a.s.log(fmt.Sprintf("%s has not connected to %v within %v: the program gets ETIMEDOUT; look at the chain's providers, or allow more time with the connect timeout",
		a.s.chain.describe(a.c.domain), a.c.target, a.s.connectTimeout))
	a.c.cancel()
	a.failLocked(unix.ETIMEDOUT)
	if a.answered.CompareAndSwap(false, true) {
		a.c.told = true
		a.s.table.remove(a.c)
		a.s.fail(&a.n, unix.ETIMEDOUT)
	}
}

// borrowRefused answers a connect whose socket cannot be had.
func (s *server) borrowRefused(n *notification, err error) {
	switch errno := errnoOf(err); errno {
	case unix.EPERM:
		s.refusedOnce(n, err)
		s.fail(n, unix.EACCES)
	case unix.EMFILE, unix.ENFILE:
		s.reported.once("descriptors", func() {
			s.log(fmt.Sprintf("no descriptor is left (%v): the program's connect fails with it; raise the limit with ulimit -n", errno))
		})
		s.fail(n, errno)
	default:
		s.fail(n, errno)
	}
}

func (s *server) memoryRefused(n *notification, err error) {
	errno := errnoOf(err)
	if errno == unix.EPERM || errno == unix.ENOSYS {
		s.refusedOnce(n, unix.EPERM)
		errno = unix.EACCES
	}
	s.fail(n, errno)
}

func (s *server) refusedOnce(n *notification, err error) {
	process := processName(int(n.TID))
	s.reported.once("refused "+process, func() {
		s.log(tracingError(process, err).Error() + "; its connects fail with EACCES")
	})
}
