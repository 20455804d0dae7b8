package isolate

import (
	"net/netip"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// What is recorded is seen through another mapping, and slots are used again.
func TestFlows(t *testing.T) {
	f, file, err := newFlows()
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	defer file.Close()
	other, err := mapFlows(int(file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()
	pairs := [][2]netip.AddrPort{
		{netip.MustParseAddrPort("192.0.0.2:40000"), netip.MustParseAddrPort("192.0.2.1:443")},
		{netip.MustParseAddrPort("[fd00::2]:40001"), netip.MustParseAddrPort("[2001:db8::1]:80")},
	}
	for round := range 3 {
		slots := map[int]int{}
		for i, p := range pairs {
			slots[f.add(p[0], p[1])] = i
		}
		for slot, i := range slots {
			program, peer, ok := other.at(slot)
			if !ok || program != pairs[i][0] || peer != pairs[i][1] {
				t.Errorf("round %d: slot %d has %v, %v, %v, want %v", round, slot, program, peer, ok, pairs[i])
			}
			f.remove(slot)
			if _, _, ok := other.at(slot); ok {
				t.Errorf("round %d: slot %d is still there", round, slot)
			}
		}
	}
	if f.used != len(pairs) {
		t.Errorf("%d slots have been used for %d connections at a time", f.used, len(pairs))
	}
	for range maxRecorded + 1 {
		f.remove(f.add(pairs[0][0], pairs[0][1]))
	}
	for range maxRecorded {
		f.add(pairs[0][0], pairs[0][1])
	}
	if slot := f.add(pairs[0][0], pairs[0][1]); slot != -1 {
		t.Errorf("a connection too many has slot %d", slot)
	}
	f.remove(-1)
}

func tcpPacket(from, to string, flags header.TCPFlags, sequence, ack uint32, data string) []byte {
	source, destination := netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)
	s := segment{
		from: tcpip.AddrFromSlice(source.Addr().AsSlice()), to: tcpip.AddrFromSlice(destination.Addr().AsSlice()),
		fromPort: source.Port(), toPort: destination.Port(), sequence: sequence, ack: ack, flags: flags,
	}.packet()
	if header.IPVersion(s) == header.IPv4Version {
		header.IPv4(s).SetTotalLength(uint16(len(s) + len(data)))
	} else {
		header.IPv6(s).SetPayloadLength(uint16(len(s) + len(data) - header.IPv6MinimumSize))
	}
	return append(s, data...)
}

// Replies are resets as RFC 9293 wants them, or say that a port is unreachable.
func TestReplyTo(t *testing.T) {
	for _, at := range [][2]string{{"192.0.0.2:1000", "192.0.2.1:80"}, {"[fd00::2]:1000", "[fd00::9]:80"}} {
		for _, c := range []struct {
			flags          header.TCPFlags
			sequence, ack  uint32
			data           string
			want           header.TCPFlags
			wantSeq, wants uint32
		}{
			{header.TCPFlagAck, 5, 77, "", header.TCPFlagRst, 77, 0},
			{header.TCPFlagAck | header.TCPFlagPsh, 5, 78, "data", header.TCPFlagRst, 78, 0},
			{header.TCPFlagSyn, 1<<32 - 1, 0, "", header.TCPFlagRst | header.TCPFlagAck, 0, 0},
			{header.TCPFlagFin, 9, 0, "abc", header.TCPFlagRst | header.TCPFlagAck, 0, 12},
		} {
			reply := replyTo(tcpPacket(at[0], at[1], c.flags, c.sequence, c.ack, c.data))
			start := header.IPv4MinimumSize
			var source, destination tcpip.Address
			if header.IPVersion(reply) == header.IPv4Version {
				ip := header.IPv4(reply)
				source, destination = ip.SourceAddress(), ip.DestinationAddress()
				if !ip.IsChecksumValid() {
					t.Errorf("%v: the IP checksum is wrong", at)
				}
			} else {
				ip := header.IPv6(reply)
				start, source, destination = header.IPv6MinimumSize, ip.SourceAddress(), ip.DestinationAddress()
			}
			tcp := header.TCP(reply[start:])
			if tcp.Flags() != c.want || tcp.SequenceNumber() != c.wantSeq || tcp.AckNumber() != c.wants || tcp.SourcePort() != 80 || tcp.DestinationPort() != 1000 {
				t.Errorf("%v %v: %v seq %d ack %d, want %v %d %d", at, c.flags, tcp.Flags(), tcp.SequenceNumber(), tcp.AckNumber(), c.want, c.wantSeq, c.wants)
			}
			if sum := checksum.Checksum(tcp, header.PseudoHeaderChecksum(header.TCPProtocolNumber, source, destination, uint16(len(tcp)))); sum != 0xffff {
				t.Errorf("%v %v: the TCP checksum is wrong", at, c.flags)
			}
		}
		if reply := replyTo(tcpPacket(at[0], at[1], header.TCPFlagRst|header.TCPFlagAck, 1, 1, "")); reply != nil {
			t.Errorf("%v: a reset is answered", at)
		}
		if reply := replyTo(udpPacket(t, at[0], at[1], []byte("query"))); reply == nil {
			t.Errorf("%v: a datagram is not answered", at)
		}
	}
}

func FuzzReplyTo(f *testing.F) {
	for _, at := range [][2]string{{"192.0.0.2:1000", "192.0.2.1:80"}, {"[fd00::2]:1000", "[fd00::9]:80"}} {
		f.Add(tcpPacket(at[0], at[1], header.TCPFlagAck, 1, 2, "x"))
		f.Add(udpPacket(f, at[0], at[1], []byte("query")))
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		reply := replyTo(packet)
		if reply != nil && len(reply) < header.IPv4MinimumSize+header.ICMPv4MinimumSize {
			t.Errorf("%x: a reply of %d bytes", packet, len(reply))
		}
	})
}
