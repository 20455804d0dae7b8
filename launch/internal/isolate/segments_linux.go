package isolate

import (
	"encoding/binary"
	"iter"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// segments splits a UDP packet that the kernel has left to the device to segment
// (UDP_SEGMENT), as what it is: datagrams with payloads of the given size.
// Checksums are not computed, for nobody looks at them.
func segments(packet []byte, size int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		network := header.IPv6MinimumSize
		if header.IPVersion(packet) == header.IPv4Version {
			network = int(header.IPv4(packet).HeaderLength())
		}
		start := network + header.UDPMinimumSize
		if size <= 0 || len(packet) < start {
			return
		}
		for rest := packet[start:]; len(rest) > 0; {
			n := min(size, len(rest))
			segment := append(append([]byte(nil), packet[:start]...), rest[:n]...)
			rest = rest[n:]
			if network == header.IPv6MinimumSize && header.IPVersion(packet) == header.IPv6Version {
				header.IPv6(segment).SetPayloadLength(uint16(len(segment) - network))
			} else {
				header.IPv4(segment).SetTotalLength(uint16(len(segment)))
			}
			binary.BigEndian.PutUint16(segment[network+4:], uint16(len(segment)-network))
			if !yield(segment) {
				return
			}
		}
	}
}

// control looks at an ICMP packet of the program's kernel. None goes any further,
// and nothing answers an echo request. The one that says that a datagram has
// reached no socket tells that the program has closed it.
func (l *link) control(packet []byte) {
	var quote []byte
	if header.IPVersion(packet) == header.IPv4Version {
		ip := header.IPv4(packet)
		if start := int(ip.HeaderLength()); len(packet) > start+header.ICMPv4MinimumSize {
			icmp := header.ICMPv4(packet[start:])
			if icmp.Type() != header.ICMPv4DstUnreachable || icmp.Code() != header.ICMPv4PortUnreachable {
				return
			}
			quote = icmp[header.ICMPv4MinimumSize:]
		}
	} else if len(packet) > header.IPv6MinimumSize+header.ICMPv6DstUnreachableMinimumSize {
		icmp := header.ICMPv6(packet[header.IPv6MinimumSize:])
		if icmp.Type() != header.ICMPv6DstUnreachable || icmp.Code() != header.ICMPv6PortUnreachable {
			return
		}
		quote = icmp[header.ICMPv6DstUnreachableMinimumSize:]
	}
	if destination, ok := quotedDestination(quote); ok {
		l.closed(destination)
	}
}

// quotedDestination returns where a UDP datagram went that an ICMP message quotes.
func quotedDestination(quote []byte) (to netip.AddrPort, ok bool) {
	var transport []byte
	switch {
	case len(quote) >= header.IPv4MinimumSize && header.IPVersion(quote) == header.IPv4Version:
		ip := header.IPv4(quote)
		if start := int(ip.HeaderLength()); ip.Protocol() == uint8(header.UDPProtocolNumber) && len(quote) >= start {
			transport = quote[start:]
			to = addrPort(ip.DestinationAddress(), 0)
		}
	case len(quote) >= header.IPv6MinimumSize && header.IPVersion(quote) == header.IPv6Version:
		ip := header.IPv6(quote)
		if ip.NextHeader() == uint8(header.UDPProtocolNumber) {
			transport = quote[header.IPv6MinimumSize:]
			to = addrPort(ip.DestinationAddress(), 0)
		}
	}
	if len(transport) < header.UDPMinimumSize {
		return to, false
	}
	return netip.AddrPortFrom(to.Addr(), header.UDP(transport).DestinationPort()), true
}
