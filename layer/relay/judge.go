package relay

import (
	"slices"

	"upcall.dev/nonifs"
	"upcall.dev/spi"
)

// Purpose is what a socket wants to do with an address.
type Purpose int

const (
	// Connect is to a peer: a stream, or a datagram socket's default peer.
	Connect Purpose = iota
	// Send is a datagram to an address.
	Send
	// Bind is to an address of the socket's own.
	Bind
	// Listen is at the address that the socket is bound to.
	Listen
	// Accept is from a peer that has connected.
	Accept
)

// Chain is where the sockets below can be besides the next provider that
// [Config.Find] gives. Two are the same when their addresses are.
type Chain struct {
	Next spi.Provider      // started
	Info *spi.ProtocolInfo // what it makes sockets of
}

// judge asks about an address. in is nil for the chain that Find gives.
func (s *socket) judge(p Purpose, name []byte) (in *Chain, errno spi.Errno) {
	if s.relay.config.Judge == nil {
		return nil, 0
	}
	return s.relay.config.Judge(p, s.Info(), name)
}

// moveTo gives the socket a wire in another chain, with the address that it was
// bound to and its options. A stream moves before it is connected. A datagram
// socket moves before it has sent or received, and later stays where it is:
// branches serve its other chains.
func (s *socket) moveTo(in *Chain) spi.Errno {
	w := s.wire.Load()
	s.mu.Lock()
	stays := w.chain == in || s.opened
	s.mu.Unlock()
	if stays {
		return 0
	}
	fresh, errno := s.fresh(in)
	if errno != 0 {
		return errno
	}
	before, ok := s.replace(fresh)
	if !ok {
		fresh.close(true)
		return spi.WSAENOTSOCK
	}
	before.closeNow(false) // its port is free then
	s.mu.Lock()
	bound := s.bound
	s.mu.Unlock()
	if bound == nil {
		return 0
	}
	return fresh.next.WSPBind(fresh.lower, bound)
}

// fresh opens a wire with the socket's options.
func (s *socket) fresh(in *Chain) (*wire, spi.Errno) {
	w, errno := s.relay.open(in, s.Info(), s.kind)
	if errno != 0 {
		return nil, errno
	}
	s.mu.Lock()
	settings := slices.Clone(s.settings)
	s.mu.Unlock()
	for _, o := range settings {
		w.next.WSPSetSockOpt(w.lower, o.level, o.name, o.value)
	}
	return w, 0
}

// branch is a further wire of a datagram socket: what it sends to addresses that
// belong to another chain goes there, and what comes from there is received
// like the rest.
type branch struct {
	wire *wire
	out  *nonifs.Queue
}

// branch returns the queue of what the socket sends through a chain that its
// own wire is not in.
func (s *socket) branch(in *Chain) (*nonifs.Queue, spi.Errno) {
	s.mu.Lock()
	known, ok := s.branches[in]
	s.mu.Unlock()
	if ok {
		return known.out, 0
	}
	w, errno := s.fresh(in)
	if errno != 0 {
		return nil, errno
	}
	if name := anyAddress(s.Info().AddressFamily); name != nil {
		w.next.WSPBind(w.lower, name) // a failure shows when sending
	}
	b := branch{w, nonifs.NewDatagrams(&s.Endpoint, nonifs.NewPump(w.kick).Endpoint(), false)}
	s.mu.Lock()
	known, ok = s.branches[in]
	late := s.isClosed
	if !ok && !late {
		if s.branches == nil {
			s.branches = map[*Chain]branch{}
		}
		s.branches[in] = b
	}
	s.mu.Unlock()
	if ok || late {
		w.close(true)
		if late {
			return nil, spi.WSAENOTSOCK
		}
		return known.out, 0
	}
	w.order(func(o *orders) { o.in, o.out = s.Incoming(), b.out })
	return b.out, 0
}

// roomForClient goes on with every wire that waits for room in what the client
// receives.
func (s *socket) roomForClient() {
	s.wire.Load().roomForClient()
	for _, w := range s.others() {
		w.roomForClient()
	}
}

// others returns the wires of the socket's branches.
func (s *socket) others() (wires []*wire) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.branches {
		wires = append(wires, b.wire)
	}
	return wires
}
