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
	vnetSegmentation  = 1 // offsets in it: gso_type
	vnetSegmentSize   = 4 // gso_size

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
	ring       []byte
	dispatcher stack.NetworkDispatcher // set before reading begins
	reading    sync.WaitGroup
	closed     func(source netip.AddrPort) // called when a datagram has reached nobody
	down       func()                      // called once, when the namespace has gone or reading was stopped
	vanished   atomic.Bool                 // the namespace has gone
	stopped    atomic.Bool                 // reading ends, however much comes
}

var _ stack.LinkEndpoint = (*link)(nil)

// newLink takes over the packet socket, on success.
func newLink(packets int, closed func(netip.AddrPort), down func()) (*link, error) {
	fail := func(err error) (*link, error) { return nil, fmt.Errorf("the link of the namespace: %w", err) }
	for _, option := range [][2]int{{unix.PACKET_VERSION, unix.TPACKET_V2}, {unix.PACKET_VNET_HDR, 1}, {unix.PACKET_QDISC_BYPASS, 1}} {
		if err := unix.SetsockoptInt(packets, unix.SOL_PACKET, option[0], option[1]); err != nil {
			return fail(err)
		}
	}
	request := unix.TpacketReq{Block_size: ringBlock, Block_nr: ringBlocks, Frame_size: ringFrame, Frame_nr: ringFrames}
	if err := unix.SetsockoptTpacketReq(packets, unix.SOL_PACKET, unix.PACKET_RX_RING, &request); err != nil {
		return fail(err)
	}
	ring, err := unix.Mmap(packets, 0, ringBlock*ringBlocks, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fail(err)
	}
	return &link{fd: packets, file: os.NewFile(uintptr(packets), "packets"), ring: ring, closed: closed, down: down}, nil
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
		some := false
		for !l.stopped.Load() && take() {
			some = true
		}
		return !some && l.hasVanished()
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
		var checksum int
		if pkt.TransportProtocolNumber == header.TCPProtocolNumber && len(pkt.TransportHeader().Slice()) >= header.TCPMinimumSize {
			checksum = header.TCPChecksumOffset
			segment := header.TCP(pkt.TransportHeader().Slice())
			network := pkt.Network()
			segment.SetChecksum(0)
			segment.SetChecksum(header.PseudoHeaderChecksum(header.TCPProtocolNumber, network.SourceAddress(), network.DestinationAddress(), uint16(len(segment)+pkt.Data().Size())))
		}
		parts := pkt.AsSlices()
		if errno := l.send(pkt.NetworkProtocolNumber, len(pkt.NetworkHeader().Slice()), checksum, parts); errno != 0 && n == 0 {
			return 0, tcpip.TranslateErrno(errno)
		}
		n++
	}
	return n, nil
}

// send writes one packet, whose transport header begins at the given offset and
// has the sum of its pseudo header at the offset checksum; 0 where the packet
// has all its checksums.
func (l *link) send(protocol tcpip.NetworkProtocolNumber, transport, checksum int, parts [][]byte) unix.Errno {
	var framing [framingSize]byte
	if checksum != 0 {
		framing[0] = vnetNeedsChecksum
		binary.LittleEndian.PutUint16(framing[6:], uint16(header.EthernetMinimumSize+transport))
		binary.LittleEndian.PutUint16(framing[8:], uint16(checksum))
	}
	ethernet := framing[vnetHeaderSize:]
	copy(ethernet, innerEnd.hardware[:])
	copy(ethernet[6:], outerEnd.hardware[:])
	binary.BigEndian.PutUint16(ethernet[12:], uint16(protocol))

	var some [16]unix.Iovec
	vector := append(some[:0], unix.Iovec{Base: &framing[0]})
	vector[0].SetLen(framingSize)
	for _, part := range parts {
		if len(part) > 0 {
			v := unix.Iovec{Base: &part[0]}
			v.SetLen(len(part))
			vector = append(vector, v)
		}
	}
	_, _, errno := unix.RawSyscall(unix.SYS_WRITEV, uintptr(l.fd), uintptr(unsafe.Pointer(&vector[0])), uintptr(len(vector)))
	if errno == unix.ENETDOWN || errno == unix.ENXIO { // told once, and so not to read
		l.vanished.Store(true)
		l.stop()
	}
	return errno
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
