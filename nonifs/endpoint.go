package nonifs

import (
	"sync"
	"sync/atomic"
	"time"

	"upcall.dev/internal/netevents"
	"upcall.dev/spi"
)

// Lower is the half below an [Endpoint] that a provider writes: addresses,
// connections, and whatever moves the bytes. Every method is called with no
// lock held, and from any thread; the provider keeps what it needs in the type
// that embeds the Endpoint.
type Lower interface {
	// Bind gives the endpoint its local address. WSAEADDRINUSE,
	// WSAEADDRNOTAVAIL, WSAEFAULT, WSAEINVAL (already bound). A datagram
	// endpoint calls [Endpoint.Open] here.
	Bind(name []byte) spi.Errno
	// Listen begins to take connections, which the provider delivers by
	// [Endpoint.Deliver]; it is called again when the backlog changes.
	// WSAEINVAL when unbound.
	Listen(backlog int32) spi.Errno
	// Connect begins to connect a stream endpoint, or gives a datagram endpoint
	// its peer, or takes it away when name is all zero. WSAEWOULDBLOCK means
	// that [Endpoint.Connected] will tell, or has told, the outcome; zero that
	// it is connected, and [Endpoint.Open] has been called.
	Connect(name []byte) spi.Errno
	// Admit is called for an endpoint that WSPAccept is about to return, after
	// the condition function has accepted it. An error, such as WSAECONNRESET,
	// becomes WSPAccept's.
	Admit() spi.Errno
	// Adopt takes over the connection of incoming, a socket of the same type
	// that [Endpoint.Deliver] was given and Admit has admitted: its names and
	// what moves its bytes. Its queues already are the endpoint's. incoming is
	// not used again. AcceptEx calls it, on a socket without a name.
	Adopt(incoming Lower) spi.Errno
	// Reuse gives up a connection that has ended, so that the socket can have
	// another one; bytes on their way still arrive. DisconnectEx calls it.
	Reuse() spi.Errno
	// Route finds the queue for a datagram to the address to, which is empty
	// for the connected peer, and the address to send along with it. WSAENOTCONN, WSAEDESTADDRREQ,
	// WSAEADDRNOTAVAIL, WSAEAFNOSUPPORT, WSAEMSGSIZE (length is too much).
	Route(to []byte, length int) (q *Queue, address []byte, errno spi.Errno)
	// SockName returns the local address; WSAEINVAL when there is none.
	SockName() ([]byte, spi.Errno)
	// PeerName returns the peer's address; WSAENOTCONN when there is none.
	PeerName() ([]byte, spi.Errno)
	// GetOption answers an option that Endpoint does not keep itself, as
	// WSPGetSockOpt does. WSAENOPROTOOPT.
	GetOption(level, name int32, val []byte, valLen *int32) spi.Errno
	// SetOption sets an option that Endpoint does not keep itself.
	// WSAENOPROTOOPT for an unknown one, WSAEINVAL for an unknown level.
	SetOption(level, name int32, val []byte) spi.Errno
	// Ioctl does what Endpoint does not do itself. WSAEOPNOTSUPP.
	Ioctl(code uint32, in, out []byte, returned *uint32) spi.Errno
	// Shutdown tells that a direction was ended by WSPShutdown, after the
	// endpoint has done its own part: [Queue.End] of what it sends,
	// [Queue.Refuse] of what it receives.
	Shutdown(how int32)
	// Close tells that the last descriptor is closed. The endpoint has ended
	// both directions, or, when abort is set, broken them with WSAECONNRESET.
	Close(abort bool)
}

// Endpoint is the upper half of a socket whose bytes the provider itself holds:
// blocking and nonblocking calls, overlapped operations, FD_ events, select,
// options, and all that a client sees of a socket, over two [Queue]s. A
// provider embeds it in its own socket type, which implements [Lower], makes it
// ready with [Endpoint.Init], and lets a [Base] be its thirty functions.
//
// Duplicated descriptors share one Endpoint.
type Endpoint struct {
	lower Lower
	base  *Base
	info  *spi.ProtocolInfo // shared by all sockets of an entry

	rx    atomic.Pointer[Queue] // what it receives; nil until it can
	tx    atomic.Pointer[Queue] // what it sends, nil for datagrams and until connected
	watch atomic.Pointer[watch] // select and FD_ selections; nil until the first

	nonblocking atomic.Bool
	overlapped  bool // may do overlapped operations
	datagram    bool
	accepted    bool // made by the peer's connect, not by its own

	mu         sync.Mutex // guards everything below; the queues' locks are taken under it
	state      endpointState
	descs      int32
	soError    spi.Errno // SO_ERROR, cleared when it is read
	connectErr spi.Errno // why the latest attempt to connect failed
	options    *options  // nil: the defaults
	backlog    *backlog  // nil unless listening or accepting
	connecting opList    // blocked connect calls
	opened     int64     // unix seconds when it was connected, for SO_CONNECT_TIME
}

type endpointState uint8

const (
	stateIdle       endpointState = iota
	stateConnecting               // an attempt is under way
	stateFailed                   // the latest attempt failed
	stateConnected                // also a datagram endpoint with a peer
	stateListening
	stateAccepting // waits for the connection of an AcceptEx
	stateReusing   // a connection is being given up
	stateClosed
)

// Init makes a new Endpoint ready; lower is the object that embeds it. flags
// are those of WSPSocket.
func (e *Endpoint) Init(base *Base, lower Lower, info *spi.ProtocolInfo, typ int32, flags uint32) {
	e.base, e.lower, e.info = base, lower, info
	e.datagram = typ == spi.SOCK_DGRAM
	e.overlapped = flags&spi.WSA_FLAG_OVERLAPPED != 0
}

// Info returns the catalog entry that the socket was made for.
func (e *Endpoint) Info() *spi.ProtocolInfo { return e.info }

// Incoming returns the queue that the endpoint receives from, nil before
// [Endpoint.Open].
func (e *Endpoint) Incoming() *Queue { return e.rx.Load() }

// Open gives the endpoint its queues: both for a connected stream, only in for
// a datagram endpoint that can receive.
func (e *Endpoint) Open(in, out *Queue) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.openLocked(in, out)
}

func (e *Endpoint) openLocked(in, out *Queue) {
	if e.options != nil && e.options.rcvBuf > 0 {
		in.limit = max(uint32(e.options.rcvBuf), smallestLimit)
	}
	e.rx.Store(in)
	if out != nil {
		e.tx.Store(out)
	}
	if !e.datagram {
		e.state = stateConnected
		e.opened = time.Now().Unix()
	}
}

// Connected tells the outcome of an attempt to connect that Lower.Connect
// answered with WSAEWOULDBLOCK. On success in and out are the queues. It
// reports false when the endpoint was closed meanwhile.
func (e *Endpoint) Connected(errno spi.Errno, in, out *Queue) bool {
	e.mu.Lock()
	if e.state == stateClosed {
		e.mu.Unlock()
		return false
	}
	if errno == 0 {
		e.openLocked(in, out)
	} else {
		e.state = stateFailed
	}
	e.connectErr, e.soError = errno, errno
	var done finished
	done.takeAll(&e.connecting, errno)
	e.tellConnected()
	e.mu.Unlock()
	done.tell()
	return true
}

// Abort breaks the connection, as a reset does: both ends get errno.
func (e *Endpoint) Abort(errno spi.Errno) {
	if q := e.rx.Load(); q != nil {
		q.Abort(errno)
	}
	if q := e.tx.Load(); q != nil {
		q.Abort(errno)
	}
}

// tellConnected reports the outcome of an attempt to connect. The caller holds
// mu.
func (e *Endpoint) tellConnected() {
	w := e.watch.Load()
	if w == nil {
		return
	}
	w.changed(e.controlReady(), 0)
	w.changed(e.queueReady(), 0)
}

// queueReady tells what holds on the queues.
func (e *Endpoint) queueReady() (r netevents.Ready) {
	if q := e.rx.Load(); q != nil {
		q.mu.Lock()
		r = readReady(q)
		q.mu.Unlock()
	}
	if q := e.tx.Load(); q != nil {
		q.mu.Lock()
		r.Bits |= writeReady(q).Bits
		q.mu.Unlock()
	} else if e.datagram {
		r.Bits |= spi.FD_WRITE
	}
	return r
}

// tellReadable reports that a receive would not wait. The caller holds the
// lock of q, which e receives from; likewise for the next two.
func (e *Endpoint) tellReadable(q *Queue) {
	if w := e.watch.Load(); w != nil {
		w.changed(readReady(q), 0)
	}
}

// rearmRead is tellReadable after a receiving call, which enables FD_READ.
func (e *Endpoint) rearmRead(q *Queue) {
	if w := e.watch.Load(); w != nil {
		w.changed(readReady(q), spi.FD_READ|spi.FD_OOB)
	}
}

// tellWritable reports that e, which sends to q, would not wait.
func (e *Endpoint) tellWritable(q *Queue) {
	if w := e.watch.Load(); w != nil {
		w.changed(writeReady(q), 0)
	}
}

// rearmWrite is tellWritable after a send that would have blocked.
func (e *Endpoint) rearmWrite(q *Queue) {
	if w := e.watch.Load(); w != nil {
		w.changed(writeReady(q), spi.FD_WRITE)
	}
}

func readReady(q *Queue) (r netevents.Ready) {
	if q.hasData() {
		r.Bits = spi.FD_READ
	} else if !q.datagrams && q.finished() && !q.refused {
		r.Bits, r.CloseError = spi.FD_CLOSE, q.err
	}
	return r
}

// writeReady tells also that a send would fail at once, as after poll(2): who
// waits for FD_WRITE may have had its FD_CLOSE at the end of the stream, before
// the reset.
func writeReady(q *Queue) (r netevents.Ready) {
	if q.err != 0 || q.writable() && !q.ended {
		r.Bits = spi.FD_WRITE
	}
	return r
}

// controlReady tells what holds beside the queues: the outcome of connect and
// connections to accept. The caller holds mu.
func (e *Endpoint) controlReady() (r netevents.Ready) {
	switch e.state {
	case stateConnected:
		if !e.accepted {
			r.Bits = spi.FD_CONNECT
		}
	case stateFailed:
		r.Bits, r.ConnectError = spi.FD_CONNECT, e.connectErr
	case stateListening:
		if e.backlog.acceptable() {
			r.Bits = spi.FD_ACCEPT
		}
	}
	return r
}
