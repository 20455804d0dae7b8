package nonifs

import (
	"sync/atomic"

	"upcall.dev/spi"
)

// Transfer is one send or receive through a [Layer] that has ended.
type Transfer struct {
	Socket     spi.Socket
	Receive    bool
	Bufs       []spi.Buf // the client's memory; valid during the call
	N          uint32    // bytes transferred
	Errno      spi.Errno
	Overlapped *spi.Overlapped // nil for a call that was not overlapped
	Address    []byte          // given to WSPSendTo, or stored by WSPRecvFrom
}

// Observe makes f see every transfer that has ended, before the client is told,
// on the goroutine that ended it; f must not call the layer. It replaces the
// observer before it, and nil ends it.
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

// lowerOp is one overlapped operation of a Layer on a lower socket.
type lowerOp struct {
	ov      spi.Overlapped // what the next provider is given
	claimed atomic.Bool    // by the one who tells the outcome
	layer   *Layer
	handle  *Handle[mapped]
	request Request
	seen    *Transfer // nil when it is no transfer, or nobody looks
	fromLen *int32
	event   *waitEvent
	// The worker's lists of all and of completed operations.
	next, prev *lowerOp
}

// start begins an overlapped operation; call is the function below. Success
// and WSA_IO_PENDING are told apart as by the next provider, except that a
// completion which the worker has taken already counts as pending.
func (l *Layer) start(h *Handle[mapped], ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID, seen *Transfer, fromLen *int32, transferred, flags *uint32, call func(ov *spi.Overlapped, n, flags *uint32) spi.Errno) spi.Errno {
	request, errno := l.BeginRequest(ov, routine, thread)
	if errno != 0 {
		return errno
	}
	if !h.Begin() {
		l.Fail(&request, spi.WSAENOTSOCK)
		return spi.WSAENOTSOCK
	}
	op := &lowerOp{layer: l, handle: h, request: request, seen: seen, fromLen: fromLen}
	op.ov.Start()
	if errno := l.work.add(op); errno != 0 {
		l.Fail(&request, errno)
		h.End()
		return errno
	}
	var n, resultFlags uint32
	if flags != nil {
		resultFlags = *flags
	}
	errno = call(&op.ov, &n, &resultFlags)
	if errno == spi.WSA_IO_PENDING || !op.claimed.CompareAndSwap(false, true) {
		return spi.WSA_IO_PENDING
	}
	if errno != 0 {
		l.Fail(&op.request, errno)
		l.work.forget(op)
		l.work.recycle(op.event) // a failed start is not indicated
		h.End()
		return errno
	}
	op.tell(0, n, resultFlags)
	if transferred != nil {
		*transferred = n
	}
	if flags != nil {
		*flags = resultFlags
	}
	return 0
}

// finish tells the outcome of an operation whose event was set, on the worker.
// It reports false when the operation is not over: the event was set for
// something else.
func (op *lowerOp) finish() (over bool) {
	if op.claimed.Load() {
		return true // told by start
	}
	if op.ov.InProgress() {
		return false
	}
	if !op.claimed.CompareAndSwap(false, true) {
		return true
	}
	var n, flags uint32
	m := op.handle.Value
	errno := spi.WSAENOTSOCK
	if !m.closing.Load() {
		errno = m.next.WSPGetOverlappedResult(m.lower, &op.ov, &n, false, &flags)
	}
	if errno == spi.WSAENOTSOCK { // closed: the structure has the outcome
		n, flags, errno = uint32(op.ov.InternalHigh), op.ov.Offset, spi.Errno(op.ov.OffsetHigh)
		if errno == 0 && op.ov.Internal != 0 {
			errno = spi.WSA_OPERATION_ABORTED
		}
	}
	op.tell(errno, n, flags)
	return true
}

// tell hands the outcome to the client.
func (op *lowerOp) tell(errno spi.Errno, n, flags uint32) {
	if t := op.seen; t != nil {
		t.N, t.Errno = n, errno
		t.cutAddress(op.fromLen)
		op.layer.observe(t)
	}
	op.layer.work.forget(op)
	op.layer.Complete(op.handle.Socket(), &op.request, errno, n, flags)
	op.handle.End()
}

// seen returns what an observer will be shown, nil without an observer. An
// overlapped transfer captures the array, which the caller may change.
func (l *Layer) seen(s spi.Socket, receive bool, bufs []spi.Buf, ov *spi.Overlapped, address []byte) *Transfer {
	if l.observer.Load() == nil {
		return nil
	}
	if ov != nil {
		bufs = append([]spi.Buf(nil), bufs...)
		if !receive {
			address = append([]byte(nil), address...)
		}
	}
	return &Transfer{Socket: s, Receive: receive, Bufs: bufs, Overlapped: ov, Address: address}
}

// cutAddress leaves of a sender's address what was stored. A failed receive may
// leave any number in *fromLen, for the client wrote it.
func (t *Transfer) cutAddress(fromLen *int32) {
	if fromLen != nil {
		t.Address = t.Address[:max(0, min(int(*fromLen), len(t.Address)))]
	}
}

// ended shows a transfer that was not overlapped.
func (l *Layer) ended(t *Transfer, n *uint32, fromLen *int32, errno spi.Errno) spi.Errno {
	if t != nil {
		t.Errno = errno
		if n != nil && (errno == 0 || errno == spi.WSAEMSGSIZE) {
			t.N = *n
		}
		t.cutAddress(fromLen)
		l.observe(t)
	}
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
	m, t := h.Value, l.seen(s, true, bufs, ov, nil)
	if ov == nil {
		return l.ended(t, received, nil, m.next.WSPRecv(m.lower, bufs, received, flags, nil, nil, thread))
	}
	return l.start(h, ov, routine, thread, t, nil, received, flags, func(lower *spi.Overlapped, n, flags *uint32) spi.Errno {
		return m.next.WSPRecv(m.lower, bufs, n, flags, lower, nil, thread)
	})
}

// WSPRecvFrom receives from the lower socket.
func (l *Layer) WSPRecvFrom(s spi.Socket, bufs []spi.Buf, received, flags *uint32, from []byte, fromLen *int32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	h, errno := l.lookupFor(s, ov)
	if errno != 0 {
		return errno
	}
	m, t := h.Value, l.seen(s, true, bufs, ov, from)
	if ov == nil {
		return l.ended(t, received, fromLen, m.next.WSPRecvFrom(m.lower, bufs, received, flags, from, fromLen, nil, nil, thread))
	}
	return l.start(h, ov, routine, thread, t, fromLen, received, flags, func(lower *spi.Overlapped, n, flags *uint32) spi.Errno {
		return m.next.WSPRecvFrom(m.lower, bufs, n, flags, from, fromLen, lower, nil, thread)
	})
}

// WSPSend sends on the lower socket.
func (l *Layer) WSPSend(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	h, errno := l.lookupFor(s, ov)
	if errno != 0 {
		return errno
	}
	m, t := h.Value, l.seen(s, false, bufs, ov, nil)
	if ov == nil {
		return l.ended(t, sent, nil, m.next.WSPSend(m.lower, bufs, sent, flags, nil, nil, thread))
	}
	return l.start(h, ov, routine, thread, t, nil, sent, nil, func(lower *spi.Overlapped, n, _ *uint32) spi.Errno {
		return m.next.WSPSend(m.lower, bufs, n, flags, lower, nil, thread)
	})
}

// WSPSendTo sends on the lower socket.
func (l *Layer) WSPSendTo(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, to []byte, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	h, errno := l.lookupFor(s, ov)
	if errno != 0 {
		return errno
	}
	m, t := h.Value, l.seen(s, false, bufs, ov, to)
	if ov == nil {
		return l.ended(t, sent, nil, m.next.WSPSendTo(m.lower, bufs, sent, flags, to, nil, nil, thread))
	}
	return l.start(h, ov, routine, thread, t, nil, sent, nil, func(lower *spi.Overlapped, n, _ *uint32) spi.Errno {
		return m.next.WSPSendTo(m.lower, bufs, n, flags, to, lower, nil, thread)
	})
}

// WSPIoctl controls the lower socket. Extension functions are refused with
// WSAEOPNOTSUPP: those of the next provider do not know this layer's handles.
func (l *Layer) WSPIoctl(s spi.Socket, code uint32, in, out []byte, returned *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	h, errno := l.lookupFor(s, ov)
	if errno != 0 {
		return errno
	}
	if code == spi.SIO_GET_EXTENSION_FUNCTION_POINTER {
		return spi.WSAEOPNOTSUPP
	}
	m := h.Value
	if ov == nil {
		return m.next.WSPIoctl(m.lower, code, in, out, returned, nil, nil, thread)
	}
	return l.start(h, ov, routine, thread, nil, nil, returned, nil, func(lower *spi.Overlapped, n, _ *uint32) spi.Errno {
		return m.next.WSPIoctl(m.lower, code, in, out, n, lower, nil, thread)
	})
}

// WSPGetOverlappedResult gives the outcome of an operation, also of one whose
// handle is closed.
func (l *Layer) WSPGetOverlappedResult(s spi.Socket, ov *spi.Overlapped, transferred *uint32, wait bool, flags *uint32) spi.Errno {
	if _, errno := l.lookup(s); errno != 0 && (ov == nil || ov.InProgress()) {
		return errno
	}
	return l.OverlappedResult(ov, transferred, wait, flags)
}
