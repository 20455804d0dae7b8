package nonifs

import (
	"encoding/binary"
	"sync"

	"upcall.dev/spi"
)

// Queue is one direction of a socket's traffic: bytes of a stream, or datagrams
// with their addresses. One end is the receiving side of an [Endpoint], or a
// pump that calls [Queue.Read]; the other is the sending side of an Endpoint,
// or a pump that calls [Queue.Write]. When a receiver is waiting, a sender
// copies straight into the receiver's memory.
//
// Lock order: an Endpoint's mutex, then a Queue's (never two of them), then the
// leaf locks of watchers and of netevents.
type Queue struct {
	mu      sync.Mutex // guards everything below
	ring    ring
	limit   uint32 // bytes held before senders wait, or datagrams are dropped
	records uint32 // datagrams held

	readers, writers opList // operations that wait, first come first served

	reader, writer *Endpoint // told about readiness; nil for a pump

	ended     bool      // the sender has finished: end of stream after the rest
	refused   bool      // the receiver has finished: nothing more is taken
	datagrams bool      // records instead of bytes
	lossy     bool      // a datagram that finds no room is dropped, as UDP does
	err       spi.Errno // the connection is gone
	last      spi.Errno // becomes err when what is held has been received
}

// DefaultBuffer is how many bytes a Queue holds unless SO_RCVBUF says otherwise.
const DefaultBuffer = 256 << 10

// NewStream returns a queue of bytes between two endpoints, either of which may
// be nil when a pump works that end.
func NewStream(writer, reader *Endpoint) *Queue {
	return &Queue{limit: DefaultBuffer, reader: reader, writer: writer}
}

// NewDatagrams returns a queue of datagrams. A lossy queue drops what finds no
// room; any other makes the sender wait.
func NewDatagrams(writer, reader *Endpoint, lossy bool) *Queue {
	return &Queue{limit: DefaultBuffer, reader: reader, writer: writer, datagrams: true, lossy: lossy}
}

// A datagram is held as a record: the length of its data, the length of its
// address, the address, the data.
const recordHeader = 5

// readable reports whether a receiver would not wait. The caller holds mu, as
// for all the functions below that do not lock it themselves.
func (q *Queue) readable() bool { return q.hasData() || q.finished() }

func (q *Queue) hasData() bool {
	return q.ring.n > 0 && !q.refused && q.err == 0
}

// finished reports the end of the stream, or of the connection.
func (q *Queue) finished() bool {
	return q.err != 0 || q.refused || q.ended && q.ring.n == 0 && q.writers.last == nil
}

// writable reports whether a sender should try: a quarter of the room is free.
func (q *Queue) writable() bool {
	return q.err != 0 || q.ended || q.refused || q.writers.last == nil && (q.ring.n == 0 || q.room() >= q.limit/4)
}

func (q *Queue) room() uint32 { return q.limit - min(q.ring.n, q.limit) }

// receive fills c with what there is. WSAEWOULDBLOCK means that it must wait,
// for the first byte or, with MSG_WAITALL, for the rest. flags, from and
// fromLen are the caller's.
func (q *Queue) receive(c *cursor, flags uint32, from []byte, fromLen *int32, done *finished) spi.Errno {
	switch {
	case q.err != 0:
		return q.err
	case q.refused:
		return spi.WSAESHUTDOWN
	case q.datagrams:
		return q.receiveDatagram(c, flags, from, fromLen, done)
	case flags&spi.MSG_PEEK != 0:
		if q.ring.n == 0 && !q.finished() {
			return spi.WSAEWOULDBLOCK
		}
		var offset uint32
		for b := c.head(); b != nil && offset < q.ring.n; b = c.head() {
			n := q.ring.peek(offset, b)
			c.advance(n)
			offset += uint32(n)
		}
		return 0
	case q.ring.n == 0:
		if q.finished() {
			return 0
		}
		return spi.WSAEWOULDBLOCK
	}
	for {
		q.drain(c)
		if q.writers.last == nil {
			break
		}
		q.refill(done)
		if q.ring.n == 0 || c.left() == 0 {
			break
		}
	}
	if flags&spi.MSG_WAITALL != 0 && c.left() > 0 && !q.finished() {
		return spi.WSAEWOULDBLOCK
	}
	return 0
}

// drain moves bytes from the ring to c.
func (q *Queue) drain(c *cursor) {
	for q.ring.n > 0 {
		b := c.head()
		if b == nil {
			return
		}
		n := q.ring.peek(0, b)
		q.ring.discard(uint32(n))
		c.advance(n)
	}
	if q.last != 0 {
		q.err = q.last
	}
}

// refill lets waiting senders put what there is room for.
func (q *Queue) refill(done *finished) {
	for o := q.writers.first(); o != nil; o = q.writers.first() {
		if q.datagrams {
			if !q.fits(&o.cursor, o.to) {
				return
			}
			q.putDatagram(&o.cursor, o.to)
		} else {
			q.put(&o.cursor)
			if o.left() > 0 {
				return
			}
			if t, ok := o.then.(*transmission); ok && !t.last {
				t.wantMore()
				return
			}
		}
		done.take(&q.writers, o, 0)
	}
}

// put moves bytes from c to the ring while there is room.
func (q *Queue) put(c *cursor) {
	room := q.room()
	for room > 0 {
		b := c.head()
		if b == nil {
			return
		}
		b = b[:min(uint32(len(b)), room)]
		q.ring.reserve(uint32(len(b)))
		q.ring.write(b)
		c.advance(len(b))
		room -= uint32(len(b))
	}
}

// send takes the bytes of c: to the first waiting receiver, else to the ring.
// WSAEWOULDBLOCK means that some are left.
func (q *Queue) send(c *cursor, done *finished) spi.Errno {
	switch {
	case q.ended:
		return spi.WSAESHUTDOWN
	case q.err != 0:
		return q.err
	case q.refused:
		return spi.WSAECONNRESET
	}
	if q.writers.last != nil {
		return spi.WSAEWOULDBLOCK
	}
	for {
		r := q.readers.first()
		if r == nil || q.ring.n != 0 || r.flags&spi.MSG_PEEK != 0 || r.nextRoom() == nil {
			q.put(c)
			if r == nil || !q.serve(done) {
				break
			}
			continue
		}
		if c.head() == nil {
			return 0
		}
		transfer(&r.cursor, c)
		if r.left() == 0 || r.flags&spi.MSG_WAITALL == 0 {
			done.take(&q.readers, r, 0)
		}
	}
	if c.left() > 0 {
		return spi.WSAEWOULDBLOCK
	}
	return 0
}

// nextRoom is head for a waiting receiver: nil when the receiver has no room at all,
// which is how a client waits for data without taking any.
func (o *op) nextRoom() []byte {
	if o.left() == 0 {
		return nil
	}
	return o.head()
}

// serve gives waiting receivers what there is, and reports whether one was
// served.
func (q *Queue) serve(done *finished) (served bool) {
	for o := q.readers.first(); o != nil && q.readable(); o = q.readers.first() {
		errno := q.receive(&o.cursor, o.flags, o.from, o.fromLen, done)
		if errno == spi.WSAEWOULDBLOCK {
			break
		}
		o.result = resultFlags(errno)
		done.take(&q.readers, o, errno)
		served = true
	}
	return served
}

// fits reports whether there is room for a datagram.
func (q *Queue) fits(c *cursor, address []byte) bool {
	size := uint32(recordHeader + len(address) + c.left())
	return q.ring.n == 0 || size <= q.room()
}

func (q *Queue) putDatagram(c *cursor, address []byte) {
	var header [recordHeader]byte
	length := c.left()
	binary.NativeEndian.PutUint32(header[:], uint32(length))
	header[4] = byte(len(address))
	q.ring.reserve(uint32(recordHeader + len(address) + length))
	q.ring.write(header[:])
	q.ring.write(address)
	for b := c.head(); b != nil; b = c.head() {
		q.ring.write(b)
		c.advance(len(b))
	}
	q.records++
}

// sendDatagram takes one datagram. WSAEWOULDBLOCK when there is no room and the
// queue is not lossy.
func (q *Queue) sendDatagram(c *cursor, address []byte, done *finished) spi.Errno {
	switch {
	case q.ended:
		return spi.WSAESHUTDOWN
	case q.err != 0:
		return q.err
	case q.refused:
		c.n = uint32(spi.BufsLen(c.bufs))
		return 0 // nobody hears it
	}
	if q.writers.last != nil || !q.fits(c, address) {
		if q.lossy {
			c.n = uint32(spi.BufsLen(c.bufs))
			return 0
		}
		return spi.WSAEWOULDBLOCK
	}
	q.putDatagram(c, address)
	q.serve(done)
	return 0
}

func (q *Queue) receiveDatagram(c *cursor, flags uint32, from []byte, fromLen *int32, done *finished) spi.Errno {
	if q.ring.n == 0 {
		if q.finished() {
			return 0
		}
		return spi.WSAEWOULDBLOCK
	}
	var header [recordHeader]byte
	q.ring.peek(0, header[:])
	length, addressLen := binary.NativeEndian.Uint32(header[:]), uint32(header[4])
	if fromLen != nil && from != nil {
		if uint32(len(from)) < addressLen {
			return spi.WSAEFAULT
		}
		*fromLen = int32(q.ring.peek(recordHeader, from[:addressLen]))
	}
	offset, left := recordHeader+addressLen, length
	for left > 0 {
		b := c.head()
		if b == nil {
			break
		}
		n := q.ring.peek(offset, b[:min(uint32(len(b)), left)])
		c.advance(n)
		offset += uint32(n)
		left -= uint32(n)
	}
	if flags&spi.MSG_PEEK == 0 {
		q.ring.discard(recordHeader + addressLen + length)
		q.records--
		q.refill(done)
	}
	if left > 0 {
		return spi.WSAEMSGSIZE
	}
	return 0
}

// available returns what FIONREAD answers: the bytes that one receive could
// get, of the first datagram only.
func (q *Queue) available() uint32 {
	if !q.datagrams || q.ring.n == 0 {
		return q.ring.n
	}
	var length [4]byte
	q.ring.peek(0, length[:])
	return binary.NativeEndian.Uint32(length[:])
}
