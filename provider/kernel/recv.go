//go:build linux

package kernel

import (
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// WSPRecv stands for recv(2) and recvmsg(2).
func (p *provider) WSPRecv(s spi.Socket, bufs []spi.Buf, received, flags *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	if ov != nil {
		e = d.receiveOverlapped(&receiving{in: bufs}, received, flags, ov, routine, thread)
	} else {
		e = d.receive(&receiving{in: bufs}, received, flags)
	}
	d.release()
	return e
}

// WSPRecvFrom stands for recvfrom(2). A stream leaves from alone.
func (p *provider) WSPRecvFrom(s spi.Socket, bufs []spi.Buf, received, flags *uint32, from []byte, fromLen *int32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	defer d.release()
	switch {
	case d.kind.stream():
		from, fromLen = nil, nil
	case from != nil && fromLen == nil, fromLen != nil && len(from) < addressSize(d.kind):
		return spi.WSAEFAULT
	}
	r := receiving{in: bufs, from: from, fromLen: fromLen}
	if ov != nil {
		return d.receiveOverlapped(&r, received, flags, ov, routine, thread)
	}
	return d.receive(&r, received, flags)
}

// receiving is the arguments of a receiving call, translated.
type receiving struct {
	in      []spi.Buf
	inFlags int
	waitAll bool
	from    []byte // with fromLen: where to store the sender, or nil
	fromLen *int32
	msg     *spi.Msg // of WSARecvMsg: where to store the rest; or nil
}

func (d *descriptor) receive(r *receiving, received, flags *uint32) spi.Errno {
	if received == nil || flags == nil {
		return spi.WSAEFAULT
	}
	if e := d.receiveFlags(r, *flags); e != 0 {
		return e
	}
	if d.pending.Load() != nil && d.receivesPending() {
		if e := d.waitBehind(d.receivesPending, d.receiveTimeout()); e != 0 {
			return e
		}
	}
	before := d.changes()
	n, out, e := d.receiveOnce(r, 0)
	if e == spi.WSAEWOULDBLOCK && d.blocking() || e == 0 && r.waitAll && n > 0 && n < spi.BufsLen(r.in) {
		n, out, e = d.receiveWaiting(r, n)
	}
	if e == 0 || e == spi.WSAEMSGSIZE {
		*received, *flags = uint32(n), out
	}
	d.received(r, n, e, before)
	return e
}

// receiveWaiting waits until there is something to receive, or with MSG_WAITALL
// until everything past the first n bytes is there.
func (d *descriptor) receiveWaiting(r *receiving, n int) (int, uint32, spi.Errno) {
	var wait call
	defer wait.end()
	within := d.waitsWithin(r)
	timeout := time.Duration(-1)
	if !within {
		timeout = d.receiveTimeout()
	}
	if e := wait.begin(d.p, d.p.entries[d.kind].CatalogEntryID, timeout, d); e != 0 {
		return n, 0, e
	}
	events := int16(unix.POLLIN)
	if r.inFlags&unix.MSG_OOB != 0 {
		events = unix.POLLPRI
	}
	total := spi.BufsLen(r.in)
	for {
		var more int
		var out uint32
		var e spi.Errno
		if within {
			more, e = d.receiveWithin(&wait, r, n)
			within = e != spi.WSAEWOULDBLOCK
		} else if e = wait.on(d.fd, events); e == 0 {
			more, out, e = d.receiveOnce(r, n)
		}
		if e == spi.WSAEWOULDBLOCK {
			continue
		}
		if e != 0 && n > 0 {
			return n, 0, 0 // what is received is not lost; the error comes again
		}
		n += more
		if e != 0 || !r.waitAll || more == 0 || n >= total {
			return n, out, e
		}
	}
}

// receiveOnce is one attempt to receive past the first skip bytes. It returns
// the bytes received, the flags to give back, and WSAEWOULDBLOCK when there is
// nothing, whatever the mode.
func (d *descriptor) receiveOnce(r *receiving, skip int) (int, uint32, spi.Errno) {
	if d.has(fRecvShut | fAborted) {
		return 0, 0, d.receiveShut()
	}
	if !d.kind.stream() {
		return d.receiveDatagram(r)
	}
	empty := spi.BufsLen(r.in) == 0
	if empty && pollNow(d.fd, unix.POLLIN) == 0 && connected(d.fd) {
		// An empty receive waits for data too; the kernel's does not.
		return 0, 0, spi.WSAEWOULDBLOCK
	}
	n, errno := receiveNow(d.fd, r.in, skip, r.inFlags, nil)
	if errno != 0 {
		return 0, 0, d.receiveError(r, errno)
	}
	if n == 0 && skip == 0 && !empty {
		return 0, 0, d.receiveEnded()
	}
	return n, 0, 0
}

// receiveLeft is receiveOnce on a TCP socket with TCP_INQ: it also returns how
// many bytes are left, unknown when the kernel did not say.
func (d *descriptor) receiveLeft(r *receiving, skip int) (n, left int, e spi.Errno) {
	if d.has(fRecvShut | fAborted) {
		return 0, unknown, d.receiveShut()
	}
	n, left, errno := receiveInq(d.fd, r.in, skip)
	if errno != 0 {
		return 0, unknown, d.receiveError(r, errno)
	}
	if n == 0 && skip == 0 {
		return 0, unknown, d.receiveEnded()
	}
	return n, left, 0
}

// receiveEnded is the result of a receive that found a stream's end: zero when
// that is no error.
func (d *descriptor) receiveEnded() spi.Errno {
	if d.has(fRecvShut | fAborted) { // meanwhile
		return d.receiveShut()
	}
	return spi.Errno(d.broken.Load())
}

// receiveShut is the error of receiving after SD_RECEIVE.
func (d *descriptor) receiveShut() spi.Errno {
	if d.has(fAborted) {
		return spi.WSAECONNABORTED
	}
	return spi.WSAESHUTDOWN
}

func (d *descriptor) receiveDatagram(r *receiving) (int, uint32, spi.Errno) {
	if e := spi.Errno(d.err.Load()); e != 0 && d.err.CompareAndSwap(int32(e), 0) {
		return 0, 0, e
	}
	if r.msg != nil {
		return d.receiveMessage(r)
	}
	bufs := r.in
	var joined [1]spi.Buf
	if len(bufs) > maxVectors {
		joined[0] = spi.NewBuf(make([]byte, min(spi.BufsLen(bufs), spi.SizeofSockaddrStorage+maxDatagram6)))
		bufs = joined[:]
	}
	var name *sockaddr
	var storage sockaddr
	if r.fromLen != nil {
		name = &storage
	}
	n, errno := receiveNow(d.fd, bufs, 0, r.inFlags|unix.MSG_TRUNC, name)
	if errno == unix.ECONNREFUSED {
		d.keepPortUnreachable()
		if e := spi.Errno(d.err.Swap(0)); e != 0 {
			return 0, 0, e
		}
		n, errno = receiveNow(d.fd, bufs, 0, r.inFlags|unix.MSG_TRUNC, name)
	}
	if errno != 0 {
		return 0, 0, d.receiveError(r, errno)
	}
	if name != nil {
		_ = spi.StoreAddress(name.windows(), r.from, r.fromLen) // its size was checked
	}
	if len(r.in) > maxVectors {
		scatter(joined[0].Bytes()[:min(n, int(joined[0].Len))], r.in)
	}
	if room := spi.BufsLen(r.in); n > room {
		return room, spi.MSG_PARTIAL, spi.WSAEMSGSIZE
	}
	return n, 0, 0
}

// scatter copies a datagram to very many buffers.
func scatter(data []byte, bufs []spi.Buf) {
	for _, b := range bufs {
		data = data[copy(b.Bytes(), data):]
	}
}

// receiveFlags translates MSG_ flags. WSAEOPNOTSUPP for one that the socket
// does not have, and for MSG_WAITALL on a nonblocking socket or beside
// MSG_PEEK, MSG_OOB or MSG_PARTIAL; WSAEINVAL for MSG_OOB with SO_OOBINLINE.
func (d *descriptor) receiveFlags(r *receiving, flags uint32) spi.Errno {
	if flags == 0 {
		return 0
	}
	known := uint32(spi.MSG_PEEK | spi.MSG_PUSH_IMMEDIATE)
	if d.kind.stream() {
		known |= spi.MSG_WAITALL
	} else {
		known |= spi.MSG_PARTIAL
	}
	if d.kind.tcp() {
		known |= spi.MSG_OOB
	}
	if flags&^known != 0 {
		return spi.WSAEOPNOTSUPP
	}
	if flags&spi.MSG_WAITALL != 0 {
		if flags&(spi.MSG_PEEK|spi.MSG_OOB) != 0 || !d.blocking() {
			return spi.WSAEOPNOTSUPP
		}
		r.waitAll = true
	}
	if flags&spi.MSG_PEEK != 0 {
		r.inFlags |= unix.MSG_PEEK
	}
	if flags&spi.MSG_OOB != 0 {
		r.inFlags |= unix.MSG_OOB
		if inline, _ := getInt(d.fd, unix.SOL_SOCKET, unix.SO_OOBINLINE); inline != 0 {
			return spi.WSAEINVAL
		}
	}
	return 0
}

// receiveError translates the error of a receiving call.
func (d *descriptor) receiveError(r *receiving, errno unix.Errno) spi.Errno {
	switch errno {
	case unix.EAGAIN:
		if d.kind.stream() && d.has(fConnecting) && !connected(d.fd) {
			return spi.WSAENOTCONN
		}
		if !d.kind.stream() && !d.bound() {
			return spi.WSAEINVAL
		}
		return spi.WSAEWOULDBLOCK
	case unix.EINVAL:
		if r.inFlags&unix.MSG_OOB != 0 && connected(d.fd) && pollNow(d.fd, unix.POLLRDHUP)&(unix.POLLRDHUP|unix.POLLHUP) == 0 {
			return spi.WSAEWOULDBLOCK // no urgent byte yet
		}
		if d.kind == unixStream && !connected(d.fd) {
			return spi.WSAENOTCONN
		}
	case unix.ECONNRESET, unix.ETIMEDOUT:
		if d.kind.stream() {
			d.broken.Store(int32(spi.FromErrno(errno)))
		}
	case unix.ENOTCONN:
		if e := spi.Errno(d.broken.Load()); e != 0 {
			return e
		}
	}
	return spi.FromErrno(errno)
}

// keepPortUnreachable keeps WSAECONNRESET, the news that an earlier datagram
// found no one, for the next receiving call, unless SIO_UDP_CONNRESET turned
// that off; and empties the kernel's queue of such errors.
func (d *descriptor) keepPortUnreachable() {
	if d.has(fErrorQueue) {
		d.emptyErrorQueue()
	}
	if !d.has(fNoConnReset) {
		d.err.Store(int32(spi.WSAECONNRESET))
	}
}

// emptyErrorQueue discards what IP_RECVERR has queued: one byte of each
// datagram that came back is enough to take it out.
func (d *descriptor) emptyErrorQueue() {
	var one [1]byte
	bufs := [1]spi.Buf{spi.NewBuf(one[:])}
	for range maxErrorQueue {
		if _, errno := receiveNow(d.fd, bufs[:], 0, unix.MSG_ERRQUEUE, nil); errno != 0 {
			return
		}
	}
}

// maxErrorQueue bounds one emptying of the error queue.
const maxErrorQueue = 1024
