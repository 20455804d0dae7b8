package nonifs

import (
	"time"

	"upcall.dev/spi"
)

// WSPShutdown ends one or both directions. WSAEINVAL, WSAENOTCONN.
func (b *Base) WSPShutdown(s spi.Socket, how int32) spi.Errno {
	h, errno := b.handles.Lookup(s)
	if errno != 0 {
		return errno
	}
	if how < spi.SD_RECEIVE || how > spi.SD_BOTH {
		return spi.WSAEINVAL
	}
	e := h.Value
	in, out := e.rx.Load(), e.tx.Load()
	if e.datagram {
		e.shutdownDatagram(how)
		return 0
	}
	if in == nil || out == nil {
		return spi.WSAENOTCONN
	}
	if how != spi.SD_RECEIVE {
		out.End()
	}
	if how != spi.SD_SEND && in.Refuse() {
		out.Abort(spi.WSAECONNRESET) // data that nobody will read: the peer must know
	}
	e.lower.Shutdown(how)
	return 0
}

func (e *Endpoint) shutdownDatagram(how int32) {
	if how != spi.SD_RECEIVE {
		e.changeOptions(func(o *options) { o.sendEnded = true })
	}
	if q := e.rx.Load(); q != nil && how != spi.SD_SEND {
		q.Refuse()
	}
	e.lower.Shutdown(how)
}

// lingerPoll is how often a lingering close looks whether the peer has read all.
const lingerPoll = 2 * time.Millisecond

// WSPCloseSocket closes a descriptor, and with the last one the socket.
func (b *Base) WSPCloseSocket(s spi.Socket) spi.Errno {
	h, errno := b.handles.Lookup(s)
	if errno != 0 {
		return errno
	}
	e := h.Value
	abort, errno := e.linger(h.entry)
	if errno != 0 {
		return errno
	}
	if errno := b.handles.Close(h); errno != 0 {
		return errno
	}
	e.abortOf(&h.descriptor)
	if w := e.watch.Load(); w != nil {
		w.engine.CloseDescriptor(s)
	}
	e.detach(abort)
	return 0
}

// linger applies SO_LINGER to a close: a timeout of zero is a reset, any other
// waits on a blocking socket until the peer has taken what was sent. On a
// nonblocking one it gives WSAEWOULDBLOCK, and nothing is closed. Only the last
// descriptor's close ends the connection.
func (e *Endpoint) linger(entry uint32) (abort bool, errno spi.Errno) {
	o := e.currentOptions()
	out := e.tx.Load()
	if !o.lingerSet || out == nil || e.datagram || e.duplicated() {
		return false, 0
	}
	if o.linger.Linger == 0 {
		return true, 0
	}
	if e.nonblocking.Load() {
		return false, spi.WSAEWOULDBLOCK
	}
	deadline := time.Now().Add(time.Duration(o.linger.Linger) * time.Second)
	for !out.delivered() {
		if !time.Now().Before(deadline) {
			return true, 0
		}
		switch errno := e.base.Await(nil, lingerPoll, entry); errno {
		case 0, spi.WSAETIMEDOUT:
		default:
			return false, errno
		}
	}
	return false, 0
}

// duplicated reports whether the socket has more than one descriptor.
func (e *Endpoint) duplicated() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.descs > 1
}

// delivered reports whether the receiver has taken everything.
func (q *Queue) delivered() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.ring.n == 0 && q.writers.last == nil || q.err != 0 || q.refused
}

// abortOf ends the operations of a closed descriptor: blocked calls with
// WSAEINTR, overlapped ones with WSA_OPERATION_ABORTED.
func (e *Endpoint) abortOf(d *descriptor) {
	e.end(func(o *op) bool { return o.handle == d })
}

// end ends the operations that match, and reports whether there were any.
func (e *Endpoint) end(match func(*op) bool) bool {
	var done finished
	for _, q := range [2]*Queue{e.rx.Load(), e.tx.Load()} {
		if q != nil {
			q.end(match, &done)
		}
	}
	e.mu.Lock()
	done.takeIf(&e.connecting, match, (*op).aborted)
	if l := e.backlog; l != nil {
		done.takeIf(&l.waiting, match, (*op).aborted)
		for o, q := range l.receiving {
			if match(o) {
				q.mu.Lock()
				if o.list == &q.readers {
					done.take(&q.readers, o, spi.WSA_OPERATION_ABORTED)
				}
				q.mu.Unlock()
			}
		}
	}
	e.mu.Unlock()
	found := done.head != nil
	done.tell()
	return found
}

// end takes the operations that match.
func (q *Queue) end(match func(*op) bool, done *finished) {
	q.mu.Lock()
	defer q.mu.Unlock()
	done.takeIf(&q.readers, match, (*op).aborted)
	done.takeIf(&q.writers, match, (*op).aborted)
	q.refill(done) // others may have been behind a sender, or the end of the stream
	q.serve(done)
}

// detach counts a closed descriptor; the last one ends the socket.
func (e *Endpoint) detach(abort bool) {
	e.mu.Lock()
	e.descs--
	if e.descs > 0 {
		e.mu.Unlock()
		return
	}
	e.state = stateClosed
	var undecided []*Endpoint
	var waits *acceptEx
	if e.backlog != nil {
		undecided, e.backlog.queue = e.backlog.queue, nil
		waits = e.backlog.acceptEx
	}
	e.mu.Unlock()
	if waits != nil {
		waits.abort()
	}
	if w := e.watch.Load(); w != nil {
		w.engine.Close()
		w.wakeSelects()
	}
	e.base.duplicates.forget(e)
	for _, incoming := range undecided {
		incoming.drop(spi.WSAECONNREFUSED)
	}
	in, out := e.rx.Load(), e.tx.Load()
	if !e.datagram && !abort && in != nil && in.unread() {
		abort = true // as TCP does: the peer learns that its data was lost
	}
	switch {
	case abort:
		e.Abort(spi.WSAECONNRESET)
	default:
		if out != nil && !e.datagram {
			out.End()
		}
		if in != nil {
			in.Refuse()
		}
	}
	e.lower.Close(abort)
}

func (q *Queue) unread() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return (q.ring.n > 0 || q.writers.last != nil) && !q.refused && q.err == 0
}
