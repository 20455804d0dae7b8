package relay

import (
	"upcall.dev/nonifs"
	"upcall.dev/spi"
)

// toPeer stands in the outgoing queue for the address of the connected peer.
var toPeer = []byte{0}

// Route implements nonifs.Lower. A send succeeds when the datagram is on its
// way; what then goes wrong below is lost, as datagrams may be.
func (s *socket) Route(to []byte, length int) (*nonifs.Queue, []byte, spi.Errno) {
	if length > longestDatagram {
		return nil, nil, spi.WSAEMSGSIZE
	}
	switch {
	case len(to) > spi.SizeofSockaddrStorage:
		return nil, nil, spi.WSAEFAULT
	case len(to) > 0 && spi.AddressFamily(to) != s.Info().AddressFamily:
		return nil, nil, spi.WSAEAFNOSUPPORT
	case len(to) > 0:
		if a, ok := spi.AddrPortFrom(to); ok && a.Port() == 0 {
			return nil, nil, spi.WSAEADDRNOTAVAIL
		}
	case !s.hasPeer.Load():
		return nil, nil, spi.WSAENOTCONN
	default:
		to = toPeer
	}
	if len(to) > len(toPeer) {
		in, errno := s.judge(Send, to)
		if errno == 0 {
			errno = s.moveTo(in)
		}
		if errno != 0 {
			return nil, nil, errno
		}
		if s.wire.Load().chain != in {
			q, errno := s.branch(in)
			return q, to, errno
		}
	}
	q := s.outgoing.Load()
	if q == nil {
		if name := anyAddress(s.Info().AddressFamily); name != nil {
			w := s.wire.Load()
			w.next.WSPBind(w.lower, name) // a failure shows when sending
		}
		q = s.openDatagrams()
	}
	if q == nil {
		return nil, nil, spi.WSAENOTSOCK
	}
	return q, to, 0
}

func (s *socket) connectDatagrams(name []byte) spi.Errno {
	in, errno := s.judge(Connect, name)
	if errno == 0 {
		errno = s.moveTo(in)
	}
	if errno != 0 {
		return errno
	}
	w := s.wire.Load()
	if w.chain != in && !allZero(name) {
		return spi.WSAENETUNREACH // what it has sent and received binds it to its chain
	}
	if errno := w.next.WSPConnect(w.lower, name, nil, nil, nil, nil); errno != 0 {
		return errno
	}
	_, errno = s.PeerName()
	s.hasPeer.Store(errno == 0)
	s.openDatagrams()
	return 0
}

// openDatagrams gives a datagram socket its queues, once, and returns the one
// of what it sends, nil when it is closed.
func (s *socket) openDatagrams() *nonifs.Queue {
	w := s.wire.Load()
	s.mu.Lock()
	if s.opened || s.isClosed {
		s.mu.Unlock()
		return s.outgoing.Load()
	}
	s.opened = true
	out := nonifs.NewDatagrams(&s.Endpoint, nonifs.NewPump(w.kick).Endpoint(), false)
	s.outgoing.Store(out)
	s.mu.Unlock()
	in := nonifs.NewDatagrams(nonifs.NewPump(s.roomForClient).Endpoint(), &s.Endpoint, true)
	s.Open(in, out)
	w.order(func(o *orders) { o.in, o.out = in, out })
	return out
}

// allZero reports whether a name takes the peer away.
func allZero(name []byte) bool {
	for _, b := range name {
		if b != 0 {
			return false
		}
	}
	return true
}
