package model

import (
	"net/netip"
	"slices"

	"pgregory.net/rapid"

	"upcall.dev/spi"
)

// maxSockets bounds the open sockets, and maxQueued the bytes on their way, so
// that nothing ever has to wait for room.
const (
	maxSockets = 12
	maxQueued  = 4096
)

var loopback = spi.SockaddrFrom(netip.MustParseAddrPort("127.0.0.1:0"))

func (m *machine) newSocket(r *rapid.T) {
	if len(m.sockets) >= maxSockets {
		r.Skip("enough sockets")
	}
	s, err := m.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
	must(r, "socket", err)
	m.newEndpoint(r, s)
}

func (m *machine) bind(r *rapid.T) {
	e := m.pick(r, open)
	err := m.Bind(e.s, loopback)
	if e.bound || e.connected {
		is(r, "bind of a bound socket", err, spi.WSAEINVAL)
		return
	}
	must(r, "bind", err)
	e.bound = true
}

func (m *machine) listen(r *rapid.T) {
	e := m.pick(r, func(e *endpoint) bool { return !e.broken })
	err := m.Listen(e.s, 16)
	switch {
	case e.connected && e.ended && e.sendShut:
		is(r, "listen after a connection", err, spi.WSAEISCONN, spi.WSAEINVAL)
	case e.connected:
		is(r, "listen on a connected socket", err, spi.WSAEISCONN)
	case !e.bound:
		is(r, "listen on an unbound socket", err, spi.WSAEINVAL)
	default:
		must(r, "listen", err)
		e.listening = true
		e.name = m.localName(r, e)
	}
}

func (m *machine) localName(r *rapid.T, e *endpoint) []byte {
	name := make([]byte, spi.SizeofSockaddrStorage)
	length := int32(len(name))
	must(r, "getsockname", m.GetSockName(e.s, name, &length))
	return name[:length]
}

func (m *machine) connect(r *rapid.T) {
	e := m.pick(r, func(e *endpoint) bool { return !e.broken })
	to := m.pick(r, func(l *endpoint) bool { return l.listening && len(l.backlog) < 8 })
	m.connectTo(r, e, to)
}

func (m *machine) connectTo(r *rapid.T, e, to *endpoint) {
	err := m.Connect(e.s, to.name)
	switch {
	case e.listening:
		is(r, "connect of a listening socket", err, spi.WSAEINVAL, spi.WSAEISCONN)
		return
	case e.connected:
		is(r, "connect of a connected socket", err, spi.WSAEISCONN)
		return
	case err != nil:
		is(r, "connect", err, spi.WSAEWOULDBLOCK)
		m.ready(r, e, true)
	}
	m.checkError(r, e)
	e.bound, e.connected = true, true
	to.backlog = append(to.backlog, e)
	m.happens(to, spi.FD_ACCEPT)
	m.happens(e, spi.FD_WRITE)
}

// checkError checks that SO_ERROR is clear.
func (m *machine) checkError(r *rapid.T, e *endpoint) {
	val := make([]byte, 4)
	length := int32(4)
	must(r, "SO_ERROR", m.GetSockOpt(e.s, spi.SOL_SOCKET, spi.SO_ERROR, val, &length))
	if !slices.Equal(val, make([]byte, 4)) {
		r.Fatalf("SO_ERROR of %v: %v", e, val)
	}
}

func (m *machine) accept(r *rapid.T) {
	m.acceptFrom(r, m.pick(r, func(e *endpoint) bool { return e.listening || !e.broken && len(e.reads) == 0 }))
}

func (m *machine) acceptFrom(r *rapid.T, l *endpoint) {
	from := make([]byte, spi.SizeofSockaddrStorage)
	length := int32(len(from))
	if l.listening && len(l.backlog) > 0 {
		m.ready(r, l, false)
	}
	s, err := m.Accept(l.s, from, &length)
	switch {
	case !l.listening:
		is(r, "accept without listen", err, spi.WSAEINVAL)
		return
	case len(l.backlog) == 0:
		is(r, "accept of nothing", err, spi.WSAEWOULDBLOCK)
		return
	}
	must(r, "accept", err)
	peer := l.backlog[0]
	l.backlog = l.backlog[1:]
	l.enabled |= spi.FD_ACCEPT & l.mask
	if len(l.backlog) > 0 {
		m.happens(l, spi.FD_ACCEPT)
	}
	if peer.s == spi.InvalidSocket {
		// The peer was closed in the queue: the address is all that counts.
		is(r, "closing an accepted socket", m.CloseSocket(s), 0)
		return
	}
	e := m.newEndpoint(r, s)
	e.bound, e.connected = true, true
	e.peer, peer.peer = peer, e
	if got, want := from[:length], m.localName(r, peer); !slices.Equal(got, want) {
		r.Fatalf("accepted from %v, want %v", spi.AddressString(got), spi.AddressString(want))
	}
	e.queue = append(e.queue, peer.early...)
	peer.early = nil
	e.ended = peer.sendShut
	e.selected, e.mask, e.enabled = l.selected, l.mask, l.mask
	m.happens(e, spi.FD_WRITE)
	m.incoming(e)
}

// pair makes a connection in one step, so that sequences get somewhere.
func (m *machine) pair(r *rapid.T) {
	if len(m.sockets)+3 > maxSockets {
		r.Skip("enough sockets")
	}
	var made [2]*endpoint
	for i := range made {
		s, err := m.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
		must(r, "socket", err)
		made[i] = m.newEndpoint(r, s)
	}
	l := made[0]
	must(r, "bind", m.Bind(l.s, loopback))
	must(r, "listen", m.Listen(l.s, 8))
	l.bound, l.listening, l.name = true, true, m.localName(r, l)
	m.connectTo(r, made[1], l)
	m.acceptFrom(r, l)
}

func (m *machine) names(r *rapid.T) {
	e := m.pick(r, open)
	name := make([]byte, spi.SizeofSockaddrStorage)
	length := int32(len(name))
	err := m.GetSockName(e.s, name, &length)
	if e.bound || e.connected {
		must(r, "getsockname", err)
	} else {
		is(r, "getsockname of an unbound socket", err, spi.WSAEINVAL)
	}
	length = int32(len(name))
	err = m.GetPeerName(e.s, name, &length)
	switch {
	case e.broken || e.peerGone || e.sendShut && e.ended:
		is(r, "getpeername", err, 0, spi.WSAENOTCONN)
	case !e.connected:
		is(r, "getpeername of an unconnected socket", err, spi.WSAENOTCONN)
	default:
		must(r, "getpeername", err)
		if e.peer != nil {
			if want := m.localName(r, e.peer); !slices.Equal(name[:length], want) {
				r.Fatalf("getpeername %v, want %v", spi.AddressString(name[:length]), spi.AddressString(want))
			}
		}
	}
}

func (m *machine) shutdown(r *rapid.T) {
	e := m.pick(r, func(e *endpoint) bool { return !e.broken && !e.peerGone })
	how := rapid.SampledFrom([]int32{spi.SD_SEND, spi.SD_RECEIVE, spi.SD_BOTH, 7}).Draw(r, "how")
	receiving := how == spi.SD_RECEIVE || how == spi.SD_BOTH
	if receiving && (len(e.queue) > 0 || len(e.reads) > 0 || e.selected != nil) || e.connected && e.peer == nil && receiving {
		r.Skip("resets the connection")
	}
	err := m.Shutdown(e.s, how)
	switch {
	case how == 7:
		is(r, "shutdown of an unknown half", err, spi.WSAEINVAL)
	case !e.connected:
		is(r, "shutdown without a connection", err, spi.WSAENOTCONN)
	case e.sendShut && e.ended && err != nil:
		is(r, "shutdown after the connection", err, spi.WSAENOTCONN)
	default:
		must(r, "shutdown", err)
		if how != spi.SD_RECEIVE && !e.sendShut {
			e.sendShut = true
			if e.peer != nil {
				m.end(e.peer)
			}
		}
		e.recvShut = e.recvShut || receiving
	}
}

// end tells an endpoint that its peer sends no more.
func (m *machine) end(e *endpoint) {
	if e.ended {
		return
	}
	e.ended = true
	if e.recvShut {
		return
	}
	m.incoming(e)
}

func (m *machine) closeSocket(r *rapid.T) {
	e := m.pick(r, open)
	m.close(r, e)
}

func (m *machine) close(r *rapid.T, e *endpoint) {
	must(r, "closesocket", m.CloseSocket(e.s))
	m.sockets = slices.DeleteFunc(m.sockets, func(o *endpoint) bool { return o == e })
	m.gone = append(m.gone, e.s)
	for _, op := range e.reads {
		m.finished(r, op, spi.WSA_OPERATION_ABORTED, 0)
	}
	e.reads = nil
	for _, waiting := range e.backlog { // refused after all
		m.breakOff(waiting)
	}
	for _, l := range m.sockets { // it may be in somebody's queue
		for i, waiting := range l.backlog {
			if waiting == e {
				l.backlog[i] = &endpoint{s: spi.InvalidSocket}
			}
		}
	}
	e.s = spi.InvalidSocket
	if p := e.peer; p != nil {
		p.peerGone = true
		if len(e.queue) > 0 || e.recvShut {
			m.breakOff(p)
		} else {
			m.end(p)
		}
	}
}

// breakOff resets a connection: from here on only its end is certain.
func (m *machine) breakOff(e *endpoint) {
	if e == nil || e.s == spi.InvalidSocket {
		return
	}
	e.broken = true
	e.enabled, e.expected, e.mask = 0, 0, 0
}

// stale calls with handles that are closed.
func (m *machine) stale(r *rapid.T) {
	if len(m.gone) == 0 {
		r.Skip("no closed handle")
	}
	s := rapid.SampledFrom(m.gone).Draw(r, "handle")
	_, err := m.Recv(s, make([]byte, 1), 0)
	is(r, "recv on a closed handle", err, spi.WSAENOTSOCK)
	is(r, "bind of a closed handle", m.Bind(s, loopback), spi.WSAENOTSOCK)
	is(r, "closesocket twice", m.CloseSocket(s), spi.WSAENOTSOCK)
}
