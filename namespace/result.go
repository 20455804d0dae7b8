package namespace

import (
	"net/netip"

	"upcall.dev/spi"
)

// result returns a result: 0 is the host itself, the others are its aliases.
// flags say which parts.
func (s *search) result(at int, flags uint32) *spi.QuerySet {
	q := &spi.QuerySet{Size: spi.SizeofQuerySet, NameSpace: s.provider.nameSpace, NSProviderID: &s.providerID, Context: s.query.Context}
	name := s.answer.Name
	if name == "" {
		name = s.question.Name
	}
	if at > 0 {
		name = s.answer.Aliases[at-1]
		q.OutputFlags = spi.RESULT_IS_ALIAS
	}
	if flags&spi.LUP_RETURN_NAME != 0 {
		q.ServiceInstanceName = spi.UTF16Ptr(name)
	}
	if flags&spi.LUP_RETURN_TYPE != 0 {
		q.ServiceClassID = s.query.ServiceClassID
	}
	if flags&spi.LUP_RETURN_QUERY_STRING != 0 {
		q.QueryString = s.query.QueryString
	}
	if at > 0 {
		return q
	}
	if flags&spi.LUP_RETURN_ADDR != 0 {
		q.SetAddresses(s.csAddrs())
	}
	if flags&spi.LUP_RETURN_BLOB != 0 {
		host := s.host(name)
		q.Blob = spi.NewBlob(host.Blob())
	}
	return q
}

// addresses returns what was found; with LUP_DUAL_ADDR all as IPv6.
func (s *search) addresses() []netip.Addr {
	if s.kind == reverse {
		return []netip.Addr{s.addr}
	}
	all := make([]netip.Addr, len(s.answer.Addresses))
	for i, addr := range s.answer.Addresses {
		if s.flags&spi.LUP_DUAL_ADDR != 0 && addr.Is4() {
			addr = netip.AddrFrom16(addr.As16())
		}
		all[i] = addr
	}
	return all
}

// csAddrs returns the addresses as sockets take them.
func (s *search) csAddrs() (all []spi.CSAddrInfo) {
	cs := spi.CSAddrInfo{SocketType: spi.SOCK_STREAM, Protocol: spi.IPPROTO_TCP}
	if s.protocol == spi.IPPROTO_UDP {
		cs.SocketType, cs.Protocol = spi.SOCK_DGRAM, spi.IPPROTO_UDP
	}
	for _, addr := range s.addresses() {
		local := netip.IPv6Unspecified()
		if addr.Is4() {
			local = netip.IPv4Unspecified()
		}
		cs.LocalAddr = spi.NewSocketAddress(spi.SockaddrFrom(netip.AddrPortFrom(local, 0)))
		cs.RemoteAddr = spi.NewSocketAddress(spi.SockaddrFrom(netip.AddrPortFrom(addr, s.port)))
		all = append(all, cs)
	}
	return all
}

// host returns the answer as a hostent, which has addresses of one family: those
// of the first.
func (s *search) host(name string) *spi.Host {
	h := &spi.Host{Name: name, Aliases: s.answer.Aliases, Family: spi.AF_INET}
	for i, addr := range s.addresses() {
		if i == 0 && !addr.Is4() {
			h.Family = spi.AF_INET6
		}
		if addr.Is4() == (h.Family == spi.AF_INET) {
			h.Addresses = append(h.Addresses, addr.AsSlice())
		}
	}
	return h
}
