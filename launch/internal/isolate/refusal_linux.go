package isolate

import (
	"sync"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// refusals keep the heads of packets that connects have begun with: an ICMP
// message quotes them.
type refusals struct {
	mu    sync.Mutex // guards heads; a leaf lock
	heads map[stack.TransportEndpointID][]byte
}

// quoted is how much of a transport header an ICMP message has at least.
const quoted = 8

// headOf copies a packet's network header and the beginning of its transport
// header.
func headOf(pkt *stack.PacketBuffer) []byte {
	network, transport := pkt.NetworkHeader().Slice(), pkt.TransportHeader().Slice()
	if len(transport) < quoted {
		return nil
	}
	return append(append([]byte(nil), network...), transport[:quoted]...)
}

// note keeps the head of a SYN.
func (r *refusals) note(id stack.TransportEndpointID, pkt *stack.PacketBuffer) {
	segment := header.TCP(pkt.TransportHeader().Slice())
	if len(segment) < header.TCPMinimumSize || segment.Flags()&(header.TCPFlagSyn|header.TCPFlagAck) != header.TCPFlagSyn {
		return
	}
	head := headOf(pkt)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heads[id] = head
}

// take returns the head that was noted, and forgets it.
func (r *refusals) take(id stack.TransportEndpointID) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	head := r.heads[id]
	delete(r.heads, id)
	return head
}

// refuse answers a SYN so that the program's connect fails with the errno, or
// with the one nearest to it that a network can tell.
func (s *Server) refuse(r *tcp.ForwarderRequest, head []byte, errno unix.Errno) {
	code4, code6, told := unreachable(errno)
	if !told || head == nil {
		r.Complete(true)
		return
	}
	s.sendUnreachable(head, code4, code6)
	r.Complete(false)
}

// unreachable returns the codes of the ICMP messages that Linux takes for an
// errno. told is false for ECONNREFUSED, which is a reset.
func unreachable(errno unix.Errno) (code4 header.ICMPv4Code, code6 header.ICMPv6Code, told bool) {
	switch errno {
	case unix.ECONNREFUSED, unix.ECONNRESET, unix.ECONNABORTED:
		return 0, 0, false
	case unix.ENETUNREACH, unix.ENETDOWN:
		return header.ICMPv4NetUnreachable, header.ICMPv6NetworkUnreachable, true
	case unix.EACCES, unix.EPERM:
		return header.ICMPv4AdminProhibited, header.ICMPv6Prohibited, true
	}
	return header.ICMPv4HostUnreachable, header.ICMPv6AddressUnreachable, true
}

// sendUnreachable sends the ICMP message "destination unreachable" about a packet
// to who sent it.
func (s *Server) sendUnreachable(head []byte, code4 header.ICMPv4Code, code6 header.ICMPv6Code) {
	protocol := header.IPv4ProtocolNumber
	if header.IPVersion(head) == header.IPv6Version {
		protocol = header.IPv6ProtocolNumber
	}
	s.link.send(frame{protocol: protocol, parts: [][]byte{unreachableMessage(head, code4, code6)}})
}

// unreachableMessage is that message, with its network header.
func unreachableMessage(head []byte, code4 header.ICMPv4Code, code6 header.ICMPv6Code) []byte {
	if header.IPVersion(head) == header.IPv4Version {
		about := header.IPv4(head)
		icmp := header.ICMPv4(make([]byte, header.ICMPv4MinimumSize+len(head)))
		icmp.SetType(header.ICMPv4DstUnreachable)
		icmp.SetCode(code4)
		copy(icmp[header.ICMPv4MinimumSize:], head)
		icmp.SetChecksum(^checksum.Checksum(icmp, 0))
		return append(networkHeader(header.ICMPv4ProtocolNumber, about.DestinationAddress(), about.SourceAddress(), len(icmp)), icmp...)
	}
	about := header.IPv6(head)
	icmp := header.ICMPv6(make([]byte, header.ICMPv6DstUnreachableMinimumSize+len(head)))
	icmp.SetType(header.ICMPv6DstUnreachable)
	icmp.SetCode(code6)
	copy(icmp[header.ICMPv6DstUnreachableMinimumSize:], head)
	icmp.SetChecksum(header.ICMPv6Checksum(header.ICMPv6ChecksumParams{Header: icmp, Src: about.DestinationAddress(), Dst: about.SourceAddress()}))
	return append(networkHeader(header.ICMPv6ProtocolNumber, about.DestinationAddress(), about.SourceAddress(), len(icmp)), icmp...)
}
