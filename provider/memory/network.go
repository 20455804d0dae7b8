package memory

import (
	"net/netip"
	"sync"

	"upcall.dev/nonifs"
	"upcall.dev/spi"
)

// network is the address space of one provider.
//
// Lock order: network.mu comes before the locks of Endpoint and Queue.
type network struct {
	mu      sync.Mutex // guards everything below and the fields of socket that say so
	streams ports
	grams   ports
	// clients are the ends of connections whose local address was given to
	// them by connect, so that no two connections have the same names.
	clients map[pair]struct{}

	// void takes datagrams that nobody listens for.
	void *nonifs.Queue

	base *nonifs.Base // of the provider
}

// pair names a connection: the local address first.
type pair [2]packed

func pairOf(local, peer netip.AddrPort) pair { return pair{pack(local), pack(peer)} }

// packed is a netip.AddrPort without a zone, in less memory and without
// pointers. The zero value is none.
type packed struct {
	ip   [16]byte
	port uint16
	bits uint8 // of the address: 32 or 128
}

func pack(a netip.AddrPort) packed {
	if !a.IsValid() {
		return packed{}
	}
	return packed{a.Addr().As16(), a.Port(), uint8(a.Addr().BitLen())}
}

func (p packed) addrPort() netip.AddrPort {
	if p.bits == 0 {
		return netip.AddrPort{}
	}
	ip := netip.AddrFrom16(p.ip)
	if p.bits == 32 {
		ip = ip.Unmap()
	}
	return netip.AddrPortFrom(ip, p.port)
}

func newNetwork(base *nonifs.Base) *network {
	void := nonifs.NewDatagrams(nil, nil, true)
	void.Refuse()
	return &network{
		streams: ports{bound: map[uint16][]*socket{}},
		grams:   ports{bound: map[uint16][]*socket{}},
		clients: map[pair]struct{}{},
		void:    void,
		base:    base,
	}
}

// Ports that bind and connect choose by themselves: the dynamic range of
// Windows.
const (
	firstDynamic = 49152
	lastDynamic  = 65535
)

// ports are the bound sockets of one type.
type ports struct {
	bound map[uint16][]*socket
	next  uint16 // where the search for a dynamic port begins
}

// step returns the dynamic ports one after the other.
func (p *ports) step() uint16 {
	if p.next < firstDynamic {
		p.next = firstDynamic
	}
	port := p.next
	p.next++ // wraps to 0 behind lastDynamic
	return port
}

// bind gives s the address a, with a dynamic port for port zero.
// WSAEADDRINUSE, WSAEACCES (a socket there is exclusive), WSAENOBUFS.
func (p *ports) bind(s *socket, a netip.AddrPort, reuse, exclusive bool) spi.Errno {
	if a.Port() != 0 {
		for _, other := range p.bound[a.Port()] {
			if errno := other.conflict(s, a, reuse, exclusive); errno != 0 {
				return errno
			}
		}
		p.put(s, a, exclusive)
		return 0
	}
	for range lastDynamic - firstDynamic + 1 {
		if port := p.step(); len(p.bound[port]) == 0 {
			p.put(s, netip.AddrPortFrom(a.Addr(), port), exclusive)
			return 0
		}
	}
	return spi.WSAENOBUFS
}

func (p *ports) put(s *socket, a netip.AddrPort, exclusive bool) {
	s.local, s.bound, s.exclusive = a, true, exclusive
	p.bound[a.Port()] = append(p.bound[a.Port()], s)
}

func (p *ports) remove(s *socket) {
	list := p.bound[s.local.Port()]
	for i, other := range list {
		if other != s {
			continue
		}
		if len(list) == 1 {
			delete(p.bound, s.local.Port())
			return
		}
		p.bound[s.local.Port()] = append(append([]*socket(nil), list[:i]...), list[i+1:]...)
		return
	}
}

// conflict tells whether s, which holds an address, keeps another socket from
// binding to a: on the same address unless the other asks to reuse it, and on
// an overlapping one when either wants it for itself.
func (s *socket) conflict(other *socket, a netip.AddrPort, reuse, exclusive bool) spi.Errno {
	same := s.local == a
	overlap := same || s.covers(a.Addr()) || other.coversFrom(a.Addr(), s.local.Addr())
	switch {
	case overlap && s.exclusive:
		if reuse {
			return spi.WSAEACCES
		}
		return spi.WSAEADDRINUSE
	case overlap && exclusive, same && !reuse:
		return spi.WSAEADDRINUSE
	}
	return 0
}

// covers reports whether traffic to the address ip is for s.
func (s *socket) covers(ip netip.Addr) bool { return s.coversFrom(s.local.Addr(), ip) }

// coversFrom reports whether a socket like s bound to own gets traffic for ip.
func (s *socket) coversFrom(own, ip netip.Addr) bool {
	if own == ip {
		return true
	}
	return own.IsUnspecified() && (own.Is4() == ip.Is4() || own.Is6() && s.dual)
}

// find returns the socket that traffic to the address a reaches: the one bound
// to exactly it, else one bound to the wildcard of its family, else a
// dual-stack one. accept, when not nil, says which sockets count.
func (p *ports) find(a netip.AddrPort, accept func(*socket) bool) *socket {
	var best *socket
	rank := 0
	for _, s := range p.bound[a.Port()] {
		if !s.covers(a.Addr()) || accept != nil && !accept(s) {
			continue
		}
		r := 1
		switch own := s.local.Addr(); {
		case own == a.Addr():
			r = 3
		case own.Is4() == a.Addr().Is4():
			r = 2
		}
		if r > rank {
			best, rank = s, r
		}
	}
	return best
}

// ourAddress reports whether the network knows an address.
func ourAddress(ip netip.Addr) bool { return ip.IsLoopback() || ip.IsUnspecified() }

var (
	loopback4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	loopback6 = netip.IPv6Loopback()
)

// loopbackLike returns the loopback address of ip's family.
func loopbackLike(ip netip.Addr) netip.Addr {
	if ip.Is4() {
		return loopback4
	}
	return loopback6
}
