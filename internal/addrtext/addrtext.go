// Package addrtext is the text of internet addresses as Windows Sockets has it:
// 192.0.2.1 and 192.0.2.1:80, 2001:db8::1, fe80::1%3 and [2001:db8::1]:80.
package addrtext

import (
	"net/netip"
	"strconv"
	"strings"

	"upcall.dev/spi"
)

// Format returns the text of an address; port zero is left out.
func Format(a netip.AddrPort) string {
	if a.Port() == 0 {
		return a.Addr().String()
	}
	return a.String()
}

// Parse reads what [Format] writes, for AF_INET also the forms of inet_addr:
// fewer than four parts, octal and hexadecimal numbers. Scopes are numbers. ok is
// false for what is no address of the family.
func Parse(text string, family int32) (a netip.AddrPort, ok bool) {
	switch family {
	case spi.AF_INET:
		return parseIPv4(text)
	case spi.AF_INET6:
		return parseIPv6(text)
	}
	return netip.AddrPort{}, false
}

// parseIPv4 reads address[:port] in the forms of inet_addr.
func parseIPv4(text string) (netip.AddrPort, bool) {
	host, port := text, uint64(0)
	if h, p, ok := strings.Cut(text, ":"); ok {
		host = h
		if port, ok = parseNumber(p, 16); !ok {
			return netip.AddrPort{}, false
		}
	}
	parts := strings.Split(host, ".")
	if len(parts) > 4 {
		return netip.AddrPort{}, false
	}
	var ip uint64
	for i, part := range parts {
		bits := 8
		if last := i == len(parts)-1; last {
			bits = 8 * (4 - i) // the last part fills what is left
		}
		v, ok := parseNumber(part, bits)
		if !ok {
			return netip.AddrPort{}, false
		}
		ip = ip<<bits | v
	}
	a := netip.AddrFrom4([4]byte{byte(ip >> 24), byte(ip >> 16), byte(ip >> 8), byte(ip)})
	return netip.AddrPortFrom(a, uint16(port)), true
}

// parseNumber reads a number as C writes it, of at most so many bits.
func parseNumber(text string, bits int) (uint64, bool) {
	base := 10
	switch {
	case strings.HasPrefix(text, "0x"), strings.HasPrefix(text, "0X"):
		text, base = text[2:], 16
	case len(text) > 1 && text[0] == '0':
		text, base = text[1:], 8
	}
	v, err := strconv.ParseUint(text, base, bits)
	return v, err == nil
}

// parseIPv6 reads address[%scope] or [address[%scope]][:port].
func parseIPv6(text string) (netip.AddrPort, bool) {
	host, port := text, uint64(0)
	if rest, ok := strings.CutPrefix(text, "["); ok {
		h, p, ok := strings.Cut(rest, "]")
		if !ok {
			return netip.AddrPort{}, false
		}
		host = h
		if p != "" {
			if p, ok = strings.CutPrefix(p, ":"); !ok {
				return netip.AddrPort{}, false
			}
			if port, ok = parseNumber(p, 16); !ok {
				return netip.AddrPort{}, false
			}
		}
	}
	a, err := netip.ParseAddr(host)
	if err != nil || !a.Is6() {
		return netip.AddrPort{}, false
	}
	if a.Zone() != "" {
		if _, err := strconv.ParseUint(a.Zone(), 10, 32); err != nil {
			return netip.AddrPort{}, false
		}
	}
	return netip.AddrPortFrom(a, uint16(port)), true
}
