//go:build linux

package kernel

import (
	"slices"

	"upcall.dev/spi"
)

// operation is an overlapped operation, from its start to its completion.
type operation struct {
	next      *operation // in a queue, or in the list of those to use again
	ov        *spi.Overlapped
	routine   spi.CompletionRoutine
	thread    spi.ThreadID // that started it; the provider's own when opened
	opened    bool         // thread is from WPUOpenCurrentThread
	extension bool         // of an extension function, which does not know the thread
	native    int          // then the number of the thread, if it may cancel; else zero
	through   *descriptor  // the handle it was started on
	packet    *portWatch   // where its packet goes; nil when it has none
	awaits    bool         // it has a packet if the socket gets a port meanwhile
	n         int          // bytes transferred so far

	receiving
	sending
	to   *sockaddr           // where a datagram goes; nil: the peer
	job  job                 // nil for a receive or a send
	room [inlineBufs]spi.Buf // the operation's own copy of a short array
}

// job is an operation that does more than receive or send.
type job interface {
	// attempt goes on with the operation, under the lock of the queues that it
	// waits in. It returns the flags of the result and WSAEWOULDBLOCK when it
	// has to wait, or followed when it waits elsewhere from now on.
	attempt(o *operations, op *operation) (flags uint32, e spi.Errno)
}

// followed is an attempt's result when the operation has moved to another
// socket's queue.
const followed = spi.NoErrorCode

// inlineBufs is the number of buffers that an operation keeps without
// allocating; maxSpareOperations is how many a socket keeps to use again.
const (
	inlineBufs         = 4
	maxSpareOperations = 2
)

// own returns a copy of bufs that lasts as long as the operation.
func (op *operation) own(bufs []spi.Buf) []spi.Buf {
	if len(bufs) <= len(op.room) {
		return op.room[:copy(op.room[:], bufs)]
	}
	return slices.Clone(bufs)
}

// queue is operations in the order in which they were started.
type queue struct{ first, last *operation }

func (q *queue) empty() bool { return q.first == nil }

func (q *queue) push(op *operation) {
	op.next = nil
	if q.first == nil {
		q.first = op
	} else {
		q.last.next = op
	}
	q.last = op
}

func (q *queue) pop() {
	op := q.first
	q.first, op.next = op.next, nil
}

// remove takes out the operations that match.
func (q *queue) remove(match func(*operation) bool) (removed []*operation) {
	all := *q
	*q = queue{}
	for op := all.first; op != nil; {
		next := op.next
		if op.next = nil; match(op) {
			removed = append(removed, op)
		} else {
			q.push(op)
		}
		op = next
	}
	return removed
}

// take returns an operation to fill.
func (o *operations) take() *operation {
	op := o.free
	if op == nil {
		return &operation{}
	}
	o.free, op.next = op.next, nil
	o.spare--
	return op
}

// give keeps an operation that has completed for another.
func (o *operations) give(op *operation) {
	if o.spare == maxSpareOperations {
		return
	}
	*op = operation{next: o.free}
	o.free = op
	o.spare++
}

// finish stores the result of an operation and, unless indicate is false, tells
// the client: by its routine, or its event and then a packet. It gives op up.
func (o *operations) finish(op *operation, status spi.Errno, flags uint32, indicate bool) {
	ov, p := op.ov, op.through.p
	if op.job != nil {
		if j, ok := op.job.(interface{ ended() }); ok {
			j.ended() // the client may use both sockets once ov is complete
		}
	}
	ov.Offset, ov.OffsetHigh = flags, uint32(status)
	event := ov.HEvent.Untagged() // the client may reuse ov once it is complete
	var associated spi.CompletionPort
	if op.awaits && indicate && !op.through.lost.Load() {
		associated = p.dll.CompletionPort(spi.Socket(op.through.fd)) // before ov is complete: not one that comes after
	}
	n := uint32(op.n)
	ov.Complete(status, n)
	if op.routine != nil {
		table, routine := p.upcalls.Load(), op.routine
		if indicate {
			table.WPUQueueApc(&op.thread, func(uintptr) { routine(status, n, ov, flags) }, 0)
		}
		if op.opened {
			table.WPUCloseThread(&op.thread) // what is queued stays so
		}
	} else if indicate {
		if event != spi.InvalidEvent {
			p.upcalls.Load().WPUSetEvent(event)
		}
		if w := op.packet; w != nil {
			packet := spi.Completion{Overlapped: ov, Status: status, Transferred: n}
			if w == o.collects {
				o.done = append(o.done, packet)
			} else {
				w.port.Post(packet)
			}
		} else if associated != nil {
			associated.Post(spi.Completion{Overlapped: ov, Status: status, Transferred: n})
		}
	}
	p.results.Completed(ov) // after the event, which who waited may use again
	o.give(op)
}
