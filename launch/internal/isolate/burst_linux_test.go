package isolate

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// sent is what a program's kernel understands of a packet.
type sent struct {
	sequence, ack uint32
	flags         header.TCPFlags
	data          []byte
}

// outgoing returns the segment as the network stack makes it.
func (s sent) outgoing(mark uint32) *stack.PacketBuffer {
	const optionsSize = 12
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{
		ReserveHeaderBytes: header.IPv4MinimumSize + header.TCPMinimumSize + optionsSize,
		Payload:            buffer.MakeWithData(s.data), Mark: mark,
	})
	tcp := header.TCP(pkt.TransportHeader().Push(header.TCPMinimumSize + optionsSize))
	tcp.Encode(&header.TCPFields{SrcPort: 80, DstPort: 40000, SeqNum: s.sequence, AckNum: s.ack, DataOffset: uint8(len(tcp)), Flags: s.flags})
	pkt.TransportProtocolNumber, pkt.NetworkProtocolNumber = header.TCPProtocolNumber, header.IPv4ProtocolNumber
	ip := header.IPv4(pkt.NetworkHeader().Push(header.IPv4MinimumSize))
	ip.Encode(&header.IPv4Fields{
		TotalLength: uint16(pkt.Size()), TTL: 64, Protocol: uint8(header.TCPProtocolNumber),
		SrcAddr: tcpip.AddrFrom4([4]byte{192, 0, 2, 1}), DstAddr: tcpip.AddrFrom4([4]byte{192, 0, 0, 2}),
	})
	ip.SetChecksum(^ip.CalculateChecksum())
	return pkt
}

// incoming takes a packet apart as the kernel does, and checks it.
func incoming(t *testing.T, framed []byte) (all []sent) {
	t.Helper()
	ip := header.IPv4(framed[framingSize:])
	size := len(ip)
	if ip.CalculateChecksum() != 0xffff {
		t.Fatal("a wrong checksum of IP")
	}
	if want := size; int(ip.TotalLength()) != want && (want < 1<<16 || ip.TotalLength() != 0) {
		t.Fatalf("a packet of %d bytes says %d", want, ip.TotalLength())
	}
	tcp := header.TCP(ip[header.IPv4MinimumSize:])
	sum := uint32(^header.PseudoHeaderChecksum(header.TCPProtocolNumber, ip.SourceAddress(), ip.DestinationAddress(), 0))
	length := uint32(len(tcp))
	for sum = uint32(uint16(^sum)) + length&0xffff + length>>16; sum > 0xffff; {
		sum = sum&0xffff + sum>>16
	}
	if uint32(tcp.Checksum()) != sum {
		t.Fatalf("the sum of the pseudo header is %#x, want %#x", tcp.Checksum(), sum)
	}
	if start := binary.LittleEndian.Uint16(framed[vnetChecksumFrom:]); framed[0] != vnetNeedsChecksum || start != header.EthernetMinimumSize+header.IPv4MinimumSize {
		t.Fatalf("the checksum begins at %d, flags %d", start, framed[0])
	}
	data := tcp[tcp.DataOffset():]
	piece := max(len(data), 1)
	if framed[vnetSegmentation] == vnetSegmentedTCP {
		piece = int(binary.LittleEndian.Uint16(framed[vnetSegmentSize:]))
	} else if size > 1<<16 {
		t.Fatalf("a packet of %d bytes that is not to be segmented", size)
	}
	for at := 0; at == 0 || at < len(data); at += piece {
		all = append(all, sent{tcp.SequenceNumber() + uint32(at), tcp.AckNumber(), tcp.Flags(), data[at:min(at+piece, len(data))]})
	}
	return all
}

// Whatever the stack sends comes, in its order, each segment as it was, but for
// acknowledgements of the same burst that may come earlier; and segments are joined.
func TestBurstsCarryEverySegment(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	const largest = 150 << 10 // less than the pair has room for
	for _, allowed := range []uint32{largest, 0} {
		l := &link{out: pair[0]}
		l.largest.Store(allowed)
		b := l.newBurst()
		random := rand.New(rand.NewPCG(1, 2))
		received := make([]byte, 1<<20)
		sequence, ack, packets, joinedPackets, large := uint32(1<<32-100_000), uint32(0), 0, 0, 0
		for range 300 {
			var want, got []sent
			holds := random.IntN(4) > 0
			if holds {
				b.hold()
			}
			mss := []int{100, 1400, 60000}[random.IntN(3)]
			take := func() {
				for {
					n, err := unix.Read(pair[1], received)
					if err != nil {
						return
					}
					segments := incoming(t, bytes.Clone(received[:n]))
					packets++
					if len(segments) > 1 {
						joinedPackets++
					}
					if n > 1<<16+framingSize {
						large++
					}
					got = append(got, segments...)
				}
			}
			for range random.IntN(12) {
				s := sent{sequence: sequence, ack: ack, flags: header.TCPFlagAck}
				if random.IntN(2) == 0 {
					s.flags |= header.TCPFlagPsh
				}
				switch random.IntN(12) {
				case 0:
					s.flags = header.TCPFlagAck // and no data
				case 1:
					s.flags |= header.TCPFlagFin
				case 2:
					s.sequence -= 5000 // once more
					s.data = bytes.Repeat([]byte{byte(sequence)}, mss)
				case 3:
					s.data = bytes.Repeat([]byte{byte(sequence)}, 1+random.IntN(mss))
				default:
					s.data = bytes.Repeat([]byte{byte(sequence)}, mss)
				}
				sequence += uint32(len(s.data))
				ack += uint32(random.IntN(2))
				want = append(want, s)
				pkt := s.outgoing(b.mark)
				var list stack.PacketBufferList
				list.PushBack(pkt)
				if n, err := l.WritePackets(list); n != 1 || err != nil {
					t.Fatal(n, err)
				}
				list.Reset()
				take()
			}
			b.release()
			take()
			if len(got) != len(want) {
				t.Fatalf("%d segments came of %d", len(got), len(want))
			}
			for i := range want {
				same := got[i].sequence == want[i].sequence && bytes.Equal(got[i].data, want[i].data) && got[i].ack >= want[i].ack &&
					(got[i].flags|header.TCPFlagPsh) == (want[i].flags|header.TCPFlagPsh)
				if !same {
					t.Fatalf("segment %d: got %d+%d, ack %d, %v; want %d+%d, ack %d, %v", i, got[i].sequence, len(got[i].data), got[i].ack, got[i].flags,
						want[i].sequence, len(want[i].data), want[i].ack, want[i].flags)
				}
			}
			if len(want) > 0 && got[len(got)-1].ack != want[len(want)-1].ack {
				t.Fatalf("the last acknowledgement is %d, want %d", got[len(got)-1].ack, want[len(want)-1].ack)
			}
		}
		if (joinedPackets > 0 && large > 0) != (allowed > 0) {
			t.Errorf("where %d bytes may be joined, %d of %d packets were, %d of them large", allowed, joinedPackets, packets, large)
		}
		b.end()
		if _, there := l.bursts.Load(b.mark); there {
			t.Error("a burst that has ended is still there")
		}
	}
}

// A kernel that takes no packets of a size gets the segments one by one, and is not
// asked again.
func TestBurstThatTheKernelDoesNotTake(t *testing.T) {
	in, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := in.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	out, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(out)
	if err := unix.Connect(out, &unix.SockaddrInet4{Port: in.LocalAddr().(*net.UDPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	l := &link{out: out}
	l.largest.Store(largestJoined)
	b := l.newBurst()
	defer b.end()
	for range 2 {
		b.hold()
		const segments, each = 8, 10_000 // more than a datagram has room for
		for i := range segments {
			pkt := sent{sequence: uint32(i * each), flags: header.TCPFlagAck, data: make([]byte, each)}.outgoing(b.mark)
			_ = b.write(pkt)
			pkt.DecRef()
		}
		b.release()
		received := make([]byte, 1<<16)
		for i := range segments {
			n, err := in.Read(received)
			if err != nil {
				t.Fatalf("segment %d: %v", i, err)
			}
			if all := incoming(t, received[:n]); len(all) != 1 || all[0].sequence != uint32(i*each) || len(all[0].data) != each {
				t.Fatalf("segment %d: %d of them, the first %d", i, len(all), all[0].sequence)
			}
		}
		if l.largest.Load() != 0 {
			t.Error("it would be asked again")
		}
	}
}
