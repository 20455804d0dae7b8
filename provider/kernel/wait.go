//go:build linux

package kernel

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// A blocking call tries, and as long as that would block, waits in poll(2) for
// its socket and for an eventfd of its own. WSPCloseSocket, the last WSPCleanup
// and WSPCancelBlockingCall write that eventfd.

// waiter is one blocking call that waits.
type waiter struct {
	wake int // its eventfd

	// Guarded by waiting.mu.
	on     []waiterLink
	one    [1]waiterLink // on, for a call on one socket
	thread int           // set while a blocking hook is in use, else zero
	within int           // the socket whose recv(2) it waits in, or -1
	reason spi.Errno     // why it was woken; zero when it was not
}

// waiterLink makes a call one of those that wait on a descriptor, so that
// closing it finds them without looking at any other.
type waiterLink struct {
	w          *waiter
	d          *descriptor
	prev, next *waiterLink
}

// waiting is the calls that wait, and the eventfds kept for later ones.
type waiting struct {
	mu    sync.Mutex // a leaf: guards everything below
	all   map[*waiter]struct{}
	spare []*waiter
	ended bool
}

// maxSpare bounds the eventfds kept for later.
const maxSpare = 64

func (w *waiting) init() { w.all = map[*waiter]struct{}{} }

// begin registers a call that waits on the given descriptors, which the caller
// has entered.
func (w *waiting) begin(on ...*descriptor) (*waiter, spi.Errno) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return nil, spi.WSAEINTR
	}
	var c *waiter
	if n := len(w.spare); n > 0 {
		c, w.spare = w.spare[n-1], w.spare[:n-1]
	} else {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
		if err != nil {
			return nil, spi.FromErrno(errnoOf(err))
		}
		c = &waiter{wake: fd, within: -1}
	}
	c.on = c.one[:]
	if len(on) != 1 {
		c.on = make([]waiterLink, len(on))
	}
	for i, d := range on {
		l := &c.on[i]
		*l = waiterLink{w: c, d: d, next: d.waiters}
		if l.next != nil {
			l.next.prev = l
		}
		d.waiters = l
		if d.isClosed() { // a closer that came first has not seen c
			c.wakeLocked(spi.WSAEINTR)
		}
	}
	w.all[c] = struct{}{}
	return c, 0
}

// finish takes the call out; nobody wakes it afterwards.
func (w *waiting) finish(c *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.all, c)
	if c.reason != 0 {
		var count [8]byte
		_, _ = unix.Read(c.wake, count[:])
	}
	for i := range c.on {
		l := &c.on[i]
		if l.prev != nil {
			l.prev.next = l.next
		} else {
			l.d.waiters = l.next
		}
		if l.next != nil {
			l.next.prev = l.prev
		}
	}
	c.on, c.one[0], c.thread, c.reason = nil, waiterLink{}, 0, 0
	if w.ended || len(w.spare) == maxSpare {
		_ = unix.Close(c.wake)
		return
	}
	w.spare = append(w.spare, c)
}

func (c *waiter) wakeLocked(reason spi.Errno) {
	if c.reason != 0 {
		return
	}
	c.reason = reason
	_, _ = unix.Write(c.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	if c.within >= 0 {
		_ = unix.Shutdown(c.within, unix.SHUT_RDWR)
	}
}

// woken returns why the call was woken, zero when it was not.
func (w *waiting) woken(c *waiter) spi.Errno {
	w.mu.Lock()
	defer w.mu.Unlock()
	return c.reason
}

// closing wakes the calls that wait on a descriptor that has been closed.
func (w *waiting) closing(d *descriptor) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for l := d.waiters; l != nil; l = l.next {
		l.w.wakeLocked(spi.WSAEINTR)
	}
}

// cancel wakes the call that waits on a thread with a blocking hook. False when
// there is none.
func (w *waiting) cancel(thread int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.all {
		if c.thread == thread {
			c.wakeLocked(spi.WSAEINTR)
			return true
		}
	}
	return false
}

// end wakes every call and lets none wait again.
func (w *waiting) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	for c := range w.all {
		c.wakeLocked(spi.WSAEINTR)
	}
	for _, c := range w.spare {
		_ = unix.Close(c.wake)
	}
	w.spare = nil
}

// WSPCancelBlockingCall cancels the call that waits on this thread; it is
// called from that call's blocking hook.
func (p *provider) WSPCancelBlockingCall() spi.Errno {
	if !p.waits.cancel(unix.Gettid()) {
		return spi.WSAEINVAL
	}
	return 0
}

// hookInterval is the longest time between two calls of a blocking hook.
const hookInterval = 10 * time.Millisecond

// call is a blocking call in the course of waiting. The zero value has not
// begun; end it in any case.
type call struct {
	p        *provider
	w        *waiter
	callback spi.BlockingCallback
	context  uintptr
	deadline time.Time // zero: none
	idle     int       // polls in a row that did not let the attempt succeed
}

// begin prepares to wait on descriptors of the given catalog entry, for timeout
// at most unless that is negative.
func (c *call) begin(p *provider, entry uint32, timeout time.Duration, on ...*descriptor) spi.Errno {
	if e := c.beginUnhooked(p, timeout, on...); e != 0 {
		return e
	}
	w := c.w
	if e := p.upcalls.Load().WPUQueryBlockingCallback(entry, &c.callback, &c.context); e != 0 {
		return e
	}
	if c.callback != nil {
		p.waits.mu.Lock()
		w.thread = unix.Gettid()
		p.waits.mu.Unlock()
	}
	return 0
}

// beginUnhooked is begin for a call that is none of Winsock's blocking ones.
func (c *call) beginUnhooked(p *provider, timeout time.Duration, on ...*descriptor) spi.Errno {
	c.p = p
	if timeout >= 0 {
		c.deadline = time.Now().Add(timeout)
	}
	w, e := p.waits.begin(on...)
	c.w = w
	return e
}

func (c *call) end() {
	if c.w != nil {
		c.p.waits.finish(c.w)
		c.w = nil
	}
}

// on waits until one of events holds on fd and another attempt is due.
// WSAEINTR when the call was cancelled, WSAETIMEDOUT at the deadline.
func (c *call) on(fd int, events int16) spi.Errno {
	set := [2]unix.PollFd{{Fd: int32(fd), Events: events}, {}}
	e := c.poll(set[:], -1)
	if set[0].Revents == 0 || e != 0 {
		return e
	}
	// A condition that nobody asked for (an error queue) would come again at
	// once; wait a little without it.
	if set[0].Revents&events != 0 {
		c.idle = 0
		return 0
	}
	c.idle = min(c.idle+1, 20)
	set[0].Fd = -1
	return c.poll(set[:], time.Duration(c.idle)*time.Millisecond)
}

// pause waits for some time, in which nothing can be waited for.
func (c *call) pause(d time.Duration) spi.Errno {
	set := [1]unix.PollFd{}
	return c.poll(set[:], d)
}

// poll waits for set, whose last place is the call's own, for limit at most
// unless that is negative. Calls the blocking hook first.
func (c *call) poll(set []unix.PollFd, limit time.Duration) spi.Errno {
	if c.callback != nil {
		goOn := c.callback(c.context)
		if e := c.p.waits.woken(c.w); e != 0 {
			return e
		}
		if !goOn {
			return spi.WSAEINTR
		}
		if limit < 0 || limit > hookInterval {
			limit = hookInterval
		}
	}
	if !c.deadline.IsZero() {
		left := time.Until(c.deadline)
		if left <= 0 {
			return spi.WSAETIMEDOUT
		}
		if limit < 0 || limit > left {
			limit = left
		}
	}
	own := &set[len(set)-1]
	*own = unix.PollFd{Fd: int32(c.w.wake), Events: unix.POLLIN}
	if _, errno := poll(set, milliseconds(limit)); errno != 0 {
		return spi.FromErrno(errno)
	}
	if own.Revents != 0 {
		return c.p.waits.woken(c.w)
	}
	return 0
}

// milliseconds rounds up, so that a wait is never too short; negative means for
// ever.
func milliseconds(d time.Duration) int {
	if d < 0 {
		return -1
	}
	return int(min((d+time.Millisecond-1)/time.Millisecond, 1<<30))
}

// receiveTimeout and sendTimeout return SO_RCVTIMEO and SO_SNDTIMEO, negative
// when there is none.
func (d *descriptor) receiveTimeout() time.Duration { return d.timeout(unix.SO_RCVTIMEO) }
func (d *descriptor) sendTimeout() time.Duration    { return d.timeout(unix.SO_SNDTIMEO) }

func (d *descriptor) timeout(name int) time.Duration {
	if ms := d.millis(name).Load(); ms != 0 {
		return time.Duration(ms) * time.Millisecond
	}
	tv, err := unix.GetsockoptTimeval(d.fd, unix.SOL_SOCKET, name)
	if err != nil || tv.Nano() == 0 {
		return -1
	}
	return time.Duration(tv.Nano())
}

// millis is where the socket keeps a timeout as it was set.
func (s *socket) millis(name int) *atomic.Uint32 {
	if name == unix.SO_RCVTIMEO {
		return &s.receiveMillis
	}
	return &s.sendMillis
}
