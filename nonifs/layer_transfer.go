package nonifs

import "upcall.dev/spi"

// Transfer is one operation through a [Layer] that has ended: a send, a
// receive, or any other that was overlapped.
type Transfer struct {
	Call       string     // its function: "WSPSend", "TransmitFile" …
	Socket     spi.Socket // whose bytes they are: with AcceptEx the accepted one
	Receive    bool
	Bufs       []spi.Buf // the client's memory; valid during the call. nil when the bytes are a file's, or there are none
	N          uint32    // bytes transferred
	Errno      spi.Errno
	Overlapped *spi.Overlapped // nil for a call that was not overlapped
	Address    []byte          // that it was given, or that it stored
}

// Observe makes f see every transfer that has ended, before the client is told,
// on the goroutine that ended it; f must not call the layer, nor keep the
// Transfer. It replaces the observer before it, and nil ends it.
func (l *Layer) Observe(f func(*Transfer)) {
	if f == nil {
		l.observer.Store(nil)
		return
	}
	l.observer.Store(&f)
}

func (l *Layer) observe(t *Transfer) {
	if f := l.observer.Load(); f != nil {
		(*f)(t)
	}
}

// show makes the operation one that an observer will be shown, if there is one.
// It captures the array and a given address, which the caller may change.
func (op *lowerOp) show(t Transfer, fromLen *int32) {
	if op.layer.observer.Load() == nil {
		return
	}
	if t.Bufs != nil {
		t.Bufs = append(op.inline[:0], t.Bufs...)
	}
	if t.Address != nil && fromLen == nil {
		t.Address = append(op.address[:0], t.Address...)
	}
	t.Overlapped = op.request.ov
	op.observed, op.seen, op.fromLen = true, t, fromLen
}

// cutAddress leaves of a sender's address what was stored. A failed receive may
// leave any number in *fromLen, for the client wrote it.
func (t *Transfer) cutAddress(fromLen *int32) {
	if fromLen != nil {
		t.Address = t.Address[:max(0, min(int(*fromLen), len(t.Address)))]
	}
}

// ended shows a transfer that was not overlapped.
func (l *Layer) ended(t Transfer, n *uint32, fromLen *int32, errno spi.Errno) spi.Errno {
	if l.observer.Load() == nil {
		return errno
	}
	shown := t
	shown.Errno = errno
	if n != nil && (errno == 0 || errno == spi.WSAEMSGSIZE) {
		shown.N = *n
	}
	shown.cutAddress(fromLen)
	l.observe(&shown)
	return errno
}

// lookupFor is lookup for an operation. WSAEINVAL for an overlapped one on a
// socket without WSA_FLAG_OVERLAPPED.
func (l *Layer) lookupFor(s spi.Socket, ov *spi.Overlapped) (*Handle[mapped], spi.Errno) {
	h, errno := l.lookup(s)
	if errno == 0 && ov != nil && !h.Value.overlapped {
		return nil, spi.WSAEINVAL
	}
	return h, errno
}

// WSPRecv receives from the lower socket.
func (l *Layer) WSPRecv(s spi.Socket, bufs []spi.Buf, received, flags *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	h, errno := l.lookupFor(s, ov)
	if errno != 0 {
		return errno
	}
	m, t := h.Value, Transfer{Call: "WSPRecv", Socket: s, Receive: true, Bufs: bufs}
	if ov == nil {
		return l.ended(t, received, nil, m.next.WSPRecv(m.lower, bufs, received, flags, nil, nil, thread))
	}
	if flags == nil {
		return spi.WSAEFAULT
	}
	op, errno := l.begin(h, ov, routine, thread)
	if errno != 0 {
		return errno
	}
	op.show(t, nil)
	op.flags = *flags
	return op.started(m.next.WSPRecv(m.lower, bufs, &op.n, &op.flags, &op.ov, nil, thread), received, flags)
}

// WSPRecvFrom receives from the lower socket.
func (l *Layer) WSPRecvFrom(s spi.Socket, bufs []spi.Buf, received, flags *uint32, from []byte, fromLen *int32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	h, errno := l.lookupFor(s, ov)
	if errno != 0 {
		return errno
	}
	m, t := h.Value, Transfer{Call: "WSPRecvFrom", Socket: s, Receive: true, Bufs: bufs, Address: from}
	if ov == nil {
		return l.ended(t, received, fromLen, m.next.WSPRecvFrom(m.lower, bufs, received, flags, from, fromLen, nil, nil, thread))
	}
	if flags == nil {
		return spi.WSAEFAULT
	}
	op, errno := l.begin(h, ov, routine, thread)
	if errno != 0 {
		return errno
	}
	op.show(t, fromLen)
	op.flags = *flags
	return op.started(m.next.WSPRecvFrom(m.lower, bufs, &op.n, &op.flags, from, fromLen, &op.ov, nil, thread), received, flags)
}

// WSPSend sends on the lower socket.
func (l *Layer) WSPSend(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	h, errno := l.lookupFor(s, ov)
	if errno != 0 {
		return errno
	}
	m, t := h.Value, Transfer{Call: "WSPSend", Socket: s, Bufs: bufs}
	if ov == nil {
		return l.ended(t, sent, nil, m.next.WSPSend(m.lower, bufs, sent, flags, nil, nil, thread))
	}
	op, errno := l.begin(h, ov, routine, thread)
	if errno != 0 {
		return errno
	}
	op.show(t, nil)
	return op.started(m.next.WSPSend(m.lower, bufs, &op.n, flags, &op.ov, nil, thread), sent, nil)
}

// WSPSendTo sends on the lower socket.
func (l *Layer) WSPSendTo(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, to []byte, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	h, errno := l.lookupFor(s, ov)
	if errno != 0 {
		return errno
	}
	m, t := h.Value, Transfer{Call: "WSPSendTo", Socket: s, Bufs: bufs, Address: to}
	if ov == nil {
		return l.ended(t, sent, nil, m.next.WSPSendTo(m.lower, bufs, sent, flags, to, nil, nil, thread))
	}
	op, errno := l.begin(h, ov, routine, thread)
	if errno != 0 {
		return errno
	}
	op.show(t, nil)
	return op.started(m.next.WSPSendTo(m.lower, bufs, &op.n, flags, to, &op.ov, nil, thread), sent, nil)
}

// WSPIoctl controls the lower socket. Extension functions are the Layer's own,
// over those of the next provider.
func (l *Layer) WSPIoctl(s spi.Socket, code uint32, in, out []byte, returned *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	h, errno := l.lookupFor(s, ov)
	if errno != 0 {
		return errno
	}
	m := h.Value
	switch {
	case code == spi.SIO_CANCEL_IO:
		return l.cancel(m, in, returned, thread)
	case code == spi.SIO_GET_EXTENSION_FUNCTION_POINTER:
		return l.extension(h, in, out, returned, ov, routine, thread)
	case ov == nil:
		return m.next.WSPIoctl(m.lower, code, in, out, returned, nil, nil, thread)
	}
	op, errno := l.begin(h, ov, routine, thread)
	if errno != 0 {
		return errno
	}
	op.show(Transfer{Call: "WSPIoctl", Socket: s}, nil)
	return op.started(m.next.WSPIoctl(m.lower, code, in, out, &op.n, &op.ov, nil, thread), returned, nil)
}

// WSPGetOverlappedResult gives the outcome of an operation, also of one whose
// handle is closed. With wait it waits for one without an event too.
func (l *Layer) WSPGetOverlappedResult(s spi.Socket, ov *spi.Overlapped, transferred *uint32, wait bool, flags *uint32) spi.Errno {
	h, errno := l.lookup(s)
	switch {
	case ov == nil || transferred == nil || flags == nil || !ov.InProgress():
	case errno != 0:
		return errno
	case wait && ov.HEvent.Untagged() == spi.InvalidEvent:
		if errno = l.await(h.Value, ov); errno != 0 {
			return errno
		}
		wait = false
	}
	if errno != 0 && ov == nil {
		return errno
	}
	return l.OverlappedResult(ov, transferred, wait, flags)
}
