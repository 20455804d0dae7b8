package isolate

import (
	"math"
	"sync"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// burst joins the segments of a connection that the stack sends at once to one
// packet, larger than a packet of IP can be (what Linux calls BIG TCP): the kernels
// at both ends of the link have each packet's work once for all of them.
type burst struct {
	link *link
	mark uint32 // of the connection's packets

	mu      sync.Mutex // guards what follows; taken with the stack's end locked; a leaf lock
	holding bool
	held    []*stack.PacketBuffer
	size    int // of the data in held, in bytes
}

// mostJoined is how many segments are joined at most. What they are sent with must
// have no more than 1024 parts (IOV_MAX), and a segment may have two.
const mostJoined = 500

// newBurst returns the burst of the packets that the stack will give its mark.
func (l *link) newBurst() *burst {
	for {
		b := &burst{link: l, mark: l.marks.Add(1)}
		if b.mark == 0 {
			continue
		}
		if _, taken := l.bursts.LoadOrStore(b.mark, b); !taken {
			return b
		}
	}
}

// end forgets the burst: packets with its mark are sent as they come.
func (b *burst) end() {
	b.release()
	b.link.bursts.Delete(b.mark)
}

// hold holds back what has data from now on, until release.
func (b *burst) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.holding = b.link.largest.Load() > 0
}

// release sends what was held back.
func (b *burst) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.holding = false
	b.flush()
}

// write sends a packet, now or later. What was held back goes before it.
func (b *burst) write(pkt *stack.PacketBuffer) unix.Errno {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.joins(pkt) {
		b.flush()
	}
	if !b.holding || !carriesData(pkt) {
		return b.link.write(pkt)
	}
	b.held = append(b.held, pkt.IncRef())
	b.size += pkt.Data().Size()
	return 0
}

// carriesData reports whether a segment is one that others may follow in one packet.
func carriesData(pkt *stack.PacketBuffer) bool {
	return pkt.Data().Size() > 0 && tcpOf(pkt).Flags()&^header.TCPFlagPsh == header.TCPFlagAck
}

// joins reports whether a packet goes on where those that are held end.
func (b *burst) joins(pkt *stack.PacketBuffer) bool {
	if len(b.held) == 0 {
		return true
	}
	first, last := b.held[0], b.held[len(b.held)-1]
	return carriesData(pkt) && len(b.held) < mostJoined &&
		tcpOf(pkt).SequenceNumber() == tcpOf(first).SequenceNumber()+uint32(b.size) &&
		headerSize(pkt) == headerSize(first) &&
		last.Data().Size() == first.Data().Size() && pkt.Data().Size() <= first.Data().Size() &&
		headerSize(pkt)+b.size+pkt.Data().Size() < int(b.link.largest.Load())
}

func tcpOf(pkt *stack.PacketBuffer) header.TCP { return header.TCP(pkt.TransportHeader().Slice()) }

func headerSize(pkt *stack.PacketBuffer) int {
	return len(pkt.NetworkHeader().Slice()) + len(pkt.TransportHeader().Slice())
}

// flush sends what is held: as one packet, or one by one where the kernel does not
// take that: before Linux 6.6, or without memory.
func (b *burst) flush() {
	whole := false
	if len(b.held) > 1 {
		errno := b.link.send(joined(b.held, b.size))
		if whole = errno == 0; errno == unix.EMSGSIZE {
			b.link.largest.Store(0)
		}
	}
	for _, pkt := range b.held {
		if !whole {
			_ = b.link.write(pkt)
		}
	}
	for _, pkt := range b.held {
		pkt.DecRef()
	}
	clear(b.held)
	b.held, b.size = b.held[:0], 0
}

// joined returns the packet that says what segments say, with the acknowledgement
// of the last. Where its length is more than the field of IP takes, that is 0, and
// the kernel knows it from the size of the segments.
func joined(all []*stack.PacketBuffer, size int) frame {
	first, last := all[0], all[len(all)-1]
	ip := header.IPv4(append([]byte(nil), last.NetworkHeader().Slice()...))
	tcp := header.TCP(append([]byte(nil), tcpOf(last)...))
	tcp.SetSequenceNumber(tcpOf(first).SequenceNumber())

	ip.SetTotalLength(0)
	if length := len(ip) + len(tcp) + size; length <= math.MaxUint16 {
		ip.SetTotalLength(uint16(length))
	}
	ip.SetChecksum(0)
	ip.SetChecksum(^ip.CalculateChecksum())
	setPartial(tcp, ip.SourceAddress(), ip.DestinationAddress(), len(tcp)+size)
	f := frame{protocol: header.IPv4ProtocolNumber, network: len(ip), transport: len(tcp), checksum: header.TCPChecksumOffset, segment: first.Data().Size(), parts: [][]byte{ip, tcp}}
	for _, pkt := range all {
		f.parts = append(f.parts, dataOf(pkt)...)
	}
	return f
}

// dataOf returns what follows a packet's headers.
func dataOf(pkt *stack.PacketBuffer) [][]byte {
	parts := pkt.AsSlices()
	for skip := headerSize(pkt); skip > 0; {
		n := min(skip, len(parts[0]))
		skip -= n
		if parts[0] = parts[0][n:]; len(parts[0]) == 0 {
			parts = parts[1:]
		}
	}
	return parts
}
