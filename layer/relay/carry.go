package relay

import (
	"time"

	"upcall.dev/nonifs"
	"upcall.dev/spi"
)

// carry moves bytes in both directions, and returns when the next ones may go
// on.
func (w *wire) carry(o orders, x *scratch) (at time.Time) {
	for range rounds {
		moved := w.moveUp(o.out, x)
		if w.moveDown(o, x) || moved {
			continue
		}
		if w.up.head != nil && w.writable {
			at = w.up.head.release
		}
		if w.down.head != nil && !w.starving.Load() && (at.IsZero() || w.down.head.release.Before(at)) {
			at = w.down.head.release
		}
		return at
	}
	w.kick()
	return at
}

// moveUp moves from the client's queue to the lower socket, and reports whether
// it moved anything.
func (w *wire) moveUp(q *nonifs.Queue, x *scratch) (moved bool) {
	h := &w.up
	if h.over {
		return false
	}
	for w.writable {
		p := h.due(time.Now)
		if p == nil {
			break
		}
		if p.end {
			h.over = true
			if !w.datagrams {
				w.next.WSPShutdown(w.lower, spi.SD_SEND)
			}
			h.clear()
			return true
		}
		n, errno := w.sendLower(x, p.address(), p.data())
		p.advance(n)
		moved = moved || n > 0
		if errno == spi.WSAEWOULDBLOCK {
			w.writable = false
			break
		}
		if errno != 0 {
			w.loseUp(q, errno)
			return true
		}
		h.drop()
		moved = true
	}
	room := h.room(w.largest())
	if h.ended || room <= 0 {
		return moved
	}
	var n, addressLen int
	var errno spi.Errno
	address, data := x.address[:], x.data[:]
	if w.datagrams {
		n, addressLen, errno = q.TryReadDatagram(data, address)
	} else {
		n, errno = q.TryRead(data[:room])
	}
	switch {
	case errno == spi.WSAEWOULDBLOCK:
		return moved
	case errno != 0 && errno != spi.WSAEMSGSIZE: // the endpoint is broken, and knows it
		h.over, h.ended = true, true
		h.clear()
		return moved
	case w.datagrams && addressLen == 0 || !w.datagrams && n == 0: // every datagram has an address here
		h.ended = true
		end := w.ending(Up, 0)
		if w.datagrams { // their end is told to nobody, and the address is free after the last
			end.release = time.Time{}
		}
		h.put(end)
		return true
	}
	release := w.relay.schedule(Up, n)
	if h.head == nil && w.writable && (release.IsZero() || !release.After(time.Now())) {
		sent, errno := w.sendLower(x, address[:addressLen], data[:n])
		if errno == 0 {
			return true
		}
		if errno != spi.WSAEWOULDBLOCK {
			w.loseUp(q, errno)
			return true
		}
		w.writable = false
		data, n = data[sent:], n-sent
	}
	h.put(newPacket(address[:addressLen], data[:n], release))
	return true
}

// largest is how much is taken at once.
func (w *wire) largest() int {
	if w.datagrams {
		return longestDatagram
	}
	return w.relay.config.Chunk
}

// ending returns the packet of the end of a direction.
func (w *wire) ending(d Direction, errno spi.Errno) *packet {
	p := newPacket(nil, nil, w.relay.schedule(d, 0))
	p.end, p.errno = true, errno
	return p
}

// loseUp ends the direction from the client, whose next send fails with errno. What
// has come the other way, and does until its end, is still the client's.
func (w *wire) loseUp(q *nonifs.Queue, errno spi.Errno) {
	h := &w.up
	h.ended, h.over = true, true
	h.clear()
	w.lost, w.readable = errno, true
	q.Abort(errno)
}

// breakQueues breaks the connection towards the client, who has received all else.
func (w *wire) breakQueues(errno spi.Errno) {
	o := w.current()
	for _, h := range []*half{&w.up, &w.down} {
		h.ended, h.over = true, true
		h.clear()
	}
	o.in.Break(errno)
	o.out.Abort(errno)
}

// moveDown moves from the lower socket to the client's queue.
func (w *wire) moveDown(o orders, x *scratch) (moved bool) {
	h := &w.down
	if h.over {
		return false
	}
	if o.closed {
		h.ended, h.over = true, true
		h.clear()
		return false
	}
	for p := h.due(time.Now); p != nil; p = h.due(time.Now) {
		if p.end {
			errno := p.errno
			h.over = true
			h.clear()
			switch {
			case errno == 0:
				o.in.End()
			case w.datagrams:
				o.in.Abort(errno)
			default:
				w.breakQueues(errno)
			}
			return true
		}
		n, errno := w.giveClient(o.in, p.address(), p.data())
		p.advance(n)
		moved = moved || n > 0
		if errno == spi.WSAEWOULDBLOCK {
			break
		}
		if errno != 0 { // nobody reads any more
			h.ended, h.over = true, true
			h.clear()
			return true
		}
		h.drop()
		moved = true
	}
	room := h.room(w.largest())
	if h.ended || room <= 0 || !w.readable {
		return moved
	}
	address, data := x.address[:], x.data[:room]
	n, addressLen, errno := w.receiveLower(x, data)
	switch {
	case errno == spi.WSAEWOULDBLOCK:
		w.readable = false
		return moved
	case errno == spi.WSAEINTR:
		return true
	case errno == spi.WSAESHUTDOWN: // the client receives no more, but may send
		h.ended, h.over = true, true
		h.clear()
		return false
	case errno != 0 || n == 0 && !w.datagrams:
		if errno == 0 {
			errno = w.lost // of a reset, which the sender has been told of
		}
		h.ended = true
		h.put(w.ending(Down, errno))
		return true
	}
	if w.datagrams && w.relay.config.Received != nil {
		w.relay.config.Received(address[:addressLen], data[:n])
	}
	release := w.relay.schedule(Down, n)
	if h.head == nil && (release.IsZero() || !release.After(time.Now())) {
		given, errno := w.giveClient(o.in, address[:addressLen], data[:n])
		if errno == 0 {
			return true
		}
		if errno != spi.WSAEWOULDBLOCK {
			h.ended, h.over = true, true
			return true
		}
		data, n = data[given:], n-given
	}
	h.put(newPacket(address[:addressLen], data[:n], release))
	return true
}

// giveClient hands bytes to the endpoint. After WSAEWOULDBLOCK the queue tells
// when there is room.
func (w *wire) giveClient(q *nonifs.Queue, address, data []byte) (n int, errno spi.Errno) {
	w.starving.Store(true)
	if w.datagrams {
		errno = q.TryWriteDatagram(data, address)
	} else {
		n, errno = q.TryWrite(data)
	}
	if errno != spi.WSAEWOULDBLOCK {
		w.starving.Store(false)
	}
	return n, errno
}

// roomForClient runs when the endpoint's queue has got room.
func (w *wire) roomForClient() {
	if w.starving.CompareAndSwap(true, false) {
		w.kick()
	}
}

// sendLower gives bytes, or a datagram, to the lower socket. What goes wrong
// with a datagram is lost with it.
func (w *wire) sendLower(x *scratch, address, data []byte) (sent int, errno spi.Errno) {
	x.bufs[0] = spi.NewBuf(data)
	for {
		if w.datagrams && len(address) > len(toPeer) {
			errno = w.next.WSPSendTo(w.lower, x.bufs[:], &x.n, 0, address, nil, nil, nil)
		} else {
			errno = w.next.WSPSend(w.lower, x.bufs[:], &x.n, 0, nil, nil, nil)
		}
		switch {
		case errno == spi.WSAEINTR:
			continue
		case w.datagrams && errno != spi.WSAEWOULDBLOCK && errno != spi.WSAENOTSOCK && errno != spi.WSANOTINITIALISED:
			return len(data), 0
		case w.datagrams || errno != 0:
			return sent, errno
		}
		sent += min(int(x.n), len(data)-sent)
		if sent == len(data) {
			return sent, 0
		}
		x.bufs[0] = spi.NewBuf(data[sent:])
	}
}

// receiveLower takes bytes, or a datagram, from the lower socket.
func (w *wire) receiveLower(x *scratch, data []byte) (n, addressLen int, errno spi.Errno) {
	x.bufs[0], x.flags = spi.NewBuf(data), 0
	if !w.datagrams {
		errno = w.next.WSPRecv(w.lower, x.bufs[:], &x.n, &x.flags, nil, nil, nil)
		return min(int(x.n), len(data)), 0, errno
	}
	x.length = int32(len(x.address))
	errno = w.next.WSPRecvFrom(w.lower, x.bufs[:], &x.n, &x.flags, x.address[:], &x.length, nil, nil, nil)
	switch errno {
	case spi.WSAEMSGSIZE:
		errno = 0
	case spi.WSAECONNRESET, spi.WSAENETRESET: // about a datagram sent before
		errno = spi.WSAEINTR
	}
	return min(int(x.n), len(data)), max(0, min(int(x.length), len(x.address))), errno
}
