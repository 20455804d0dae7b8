package nonifs

import (
	"sync/atomic"

	"upcall.dev/spi"
)

// lowerOp is one overlapped operation of a Layer on a lower socket. It has
// holders: the call that starts it, the indication of its end (a packet on the
// lane, or a signal of its event), and whoever waits for it or cancels it. One
// of them claims it, and tells the client; when the last has let go it is used
// again, so that nobody can still touch ov then.
type lowerOp struct {
	ov      spi.Overlapped // what the next provider is given
	layer   *Layer
	handle  *Handle[mapped]
	request Request // the client's

	n, flags uint32 // where the function below stores its result
	outcome  struct{ n, flags uint32 }

	observed bool
	seen     Transfer // what the observer is shown
	fromLen  *int32   // of seen.Address, nil when that is complete

	// Of an operation with an event of the DLL's, which has one for good.
	event spi.Event // zero on a lane
	phase atomic.Uint32
	task  func() // settle, for the worker

	holders atomic.Int32
	claimed atomic.Bool
	told    atomic.Bool
	ended   atomic.Pointer[chan struct{}] // closed when told; who waits makes it

	next, prev *lowerOp // in the socket's list, whose mutex guards them

	inline  [2]spi.Buf // seen.Bufs, when they are few
	address [spi.SizeofSockaddrIn6]byte
}

// Phases of an operation with an event. A signal moves it on, so that it is
// settled by one goroutine at a time and never after its last holder has gone.
const (
	opFree      = iota // nothing is to come
	opStarting         // the function below has not returned
	opSignalled        // ... but the event was set already: the call settles it
	opStarted          // the event is awaited
	opSettling         // the worker, or the call, looks at it
	opDead             // the event is closed
)

// begin makes an overlapped operation: the client's request, and what goes down
// in its place. The caller calls the function below with op.ov, op.n and
// op.flags, and returns what [lowerOp.started] makes of it. WSAEINVAL for a
// routine on a handle with a completion port, WSA_INVALID_HANDLE, WSAENOTSOCK.
func (l *Layer) begin(h *Handle[mapped], ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) (*lowerOp, spi.Errno) {
	lane := false
	if l.DLL().CompletionPort(h.Socket()) != nil {
		if routine != nil {
			return nil, spi.WSAEINVAL
		}
		lane = ov.HEvent.Untagged() == spi.InvalidEvent && l.lane(h)
	}
	request, errno := l.BeginRequest(ov, routine, thread)
	if errno != 0 {
		return nil, errno
	}
	if !h.Begin() {
		l.Fail(&request, spi.WSAENOTSOCK)
		return nil, spi.WSAENOTSOCK
	}
	var op *lowerOp
	if lane {
		op = l.onLane.Get().(*lowerOp)
	} else if op, errno = l.work.operation(); errno != 0 {
		l.Fail(&request, errno)
		h.End()
		return nil, errno
	}
	op.layer, op.handle, op.request = l, h, request
	op.ov.Offset, op.ov.OffsetHigh = 0, 0
	op.ov.Start()
	op.holders.Store(2)
	op.phase.Store(opStarting)
	h.Value.add(op)
	return op, 0
}

// started ends the call that starts an operation. Success and WSA_IO_PENDING
// are told apart as by the next provider, except that a completion which
// somebody else has taken already counts as pending.
func (op *lowerOp) started(errno spi.Errno, transferred, flags *uint32) spi.Errno {
	early := op.event != 0 && !op.phase.CompareAndSwap(opStarting, opStarted)
	switch {
	case errno == spi.WSA_IO_PENDING || !op.claim():
		if early {
			op.phase.Store(opSettling)
			op.settle()
		}
		op.rescue()
		errno = spi.WSA_IO_PENDING
	case errno != 0: // which is never indicated
		op.layer.Fail(&op.request, errno)
		op.over()
		op.release()
	default:
		n, resultFlags := op.n, op.flags
		op.tell(0, n, resultFlags)
		if early {
			op.release()
		}
		if transferred != nil {
			*transferred = n
		}
		if flags != nil {
			*flags = resultFlags
		}
	}
	op.release()
	return errno
}

// startedUncounted is started for a function that does not store how many bytes
// it has transferred: the structure tells.
func (op *lowerOp) startedUncounted(errno spi.Errno) spi.Errno {
	if errno == 0 {
		op.n = uint32(op.ov.InternalHigh)
	}
	return op.started(errno, nil, nil)
}

// signal notes that the event was set. It is called on any goroutine, perhaps
// under locks of the next provider.
func (op *lowerOp) signal() {
	if !op.phase.CompareAndSwap(opStarting, opSignalled) && op.phase.CompareAndSwap(opStarted, opSettling) {
		op.layer.work.queue(op.task)
	}
}

// settle tells the outcome of an operation whose event was set, unless that was
// for something else.
func (op *lowerOp) settle() {
	if op.ov.InProgress() {
		op.phase.Store(opStarted)
		if op.ov.InProgress() || !op.phase.CompareAndSwap(opStarted, opSettling) {
			return
		}
	}
	op.finish()
	op.release()
}

// finish tells the outcome of an operation that has ended below, unless
// somebody has done so.
func (op *lowerOp) finish() {
	if !op.claim() {
		return
	}
	m, r := op.handle.Value, &op.outcome
	errno := spi.WSAENOTSOCK
	if !m.closing.Load() {
		errno = m.next.WSPGetOverlappedResult(m.lower, &op.ov, &r.n, false, &r.flags)
	}
	if errno == spi.WSAENOTSOCK { // closed: the structure has the outcome
		r.n, r.flags, errno = uint32(op.ov.InternalHigh), op.ov.Offset, spi.Errno(op.ov.OffsetHigh)
		if errno == 0 && op.ov.Internal != 0 {
			errno = spi.WSA_OPERATION_ABORTED
		}
	}
	op.tell(errno, r.n, r.flags)
}

// tell hands the outcome to the client. The caller has claimed the operation.
func (op *lowerOp) tell(errno spi.Errno, n, flags uint32) {
	if op.observed {
		op.seen.N, op.seen.Errno = n, errno
		op.seen.cutAddress(op.fromLen)
		op.layer.observe(&op.seen)
	}
	op.layer.Complete(op.handle.Socket(), &op.request, errno, n, flags)
	op.over()
}

// over ends the operation for the handle and for those who wait.
func (op *lowerOp) over() {
	op.handle.End()
	op.told.Store(true)
	if ended := op.ended.Load(); ended != nil {
		close(*ended)
	}
}

// wait returns when the client has been told.
func (op *lowerOp) wait() {
	mine := make(chan struct{})
	op.ended.CompareAndSwap(nil, &mine)
	ended := op.ended.Load()
	if !op.told.Load() {
		<-*ended
	}
}

// claim makes the caller the one who tells the outcome.
func (op *lowerOp) claim() bool { return op.claimed.CompareAndSwap(false, true) }

// release lets go of an operation.
func (op *lowerOp) release() {
	if op.holders.Add(-1) == 0 {
		op.handle.Value.remove(op)
		op.recycle()
	}
}

// recycle forgets the operation's data and keeps it for another.
func (op *lowerOp) recycle() {
	l := op.layer
	if op.phase.Swap(opFree) == opDead {
		return
	}
	op.handle, op.request, op.fromLen = nil, Request{}, nil
	op.n, op.flags, op.outcome.n, op.outcome.flags = 0, 0, 0, 0
	if op.observed {
		op.observed, op.seen = false, Transfer{}
		clear(op.inline[:])
	}
	op.claimed.Store(false)
	op.told.Store(false)
	op.ended.Store(nil)
	if op.event != 0 {
		l.work.keep(op)
		return
	}
	l.onLane.Put(op)
}
