package isolate

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

func udpPacket(t testing.TB, from, to string, payload []byte) []byte {
	t.Helper()
	source, destination := netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)
	network := networkHeader(header.UDPProtocolNumber, tcpip.AddrFromSlice(source.Addr().AsSlice()), tcpip.AddrFromSlice(destination.Addr().AsSlice()), header.UDPMinimumSize+len(payload))
	transport := header.UDP(make([]byte, header.UDPMinimumSize))
	transport.Encode(&header.UDPFields{SrcPort: source.Port(), DstPort: destination.Port(), Length: uint16(header.UDPMinimumSize + len(payload))})
	return bytes.Join([][]byte{network, transport, payload}, nil)
}

func TestSegments(t *testing.T) {
	for _, addresses := range [][2]string{{"192.0.0.2:1000", "192.0.2.1:53"}, {"[fd00::2]:1000", "[fd00::9]:53"}} {
		payload := bytes.Repeat([]byte("0123456789"), 25)
		var joined []byte
		n := 0
		for segment := range segments(udpPacket(t, addresses[0], addresses[1], payload), 100) {
			start := len(segment) - min(100, len(payload)-n*100)
			transport := header.UDP(segment[start-header.UDPMinimumSize:])
			if int(transport.Length()) != len(transport) || transport.DestinationPort() != 53 {
				t.Errorf("segment %d: %v", n, transport)
			}
			length := start - header.UDPMinimumSize
			if header.IPVersion(segment) == header.IPv4Version && int(header.IPv4(segment).TotalLength()) != len(segment) ||
				header.IPVersion(segment) == header.IPv6Version && int(header.IPv6(segment).PayloadLength()) != len(segment)-length {
				t.Errorf("segment %d has a wrong length: %v", n, segment)
			}
			joined = append(joined, segment[start:]...)
			n++
		}
		if n != 3 || !bytes.Equal(joined, payload) {
			t.Errorf("%d segments with %q", n, joined)
		}
	}
}

// A program that is root in its namespace sends what it likes.
func FuzzDeliver(f *testing.F) {
	framed := func(protocol uint16, segmentation byte, size uint16, packet []byte) []byte {
		b := make([]byte, framingSize)
		b[vnetSegmentation] = segmentation
		binary.LittleEndian.PutUint16(b[vnetSegmentSize:], size)
		binary.BigEndian.PutUint16(b[vnetHeaderSize+12:], protocol)
		return append(b, packet...)
	}
	four, six := udpPacket(f, "192.0.0.2:1000", "192.0.2.1:53", []byte("query")), udpPacket(f, "[fd00::2]:1000", "[fd00::9]:53", []byte("query"))
	f.Add(framed(uint16(header.IPv4ProtocolNumber), 0, 0, four))
	f.Add(framed(uint16(header.IPv6ProtocolNumber), 0, 0, six))
	f.Add(framed(uint16(header.IPv4ProtocolNumber), vnetSegmentedUDP, 2, four))
	f.Add(framed(uint16(header.IPv6ProtocolNumber), vnetSegmentedUDP, 2, six))
	unreachable := append([]byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0, 192, 0, 0, 2, 192, 0, 2, 1, 3, 3, 0, 0, 0, 0, 0, 0}, four...)
	f.Add(framed(uint16(header.IPv4ProtocolNumber), 0, 0, unreachable))
	f.Fuzz(func(t *testing.T, framed []byte) {
		l := &link{fd: -1, closed: func(netip.AddrPort) {}, dispatcher: discard{}}
		l.deliver(framed)
	})
}

// discard takes packets of a link and looks at none.
type discard struct{}

func (discard) DeliverNetworkPacket(tcpip.NetworkProtocolNumber, *stack.PacketBuffer) {}
func (discard) DeliverLinkPacket(tcpip.NetworkProtocolNumber, *stack.PacketBuffer)    {}

func TestControlNamesWhoHasClosed(t *testing.T) {
	var closed []netip.AddrPort
	l := &link{closed: func(source netip.AddrPort) { closed = append(closed, source) }}
	four := udpPacket(t, "192.0.2.1:53", "192.0.0.2:1000", []byte("answer"))
	l.control(append([]byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0, 192, 0, 0, 2, 192, 0, 2, 1, 3, 3, 0, 0, 0, 0, 0, 0}, four...))
	l.control(append([]byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0, 192, 0, 0, 2, 192, 0, 2, 1, 8, 0, 0, 0, 0, 0, 0, 0}, four...))
	if len(closed) != 1 || closed[0].String() != "192.0.0.2:1000" {
		t.Errorf("closed: %v", closed)
	}
}
