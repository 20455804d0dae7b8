package namespace

import (
	"net/netip"
	"os"
	"strings"

	"upcall.dev/spi"
)

// kind is what a search looks for.
type kind int

const (
	forward kind = iota // a host's addresses
	reverse             // an address's names
	service             // a host's addresses with a port
)

// read finds out what the query asks for. WSAEINVAL (something is missing, or
// is no address), WSASERVICE_NOT_FOUND (a class of services that is not of
// internet names, or a namespace of another provider's).
func (s *search) read() spi.Errno {
	if n := s.query.NameSpace; n != spi.NS_ALL && n != s.provider.nameSpace {
		return spi.WSASERVICE_NOT_FOUND
	}
	if s.query.ServiceClassID == nil {
		return spi.WSAEINVAL
	}
	name := s.query.Name()
	var four, six bool // what the class alone means
	switch class := *s.query.ServiceClassID; class {
	case spi.SVCID_HOSTNAME:
		if name == "" {
			name = hostName()
		}
		four = true
	case spi.SVCID_INET_HOSTADDRBYNAME, spi.SVCID_DNS_TYPE_A:
		four = true
	case spi.SVCID_DNS_TYPE_AAAA:
		six = true
	case spi.SVCID_INET_HOSTADDRBYINETSTRING, spi.SVCID_DNS_TYPE_PTR:
		addr, ok := parseAddress(name)
		if !ok {
			return spi.WSAEINVAL
		}
		s.kind, s.addr = reverse, addr
		return 0
	default:
		protocol, port, ok := spi.PortOfSVCID(class)
		if !ok {
			return spi.WSASERVICE_NOT_FOUND
		}
		s.kind, s.port, s.protocol = service, port, protocol
		four, six = true, true
	}
	if name == "" {
		return spi.WSAEINVAL
	}
	s.question = Question{Name: name, IPv4: four, IPv6: six, Fresh: s.flags&spi.LUP_FLUSHCACHE != 0}
	s.question.Canonical = s.flags&(spi.LUP_RETURN_ALIASES|spi.LUP_RETURN_BLOB) != 0
	return s.restrict()
}

// restrict applies the families and protocols that the query names. A query by
// a host's name alone means IPv4, as it did when there was nothing else.
func (s *search) restrict() spi.Errno {
	q := &s.question
	if protocols := s.query.ProtocolList(); len(protocols) > 0 {
		typed := *s.query.ServiceClassID == spi.SVCID_DNS_TYPE_A || *s.query.ServiceClassID == spi.SVCID_DNS_TYPE_AAAA
		var four, six, tcp, udp bool
		for _, p := range protocols {
			four = four || p.AddressFamily == spi.AF_INET || p.AddressFamily == spi.AF_UNSPEC
			six = six || p.AddressFamily == spi.AF_INET6 || p.AddressFamily == spi.AF_UNSPEC
			tcp = tcp || p.Protocol == spi.IPPROTO_TCP || p.Protocol == 0
			udp = udp || p.Protocol == spi.IPPROTO_UDP || p.Protocol == 0
		}
		if typed {
			four, six = four && q.IPv4, six && q.IPv6
		}
		q.IPv4, q.IPv6 = four, six
		if s.kind != service && !tcp && udp {
			s.protocol = spi.IPPROTO_UDP
		}
		if !four && !six || s.protocol == spi.IPPROTO_TCP && !tcp || s.protocol == spi.IPPROTO_UDP && !udp {
			return spi.WSANO_DATA
		}
	}
	if s.flags&spi.LUP_DUAL_ADDR != 0 {
		q.IPv4, q.IPv6 = true, true
	}
	return 0
}

func hostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return name
}

// parseAddress reads an address, as such or as the name that DNS has for it.
func parseAddress(text string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.Unmap(), true
	}
	name := strings.ToLower(strings.TrimSuffix(text, "."))
	if labels, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		parts := strings.Split(labels, ".")
		if len(parts) != 4 {
			return netip.Addr{}, false
		}
		addr, err := netip.ParseAddr(parts[3] + "." + parts[2] + "." + parts[1] + "." + parts[0])
		return addr, err == nil
	}
	labels, ok := strings.CutSuffix(name, ".ip6.arpa")
	parts := strings.Split(labels, ".")
	if !ok || len(parts) != 32 {
		return netip.Addr{}, false
	}
	var digits strings.Builder
	for i := range parts {
		digit := parts[len(parts)-1-i]
		if len(digit) != 1 {
			return netip.Addr{}, false
		}
		if i > 0 && i%4 == 0 {
			digits.WriteByte(':')
		}
		digits.WriteString(digit)
	}
	addr, err := netip.ParseAddr(digits.String())
	return addr, err == nil
}
