package relay

import (
	"time"

	"upcall.dev/nonifs"
	"upcall.dev/spi"
)

// attempt is a connect that is under way.
type attempt struct {
	socket *socket
	known  bool // the next provider has told the outcome
	errno  spi.Errno
	at     time.Time // when the client learns it
}

// Connect implements nonifs.Lower. The outcome comes a round trip later than
// the next provider's.
func (s *socket) Connect(name []byte) spi.Errno {
	if s.datagrams {
		return s.connectDatagrams(name)
	}
	in, errno := s.judge(Connect, name)
	if errno == 0 {
		errno = s.moveTo(in)
	}
	if errno != 0 {
		return errno
	}
	w := s.wire.Load()
	var before spi.NetworkEvents
	w.next.WSPEnumNetworkEvents(w.lower, spi.InvalidEvent, &before) // of an attempt that failed
	errno = w.next.WSPConnect(w.lower, name, nil, nil, nil, nil)
	if errno != 0 && errno != spi.WSAEWOULDBLOCK {
		return errno
	}
	w.order(func(o *orders) { o.attempt = &attempt{socket: s, known: errno == 0} })
	return spi.WSAEWOULDBLOCK
}

// connect goes on with an attempt to connect, and returns when to look again.
func (w *wire) connect(a *attempt) time.Time {
	if !a.known {
		var events spi.NetworkEvents
		a.errno = w.next.WSPEnumNetworkEvents(w.lower, spi.InvalidEvent, &events)
		if a.errno == 0 {
			if events.NetworkEvents&spi.FD_CONNECT == 0 {
				return time.Time{}
			}
			a.errno = spi.Errno(events.ErrorCode[fdConnectBit])
		}
		a.known = true
	}
	if wait := w.relay.config.RoundTrip; wait > 0 {
		if a.at.IsZero() {
			a.at = time.Now().Add(wait)
		}
		if time.Now().Before(a.at) {
			return a.at
		}
	}
	var in, out *nonifs.Queue
	if a.errno == 0 {
		in, out = w.queues(a.socket)
	}
	w.order(func(o *orders) { o.attempt, o.in, o.out = nil, in, out })
	if !a.socket.Connected(a.errno, in, out) {
		w.order(func(o *orders) { o.in, o.out = nil, nil })
	}
	return time.Time{}
}

const fdConnectBit = 4

// queues returns the queues of a stream between s and the wire.
func (w *wire) queues(s *socket) (in, out *nonifs.Queue) {
	in = nonifs.NewStream(nonifs.NewPump(w.roomForClient).Endpoint(), &s.Endpoint)
	out = nonifs.NewStream(&s.Endpoint, nonifs.NewPump(w.kick).Endpoint())
	return in, out
}

// Listen implements nonifs.Lower.
func (s *socket) Listen(backlog int32) spi.Errno {
	w := s.wire.Load()
	if name, errno := s.SockName(); errno == 0 {
		if _, errno := s.judge(Listen, name); errno != 0 {
			return errno
		}
	}
	if errno := w.next.WSPListen(w.lower, backlog); errno != 0 {
		return errno
	}
	w.order(func(o *orders) { o.listens = s })
	return 0
}

// acceptPause is how long accepting rests after a lack of resources.
const acceptPause = 50 * time.Millisecond

// accept takes the connections of the lower socket, and returns when to look
// again. One that finds the backlog full waits until WSPAccept has made room,
// and further ones wait below.
func (w *wire) accept(s *socket) time.Time {
	for range rounds {
		if w.child != nil && !w.deliver(s) {
			return time.Time{}
		}
		peer := make([]byte, spi.SizeofSockaddrStorage)
		length := int32(len(peer))
		lower, errno := w.next.WSPAccept(w.lower, peer, &length, nil, 0)
		switch errno {
		case 0:
			peer = peer[:max(0, min(int(length), len(peer)))]
			if _, errno := s.judge(Accept, peer); errno != 0 {
				w.reset(lower)
				continue
			}
			child, errno := w.relay.adopt(w.next, lower, s)
			if errno != 0 {
				continue // the connection is closed: there is nothing to serve it with
			}
			child.peer, child.listener = peer, s
			w.child = child
		case spi.WSAEWOULDBLOCK:
			return time.Time{}
		case spi.WSAECONNRESET, spi.WSAECONNABORTED, spi.WSAEINTR, spi.WSAECONNREFUSED, spi.WSATRY_AGAIN:
		case spi.WSAENOTSOCK, spi.WSAEINVAL, spi.WSAEOPNOTSUPP, spi.WSANOTINITIALISED:
			w.order(func(o *orders) { o.listens = nil })
			return time.Time{}
		default:
			return time.Now().Add(acceptPause)
		}
	}
	w.kick()
	return time.Time{}
}

// deliver gives the connection that was accepted to WSPAccept. False means that
// there is no room yet.
func (w *wire) deliver(s *socket) bool {
	child := w.child
	if child.Incoming() == nil {
		line := child.wire.Load()
		in, out := line.queues(child)
		child.Open(in, out)
		line.order(func(o *orders) { o.in, o.out = in, out })
	}
	if !s.Deliver(&child.Endpoint) {
		return false
	}
	w.child = nil
	return true
}

// Admit implements nonifs.Lower: there is room in the backlog now.
func (s *socket) Admit() spi.Errno {
	if s.listener != nil {
		s.listener.wire.Load().kick()
	}
	return 0
}

// Adopt implements nonifs.Lower: the wire of incoming takes the place of one
// that was never used.
func (s *socket) Adopt(incoming nonifs.Lower) spi.Errno {
	from, ok := incoming.(*socket)
	if !ok || from.relay != s.relay {
		return spi.WSAEINVAL
	}
	w := from.wire.Load()
	before, ok := s.replace(w)
	if !ok {
		return spi.WSAENOTSOCK
	}
	before.close(false)
	s.mu.Lock()
	s.peer = from.peer
	s.mu.Unlock()
	return 0
}

// replace gives the socket another wire, and returns the one that it had. False
// means that it is closed.
func (s *socket) replace(w *wire) (before *wire, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed {
		return nil, false
	}
	return s.wire.Swap(w), true
}

// Reuse implements nonifs.Lower: the wire delivers what it has, and the socket
// gets a new one, with the address that it was bound to and its options.
func (s *socket) Reuse() spi.Errno {
	w, errno := s.fresh(nil)
	if errno != 0 {
		return errno
	}
	s.mu.Lock()
	bound := s.bound
	s.mu.Unlock()
	if bound != nil {
		errno = w.next.WSPBind(w.lower, bound)
	}
	var before *wire
	if errno == 0 {
		var ok bool
		if before, ok = s.replace(w); !ok {
			errno = spi.WSAENOTSOCK
		}
	}
	if errno != 0 {
		w.close(true)
		return errno
	}
	before.close(false)
	s.mu.Lock()
	s.peer, s.listener = nil, nil
	s.mu.Unlock()
	return 0
}
