package nonifs

import (
	"time"

	"upcall.dev/spi"
)

// MaxSelect is the number of sockets of one WSPSelect call above which a set is
// taken for garbage.
const MaxSelect = 1 << 20

// interest is what a call of WSPSelect or WSAPoll asks about one socket.
type interest struct {
	endpoint *Endpoint
	wants    selectBits // of WSPSelect
	place    int        // in the array of WSAPoll
	entry    watchEntry
}

type selectBits uint8

const (
	wantRead selectBits = 1 << iota
	wantWrite
	wantExcept
)

// WSPSelect waits until one of the sockets is ready. WSAEINVAL, WSAENOTSOCK,
// WSAENOBUFS (more than MaxSelect), WSAEINTR.
// A socket that is closed meanwhile gives WSAENOTSOCK.
func (b *Base) WSPSelect(read, write, except *spi.FDSet, timeout *spi.Timeval) (int32, spi.Errno) {
	if timeout != nil && (timeout.Sec < 0 || timeout.Usec < 0) {
		return 0, spi.WSAEINVAL
	}
	total := len(read.Sockets()) + len(write.Sockets()) + len(except.Sockets())
	if total == 0 {
		return 0, spi.WSAEINVAL
	}
	if total > MaxSelect {
		return 0, spi.WSAENOBUFS
	}
	asked := make([]interest, 0, total)
	for i, set := range []*spi.FDSet{read, write, except} {
		for _, s := range set.Sockets() {
			h, errno := b.handles.Lookup(s)
			if errno != 0 {
				return 0, errno
			}
			asked = append(asked, interest{endpoint: h.Value, wants: 1 << i})
		}
	}
	ready := make([]selectBits, len(asked))
	if n := scan(asked, ready); n > 0 || timeout != nil && *timeout == (spi.Timeval{}) {
		return keep(asked, ready, read, write, except), 0
	}

	limit := time.Duration(-1)
	if timeout != nil {
		limit = time.Duration(timeout.Sec)*time.Second + time.Duration(timeout.Usec)*time.Microsecond
	}
	errno := b.awaitAny(asked, limit, func() (bool, spi.Errno) {
		for i := range asked {
			if asked[i].endpoint.closed() {
				return false, spi.WSAENOTSOCK
			}
		}
		return scan(asked, ready) > 0, 0
	})
	if errno != 0 {
		return 0, errno
	}
	return keep(asked, ready, read, write, except), 0
}

// awaitAny blocks until look reports success, which it asks after every change
// of one of the endpoints, or until the limit, if it is not below zero. It gives
// look's error, or WSAEINTR.
func (b *Base) awaitAny(asked []interest, limit time.Duration, look func() (bool, spi.Errno)) spi.Errno {
	wake := make(chan struct{}, 1)
	for i := range asked {
		asked[i].entry.wake = wake
		asked[i].endpoint.watching().add(&asked[i].entry)
	}
	defer func() {
		for i := range asked {
			asked[i].entry.watch.remove(&asked[i].entry)
		}
	}()
	deadline := time.Now().Add(max(0, limit))
	for {
		if there, errno := look(); there || errno != 0 {
			return errno
		}
		var left time.Duration
		if limit >= 0 {
			if left = time.Until(deadline); left <= 0 {
				return 0
			}
		}
		switch errno := b.Await(wake, left, asked[0].endpoint.info.CatalogEntryID); errno {
		case 0, spi.WSAETIMEDOUT:
		default:
			return errno
		}
	}
}

// closed reports whether the last descriptor is closed.
func (e *Endpoint) closed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state == stateClosed
}

// scan finds which of the sockets are ready, and how many.
func scan(asked []interest, ready []selectBits) (n int) {
	for i := range asked {
		ready[i] = asked[i].endpoint.selectable(asked[i].wants)
		if ready[i] != 0 {
			n++
		}
	}
	return n
}

// keep reduces the sets to the ready sockets. They are in the order in which
// they were asked about.
func keep(asked []interest, ready []selectBits, sets ...*spi.FDSet) (total int32) {
	i := 0
	for _, set := range sets {
		total += set.Keep(func(spi.Socket) bool {
			i++
			return ready[i-1] != 0
		})
	}
	return total
}

// selectable tells whether the endpoint is ready for what is wanted, as select
// understands it: readable for data, the end of the stream, an error or a
// connection to accept; writable when connected and a send would not wait;
// exceptional when an attempt to connect failed.
func (e *Endpoint) selectable(wants selectBits) (ready selectBits) {
	e.mu.Lock()
	state := e.state
	acceptable := state == stateListening && len(e.backlog.queue) > 0
	e.mu.Unlock()
	if wants&wantRead != 0 {
		if q := e.rx.Load(); q != nil {
			q.mu.Lock()
			if q.readable() {
				ready |= wantRead
			}
			q.mu.Unlock()
		}
		if acceptable {
			ready |= wantRead
		}
	}
	if wants&wantWrite != 0 {
		if q := e.tx.Load(); q != nil {
			q.mu.Lock()
			if q.writable() {
				ready |= wantWrite
			}
			q.mu.Unlock()
		} else if e.datagram {
			ready |= wantWrite
		}
	}
	if wants&wantExcept != 0 && state == stateFailed {
		ready |= wantExcept
	}
	return ready
}
