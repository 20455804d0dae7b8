package isolate

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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

// inside is set for the test below in namespaces of its own.
const inside = "UPCALL_TEST_INSIDE"

func init() {
	if os.Getenv(inside) != "" {
		runtime.LockOSThread() // the first thread, which never ends, is not the test's
	}
}

// The last packet of a namespace and its end may come at once, and reading ends all
// the same.
func TestLinkEndsWithAPacket(t *testing.T) {
	if os.Getenv(inside) == "" {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestLinkEndsWithAPacket$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=1")
		var err error
		if cmd.SysProcAttr, err = namespaces(); err != nil {
			t.Fatal(err)
		}
		out, err := cmd.CombinedOutput()
		if err != nil && len(out) == 0 {
			t.Skipf("no user namespaces here: %v", err)
		}
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return
	}
	made, send := make(chan linkEnd), make(chan struct{})
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine, and the namespace with the thread
		outer, step, err := isolateNetwork()
		if err != nil {
			t.Errorf("%s: %v", step, err)
		}
		made <- outer
		<-send
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		if err == nil {
			err = unix.Sendto(fd, []byte("last"), 0, &unix.SockaddrInet4{Addr: [4]byte{192, 0, 2, 1}, Port: 9})
			unix.Close(fd)
		}
		if err != nil {
			t.Error(err)
		}
	}()
	outer := <-made
	down := make(chan struct{})
	l, err := newLink(outer, func(netip.AddrPort) {}, func() { close(down) })
	if err != nil {
		t.Fatal(err)
	}
	defer outer.close(guarding)
	close(send)
	deadline := time.Now().Add(20 * time.Second)
	for _, err := indexOf(outer.sockets[guarding], outerEnd.name); err == nil; _, err = indexOf(outer.sockets[guarding], outerEnd.name) {
		if time.Now().After(deadline) {
			t.Fatal("the namespace does not end")
		}
		time.Sleep(time.Millisecond)
	}
	l.Attach(discard{})
	select {
	case <-down:
	case <-time.After(20 * time.Second):
		t.Fatal("reading goes on after the end")
	}
	l.reading.Wait()
	l.close()
}
