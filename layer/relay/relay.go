// Package relay is the lower half of layers that hold bytes themselves: each
// socket is a [nonifs.Endpoint], whose bytes two pumps move to and from a
// socket of the next provider. The client sees all that a socket has (blocking
// and nonblocking calls, overlapped operations, events, select), whatever kind
// of handle the next provider has; the layer decides in [Config] what happens
// to the bytes on their way.
//
// Buffers are bounded and a slow side holds the other one up: a sender waits,
// or finds its nonblocking socket not writable, when the bytes on their way
// have reached the limit. A graceful close or shutdown delivers all of them; a
// reset is passed on.
package relay

import (
	"sync"
	"time"

	"upcall.dev/nonifs"
	"upcall.dev/spi"
)

// Direction says which way bytes go.
type Direction int

const (
	// Up is from the client to the network.
	Up Direction = iota
	// Down is from the network to the client.
	Down
)

// Config says what a [Relay] stands on and what it does to the bytes.
type Config struct {
	// Find returns the started next provider for a chain entry, and the entry
	// to give it in info's place.
	Find func(info *spi.ProtocolInfo) (next spi.Provider, below *spi.ProtocolInfo, errno spi.Errno)

	// Schedule returns when n bytes that arrived now may go on; it never goes
	// back in time for one direction. It is called from many goroutines. nil
	// passes everything on at once.
	Schedule func(d Direction, now time.Time, n int) time.Time

	// Chunk is the most bytes of a stream that are scheduled together; zero
	// means 64 KiB.
	Chunk int

	// Limit is how many bytes wait between arrival and release in each
	// direction of each socket; zero means 1 MiB.
	Limit int

	// RoundTrip is added to the time that connecting a stream takes.
	RoundTrip time.Duration
}

const (
	defaultChunk = 64 << 10
	defaultLimit = 1 << 20

	// longestDatagram bounds what a datagram socket receives at once.
	longestDatagram = 64 << 10

	// flushTime is how long the last WSPCleanup waits, beyond the scheduled
	// times, for closed sockets to deliver what they still hold.
	flushTime = 2 * time.Second
)

// Relay is the thirty functions of a layer whose bytes pass through it. Its
// owner calls Start in WSPStartup and cleans up the next providers after
// WSPCleanup.
type Relay struct {
	nonifs.Base
	config Config
	pumps  sync.WaitGroup

	mu      sync.Mutex // guards what follows; a leaf lock
	sockets map[*socket]struct{}
	latest  time.Time // of all scheduled times
}

// New returns a relay that is not started.
func New(c Config) *Relay {
	if c.Chunk <= 0 {
		c.Chunk = defaultChunk
	}
	if c.Limit <= 0 {
		c.Limit = defaultLimit
	}
	r := &Relay{config: c, sockets: map[*socket]struct{}{}}
	r.Init(r.newSocket, r.flush)
	return r
}

func (r *Relay) newSocket(info *spi.ProtocolInfo, af, typ, protocol int32, flags uint32) (*nonifs.Endpoint, spi.Errno) {
	next, below, errno := r.config.Find(info)
	if errno != 0 {
		return nil, errno
	}
	lower, errno := next.WSPSocket(af, typ, protocol, below, 0, spi.WSA_FLAG_OVERLAPPED)
	if errno != 0 {
		return nil, errno
	}
	s, errno := r.adopt(next, lower, info, typ, flags)
	if errno != 0 {
		return nil, errno
	}
	return &s.Endpoint, 0
}

// adopt makes a socket over lower, which it closes on failure.
func (r *Relay) adopt(next spi.Provider, lower spi.Socket, info *spi.ProtocolInfo, typ int32, flags uint32) (*socket, spi.Errno) {
	s := &socket{
		relay: r, next: next, lower: lower, datagrams: typ == spi.SOCK_DGRAM, family: info.AddressFamily,
		readable: make(chan struct{}, 1), writable: make(chan struct{}, 1),
		closed: make(chan struct{}), broken: make(chan struct{}), deaf: make(chan struct{}),
	}
	s.Init(&r.Base, s, info, typ, flags)
	event, errno := r.DLL().RegisterWait(s.signal)
	if errno == 0 {
		s.event = event
		errno = next.WSPEventSelect(lower, event, spi.FD_READ|spi.FD_WRITE|spi.FD_ACCEPT|spi.FD_CONNECT|spi.FD_CLOSE)
	}
	if errno != 0 {
		next.WSPCloseSocket(lower)
		if s.event != spi.InvalidEvent {
			r.Upcalls().WPUCloseEvent(s.event)
		}
		return nil, errno
	}
	r.mu.Lock()
	r.sockets[s] = struct{}{}
	r.mu.Unlock()
	return s, 0
}

// flush ends the last WSPCleanup: it waits until the sockets that were closed
// in good order have delivered what they hold, breaks those that cannot, and
// returns when no pump is left.
func (r *Relay) flush() {
	r.mu.Lock()
	patience := max(0, time.Until(r.latest)) + flushTime
	r.mu.Unlock()
	timer := time.AfterFunc(patience, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		for s := range r.sockets {
			s.breakOff()
		}
	})
	r.pumps.Wait()
	timer.Stop()
}

// Sockets returns how many sockets of the next providers are open, which is
// more than the descriptors while closed ones still deliver.
func (r *Relay) Sockets() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.sockets)
}

// schedule returns the release time of n bytes, and remembers the latest.
func (r *Relay) schedule(d Direction, n int) time.Time {
	at := r.config.Schedule(d, time.Now(), n)
	r.mu.Lock()
	if at.After(r.latest) {
		r.latest = at
	}
	r.mu.Unlock()
	return at
}

// WSPAddressToString asks the next provider, whose addresses they are.
func (r *Relay) WSPAddressToString(addr []byte, info *spi.ProtocolInfo, buf []uint16, length *uint32) spi.Errno {
	next, below, errno := r.config.Find(info)
	if errno != 0 {
		return errno
	}
	return next.WSPAddressToString(addr, below, buf, length)
}

// WSPStringToAddress asks the next provider, whose addresses they are.
func (r *Relay) WSPStringToAddress(str []uint16, af int32, info *spi.ProtocolInfo, addr []byte, addrLen *int32) spi.Errno {
	next, below, errno := r.config.Find(info)
	if errno != 0 {
		return errno
	}
	return next.WSPStringToAddress(str, af, below, addr, addrLen)
}
