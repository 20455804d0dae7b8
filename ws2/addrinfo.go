package ws2

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"upcall.dev/internal/netdb"
	"upcall.dev/spi"
)

// addrRequest is what getaddrinfo and GetAddrInfoEx are asked.
type addrRequest struct {
	node, service              *string
	flags                      int32 // AI_
	family, sockType, protocol int32
	provider                   *spi.GUID
	nameSpace                  uint32
	merge                      bool // join the answers of several providers
}

// addrResult is one address of their list.
type addrResult struct {
	name               []byte
	sockType, protocol int32
	provider           spi.GUID // zero when nobody was asked
}

const knownAddrFlags = spi.AI_PASSIVE | spi.AI_CANONNAME | spi.AI_NUMERICHOST | spi.AI_NUMERICSERV | spi.AI_DNS_ONLY | spi.AI_ALL |
	spi.AI_ADDRCONFIG | spi.AI_V4MAPPED | spi.AI_NON_AUTHORITATIVE | spi.AI_SECURE | spi.AI_RETURN_PREFERRED_NAMES | spi.AI_FQDN |
	spi.AI_FILESERVER | spi.AI_DISABLE_IDN_ENCODING

func (q *addrRequest) check() spi.Errno {
	const names = spi.AI_CANONNAME | spi.AI_FQDN
	switch {
	case q.node == nil && q.service == nil:
		return spi.WSAHOST_NOT_FOUND
	case q.flags&^knownAddrFlags != 0, q.flags&names == names, q.flags&names != 0 && q.node == nil:
		return spi.WSAEINVAL
	case q.family != spi.AF_UNSPEC && q.family != spi.AF_INET && q.family != spi.AF_INET6:
		return spi.WSAEAFNOSUPPORT
	case q.sockType < 0 || q.sockType > spi.SOCK_SEQPACKET:
		return spi.WSAESOCKTNOSUPPORT
	}
	return 0
}

// endpoint is a port with the kind of socket that it is for.
type endpoint struct {
	sockType, protocol int32
	port               uint16
}

// endpoints returns what the service means.
func (q *addrRequest) endpoints() ([]endpoint, spi.Errno) {
	plain := endpoint{sockType: q.sockType, protocol: q.protocol}
	switch {
	case plain.protocol == 0 && plain.sockType == spi.SOCK_STREAM:
		plain.protocol = spi.IPPROTO_TCP
	case plain.protocol == 0 && plain.sockType == spi.SOCK_DGRAM:
		plain.protocol = spi.IPPROTO_UDP
	}
	if q.service == nil || *q.service == "" {
		return []endpoint{plain}, 0
	}
	if port, err := strconv.ParseUint(*q.service, 10, 16); err == nil {
		plain.port = uint16(port)
		return []endpoint{plain}, 0
	}
	if q.flags&spi.AI_NUMERICSERV != 0 {
		return nil, spi.WSAHOST_NOT_FOUND
	}
	var all []endpoint
	for _, e := range []endpoint{{spi.SOCK_STREAM, spi.IPPROTO_TCP, 0}, {spi.SOCK_DGRAM, spi.IPPROTO_UDP, 0}} {
		if q.sockType != 0 && q.sockType != e.sockType || q.protocol != 0 && q.protocol != e.protocol {
			continue
		}
		if s, ok := netdb.System.ServiceByName(*q.service, protocolText(e.protocol)); ok {
			e.port = s.Port
			all = append(all, e)
		}
	}
	if len(all) == 0 {
		return nil, spi.WSATYPE_NOT_FOUND
	}
	return all, 0
}

func protocolText(protocol int32) string {
	if protocol == spi.IPPROTO_UDP {
		return "udp"
	}
	return "tcp"
}

// families returns the families to look for.
func (q *addrRequest) families() []int32 {
	if q.family == spi.AF_UNSPEC {
		return []int32{spi.AF_INET6, spi.AF_INET}
	}
	return []int32{q.family}
}

// resolve carries out a request: the addresses for each kind of socket, and the
// canonical name.
func (d *DLL) resolve(r *running, q *addrRequest, c *canceller) (all []addrResult, canonical string, err error) {
	if e := q.check(); e != 0 {
		return nil, "", e.Err()
	}
	endpoints, e := q.endpoints()
	if e != 0 {
		return nil, "", e.Err()
	}
	addresses, canonical, err := d.addresses(r, q, c)
	if err != nil {
		return nil, "", err
	}
	for _, f := range addresses {
		for _, ep := range endpoints {
			name := spi.SockaddrFrom(netip.AddrPortFrom(f.addr, ep.port))
			all = append(all, addrResult{name, ep.sockType, ep.protocol, f.provider})
		}
	}
	return all, canonical, nil
}

// addresses returns the addresses that the node means.
func (d *DLL) addresses(r *running, q *addrRequest, c *canceller) ([]found, string, error) {
	if q.node == nil {
		return q.ownAddresses(), "", nil
	}
	node := *q.node
	if addr, ok := parseNumeric(node); ok {
		addr, ok = q.fit(addr)
		if !ok {
			return nil, "", spi.WSAHOST_NOT_FOUND.Err()
		}
		return []found{{addr: addr}}, node, nil
	}
	if q.flags&spi.AI_NUMERICHOST != 0 {
		return nil, "", spi.WSAHOST_NOT_FOUND.Err()
	}
	if node == "" || node == "..localmachine" {
		return d.machine(r, q)
	}
	if !plausibleName(node) {
		return nil, "", spi.WSAHOST_NOT_FOUND.Err()
	}
	families := q.families()
	if q.family == spi.AF_INET6 && q.flags&spi.AI_V4MAPPED != 0 {
		families = append(families, spi.AF_INET)
	}
	if q.flags&spi.AI_ADDRCONFIG != 0 {
		families = d.configured(families)
	}
	a, err := d.ask(r, &question{
		class: spi.SVCID_INET_HOSTADDRBYNAME, name: node, families: families,
		provider: q.provider, nameSpace: q.nameSpace, merge: q.merge, flags: q.lookupFlags(),
		names: q.flags&(spi.AI_CANONNAME|spi.AI_FQDN) != 0,
	}, c)
	if err != nil {
		return nil, "", err
	}
	addresses := q.choose(a.addresses, families)
	if len(addresses) == 0 {
		return nil, "", spi.WSANO_DATA.Err()
	}
	return addresses, a.name, nil
}

// lookupFlags returns the LUP_ flags that stand for AI_ flags.
func (q *addrRequest) lookupFlags() (flags uint32) {
	for _, pair := range []struct {
		ai  int32
		lup uint32
	}{
		{spi.AI_NON_AUTHORITATIVE, spi.LUP_NON_AUTHORITATIVE}, {spi.AI_SECURE, spi.LUP_SECURE},
		{spi.AI_RETURN_PREFERRED_NAMES, spi.LUP_RETURN_PREFERRED_NAMES},
	} {
		if q.flags&pair.ai != 0 {
			flags |= pair.lup
		}
	}
	return flags
}

// longestName is what a host's name may have, in bytes.
const longestName = 1024

// plausibleName reports whether a host may be called that. An address is no
// name, also one with a scope that [parseNumeric] does not take.
func plausibleName(name string) bool {
	_, err := netip.ParseAddr(name)
	return err != nil && len(name) <= longestName && !strings.ContainsAny(name, "\x00 \t\r\n")
}

// ownAddresses returns the addresses of a request without a node: to listen on
// with AI_PASSIVE, of this machine's loopback without.
func (q *addrRequest) ownAddresses() (all []found) {
	for _, family := range q.families() {
		addr := netip.IPv6Unspecified()
		switch passive := q.flags&spi.AI_PASSIVE != 0; {
		case family == spi.AF_INET && passive:
			addr = netip.IPv4Unspecified()
		case family == spi.AF_INET:
			addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		case !passive:
			addr = netip.IPv6Loopback()
		}
		all = append(all, found{addr: addr})
	}
	return all
}

// fit makes a numeric address one of the family asked for.
func (q *addrRequest) fit(addr netip.Addr) (netip.Addr, bool) {
	switch {
	case q.family == spi.AF_UNSPEC, q.family == spi.AF_INET && addr.Is4(), q.family == spi.AF_INET6 && addr.Is6():
		return addr, true
	case q.family == spi.AF_INET6 && q.flags&spi.AI_V4MAPPED != 0:
		return netip.AddrFrom16(addr.As16()), true
	}
	return addr, false
}

// choose applies the family and AI_V4MAPPED, AI_ALL to what was found.
func (q *addrRequest) choose(all []found, families []int32) []found {
	var six, four []found
	var wanted []found
	for _, f := range all {
		if !slices.Contains(families, familyOf(f.addr)) {
			continue
		}
		wanted = append(wanted, f)
		if f.addr.Is4() {
			f.addr = netip.AddrFrom16(f.addr.As16())
			four = append(four, f)
		} else {
			six = append(six, f)
		}
	}
	switch {
	case q.family != spi.AF_INET6 || q.flags&spi.AI_V4MAPPED == 0:
		return wanted
	case q.flags&spi.AI_ALL != 0:
		return append(six, four...)
	case len(six) == 0:
		return four
	}
	return six
}

func familyOf(addr netip.Addr) int32 {
	if addr.Is4() {
		return spi.AF_INET
	}
	return spi.AF_INET6
}

// parseNumeric reads an address as getaddrinfo does: IPv4 in the forms of
// inet_addr, IPv6 with a numeric scope.
func parseNumeric(text string) (netip.Addr, bool) {
	if addr, ok := parseInetAddr(text); ok {
		return addr, true
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || !addr.Is6() {
		return netip.Addr{}, false
	}
	if zone := addr.Zone(); zone != "" {
		scope, err := strconv.ParseUint(zone, 10, 32)
		if err != nil {
			return netip.Addr{}, false
		}
		if scope == 0 {
			return addr.WithZone(""), true
		}
		addr = addr.WithZone(strconv.FormatUint(scope, 10))
	}
	return addr, true
}

// GetAddrInfo finds the addresses of a node, a host's name or an address as
// text, and the port of a service, a name or a number. One of the two may be nil: without
// a node the addresses are this machine's, without a service the port is 0. An
// empty node means all of this machine's own addresses. hints may restrict
// family, socket type and protocol and have AI_ flags; nil restricts nothing.
// The namespace providers are asked in the catalog's order up to the first that
// knows the name. It stands for getaddrinfo and GetAddrInfoW.
//
// WSAHOST_NOT_FOUND (EAI_NONAME: no such name, or not a number where only
// numbers will do), WSANO_DATA (the name has no address of the family),
// WSATRY_AGAIN (EAI_AGAIN), WSANO_RECOVERY (EAI_FAIL, and hints with more than
// they may have), WSAEINVAL (EAI_BADFLAGS), WSAEAFNOSUPPORT (EAI_FAMILY),
// WSAESOCKTNOSUPPORT (EAI_SOCKTYPE), WSATYPE_NOT_FOUND (EAI_SERVICE),
// WSASERVICE_NOT_FOUND (there is no active namespace provider).
// Source: ws2tcpip/nf-ws2tcpip-getaddrinfow.
func (t *Thread) GetAddrInfo(node, service *string, hints *spi.AddrInfo) (*spi.AddrInfo, error) {
	r, e := t.enter()
	if e != 0 {
		return nil, t.fail(e)
	}
	q := &addrRequest{node: node, service: service, nameSpace: spi.NS_ALL}
	if hints != nil {
		if hints.AddrLen != 0 || hints.CanonName != nil || hints.Addr != nil || hints.Next != nil {
			return nil, t.fail(spi.WSANO_RECOVERY)
		}
		q.flags, q.family, q.sockType, q.protocol = hints.Flags, hints.Family, hints.SockType, hints.Protocol
	}
	all, canonical, err := t.dll.resolve(r, q, new(canceller))
	if err != nil {
		return nil, t.failWith(err)
	}
	var first *spi.AddrInfo
	at := &first
	for _, a := range all {
		*at = &spi.AddrInfo{
			Family: spi.AddressFamily(a.name), SockType: a.sockType, Protocol: a.protocol,
			AddrLen: uintptr(len(a.name)), Addr: &a.name[0],
		}
		at = &(*at).Next
	}
	if q.flags&(spi.AI_CANONNAME|spi.AI_FQDN) != 0 {
		first.CanonName = spi.UTF16Ptr(canonical)
	}
	return first, nil
}

// FreeAddrInfo ends the use of a list of [Thread.GetAddrInfo]: it takes the list
// apart, so that a use after it shows. The memory is Go's.
// Source: ws2tcpip/nf-ws2tcpip-freeaddrinfow.
func FreeAddrInfo(list *spi.AddrInfo) {
	for list != nil {
		next := list.Next
		*list = spi.AddrInfo{}
		list = next
	}
}

// FreeAddrInfoEx is [FreeAddrInfo] for a list of [Thread.GetAddrInfoEx].
// Source: ws2tcpip/nf-ws2tcpip-freeaddrinfoex.
func FreeAddrInfoEx(list *spi.AddrInfoEx) {
	for list != nil {
		next := list.Next
		*list = spi.AddrInfoEx{}
		list = next
	}
}
