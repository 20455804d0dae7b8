package nonifs

import (
	"upcall.dev/internal/netevents"
	"upcall.dev/spi"
)

// connectEx is a ConnectEx that is under way: it waits for the connection, and
// then, if there is data, sends it.
type connectEx struct {
	e       *Endpoint
	data    []byte
	sending bool
}

// connectEx is ConnectEx.
func (b *Base) connectEx(s spi.Socket, name, data []byte, sent *uint32, ov *spi.Overlapped) spi.Errno {
	h, errno := b.handles.Lookup(s)
	if errno != 0 {
		return errno
	}
	e := h.Value
	if e.datagram {
		return spi.WSAEOPNOTSUPP
	}
	if ov == nil {
		return spi.WSAEFAULT
	}
	if _, errno := e.lower.SockName(); errno != 0 {
		return spi.WSAEINVAL // not bound
	}
	o, errno := b.begin(h, ov, nil, nil)
	if errno != 0 {
		return errno
	}
	o.then = &connectEx{e: e, data: data}
	listed := false
	errno = e.connectLower(name, func() (errno spi.Errno) {
		errno = o.listIn(&e.connecting)
		listed = errno == 0
		return errno
	})
	if !listed {
		return b.refused(o, errno)
	}
	if errno == spi.WSAEWOULDBLOCK {
		return spi.WSA_IO_PENDING
	}
	e.mu.Lock()
	mine := e.connecting.remove(o)
	e.mu.Unlock()
	switch {
	case !mine: // ended by a close
		return spi.WSA_IO_PENDING
	case errno != 0:
		defer h.End()
		return b.refused(o, errno)
	case o.then.proceed(o):
		return spi.WSA_IO_PENDING
	}
	return b.doneAtOnce(o, sent)
}

// proceed implements continuation.
func (x *connectEx) proceed(o *op) bool {
	if x.sending || o.errno != 0 || len(x.data) == 0 {
		return false
	}
	q := x.e.tx.Load()
	if q == nil { // disconnected meanwhile
		o.errno = spi.WSAENOTCONN
		return false
	}
	x.sending = true
	o.use(x.data)
	return o.sendOn(q)
}

// sendOn makes the op a send to q of the memory that it has, and reports whether
// it waits. Its handle was begun.
func (o *op) sendOn(q *Queue) (waits bool) {
	var done finished
	q.mu.Lock()
	o.errno = q.submit(&o.cursor, nil, &done)
	if waits = o.errno == spi.WSAEWOULDBLOCK; waits {
		if o.handle.closed() {
			o.errno, waits = o.aborted(), false
		} else {
			o.errno = 0
			q.writers.push(o)
		}
	}
	q.mu.Unlock()
	done.tell()
	return waits
}

// disconnectEx is a DisconnectEx that waits until everything before it is sent.
type disconnectEx struct {
	e     *Endpoint
	reuse bool
}

// disconnectEx is DisconnectEx. What was sent still arrives; what was received
// and not read is lost.
func (b *Base) disconnectEx(s spi.Socket, ov *spi.Overlapped, flags uint32) spi.Errno {
	h, errno := b.handles.Lookup(s)
	if errno != 0 {
		return errno
	}
	e := h.Value
	q := e.tx.Load()
	switch {
	case flags&^spi.TF_REUSE_SOCKET != 0:
		return spi.WSAEINVAL
	case e.datagram || q == nil:
		return spi.WSAENOTCONN
	}
	o, errno := b.begin(h, ov, nil, nil)
	if errno != 0 {
		return errno
	}
	if o == nil {
		o = newBlocked(cursor{})
		o.handle = &h.descriptor
	} else if !h.Begin() {
		return b.refused(o, spi.WSAENOTSOCK)
	}
	x := &disconnectEx{e: e, reuse: flags&spi.TF_REUSE_SOCKET != 0}
	o.then = x
	waits := o.sendOn(q) // of nothing, behind everything else
	if ov != nil {
		if waits || x.proceed(o) {
			return spi.WSA_IO_PENDING
		}
		return b.doneAtOnce(o, nil)
	}
	defer o.release()
	if !waits {
		x.proceed(o)
		return o.errno
	}
	return e.awaitOp(q, o, 0)
}

// proceed implements continuation.
func (x *disconnectEx) proceed(o *op) bool {
	switch o.errno {
	case spi.WSA_OPERATION_ABORTED, spi.WSAEINTR:
	default: // the connection may have been broken before, which is no failure
		o.errno = x.e.disconnect(x.reuse)
	}
	return false
}

// disconnect ends a connection gracefully, and makes the socket as before it if
// it is to be used again. WSAENOTCONN.
func (e *Endpoint) disconnect(reuse bool) spi.Errno {
	e.mu.Lock()
	in, out := e.rx.Load(), e.tx.Load()
	if e.state != stateConnected || in == nil || out == nil {
		e.mu.Unlock()
		return spi.WSAENOTCONN
	}
	if reuse {
		e.state = stateReusing
		e.rx.Store(nil)
		e.tx.Store(nil)
		in.mu.Lock()
		in.reader = nil
		in.mu.Unlock()
		out.mu.Lock()
		out.writer = nil
		out.mu.Unlock()
	}
	e.mu.Unlock()
	out.End()
	in.Refuse()
	if !reuse {
		e.lower.Shutdown(spi.SD_BOTH)
		return 0
	}
	errno := e.lower.Reuse()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state == stateReusing {
		e.state, e.accepted, e.soError, e.opened = stateIdle, false, 0, 0
		if w := e.watch.Load(); w != nil {
			w.changed(netevents.Ready{}, spi.FD_ALL_EVENTS)
		}
	}
	return errno
}
