package nonifs

import (
	"encoding/binary"
	"time"

	"upcall.dev/spi"
)

// acceptEx is an AcceptEx that is under way: it waits in the listening
// endpoint's backlog for a connection, gives it to the endpoint that was made
// for it, and then, if asked to, waits there for the first data.
//
// It is an operation of the listening socket, whose closing aborts it at every
// stage, as does closing the other one.
type acceptEx struct {
	listener, accept     *Endpoint
	out                  []byte
	receive, local, peer uint32 // lengths of the parts of out

	// listener.mu guards the next, until the connection is there.
	incoming  *Endpoint
	receiving bool // waits for data; set before it is listed in backlog.receiving
}

// acceptEx is AcceptEx. The connection takes the first place in the backlog, so
// accepting calls that wait are served in their order.
//
// What succeeds is always pending for the caller, also when a connection was
// there: programs post an AcceptEx where they hold locks that their handling of
// a connection takes, and expect the indication only.
func (b *Base) acceptEx(listen, accept spi.Socket, out []byte, receiveLen, localLen, remoteLen uint32, _ *uint32, ov *spi.Overlapped) spi.Errno {
	h, errno := b.handles.Lookup(listen)
	if errno != 0 {
		return errno
	}
	a, errno := b.handles.Lookup(accept)
	if errno != 0 {
		return errno
	}
	e := h.Value
	room := uint32(e.info.MaxSockAddr) + addressSlack
	switch {
	case e.datagram || a.Value.datagram:
		return spi.WSAEOPNOTSUPP
	case ov == nil || localLen < room || remoteLen < room,
		uint64(len(out)) < uint64(receiveLen)+uint64(localLen)+uint64(remoteLen):
		return spi.WSAEFAULT
	case a.Value.info.AddressFamily != e.info.AddressFamily:
		return spi.WSAEINVAL
	}
	o, errno := b.begin(h, ov, nil, nil)
	if errno != 0 {
		return errno
	}
	x := &acceptEx{listener: e, accept: a.Value, out: out, receive: receiveLen, local: localLen, peer: remoteLen}
	o.then = x
	if errno := x.reserve(); errno != 0 {
		return b.refused(o, errno)
	}
	e.mu.Lock()
	switch l := e.backlog; {
	case e.state != stateListening:
		errno = spi.WSAEINVAL
	case l.waiting.last == nil && len(l.queue) > 0:
		if !o.handle.Begin() {
			errno = spi.WSAENOTSOCK
			break
		}
		x.incoming = l.take()
		if w := e.watch.Load(); w != nil {
			w.changed(e.controlReady(), spi.FD_ACCEPT)
		}
	default:
		errno = o.listIn(&l.waiting)
		if w := e.watch.Load(); w != nil {
			w.changed(e.controlReady(), spi.FD_ACCEPT)
		}
	}
	there := x.incoming != nil
	e.mu.Unlock()
	switch {
	case errno != 0:
		x.release()
		return b.refused(o, errno)
	case !there || x.proceed(o):
		return spi.WSA_IO_PENDING
	case o.errno != 0:
		return b.doneAtOnce(o, nil)
	}
	o.finish()
	return spi.WSA_IO_PENDING
}

// doneAtOnce ends an operation whose handle was begun, but which did not wait.
func (b *Base) doneAtOnce(o *op, transferred *uint32) spi.Errno {
	d := o.handle
	errno := b.atOnce(o, o.n, transferred, nil, o.errno)
	d.End()
	return errno
}

// reserve keeps the endpoint for the connection. WSAEINVAL when it has a name or
// a connection, or waits for one already.
func (x *acceptEx) reserve() spi.Errno {
	if _, errno := x.accept.lower.SockName(); errno == 0 {
		return spi.WSAEINVAL
	}
	x.accept.mu.Lock()
	defer x.accept.mu.Unlock()
	if x.accept.state != stateIdle {
		return spi.WSAEINVAL
	}
	x.accept.state = stateAccepting
	x.accept.backlog = &backlog{acceptEx: x}
	return 0
}

// release undoes reserve.
func (x *acceptEx) release() {
	x.accept.mu.Lock()
	defer x.accept.mu.Unlock()
	if x.accept.state == stateAccepting {
		x.accept.state = stateIdle
		x.accept.backlog = nil
	}
}

// proceed implements continuation.
func (x *acceptEx) proceed(o *op) bool {
	if x.receiving {
		x.listener.mu.Lock()
		if l := x.listener.backlog; l != nil {
			delete(l.receiving, o)
		}
		x.listener.mu.Unlock()
		if o.errno == spi.WSAESHUTDOWN { // the accepted socket is closed
			o.errno = spi.WSA_OPERATION_ABORTED
		}
		return false
	}
	if o.errno != 0 {
		x.release()
		return false
	}
	if o.errno = x.accept.adopt(x.incoming); o.errno != 0 {
		x.release()
		return false
	}
	x.storeAddresses()
	return x.receive > 0 && x.awaitData(o)
}

// awaitData makes the op a receive on the accepted endpoint, and reports
// whether it waits.
func (x *acceptEx) awaitData(o *op) bool {
	q := x.accept.rx.Load()
	if q == nil { // disconnected meanwhile
		o.errno = spi.WSAENOTCONN
		return false
	}
	o.use(x.out[:x.receive])
	x.receiving = true
	x.listener.mu.Lock()
	if l := x.listener.backlog; l != nil {
		if l.receiving == nil {
			l.receiving = map[*op]*Queue{}
		}
		l.receiving[o] = q
	}
	x.listener.mu.Unlock()
	var done finished
	q.mu.Lock()
	errno := q.receive(&o.cursor, 0, nil, nil, &done)
	q.afterReceive()
	if errno == spi.WSAEWOULDBLOCK && o.handle.closed() {
		errno = spi.WSA_OPERATION_ABORTED
	}
	if errno == spi.WSAEWOULDBLOCK {
		q.readers.push(o)
	}
	q.mu.Unlock()
	done.tell()
	if errno == spi.WSAEWOULDBLOCK {
		return true
	}
	o.errno = errno
	return x.proceed(o)
}

// adopt makes e, which is reserved, the endpoint of a connection that was
// delivered.
func (e *Endpoint) adopt(incoming *Endpoint) spi.Errno {
	errno := incoming.lower.Admit()
	if errno == 0 {
		errno = e.lower.Adopt(incoming.lower)
	}
	if errno != 0 {
		incoming.drop(errno)
		return errno
	}
	in, out := incoming.rx.Load(), incoming.tx.Load()
	e.mu.Lock()
	if e.state != stateAccepting { // closed
		e.mu.Unlock()
		in.Abort(spi.WSAECONNRESET)
		out.Abort(spi.WSAECONNRESET)
		return spi.WSA_OPERATION_ABORTED
	}
	in.mu.Lock()
	in.reader = e
	in.mu.Unlock()
	out.mu.Lock()
	out.writer = e
	out.mu.Unlock()
	e.rx.Store(in)
	e.tx.Store(out)
	e.state, e.accepted, e.backlog = stateConnected, true, nil
	e.opened = time.Now().Unix()
	limit := int32(-1)
	if e.options != nil {
		limit = e.options.rcvBuf
	}
	e.tellConnected()
	e.mu.Unlock()
	if limit >= 0 {
		in.setLimit(uint32(limit))
	}
	return 0
}

// abort ends an AcceptEx that waits for a connection, for the endpoint that it
// is for is closed.
func (x *acceptEx) abort() {
	var done finished
	x.listener.mu.Lock()
	done.takeIf(&x.listener.backlog.waiting,
		func(o *op) bool { return o.then == continuation(x) },
		(*op).aborted)
	x.listener.mu.Unlock()
	done.tell()
}

// addressSlack is how much longer than the longest address the room for one is
// at least.
const addressSlack = 16

// storeAddresses stores both addresses: each at the beginning of its room, with
// its length in the last four bytes.
func (x *acceptEx) storeAddresses() {
	local, _ := x.accept.lower.SockName()
	peer, _ := x.accept.lower.PeerName()
	rooms := x.out[x.receive:]
	storeRoom(rooms[:x.local], local)
	storeRoom(rooms[x.local:x.local+x.peer], peer)
}

func storeRoom(room, address []byte) {
	n := copy(room[:len(room)-4], address)
	binary.NativeEndian.PutUint32(room[len(room)-4:], uint32(n))
}

// acceptAddresses is GetAcceptExSockaddrs.
func acceptAddresses(out []byte, receiveLen, localLen, remoteLen uint32) (local, remote []byte) {
	if uint64(len(out)) < uint64(receiveLen)+uint64(localLen)+uint64(remoteLen) {
		return nil, nil
	}
	rooms := out[receiveLen:]
	return loadRoom(rooms[:localLen]), loadRoom(rooms[localLen : localLen+remoteLen])
}

func loadRoom(room []byte) []byte {
	if len(room) < 4 {
		return nil
	}
	n := binary.NativeEndian.Uint32(room[len(room)-4:])
	if n == 0 || n > uint32(len(room)-4) {
		return nil
	}
	return room[:n:n]
}
