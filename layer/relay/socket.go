package relay

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"upcall.dev/nonifs"
	"upcall.dev/spi"
)

// socket is an endpoint over a socket of the next provider. It implements
// nonifs.Lower.
//
// The lower socket is nonblocking, with an event for everything; its signal
// wakes whatever waits, and whoever was woken tries again. The lower socket is
// closed when the endpoint is and no pump is left.
type socket struct {
	nonifs.Endpoint
	relay     *Relay
	next      spi.Provider
	lower     spi.Socket
	event     spi.Event
	datagrams bool
	family    int32
	peer      []byte  // of an accepted connection
	listener  *socket // that accepted it

	readable chan struct{} // capacity 1: a receive or an accept may work now
	writable chan struct{} // capacity 1: a send may work now, or connecting is over
	closed   chan struct{} // the endpoint is closed: nobody reads any more
	broken   chan struct{} // the connection is broken: nothing is delivered any more
	deaf     chan struct{} // a listening socket has stopped: the lower one is closed

	outgoing atomic.Pointer[nonifs.Queue] // datagrams to send
	hasPeer  atomic.Bool                  // a datagram socket is connected

	mu       sync.Mutex // guards what follows; a leaf lock
	pumps    int        // running, or about to
	isClosed bool
	isBroken bool
	reset    bool // close the lower socket with a reset
	listens  bool
	opened   bool // a datagram socket has its queues
}

var _ nonifs.Lower = (*socket)(nil)

// signal runs where the event is set, perhaps under a lock of the next
// provider.
func (s *socket) signal() {
	wake(s.readable)
	wake(s.writable)
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// begin counts n pumps. False means that the lower socket is gone.
func (s *socket) begin(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed && s.pumps == 0 {
		return false
	}
	s.pumps += n
	return true
}

// end tells that n pumps have ended; the last one of a closed socket closes
// the lower one.
func (s *socket) end(n int) {
	s.mu.Lock()
	s.pumps -= n
	last := s.pumps == 0 && s.isClosed
	s.mu.Unlock()
	if last {
		s.closeLower()
	}
}

// run starts a pump that begin has counted.
func (s *socket) run(pump func()) {
	s.relay.pumps.Go(func() {
		defer s.end(1)
		pump()
	})
}

// breakOff ends the pumps without delivering what is on its way.
func (s *socket) breakOff() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isBroken {
		s.isBroken = true
		close(s.broken)
	}
}

// Close implements nonifs.Lower.
func (s *socket) Close(abort bool) {
	if abort {
		s.breakOff()
	}
	s.mu.Lock()
	if s.isClosed {
		s.mu.Unlock()
		return
	}
	s.isClosed, s.reset = true, abort
	close(s.closed)
	last, listened := s.pumps == 0, s.listens
	s.mu.Unlock()
	if q := s.outgoing.Load(); q != nil {
		q.End()
	}
	if last {
		s.closeLower()
	}
	if listened {
		<-s.deaf // from here on connecting is refused, and the address is free
	}
}

func (s *socket) closeLower() {
	if s.reset && !s.datagrams {
		s.next.WSPSetSockOpt(s.lower, spi.SOL_SOCKET, spi.SO_LINGER, []byte{1, 0, 0, 0})
	}
	s.next.WSPCloseSocket(s.lower)
	s.relay.Upcalls().WPUCloseEvent(s.event)
	s.relay.mu.Lock()
	delete(s.relay.sockets, s)
	s.relay.mu.Unlock()
}

// Bind implements nonifs.Lower.
func (s *socket) Bind(name []byte) spi.Errno {
	if errno := s.next.WSPBind(s.lower, name); errno != 0 {
		return errno
	}
	if s.datagrams {
		s.openDatagrams()
	}
	return 0
}

// SockName implements nonifs.Lower.
func (s *socket) SockName() ([]byte, spi.Errno) { return s.name(s.next.WSPGetSockName) }

// PeerName implements nonifs.Lower.
func (s *socket) PeerName() ([]byte, spi.Errno) {
	if s.peer != nil {
		return s.peer, 0
	}
	return s.name(s.next.WSPGetPeerName)
}

func (s *socket) name(ask func(spi.Socket, []byte, *int32) spi.Errno) ([]byte, spi.Errno) {
	name := make([]byte, spi.SizeofSockaddrStorage)
	length := int32(len(name))
	if errno := ask(s.lower, name, &length); errno != 0 {
		return nil, errno
	}
	return name[:min(int(length), len(name))], 0
}

// Adopt implements nonifs.Lower.
func (s *socket) Adopt(nonifs.Lower) spi.Errno { return spi.WSAEOPNOTSUPP }

// Reuse implements nonifs.Lower.
func (s *socket) Reuse() spi.Errno { return spi.WSAEOPNOTSUPP }

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
	return s.next.WSPSetSockOpt(s.lower, spi.SOL_SOCKET, name, value[:])
}

// GetOption implements nonifs.Lower.
func (s *socket) GetOption(level, name int32, val []byte, valLen *int32) spi.Errno {
	return s.next.WSPGetSockOpt(s.lower, level, name, val, valLen)
}

// SetOption implements nonifs.Lower.
func (s *socket) SetOption(level, name int32, val []byte) spi.Errno {
	return s.next.WSPSetSockOpt(s.lower, level, name, val)
}

// Ioctl implements nonifs.Lower. Extension functions of the next provider would
// go around the layer.
func (s *socket) Ioctl(code uint32, in, out []byte, returned *uint32) spi.Errno {
	if code == spi.SIO_GET_EXTENSION_FUNCTION_POINTER {
		return spi.WSAEOPNOTSUPP
	}
	return s.next.WSPIoctl(s.lower, code, in, out, returned, nil, nil, nil)
}

// Shutdown implements nonifs.Lower. The pump that sends ends the lower socket's
// direction after the last byte.
func (s *socket) Shutdown(how int32) {
	if how != spi.SD_SEND && !s.datagrams {
		s.next.WSPShutdown(s.lower, spi.SD_RECEIVE)
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
