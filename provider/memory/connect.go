package memory

import (
	"net/netip"

	"upcall.dev/nonifs"
	"upcall.dev/spi"
)

// Connect implements nonifs.Lower. A connection is there at once, or refused at
// once, unless the listener decides in its condition function.
func (s *socket) Connect(name []byte) spi.Errno {
	if s.typ == spi.SOCK_DGRAM {
		return s.connectDatagrams(name)
	}
	to, errno := s.destination(name)
	if errno != 0 {
		return errno
	}
	n := s.network
	n.mu.Lock()
	listener := n.streams.find(to, func(s *socket) bool { return s.listening })
	if listener == nil {
		n.mu.Unlock()
		s.Connected(spi.WSAECONNREFUSED, nil, nil)
		return spi.WSAEWOULDBLOCK
	}
	if errno := n.nameClient(s, to); errno != 0 {
		n.mu.Unlock()
		return errno
	}
	server := n.newSocket(int32(listener.family), int32(listener.typ))
	server.local, server.peer = to, pack(s.local)
	server.dual = listener.dual
	n.mu.Unlock()

	server.Init(n.base, server, listener.Info(), spi.SOCK_STREAM, spi.WSA_FLAG_OVERLAPPED)
	if listener.ConditionalAccept() {
		return s.connectLater(listener, server)
	}
	toServer := nonifs.NewStream(&s.Endpoint, &server.Endpoint)
	toClient := nonifs.NewStream(&server.Endpoint, &s.Endpoint)
	server.Open(toServer, toClient)
	if !listener.Deliver(&server.Endpoint) {
		s.forgetName()
		s.Connected(spi.WSAECONNREFUSED, nil, nil)
		return spi.WSAEWOULDBLOCK
	}
	s.Open(toClient, toServer)
	return 0
}

// connectLater leaves the decision to WSPAccept.
func (s *socket) connectLater(listener, server *socket) spi.Errno {
	n := s.network
	n.mu.Lock()
	s.undecided, server.undecided = &undecided{server, listener}, &undecided{partner: s}
	n.mu.Unlock()
	if !listener.Deliver(&server.Endpoint) {
		n.mu.Lock()
		s.undecided, server.undecided = nil, nil
		n.mu.Unlock()
		s.forgetName()
		s.Connected(spi.WSAECONNREFUSED, nil, nil)
	}
	return spi.WSAEWOULDBLOCK
}

// Admit implements nonifs.Lower: the server's end of an undecided connection
// becomes a connection.
func (s *socket) Admit() spi.Errno {
	n := s.network
	n.mu.Lock()
	client := s.decide().partner
	if client != nil {
		client.decide()
	}
	n.mu.Unlock()
	if client == nil {
		if s.Incoming() == nil {
			return spi.WSAECONNRESET // the client has left
		}
		return 0
	}
	toServer := nonifs.NewStream(&client.Endpoint, &s.Endpoint)
	toClient := nonifs.NewStream(&s.Endpoint, &client.Endpoint)
	s.Open(toServer, toClient)
	if !client.Connected(0, toClient, toServer) {
		return spi.WSAECONNRESET
	}
	return 0
}

// destination reads the address to connect or send to.
func (s *socket) destination(name []byte) (netip.AddrPort, spi.Errno) {
	to, errno := s.address(name, spi.WSAEAFNOSUPPORT)
	switch {
	case errno != 0:
		return to, errno
	case to.Addr().IsUnspecified() || to.Port() == 0:
		return to, spi.WSAEADDRNOTAVAIL
	case to.Addr() == netip.AddrFrom4([4]byte{255, 255, 255, 255}) && !s.Option(spi.SO_BROADCAST):
		return to, spi.WSAEACCES
	case !to.Addr().IsLoopback():
		return to, spi.WSAENETUNREACH
	}
	return to, 0
}

// nameClient gives a connecting socket its names. The caller holds n.mu.
func (n *network) nameClient(s *socket, to netip.AddrPort) spi.Errno {
	if s.bound {
		if s.local.Addr().IsUnspecified() {
			n.streams.remove(s)
			n.streams.put(s, netip.AddrPortFrom(loopbackLike(to.Addr()), s.local.Port()), s.exclusive)
		}
		s.peer = pack(to)
		return 0
	}
	for range lastDynamic - firstDynamic + 1 {
		local := netip.AddrPortFrom(loopbackLike(to.Addr()), n.streams.step())
		names := pairOf(local, to)
		if _, taken := n.clients[names]; taken || len(n.streams.bound[local.Port()]) > 0 {
			continue
		}
		n.clients[names] = struct{}{}
		s.client, s.local, s.peer = true, local, pack(to)
		return 0
	}
	return spi.WSAENOBUFS
}

// forgetName undoes nameClient after a refusal.
func (s *socket) forgetName() {
	n := s.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if s.client {
		delete(n.clients, pair{pack(s.local), s.peer})
		s.client, s.local = false, netip.AddrPort{}
	}
	s.peer = packed{}
}

// connectDatagrams sets the peer of a datagram socket, or takes it away for the
// zero address.
func (s *socket) connectDatagrams(name []byte) spi.Errno {
	to, errno := s.address(name, spi.WSAEAFNOSUPPORT)
	if errno != 0 {
		return errno
	}
	if to.Addr().IsUnspecified() && to.Port() == 0 {
		s.setPeer(netip.AddrPort{})
		return 0
	}
	if to, errno = s.destination(name); errno != 0 {
		return errno
	}
	if errno := s.bindImplicitly(); errno != 0 {
		return errno
	}
	s.setPeer(to)
	return 0
}

func (s *socket) setPeer(to netip.AddrPort) {
	s.network.mu.Lock()
	defer s.network.mu.Unlock()
	s.peer = pack(to)
}

// Route implements nonifs.Lower.
func (s *socket) Route(name []byte, length int) (*nonifs.Queue, []byte, spi.Errno) {
	if length > longestDatagram {
		return nil, nil, spi.WSAEMSGSIZE
	}
	var to netip.AddrPort
	if len(name) > 0 {
		var errno spi.Errno
		if to, errno = s.destination(name); errno != 0 {
			return nil, nil, errno
		}
	}
	if errno := s.bindImplicitly(); errno != 0 {
		return nil, nil, errno
	}
	n := s.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(name) == 0 {
		to = s.peer.addrPort()
	}
	if !to.IsValid() {
		return nil, nil, spi.WSAENOTCONN
	}
	from := s.source(to)
	receiver := n.grams.find(to, func(r *socket) bool { return r.peer == (packed{}) || r.peer == pack(from) })
	if receiver == nil {
		return n.void, nil, 0
	}
	if receiver.family == s.family && s.name != nil && from.Addr().Is4() == (s.family == spi.AF_INET) {
		return receiver.Incoming(), *s.name, 0
	}
	return receiver.Incoming(), receiver.sockaddr(from), 0
}

// source returns the address that a datagram to the address to comes from. The
// caller holds network.mu.
func (s *socket) source(to netip.AddrPort) netip.AddrPort {
	if s.local.Addr().IsUnspecified() {
		return netip.AddrPortFrom(loopbackLike(to.Addr()), s.local.Port())
	}
	return s.local
}
