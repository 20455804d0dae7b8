package ws2

import (
	"net/netip"

	"upcall.dev/internal/netdb"
	"upcall.dev/spi"
)

// GetHostByName returns a host's IPv4 addresses and names; an empty name means
// this machine. The result belongs to the caller.
// WSAHOST_NOT_FOUND, WSANO_DATA, WSATRY_AGAIN, WSANO_RECOVERY.
// Source: winsock2/nf-winsock2-gethostbyname.
func (t *Thread) GetHostByName(name string) (*spi.Hostent, error) {
	r, e := t.enter()
	if e != 0 {
		return nil, t.fail(e)
	}
	h, err := t.dll.hostByName(r, name, new(canceller))
	if err != nil {
		return nil, t.failWith(err)
	}
	return h.Hostent(), nil
}

func (d *DLL) hostByName(r *running, name string, c *canceller) (*spi.Host, error) {
	h := &spi.Host{Name: name, Family: spi.AF_INET}
	add := func(all []found) {
		for _, f := range all {
			if f.addr.Is4() {
				h.Addresses = append(h.Addresses, f.addr.AsSlice())
			}
		}
	}
	if addr, ok := parseInetAddr(name); ok {
		h.Addresses = [][]byte{addr.AsSlice()}
		return h, nil
	}
	if name == "" || name == "..localmachine" {
		all, own, err := d.machine(r, &addrRequest{family: spi.AF_INET})
		if err != nil {
			return nil, err
		}
		h.Name = own
		add(all)
		return h, nil
	}
	if !plausibleName(name) {
		return nil, spi.WSAHOST_NOT_FOUND.Err()
	}
	a, err := d.ask(r, &question{
		class: spi.SVCID_INET_HOSTADDRBYNAME, name: name, families: []int32{spi.AF_INET}, nameSpace: spi.NS_ALL, names: true,
	}, c)
	if err != nil {
		return nil, err
	}
	if a.name != "" {
		h.Name = a.name
	}
	h.Aliases = a.aliases
	add(a.addresses)
	if len(h.Addresses) == 0 {
		return nil, spi.WSANO_DATA.Err()
	}
	return h, nil
}

// GetHostByAddr returns the names of an address of 4 or 16 bytes, as
// [Thread.GetHostByName] does a host's addresses. WSAEAFNOSUPPORT, WSAEFAULT
// (addr is too short), WSAHOST_NOT_FOUND, WSANO_DATA, WSATRY_AGAIN,
// WSANO_RECOVERY. Source: winsock2/nf-winsock2-gethostbyaddr.
func (t *Thread) GetHostByAddr(addr []byte, family int32) (*spi.Hostent, error) {
	r, e := t.enter()
	if e != 0 {
		return nil, t.fail(e)
	}
	h, err := t.dll.hostByAddr(r, addr, family, new(canceller))
	if err != nil {
		return nil, t.failWith(err)
	}
	return h.Hostent(), nil
}

func (d *DLL) hostByAddr(r *running, addr []byte, family int32, c *canceller) (*spi.Host, error) {
	var ip netip.Addr
	switch {
	case family == spi.AF_INET && len(addr) >= 4:
		ip = netip.AddrFrom4([4]byte(addr))
	case family == spi.AF_INET6 && len(addr) >= 16:
		ip = netip.AddrFrom16([16]byte(addr))
	case family == spi.AF_INET || family == spi.AF_INET6:
		return nil, spi.WSAEFAULT.Err()
	default:
		return nil, spi.WSAEAFNOSUPPORT.Err()
	}
	a, err := d.reverse(r, ip, c)
	if err != nil {
		return nil, err
	}
	return &spi.Host{Name: a.name, Aliases: a.aliases, Family: family, Addresses: [][]byte{ip.AsSlice()}}, nil
}

// GetServByName returns a service by its name or an alias; an empty protocol
// means the first that fits. WSANO_DATA (not known).
// Source: winsock2/nf-winsock2-getservbyname.
func (t *Thread) GetServByName(name, protocol string) (*spi.Servent, error) {
	if _, e := t.enter(); e != 0 {
		return nil, t.fail(e)
	}
	s, e := servByName(name, protocol)
	if e != 0 {
		return nil, t.fail(e)
	}
	return s.Servent(), nil
}

func servByName(name, protocol string) (*spi.Service, spi.Errno) {
	s, ok := netdb.System.ServiceByName(name, protocol)
	if !ok {
		return nil, spi.WSANO_DATA
	}
	return &spi.Service{Name: s.Name, Aliases: s.Aliases, Protocol: s.Protocol, Port: s.Port}, 0
}

// GetServByPort is [Thread.GetServByName] for a port, which is in network byte
// order. WSANO_DATA. Source: winsock2/nf-winsock2-getservbyport.
func (t *Thread) GetServByPort(port uint16, protocol string) (*spi.Servent, error) {
	if _, e := t.enter(); e != 0 {
		return nil, t.fail(e)
	}
	s, e := servByPort(port, protocol)
	if e != 0 {
		return nil, t.fail(e)
	}
	return s.Servent(), nil
}

func servByPort(port uint16, protocol string) (*spi.Service, spi.Errno) {
	s, ok := netdb.System.ServiceByPort(Ntohs(port), protocol)
	if !ok {
		return nil, spi.WSANO_DATA
	}
	return &spi.Service{Name: s.Name, Aliases: s.Aliases, Protocol: s.Protocol, Port: s.Port}, 0
}

// GetProtoByName returns a protocol by its name or an alias. WSANO_DATA.
// Source: winsock2/nf-winsock2-getprotobyname.
func (t *Thread) GetProtoByName(name string) (*spi.Protoent, error) {
	if _, e := t.enter(); e != 0 {
		return nil, t.fail(e)
	}
	p, e := protoOf(netdb.System.ProtocolByName(name))
	if e != 0 {
		return nil, t.fail(e)
	}
	return p.Protoent(), nil
}

// GetProtoByNumber is [Thread.GetProtoByName] for a number. WSANO_DATA.
// Source: winsock2/nf-winsock2-getprotobynumber.
func (t *Thread) GetProtoByNumber(number int32) (*spi.Protoent, error) {
	if _, e := t.enter(); e != 0 {
		return nil, t.fail(e)
	}
	p, e := protoOf(netdb.System.ProtocolByNumber(number))
	if e != 0 {
		return nil, t.fail(e)
	}
	return p.Protoent(), nil
}

func protoOf(p netdb.Protocol, ok bool) (*spi.Protocol, spi.Errno) {
	if !ok {
		return nil, spi.WSANO_DATA
	}
	return &spi.Protocol{Name: p.Name, Aliases: p.Aliases, Number: int32(p.Number)}, 0
}
