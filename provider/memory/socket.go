package memory

import (
	"encoding/binary"
	"net/netip"

	"upcall.dev/nonifs"
	"upcall.dev/spi"
)

// socket is one socket: the lower half of its Endpoint.
type socket struct {
	nonifs.Endpoint
	network *network
	family  int16
	typ     int8

	// network.mu guards the rest.
	peer      packed
	local     netip.AddrPort // an IPv4 address also on a dual-stack socket
	bound     bool           // in network's ports
	client    bool           // in network.clients
	exclusive bool           // SO_EXCLUSIVEADDRUSE when it was bound
	listening bool
	dual      bool // IPV6_V6ONLY is off
	noDelay   bool
	gone      bool
	name      *[]byte    // local as a sockaddr, of a datagram socket
	undecided *undecided // nil unless a connection is
}

// undecided is one end of a connection under SO_CONDITIONAL_ACCEPT: the other
// end, and for the client's end the listening socket too.
type undecided struct{ partner, listener *socket }

// decide ends that a connection of s is undecided, and returns what it was. The
// caller holds network.mu.
func (s *socket) decide() (u undecided) {
	if s.undecided != nil {
		u, s.undecided = *s.undecided, nil
	}
	return u
}

func (n *network) newSocket(family, typ int32) *socket {
	return &socket{network: n, family: int16(family), typ: int8(typ)}
}

func (s *socket) ports() *ports {
	if s.typ == spi.SOCK_DGRAM {
		return &s.network.grams
	}
	return &s.network.streams
}

// address reads a sockaddr of the client's. An IPv4-mapped address on a
// dual-stack socket is the IPv4 address. WSAEFAULT, WSAEAFNOSUPPORT,
// WSAEADDRNOTAVAIL.
func (s *socket) address(name []byte, wrongFamily spi.Errno) (netip.AddrPort, spi.Errno) {
	if len(name) < 2 {
		return netip.AddrPort{}, spi.WSAEFAULT
	}
	if spi.AddressFamily(name) != int32(s.family) {
		return netip.AddrPort{}, wrongFamily
	}
	a, ok := spi.AddrPortFrom(name)
	if !ok {
		return netip.AddrPort{}, spi.WSAEFAULT
	}
	ip := a.Addr().WithZone("")
	if ip.Is4In6() {
		s.network.mu.Lock()
		dual := s.dual
		s.network.mu.Unlock()
		if !dual {
			return netip.AddrPort{}, spi.WSAEADDRNOTAVAIL
		}
		ip = ip.Unmap()
	}
	return netip.AddrPortFrom(ip, a.Port()), 0
}

// sockaddr returns an address as this socket's client sees it.
func (s *socket) sockaddr(a netip.AddrPort) []byte {
	if s.family == spi.AF_INET6 && a.Addr().Is4() {
		a = netip.AddrPortFrom(netip.AddrFrom16(a.Addr().As16()), a.Port())
	}
	return spi.SockaddrFrom(a)
}

// Bind implements nonifs.Lower.
func (s *socket) Bind(name []byte) spi.Errno {
	a, errno := s.address(name, spi.WSAEFAULT)
	if errno != 0 {
		return errno
	}
	if !ourAddress(a.Addr()) {
		return spi.WSAEADDRNOTAVAIL
	}
	return s.bind(a)
}

func (s *socket) bind(a netip.AddrPort) spi.Errno {
	reuse, exclusive := s.Option(spi.SO_REUSEADDR), s.Option(spi.SO_EXCLUSIVEADDRUSE)
	s.network.mu.Lock()
	defer s.network.mu.Unlock()
	if s.local.IsValid() || s.gone { // bound, connected or accepted
		return spi.WSAEINVAL
	}
	if errno := s.ports().bind(s, a, reuse, exclusive); errno != 0 {
		return errno
	}
	if s.typ == spi.SOCK_DGRAM {
		s.openDatagrams()
	}
	return 0
}

// openDatagrams gives a datagram socket that just got its address its queue.
// The caller holds network.mu.
func (s *socket) openDatagrams() {
	own := s.local
	if own.Addr().IsUnspecified() {
		own = netip.AddrPortFrom(loopbackLike(own.Addr()), own.Port())
	}
	name := spi.SockaddrFrom(own)
	s.name = &name
	s.Open(nonifs.NewDatagrams(nil, &s.Endpoint, true), nil)
}

// bindImplicitly binds a datagram socket that sends before it was bound.
func (s *socket) bindImplicitly() spi.Errno {
	s.network.mu.Lock()
	bound := s.bound
	s.network.mu.Unlock()
	if bound {
		return 0
	}
	errno := s.bind(netip.AddrPortFrom(s.wildcard(), 0))
	if errno == spi.WSAEINVAL {
		return 0 // another thread was faster
	}
	return errno
}

func (s *socket) wildcard() netip.Addr {
	if s.family == spi.AF_INET6 {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// Listen implements nonifs.Lower.
func (s *socket) Listen(int32) spi.Errno {
	s.network.mu.Lock()
	defer s.network.mu.Unlock()
	if !s.bound {
		return spi.WSAEINVAL
	}
	for _, other := range s.ports().bound[s.local.Port()] {
		if other != s && other.listening && other.local == s.local {
			return spi.WSAEADDRINUSE
		}
	}
	s.listening = true
	return 0
}

// SockName implements nonifs.Lower.
func (s *socket) SockName() ([]byte, spi.Errno) {
	s.network.mu.Lock()
	defer s.network.mu.Unlock()
	if !s.local.IsValid() {
		return nil, spi.WSAEINVAL
	}
	return s.sockaddr(s.local), 0
}

// PeerName implements nonifs.Lower.
func (s *socket) PeerName() ([]byte, spi.Errno) {
	s.network.mu.Lock()
	defer s.network.mu.Unlock()
	if s.peer == (packed{}) {
		return nil, spi.WSAENOTCONN
	}
	return s.sockaddr(s.peer.addrPort()), 0
}

// GetOption implements nonifs.Lower.
func (s *socket) GetOption(level, name int32, val []byte, valLen *int32) spi.Errno {
	flag, errno := s.option(level, name)
	if errno != 0 {
		return errno
	}
	s.network.mu.Lock()
	on := *flag != (level == spi.IPPROTO_IPV6) // IPV6_V6ONLY is the opposite of dual
	s.network.mu.Unlock()
	if len(val) < 4 {
		return spi.WSAEFAULT
	}
	v := uint32(0)
	if on {
		v = 1
	}
	binary.NativeEndian.PutUint32(val, v)
	*valLen = 4
	return 0
}

// SetOption implements nonifs.Lower.
func (s *socket) SetOption(level, name int32, val []byte) spi.Errno {
	flag, errno := s.option(level, name)
	if errno != 0 {
		return errno
	}
	if len(val) < 1 {
		return spi.WSAEFAULT
	}
	on := val[0] != 0
	if len(val) >= 4 {
		on = binary.NativeEndian.Uint32(val) != 0
	}
	s.network.mu.Lock()
	defer s.network.mu.Unlock()
	if level == spi.IPPROTO_IPV6 {
		if s.bound {
			return spi.WSAEINVAL
		}
		on = !on
	}
	*flag = on
	return 0
}

// option finds the flag behind an option. WSAEINVAL (level), WSAENOPROTOOPT.
func (s *socket) option(level, name int32) (*bool, spi.Errno) {
	switch {
	case level == spi.IPPROTO_TCP && s.typ == spi.SOCK_STREAM:
		if name == spi.TCP_NODELAY {
			return &s.noDelay, 0
		}
	case level == spi.IPPROTO_IPV6 && s.family == spi.AF_INET6:
		if name == spi.IPV6_V6ONLY {
			return &s.dual, 0
		}
	case level == spi.SOL_SOCKET, level == spi.IPPROTO_IP, level == spi.IPPROTO_UDP:
	default:
		return nil, spi.WSAEINVAL
	}
	return nil, spi.WSAENOPROTOOPT
}

// Ioctl implements nonifs.Lower.
func (s *socket) Ioctl(code uint32, in, _ []byte, _ *uint32) spi.Errno {
	if code == spi.SIO_UDP_CONNRESET && s.typ == spi.SOCK_DGRAM {
		if len(in) < 1 {
			return spi.WSAEFAULT
		}
		if in[0] == 0 {
			return 0 // an unheard datagram never resets a socket here
		}
	}
	return spi.WSAEOPNOTSUPP
}

// Shutdown implements nonifs.Lower: the queues already tell the other end.
func (s *socket) Shutdown(int32) {}

// Adopt implements nonifs.Lower.
func (s *socket) Adopt(incoming nonifs.Lower) spi.Errno {
	from, ok := incoming.(*socket)
	if !ok || from.network != s.network {
		return spi.WSAEINVAL
	}
	s.network.mu.Lock()
	defer s.network.mu.Unlock()
	switch {
	case s.gone:
		return spi.WSAENOTSOCK
	case s.bound || s.client:
		return spi.WSAEINVAL
	}
	s.local, s.peer, s.dual = from.local, from.peer, from.dual
	from.gone = true
	return 0
}

// Reuse implements nonifs.Lower. An address from Bind stays, one from Connect or
// from a listening socket goes.
func (s *socket) Reuse() spi.Errno {
	n := s.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if s.gone {
		return spi.WSAENOTSOCK
	}
	if s.client {
		delete(n.clients, pair{pack(s.local), s.peer})
		s.client = false
	}
	if !s.bound {
		s.local = netip.AddrPort{}
	}
	s.peer = packed{}
	return 0
}

// Close implements nonifs.Lower.
func (s *socket) Close(bool) {
	n := s.network
	n.mu.Lock()
	if s.gone {
		n.mu.Unlock()
		return
	}
	s.gone, s.listening = true, false
	if s.bound {
		s.ports().remove(s)
		s.bound = false
	}
	if s.client {
		delete(n.clients, pair{pack(s.local), s.peer})
		s.client = false
	}
	u := s.decide()
	n.mu.Unlock()
	switch {
	case u.partner == nil:
	case u.listener != nil: // the client's end of an undecided connection
		u.listener.Withdraw(&u.partner.Endpoint)
	default: // the server's end: refused
		u.partner.forgetName()
		u.partner.Connected(spi.WSAECONNREFUSED, nil, nil)
	}
}
