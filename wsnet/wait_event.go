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
	socket  *socket
	event   spi.Event
	evicted atomic.Bool
	in, out direction
	ready   atomic.Pointer[func()] // of attend: is called with each change
}

// waitedEvents is what a waiter selects.
const waitedEvents = spi.FD_READ | spi.FD_WRITE | spi.FD_ACCEPT | spi.FD_CLOSE

// newEventWaiter selects the network events of a socket, which makes it
// nonblocking.
func newEventWaiter(s *socket) (*eventWaiter, error) {
	w := &eventWaiter{socket: s}
	w.in.wake = make(chan struct{}, 1)
	w.out.wake = make(chan struct{}, 1)
	event, errno := s.stack.exports.RegisterWait(w.retry)
	if errno != 0 {
		return nil, os.NewSyscallError("event", errno)
	}
	w.event = event
	if err := s.stack.thread.WSAEventSelect(s.handle, event, waitedEvents); err != nil {
		w.release()
		return nil, os.NewSyscallError("eventselect", err)
	}
	return w, nil
}

func (w *eventWaiter) read(try attempt) error  { return w.run(&w.in, try, false) }
func (w *eventWaiter) write(try attempt) error { return w.run(&w.out, try, false) }

// readNext relies on FD_READ, which every receiving call enables, and which is
// raised at once if there is still something to receive.
func (w *eventWaiter) readNext(try attempt) error { return w.run(&w.in, try, true) }

func (w *eventWaiter) run(d *direction, try attempt, later bool) error {
	if err := w.socket.enter(); err != nil {
		return err
	}
	defer w.socket.leave()
	for {
		switch {
		case w.evicted.Load():
			return net.ErrClosed
		case d.expired():
			return os.ErrDeadlineExceeded
		case !later && try(0):
			return nil
		}
		<-d.wake
		later = false
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
	if ready := w.ready.Load(); ready != nil {
		(*ready)()
	}
}

func (w *eventWaiter) evict() {
	w.evicted.Store(true)
	w.setReadDeadline(time.Time{})
	w.setWriteDeadline(time.Time{})
	w.retry()
}

func (w *eventWaiter) release() {
	w.socket.stack.thread.WSACloseEvent(w.event)
}

// direction is what reading, or writing, waits for.
type direction struct {
	wake     chan struct{} // holds at most one: something has changed since the last attempt
	deadline atomic.Int64  // on the clock of sinceStart; zero for none

	mu    sync.Mutex // guards timer, and changes of deadline; a leaf lock
	timer *time.Timer
}

func (d *direction) signal() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

var start = time.Now()

// sinceStart is a clock that nobody sets.
func sinceStart() int64 { return int64(time.Since(start)) }

func (d *direction) expired() bool {
	deadline := d.deadline.Load()
	return deadline != 0 && sinceStart() >= deadline
}

// maxWait keeps a deadline in the far future from overflowing the clock.
const maxWait = 100 * 365 * 24 * time.Hour

func (d *direction) setDeadline(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop() // if it fires all the same, there is an attempt too many
	}
	if t.IsZero() {
		d.deadline.Store(0)
		return
	}
	left := min(time.Until(t), maxWait)
	d.deadline.Store(max(sinceStart()+int64(left), 1))
	switch {
	case left <= 0:
		d.signal()
	case d.timer == nil:
		d.timer = time.AfterFunc(left, d.signal)
	default:
		d.timer.Reset(left)
	}
}
