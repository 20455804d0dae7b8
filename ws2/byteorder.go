package ws2

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
)

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// Htons converts a number to network byte order; unlike socket calls it needs
// no WSAStartup. Source: winsock/nf-winsock-htons.
func Htons(v uint16) uint16 {
	if littleEndian {
		return bits.ReverseBytes16(v)
	}
	return v
}

// Htonl is [Htons] for 32 bits. Source: winsock/nf-winsock-htonl.
func Htonl(v uint32) uint32 {
	if littleEndian {
		return bits.ReverseBytes32(v)
	}
	return v
}

// Ntohs converts a number from network byte order.
// Source: winsock/nf-winsock-ntohs.
func Ntohs(v uint16) uint16 { return Htons(v) }

// Ntohl is [Ntohs] for 32 bits. Source: winsock/nf-winsock-ntohl.
func Ntohl(v uint32) uint32 { return Htonl(v) }

// INADDR_NONE is the result of [InetAddr] for text that is no address.
const INADDR_NONE = 0xffffffff

// InetAddr parses an IPv4 address of one to four parts, "127.0.0.1" or "127.1",
// each decimal, octal (0 in front) or hexadecimal (0x), the last one filling the
// bytes that are left. White space and what follows it do not count, and a space
// alone is 0. The result is in network byte order, or INADDR_NONE.
// Source: winsock2/nf-winsock2-inet_addr.
func InetAddr(text string) uint32 {
	if text == " " {
		return 0
	}
	if end := strings.IndexAny(text, " \t\n\v\f\r"); end > 0 {
		text = text[:end]
	}
	parts := strings.Split(text, ".")
	if len(parts) > 4 {
		return INADDR_NONE
	}
	var address uint64
	for i, part := range parts {
		width := 8
		if i == len(parts)-1 {
			width = 8 * (4 - i)
		}
		digits, base := part, 10
		if rest, ok := strings.CutPrefix(strings.ToLower(part), "0x"); ok {
			digits, base = rest, 16
		} else if strings.HasPrefix(part, "0") {
			base = 8
		}
		v, err := strconv.ParseUint(digits, base, width)
		if err != nil {
			return INADDR_NONE
		}
		address = address<<width | v
	}
	return Htonl(uint32(address))
}

// InetNtoa returns the text of an IPv4 address in network byte order.
// Source: winsock2/nf-winsock2-inet_ntoa.
func InetNtoa(address uint32) string {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], Ntohl(address))
	return netip.AddrFrom4(b).String()
}
