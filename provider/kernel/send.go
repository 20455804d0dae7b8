//go:build linux

package kernel

import (
	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// WSPSend stands for send(2) and sendmsg(2).
func (p *provider) WSPSend(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	if ov != nil {
		e = d.sendOverlapped(&sending{out: bufs}, nil, sent, flags, ov, routine, thread)
	} else {
		e = d.send(&sending{out: bufs}, nil, sent, flags)
	}
	d.release()
	return e
}

// WSPSendTo stands for sendto(2). A stream ignores the address.
func (p *provider) WSPSendTo(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, to []byte, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	defer d.release()
	if d.rehearses() {
		return d.rehearsedSend(bufs, sent, to, ov)
	}
	var name *sockaddr
	var storage sockaddr
	if !d.kind.stream() && len(to) > 0 {
		if e := storage.setDestination(to, d.kind); e != 0 {
			return e
		}
		name = &storage
	}
	if ov != nil {
		e = d.sendOverlapped(&sending{out: bufs}, name, sent, flags, ov, routine, thread)
	} else {
		e = d.send(&sending{out: bufs}, name, sent, flags)
	}
	if e == spi.WSAENOTCONN && !d.kind.stream() {
		e = spi.WSAEDESTADDRREQ
	}
	return e
}

// setDestination stores the address of a datagram's receiver.
func (a *sockaddr) setDestination(to []byte, k kind) spi.Errno {
	if e := a.setWindows(to, k, spi.WSAEAFNOSUPPORT); e != 0 {
		return e
	}
	if a.unspecified(k) || a.port() == 0 {
		return spi.WSAEADDRNOTAVAIL
	}
	return 0
}

// sending is the arguments of a sending call, translated; the address goes
// apart, so that it need not be allocated.
type sending struct {
	out      []spi.Buf
	outFlags int
	control  []byte // of WSASendMsg, in the kernel's form
}

func (d *descriptor) send(x *sending, to *sockaddr, sent *uint32, flags uint32) spi.Errno {
	if sent == nil {
		return spi.WSAEFAULT
	}
	var e spi.Errno
	if x.outFlags, e = d.sendFlags(flags); e != 0 {
		return e
	}
	if d.pending.Load() != nil && d.sendsPending() {
		if e := d.waitBehind(d.sendsPending, d.sendTimeout()); e != 0 {
			return e
		}
	}
	n, errno := d.sendOnce(x, to, 0)
	switch {
	case errno == unix.EAGAIN:
		if d.blocking() {
			return d.sendWaiting(x, to, sent, 0)
		}
		e = d.sendError(errno)
		d.reenable(spi.FD_WRITE, e)
		return e
	case errno != 0:
		e = d.sendError(errno)
		d.reenable(spi.FD_WRITE, e)
		return e
	}
	if d.kind.stream() && n < spi.BufsLen(x.out) && d.blocking() {
		return d.sendWaiting(x, to, sent, n)
	}
	*sent = uint32(n)
	return 0
}

// sendWaiting sends what is left of the buffers past their first n bytes: all
// of it, or one datagram.
func (d *descriptor) sendWaiting(x *sending, to *sockaddr, sent *uint32, n int) spi.Errno {
	var wait call
	defer wait.end()
	if e := wait.begin(d.p, d.p.entries[d.kind].CatalogEntryID, d.sendTimeout(), d); e != 0 {
		return e
	}
	total := spi.BufsLen(x.out)
	for {
		if e := wait.on(d.fd, unix.POLLOUT); e != 0 {
			return e
		}
		more, errno := d.sendOnce(x, to, n)
		if errno == unix.EAGAIN {
			continue
		}
		if errno != 0 {
			return d.sendError(errno)
		}
		n += more
		if n >= total || !d.kind.stream() {
			*sent = uint32(n)
			return 0
		}
	}
}

// sendOnce is one attempt. On a datagram socket the error of an earlier send
// (the peer's port is unreachable) does not stop this one: the next receiving
// call reports it, as on Windows.
func (d *descriptor) sendOnce(x *sending, to *sockaddr, skip int) (int, unix.Errno) {
	if d.kind.stream() {
		return sendNow(d.fd, x.out, skip, x.outFlags, nil, nil)
	}
	bufs := x.out
	var joined [1]spi.Buf
	if len(bufs) > maxVectors {
		joined[0] = join(bufs)
		bufs = joined[:]
	}
	n, errno := sendNow(d.fd, bufs, 0, x.outFlags, to, x.control)
	for range errorQueueTries {
		if errno != unix.ECONNREFUSED {
			break
		}
		d.keepPortUnreachable()
		n, errno = sendNow(d.fd, bufs, 0, x.outFlags, to, x.control)
	}
	return n, errno
}

// errorQueueTries bounds how many errors of earlier datagrams are set aside for
// one that is sent.
const errorQueueTries = 8

// join copies a datagram of very many buffers into one.
func join(bufs []spi.Buf) spi.Buf {
	whole := make([]byte, 0, spi.BufsLen(bufs))
	for _, b := range bufs {
		whole = append(whole, b.Bytes()...)
	}
	return spi.NewBuf(whole)
}

// sendFlags translates MSG_ flags. WSAEOPNOTSUPP for one that the socket does
// not have.
func (d *descriptor) sendFlags(flags uint32) (int, spi.Errno) {
	if flags == 0 {
		return 0, 0
	}
	known := uint32(spi.MSG_DONTROUTE)
	if d.kind.stream() {
		known |= spi.MSG_PUSH_IMMEDIATE // a receiver's hint: nothing to do
	}
	if d.kind.tcp() {
		known |= spi.MSG_OOB
	}
	if flags&^known != 0 {
		return 0, spi.WSAEOPNOTSUPP
	}
	native := 0
	if flags&spi.MSG_DONTROUTE != 0 {
		native |= unix.MSG_DONTROUTE
	}
	if flags&spi.MSG_OOB != 0 {
		native |= unix.MSG_OOB
	}
	return native, 0
}

// sendError translates the error of a sending call.
func (d *descriptor) sendError(errno unix.Errno) spi.Errno {
	if d.has(fAborted) {
		return spi.WSAECONNABORTED
	}
	switch errno {
	case unix.EAGAIN:
		if d.has(fConnecting) && d.kind.stream() && !connected(d.fd) {
			return spi.WSAENOTCONN
		}
		return spi.WSAEWOULDBLOCK
	case unix.EDESTADDRREQ:
		return spi.WSAENOTCONN
	case unix.EPIPE, unix.ENOTCONN:
		switch {
		case d.has(fSendShut):
			return spi.WSAESHUTDOWN
		case d.neverConnected():
			return spi.WSAENOTCONN
		}
		d.broken.CompareAndSwap(0, int32(spi.WSAECONNRESET))
		return spi.Errno(d.broken.Load())
	case unix.ECONNRESET, unix.ETIMEDOUT:
		d.broken.Store(int32(spi.FromErrno(errno)))
	case unix.EINVAL:
		if d.kind.stream() && !connected(d.fd) {
			return spi.WSAENOTCONN
		}
	}
	return spi.FromErrno(errno)
}

// neverConnected reports whether a stream socket is neither connected nor was.
// poll(2) then says POLLHUP, without the end of the stream that comes with it
// after a connection.
func (d *descriptor) neverConnected() bool {
	if connected(d.fd) {
		return false
	}
	if listening, _ := getInt(d.fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); listening != 0 {
		return true
	}
	found := pollNow(d.fd, unix.POLLIN|unix.POLLRDHUP)
	return found&(unix.POLLIN|unix.POLLRDHUP|unix.POLLERR) == 0 && found&unix.POLLHUP != 0
}
