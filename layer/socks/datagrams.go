package socks

import (
	"net/netip"
	"sync"
	"time"

	"upcall.dev/layer"
	"upcall.dev/nonifs"
	"upcall.dev/spi"
)

// datagrams is the half of the layer for UDP. Its sockets have handles of its
// own.
type datagrams struct {
	nonifs.Base
	module  *module
	handles sync.Map // spi.Socket → nothing: those that are open
}

func (d *datagrams) init(m *module) {
	d.module = m
	d.Init(d.newSocket, nil)
}

// has reports whether a handle is of this half.
func (d *datagrams) has(s spi.Socket) bool {
	if s < 1<<32 {
		return false
	}
	_, mine := d.handles.Load(s)
	return mine
}

func (d *datagrams) WSPSocket(af, typ, protocol int32, info *spi.ProtocolInfo, g spi.Group, flags uint32) (spi.Socket, spi.Errno) {
	s, errno := d.Base.WSPSocket(af, typ, protocol, info, g, flags)
	if errno == 0 {
		d.handles.Store(s, struct{}{})
	}
	return s, errno
}

func (d *datagrams) WSPCloseSocket(s spi.Socket) spi.Errno {
	errno := d.Base.WSPCloseSocket(s)
	if errno == 0 {
		d.handles.Delete(s)
	}
	return errno
}

// longestDatagram bounds a datagram with its header.
const longestDatagram = 64 << 10

// socket is a datagram socket. Its goroutine, while it has one, takes what the
// client sends and brings what arrives. It implements nonifs.Lower.
type socket struct {
	nonifs.Endpoint
	module *module
	next   spi.Provider
	under  spi.Socket // has the client's local address and options; with dns=local queries pass through it
	family int32
	wake   chan struct{} // there is something to do
	ending chan struct{} // closed by Close

	mu      sync.Mutex // guards what follows; a leaf lock
	closed  bool
	running bool // it has its goroutine, which closes under
	bound   bool
	peer    netip.AddrPort
	out, in *nonifs.Queue // nil before anything can be sent or received
	held    func()        // lets go of the name of peer
	trouble spi.Errno     // why nothing can be sent
	until   time.Time     // before then
}

var _ nonifs.Lower = (*socket)(nil)

func (d *datagrams) newSocket(info *spi.ProtocolInfo, af, typ, protocol int32, flags uint32) (*nonifs.Endpoint, spi.Errno) {
	m := d.module
	link, errno := m.chains.Find(info)
	if errno != 0 {
		return nil, errno
	}
	under, errno := link.Next().WSPSocket(af, typ, protocol, link.Below(info), 0, spi.WSA_FLAG_OVERLAPPED|spi.WSA_FLAG_NO_HANDLE_INHERIT)
	if errno != 0 {
		return nil, errno
	}
	if errno := setMode(link.Next(), under, true); errno != 0 {
		link.Next().WSPCloseSocket(under)
		return nil, errno
	}
	s := &socket{
		module: m, next: link.Next(), under: under, family: af,
		wake: make(chan struct{}, 1), ending: make(chan struct{}),
	}
	s.Init(&d.Base, s, info, typ, flags)
	return &s.Endpoint, 0
}

func (s *socket) kick() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Bind implements nonifs.Lower.
func (s *socket) Bind(name []byte) spi.Errno {
	if errno := s.next.WSPBind(s.under, name); errno != 0 {
		return errno
	}
	s.mu.Lock()
	s.bound = true
	s.mu.Unlock()
	return s.begin()
}

// begin gives the socket an address, its queues and its goroutine, once.
func (s *socket) begin() spi.Errno {
	s.mu.Lock()
	if s.closed || s.out != nil {
		closed := s.closed
		s.mu.Unlock()
		if closed {
			return spi.WSAENOTSOCK
		}
		return 0
	}
	bound := s.bound
	s.bound, s.running = true, true
	s.out = nonifs.NewDatagrams(&s.Endpoint, nonifs.NewPump(s.kick).Endpoint(), false)
	s.in = nonifs.NewDatagrams(nonifs.NewPump(func() {}).Endpoint(), &s.Endpoint, true)
	in := s.in
	s.mu.Unlock()
	if !bound {
		local := netip.IPv4Unspecified()
		if s.family == spi.AF_INET6 {
			local = netip.IPv6Unspecified()
		}
		s.next.WSPBind(s.under, spi.SockaddrFrom(netip.AddrPortFrom(local, 0))) // getsockname alone needs it
	}
	s.Open(in, nil)
	s.module.run(newCarrier(s).run)
	return 0
}

// Connect implements nonifs.Lower: nothing is sent, and other peers' datagrams
// are dropped from now on.
func (s *socket) Connect(name []byte) spi.Errno {
	peer, ok := spi.AddrPortFrom(name)
	switch {
	case !ok:
		return spi.WSAEFAULT
	case spi.AddressFamily(name) != s.family:
		return spi.WSAEAFNOSUPPORT
	case peer.Addr().IsUnspecified() && peer.Port() == 0:
		s.setPeer(netip.AddrPort{}, nil)
		return 0
	case peer.Port() == 0:
		return spi.WSAEADDRNOTAVAIL
	}
	release, errno := s.module.hold(peer.Addr())
	if errno != 0 {
		return errno
	}
	s.setPeer(peer, release)
	return s.begin()
}

func (s *socket) setPeer(peer netip.AddrPort, release func()) {
	s.mu.Lock()
	before := s.held
	s.peer, s.held = peer, release
	s.mu.Unlock()
	if before != nil {
		before()
	}
}

// Route implements nonifs.Lower. A send succeeds when the datagram is on its
// way; what then goes wrong is lost with it.
func (s *socket) Route(to []byte, length int) (*nonifs.Queue, []byte, spi.Errno) {
	s.mu.Lock()
	peer, trouble := s.peer, s.trouble
	if trouble != 0 && !time.Now().Before(s.until) {
		trouble = 0
	}
	s.mu.Unlock()
	switch {
	case length > longestDatagram-longestHeader:
		return nil, nil, spi.WSAEMSGSIZE
	case len(to) == 0 && !peer.IsValid():
		return nil, nil, spi.WSAENOTCONN
	case len(to) == 0:
		to = spi.SockaddrFrom(peer)
	case spi.AddressFamily(to) != s.family:
		return nil, nil, spi.WSAEAFNOSUPPORT
	}
	addr, ok := spi.AddrPortFrom(to)
	switch {
	case !ok:
		return nil, nil, spi.WSAEFAULT
	case addr.Port() == 0:
		return nil, nil, spi.WSAEADDRNOTAVAIL
	case addr.Port() == dnsPort: // answered here, or left to the program
	case !s.module.config.udp:
		s.module.refuseDatagrams()
		return nil, nil, spi.WSAENETUNREACH
	case trouble != 0:
		return nil, nil, trouble
	}
	if errno := s.begin(); errno != 0 {
		return nil, nil, errno
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out, to, 0
}

// refuseDatagrams says once why UDP does not work.
func (m *module) refuseDatagrams() {
	if m.config.kind != socks5 {
		m.once("socks: a proxy of type=" + string(m.config.kind) + " does not carry UDP: sends of programs fail with WSAENETUNREACH")
		return
	}
	m.once("socks: UDP is not carried, as udp=off says: sends of programs fail with WSAENETUNREACH")
}

// SockName implements nonifs.Lower. A connected socket has a definite address, of
// its peer's family: C libraries rely on it when they sort what a name stands for.
// Which one the world sees is the proxy's affair, so that loopback stands for here.
func (s *socket) SockName() ([]byte, spi.Errno) {
	s.mu.Lock()
	bound, peer := s.bound, s.peer
	s.mu.Unlock()
	if !bound {
		return nil, spi.WSAEINVAL
	}
	name := make([]byte, spi.SizeofSockaddrStorage)
	length := int32(len(name))
	if errno := s.next.WSPGetSockName(s.under, name, &length); errno != 0 {
		return nil, errno
	}
	name = name[:max(0, min(int(length), len(name)))]
	if at, ok := spi.AddrPortFrom(name); ok && peer.IsValid() && at.Addr().IsUnspecified() {
		local := netip.IPv6Loopback()
		switch {
		case peer.Addr().Is4():
			local = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		case peer.Addr().Is4In6():
			local = netip.AddrFrom16(netip.AddrFrom4([4]byte{127, 0, 0, 1}).As16())
		}
		name = spi.SockaddrFrom(netip.AddrPortFrom(local, at.Port()))
	}
	return name, 0
}

// PeerName implements nonifs.Lower.
func (s *socket) PeerName() ([]byte, spi.Errno) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.peer.IsValid() {
		return nil, spi.WSAENOTCONN
	}
	return spi.SockaddrFrom(s.peer), 0
}

// GetOption implements nonifs.Lower.
func (s *socket) GetOption(level, name int32, val []byte, valLen *int32) spi.Errno {
	return s.next.WSPGetSockOpt(s.under, level, name, val, valLen)
}

// SetOption implements nonifs.Lower. Control information does not come through
// the proxy.
func (s *socket) SetOption(level, name int32, val []byte) spi.Errno {
	switch {
	case level == spi.IPPROTO_IP && (name == spi.IP_PKTINFO || name == spi.IP_RECVTTL || name == spi.IP_RECVTOS),
		level == spi.IPPROTO_IPV6 && (name == spi.IPV6_PKTINFO || name == spi.IPV6_HOPLIMIT || name == spi.IPV6_RECVTCLASS):
		return spi.WSAENOPROTOOPT
	}
	return s.next.WSPSetSockOpt(s.under, level, name, val)
}

// Ioctl implements nonifs.Lower. Extension functions of the next provider would
// go around the layer.
func (s *socket) Ioctl(code uint32, in, out []byte, returned *uint32) spi.Errno {
	switch code {
	case spi.SIO_GET_EXTENSION_FUNCTION_POINTER, spi.SIO_ADDRESS_LIST_CHANGE, spi.SIO_ROUTING_INTERFACE_CHANGE, spi.SIO_DISSOLVE:
		return spi.WSAEOPNOTSUPP
	}
	return s.next.WSPIoctl(s.under, code, in, out, returned, nil, nil, nil)
}

// Shutdown implements nonifs.Lower.
func (s *socket) Shutdown(int32) {}

// Close implements nonifs.Lower. The goroutine still sends what was sent.
func (s *socket) Close(bool) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	running := s.running
	s.mu.Unlock()
	s.setPeer(netip.AddrPort{}, nil)
	close(s.ending)
	if !running {
		s.next.WSPCloseSocket(s.under)
	}
}

// left tells that the goroutine has ended.
func (s *socket) left() {
	s.mu.Lock()
	s.running = false
	closed := s.closed
	s.mu.Unlock()
	if closed {
		s.next.WSPCloseSocket(s.under)
	}
}

// The rest of nonifs.Lower is about streams.

func (s *socket) Listen(int32) spi.Errno       { return spi.WSAEOPNOTSUPP }
func (s *socket) Admit() spi.Errno             { return spi.WSAEOPNOTSUPP }
func (s *socket) Adopt(nonifs.Lower) spi.Errno { return spi.WSAEOPNOTSUPP }
func (s *socket) Reuse() spi.Errno             { return spi.WSAEOPNOTSUPP }
func (m *module) datagramLink(family int32) (*layer.Link, spi.Errno) {
	return m.link(func(e *spi.ProtocolInfo) bool { return isDatagram(e) && e.AddressFamily == family })
}
