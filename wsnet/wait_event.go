package wsnet

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"upcall.dev/spi"
)

// eventWaiter waits for network events. One event serves both directions: it
// only says that something has changed, the attempt finds out what. That is
// enough, for a receiving or sending call that fails with WSAEWOULDBLOCK
// re-enables FD_READ or FD_WRITE.
type eventWaiter struct {
	stack   *Stack
	event   spi.Event
	evicted atomic.Bool
	in, out direction
}

// newEventWaiter selects the network events of a socket, which makes it
// nonblocking.
func newEventWaiter(stack *Stack, handle spi.Socket) (*eventWaiter, error) {
	w := &eventWaiter{stack: stack}
	w.in.wake = make(chan struct{}, 1)
	w.out.wake = make(chan struct{}, 1)
	event, errno := stack.exports.RegisterWait(w.retry)
	if errno != 0 {
		return nil, os.NewSyscallError("event", errno)
	}
	w.event = event
	const events = spi.FD_READ | spi.FD_WRITE | spi.FD_ACCEPT | spi.FD_CLOSE
	if err := stack.thread.WSAEventSelect(handle, event, events); err != nil {
		w.release()
		return nil, os.NewSyscallError("eventselect", err)
	}
	return w, nil
}

func (w *eventWaiter) read(try attempt) error  { return w.run(&w.in, try) }
func (w *eventWaiter) write(try attempt) error { return w.run(&w.out, try) }

func (w *eventWaiter) run(d *direction, try attempt) error {
	for {
		switch {
		case w.evicted.Load():
			return net.ErrClosed
		case d.expired.Load():
			return os.ErrDeadlineExceeded
		case try(0):
			return nil
		}
		<-d.wake
	}
}

func (w *eventWaiter) setReadDeadline(t time.Time) error {
	w.in.setDeadline(t)
	return nil
}

func (w *eventWaiter) setWriteDeadline(t time.Time) error {
	w.out.setDeadline(t)
	return nil
}

func (w *eventWaiter) retry() {
	w.in.signal()
	w.out.signal()
}

func (w *eventWaiter) evict() {
	w.evicted.Store(true)
	w.setReadDeadline(time.Time{})
	w.setWriteDeadline(time.Time{})
	w.retry()
}

func (w *eventWaiter) release() {
	w.stack.thread.WSACloseEvent(w.event)
}

// direction is what reading, or writing, waits for.
type direction struct {
	wake    chan struct{} // holds at most one: something has changed since the last attempt
	expired atomic.Bool   // the deadline has passed

	mu       sync.Mutex // guards deadline and timer, and expired's changes; a leaf lock
	deadline time.Time  // with a monotonic reading; zero for none
	timer    *time.Timer
}

func (d *direction) signal() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *direction) setDeadline(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	if t.IsZero() {
		d.deadline = time.Time{}
		d.expired.Store(false)
		return
	}
	left := time.Until(t)
	d.deadline = time.Now().Add(left)
	if left <= 0 {
		d.expired.Store(true)
		d.signal()
		return
	}
	d.expired.Store(false)
	if d.timer == nil {
		d.timer = time.AfterFunc(left, d.expire)
	} else {
		d.timer.Reset(left)
	}
}

// expire runs when the timer fires, which may be late: for a deadline that has
// been replaced since.
func (d *direction) expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.deadline.IsZero() || time.Now().Before(d.deadline) {
		return
	}
	d.expired.Store(true)
	d.signal()
}
