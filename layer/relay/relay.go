// Package relay is the lower half of layers that hold bytes themselves: each
// socket is a [nonifs.Endpoint], whose bytes are moved to and from a socket of
// the next provider by a few goroutines that all sockets share. The client sees all that a socket has (blocking
// and nonblocking calls, overlapped operations, events, select), whatever kind
// of handle the next provider has; the layer decides in [Config] what happens
// to the bytes on their way.
//
// Buffers are bounded and a slow side holds the other one up: a sender waits,
// or finds its nonblocking socket not writable, when the bytes on their way
// have reached the limit. A graceful close or shutdown delivers all of them; a
// reset is passed on, to the client after what has come before it.
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

	// Judge decides about each address that a socket is to connect to, send to,
	// be bound to or listen at, and about peers that have connected. An error
	// becomes that of the call; a peer is reset, and the client does not see it.
	// Connect, Send and Bind go through the chain in, unless that is nil. info is
	// the socket's entry. It is called from many goroutines. nil allows all.
	Judge func(p Purpose, info *spi.ProtocolInfo, name []byte) (in *Chain, errno spi.Errno)

	// Received, unless nil, sees each datagram that has arrived. It must not
	// keep data.
	Received func(from, data []byte)

	// Chunk is the most bytes of a stream that are scheduled together, up to
	// 64 KiB, which zero means.
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

	mu     sync.Mutex // guards what follows; a leaf lock
	wires  map[*wire]struct{}
	none   chan struct{} // closed when the last wire is gone; nil unless somebody waits
	latest time.Time     // of all scheduled times
	runner *runner
}

// New returns a relay that is not started.
func New(c Config) *Relay {
	if c.Chunk <= 0 {
		c.Chunk = defaultChunk
	}
	c.Chunk = min(c.Chunk, defaultChunk)
	if c.Limit <= 0 {
		c.Limit = defaultLimit
	}
	r := &Relay{config: c, wires: map[*wire]struct{}{}, runner: newRunner()}
	r.Init(r.newSocket, r.flush)
	return r
}

func (r *Relay) newSocket(info *spi.ProtocolInfo, af, typ, protocol int32, flags uint32) (*nonifs.Endpoint, spi.Errno) {
	s := &socket{relay: r, kind: kind{af, typ, protocol}, datagrams: typ == spi.SOCK_DGRAM}
	w, errno := r.open(nil, info, s.kind)
	if errno != 0 {
		return nil, errno
	}
	s.wire.Store(w)
	s.Init(&r.Base, s, info, typ, flags)
	return &s.Endpoint, 0
}

// open makes a wire over a new lower socket, in the chain that Find gives unless
// another one is named.
func (r *Relay) open(in *Chain, info *spi.ProtocolInfo, k kind) (*wire, spi.Errno) {
	var next spi.Provider
	var below *spi.ProtocolInfo
	if in != nil {
		next, below = in.Next, in.Info
	} else {
		var errno spi.Errno
		if next, below, errno = r.config.Find(info); errno != 0 {
			return nil, errno
		}
	}
	lower, errno := next.WSPSocket(k.af, k.typ, k.protocol, below, 0, spi.WSA_FLAG_OVERLAPPED)
	if errno != 0 {
		return nil, errno
	}
	return r.newWire(in, next, lower, k.typ == spi.SOCK_DGRAM)
}

// adopt makes a socket over a connection that listening has accepted.
func (r *Relay) adopt(next spi.Provider, lower spi.Socket, listening *socket) (*socket, spi.Errno) {
	w, errno := r.newWire(nil, next, lower, false)
	if errno != 0 {
		return nil, errno
	}
	s := &socket{relay: r, kind: listening.kind}
	s.wire.Store(w)
	s.Init(&r.Base, s, listening.Info(), spi.SOCK_STREAM, 0)
	return s, 0
}

// remove forgets a wire that is gone.
func (r *Relay) remove(w *wire) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.wires, w)
	if len(r.wires) == 0 && r.none != nil {
		close(r.none)
		r.none = nil
	}
}

// flush ends the last WSPCleanup: it waits until the sockets that were closed
// in good order have delivered what they hold, breaks those that cannot, and
// returns when no goroutine is left.
func (r *Relay) flush() {
	r.mu.Lock()
	patience := max(0, time.Until(r.latest)) + flushTime
	none := make(chan struct{})
	if len(r.wires) == 0 {
		close(none)
	} else {
		r.none = none
	}
	r.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-none:
	case <-timer.C:
		r.breakAll()
		<-none
	}
	r.mu.Lock()
	ended := r.runner
	r.runner = newRunner()
	r.mu.Unlock()
	ended.stop()
}

// breakAll closes what is left without delivering anything.
func (r *Relay) breakAll() {
	r.mu.Lock()
	left := make([]*wire, 0, len(r.wires))
	for w := range r.wires {
		left = append(left, w)
	}
	r.mu.Unlock()
	for _, w := range left {
		w.order(func(o *orders) { o.closed, o.broken = true, true })
	}
}

// Sockets returns how many sockets of the next providers are open, which is
// more than the descriptors while closed ones still deliver.
func (r *Relay) Sockets() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.wires)
}

// schedule returns the release time of n bytes, and remembers the latest. Zero
// is now.
func (r *Relay) schedule(d Direction, n int) time.Time {
	if r.config.Schedule == nil {
		return time.Time{}
	}
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
