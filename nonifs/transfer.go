package nonifs

import (
	"time"

	"upcall.dev/spi"
)

// WSPRecv receives.
func (b *Base) WSPRecv(s spi.Socket, bufs []spi.Buf, received, flags *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	return b.receive(s, bufs, received, flags, nil, nil, ov, routine, thread)
}

// WSPRecvFrom receives and, from a datagram socket, stores the sender.
func (b *Base) WSPRecvFrom(s spi.Socket, bufs []spi.Buf, received, flags *uint32, from []byte, fromLen *int32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	if (from == nil) != (fromLen == nil) {
		return spi.WSAEFAULT
	}
	return b.receive(s, bufs, received, flags, from, fromLen, ov, routine, thread)
}

func (b *Base) receive(s spi.Socket, bufs []spi.Buf, received, flags *uint32, from []byte, fromLen *int32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	h, errno := b.handles.Lookup(s)
	if errno != 0 {
		return errno
	}
	return b.receiveOn(h, bufs, received, flags, from, fromLen, nil, ov, routine, thread)
}

func (b *Base) receiveOn(h *Handle[Endpoint], bufs []spi.Buf, received, flags *uint32, from []byte, fromLen *int32, msg *spi.Msg, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	e := h.Value
	if flags == nil || received == nil && ov == nil || lacksMemory(bufs) {
		return spi.WSAEFAULT
	}
	asked := *flags
	if errno := e.checkReceive(asked); errno != 0 {
		return errno
	}
	q := e.rx.Load()
	switch {
	case q != nil:
	case e.datagram:
		return spi.WSAEINVAL
	default:
		return spi.WSAENOTCONN
	}
	o, errno := b.begin(h, ov, routine, thread)
	if errno != 0 {
		return errno
	}
	if o != nil {
		o.msg = msg
	}

	c := cursor{bufs: bufs}
	var done finished
	q.mu.Lock()
	errno = spi.WSAEWOULDBLOCK
	if q.readers.last == nil || q.finished() {
		errno = q.receive(&c, asked, from, fromLen, &done)
	}
	q.afterReceive()
	if errno == spi.WSAEWOULDBLOCK && ov == nil && e.nonblocking.Load() && c.n > 0 {
		errno = 0 // MSG_WAITALL does not wait here
	}
	if errno != spi.WSAEWOULDBLOCK || ov == nil && e.nonblocking.Load() {
		q.mu.Unlock()
		done.tell()
		return b.atOnce(o, c.n, received, flags, errno)
	}
	o = h.waiting(o, c)
	o.flags, o.from, o.fromLen = asked, from, fromLen
	if errno := o.listIn(&q.readers); errno != 0 {
		q.mu.Unlock()
		done.tell()
		return b.refused(o, errno)
	}
	q.mu.Unlock()
	done.tell()
	if ov != nil {
		return spi.WSA_IO_PENDING
	}
	errno = e.awaitOp(q, o, e.currentOptions().rcvTimeout())
	if o.n > 0 && (errno == spi.WSAETIMEDOUT || errno == spi.WSAEINTR) {
		errno = 0 // MSG_WAITALL keeps what came
	}
	*received = o.n
	if errno == 0 || errno == spi.WSAEMSGSIZE {
		*flags = o.result
	}
	o.release()
	return errno
}

// begin begins an overlapped operation on h; without ov there is none, and its
// op is nil. WSAEINVAL (not an overlapped socket).
func (b *Base) begin(h *Handle[Endpoint], ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) (*op, spi.Errno) {
	if ov == nil {
		return nil, 0
	}
	if !h.Value.overlapped {
		return nil, spi.WSAEINVAL
	}
	r, errno := b.BeginRequest(ov, routine, thread)
	if errno != 0 {
		return nil, errno
	}
	o := opPool.Get().(*op)
	o.request, o.handle = r, &h.descriptor
	return o, 0
}

// checkReceive refuses the flags that no Endpoint supports.
func (e *Endpoint) checkReceive(flags uint32) spi.Errno {
	const known = spi.MSG_PEEK | spi.MSG_WAITALL | spi.MSG_PUSH_IMMEDIATE
	if flags&^known != 0 {
		return spi.WSAEOPNOTSUPP
	}
	if flags&spi.MSG_WAITALL != 0 && (e.datagram || flags&spi.MSG_PEEK != 0) {
		return spi.WSAEOPNOTSUPP
	}
	return 0
}

// waiting makes the op of a call that must wait: o is that of an overlapped
// one, else nil.
func (d *descriptor) waiting(o *op, c cursor) *op {
	if o != nil {
		o.capture(c)
		return o
	}
	o = newBlocked(c)
	o.handle = d
	return o
}

// lacksMemory reports whether a buffer has a length and no address.
func lacksMemory(bufs []spi.Buf) bool {
	for i := range bufs {
		if bufs[i].Buf == nil && bufs[i].Len > 0 {
			return true
		}
	}
	return false
}

// resultFlags are the flags that a receive tells with its outcome.
func resultFlags(errno spi.Errno) uint32 {
	if errno == spi.WSAEMSGSIZE {
		return spi.MSG_PARTIAL
	}
	return 0
}

// listIn puts the op into its list unless its descriptor is closed. The caller
// holds the list's lock.
func (o *op) listIn(l *opList) spi.Errno {
	if o.request.overlapped() {
		if !o.handle.Begin() {
			return spi.WSAENOTSOCK
		}
	} else if o.handle.closed() {
		return spi.WSAENOTSOCK
	}
	l.push(o)
	return 0
}

// refused ends an op that listIn refused.
func (b *Base) refused(o *op, errno spi.Errno) spi.Errno {
	if o.request.overlapped() {
		b.Fail(&o.request, errno)
	}
	o.release()
	return errno
}

// atOnce ends a call that need not wait; o is that of an overlapped one, else
// nil.
func (b *Base) atOnce(o *op, n uint32, transferred, flags *uint32, errno spi.Errno) spi.Errno {
	if o != nil && errno != 0 {
		return b.refused(o, errno)
	}
	if transferred != nil {
		*transferred = n
	}
	if errno != 0 && errno != spi.WSAEMSGSIZE {
		return errno
	}
	if flags != nil {
		*flags = resultFlags(errno)
	}
	if o != nil {
		if o.msg != nil {
			tellMsg(o.msg, 0)
		}
		b.Complete(o.handle.Socket(), &o.request, 0, n, 0)
		o.release()
	}
	return errno
}

// awaitOp waits for a blocked call's op, which is in one of q's lists.
func (e *Endpoint) awaitOp(q *Queue, o *op, timeout time.Duration) spi.Errno {
	errno := e.base.Await(o.wake, timeout, o.handle.entry)
	if errno == 0 {
		return o.errno
	}
	q.mu.Lock()
	withdrawn := o.list != nil && o.list.remove(o)
	q.mu.Unlock()
	if withdrawn {
		return errno
	}
	<-o.wake
	return o.errno
}

// WSPSend sends.
func (b *Base) WSPSend(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	return b.send(s, bufs, sent, flags, nil, spi.WSAENOTCONN, ov, routine, thread)
}

// WSPSendTo sends, a datagram to the given address.
func (b *Base) WSPSendTo(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, to []byte, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	return b.send(s, bufs, sent, flags, to, spi.WSAEDESTADDRREQ, ov, routine, thread)
}

func (b *Base) send(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, to []byte, noPeer spi.Errno, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	h, errno := b.handles.Lookup(s)
	if errno != 0 {
		return errno
	}
	return b.sendOn(h, bufs, sent, flags, to, noPeer, ov, routine, thread)
}

func (b *Base) sendOn(h *Handle[Endpoint], bufs []spi.Buf, sent *uint32, flags uint32, to []byte, noPeer spi.Errno, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	e := h.Value
	if sent == nil && ov == nil || lacksMemory(bufs) {
		return spi.WSAEFAULT
	}
	if flags&^(spi.MSG_DONTROUTE) != 0 {
		return spi.WSAEOPNOTSUPP
	}
	q, address, errno := e.route(to, noPeer, bufs)
	if errno != 0 {
		return errno
	}
	o, errno := b.begin(h, ov, routine, thread)
	if errno != 0 {
		return errno
	}

	c := cursor{bufs: bufs}
	var done finished
	q.mu.Lock()
	errno = q.submit(&c, address, &done)
	if errno == spi.WSAEWOULDBLOCK && ov == nil && e.nonblocking.Load() {
		e.rearmWrite(q)
		if c.n > 0 {
			errno = 0
		}
		q.mu.Unlock()
		done.tell()
		*sent = c.n
		return errno
	}
	if errno != spi.WSAEWOULDBLOCK {
		refused := errno == spi.WSAECONNRESET && q.refused
		q.mu.Unlock()
		done.tell()
		if refused {
			e.Abort(errno) // data that the peer takes no more resets both directions
		}
		return b.atOnce(o, c.n, sent, nil, errno)
	}
	o = h.waiting(o, c)
	o.captureAddress(address)
	if errno := o.listIn(&q.writers); errno != 0 {
		q.mu.Unlock()
		done.tell()
		return b.refused(o, errno)
	}
	q.mu.Unlock()
	done.tell()
	if ov != nil {
		return spi.WSA_IO_PENDING
	}
	errno = e.awaitOp(q, o, e.currentOptions().sndTimeout())
	if o.n > 0 && !e.datagram && errno == spi.WSAETIMEDOUT {
		errno = 0 // a part was sent, which the caller must know
	}
	*sent = o.n
	o.release()
	return errno
}

// route finds the queue to send to. noPeer is the error when neither to nor a
// connection says where.
func (e *Endpoint) route(to []byte, noPeer spi.Errno, bufs []spi.Buf) (*Queue, []byte, spi.Errno) {
	if e.datagram {
		e.mu.Lock()
		ended := e.options != nil && e.options.sendEnded
		connected := e.state == stateConnected
		e.mu.Unlock()
		if ended {
			return nil, nil, spi.WSAESHUTDOWN
		}
		if len(to) == 0 && !connected {
			return nil, nil, noPeer
		}
		return e.lower.Route(to, spi.BufsLen(bufs))
	}
	q := e.tx.Load()
	if q == nil {
		return nil, nil, spi.WSAENOTCONN
	}
	return q, nil, 0
}

// WSPGetOverlappedResult gives the outcome of an operation, also of one that
// has ended on a handle that is closed.
func (b *Base) WSPGetOverlappedResult(s spi.Socket, ov *spi.Overlapped, transferred *uint32, wait bool, flags *uint32) spi.Errno {
	if _, errno := b.handles.Lookup(s); errno != 0 && (ov == nil || ov.InProgress()) {
		return errno
	}
	return b.OverlappedResult(ov, transferred, wait, flags)
}

// WSPRecvDisconnect refuses disconnect data, which no Endpoint has.
func (b *Base) WSPRecvDisconnect(s spi.Socket, data *spi.Buf) spi.Errno {
	if data != nil && data.Len > 0 {
		if _, errno := b.handles.Lookup(s); errno != 0 {
			return errno
		}
		return spi.WSAENOPROTOOPT
	}
	return b.WSPShutdown(s, spi.SD_RECEIVE)
}

// WSPSendDisconnect ends sending; disconnect data is refused.
func (b *Base) WSPSendDisconnect(s spi.Socket, data *spi.Buf) spi.Errno {
	if data != nil && data.Len > 0 {
		if _, errno := b.handles.Lookup(s); errno != 0 {
			return errno
		}
		return spi.WSAENOPROTOOPT
	}
	return b.WSPShutdown(s, spi.SD_SEND)
}
