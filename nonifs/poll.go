package nonifs

import (
	"time"

	"upcall.dev/spi"
)

// What WSAPoll lets a client ask for, and what it answers unasked.
const (
	pollable    = spi.POLLRDNORM | spi.POLLRDBAND | spi.POLLWRNORM
	pollUnasked = spi.POLLERR | spi.POLLHUP | spi.POLLNVAL
)

// poll is WSAPoll. What each bit answers:
//
//	POLLRDNORM  there is data or a connection, or receiving fails at once
//	POLLWRNORM  sending would not block; an attempt to connect has ended
//	POLLHUP     the peer has closed or reset the connection; connecting failed
//	POLLERR     a reset, a failed attempt to connect
//	POLLNVAL    not a socket of this provider, or closed meanwhile
//
// The end of a stream alone is POLLHUP without POLLRDNORM. A stream that was
// never connected has no bits. A number below zero is passed over.
func (b *Base) poll(fds []spi.PollFD, timeout int32) (int32, spi.Errno) {
	asked := make([]interest, 0, len(fds))
	var invalid int32
	for i := range fds {
		f := &fds[i]
		if int(f.FD) < 0 {
			f.Revents = 0
			continue
		}
		if f.Events&^pollable != 0 {
			return 0, spi.WSAEINVAL
		}
		h, errno := b.handles.Lookup(f.FD)
		if errno != 0 {
			invalid++
			f.Revents = spi.POLLNVAL
			continue
		}
		f.Revents = 0
		asked = append(asked, interest{endpoint: h.Value, place: i})
	}
	if len(asked) == 0 && invalid == 0 {
		return 0, spi.WSAEINVAL
	}
	var found int32
	scan := func() bool {
		found = invalid
		for i := range asked {
			f := &fds[asked[i].place]
			f.Revents = asked[i].endpoint.polled() & (f.Events | pollUnasked)
			if f.Revents != 0 {
				found++
			}
		}
		return found > 0
	}
	if scan() || timeout == 0 {
		return found, 0
	}
	limit := time.Duration(-1)
	if timeout > 0 {
		limit = time.Duration(timeout) * time.Millisecond
	}
	errno := b.awaitAny(asked, limit, func() (bool, spi.Errno) { return scan(), 0 })
	return found, errno
}

// polled answers every bit of WSAPoll that holds.
func (e *Endpoint) polled() (bits int16) {
	e.mu.Lock()
	state := e.state
	if state == stateListening && len(e.backlog.queue) > 0 {
		bits |= spi.POLLRDNORM
	}
	e.mu.Unlock()
	switch state {
	case stateClosed:
		return spi.POLLNVAL
	case stateFailed:
		return spi.POLLERR | spi.POLLHUP | spi.POLLWRNORM
	}
	if q := e.rx.Load(); q != nil {
		q.mu.Lock()
		switch {
		case q.hasData() || q.refused:
			bits |= spi.POLLRDNORM
		case q.datagrams:
		case q.err != 0:
			bits |= spi.POLLERR | spi.POLLHUP | spi.POLLRDNORM
		case q.finished():
			bits |= spi.POLLHUP
		}
		q.mu.Unlock()
	}
	if q := e.tx.Load(); q != nil {
		q.mu.Lock()
		if q.writable() {
			bits |= spi.POLLWRNORM
		}
		q.mu.Unlock()
	} else if e.datagram {
		bits |= spi.POLLWRNORM
	}
	return bits
}
