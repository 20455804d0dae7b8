//go:build linux

package kernel

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// WSPIoctl stands for ioctl(2) and more. Every code but those of notice.go is
// carried out at once; with an OVERLAPPED the result is stored and indicated in
// it too.
func (p *provider) WSPIoctl(s spi.Socket, code uint32, in, out []byte, returned *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	defer d.release()
	if returned == nil && ov == nil {
		return spi.WSAEFAULT
	}
	if event := noticeEvents[code]; event != 0 {
		e := d.requestNotice(event, in, ov, routine, thread)
		if e == 0 && returned != nil {
			*returned = 0
		}
		return e
	}
	if ov == nil {
		n, e := d.control(code, in, out)
		*returned = uint32(n)
		return e
	}
	o, op, e := d.begin(ov, routine, thread)
	if e != 0 {
		return e
	}
	o.mu.Unlock() // a control code may end other operations
	n, e := d.control(code, in, out)
	op.n = n
	if returned != nil {
		*returned = uint32(n)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.conclude(op, e, 0)
	return e
}

// control carries out a control code and returns the size of its output: with
// WSAEFAULT, that which is needed.
func (d *descriptor) control(code uint32, in, out []byte) (int, spi.Errno) {
	switch code {
	case spi.FIONBIO:
		return 0, d.setMode(in)
	case spi.FIONREAD:
		n, errno := available(d.fd)
		if errno != 0 {
			return 0, spi.FromErrno(errno)
		}
		return outInt(n, out)
	case spi.SIOCATMARK:
		return d.atMark(out)
	case spi.SIO_BASE_HANDLE, spi.SIO_BSP_HANDLE, spi.SIO_BSP_HANDLE_SELECT, spi.SIO_BSP_HANDLE_POLL:
		var b [8]byte
		binary.NativeEndian.PutUint64(b[:], uint64(d.fd))
		return outBytes(b[:], out)
	case spi.SIO_CANCEL_IO:
		return 0, d.cancel(in)
	case spi.SIO_DISSOLVE:
		return 0, d.dissolve()
	case spi.SIO_REHEARSE:
		return 0, d.rehearse(in)
	case spi.SIO_GET_EXTENSION_FUNCTION_POINTER:
		var n uint32
		e := d.p.extensions.Store(in, out, &n)
		return int(n), e
	case spi.SIO_ADDRESS_LIST_QUERY:
		return d.addressList(out)
	case spi.SIO_ADDRESS_LIST_SORT:
		return d.sortAddresses(in, out)
	case spi.SIO_ROUTING_INTERFACE_QUERY:
		return d.routingInterface(in, out)
	case spi.SIO_GET_BROADCAST_ADDRESS:
		if d.kind.v6() || d.kind == unixStream {
			return 0, spi.WSAEOPNOTSUPP
		}
		broadcast := [spi.SizeofSockaddrIn]byte{4: 255, 5: 255, 6: 255, 7: 255}
		binary.NativeEndian.PutUint16(broadcast[:], spi.AF_INET)
		return outBytes(broadcast[:], out)
	case spi.SIO_KEEPALIVE_VALS:
		return 0, d.keepAlive(in)
	case spi.SIO_UDP_CONNRESET:
		return 0, d.reportPortUnreachable(in)
	case spi.SIO_MULTIPOINT_LOOPBACK:
		return 0, d.multicast(in, true)
	case spi.SIO_MULTICAST_SCOPE:
		return 0, d.multicast(in, false)
	}
	return 0, spi.WSAEOPNOTSUPP
}

func outBytes(value, out []byte) (int, spi.Errno) {
	var n int32
	e := storeBytes(value, out, &n)
	return int(n), e
}

func outInt(v uint32, out []byte) (int, spi.Errno) {
	var n int32
	e := storeInt(int32(v), out, &n)
	return int(n), e
}

// setMode is FIONBIO.
func (d *descriptor) setMode(in []byte) spi.Errno {
	if len(in) < 4 {
		return spi.WSAEFAULT
	}
	nonblocking := binary.NativeEndian.Uint32(in) != 0
	if own := d.events.Load(); own != nil {
		own.mu.Lock()
		defer own.mu.Unlock()
		if !nonblocking && own.engine.Active() {
			return spi.WSAEINVAL
		}
	}
	return d.setNonblocking(nonblocking)
}

// atMark is SIOCATMARK: TRUE when no urgent data lies ahead. The kernel says so
// only at the mark itself.
func (d *descriptor) atMark(out []byte) (int, spi.Errno) {
	if !d.kind.tcp() {
		return 0, spi.WSAEINVAL
	}
	at, err := unix.IoctlGetInt(d.fd, unix.SIOCATMARK)
	if err != nil {
		return 0, spi.FromErrno(errnoOf(err))
	}
	if at == 0 && pollNow(d.fd, unix.POLLPRI)&unix.POLLPRI == 0 {
		at = 1
	}
	return outInt(uint32(at), out)
}

// keepAlive is SIO_KEEPALIVE_VALS: tcp_keepalive is a BOOL, the idle time and
// the interval, both in milliseconds. The kernel counts seconds.
func (d *descriptor) keepAlive(in []byte) spi.Errno {
	if !d.kind.tcp() {
		return spi.WSAEOPNOTSUPP
	}
	if len(in) < 12 {
		return spi.WSAEFAULT
	}
	on := min(binary.NativeEndian.Uint32(in), 1)
	d.chose(unix.SOL_SOCKET, unix.SO_KEEPALIVE)
	if errno := setInt(d.fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, int32(on)); errno != 0 || on == 0 {
		return spi.FromErrno(errno)
	}
	for i, name := range []int{unix.TCP_KEEPIDLE, unix.TCP_KEEPINTVL} {
		value := time.Duration(binary.NativeEndian.Uint32(in[4+4*i:])) * time.Millisecond
		seconds := max(1, (value+time.Second-1)/time.Second)
		if errno := setInt(d.fd, unix.IPPROTO_TCP, name, int32(seconds)); errno != 0 {
			return spi.FromErrno(errno)
		}
		d.chose(unix.IPPROTO_TCP, name)
	}
	return 0
}

// reportPortUnreachable is SIO_UDP_CONNRESET: whether receiving tells with
// WSAECONNRESET that an earlier datagram found no one. Without it the kernel's
// rule holds: connected sockets are told, others are not.
func (d *descriptor) reportPortUnreachable(in []byte) spi.Errno {
	if d.kind.stream() {
		return spi.WSAEOPNOTSUPP
	}
	on, e := loadBool(in)
	if e != 0 {
		return e
	}
	level, name := unix.IPPROTO_IP, unix.IP_RECVERR
	if d.kind.v6() {
		level, name = unix.IPPROTO_IPV6, unix.IPV6_RECVERR
	}
	var v int32
	if on {
		v = 1
	}
	if errno := setInt(d.fd, level, name, v); errno != 0 {
		return spi.FromErrno(errno)
	}
	if on {
		d.clear(fNoConnReset)
		d.set(fErrorQueue)
	} else {
		d.set(fNoConnReset)
		d.clear(fErrorQueue)
		d.err.Store(0)
	}
	return 0
}

// multicast is SIO_MULTIPOINT_LOOPBACK and SIO_MULTICAST_SCOPE, which have
// options of the same meaning.
func (d *descriptor) multicast(in []byte, loop bool) spi.Errno {
	name := optionName{spi.IPPROTO_IP, spi.IP_MULTICAST_TTL}
	switch {
	case d.kind.v6() && loop:
		name = optionName{spi.IPPROTO_IPV6, spi.IPV6_MULTICAST_LOOP}
	case d.kind.v6():
		name = optionName{spi.IPPROTO_IPV6, spi.IPV6_MULTICAST_HOPS}
	case loop:
		name.name = spi.IP_MULTICAST_LOOP
	}
	if d.kind.stream() {
		return spi.WSAEOPNOTSUPP
	}
	return optionError(d.setNative(options[name], in))
}
