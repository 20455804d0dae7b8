package seccomp

import (
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// synHold keeps nonblocking sockets in SYN_SENT until the chain has connected.
//
// Its listener has backlog 0, and one connection that is never accepted fills
// its queue, so the kernel drops every further SYN: the program's connect
// answers EINPROGRESS and its socket is not writable. When the chain is ready
// the host binds another socket to the listener's port (SO_REUSEPORT) and
// connects it to the program's socket: a TCP simultaneous open. Both ends are
// established then, and EPOLLOUT is the kernel's own.
//
// When the chain's connect is refused the program's socket connects once more, to a
// port that nobody listens at: the refusal is the kernel's own too.
type synHold struct {
	fd, filler int
	at         netip.AddrPort
	closed     int // bound to closedAt, and never listening
	closedAt   netip.AddrPort
	retries    int // how often a SYN is sent again unless a socket says otherwise
}

func newSynHold(on netip.Addr) (*synHold, error) {
	fd, at, err := listenOn(on, 0, true)
	if err != nil {
		return nil, err
	}
	domain := unix.AF_INET
	if on.Is6() {
		domain = unix.AF_INET6
	}
	filler, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP)
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	closed, closedAt, err := bindOn(on, false)
	if err != nil {
		_ = unix.Close(fd)
		_ = unix.Close(filler)
		return nil, err
	}
	h := &synHold{fd: fd, filler: filler, at: at, closed: closed, closedAt: closedAt}
	if errno := connectSocket(filler, sockaddrFor(domain, at)); errno != 0 && errno != unix.EINPROGRESS {
		h.close()
		return nil, errno
	}
	h.retries, _ = unix.GetsockoptInt(filler, unix.IPPROTO_TCP, unix.TCP_SYNCNT)
	if !waitFor(fd, unix.POLLIN, time.Now().Add(joinTimeout)) { // readable: the queue is full
		h.close()
		return nil, unix.ETIMEDOUT
	}
	return h, nil
}

func (h *synHold) close() {
	_ = unix.Close(h.closed)
	_ = unix.Close(h.filler)
	_ = unix.Close(h.fd)
}

// hold starts the program's connect; EINPROGRESS is success.
func (h *synHold) hold(p programSocket) unix.Errno {
	_ = unix.SetsockoptInt(p.fd, unix.IPPROTO_TCP, unix.TCP_FASTOPEN_CONNECT, 0) // it would report success at once
	if p.blocking {
		flags, err := unix.FcntlInt(uintptr(p.fd), unix.F_GETFL, 0)
		if err != nil {
			return errnoOf(err)
		}
		if _, err := unix.FcntlInt(uintptr(p.fd), unix.F_SETFL, flags|unix.O_NONBLOCK); err != nil {
			return errnoOf(err)
		}
		defer unix.FcntlInt(uintptr(p.fd), unix.F_SETFL, flags)
	}
	h.hasten(p.fd)
	errno := connectSocket(p.fd, sockaddrFor(p.domain, h.at))
	switch errno {
	case unix.EINPROGRESS:
		return errno
	case 0:
		errno = unix.ECONNABORTED // the queue was not full: nothing holds it
	}
	h.unhasten(p.fd)
	return errno
}

// hasten makes the kernel send the SYN once a second, as long in all as it would
// else, where it can (Linux 6.15): should this process die, the next one is
// refused. A program that has set the number of its own keeps it.
func (h *synHold) hasten(fd int) {
	if n, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_SYNCNT); err != nil || n != h.retries {
		return
	}
	if unix.SetsockoptInt(fd, unix.IPPROTO_TCP, tcpLongestPause, 1000) == nil {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_SYNCNT, mostRetries)
	}
}

// unhasten undoes hasten.
func (h *synHold) unhasten(fd int) {
	if n, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_SYNCNT); err != nil || n != mostRetries {
		return
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_SYNCNT, h.retries)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, tcpLongestPause, 120_000)
}

const (
	tcpLongestPause = 44  // TCP_RTO_MAX_MS, in milliseconds; the kernel's own is 120 s
	mostRetries     = 127 // what TCP_SYNCNT allows
)

// release establishes the program's connection and returns the host's end.
func (h *synHold) release(p programSocket) (*net.TCPConn, unix.Errno) {
	program, errno := socketName(unix.SYS_GETSOCKNAME, p.fd, p.domain)
	if errno != 0 {
		return nil, errno
	}
	h.unhasten(p.fd)
	conn, err := dialFrom(h.at, unmapped(program))
	if err != nil {
		return nil, errnoOf(err)
	}
	return conn, 0
}

// refuse makes the program's socket one whose connect the kernel has refused, so that
// reads, writes and SO_ERROR tell it. A read in the moment between the two calls gets
// ECONNRESET, and a poll that sees the second connect begin POLLERR without POLLOUT;
// calls that the host is asked about wait for connection.mu. It reports
// false, and may have disconnected the socket, where that cannot be: a blocking connect
// would take the error for itself.
func (h *synHold) refuse(p programSocket) bool {
	flags, err := unix.FcntlInt(uintptr(p.fd), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK == 0 {
		return false
	}
	if disconnectSocket(p.fd) != 0 {
		return false
	}
	return connectSocket(p.fd, sockaddrFor(p.domain, h.closedAt)) == unix.EINPROGRESS
}
