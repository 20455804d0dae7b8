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
	flags   uint32    // MSG_ of a receive
	result  uint32    // flags that the completion tells
	errno   spi.Errno // the outcome
	from    []byte    // where a receive stores the sender, may be nil
	fromLen *int32
	msg     *spi.Msg // of WSARecvMsg, else nil
	to      []byte   // the address of a datagram to send

	next, prev *op
	list       *opList // the list that it waits in, nil when the outcome is there

	wake    chan struct{} // of a blocked call: receives when the outcome is there
	request Request       // of an overlapped request
	handle  *descriptor   // whose operation it is
	then    continuation  // what follows the wait, nil if nothing does

	captured [4]spi.Buf // the client's array when it is short
	address  [spi.SizeofSockaddrIn6]byte
}

// continuation is what an operation of several steps does after one of them.
type continuation interface {
	// proceed is called, with no lock held, when the op has left the list that
	// it waited in and errno tells how. It reports whether the op goes on, in
	// another list or in other hands; else the op is over.
	proceed(o *op) (goesOn bool)
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

// capture takes the cursor of an overlapped request. The array belongs to the
// caller and is copied, the memory that it describes is not.
func (o *op) capture(c cursor) {
	o.cursor = c
	o.bufs = append(o.captured[:0], c.bufs...)
}

// captureAddress takes a copy of the address to send to.
func (o *op) captureAddress(to []byte) { o.to = append(o.address[:0], to...) }

// use makes b the memory of the op.
func (o *op) use(b []byte) {
	o.captured[0] = spi.NewBuf(b)
	o.cursor = cursor{bufs: o.captured[:1]}
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

// takeIf ends the operations of l that match, each with what end says of it.
func (f *finished) takeIf(l *opList, match func(*op) bool, end func(*op) spi.Errno) {
	if l.last == nil {
		return
	}
	last := l.last
	for o := l.first(); ; {
		next, isLast := o.next, o == last
		if match(o) {
			f.take(l, o, end(o))
		}
		if isLast {
			return
		}
		o = next
	}
}

// aborted is the outcome of an operation that was ended from outside.
func (o *op) aborted() spi.Errno {
	if o.request.overlapped() {
		return spi.WSA_OPERATION_ABORTED
	}
	return spi.WSAEINTR
}

// tell hands out the outcomes. No lock may be held: it calls the host.
func (f *finished) tell() {
	for o := f.head; o != nil; {
		next := o.next
		o.next = nil
		o.settle()
		o = next
	}
}

// settle goes on with an op that has left its list, or tells its outcome.
func (o *op) settle() {
	switch {
	case o.then != nil && o.then.proceed(o):
	case o.request.overlapped():
		o.finish()
	default:
		o.wake <- struct{}{}
	}
}

// finish completes an overlapped request, lets its handle go, and gives the op
// back.
func (o *op) finish() {
	d := o.handle
	if o.msg != nil {
		tellMsg(o.msg, o.errno)
		o.result = o.msg.Flags
	}
	d.host.Complete(d.Socket(), &o.request, o.errno, o.n, o.result)
	d.End()
	o.release()
}
