package trace

import (
	"sync"
	"time"
	"unsafe"

	"upcall.dev/nonifs"
	"upcall.dev/spi"
)

// The end of an overlapped operation. On a socket with a handle of the layer's
// own the helper below tells of it. On a descriptor the completion is the base
// provider's: the layer sees it where it is told by a completion routine, and
// otherwise when the client asks for the result.

// operation is an overlapped operation that has begun.
type operation struct {
	call  string
	start time.Time
}

// mostPending bounds what is remembered of operations whose end nobody tells.
const mostPending = 1 << 16

// operations are those that have begun, by the address of their structure.
type operations struct {
	mu      sync.Mutex // guards pending; a leaf lock
	pending map[uintptr]operation
}

func addressOf(ov *spi.Overlapped) uintptr { return uintptr(unsafe.Pointer(ov)) }

func (o *operations) begin(ov *spi.Overlapped, op operation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pending == nil {
		o.pending = map[uintptr]operation{}
	}
	if _, again := o.pending[addressOf(ov)]; again || len(o.pending) < mostPending {
		o.pending[addressOf(ov)] = op
	}
}

// end returns an operation that has ended, and forgets it.
func (o *operations) end(ov *spi.Overlapped) (op operation, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	op, ok = o.pending[addressOf(ov)]
	delete(o.pending, addressOf(ov))
	return op, ok
}

// withdraw forgets an operation that did not begin; the structure may be in use
// for another by now.
func (o *operations) withdraw(ov *spi.Overlapped, start time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pending[addressOf(ov)].start.Equal(start) {
		delete(o.pending, addressOf(ov))
	}
}

// begins notes that the call of l may start an overlapped operation, and
// returns the routine to hand down. s is the socket and bufs the memory of the
// operation.
func (t *tracer) begins(l *line, ov *spi.Overlapped, routine spi.CompletionRoutine) spi.CompletionRoutine {
	if l == nil || ov == nil {
		return routine
	}
	op := operation{l.name, l.start}
	if routine == nil || t.observes {
		t.operations.begin(ov, op)
		return routine
	}
	f, s, asked, args := l.function, l.socket, l.asked, l.args
	return func(errno spi.Errno, transferred uint32, ov *spi.Overlapped, flags uint32) {
		if l := t.on(f, s); l != nil {
			l.asked, l.args = asked, args
			if errno == 0 {
				l.moved = int(transferred)
			}
			l.completes(op, true)
			t.write(l, errno)
		}
		routine(errno, transferred, ov, flags)
	}
}

// started writes the line of a call that may have started an overlapped
// operation.
func (t *tracer) started(l *line, ov *spi.Overlapped, errno spi.Errno) spi.Errno {
	if ov != nil && errno != spi.WSA_IO_PENDING {
		t.operations.withdraw(ov, l.start)
	}
	return t.end(l, errno)
}

// completes makes the line that of an operation's end. What it took is known if
// its beginning is.
func (l *line) completes(op operation, known bool) {
	l.ended, l.took = true, -1
	if known {
		l.took = l.start.Sub(op.start)
	}
}

// completed writes the line of an overlapped operation that has ended, on a
// socket with a handle of the layer's own.
func (t *tracer) completed(end *nonifs.Transfer) {
	if end.Overlapped == nil {
		return // the call's own line tells
	}
	op, known := t.operations.end(end.Overlapped)
	l := t.on(of(end.Call), end.Socket)
	if l == nil {
		return
	}
	l.completes(op, known)
	if end.Bufs != nil {
		l.asked = spi.BufsLen(end.Bufs)
	}
	if end.Receive && end.Errno == 0 {
		l.returned(end.Address, lengthOf(end.Address))
	} else if !end.Receive {
		l.given(end.Address)
	}
	if end.Errno == 0 && (end.Bufs != nil || end.N > 0) {
		l.moved = int(end.N)
		if t.data {
			l.preview(end.Bufs, l.moved, t.preview)
		}
	}
	t.write(l, end.Errno)
}

func (t *tracer) WSPGetOverlappedResult(s spi.Socket, ov *spi.Overlapped, transferred *uint32, wait bool, flags *uint32) spi.Errno {
	l := t.on(fnGetOverlappedResult, s)
	errno := t.Provider.WSPGetOverlappedResult(s, ov, transferred, wait, flags)
	if l == nil {
		return errno
	}
	if errno == 0 && transferred != nil {
		l.moved = int(*transferred)
	}
	now := t.now()
	if ov != nil && !ov.InProgress() {
		if op, known := t.operations.end(ov); known {
			l.of, l.since = op.call, now.Sub(op.start)
		}
	}
	l.took = now.Sub(l.start)
	return t.write(l, errno)
}
