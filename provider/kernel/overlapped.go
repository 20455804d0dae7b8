//go:build linux

package kernel

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// Overlapped operations of a socket wait in queues, first in first out. The
// caller tries at once. Whoever watches the descriptor goes on when something
// happens: the client's completion port, inside the call that dequeues, or the
// poller's goroutine, when there is no port or the client may wait in another
// way. Completion is native: the provider stores the result and indicates by
// itself, for a file descriptor is no handle of the host's.

// operations is the overlapped operations of one socket, and what is known of
// its readiness.
type operations struct {
	// mu guards what follows, and the attempts to serve the queues, so that data
	// stays in order. Inside it are taken: the socket's selection and lock, the
	// poller's lock, another socket's mu from a listening one's, and leaf upcalls,
	// which tell the client in the order of completion.
	mu       sync.Mutex
	receives queue // receives and accepts
	sends    queue // sends, connects, and what follows the data
	notices  queue // what the socket's readiness does not end
	free     *operation
	spare    int

	// The socket is watched edge-triggered: an attempt that finds nothing, or
	// less than it asked for, need not be repeated before the next event. Without
	// a port it is all the same, for the poller's event may be late.
	readable, writable bool
	hangup             bool // the end or an error was seen: no event may follow it
	urgent             bool // a receive may stop at urgent data, short of what is there
	inq                bool // TCP_INQ is on: receives tell what is left

	watch    *portWatch // the client's completion port; nil without one
	polled   bool       // the poller watches
	collects *portWatch // while its Ready runs: packets go to done
	done     []spi.Completion

	moved moved                      // a listening socket's operations that wait elsewhere
	home  atomic.Pointer[operations] // of the listening socket whose AcceptEx is to connect this one

	// What most sockets need, beside the rest: the first operation in free, and
	// the first watch.
	firstOperation operation
	firstWatch     portWatch
}

// queues returns the socket's operations, made at the first.
func (s *socket) queues() *operations {
	if o := s.pending.Load(); o != nil {
		return o
	}
	o := &operations{readable: true, writable: true, spare: 1}
	o.free = &o.firstOperation
	s.pending.CompareAndSwap(nil, o)
	return s.pending.Load()
}

// begin checks what overlapped operations have in common, sees that somebody
// watches the socket, and marks ov as in progress. On success the caller holds
// o.mu and fills op, and then o.start, or o.finish, ends it.
func (d *descriptor) begin(ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) (o *operations, op *operation, e spi.Errno) {
	if !d.has(fOverlapped) || routine != nil && thread == nil {
		return nil, nil, spi.WSAEINVAL
	}
	o = d.queues()
	o.mu.Lock()
	packet, e := o.watched(d, ov.HEvent, routine)
	if e == 0 && d.isClosed() {
		e = spi.WSAENOTSOCK // after this the closer finds what is queued
	}
	if ev := ov.HEvent.Untagged(); e == 0 && routine == nil && ev != spi.InvalidEvent {
		e = d.p.upcalls.Load().WPUResetEvent(ev)
	}
	if e != 0 {
		o.mu.Unlock()
		return nil, nil, e
	}
	op = o.take()
	op.ov, op.routine, op.through, op.packet = ov, routine, d, packet
	op.awaits = o.watch == nil && routine == nil && !ov.HEvent.Tagged()
	if thread != nil {
		op.thread = *thread
	}
	ov.Offset, ov.OffsetHigh = 0, 0
	ov.Start()
	return o, op, 0
}

// sendOverlapped is a sending call with an OVERLAPPED.
func (d *descriptor) sendOverlapped(x *sending, to *sockaddr, sent *uint32, flags uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	native, e := d.sendFlags(flags)
	if e != 0 {
		return e
	}
	if flags == 0 && to == nil && x.control == nil && routine == nil {
		if e, over := d.sendAtOnce(x, sent, ov, thread); over {
			return e
		}
	}
	o, op, e := d.begin(ov, routine, thread)
	if e != 0 {
		return e
	}
	op.sending = sending{out: op.own(x.out), outFlags: native, control: x.control}
	if to != nil {
		name := *to
		op.to = &name
	}
	return o.startSend(op, sent)
}

// startSend is start for a send.
func (o *operations) startSend(op *operation, sent *uint32) spi.Errno {
	d := op.through
	e := o.start(&o.sends, op, sent, nil)
	if e == spi.WSA_IO_PENDING { // there was no room
		d.reenable(spi.FD_WRITE, spi.WSAEWOULDBLOCK)
	}
	return e
}

// receiveOverlapped is a receiving call with an OVERLAPPED.
func (d *descriptor) receiveOverlapped(r *receiving, received, flags *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	if flags == nil {
		return spi.WSAEFAULT
	}
	if e := d.receiveFlags(r, *flags); e != 0 {
		return e
	}
	o, op, e := d.begin(ov, routine, thread)
	if e != 0 {
		return e
	}
	op.receiving = *r
	op.in = op.own(r.in)
	e = o.start(&o.receives, op, received, flags)
	d.reenable(enabledByReceive, e)
	return e
}

// start tries the operation at once, unless others wait before it, and puts it
// in its queue when it has to wait: WSA_IO_PENDING. It unlocks o.mu.
//
// An AcceptEx that succeeds is always pending for its caller: programs post it
// where they hold locks that their handling of a connection takes, and expect
// the indication only.
func (o *operations) start(q *queue, op *operation, transferred, flags *uint32) spi.Errno {
	out, e := uint32(0), spi.WSAEWOULDBLOCK
	if q.empty() {
		out, e = o.attempt(q, op)
	}
	switch e {
	case spi.WSAEWOULDBLOCK:
		if op.extension {
			op.native = op.through.p.nativeThread()
		}
		q.push(op)
		o.mu.Unlock()
		return spi.WSA_IO_PENDING
	case followed:
		op.native = op.through.p.nativeThread()
		op.job.(*acceptJob).follow(op)
		o.mu.Unlock()
		return spi.WSA_IO_PENDING
	case 0:
		if _, accepts := op.job.(*acceptJob); accepts {
			o.finish(op, 0, out, true)
			o.mu.Unlock()
			return spi.WSA_IO_PENDING
		}
	}
	if transferred != nil && (e == 0 || e == spi.WSAEMSGSIZE) {
		*transferred = uint32(op.n)
	}
	if flags != nil && (e == 0 || e == spi.WSAEMSGSIZE) {
		*flags = out
	}
	o.conclude(op, e, out)
	o.mu.Unlock()
	return e
}

// conclude finishes an operation whose call returns its result: an error is not
// indicated, and a success has no packet when the client wants none.
func (o *operations) conclude(op *operation, e spi.Errno, flags uint32) {
	if e == 0 && op.packet != nil && op.packet.port.SkipOnSuccess() {
		op.packet = nil
	}
	op.awaits = false
	o.finish(op, e, flags, e == 0)
}

// attempt goes on with an operation of queue q.
func (o *operations) attempt(q *queue, op *operation) (uint32, spi.Errno) {
	switch {
	case op.job != nil:
		return op.job.attempt(o, op)
	case q == &o.receives:
		return o.receive(op.through, op)
	}
	return 0, o.send(op.through, op)
}

// serve goes on with the operations of a queue as far as the socket allows.
func (o *operations) serve(q *queue) {
	for !q.empty() {
		op := q.first
		out, e := o.attempt(q, op)
		if e == spi.WSAEWOULDBLOCK {
			return
		}
		q.pop()
		if e == followed {
			op.job.(*acceptJob).follow(op)
			continue
		}
		o.finish(op, e, out, true)
	}
}

// Events of epoll(7) after which there may be something to receive, or room to
// send.
const (
	maySend    = unix.EPOLLOUT | unix.EPOLLERR | unix.EPOLLHUP
	mayReceive = unix.EPOLLIN | unix.EPOLLPRI | unix.EPOLLRDHUP | unix.EPOLLERR | unix.EPOLLHUP
)

// note takes in what a watcher has seen.
func (o *operations) note(events uint32) {
	if events&mayReceive != 0 {
		o.readable = true
	}
	if events&maySend != 0 {
		o.writable = true
	}
	if events&(unix.EPOLLRDHUP|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		o.hangup = true
	}
	if events&unix.EPOLLPRI != 0 {
		o.urgent = true
	}
}

// advance goes on with everything after events.
func (o *operations) advance(events uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.note(events)
	o.serve(&o.receives)
	o.serve(&o.sends)
}

// receive is an attempt of a receive.
func (o *operations) receive(d *descriptor, op *operation) (uint32, spi.Errno) {
	urgent := op.inFlags&unix.MSG_OOB != 0
	if !o.readable && !urgent && o.watch != nil {
		return 0, spi.WSAEWOULDBLOCK
	}
	size := spi.BufsLen(op.in) - op.n
	plain := op.inFlags == 0 && d.kind.tcp() && size > 0
	left := unknown
	var n int
	var out uint32
	var e spi.Errno
	if plain && o.inq {
		n, left, e = d.receiveLeft(&op.receiving, op.n)
	} else {
		n, out, e = d.receiveOnce(&op.receiving, op.n)
	}
	op.n += n
	switch {
	case urgent:
	case e == spi.WSAEWOULDBLOCK:
		o.readable = false
	case e != 0 || n == 0 || !plain:
	case n < size || left == 0:
		o.readable = o.hangup || o.urgent
	case !o.inq:
		o.inq = setInt(d.fd, unix.IPPROTO_TCP, unix.TCP_INQ, 1) == 0
	}
	if e == 0 && op.waitAll && n > 0 && op.n < spi.BufsLen(op.in) {
		if o.readable {
			return o.receive(d, op)
		}
		e = spi.WSAEWOULDBLOCK
	}
	return out, e
}

// send is an attempt of a send.
func (o *operations) send(d *descriptor, op *operation) spi.Errno {
	if !o.writable && o.watch != nil {
		return spi.WSAEWOULDBLOCK
	}
	for {
		n, errno := d.sendOnce(&op.sending, op.to, op.n)
		if errno != 0 {
			e := d.sendError(errno)
			o.writable = e != spi.WSAEWOULDBLOCK
			return e
		}
		op.n += n
		if !d.kind.stream() || op.n >= spi.BufsLen(op.out) {
			return 0
		}
	}
}

// abort ends the operations that were started on d, which has been closed.
func (o *operations) abort(d *descriptor, indicate bool) {
	o.endAll(d.uses, indicate)
	for _, j := range o.moved.find(d.uses) {
		j.abort(indicate)
	}
	if home := o.home.Load(); home != nil {
		home.endAll(d.uses, indicate)
	}
}

func (o *operations) endAll(match func(*operation) bool, indicate bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.end(match, spi.WSA_OPERATION_ABORTED, indicate)
}

// uses reports whether an operation cannot go on without the descriptor.
func (d *descriptor) uses(op *operation) bool {
	if j, ok := op.job.(*acceptJob); ok && j.accept == d {
		return true
	}
	return op.through == d
}

// end completes the operations that match, and returns how many did.
func (o *operations) end(match func(*operation) bool, status spi.Errno, indicate bool) (count int) {
	for _, q := range []*queue{&o.receives, &o.sends, &o.notices} {
		if q.empty() {
			continue
		}
		for _, op := range q.remove(match) {
			o.finish(op, status, 0, indicate)
			count++
		}
	}
	return count
}

// find returns a descriptor to watch for an operation that has not completed,
// nil when there is no such operation.
func (o *operations) find(ov *spi.Overlapped) *descriptor {
	for _, q := range []queue{o.receives, o.sends, o.notices} {
		for op := q.first; op != nil; op = op.next {
			if op.ov == ov {
				return op.through
			}
		}
	}
	for _, j := range o.moved.find(func(op *operation) bool { return op.ov == ov }) {
		return j.accept
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
	for ov.InProgress() {
		if !wait {
			return spi.WSA_IO_INCOMPLETE
		}
		if e := d.await(ov); e != 0 {
			return e
		}
	}
	*transferred, *flags = uint32(ov.InternalHigh), ov.Offset
	return spi.Errno(ov.OffsetHigh)
}

// await waits until an operation has completed, whether or not the client
// dequeues from its port. WSAEINVAL when the socket has no such operation.
func (d *descriptor) await(ov *spi.Overlapped) spi.Errno {
	done := d.p.results.Wait(ov)
	if done == nil {
		return 0
	}
	o := d.queues()
	o.mu.Lock()
	at := o.find(ov)
	e := spi.WSAEINVAL
	switch {
	case at == d:
		e = o.poll(d)
	case at != nil:
		e = d.p.poller.watch(at)
	}
	o.mu.Unlock()
	if e != 0 {
		if !ov.InProgress() {
			return 0
		}
		d.p.results.Completed(ov) // forgets the wait
		return e
	}
	<-done
	return 0
}

// sendsPending and receivesPending report whether a synchronous call has to
// wait for overlapped ones.
func (d *descriptor) sendsPending() bool {
	o := d.pending.Load()
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.sends.empty()
}

func (d *descriptor) receivesPending() bool {
	o := d.pending.Load()
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.receives.empty()
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
