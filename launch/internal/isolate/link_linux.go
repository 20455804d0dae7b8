package isolate

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// A packet on the link's socket begins with a virtio_net_hdr (linux/virtio_net.h)
// and an Ethernet header.
const (
	vnetHeaderSize = 10
	framingSize    = vnetHeaderSize + header.EthernetMinimumSize

	vnetNeedsChecksum = 1 // VIRTIO_NET_HDR_F_NEEDS_CSUM
	vnetSegmentedUDP  = 5 // VIRTIO_NET_HDR_GSO_UDP_L4
	vnetSegmentedTCP  = 1 // VIRTIO_NET_HDR_GSO_TCPV4
	vnetSegmentation  = 1 // offsets in it: gso_type
	vnetHeaders       = 2 // hdr_len
	vnetSegmentSize   = 4 // gso_size
	vnetChecksumFrom  = 6 // csum_start
	vnetChecksumAt    = 8 // csum_offset

	ipv4Protocol   = 9 // offsets in network headers
	ipv6NextHeader = 6
)

// The ring in which the kernel leaves packets (TPACKET_V2). A frame takes the
// largest packet with its headers.
const (
	ringFrame       = 65664
	ringBlock       = 1 << 20
	ringPerBlock    = ringBlock / ringFrame
	ringBlocks      = 8
	ringFrames      = ringPerBlock * ringBlocks
	ringLength      = 8  // offsets in a struct tpacket2_hdr: tp_snaplen
	ringStart       = 12 // tp_mac
	statusOfKernel  = 0  // TP_STATUS_KERNEL
	statusOfUser    = 1  // TP_STATUS_USER
	statusTruncated = 2  // TP_STATUS_COPY
)

// link is the outer end of the link to a program's namespace, a packet socket, as
// a device of the network stack.
type link struct {
	fd         int
	file       *os.File // the same, for the poller
	out        int      // the socket for sending
	ring       []byte
	largest    atomic.Uint32           // the largest packet of joined segments, in bytes; 0: none is taken
	bursts     sync.Map                // *burst by its mark
	marks      atomic.Uint32           // the last that was given
	dispatcher stack.NetworkDispatcher // set before reading begins
	reading    sync.WaitGroup
	closed     func(source netip.AddrPort) // called when a datagram has reached nobody
	down       func()                      // called once, when the namespace has gone or reading was stopped
	vanished   atomic.Bool                 // the namespace has gone
	stopped    atomic.Bool                 // reading ends, however much comes
}

var _ stack.LinkEndpoint = (*link)(nil)

// newLink takes over the sockets for receiving and for sending, on success.
func newLink(outer linkEnd, closed func(netip.AddrPort), down func()) (*link, error) {
	fail := func(err error) (*link, error) { return nil, fmt.Errorf("the link of the namespace: %w", err) }
	in, out := outer.sockets[receiving], outer.sockets[sending]
	for _, option := range [][3]int{
		{in, unix.PACKET_VERSION, unix.TPACKET_V2}, {in, unix.PACKET_VNET_HDR, 1},
		{out, unix.PACKET_VNET_HDR, 1}, {out, unix.PACKET_QDISC_BYPASS, 1},
	} {
		if err := unix.SetsockoptInt(option[0], unix.SOL_PACKET, option[1], option[2]); err != nil {
			return fail(err)
		}
	}
	_ = unix.SetsockoptInt(out, unix.SOL_SOCKET, unix.SO_SNDBUF, 8*largestJoined) // or as much as the system allows
	request := unix.TpacketReq{Block_size: ringBlock, Block_nr: ringBlocks, Frame_size: ringFrame, Frame_nr: ringFrames}
	if err := unix.SetsockoptTpacketReq(in, unix.SOL_PACKET, unix.PACKET_RX_RING, &request); err != nil {
		return fail(err)
	}
	ring, err := unix.Mmap(in, 0, ringBlock*ringBlocks, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fail(err)
	}
	l := &link{fd: in, file: os.NewFile(uintptr(in), "packets"), out: out, ring: ring, closed: closed, down: down}
	l.largest.Store(outer.largest)
	return l, nil
}

// stop ends reading.
func (l *link) stop() {
	l.stopped.Store(true)
	_ = l.file.SetReadDeadline(time.Unix(1, 0))
}

// close frees the descriptor, when nobody reads or writes any more.
func (l *link) close() {
	_ = unix.Munmap(l.ring)
	_ = l.file.Close()
	_ = unix.Close(l.out)
}

// Attach starts reading.
func (l *link) Attach(d stack.NetworkDispatcher) {
	if d == nil || l.dispatcher != nil {
		return
	}
	l.dispatcher = d
	l.reading.Go(l.read)
}

// read delivers what the program's namespace sends. Go's poller waits for it: a
// thread that waits by itself keeps a processor, which the runtime's monitor takes
// away from it again and again.
func (l *link) read() {
	defer l.down()
	raw, err := l.file.SyscallConn()
	if err != nil {
		return
	}
	next := 0
	take := func() bool {
		some := l.take(next)
		if some {
			next = (next + 1) % ringFrames
		}
		return some
	}
	_ = raw.Read(func(uintptr) (ended bool) {
		for !l.stopped.Load() && take() {
		}
		// One event may have told of the last packet and of the end.
		return l.hasVanished()
	})
	// What came before the end; who is left may go on sending.
	for n := 0; n < ringFrames && take(); n++ {
	}
}

// take delivers the packet in a frame of the ring, and gives the frame back to the
// kernel. It reports false when none has come.
func (l *link) take(index int) bool {
	frame := l.ring[index/ringPerBlock*ringBlock+index%ringPerBlock*ringFrame:][:ringFrame]
	status := (*uint32)(unsafe.Pointer(&frame[0]))
	now := atomic.LoadUint32(status)
	if now&statusOfUser == 0 {
		return false
	}
	if now&statusTruncated == 0 {
		length, start := binary.NativeEndian.Uint32(frame[ringLength:]), uint32(binary.NativeEndian.Uint16(frame[ringStart:]))
		l.deliver(frame[start-vnetHeaderSize : start+length])
	}
	atomic.StoreUint32(status, statusOfKernel)
	return true
}

// hasVanished reports whether the device has gone, as it does with the namespace at
// its other end.
func (l *link) hasVanished() bool {
	code, err := unix.GetsockoptInt(l.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil || unix.Errno(code) == unix.ENETDOWN {
		l.vanished.Store(true)
	}
	return l.vanished.Load()
}

// deliver gives the stack a copy of a packet.
func (l *link) deliver(framed []byte) {
	if len(framed) <= framingSize {
		return
	}
	packet := framed[framingSize:]
	switch protocol := header.Ethernet(framed[vnetHeaderSize:]).Type(); {
	case protocol == header.IPv4ProtocolNumber && len(packet) > ipv4Protocol && packet[ipv4Protocol] == uint8(header.ICMPv4ProtocolNumber),
		protocol == header.IPv6ProtocolNumber && len(packet) > ipv6NextHeader && packet[ipv6NextHeader] == uint8(header.ICMPv6ProtocolNumber):
		l.control(packet)
	case protocol != header.IPv4ProtocolNumber && protocol != header.IPv6ProtocolNumber:
	case framed[vnetSegmentation] == vnetSegmentedUDP:
		for segment := range segments(packet, int(binary.LittleEndian.Uint16(framed[vnetSegmentSize:]))) {
			l.inject(protocol, buffer.NewViewWithData(segment))
		}
	default:
		l.inject(protocol, buffer.NewViewWithData(packet))
	}
}

func (l *link) inject(protocol tcpip.NetworkProtocolNumber, packet *buffer.View) {
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithView(packet)})
	l.dispatcher.DeliverNetworkPacket(protocol, pkt)
	pkt.DecRef()
}

// WritePackets sends packets of the stack. One that the kernel does not take is
// lost, as on any link.
func (l *link) WritePackets(all stack.PacketBufferList) (int, tcpip.Error) {
	n := 0
	for _, pkt := range all.AsSlice() {
		write := l.write
		if pkt.Mark != 0 && pkt.NetworkProtocolNumber == header.IPv4ProtocolNumber {
			if b, ok := l.bursts.Load(pkt.Mark); ok {
				write = b.(*burst).write
			}
		}
		if errno := write(pkt); errno != 0 && n == 0 {
			return 0, tcpip.TranslateErrno(errno)
		}
		n++
	}
	return n, nil
}

// write sends a packet.
func (l *link) write(pkt *stack.PacketBuffer) unix.Errno {
	f := frame{protocol: pkt.NetworkProtocolNumber, network: len(pkt.NetworkHeader().Slice()), parts: pkt.AsSlices()}
	if transport := pkt.TransportHeader().Slice(); pkt.TransportProtocolNumber == header.TCPProtocolNumber && len(transport) >= header.TCPMinimumSize {
		f.transport, f.checksum = len(transport), header.TCPChecksumOffset
		network := pkt.Network()
		setPartial(transport, network.SourceAddress(), network.DestinationAddress(), len(transport)+pkt.Data().Size())
	}
	return l.send(f)
}

// frame is a packet to send.
type frame struct {
	protocol  tcpip.NetworkProtocolNumber
	network   int // size of its header, in bytes
	transport int // the same of the transport's, at least up to its checksum
	checksum  int // offset in that of the checksum, which is the sum of the pseudo header alone; 0: the packet has all checksums
	segment   int // size of the data of each segment that is joined in it; 0: it is one
	parts     [][]byte
}

// setPartial gives a segment the sum of its pseudo header, to which the kernel adds
// the rest, should the segment leave the machine.
func setPartial(tcp header.TCP, source, destination tcpip.Address, length int) {
	sum := header.PseudoHeaderChecksum(header.TCPProtocolNumber, source, destination, uint16(length))
	tcp.SetChecksum(checksum.Combine(sum, uint16(length>>16)))
}

// patienceForRoom is how many milliseconds a packet waits while others are on their
// way: the kernel has them at the other end within one, unless it is very busy.
const patienceForRoom = 10

// send writes one packet.
func (l *link) send(f frame) unix.Errno {
	var framing [framingSize]byte
	if f.checksum != 0 {
		framing[0] = vnetNeedsChecksum
		binary.LittleEndian.PutUint16(framing[vnetHeaders:], uint16(header.EthernetMinimumSize+f.network+f.transport))
		binary.LittleEndian.PutUint16(framing[vnetChecksumFrom:], uint16(header.EthernetMinimumSize+f.network))
		binary.LittleEndian.PutUint16(framing[vnetChecksumAt:], uint16(f.checksum))
	}
	if f.segment != 0 {
		framing[vnetSegmentation] = vnetSegmentedTCP
		binary.LittleEndian.PutUint16(framing[vnetSegmentSize:], uint16(f.segment))
	}
	ethernet := framing[vnetHeaderSize:]
	copy(ethernet, innerEnd.hardware[:])
	copy(ethernet[6:], outerEnd.hardware[:])
	binary.BigEndian.PutUint16(ethernet[12:], uint16(f.protocol))

	var some [16]unix.Iovec
	vector := append(some[:0], unix.Iovec{Base: &framing[0]})
	vector[0].SetLen(framingSize)
	for _, part := range f.parts {
		if len(part) > 0 {
			v := unix.Iovec{Base: &part[0]}
			v.SetLen(len(part))
			vector = append(vector, v)
		}
	}
	for waited := false; ; waited = true {
		_, _, errno := unix.RawSyscall(unix.SYS_WRITEV, uintptr(l.out), uintptr(unsafe.Pointer(&vector[0])), uintptr(len(vector)))
		if errno != unix.EAGAIN || waited {
			return errno
		}
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(l.out), Events: unix.POLLOUT}}, patienceForRoom)
	}
}

// MTU is the link's.
func (l *link) MTU() uint32 { return linkMTU }

// SetMTU does nothing: the link's MTU is the largest.
func (l *link) SetMTU(uint32) {}

// MaxHeaderLength is zero: send makes the header.
func (l *link) MaxHeaderLength() uint16 { return 0 }

// LinkAddress is none: the link has two ends.
func (l *link) LinkAddress() tcpip.LinkAddress { return "" }

// SetLinkAddress does nothing.
func (l *link) SetLinkAddress(tcpip.LinkAddress) {}

// Capabilities say that nobody computes checksums: the kernel at the other end of
// the link knows that packets have not left the machine.
func (l *link) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityTXChecksumOffload | stack.CapabilityRXChecksumOffload
}

// IsAttached reports whether reading has begun.
func (l *link) IsAttached() bool { return l.dispatcher != nil }

// Wait waits for the end of reading.
func (l *link) Wait() { l.reading.Wait() }

// ARPHardwareType is that of links without addresses.
func (l *link) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareNone }

// AddHeader does nothing: send makes the header.
func (l *link) AddHeader(*stack.PacketBuffer) {}

// ParseHeader does nothing: deliver has taken the header.
func (l *link) ParseHeader(*stack.PacketBuffer) bool { return true }

// Close stops reading.
func (l *link) Close() { l.stop() }

// SetOnCloseAction does nothing: the kernel removes the device.
func (l *link) SetOnCloseAction(func()) {}
