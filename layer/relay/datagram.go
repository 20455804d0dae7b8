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
	case len(to) > 0 && spi.AddressFamily(to) != s.family:
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
	q := s.outgoing.Load()
	if q == nil {
		if name := anyAddress(s.family); name != nil {
			s.next.WSPBind(s.lower, name) // a failure shows when sending
		}
		q = s.openDatagrams()
	}
	if q == nil {
		return nil, nil, spi.WSAENOTSOCK
	}
	return q, to, 0
}

func (s *socket) connectDatagrams(name []byte) spi.Errno {
	if errno := s.next.WSPConnect(s.lower, name, nil, nil, nil, nil); errno != 0 {
		return errno
	}
	_, errno := s.PeerName()
	s.hasPeer.Store(errno == 0)
	s.openDatagrams()
	return 0
}

// openDatagrams starts the pumps of a datagram socket, once, and returns the
// queue of what it sends, nil when it is closed.
func (s *socket) openDatagrams() *nonifs.Queue {
	s.mu.Lock()
	if s.opened || s.isClosed {
		s.mu.Unlock()
		return s.outgoing.Load()
	}
	s.opened = true
	s.pumps += 2
	out := nonifs.NewDatagrams(&s.Endpoint, nil, false)
	s.outgoing.Store(out)
	s.mu.Unlock()
	in := nonifs.NewDatagrams(nil, &s.Endpoint, true)
	s.Open(in, nil)
	s.run(func() { s.pumpDatagramsUp(out) })
	s.run(func() { s.pumpDatagramsDown(in) })
	return out
}

func (s *socket) pumpDatagramsUp(q *nonifs.Queue) {
	buf := make([]byte, longestDatagram)
	address := make([]byte, spi.SizeofSockaddrStorage)
	read := func(<-chan struct{}) packet {
		n, addressLen, errno := q.ReadDatagram(buf, address)
		if errno != 0 || addressLen == 0 { // every datagram has an address here
			return packet{end: true, errno: errno}
		}
		return packet{data: buf[:n], address: append([]byte(nil), address[:addressLen]...)}
	}
	write := func(p packet) bool {
		if !p.end {
			return s.sendDatagram(p)
		}
		return false
	}
	s.carry(Up, read, write, nil)
}

// sendDatagram gives a datagram to the lower socket. False means that the
// socket is broken.
func (s *socket) sendDatagram(p packet) bool {
	for {
		var n uint32
		var errno spi.Errno
		buf := [1]spi.Buf{spi.NewBuf(p.data)}
		if len(p.address) == len(toPeer) {
			errno = s.next.WSPSend(s.lower, buf[:], &n, 0, nil, nil, nil)
		} else {
			errno = s.next.WSPSendTo(s.lower, buf[:], &n, 0, p.address, nil, nil, nil)
		}
		switch errno {
		case spi.WSAEWOULDBLOCK:
			if !s.await(s.writable, nil) {
				return false
			}
		case spi.WSAEINTR:
		case spi.WSAENOTSOCK, spi.WSANOTINITIALISED:
			return false
		default:
			return true
		}
	}
}

func (s *socket) pumpDatagramsDown(q *nonifs.Queue) {
	buf := make([]byte, longestDatagram)
	address := make([]byte, spi.SizeofSockaddrStorage)
	read := func(stop <-chan struct{}) packet {
		for {
			var n, flags uint32
			length := int32(len(address))
			bufs := [1]spi.Buf{spi.NewBuf(buf)}
			switch errno := s.next.WSPRecvFrom(s.lower, bufs[:], &n, &flags, address, &length, nil, nil, nil); errno {
			case 0, spi.WSAEMSGSIZE:
				return packet{data: buf[:min(int(n), len(buf))], address: append([]byte(nil), address[:max(0, min(int(length), len(address)))]...)}
			case spi.WSAEINTR, spi.WSAECONNRESET, spi.WSAENETRESET: // about a datagram sent before
			case spi.WSAEWOULDBLOCK:
				if !s.await(s.readable, s.closed, stop) {
					return packet{end: true}
				}
			default:
				return packet{end: true, errno: errno}
			}
		}
	}
	write := func(p packet) bool {
		if p.end {
			if p.errno != 0 {
				q.Abort(p.errno)
			}
			return false
		}
		return q.WriteDatagram(p.data, p.address) == 0
	}
	s.carry(Down, read, write, s.closed)
}
