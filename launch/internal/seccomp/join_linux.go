package seccomp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// joiner makes loopback connections between a program's socket and the host.
// Its listeners are made when they are first needed.
type joiner struct {
	mu    sync.Mutex // guards the arrays, not what they point to
	meets [2]*meetingPoint
	holds [2]*synHold
}

// joinTimeout bounds what takes microseconds on a loopback that works.
const joinTimeout = 5 * time.Second

var loopbacks = [2]netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}

// onLoopback calls get for the loopback address that the program's socket
// reaches: an IPv6 socket without an address reaches both, the IPv4 one by its
// mapped address.
func onLoopback[T any](p programSocket, target netip.Addr, get func(index int) (T, error)) (T, error) {
	if p.domain == unix.AF_INET || target.Is4In6() && !boundToIPv6(p) {
		return get(0)
	}
	t, err := get(1)
	if err != nil { // no ::1 here
		return get(0)
	}
	return t, err
}

// boundToIPv6 reports whether an IPv6 socket has the address that bindLoopback
// gives, from which it does not reach the mapped one.
func boundToIPv6(p programSocket) bool {
	at, errno := socketName(unix.SYS_GETSOCKNAME, p.fd, p.domain)
	return errno == 0 && at.Addr() == loopbacks[1]
}

func (j *joiner) meetingPoint(index int) (*meetingPoint, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.meets[index] == nil {
		m, err := newMeetingPoint(loopbacks[index])
		if err != nil {
			return nil, err
		}
		j.meets[index] = m
	}
	return j.meets[index], nil
}

func (j *joiner) synHold(index int) (*synHold, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.holds[index] == nil {
		h, err := newSynHold(loopbacks[index])
		if err != nil {
			return nil, err
		}
		j.holds[index] = h
	}
	return j.holds[index], nil
}

func (j *joiner) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := range loopbacks {
		if j.meets[i] != nil {
			_ = unix.Close(j.meets[i].fd)
		}
		if j.holds[i] != nil {
			j.holds[i].close()
		}
	}
}

// hold puts the program's unconnected socket in SYN hold: EINPROGRESS when
// that went well.
func (j *joiner) hold(p programSocket, target netip.Addr) unix.Errno {
	h, err := onLoopback(p, target, j.synHold)
	if err != nil {
		return errnoOf(err)
	}
	return h.hold(p)
}

// drop gives up what hold has begun: the program's poll reports an error. It reports
// whether the program's socket has the error itself, as ECONNREFUSED can be had.
func (j *joiner) drop(p programSocket, target netip.Addr, errno unix.Errno) (native bool) {
	if h, err := onLoopback(p, target, j.synHold); err == nil {
		h.unhasten(p.fd)
		if errno == unix.ECONNREFUSED && h.refuse(p) {
			return true
		}
	}
	_ = unix.Shutdown(p.fd, unix.SHUT_RDWR)
	return false
}

// join connects the program's socket with the host and returns the host's end.
func (j *joiner) join(p programSocket, target netip.Addr, held bool) (*net.TCPConn, unix.Errno) {
	if held {
		h, err := onLoopback(p, target, j.synHold)
		if err != nil {
			return nil, errnoOf(err)
		}
		return h.release(p)
	}
	m, err := onLoopback(p, target, j.meetingPoint)
	if err != nil {
		return nil, errnoOf(err)
	}
	return m.meet(p)
}

// meetingPoint is a private listener for blocking sockets, which connect in
// one step.
type meetingPoint struct {
	fd int
	at netip.AddrPort
	mu sync.Mutex // one pair at a time, so that the next accepted is the one that connected
}

func newMeetingPoint(on netip.Addr) (*meetingPoint, error) {
	fd, at, err := listenOn(on, unix.SOMAXCONN, false)
	if err != nil {
		return nil, err
	}
	return &meetingPoint{fd: fd, at: at}, nil
}

// listenOn listens on an ephemeral port of a loopback address. It makes the
// socket by hand: package net would choose the backlog, and MPTCP.
func listenOn(on netip.Addr, backlog int, reusePort bool) (fd int, at netip.AddrPort, err error) {
	fd, at, err = bindOn(on, reusePort)
	if err != nil {
		return -1, at, err
	}
	if err := unix.Listen(fd, backlog); err != nil {
		_ = unix.Close(fd)
		return -1, netip.AddrPort{}, err
	}
	return fd, at, nil
}

func bindOn(on netip.Addr, reusePort bool) (fd int, at netip.AddrPort, err error) {
	domain := unix.AF_INET
	if on.Is6() {
		domain = unix.AF_INET6
	}
	fd, err = unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP)
	if err != nil {
		return -1, at, err
	}
	fail := func(err error) (int, netip.AddrPort, error) {
		_ = unix.Close(fd)
		return -1, netip.AddrPort{}, err
	}
	if reusePort {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return fail(err)
		}
	}
	var name unix.Sockaddr = &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if on.Is6() {
		name = &unix.SockaddrInet6{Addr: on.As16()}
	}
	if err := unix.Bind(fd, name); err != nil {
		return fail(err)
	}
	at, errno := socketName(unix.SYS_GETSOCKNAME, fd, domain)
	if errno != 0 {
		return fail(errno)
	}
	return fd, at, nil
}

func (m *meetingPoint) meet(p programSocket) (*net.TCPConn, unix.Errno) {
	m.mu.Lock()
	defer m.mu.Unlock()
	deadline := time.Now().Add(joinTimeout)
	errno := connectSocket(p.fd, sockaddrFor(p.domain, m.at))
	if errno == unix.EINPROGRESS || errno == unix.EALREADY { // the program made it nonblocking, or SO_SNDTIMEO is short
		if !waitFor(p.fd, unix.POLLOUT, deadline) {
			return nil, unix.ETIMEDOUT
		}
		soError, err := unix.GetsockoptInt(p.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err != nil {
			return nil, errnoOf(err)
		}
		errno = unix.Errno(soError)
	}
	if errno != 0 {
		return nil, errno
	}
	want, errno := socketName(unix.SYS_GETSOCKNAME, p.fd, p.domain)
	if errno != 0 {
		return nil, errno
	}
	return m.acceptFrom(unmapped(want), deadline)
}

// acceptFrom accepts the connection from that address and drops strangers'.
func (m *meetingPoint) acceptFrom(want netip.AddrPort, deadline time.Time) (*net.TCPConn, unix.Errno) {
	domain := unix.AF_INET
	if m.at.Addr().Is6() {
		domain = unix.AF_INET6
	}
	for {
		fd, _, err := unix.Accept4(m.fd, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		switch {
		case errors.Is(err, unix.EAGAIN):
			if !waitFor(m.fd, unix.POLLIN, deadline) {
				return nil, unix.ETIMEDOUT
			}
			continue
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNABORTED):
			continue
		case err != nil:
			return nil, errnoOf(err)
		}
		peer, errno := socketName(unix.SYS_GETPEERNAME, fd, domain)
		if errno == 0 && peer == want {
			return tcpConn(fd)
		}
		_ = unix.Close(fd)
	}
}

// tcpConn makes a connected socket the host's end of a relay, in which bytes out
// of band are like others.
func tcpConn(fd int) (*net.TCPConn, unix.Errno) {
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_OOBINLINE, 1)
	file := os.NewFile(uintptr(fd), "relay")
	conn, err := net.FileConn(file)
	file.Close()
	if err != nil {
		return nil, errnoOf(err)
	}
	tcp := conn.(*net.TCPConn)
	_ = tcp.SetNoDelay(true)
	return tcp, 0
}

func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// waitFor polls one descriptor until the deadline.
func waitFor(fd int, events int16, deadline time.Time) bool {
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return false
		}
		set := []unix.PollFd{{Fd: int32(fd), Events: events}}
		n, err := unix.Poll(set, int(left.Milliseconds())+1)
		if n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
			return n > 0
		}
	}
}

// dialFrom connects from a given local address, whose port other sockets of
// this process use too.
func dialFrom(from, to netip.AddrPort) (*net.TCPConn, error) {
	d := net.Dialer{
		Timeout:   joinTimeout,
		KeepAlive: -1,
		LocalAddr: net.TCPAddrFromAddrPort(from),
		Control: func(_, _ string, raw syscall.RawConn) (err error) {
			controlErr := raw.Control(func(fd uintptr) {
				_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_OOBINLINE, 1)
				err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
			})
			return errors.Join(err, controlErr)
		},
	}
	conn, err := d.DialContext(context.Background(), "tcp", to.String())
	if err != nil {
		return nil, fmt.Errorf("joining the program's socket: %w", err)
	}
	return conn.(*net.TCPConn), nil
}
