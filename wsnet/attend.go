package wsnet

import (
	"os"
	"syscall"

	"upcall.dev/spi"
)

// Attend has by wait for the connection's descriptor, where its base provider lets it
// and no layer has events of its own, and ready called each time the connection may
// have become readable or writable, or has been closed: TryRead and TryWrite are worth
// an attempt then. ready runs on any goroutine, perhaps inside a provider's lock: it must
// neither block nor call a method of c. Where by is not asked to watch, a goroutine of
// the provider's waits as before, and ready is called all the same. It is for once, and
// fails for IFS handles, whose descriptors anybody can watch.
func (c *Conn) Attend(by spi.Watcher, ready func()) error {
	err := c.socket.use(func() error {
		w, ok := c.socket.waiter.(*eventWaiter)
		if !ok {
			return spi.WSAEOPNOTSUPP
		}
		return w.attend(by, ready)
	})
	return c.opError("attend", err)
}

// attend selects the events anew, by an event that tells who waits.
func (w *eventWaiter) attend(by spi.Watcher, ready func()) error {
	w.ready.Store(&ready)
	event, errno := w.socket.stack.exports.RegisterWaitBy(by, w.retry)
	if errno != 0 {
		return os.NewSyscallError("event", errno)
	}
	if err := w.socket.stack.thread.WSAEventSelect(w.socket.handle, event, waitedEvents); err != nil {
		w.socket.stack.thread.WSACloseEvent(event)
		return os.NewSyscallError("eventselect", err)
	}
	w.socket.stack.thread.WSACloseEvent(w.event)
	w.event = event
	return nil
}

// TryRead is Read that does not wait: syscall.EAGAIN when there is nothing yet.
func (c *Conn) TryRead(b []byte) (int, error) {
	n, err := c.in.tryReceive(b)
	if err == syscall.EAGAIN {
		return 0, err
	}
	return c.received(n, err, len(b))
}

// TryWrite sends what can be sent of b without waiting, and returns syscall.EAGAIN when
// that is not all.
func (c *Conn) TryWrite(b []byte) (int, error) {
	n, err := c.out.trySend(b)
	if err != nil && err != syscall.EAGAIN {
		err = c.opError("write", callError("send", err))
	}
	return n, err
}

func (r *receiver) tryReceive(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.socket.enter(); err != nil {
		return 0, err
	}
	defer r.socket.leave()
	r.bufs[0] = spi.NewBuf(b[:min(len(b), maxChunk)])
	r.received, r.err, r.emptied = 0, nil, false
	through := r.once(0)
	r.bufs[0] = spi.Buf{}
	if !through {
		return 0, syscall.EAGAIN
	}
	return int(r.received), r.err
}

func (s *sender) trySend(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.socket.enter(); err != nil {
		return 0, err
	}
	defer s.socket.leave()
	s.rest, s.err = b, nil
	through := s.once(0)
	n := len(b) - len(s.rest)
	s.rest, s.bufs[0] = nil, spi.Buf{}
	if !through {
		return n, syscall.EAGAIN
	}
	return n, s.err
}
