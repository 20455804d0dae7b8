package nonifs

import (
	"sync"

	"upcall.dev/spi"
)

// cursor walks through the memory of a scatter/gather array.
type cursor struct {
	bufs []spi.Buf
	i    int    // current element
	off  uint32 // offset in it
	n    uint32 // bytes passed so far
}

// head returns the rest of the current element, or nil at the end.
func (c *cursor) head() []byte {
	for c.i < len(c.bufs) {
		if b := &c.bufs[c.i]; b.Buf != nil && c.off < b.Len {
			return b.Bytes()[c.off:]
		}
		c.i++
		c.off = 0
	}
	return nil
}

func (c *cursor) advance(n int) {
	c.off += uint32(n)
	c.n += uint32(n)
}

// left returns how many bytes are between the cursor and the end.
func (c *cursor) left() int { return spi.BufsLen(c.bufs) - int(c.n) }

// transfer copies from src to dst until one of them ends.
func transfer(dst, src *cursor) {
	for {
		d := dst.head()
		if d == nil {
			return
		}
		s := src.head()
		if s == nil {
			return
		}
		n := copy(d, s)
		dst.advance(n)
		src.advance(n)
	}
}

// op is an operation that waits: a blocked call, or an overlapped request.
type op struct {
	cursor
	flags   uint32    // MSG_ in, result flags out
	errno   spi.Errno // the outcome
	from    []byte    // where a receive stores the sender, may be nil
	fromLen *int32
	to      []byte // the address of a datagram to send

	next, prev *op
	list       *opList // the list that it waits in, nil when the outcome is there

	wake    chan struct{} // of a blocked call: receives when the outcome is there
	request Request       // of an overlapped request
	handle  *descriptor   // whose operation it is

	inline [2]spi.Buf // the captured array when it is short
}

var opPool = sync.Pool{New: func() any { return &op{wake: make(chan struct{}, 1)} }}

// newBlocked returns an op for a call that waits on the calling goroutine, to
// be given back by release.
func newBlocked(c cursor) *op {
	o := opPool.Get().(*op)
	o.cursor = c
	return o
}

func (o *op) release() {
	wake := o.wake
	*o = op{wake: wake}
	opPool.Put(o)
}

// newRequest returns an op for an overlapped request. It captures the array,
// which belongs to the caller, but not the memory that it describes.
func newRequest(c cursor, r Request) *op {
	o := &op{cursor: c, request: r}
	o.bufs = append(o.inline[:0], c.bufs...)
	return o
}

// opList is a FIFO of waiting operations, in a ring whose last element it
// points to. The lock of the list's owner guards it and the links.
type opList struct{ last *op }

func (l *opList) first() *op {
	if l.last == nil {
		return nil
	}
	return l.last.next
}

func (l *opList) push(o *op) {
	o.list = l
	if l.last == nil {
		o.next, o.prev = o, o
	} else {
		o.next, o.prev = l.last.next, l.last
		o.prev.next, o.next.prev = o, o
	}
	l.last = o
}

// remove takes o out, and reports false when it is not in l.
func (l *opList) remove(o *op) bool {
	if o.list != l {
		return false
	}
	o.list = nil
	if o.next == o {
		l.last = nil
	} else {
		o.prev.next, o.next.prev = o.next, o.prev
		if l.last == o {
			l.last = o.prev
		}
	}
	o.next, o.prev = nil, nil
	return true
}

// finished collects the operations whose outcome was found under a lock, to be
// told after the lock is released. It is a stack of the caller's and costs
// nothing when it stays empty.
type finished struct{ head, tail *op }

func (f *finished) add(o *op, errno spi.Errno) {
	o.errno = errno
	if f.tail == nil {
		f.head = o
	} else {
		f.tail.next = o
	}
	f.tail = o
}

// take removes o from l and adds it.
func (f *finished) take(l *opList, o *op, errno spi.Errno) {
	l.remove(o)
	f.add(o, errno)
}

// takeAll ends every operation of l.
func (f *finished) takeAll(l *opList, errno spi.Errno) {
	for o := l.first(); o != nil; o = l.first() {
		f.take(l, o, errno)
	}
}

// takeOf ends the operations of l that were started on one descriptor.
func (f *finished) takeOf(l *opList, h *descriptor, blocked, overlapped spi.Errno) {
	if l.last == nil {
		return
	}
	last := l.last
	for o := l.first(); ; {
		next, end := o.next, o == last
		if o.handle == h {
			errno := overlapped
			if !o.request.overlapped() {
				errno = blocked
			}
			f.take(l, o, errno)
		}
		if end {
			return
		}
		o = next
	}
}

// tell hands out the outcomes. No lock may be held: it calls the host.
func (f *finished) tell() {
	for o := f.head; o != nil; {
		next := o.next
		o.next = nil
		if o.request.overlapped() {
			o.request.finish(o)
		} else {
			o.wake <- struct{}{}
		}
		o = next
	}
}
