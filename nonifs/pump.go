package nonifs

import (
	"upcall.dev/spi"
)

// Pump is an end of queues that a provider works without a goroutine for each
// socket: [Queue.TryRead] and its like never wait, and signal tells when they
// may do more than before. signal runs under the lock of a Queue: it must
// neither block nor call a queue or a provider. Give its Endpoint to [NewStream]
// or [NewDatagrams] as the reader or the writer.
type Pump struct{ end Endpoint }

// NewPump returns a Pump.
func NewPump(signal func()) *Pump {
	p := new(Pump)
	p.end.watch.Store(&watch{signal: signal})
	return p
}

// Endpoint returns the pump's end of a queue. It is no socket's.
func (p *Pump) Endpoint() *Endpoint { return &p.end }

// TryRead moves the bytes that there are to p. n is zero at the end of the
// stream. WSAEWOULDBLOCK, or the connection's error.
func (q *Queue) TryRead(p []byte) (n int, errno spi.Errno) {
	n, _, errno = q.tryReceive(p, nil)
	return n, errno
}

// TryReadDatagram moves a datagram to p and the address that it is for, or from,
// to address. WSAEWOULDBLOCK, WSAEMSGSIZE (p was too small and the rest is
// lost).
func (q *Queue) TryReadDatagram(p, address []byte) (n, addressLen int, errno spi.Errno) {
	return q.tryReceive(p, address)
}

func (q *Queue) tryReceive(p, address []byte) (n, addressLen int, errno spi.Errno) {
	buf := [1]spi.Buf{spi.NewBuf(p)}
	c := cursor{bufs: buf[:]}
	var length int32
	var done finished
	q.mu.Lock()
	errno = q.receive(&c, 0, address, &length, &done)
	if q.writer != nil && q.writable() {
		q.writer.tellWritable(q)
	}
	q.mu.Unlock()
	done.tell()
	return int(c.n), int(length), errno
}

// TryWrite hands bytes of p to the receiver as far as there is room.
// WSAEWOULDBLOCK when n is less than all, WSAECONNRESET when the receiver has
// closed, or the connection's error.
func (q *Queue) TryWrite(p []byte) (n int, errno spi.Errno) { return q.trySend(p, nil) }

// TryWriteDatagram hands one datagram to the receiver. WSAEWOULDBLOCK.
func (q *Queue) TryWriteDatagram(p, address []byte) spi.Errno {
	_, errno := q.trySend(p, address)
	return errno
}

func (q *Queue) trySend(p, address []byte) (int, spi.Errno) {
	buf := [1]spi.Buf{spi.NewBuf(p)}
	c := cursor{bufs: buf[:]}
	var done finished
	q.mu.Lock()
	errno := q.submit(&c, address, &done)
	q.mu.Unlock()
	done.tell()
	return int(c.n), errno
}

// Read waits for bytes and moves them to p: the receiving end of a stream that
// a pump works. n is zero at the end of the stream. The error is the
// connection's, from [Queue.Abort].
func (q *Queue) Read(p []byte) (n int, errno spi.Errno) {
	buf := [1]spi.Buf{spi.NewBuf(p)}
	return q.pump(cursor{bufs: buf[:]}, true, nil, nil)
}

// ReadDatagram waits for a datagram, moves it to p and the address that it is
// for, or from, to address. WSAEMSGSIZE when p was too small and the rest is
// lost.
func (q *Queue) ReadDatagram(p, address []byte) (n, addressLen int, errno spi.Errno) {
	buf := [1]spi.Buf{spi.NewBuf(p)}
	var length int32
	n, errno = q.pump(cursor{bufs: buf[:]}, true, address, &length)
	return n, int(length), errno
}

// Write hands all of p to the receiver, waiting while there is no room: the
// sending end of a stream that a pump works. WSAECONNRESET when the receiver
// has closed.
func (q *Queue) Write(p []byte) spi.Errno {
	buf := [1]spi.Buf{spi.NewBuf(p)}
	_, errno := q.pump(cursor{bufs: buf[:]}, false, nil, nil)
	return errno
}

// WriteDatagram hands one datagram to the receiver.
func (q *Queue) WriteDatagram(p, address []byte) spi.Errno {
	buf := [1]spi.Buf{spi.NewBuf(p)}
	_, errno := q.pump(cursor{bufs: buf[:]}, false, address, nil)
	return errno
}

func (q *Queue) pump(c cursor, receive bool, address []byte, addressLen *int32) (int, spi.Errno) {
	var done finished
	q.mu.Lock()
	var errno spi.Errno
	list := &q.readers
	if receive {
		errno = spi.WSAEWOULDBLOCK
		if q.readers.last == nil || q.finished() {
			errno = q.receive(&c, 0, address, addressLen, &done)
			q.afterReceive()
		}
	} else {
		list = &q.writers
		errno = q.submit(&c, address, &done)
	}
	if errno != spi.WSAEWOULDBLOCK {
		q.mu.Unlock()
		done.tell()
		return int(c.n), errno
	}
	o := newBlocked(c)
	defer o.release()
	o.from, o.fromLen, o.to = address, addressLen, address
	list.push(o)
	q.mu.Unlock()
	done.tell()
	<-o.wake
	return int(o.n), o.errno
}

// submit is send or sendDatagram, and tells a receiving endpoint.
func (q *Queue) submit(c *cursor, address []byte, done *finished) spi.Errno {
	var errno spi.Errno
	if q.datagrams {
		errno = q.sendDatagram(c, address, done)
	} else {
		errno = q.send(c, done)
	}
	if q.reader != nil && q.hasData() {
		q.reader.tellReadable(q)
	}
	return errno
}

// afterReceive tells the ends what a receiving call changed: it enables FD_READ
// for the receiver, and the sender may have room.
func (q *Queue) afterReceive() {
	if q.reader != nil {
		q.reader.rearmRead(q)
	}
	if q.writer != nil && q.writable() {
		q.writer.tellWritable(q)
	}
}

// End marks the end of the stream: the receiver finds it after the bytes that
// were sent. Further sending gives WSAESHUTDOWN.
func (q *Queue) End() {
	var done finished
	q.mu.Lock()
	q.ended = true
	q.serve(&done)
	if q.reader != nil {
		q.reader.tellReadable(q)
	}
	q.mu.Unlock()
	done.tell()
}

// Refuse ends reception: what is held is dropped, receiving gives WSAESHUTDOWN
// and sending WSAECONNRESET. It reports whether anything was dropped.
func (q *Queue) Refuse() (dropped bool) {
	var done finished
	q.mu.Lock()
	dropped = q.ring.n > 0 || q.writers.last != nil
	q.refused = true
	q.drop()
	done.takeAll(&q.readers, spi.WSAESHUTDOWN)
	if q.datagrams {
		done.takeAll(&q.writers, 0)
	} else {
		done.takeAll(&q.writers, spi.WSAECONNRESET)
	}
	q.tellBoth()
	q.mu.Unlock()
	done.tell()
	return dropped
}

// Abort breaks the connection: what is held is dropped, and every waiting or
// later call at either end gives errno. The first Abort counts.
func (q *Queue) Abort(errno spi.Errno) {
	var done finished
	q.mu.Lock()
	if q.err == 0 {
		q.err = errno
		q.drop()
		done.takeAll(&q.readers, errno)
		done.takeAll(&q.writers, errno)
		q.tellBoth()
	}
	q.mu.Unlock()
	done.tell()
}

// Break breaks the connection towards the receiver, who gets what is held before
// errno. It is for a stream whose sender is a pump.
func (q *Queue) Break(errno spi.Errno) {
	q.mu.Lock()
	held := q.ring.n > 0 && q.err == 0 && !q.refused
	if held {
		q.ended, q.last = true, errno
	}
	q.mu.Unlock()
	if !held {
		q.Abort(errno)
	}
}

func (q *Queue) drop() {
	q.ring.discard(q.ring.n)
	q.records = 0
}

func (q *Queue) tellBoth() {
	if q.reader != nil {
		q.reader.tellReadable(q)
	}
	if q.writer != nil {
		q.writer.tellWritable(q)
	}
}

// setLimit changes how much the queue holds.
func (q *Queue) setLimit(bytes uint32) {
	var done finished
	q.mu.Lock()
	q.limit = max(bytes, smallestLimit)
	q.refill(&done)
	q.serve(&done)
	if q.writer != nil && q.writable() {
		q.writer.tellWritable(q)
	}
	q.mu.Unlock()
	done.tell()
}

// smallestLimit keeps a queue of no buffer at all from waiting for ever.
const smallestLimit = 1 << 10
