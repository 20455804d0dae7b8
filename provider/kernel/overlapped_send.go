//go:build linux

package kernel

import (
	"upcall.dev/spi"
)

// sendAtOnce is an overlapped send in its most common form: on a stream with
// room, whose packets go to a port, with no event, and with no send before it.
// That is over when its system call is, and needs no operation that waits. over
// is false when it is none of that; then nothing has been done.
func (d *descriptor) sendAtOnce(x *sending, sent *uint32, ov *spi.Overlapped, thread *spi.ThreadID) (e spi.Errno, over bool) {
	o := d.pending.Load()
	if o == nil || ov.HEvent != spi.InvalidEvent || !d.kind.stream() || !d.has(fOverlapped) {
		return 0, false
	}
	o.mu.Lock()
	w := o.watch
	if w == nil || w.on != d || !o.writable || !o.sends.empty() || d.isClosed() {
		o.mu.Unlock()
		return 0, false
	}
	n, errno := d.sendOnce(x, nil, 0)
	if errno != 0 {
		n, e = 0, d.sendError(errno)
	}
	ov.Offset, ov.OffsetHigh = 0, uint32(e)
	switch {
	case e == spi.WSAEWOULDBLOCK || e == 0 && n < spi.BufsLen(x.out):
		o.writable = e == 0
		return o.sendRest(d, x, n, sent, ov, thread), true
	case e != 0: // which is not indicated
		ov.Complete(e, 0)
	default:
		if sent != nil {
			*sent = uint32(n)
		}
		ov.Complete(0, uint32(n))
		if !w.port.SkipOnSuccess() {
			w.port.Post(spi.Completion{Overlapped: ov, Transferred: uint32(n)})
		}
	}
	d.p.results.Completed(ov)
	o.mu.Unlock()
	return e, true
}

// sendRest makes an operation of a send of which n bytes have gone. It unlocks
// o.mu.
func (o *operations) sendRest(d *descriptor, x *sending, n int, sent *uint32, ov *spi.Overlapped, thread *spi.ThreadID) spi.Errno {
	op := o.take()
	op.ov, op.through, op.packet, op.n = ov, d, o.watch, n
	if thread != nil {
		op.thread = *thread
	}
	ov.OffsetHigh = 0
	ov.Start()
	op.sending = sending{out: op.own(x.out)}
	return o.startSend(op, sent)
}
