package nonifs

import (
	"time"

	"upcall.dev/spi"
)

// backlog is the queue of a listening endpoint, or of one that an AcceptEx will
// give a connection. The endpoint's mutex guards it.
type backlog struct {
	queue     []*Endpoint
	limit     int
	deferred  bool           // the condition function put off the head's decision
	waiting   opList         // blocked accept calls, which try again when woken, and AcceptEx
	receiving map[*op]*Queue // AcceptEx that have a connection and wait for data in its queue

	acceptEx *acceptEx // of the endpoint that it is for
}

// offer gives a connection to the first AcceptEx that waits, or wakes the first
// accepting call. It reports whether the connection is taken.
func (b *backlog) offer(incoming *Endpoint, done *finished) bool {
	o := b.waiting.first()
	if o == nil {
		return false
	}
	done.take(&b.waiting, o, 0)
	x, ok := o.then.(*acceptEx)
	if ok {
		x.incoming = incoming
	}
	return ok
}

// take takes the head, which is there.
func (b *backlog) take() *Endpoint {
	incoming := b.queue[0]
	b.queue[0] = nil
	b.queue = b.queue[1:]
	b.deferred = false
	return incoming
}

// acceptable reports whether FD_ACCEPT holds. What is deferred can be accepted
// all the same, and select finds it.
func (b *backlog) acceptable() bool { return len(b.queue) > 0 && !b.deferred }

// maxBacklog is what SOMAXCONN stands for.
const maxBacklog = 4096

// WSPListen makes the socket take connections. WSAEINVAL, WSAEISCONN,
// WSAEOPNOTSUPP (datagrams).
func (b *Base) WSPListen(s spi.Socket, length int32) spi.Errno {
	h, errno := b.handles.Lookup(s)
	if errno != 0 {
		return errno
	}
	e := h.Value
	if e.datagram {
		return spi.WSAEOPNOTSUPP
	}
	e.mu.Lock()
	state := e.state
	e.mu.Unlock()
	switch state {
	case stateConnected:
		return spi.WSAEISCONN
	case stateConnecting, stateAccepting, stateReusing:
		return spi.WSAEINVAL
	}
	limit := max(1, min(int(length), maxBacklog))
	if errno := e.lower.Listen(int32(limit)); errno != 0 {
		return errno
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.backlog == nil {
		e.backlog = &backlog{}
	}
	e.backlog.limit = limit
	e.state = stateListening
	return 0
}

// Deliver hands a listening endpoint a connection that WSPAccept will return:
// an endpoint that was made ready with Init and [Endpoint.Open], or that
// Lower.Admit will open. False means that the backlog is full or that e does
// not listen.
func (e *Endpoint) Deliver(incoming *Endpoint) bool {
	incoming.accepted = true
	var done finished
	e.mu.Lock()
	l := e.backlog
	if e.state != stateListening || len(l.queue) >= l.limit && l.waiting.last == nil {
		e.mu.Unlock()
		return false
	}
	if !l.offer(incoming, &done) {
		l.queue = append(l.queue, incoming)
	}
	if w := e.watch.Load(); w != nil {
		w.changed(e.controlReady(), 0)
	}
	e.mu.Unlock()
	done.tell()
	return true
}

// Withdraw takes a connection out of the backlog that it was delivered to.
// False means that WSPAccept already has it.
func (e *Endpoint) Withdraw(incoming *Endpoint) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.backlog == nil {
		return false
	}
	for i, q := range e.backlog.queue {
		if q == incoming {
			e.backlog.queue = append(e.backlog.queue[:i], e.backlog.queue[i+1:]...)
			if i == 0 {
				e.backlog.deferred = false
			}
			return true
		}
	}
	return false
}

// WSPAccept takes a connection.
func (b *Base) WSPAccept(s spi.Socket, addr []byte, addrLen *int32, cond spi.ConditionFunc, callbackData uintptr) (spi.Socket, spi.Errno) {
	h, errno := b.handles.Lookup(s)
	if errno != 0 {
		return spi.InvalidSocket, errno
	}
	e := h.Value
	if e.datagram {
		return spi.InvalidSocket, spi.WSAEOPNOTSUPP
	}
	incoming, errno := e.takeIncoming(&h.descriptor)
	if errno != 0 {
		return spi.InvalidSocket, errno
	}
	accepted, errno := b.decide(h, incoming, addr, addrLen, cond, callbackData)
	if errno != spi.WSATRY_AGAIN {
		e.mu.Lock()
		if w := e.watch.Load(); w != nil {
			w.changed(e.controlReady(), spi.FD_ACCEPT)
		}
		e.mu.Unlock()
	}
	return accepted, errno
}

// takeIncoming takes the head of the backlog, waiting for one on a blocking
// socket.
func (e *Endpoint) takeIncoming(d *descriptor) (*Endpoint, spi.Errno) {
	for {
		e.mu.Lock()
		l := e.backlog
		if e.state != stateListening {
			e.mu.Unlock()
			return nil, spi.WSAEINVAL
		}
		if len(l.queue) > 0 {
			incoming := l.take()
			e.mu.Unlock()
			return incoming, 0
		}
		if e.nonblocking.Load() {
			if w := e.watch.Load(); w != nil {
				w.changed(e.controlReady(), spi.FD_ACCEPT)
			}
			e.mu.Unlock()
			return nil, spi.WSAEWOULDBLOCK
		}
		o := newBlocked(cursor{})
		o.handle = d
		errno := o.listIn(&l.waiting)
		e.mu.Unlock()
		if errno == 0 {
			errno = e.awaitLocal(&l.waiting, o, 0)
		}
		o.release()
		if errno != 0 {
			return nil, errno
		}
	}
}

// awaitLocal waits for an op in a list that the endpoint's own mutex guards.
func (e *Endpoint) awaitLocal(l *opList, o *op, timeout time.Duration) spi.Errno {
	errno := e.base.Await(o.wake, timeout, o.handle.entry)
	if errno == 0 {
		return o.errno
	}
	e.mu.Lock()
	withdrawn := l.remove(o)
	e.mu.Unlock()
	if withdrawn {
		return errno
	}
	<-o.wake
	return o.errno
}

// decide asks the condition function about a connection and makes the socket
// for it.
func (b *Base) decide(h *Handle[Endpoint], incoming *Endpoint, addr []byte, addrLen *int32, cond spi.ConditionFunc, callbackData uintptr) (spi.Socket, spi.Errno) {
	e := h.Value
	peer, _ := incoming.lower.PeerName()
	if addrLen != nil {
		if errno := spi.StoreAddress(peer, addr, addrLen); errno != 0 {
			e.putBack(incoming, false)
			return spi.InvalidSocket, errno
		}
	}
	if cond != nil {
		local, _ := incoming.lower.SockName()
		var group spi.Group
		switch cond(peer, nil, nil, nil, local, nil, &group, callbackData) {
		case spi.CF_ACCEPT:
		case spi.CF_REJECT:
			incoming.drop(spi.WSAECONNREFUSED)
			return spi.InvalidSocket, spi.WSAECONNREFUSED
		case spi.CF_DEFER:
			e.putBack(incoming, true)
			return spi.InvalidSocket, spi.WSATRY_AGAIN
		default:
			e.putBack(incoming, false)
			return spi.InvalidSocket, spi.WSAEINVAL
		}
	}
	if errno := incoming.lower.Admit(); errno != 0 {
		incoming.drop(errno)
		return spi.InvalidSocket, errno
	}
	incoming.overlapped = e.overlapped
	incoming.inheritOptions(e)
	accepted, errno := b.attach(h.entry, incoming)
	if errno != 0 {
		incoming.drop(spi.WSAECONNRESET)
		return spi.InvalidSocket, errno
	}
	incoming.inherit(e, accepted)
	return accepted, 0
}

// putBack returns a connection to the head of the backlog.
func (e *Endpoint) putBack(incoming *Endpoint, deferred bool) {
	var done finished
	e.mu.Lock()
	if l := e.backlog; e.state == stateListening {
		if deferred || !l.offer(incoming, &done) {
			l.queue = append([]*Endpoint{incoming}, l.queue...)
			l.deferred = deferred
		}
		incoming = nil
	}
	e.mu.Unlock()
	done.tell()
	if incoming != nil {
		incoming.drop(spi.WSAECONNRESET)
	}
}

// drop ends a connection that no descriptor was made for.
func (e *Endpoint) drop(errno spi.Errno) {
	e.mu.Lock()
	e.state = stateClosed
	e.connectErr = errno
	e.mu.Unlock()
	e.Abort(spi.WSAECONNRESET)
	e.lower.Close(true)
}

// WSPConnect connects. Connect data and quality of service are refused with
// WSAEOPNOTSUPP.
func (b *Base) WSPConnect(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS) spi.Errno {
	h, errno := b.handles.Lookup(s)
	if errno != 0 {
		return errno
	}
	e := h.Value
	if callerData != nil && callerData.Len > 0 {
		return spi.WSAEPROTONOSUPPORT
	}
	if sqos != nil || gqos != nil {
		return spi.WSAEOPNOTSUPP
	}
	if calleeData != nil {
		calleeData.Len = 0
	}
	if e.datagram {
		return e.connectDatagram(name)
	}

	if errno := e.connectLower(name, nil); errno != spi.WSAEWOULDBLOCK || e.nonblocking.Load() {
		return errno
	}
	e.mu.Lock()
	if e.state != stateConnecting {
		errno = e.connectErr
		e.soError = 0
		e.mu.Unlock()
		return errno
	}
	o := newBlocked(cursor{})
	defer o.release()
	o.handle = &h.descriptor
	errno = o.listIn(&e.connecting)
	e.mu.Unlock()
	if errno != 0 {
		return errno
	}
	errno = e.awaitLocal(&e.connecting, o, 0)
	e.mu.Lock()
	e.soError = 0
	e.mu.Unlock()
	return errno
}

// connectLower begins to connect a stream endpoint. begin, if not nil, is called
// before that, under the endpoint's lock. WSAEWOULDBLOCK means that the outcome
// comes by [Endpoint.Connected], or has come.
func (e *Endpoint) connectLower(name []byte, begin func() spi.Errno) spi.Errno {
	e.mu.Lock()
	var errno spi.Errno
	switch e.state {
	case stateConnected:
		errno = spi.WSAEISCONN
	case stateConnecting:
		errno = spi.WSAEALREADY
	case stateListening, stateAccepting, stateReusing, stateClosed:
		errno = spi.WSAEINVAL
	default:
		if begin != nil {
			errno = begin()
		}
	}
	if errno != 0 {
		e.mu.Unlock()
		return errno
	}
	before := e.state
	e.state = stateConnecting
	e.soError = 0
	if w := e.watch.Load(); w != nil {
		w.changed(e.controlReady(), spi.FD_CONNECT|spi.FD_WRITE)
	}
	e.mu.Unlock()

	errno = e.lower.Connect(name)
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case errno == 0:
		e.tellConnected()
	case errno != spi.WSAEWOULDBLOCK && e.state == stateConnecting:
		e.state = before
	}
	return errno
}

func (e *Endpoint) connectDatagram(name []byte) spi.Errno {
	errno := e.lower.Connect(name)
	if errno != 0 {
		return errno
	}
	_, none := e.lower.PeerName()
	e.mu.Lock()
	e.state = stateConnected
	if none != 0 {
		e.state = stateIdle
	}
	e.tellConnected()
	e.mu.Unlock()
	return 0
}

// WSPJoinLeaf refuses: no Endpoint has multipoint sessions.
func (b *Base) WSPJoinLeaf(s spi.Socket, _ []byte, _, _ *spi.Buf, _, _ *spi.QOS, _ uint32) (spi.Socket, spi.Errno) {
	if _, errno := b.handles.Lookup(s); errno != 0 {
		return spi.InvalidSocket, errno
	}
	return spi.InvalidSocket, spi.WSAEOPNOTSUPP
}
