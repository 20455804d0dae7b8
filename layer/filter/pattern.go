package filter

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"upcall.dev/layer/names"
	"upcall.dev/spi"
)

// protocol is a set of kinds of sockets.
type protocol uint8

const (
	tcp protocol = 1 << iota
	udp
	local // AF_UNIX
	otherProtocol
	anyProtocol = tcp | udp | local | otherProtocol
)

var protocolNames = map[string]protocol{"tcp": tcp, "udp": udp, "unix": local}

// ports is a range of port numbers, both ends included.
type ports struct{ first, last uint16 }

var anyPort = ports{0, 65535}

func (p ports) contain(port uint16) bool { return p.first <= port && port <= p.last }

// parsePorts reads 80 or 6000-6063.
func parsePorts(text string) (ports, error) {
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	first, err1 := strconv.ParseUint(from, 10, 16)
	last, err2 := strconv.ParseUint(to, 10, 16)
	if err1 != nil || err2 != nil {
		return ports{}, fmt.Errorf("%q is no port: write a number up to 65535, or two as in 6000-6063", text)
	}
	if first > last {
		return ports{}, fmt.Errorf("ports %s are none: write the lower one first", text)
	}
	return ports{uint16(first), uint16(last)}, nil
}

// pattern is a set of addresses: all of some protocols, less those that one of
// its conditions excludes.
type pattern struct {
	protocols protocol
	ports     ports
	prefix    netip.Prefix // unless invalid
	name      string       // unless empty: of the address, with below of one under it
	below     bool
	path      string // unless empty: a glob of AF_UNIX paths
	real      string // path as it was without symbolic links when the rule was read
}

// UnmarshalText reads [tcp:|udp:]HOST[:PORTS] or unix:PATH. HOST is an address,
// a CIDR block, a name, *.NAME, or * or nothing for any; IPv6 is in brackets
// where a port follows.
func (p *pattern) UnmarshalText(text []byte) error {
	rest := string(text)
	*p = pattern{protocols: anyProtocol &^ local, ports: anyPort}
	scheme, after, found := strings.Cut(rest, ":")
	switch {
	case rest == "":
		return fmt.Errorf("an empty address matches nothing: write * for any")
	case rest == "*":
		p.protocols = anyProtocol
		return nil
	case found && scheme == "unix":
		p.protocols = local
		if after == "" {
			return fmt.Errorf("%q has no path: write unix:/run/*, or unix:** for any", rest)
		}
		p.path, p.real = after, withoutLinks(after)
		return checkGlob(after)
	case found && (scheme == "tcp" || scheme == "udp"):
		p.protocols, rest = protocolNames[scheme], after
	}
	host, port, err := splitHost(rest)
	if err != nil {
		return err
	}
	if port != "" {
		if p.ports, err = parsePorts(port); err != nil {
			return err
		}
	}
	return p.parseHost(host)
}

// splitHost separates HOST from PORTS.
func splitHost(text string) (host, port string, err error) {
	if inner, found := strings.CutPrefix(text, "["); found {
		host, after, closed := strings.Cut(inner, "]")
		port, hasPort := strings.CutPrefix(after, ":")
		if !closed || after != "" && !hasPort || hasPort && port == "" {
			return "", "", fmt.Errorf("%q is no address: write [2001:db8::1]:443 or [2001:db8::/32]:443", text)
		}
		return host, port, nil
	}
	switch strings.Count(text, ":") {
	case 0:
		return text, "", nil
	case 1:
		host, port, _ = strings.Cut(text, ":")
		if port == "" {
			return "", "", fmt.Errorf("%q has no port behind its colon", text)
		}
		return host, port, nil
	}
	return text, "", nil // IPv6 without a port
}

func (p *pattern) parseHost(host string) (err error) {
	switch {
	case host == "" || host == "*":
		return nil
	case strings.Contains(host, "%"):
		return fmt.Errorf("%q has a zone, which rules do not: leave it out", host)
	case strings.Contains(host, "/"):
		if p.prefix, err = netip.ParsePrefix(host); err != nil {
			return fmt.Errorf("%q is no CIDR block: write 10.0.0.0/8 or 2001:db8::/32", host)
		}
		if masked := p.prefix.Masked(); masked != p.prefix {
			return fmt.Errorf("%s has bits set beyond its length: write %s, or %s alone", host, masked, p.prefix.Addr())
		}
		if a := p.prefix.Addr(); a.Is4In6() && p.prefix.Bits() >= 96 {
			p.prefix = netip.PrefixFrom(a.Unmap(), p.prefix.Bits()-96)
		}
		return nil
	}
	if a, err := netip.ParseAddr(host); err == nil {
		p.prefix = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
		return nil
	}
	bare, below := strings.CutPrefix(host, "*.")
	name, ok := names.Canonical(bare)
	if !ok {
		return fmt.Errorf("%q is neither an address, nor a CIDR block, nor a name: write 192.0.2.1, 10.0.0.0/8, example.com, *.example.com, or :80 for a port", host)
	}
	p.name, p.below = name, below
	return nil
}

// matches reports whether what a call is about is of the set.
func (p *pattern) matches(o *operation) bool {
	if p.protocols&o.protocol == 0 {
		return false
	}
	if o.protocol == local {
		return p.path == "" || matchGlob(p.path, o.path) || p.real != p.path && matchGlob(p.real, o.path)
	}
	if !p.ports.contain(o.address.Port()) {
		return false
	}
	if p.prefix.IsValid() && !p.prefix.Contains(o.address.Addr()) {
		return false
	}
	if p.name == "" {
		return true
	}
	for _, name := range o.hostNames() {
		if p.below && strings.HasSuffix(name, "."+p.name) || !p.below && name == p.name {
			return true
		}
	}
	return false
}

// direction is a set of things that a program does with an address.
type direction uint8

const (
	connect direction = 1 << iota // to a peer
	send                          // a datagram to an address
	bind                          // to an address of its own
	listen                        // there
	accept                        // from a peer
)

const (
	outbound = connect | send
	inbound  = listen | accept
	anything = outbound | bind | inbound
)

var directionNames = map[string]direction{
	"connect": connect, "send": send, "bind": bind, "listen": listen, "accept": accept,
	"out": outbound, "in": inbound, "any": anything,
}

// String returns the name of one direction.
func (d direction) String() string {
	for name, one := range directionNames {
		if one == d {
			return name
		}
	}
	return "?"
}

// operation is what a call is about: one direction, one protocol, one address.
type operation struct {
	direction direction
	protocol  protocol
	address   netip.AddrPort // unmapped and without zone, unless local
	path      string         // of AF_UNIX, empty when unnamed

	named bool // names has been looked up
	names []string
}

// hostNames returns the names that the address is known by.
func (o *operation) hostNames() []string {
	if !o.named {
		o.named, o.names = true, names.Default.Names(o.address.Addr())
	}
	return o.names
}

// newOperation reads the address of a call. False for a family without rules.
// Connecting or sending to no address in particular reaches this machine, so
// the rules for that apply.
func newOperation(d direction, p protocol, name []byte) (o operation, ok bool) {
	o.direction = d
	if path, isLocal := spi.UnixPathFrom(name); isLocal {
		o.protocol, o.path = local, path
		return o, true
	}
	address, ok := spi.AddrPortFrom(name)
	if !ok {
		return o, false
	}
	ip := address.Addr().Unmap().WithZone("")
	if d&outbound != 0 && ip.IsUnspecified() {
		if ip.Is4() {
			ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		} else {
			ip = netip.IPv6Loopback()
		}
	}
	o.protocol, o.address = p, netip.AddrPortFrom(ip, address.Port())
	return o, true
}

// String is the operation's address for people.
func (o *operation) String() string {
	if o.protocol == local {
		return "unix:" + o.path
	}
	return o.address.String()
}
