//go:build linux

package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// replace puts the kernel socket fd, whose number it closes, in the place of
// the socket's own under every handle that this process has of it: one step for
// whoever uses the handle at the same time. Watches go on. The caller holds
// o.mu; nobody knows fd, whose mode is nonblocking.
func (d *descriptor) replace(o *operations, fd int, nonblocking bool) unix.Errno {
	w := o.watch
	o.unwatch()
	var errno unix.Errno
	if d.has(fNonblocking) != nonblocking {
		errno = setNonblockingFlag(fd, !nonblocking)
	}
	if errno == 0 {
		d.carryOptions(fd)
		errno = d.p.poller.around(d.socket, func() unix.Errno { return d.putUnder(fd) })
	}
	_ = unix.Close(fd)
	o.hangup, o.urgent, o.inq = false, false, false
	o.unsure()
	if w != nil && o.rewatch(w.on, w.port) != 0 {
		o.polled = false // by a closed port: as if there had been none
		_ = o.poll(w.on)
	}
	return errno
}

// putUnder makes fd the kernel socket of every descriptor.
func (s *socket) putUnder(fd int) unix.Errno {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.open {
		for {
			err := unix.Dup3(fd, d.fd, unix.O_CLOEXEC)
			if err == unix.EBUSY || err == unix.EINTR {
				continue // the number is being opened, which takes no time
			}
			if err != nil {
				return errnoOf(err)
			}
			break
		}
	}
	if cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE); err == nil {
		s.cookie.Store(cookie)
	}
	return 0
}

// reuse gives a socket whose connection is over a fresh kernel socket, so that
// AcceptEx or ConnectEx can connect it again. Receives that wait end with
// WSAECONNABORTED. The caller holds o.mu.
func (d *descriptor) reuse(o *operations) spi.Errno {
	fd, err := unix.Socket(d.kind.family(), unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return spi.FromErrno(errnoOf(err))
	}
	if d.kind.v6() {
		only, _ := getInt(d.fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		setInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only)
	}
	for !o.receives.empty() {
		op := o.receives.first
		o.receives.pop()
		o.finish(op, spi.WSAECONNABORTED, 0, true)
	}
	if errno := d.replace(o, fd, false); errno != 0 {
		return spi.FromErrno(errno)
	}
	d.newConnection(fReused)
	d.clear(fBound | fSendShut | fRecvShut | fAccepted)
	return 0
}

// carried is the options that stay when a socket gets another kernel socket, if
// the client has set them. A socket's chosen has a bit for each.
var carried = [...]struct {
	level, name int
	size        uint32
}{
	{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 4},
	{unix.SOL_SOCKET, unix.SO_REUSEADDR, 4},
	{unix.SOL_SOCKET, unix.SO_REUSEPORT, 4},
	{unix.SOL_SOCKET, unix.SO_DONTROUTE, 4},
	{unix.SOL_SOCKET, unix.SO_OOBINLINE, 4},
	{unix.SOL_SOCKET, unix.SO_LINGER, uint32(unsafe.Sizeof(unix.Linger{}))},
	{unix.SOL_SOCKET, unix.SO_SNDTIMEO, uint32(unsafe.Sizeof(unix.Timeval{}))},
	{unix.SOL_SOCKET, unix.SO_RCVTIMEO, uint32(unsafe.Sizeof(unix.Timeval{}))},
	{unix.SOL_SOCKET, unix.SO_SNDBUF, 4},
	{unix.SOL_SOCKET, unix.SO_RCVBUF, 4},
	{unix.IPPROTO_TCP, unix.TCP_NODELAY, 4},
	{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 4},
	{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 4},
	{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 4},
	{unix.IPPROTO_IP, unix.IP_TOS, 4},
	{unix.IPPROTO_IP, unix.IP_TTL, 4},
	{unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, 4},
}

// chose notes that the client has set a kernel's option.
func (s *socket) chose(level, name int) {
	for i := range carried {
		if carried[i].level == level && carried[i].name == name {
			s.chosen.Or(1 << i)
		}
	}
}

// carryOptions sets what the client has chosen on another kernel socket too.
func (d *descriptor) carryOptions(fd int) {
	chosen := d.chosen.Load()
	for i := range carried {
		if chosen&(1<<i) == 0 {
			continue
		}
		o := &carried[i]
		var value [16]byte
		size := o.size
		if getOption(d.fd, o.level, o.name, unsafe.Pointer(&value), &size) != 0 {
			continue
		}
		if o.level == unix.SOL_SOCKET && (o.name == unix.SO_SNDBUF || o.name == unix.SO_RCVBUF) {
			*(*int32)(unsafe.Pointer(&value)) /= 2 // the kernel doubles it
		}
		setOption(fd, o.level, o.name, unsafe.Pointer(&value), uintptr(size))
	}
}
