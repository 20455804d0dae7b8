//go:build linux

package kernel

import (
	"errors"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// This file is the system calls that package unix would allocate for. A call
// that cannot block goes by RawSyscall; one that may, or that copies very much,
// by Syscall, so that it does not hold up the scheduler.

// rawLimit is the number of bytes up to which a transfer goes by RawSyscall. They
// are copied in a millisecond, while the scheduler that is told of a call takes
// the processor away after 20 µs.
const rawLimit = 4 << 20

// msgNow makes every transfer return at once and never raise SIGPIPE.
const msgNow = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL

// sockaddr is an address in the kernel's form.
type sockaddr struct {
	length uint32
	data   [spi.SizeofSockaddrStorage]byte
}

// inlineVectors is the number of buffers that a transfer passes without
// allocating, and maxVectors is the kernel's IOV_MAX.
const (
	inlineVectors = 16
	maxVectors    = 1024
)

// sendNow sends the buffers past their first skip bytes, once, without waiting.
// control is control information in the kernel's form, or none.
func sendNow(fd int, bufs []spi.Buf, skip, flags int, to *sockaddr, control []byte) (int, unix.Errno) {
	released()
	if len(bufs) == 1 && len(control) == 0 {
		size := uintptr(bufs[0].Len) - uintptr(skip)
		base := unsafe.Add(unsafe.Pointer(bufs[0].Buf), skip)
		var name unsafe.Pointer
		var nameLen uintptr
		if to != nil {
			name, nameLen = unsafe.Pointer(&to.data), uintptr(to.length)
		}
		for {
			var n uintptr
			var errno unix.Errno
			if size <= rawLimit {
				n, _, errno = syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(base), size, uintptr(flags|msgNow), uintptr(name), nameLen)
			} else {
				n, _, errno = unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(base), size, uintptr(flags|msgNow), uintptr(name), nameLen)
			}
			if errno != unix.EINTR {
				return int(n), errno
			}
		}
	}
	m := message{name: to, control: control}
	return m.transfer(unix.SYS_SENDMSG, fd, bufs, skip, flags)
}

// receiveNow fills the buffers past their first skip bytes, once, without
// waiting. With MSG_TRUNC the result is a datagram's length, even if that is
// more than the buffers hold.
func receiveNow(fd int, bufs []spi.Buf, skip, flags int, from *sockaddr) (int, unix.Errno) {
	defer acquired()
	if len(bufs) == 1 {
		size := uintptr(bufs[0].Len) - uintptr(skip)
		base := unsafe.Add(unsafe.Pointer(bufs[0].Buf), skip)
		var name, nameLen unsafe.Pointer
		if from != nil {
			from.length = uint32(len(from.data))
			name, nameLen = unsafe.Pointer(&from.data), unsafe.Pointer(&from.length)
		}
		for {
			var n uintptr
			var errno unix.Errno
			if size <= rawLimit {
				n, _, errno = syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(base), size, uintptr(flags|msgNow), uintptr(name), uintptr(nameLen))
			} else {
				n, _, errno = unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(base), size, uintptr(flags|msgNow), uintptr(name), uintptr(nameLen))
			}
			if errno != unix.EINTR {
				return int(n), errno
			}
		}
	}
	if from != nil {
		from.length = uint32(len(from.data))
	}
	m := message{name: from}
	return m.transfer(unix.SYS_RECVMSG, fd, bufs, skip, flags)
}

// receiveBlocking is receiveNow on a stream that waits on a blocking socket. A signal
// does not end it.
func receiveBlocking(fd int, bufs []spi.Buf, skip, flags int) (int, unix.Errno) {
	defer acquired()
	for len(bufs) > 1 && skip >= int(bufs[0].Len) {
		skip -= int(bufs[0].Len)
		bufs = bufs[1:]
	}
	base := unsafe.Add(unsafe.Pointer(bufs[0].Buf), skip)
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(base), uintptr(bufs[0].Len)-uintptr(skip), uintptr(flags), 0, 0)
		if errno == 0 {
			return int(n), 0
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}

// unknown is what receiveInq returns when the kernel does not say what is left.
const unknown = -1

// receiveInq is receiveNow on a TCP socket with TCP_INQ. It also returns the
// number of bytes left to receive; not 0 at the end of the stream.
func receiveInq(fd int, bufs []spi.Buf, skip int) (n, left int, errno unix.Errno) {
	defer acquired()
	var control [unix.SizeofCmsghdr + 8]byte
	m := message{control: control[:]}
	n, errno = m.transfer(unix.SYS_RECVMSG, fd, bufs, skip, 0)
	if header := (*unix.Cmsghdr)(unsafe.Pointer(&control)); errno == 0 && len(m.control) >= unix.SizeofCmsghdr+4 &&
		header.Level == unix.IPPROTO_TCP && header.Type == unix.TCP_CM_INQ {
		return n, int(*(*int32)(unsafe.Pointer(&control[unix.SizeofCmsghdr]))), 0
	}
	return n, unknown, errno
}

// receiveControl is receiveNow for a datagram with its control information, in
// the kernel's form: room is cut to what there is. It returns the kernel's
// flags.
func receiveControl(fd int, bufs []spi.Buf, flags int, from *sockaddr, room *[]byte) (n, out int, errno unix.Errno) {
	defer acquired()
	from.length = uint32(len(from.data))
	m := message{name: from, control: *room}
	n, errno = m.transfer(unix.SYS_RECVMSG, fd, bufs, 0, flags)
	*room = m.control
	return n, m.flags, errno
}

// message is sendmsg or recvmsg over several buffers, or none.
type message struct {
	name    *sockaddr // or nil
	control []byte    // what is sent, or the room, which receiving cuts
	flags   int       // that receiving returns
}

// transfer is the system call. Beyond maxVectors buffers a stream transfers a
// part; datagrams do not come here with so many.
func (m *message) transfer(trap uintptr, fd int, bufs []spi.Buf, skip, flags int) (int, unix.Errno) {
	for len(bufs) > 0 && skip >= int(bufs[0].Len) {
		skip -= int(bufs[0].Len)
		bufs = bufs[1:]
	}
	bufs = bufs[:min(len(bufs), maxVectors)]
	var inline [inlineVectors]unix.Iovec
	vectors := inline[:0]
	if len(bufs) > len(inline) {
		vectors = make([]unix.Iovec, 0, len(bufs))
	}
	size := 0
	for _, b := range bufs {
		base := (*byte)(unsafe.Add(unsafe.Pointer(b.Buf), skip))
		v := unix.Iovec{Base: base}
		v.SetLen(int(b.Len) - skip)
		vectors = append(vectors, v)
		size += int(b.Len) - skip
		skip = 0
	}
	var header unix.Msghdr
	if len(vectors) > 0 {
		header.Iov = &vectors[0]
		header.SetIovlen(len(vectors))
	}
	if m.name != nil {
		header.Name, header.Namelen = &m.name.data[0], m.name.length
	}
	if len(m.control) > 0 {
		header.Control = &m.control[0]
		header.SetControllen(len(m.control))
	}
	for {
		var n uintptr
		var errno unix.Errno
		if size <= rawLimit {
			n, _, errno = syscall.RawSyscall(trap, uintptr(fd), uintptr(unsafe.Pointer(&header)), uintptr(flags|msgNow))
		} else {
			n, _, errno = unix.Syscall(trap, uintptr(fd), uintptr(unsafe.Pointer(&header)), uintptr(flags|msgNow))
		}
		if errno == unix.EINTR {
			continue
		}
		if m.name != nil {
			m.name.length = header.Namelen
		}
		if trap == unix.SYS_RECVMSG && errno == 0 {
			m.control, m.flags = m.control[:min(int(header.Controllen), len(m.control))], int(header.Flags)
		}
		return int(n), errno
	}
}

// connectNow is connect(2). It may block on a blocking stream socket.
func connectNow(fd int, to *sockaddr) unix.Errno {
	for {
		_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&to.data)), uintptr(to.length))
		if errno != unix.EINTR {
			return errno
		}
	}
}

// disconnect is connect(2) to AF_UNSPEC: it resets a connection, forgets a
// failed attempt, or dissolves a datagram socket's default peer.
func disconnect(fd int) unix.Errno {
	return connectNow(fd, &sockaddr{length: spi.SizeofSockaddrIn})
}

func bindTo(fd int, name *sockaddr) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&name.data)), uintptr(name.length))
	return errno
}

// acceptNow is accept4(2). It blocks on a blocking socket without a connection.
func acceptNow(fd int, nonblocking bool, peer *sockaddr) (int, unix.Errno) {
	flags := uintptr(unix.SOCK_CLOEXEC)
	if nonblocking {
		flags |= unix.SOCK_NONBLOCK
	}
	for {
		peer.length = uint32(len(peer.data))
		n, _, errno := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&peer.data)), uintptr(unsafe.Pointer(&peer.length)), flags, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// localName is getsockname(2), peerName getpeername(2).
func localName(fd int, name *sockaddr) unix.Errno { return nameOf(unix.SYS_GETSOCKNAME, fd, name) }
func peerName(fd int, name *sockaddr) unix.Errno  { return nameOf(unix.SYS_GETPEERNAME, fd, name) }

func nameOf(trap uintptr, fd int, name *sockaddr) unix.Errno {
	name.length = uint32(len(name.data))
	_, _, errno := syscall.RawSyscall(trap, uintptr(fd), uintptr(unsafe.Pointer(&name.data)), uintptr(unsafe.Pointer(&name.length)))
	return errno
}

// connected reports whether the socket has a peer.
func connected(fd int) bool {
	var name sockaddr
	return peerName(fd, &name) == 0
}

// pollNow returns what poll(2) finds at once of events.
func pollNow(fd int, events int16) int16 {
	set := [1]unix.PollFd{{Fd: int32(fd), Events: events}}
	if n, _ := poll(set[:], 0); n <= 0 {
		return 0
	}
	return set[0].Revents
}

// poll waits for milliseconds at most, for ever when negative. It may return
// early with none.
func poll(set []unix.PollFd, milliseconds int) (int, unix.Errno) {
	n, err := unix.Poll(set, milliseconds)
	if errno := errnoOf(err); errno != 0 && errno != unix.EINTR {
		return 0, errno
	}
	return max(n, 0), 0
}

func isNonblocking(fd int) (bool, error) {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return flags&unix.O_NONBLOCK != 0, err
}

const fionbio = 0x5421 // the same on all supported architectures; x/sys/unix has none

// setNonblockingNow changes O_NONBLOCK whatever it is.
func setNonblockingNow(fd int, on bool) unix.Errno {
	var value int32
	if on {
		value = 1
	}
	_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), fionbio, uintptr(unsafe.Pointer(&value)))
	return errno
}

func setNonblockingFlag(fd int, on bool) unix.Errno {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err == nil && (flags&unix.O_NONBLOCK != 0) != on {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags^unix.O_NONBLOCK)
	}
	return errnoOf(err)
}

// getOption and setOption are getsockopt(2) and setsockopt(2) on plain memory.
func getOption(fd, level, name int, value unsafe.Pointer, size *uint32) unix.Errno {
	_, _, errno := syscall.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name), uintptr(value), uintptr(unsafe.Pointer(size)), 0)
	return errno
}

func setOption(fd, level, name int, value unsafe.Pointer, size uintptr) unix.Errno {
	_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name), uintptr(value), size, 0)
	return errno
}

func getInt(fd, level, name int) (int32, unix.Errno) {
	var v int32
	size := uint32(unsafe.Sizeof(v))
	errno := getOption(fd, level, name, unsafe.Pointer(&v), &size)
	return v, errno
}

func setInt(fd, level, name int, v int32) unix.Errno {
	return setOption(fd, level, name, unsafe.Pointer(&v), unsafe.Sizeof(v))
}

func getLinger(fd int) (unix.Linger, unix.Errno) {
	var l unix.Linger
	size := uint32(unsafe.Sizeof(l))
	errno := getOption(fd, unix.SOL_SOCKET, unix.SO_LINGER, unsafe.Pointer(&l), &size)
	return l, errno
}

func setLinger(fd int, l unix.Linger) unix.Errno {
	return setOption(fd, unix.SOL_SOCKET, unix.SO_LINGER, unsafe.Pointer(&l), unsafe.Sizeof(l))
}

// available is FIONREAD.
func available(fd int) (uint32, unix.Errno) {
	var n int32
	_, _, errno := syscall.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCINQ, uintptr(unsafe.Pointer(&n)))
	return uint32(n), errno
}

// reset closes a connection that no client has seen, with a reset.
func reset(fd int) {
	setLinger(fd, unix.Linger{Onoff: 1})
	_ = unix.Close(fd)
}

// kindOfDescriptor tells which of the provider's protocols fd is a socket of.
func kindOfDescriptor(fd int) kind {
	domain, errno := getInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if errno != 0 {
		return noKind
	}
	protocol, _ := getInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	typ := int32(unix.SOCK_STREAM)
	if protocol != unix.IPPROTO_TCP && protocol != unix.IPPROTO_MPTCP {
		typ, _ = getInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	}
	return kindOfNative(int(domain), typ, int(protocol))
}

// kindOfNative classifies Linux's domain, type and protocol.
func kindOfNative(domain int, typ int32, protocol int) kind {
	if protocol == unix.IPPROTO_MPTCP {
		protocol = unix.IPPROTO_TCP
	}
	switch domain {
	case unix.AF_UNIX:
		return kindOf(spi.AF_UNIX, typ, int32(protocol))
	case unix.AF_INET:
		return kindOf(spi.AF_INET, typ, int32(protocol))
	case unix.AF_INET6:
		return kindOf(spi.AF_INET6, typ, int32(protocol))
	}
	return noKind
}

// errnoOf returns the number in an error of package unix.
func errnoOf(err error) unix.Errno {
	if err == nil {
		return 0
	}
	errno := unix.EIO
	errors.As(err, &errno)
	return errno
}
