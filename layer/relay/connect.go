package relay

import (
	"time"

	"upcall.dev/nonifs"
	"upcall.dev/spi"
)

// Connect implements nonifs.Lower. The outcome comes a round trip later than
// the next provider's.
func (s *socket) Connect(name []byte) spi.Errno {
	if s.datagrams {
		return s.connectDatagrams(name)
	}
	if !s.begin(1) {
		return spi.WSAENOTSOCK
	}
	var before spi.NetworkEvents
	s.next.WSPEnumNetworkEvents(s.lower, spi.InvalidEvent, &before) // of an attempt that failed
	errno := s.next.WSPConnect(s.lower, name, nil, nil, nil, nil)
	if errno != 0 && errno != spi.WSAEWOULDBLOCK {
		s.end(1)
		return errno
	}
	s.run(func() { s.finishConnect(errno == 0) })
	return spi.WSAEWOULDBLOCK
}

// finishConnect waits for the outcome of an attempt to connect and tells it.
func (s *socket) finishConnect(connected bool) {
	var errno spi.Errno
	for !connected {
		if !s.await(s.writable, s.closed) {
			return
		}
		var events spi.NetworkEvents
		if errno = s.next.WSPEnumNetworkEvents(s.lower, spi.InvalidEvent, &events); errno != 0 {
			break
		}
		if events.NetworkEvents&spi.FD_CONNECT != 0 {
			errno = spi.Errno(events.ErrorCode[fdConnectBit])
			break
		}
	}
	if wait := s.relay.config.RoundTrip; wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.closed:
			return
		}
	}
	if errno != 0 {
		s.Connected(errno, nil, nil)
		return
	}
	in, out := s.queues()
	s.begin(2)
	if !s.Connected(0, in, out) {
		s.end(2)
		return
	}
	s.startStream(in, out)
}

const fdConnectBit = 4

func (s *socket) queues() (in, out *nonifs.Queue) {
	return nonifs.NewStream(nil, &s.Endpoint), nonifs.NewStream(&s.Endpoint, nil)
}

// Listen implements nonifs.Lower.
func (s *socket) Listen(backlog int32) spi.Errno {
	if errno := s.next.WSPListen(s.lower, backlog); errno != 0 {
		return errno
	}
	s.mu.Lock()
	again := s.listens || s.isClosed
	s.listens = true
	if !again {
		s.pumps++
	}
	s.mu.Unlock()
	if !again {
		s.relay.pumps.Go(func() {
			defer close(s.deaf)
			defer s.end(1)
			s.accept()
		})
	}
	return 0
}

// acceptPause is how long accepting rests after a lack of resources.
const acceptPause = 50 * time.Millisecond

// accept takes the connections of the lower socket. One that finds the backlog
// full waits until WSPAccept has made room, and further ones wait below.
func (s *socket) accept() {
	pause := time.NewTimer(time.Hour)
	defer pause.Stop()
	for {
		peer := make([]byte, spi.SizeofSockaddrStorage)
		length := int32(len(peer))
		lower, errno := s.next.WSPAccept(s.lower, peer, &length, nil, 0)
		switch errno {
		case 0:
			if !s.admit(lower, peer[:min(int(length), len(peer))]) {
				return
			}
		case spi.WSAEWOULDBLOCK:
			if !s.await(s.readable, s.closed) {
				return
			}
		case spi.WSAECONNRESET, spi.WSAECONNABORTED, spi.WSAEINTR, spi.WSAECONNREFUSED, spi.WSATRY_AGAIN:
		case spi.WSAENOTSOCK, spi.WSAEINVAL, spi.WSAEOPNOTSUPP, spi.WSANOTINITIALISED:
			return
		default:
			pause.Reset(acceptPause)
			select {
			case <-pause.C:
			case <-s.closed:
				return
			}
		}
	}
}

// admit delivers an accepted connection. False means that the listening socket
// is closed.
func (s *socket) admit(lower spi.Socket, peer []byte) bool {
	child, errno := s.relay.adopt(s.next, lower, s.Info(), spi.SOCK_STREAM, 0)
	if errno != 0 {
		return true // the connection is closed: there is nothing to serve it with
	}
	child.peer, child.listener = peer, s
	in, out := child.queues()
	child.begin(2)
	child.Open(in, out)
	for !s.Deliver(&child.Endpoint) {
		if !s.await(s.readable, s.closed) {
			child.end(2)
			child.Close(true)
			return false
		}
	}
	child.startStream(in, out)
	return true
}

// Admit implements nonifs.Lower: there is room in the backlog now.
func (s *socket) Admit() spi.Errno {
	if s.listener != nil {
		wake(s.listener.readable)
	}
	return 0
}
