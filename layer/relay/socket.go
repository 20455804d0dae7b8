package relay

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"upcall.dev/nonifs"
	"upcall.dev/spi"
)

// socket is an endpoint over a wire. It implements nonifs.Lower.
type socket struct {
	nonifs.Endpoint
	relay     *Relay
	kind      kind
	datagrams bool
	wire      atomic.Pointer[wire]

	outgoing atomic.Pointer[nonifs.Queue] // datagrams to send
	hasPeer  atomic.Bool                  // a datagram socket is connected

	mu       sync.Mutex // guards what follows; a leaf lock
	isClosed bool
	opened   bool      // a datagram socket has its queues
	peer     []byte    // of an accepted connection
	listener *socket   // that accepted it
	bound    []byte    // by WSPBind
	settings []setting // options that the lower socket was given
	branches map[*Chain]branch
}

// kind is what a socket was made with.
type kind struct{ af, typ, protocol int32 }

// setting is an option that was set.
type setting struct {
	level, name int32
	value       []byte
}

var _ nonifs.Lower = (*socket)(nil)

// Close implements nonifs.Lower.
func (s *socket) Close(abort bool) {
	s.mu.Lock()
	if s.isClosed {
		s.mu.Unlock()
		return
	}
	s.isClosed = true
	branches := s.branches
	s.mu.Unlock()
	if q := s.outgoing.Load(); q != nil {
		q.End()
	}
	s.wire.Load().closeNow(abort)
	for _, b := range branches {
		b.out.End()
		b.wire.closeNow(abort)
	}
}

// Bind implements nonifs.Lower.
func (s *socket) Bind(name []byte) spi.Errno {
	in, errno := s.judge(Bind, name)
	if errno == 0 {
		errno = s.moveTo(in)
	}
	if errno != 0 {
		return errno
	}
	w := s.wire.Load()
	if errno := w.next.WSPBind(w.lower, name); errno != 0 {
		return errno
	}
	if s.datagrams {
		s.openDatagrams()
		return 0
	}
	s.mu.Lock()
	s.bound = append([]byte(nil), name...)
	s.mu.Unlock()
	return 0
}

// SockName implements nonifs.Lower.
func (s *socket) SockName() ([]byte, spi.Errno) {
	w := s.wire.Load()
	return nameOf(w.lower, w.next.WSPGetSockName)
}

// PeerName implements nonifs.Lower.
func (s *socket) PeerName() ([]byte, spi.Errno) {
	s.mu.Lock()
	peer := s.peer
	s.mu.Unlock()
	if peer != nil {
		return peer, 0
	}
	w := s.wire.Load()
	return nameOf(w.lower, w.next.WSPGetPeerName)
}

func nameOf(lower spi.Socket, ask func(spi.Socket, []byte, *int32) spi.Errno) ([]byte, spi.Errno) {
	name := make([]byte, spi.SizeofSockaddrStorage)
	length := int32(len(name))
	if errno := ask(lower, name, &length); errno != 0 {
		return nil, errno
	}
	return name[:max(0, min(int(length), len(name)))], 0
}

// FlagSet implements nonifs.FlagSetter: what the endpoint keeps and the lower
// socket must have too.
func (s *socket) FlagSet(name int32, on bool) spi.Errno {
	switch name {
	case spi.SO_REUSEADDR, spi.SO_EXCLUSIVEADDRUSE, spi.SO_KEEPALIVE, spi.SO_BROADCAST, spi.SO_DONTROUTE:
	default:
		return 0
	}
	var value [4]byte
	if on {
		value[0] = 1
	}
	return s.SetOption(spi.SOL_SOCKET, name, value[:])
}

// GetOption implements nonifs.Lower.
func (s *socket) GetOption(level, name int32, val []byte, valLen *int32) spi.Errno {
	w := s.wire.Load()
	return w.next.WSPGetSockOpt(w.lower, level, name, val, valLen)
}

// SetOption implements nonifs.Lower. What was set is kept for the next lower
// socket.
func (s *socket) SetOption(level, name int32, val []byte) spi.Errno {
	if asksForControl(level, name) {
		return spi.WSAENOPROTOOPT
	}
	w := s.wire.Load()
	if errno := w.next.WSPSetSockOpt(w.lower, level, name, val); errno != 0 {
		return errno
	}
	for _, w := range s.others() {
		w.next.WSPSetSockOpt(w.lower, level, name, val)
	}
	o := setting{level, name, append([]byte(nil), val...)}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.settings {
		if s.settings[i].level == level && s.settings[i].name == name {
			s.settings[i] = o
			return 0
		}
	}
	s.settings = append(s.settings, o)
	return 0
}

// asksForControl reports whether an option asks for control information with
// each datagram, which does not come through.
func asksForControl(level, name int32) bool {
	switch level {
	case spi.IPPROTO_IP:
		return name == spi.IP_PKTINFO || name == spi.IP_RECVTTL || name == spi.IP_RECVTOS
	case spi.IPPROTO_IPV6:
		return name == spi.IPV6_PKTINFO || name == spi.IPV6_HOPLIMIT || name == spi.IPV6_RECVTCLASS
	}
	return false
}

// Ioctl implements nonifs.Lower. Extension functions of the next provider, which
// the endpoint does not have, would go around the layer, and its notices of
// changes would not come through.
func (s *socket) Ioctl(code uint32, in, out []byte, returned *uint32) spi.Errno {
	switch code {
	case spi.SIO_GET_EXTENSION_FUNCTION_POINTER, spi.SIO_ADDRESS_LIST_CHANGE, spi.SIO_ROUTING_INTERFACE_CHANGE:
		return spi.WSAEOPNOTSUPP
	}
	w := s.wire.Load()
	return w.next.WSPIoctl(w.lower, code, in, out, returned, nil, nil, nil)
}

// Shutdown implements nonifs.Lower. The wire ends the lower socket's sending
// after the last byte.
func (s *socket) Shutdown(how int32) {
	if how != spi.SD_SEND && !s.datagrams {
		w := s.wire.Load()
		w.next.WSPShutdown(w.lower, spi.SD_RECEIVE)
	}
}

// anyAddress is the wildcard address of a family, nil when it has none.
func anyAddress(family int32) []byte {
	size := map[int32]int{spi.AF_INET: spi.SizeofSockaddrIn, spi.AF_INET6: spi.SizeofSockaddrIn6}[family]
	if size == 0 {
		return nil
	}
	name := make([]byte, size)
	binary.NativeEndian.PutUint16(name, uint16(family))
	return name
}
