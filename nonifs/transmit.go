package nonifs

import (
	"math/bits"
	"unsafe"

	"upcall.dev/spi"
)

// piece is memory or a part of a file, to be sent.
type piece struct {
	memory []byte
	file   uintptr
	offset int64 // in the file; -1 is its position
	length int64 // of the file's part; -1 is the rest of it
	isFile bool
	end    bool // of a datagram
}

// transmission sends pieces, in a goroutine of its own or in the call. On a
// stream its op stays in the queue's list of senders from beginning to end, so
// that what is sent later stays behind it; the goroutine gives the op one part
// after the other.
type transmission struct {
	e     *Endpoint
	parts parts
	flags uint32

	more chan struct{} // the op has its turn, and nothing to send
	over chan struct{} // the op has left the list

	// The queue's lock guards the next.
	sent uint32 // of the parts before this one
	last bool   // the op has its last part
}

// defaultPart is how much of a file is read at once.
const (
	defaultPart = 64 << 10
	largestPart = 1 << 20
)

// transmitFlags are those that TransmitFile and TransmitPackets know.
const transmitFlags = spi.TF_DISCONNECT | spi.TF_REUSE_SOCKET | spi.TF_WRITE_BEHIND | spi.TF_USE_SYSTEM_THREAD | spi.TF_USE_KERNEL_APC

// transmitFile is TransmitFile.
func (b *Base) transmitFile(s spi.Socket, file uintptr, toWrite, perSend uint32, ov *spi.Overlapped, around *spi.TransmitFileBuffers, flags uint32) spi.Errno {
	var pieces []piece
	if around != nil && around.HeadLength > 0 {
		if around.Head == nil {
			return spi.WSAEFAULT
		}
		pieces = append(pieces, piece{memory: unsafe.Slice(around.Head, around.HeadLength)})
	}
	if file != 0 && file != ^uintptr(0) {
		p := piece{isFile: true, file: file, offset: -1, length: -1}
		if ov != nil {
			p.offset = int64(uint64(ov.OffsetHigh)<<32 | uint64(ov.Offset))
		}
		if toWrite > 0 {
			p.length = int64(toWrite)
		}
		pieces = append(pieces, p)
	}
	if around != nil && around.TailLength > 0 {
		if around.Tail == nil {
			return spi.WSAEFAULT
		}
		pieces = append(pieces, piece{memory: unsafe.Slice(around.Tail, around.TailLength)})
	}
	h, errno := b.handles.Lookup(s)
	if errno != 0 {
		return errno
	}
	if h.Value.datagram {
		return spi.WSAEOPNOTSUPP
	}
	return b.transmit(h, pieces, perSend, ov, flags)
}

// transmitPackets is TransmitPackets.
func (b *Base) transmitPackets(s spi.Socket, elements []spi.TransmitPacketsElement, perSend uint32, ov *spi.Overlapped, flags uint32) spi.Errno {
	h, errno := b.handles.Lookup(s)
	if errno != 0 {
		return errno
	}
	pieces := make([]piece, len(elements))
	for i := range elements {
		p := &pieces[i]
		p.end = elements[i].ElFlags&spi.TP_ELEMENT_EOP != 0
		memory, isMemory := elements[i].Memory()
		file, offset, isFile := elements[i].File()
		switch {
		case isMemory == isFile, elements[i].ElFlags&^(spi.TP_ELEMENT_MEMORY|spi.TP_ELEMENT_FILE|spi.TP_ELEMENT_EOP) != 0:
			return spi.WSAEINVAL
		case isMemory:
			p.memory = memory
		default:
			p.isFile, p.file, p.offset, p.length = true, file, offset, int64(elements[i].Length)
			if p.length == 0 {
				p.length = -1
			}
		}
	}
	if h.Value.datagram {
		return b.transmitDatagrams(h, pieces, ov, flags)
	}
	return b.transmit(h, pieces, perSend, ov, flags)
}

// transmit sends pieces on a stream.
func (b *Base) transmit(h *Handle[Endpoint], pieces []piece, perSend uint32, ov *spi.Overlapped, flags uint32) spi.Errno {
	e := h.Value
	q := e.tx.Load()
	switch {
	case flags&^transmitFlags != 0, flags&spi.TF_REUSE_SOCKET != 0 && flags&spi.TF_DISCONNECT == 0:
		return spi.WSAEINVAL
	case q == nil:
		return spi.WSAENOTCONN
	}
	o, errno := b.begin(h, ov, nil, nil)
	if errno != 0 {
		return errno
	}
	t := newTransmission(e, pieces, perSend, flags)
	o = h.waiting(o, cursor{})
	o.then = t
	var done finished
	q.mu.Lock()
	if errno = q.sendable(); errno == 0 {
		errno = o.listIn(&q.writers)
	}
	if errno == 0 && q.writers.first() == o {
		t.wantMore()
	}
	q.mu.Unlock()
	done.tell()
	switch {
	case errno != 0:
		return b.refused(o, errno)
	case ov == nil:
		t.run(q, o)
		errno = o.errno
		o.release()
		return errno
	}
	b.transfers.Go(func() {
		t.run(q, o)
		o.finish()
	})
	return spi.WSA_IO_PENDING
}

// sendable tells why nothing can be sent. The caller holds mu.
func (q *Queue) sendable() spi.Errno {
	switch {
	case q.ended:
		return spi.WSAESHUTDOWN
	case q.err != 0:
		return q.err
	case q.refused:
		return spi.WSAECONNRESET
	}
	return 0
}

// proceed implements continuation: the goroutine ends the op.
func (t *transmission) proceed(*op) bool {
	t.over <- struct{}{}
	return true
}

// wantMore tells the goroutine that the op has its turn and nothing to send.
func (t *transmission) wantMore() {
	select {
	case t.more <- struct{}{}:
	default:
	}
}

func newTransmission(e *Endpoint, pieces []piece, perSend, flags uint32) *transmission {
	t := &transmission{e: e, flags: flags, more: make(chan struct{}, 1), over: make(chan struct{}, 1)}
	t.parts = parts{pieces: pieces, size: defaultPart}
	if perSend > 0 {
		t.parts.size = int(min(perSend, largestPart))
	}
	return t
}

// run sends the pieces. When it returns the op is in no list, and has its
// outcome.
func (t *transmission) run(q *Queue, o *op) {
	defer t.parts.free()
	for {
		select {
		case <-t.over:
			o.n += t.sent
			if o.errno == 0 && t.flags&spi.TF_DISCONNECT != 0 {
				o.errno = t.e.disconnect(t.flags&spi.TF_REUSE_SOCKET != 0)
			}
			return
		case <-t.more:
		}
		// The wish may be an old one: only this goroutine gives the op something.
		q.mu.Lock()
		want := o.list != nil && o.left() == 0 && !t.last
		q.mu.Unlock()
		if !want {
			continue
		}
		part, last, errno := t.parts.next()
		var done finished
		q.mu.Lock()
		switch {
		case o.list == nil: // over comes
		case errno != 0:
			done.take(&q.writers, o, errno)
		default:
			t.sent += o.n
			t.last = last
			o.use(part)
			q.refill(&done)
			q.serve(&done)
			if q.reader != nil && q.hasData() {
				q.reader.tellReadable(q)
			}
		}
		q.mu.Unlock()
		done.tell()
	}
}

// transmitDatagrams sends pieces on a datagram socket to its peer.
func (b *Base) transmitDatagrams(h *Handle[Endpoint], pieces []piece, ov *spi.Overlapped, flags uint32) spi.Errno {
	e := h.Value
	if flags&^transmitFlags != 0 || flags&(spi.TF_DISCONNECT|spi.TF_REUSE_SOCKET) != 0 {
		return spi.WSAEINVAL
	}
	if _, _, errno := e.route(nil, spi.WSAENOTCONN, nil); errno != 0 {
		return errno
	}
	o, errno := b.begin(h, ov, nil, nil)
	if errno != 0 {
		return errno
	}
	if o != nil && !h.Begin() {
		return b.refused(o, spi.WSAENOTSOCK)
	}
	t := newTransmission(e, pieces, 0, flags)
	o = h.waiting(o, cursor{})
	o.then = t
	if ov == nil {
		t.runDatagrams(o)
		errno = o.errno
		o.release()
		return errno
	}
	b.transfers.Go(func() {
		t.runDatagrams(o)
		o.finish()
	})
	return spi.WSA_IO_PENDING
}

// runDatagrams sends one datagram after the other.
func (t *transmission) runDatagrams(o *op) {
	defer t.parts.free()
	var datagram []byte
	for last := false; !last; {
		var part []byte
		var end bool
		var errno spi.Errno
		if part, last, errno = t.parts.next(); errno != 0 {
			o.errno = errno
			return
		}
		end = t.parts.ended
		datagram = append(datagram, part...)
		if len(datagram) > longestTransmitted {
			o.errno = spi.WSAEMSGSIZE
			return
		}
		if !end && !last {
			continue
		}
		if !end && len(datagram) == 0 {
			break // nothing after the latest end
		}
		if o.errno = t.sendDatagram(o, datagram); o.errno != 0 {
			return
		}
		datagram = datagram[:0]
	}
	o.n = t.sent
}

// longestTransmitted bounds what is put together for one datagram.
const longestTransmitted = 64 << 10

func (t *transmission) sendDatagram(o *op, datagram []byte) spi.Errno {
	buf := spi.NewBuf(datagram)
	q, address, errno := t.e.route(nil, spi.WSAENOTCONN, []spi.Buf{buf})
	if errno != 0 {
		return errno
	}
	o.use(datagram)
	o.captureAddress(address)
	var done finished
	q.mu.Lock()
	switch errno = q.submit(&o.cursor, o.to, &done); {
	case o.handle.closed():
		errno = o.aborted()
	case errno == spi.WSAEWOULDBLOCK:
		q.writers.push(o)
	}
	q.mu.Unlock()
	done.tell()
	if errno == spi.WSAEWOULDBLOCK {
		<-t.over
		errno = o.errno
	}
	t.sent += uint32(len(datagram))
	return errno
}

// parts reads pieces bit by bit.
type parts struct {
	pieces []piece
	size   int   // bytes that are read from a file at once
	read   int64 // of the first piece, which is a file
	ended  bool  // the latest part ended a datagram
	buf    *byte // of the class of size; nil before the first file
}

// next returns the next part, which is good until the next call. The last one
// may be empty.
func (p *parts) next() (part []byte, last bool, errno spi.Errno) {
	p.ended = false
	if len(p.pieces) == 0 {
		return nil, true, 0
	}
	first := &p.pieces[0]
	if !first.isFile {
		p.ended = first.end
		p.pieces = p.pieces[1:]
		return first.memory, len(p.pieces) == 0, 0
	}
	if p.buf == nil {
		p.buf = takeBuffer(p.class())
	}
	room := int64(p.size)
	if first.length >= 0 {
		room = min(room, first.length-p.read)
	}
	b := unsafe.Slice(p.buf, 1<<p.class())[:room]
	at := first.offset
	if at >= 0 {
		at += p.read
	}
	n := 0
	if room > 0 {
		if n, errno = readFile(first.file, b, at); errno != 0 {
			return nil, true, errno
		}
	}
	p.read += int64(n)
	if n == 0 || p.read == first.length {
		p.ended = first.end
		p.pieces, p.read = p.pieces[1:], 0
		last = len(p.pieces) == 0
	}
	return b[:n], last, 0
}

func (p *parts) class() uint8 { return max(uint8(bits.Len(uint(p.size-1))), smallestClass) }

// free gives the buffer back. Nobody reads the latest part any more.
func (p *parts) free() {
	if p.buf != nil {
		ringPools[p.class()].Put(p.buf)
		p.buf = nil
	}
}
