package relay

import (
	"math/bits"
	"sync"
	"time"

	"upcall.dev/spi"
)

// packet is what goes from one end of a direction to the other: bytes of a
// stream, a datagram with its address, or the end. Packets are used again.
type packet struct {
	next       *packet
	buf        []byte // of 1<<class bytes: the address, then the data
	addressLen int
	off, n     int // of the data that is left, in buf
	class      uint8
	end        bool
	errno      spi.Errno // why it ended, 0 for the end of the stream
	release    time.Time
}

const (
	smallestClass = 6
	largestClass  = 17 // a datagram and its address
)

var packets [largestClass + 1]sync.Pool

// newPacket returns a packet with a copy of an address and of data.
func newPacket(address, data []byte, release time.Time) *packet {
	size := len(address) + len(data)
	class := uint8(0)
	if size > 0 {
		class = max(uint8(bits.Len(uint(size-1))), smallestClass)
	}
	p, ok := packets[class].Get().(*packet)
	if !ok {
		p = &packet{class: class}
		if size > 0 {
			p.buf = make([]byte, 1<<class)
		}
	}
	p.addressLen = copy(p.buf, address)
	p.off, p.n = p.addressLen, copy(p.buf[p.addressLen:], data)
	p.release = release
	return p
}

func (p *packet) address() []byte { return p.buf[:p.addressLen] }
func (p *packet) data() []byte    { return p.buf[p.off : p.off+p.n] }

// advance drops the first n bytes of the data.
func (p *packet) advance(n int) {
	p.off += n
	p.n -= n
}

func (p *packet) free() {
	*p = packet{buf: p.buf, class: p.class}
	packets[p.class].Put(p)
}

// line holds the packets of one direction of a wire between arrival and
// release. It has no lock: only the wire's step touches it.
type line struct {
	head, tail *packet
	held       int // bytes, with packetCost for each packet
	limit      int
}

// packetCost is what a packet counts for besides its data.
const packetCost = 128

func (p *packet) cost() int { return p.off - p.addressLen + p.n + packetCost }

// room returns the largest data that the line takes. An empty line takes
// anything.
func (l *line) room(largest int) int {
	if l.held == 0 {
		return largest
	}
	return max(0, min(largest, l.limit-l.held-packetCost))
}

func (l *line) put(p *packet) {
	l.held += p.cost()
	if l.head == nil {
		l.head = p
	} else {
		l.tail.next = p
	}
	l.tail = p
}

// due returns the first packet if its time has come.
func (l *line) due(now func() time.Time) *packet {
	p := l.head
	if p == nil || !p.release.IsZero() && p.release.After(now()) {
		return nil
	}
	return p
}

// drop takes the first packet out.
func (l *line) drop() {
	p := l.head
	l.head = p.next
	l.held -= p.cost()
	p.free()
}

// clear drops everything.
func (l *line) clear() {
	for l.head != nil {
		l.drop()
	}
}
