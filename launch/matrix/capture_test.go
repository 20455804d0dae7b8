package matrix

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// packet is what a captured packet says of itself.
type packet struct {
	loopback bool // seen on the loopback device
	kind     string
	from, to netip.AddrPort // ports are 0 where there are none
	detail   string
}

func (p packet) String() string {
	device := "link"
	if p.loopback {
		device = "lo"
	}
	return fmt.Sprintf("%s %s %v → %v %s", device, p.kind, p.from, p.to, p.detail)
}

// decode reads a packet without its link header.
func decode(protocol uint16, b []byte) packet {
	address := func(a tcpip.Address) netip.Addr {
		ip, _ := netip.AddrFromSlice(a.AsSlice())
		return ip
	}
	var p packet
	var from, to netip.Addr
	var transport tcpip.TransportProtocolNumber
	var rest []byte
	switch {
	case protocol == unix.ETH_P_ARP && len(b) >= header.ARPSize:
		arp := header.ARP(b)
		from, to = netip.AddrFrom4([4]byte(arp.ProtocolAddressSender())), netip.AddrFrom4([4]byte(arp.ProtocolAddressTarget()))
		return packet{kind: "ARP", from: netip.AddrPortFrom(from, 0), to: netip.AddrPortFrom(to, 0)}
	case protocol == unix.ETH_P_IP && len(b) >= header.IPv4MinimumSize && int(header.IPv4(b).HeaderLength()) <= len(b):
		ip := header.IPv4(b)
		from, to, transport, rest = address(ip.SourceAddress()), address(ip.DestinationAddress()), ip.TransportProtocol(), b[ip.HeaderLength():]
		if ip.FragmentOffset() > 0 {
			return packet{kind: "IPv4 fragment", from: netip.AddrPortFrom(from, 0), to: netip.AddrPortFrom(to, 0)}
		}
	case protocol == unix.ETH_P_IPV6 && len(b) >= header.IPv6MinimumSize:
		ip := header.IPv6(b)
		from, to, transport, rest = address(ip.SourceAddress()), address(ip.DestinationAddress()), tcpip.TransportProtocolNumber(ip.NextHeader()), b[header.IPv6MinimumSize:]
		if ip.NextHeader() == 0 && len(rest) >= 8 { // hop-by-hop options, as multicast listener reports have them
			transport, rest = tcpip.TransportProtocolNumber(rest[0]), rest[min(len(rest), 8+8*int(rest[1])):]
		}
	default:
		return packet{kind: fmt.Sprintf("protocol %#04x", protocol), detail: fmt.Sprintf("%.64x", b)}
	}
	var source, target uint16
	switch {
	case transport == header.TCPProtocolNumber && len(rest) >= header.TCPMinimumSize:
		tcp := header.TCP(rest)
		p.kind, source, target, p.detail = "TCP", tcp.SourcePort(), tcp.DestinationPort(), tcp.Flags().String()
	case transport == header.UDPProtocolNumber && len(rest) >= header.UDPMinimumSize:
		udp := header.UDP(rest)
		p.kind, source, target, p.detail = "UDP", udp.SourcePort(), udp.DestinationPort(), fmt.Sprintf("%.80q", udp.Payload())
	case transport == header.ICMPv6ProtocolNumber && len(rest) >= header.ICMPv6MinimumSize:
		p.kind, p.detail = "ICMPv6", fmt.Sprint("type ", rest[0])
		switch kind := header.ICMPv6Type(rest[0]); {
		case (kind == header.ICMPv6NeighborSolicit || kind == header.ICMPv6NeighborAdvert) && len(rest) >= 24:
			p.kind = "neighbour"
			to = netip.AddrFrom16([16]byte(rest[8:24])) // the one that is asked for, or tells of itself
		case kind == 143: // what the kernel listens to by itself
			p.kind = "multicast report"
		}
	case transport == header.ICMPv4ProtocolNumber && len(rest) >= header.ICMPv4MinimumSize:
		p.kind, p.detail = "ICMP", fmt.Sprint("type ", rest[0])
		if header.ICMPv4Type(rest[0]) == header.ICMPv4DstUnreachable && len(rest) > header.ICMPv4MinimumSize {
			of := decode(unix.ETH_P_IP, rest[header.ICMPv4MinimumSize:]) // what was sent the other way
			if of.to.Addr() == from && of.from.Addr() == to {
				p.kind, source, target, p.detail = of.kind, of.to.Port(), of.from.Port(), "unreachable"
			}
		}
	default:
		p.kind = fmt.Sprint("IP protocol ", transport)
	}
	p.from, p.to = netip.AddrPortFrom(from, source), netip.AddrPortFrom(to, target)
	return p
}

// capture reads every packet of every device of a network namespace.
type capture struct {
	file   *os.File
	ring   []byte // shared with the kernel
	handle func(packet)
	ended  chan struct{}

	mu      sync.Mutex // guards marks
	marks   uint16     // how many markers have been seen
	arrived *sync.Cond // marks has changed; on mu
}

// marker is where the tests themselves send a datagram, to learn that all that
// went before has been captured.
var marker = netip.MustParseAddr("203.0.113.77")

// openCapture begins to capture the namespace of the calling thread. handle is
// called with each packet, one at a time.
func openCapture(t *testing.T, handle func(packet)) *capture {
	t.Helper()
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0) // nothing until it is bound
	if err != nil {
		t.Fatal(err)
	}
	c := &capture{file: os.NewFile(uintptr(fd), "packets"), handle: handle, ended: make(chan struct{})}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V2); err != nil {
		t.Fatal(err)
	}
	ring := unix.TpacketReq{Block_size: ringBlock, Block_nr: ringSize / ringBlock, Frame_size: ringFrame, Frame_nr: ringSize / ringFrame}
	if err := unix.SetsockoptTpacketReq(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &ring); err != nil {
		t.Fatal(err)
	}
	if c.ring, err = unix.Mmap(fd, 0, ringSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL})}); err != nil {
		t.Fatal(err)
	}
	c.arrived = sync.NewCond(&c.mu)
	go func() {
		defer close(c.ended)
		c.read()
	}()
	t.Cleanup(func() {
		c.file.Close()
		<-c.ended
		_ = unix.Munmap(c.ring)
	})
	return c
}

// The ring is where the kernel puts packets, each in a frame, of which it keeps
// what fits: all headers.
const (
	ringFrame = 256
	ringBlock = 1 << 18
	ringSize  = 32 << 20
)

func (c *capture) read() {
	raw, err := c.file.SyscallConn()
	if err != nil {
		return
	}
	for at := 0; ; at = (at + ringFrame) % ringSize {
		frame := c.ring[at : at+ringFrame]
		head := (*unix.Tpacket2Hdr)(unsafe.Pointer(&frame[0]))
		err := raw.Read(func(uintptr) bool { return atomic.LoadUint32(&head.Status)&unix.TP_STATUS_USER != 0 })
		if err != nil {
			return
		}
		link := (*unix.RawSockaddrLinklayer)(unsafe.Pointer(&frame[linkAt]))
		protocol := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, link.Protocol))
		p := decode(protocol, frame[head.Net:min(ringFrame, int(head.Net)+int(head.Snaplen))])
		p.loopback = link.Hatype == unix.ARPHRD_LOOPBACK
		atomic.StoreUint32(&head.Status, unix.TP_STATUS_KERNEL)
		if p.kind == "UDP" && p.to.Addr() == marker {
			c.mu.Lock()
			c.marks++
			c.mu.Unlock()
			c.arrived.Broadcast()
			continue
		}
		c.handle(p)
	}
}

// linkAt is where a frame has its sockaddr_ll: after its header, which is aligned
// to 16 bytes.
const linkAt = (int(unsafe.Sizeof(unix.Tpacket2Hdr{})) + 15) &^ 15

// drops returns how many packets the kernel could not give to the capture since
// the last call.
func (c *capture) drops(t *testing.T) (n uint32) {
	t.Helper()
	raw, err := c.file.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			stats, err := unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS)
			if err != nil {
				t.Error(err)
				return
			}
			n = stats.Drops
		})
	}
	if err != nil {
		t.Error(err)
	}
	return n
}

// settle waits until all that has been sent so far is captured. send sends a
// datagram to the marker's address.
func (c *capture) settle(t *testing.T, send func()) {
	t.Helper()
	c.mu.Lock()
	before := c.marks
	c.mu.Unlock()
	send()
	late := time.AfterFunc(patience, c.arrived.Broadcast)
	defer late.Stop()
	end := time.Now().Add(patience)
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.marks == before && time.Now().Before(end) {
		c.arrived.Wait()
	}
	if c.marks == before {
		t.Error("the capture has not seen the marker")
	}
}
