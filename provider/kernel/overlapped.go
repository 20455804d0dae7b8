//go:build linux

package kernel

import (
	"slices"
	"sync"
	"time"

	"upcall.dev/spi"
)

// Overlapped receives and sends of a socket wait in two queues, first in first
// out. The caller tries at once; the poller's goroutine goes on whenever
// something happens. Completion is native: the provider stores the result and
// signals by itself, for a file descriptor is no handle of the host's.

// operations is the overlapped operations of one socket.
type operations struct {
	// mu guards the queues, and the attempts to serve them, so that data stays
	// in order. WPUSetEvent and WPUQueueApc are called under it, so that
	// indications do too.
	mu       sync.Mutex
	receives []*operation
	sends    []*operation
}

// operation is one that waits.
type operation struct {
	ov      *spi.Overlapped
	routine spi.CompletionRoutine
	thread  spi.ThreadID
	through *descriptor // the handle it was started on
	done    chan struct{}

	bufs   []spi.Buf // the operation's own copy
	native int
	n      int // bytes transferred so far

	// One of the two.
	to      *sockaddr
	receive *receiving
}

// newOperation checks what overlapped operations have in common and takes a
// copy of what the caller may change. It marks ov as in progress.
func (d *descriptor) newOperation(bufs []spi.Buf, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) (*operation, spi.Errno) {
	if !d.has(fOverlapped) || routine != nil && thread == nil {
		return nil, spi.WSAEINVAL
	}
	op := &operation{ov: ov, routine: routine, through: d, bufs: slices.Clone(bufs), done: make(chan struct{})}
	if routine != nil {
		op.thread = *thread
	} else if ev := ov.HEvent.Untagged(); ev != spi.InvalidEvent {
		if e := d.p.upcalls.Load().WPUResetEvent(ev); e != 0 {
			return nil, e
		}
	}
	ov.Offset, ov.OffsetHigh = 0, 0
	ov.Start()
	return op, 0
}

// queues returns the socket's operations, made at the first.
func (d *descriptor) queues() *operations {
	if o := d.pending.Load(); o != nil {
		return o
	}
	d.pending.CompareAndSwap(nil, &operations{})
	return d.pending.Load()
}

// sendOverlapped is a sending call with an OVERLAPPED.
func (d *descriptor) sendOverlapped(bufs []spi.Buf, sent *uint32, flags uint32, to *sockaddr, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	native, e := d.sendFlags(flags)
	if e != 0 {
		return e
	}
	op, e := d.newOperation(bufs, ov, routine, thread)
	if e != 0 {
		return e
	}
	op.native = native
	if to != nil {
		name := *to
		op.to = &name
	}
	o := d.queues()
	return o.start(&o.sends, op, sent, nil)
}

// receiveOverlapped is a receiving call with an OVERLAPPED.
func (d *descriptor) receiveOverlapped(bufs []spi.Buf, received, flags *uint32, from []byte, fromLen *int32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	if flags == nil {
		return spi.WSAEFAULT
	}
	r := &receiving{from: from, fromLen: fromLen}
	if e := d.receiveFlags(r, *flags); e != 0 {
		return e
	}
	op, e := d.newOperation(bufs, ov, routine, thread)
	if e != 0 {
		return e
	}
	r.bufs = op.bufs
	op.receive = r
	o := d.queues()
	return o.start(&o.receives, op, received, flags)
}

// start tries the operation at once, unless others wait before it, and puts it
// in its queue when it has to wait: WSA_IO_PENDING.
func (o *operations) start(queue *[]*operation, op *operation, transferred, flags *uint32) spi.Errno {
	d := op.through
	if e := d.p.poller.watch(d); e != 0 {
		return e
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if d.isClosed() {
		return spi.WSAENOTSOCK // after this the closer finds what is queued
	}
	if len(*queue) == 0 {
		out, e := op.attempt()
		if e == 0 {
			op.complete(0, out, true)
			if transferred != nil {
				*transferred = uint32(op.n)
			}
			if flags != nil {
				*flags = out
			}
			return 0
		}
		if e != spi.WSAEWOULDBLOCK {
			op.ov.Complete(e, 0)
			return e
		}
	}
	*queue = append(*queue, op)
	return spi.WSA_IO_PENDING
}

// attempt goes on with the operation; WSAEWOULDBLOCK when it has to wait. It
// returns the flags that the result has.
func (op *operation) attempt() (uint32, spi.Errno) {
	d := op.through
	if op.receive != nil {
		n, out, e := d.receiveOnce(op.receive, op.n)
		op.n += n
		if e == 0 && op.receive.waitAll && n > 0 && op.n < spi.BufsLen(op.bufs) {
			e = spi.WSAEWOULDBLOCK
		}
		return out, e
	}
	for {
		n, errno := d.sendOnce(op.bufs, op.n, op.native, op.to)
		if errno != 0 {
			return 0, d.sendError(errno)
		}
		op.n += n
		if !d.kind.stream() || op.n >= spi.BufsLen(op.bufs) {
			return 0, 0
		}
	}
}

// complete stores the result and, unless indicate is false, tells the client.
func (op *operation) complete(status spi.Errno, flags uint32, indicate bool) {
	ov, p := op.ov, op.through.p
	ov.Offset, ov.OffsetHigh = flags, uint32(status)
	event := ov.HEvent.Untagged() // the client may reuse ov once it is complete
	n := uint32(op.n)
	ov.Complete(status, n)
	close(op.done)
	if !indicate {
		return
	}
	table := p.upcalls.Load()
	switch {
	case op.routine != nil:
		routine := op.routine
		table.WPUQueueApc(&op.thread, func(uintptr) { routine(status, n, ov, flags) }, 0)
	case event != spi.InvalidEvent:
		table.WPUSetEvent(event)
	}
}

// advance serves the queues as far as the socket allows.
func (o *operations) advance(d *descriptor) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, queue := range []*[]*operation{&o.receives, &o.sends} {
		for len(*queue) > 0 {
			op := (*queue)[0]
			out, e := op.attempt()
			if e == spi.WSAEWOULDBLOCK {
				break
			}
			*queue = (*queue)[1:]
			op.complete(e, out, true)
		}
	}
}

// abort ends the operations that were started on d.
func (o *operations) abort(d *descriptor, indicate bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, queue := range []*[]*operation{&o.receives, &o.sends} {
		*queue = slices.DeleteFunc(*queue, func(op *operation) bool {
			if op.through != d {
				return false
			}
			op.complete(spi.WSA_OPERATION_ABORTED, 0, indicate)
			return true
		})
	}
}

// find returns the operation of an OVERLAPPED that has not completed.
func (o *operations) find(ov *spi.Overlapped) *operation {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, queue := range [][]*operation{o.receives, o.sends} {
		for _, op := range queue {
			if op.ov == ov {
				return op
			}
		}
	}
	return nil
}

// WSPGetOverlappedResult gives the outcome of an operation.
func (p *provider) WSPGetOverlappedResult(s spi.Socket, ov *spi.Overlapped, transferred *uint32, wait bool, flags *uint32) spi.Errno {
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	defer d.release()
	if ov == nil || transferred == nil || flags == nil {
		return spi.WSAEFAULT
	}
	if ov.InProgress() {
		if !wait {
			return spi.WSA_IO_INCOMPLETE
		}
		if o := d.pending.Load(); o != nil {
			if op := o.find(ov); op != nil {
				<-op.done
			}
		}
		if ov.InProgress() {
			return spi.WSAEINVAL // no operation of this socket
		}
	}
	*transferred, *flags = uint32(ov.InternalHigh), ov.Offset
	return spi.Errno(ov.OffsetHigh)
}

// sendsPending and receivesPending report whether a synchronous call has to
// wait for overlapped ones.
func (d *descriptor) sendsPending() bool {
	o := d.pending.Load()
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.sends) > 0
}

func (d *descriptor) receivesPending() bool {
	o := d.pending.Load()
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.receives) > 0
}

// waitBehind waits until a queue of overlapped operations is empty.
// WSAEWOULDBLOCK on a nonblocking socket.
func (d *descriptor) waitBehind(pending func() bool, timeout time.Duration) spi.Errno {
	if !d.blocking() {
		return spi.WSAEWOULDBLOCK
	}
	var wait call
	defer wait.end()
	if e := wait.begin(d.p, d.p.entries[d.kind].CatalogEntryID, timeout, d); e != 0 {
		return e
	}
	for pause := time.Millisecond; pending(); pause = min(2*pause, 20*time.Millisecond) {
		if e := wait.pause(pause); e != 0 {
			return e
		}
	}
	return 0
}
