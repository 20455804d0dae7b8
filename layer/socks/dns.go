package socks

import (
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"upcall.dev/layer/names"
	"upcall.dev/spi"
)

// dnsPort is where queries for names go.
const dnsPort = 53

// answerTTL is how many seconds a program may keep an answer. The address stays
// the name's much longer.
const answerTTL = 60

// hold keeps the name of an address that stands for one. WSAEHOSTUNREACH when
// nobody knows it any more.
func (m *module) hold(a netip.Addr) (release func(), errno spi.Errno) {
	if !names.Default.Assigned(a) {
		return nil, 0
	}
	release, ok := names.Default.Hold(a)
	if !ok {
		return nil, spi.WSAEHOSTUNREACH
	}
	return release, 0
}

// answer answers a query that a program sent to the server at to, at once by
// tell, or later into answers unless cancel is closed before.
func (m *module) answer(to netip.AddrPort, query []byte, answers chan<- answer, cancel <-chan struct{}, tell func(netip.AddrPort, []byte)) {
	reply, ask := answerQuery(query)
	switch {
	case reply != nil:
		tell(to, reply)
	case !ask:
	case m.config.resolver.port == 0:
		m.once("socks: a program asks for " + questionOf(query) + ", which the proxy cannot look up: it gets no answer; resolver=ADDRESS names a DNS server that the proxy can reach")
		if reply = refuseQuery(query, dnsmessage.RCodeNotImplemented); reply != nil {
			tell(to, reply)
		}
	default:
		query = append([]byte(nil), query...)
		m.run(func() {
			reply, err := m.resolve(query, cancel)
			if err != nil {
				m.explain(err)
				reply = refuseQuery(query, dnsmessage.RCodeServerFailure)
			}
			select {
			case answers <- answer{to, reply}:
			default: // so many at a time that it is lost, as datagrams are
			}
		})
	}
}

// answerQuery answers a query from what is known here. Without a reply ask tells
// whether a resolver has to be asked; otherwise it is no query.
func answerQuery(query []byte) (reply []byte, ask bool) {
	var p dnsmessage.Parser
	header, err := p.Start(query)
	if err != nil || header.Response {
		return nil, false
	}
	if header.OpCode != 0 {
		return refuseQuery(query, dnsmessage.RCodeNotImplemented), false
	}
	q, err := p.Question()
	if err != nil {
		return refuseQuery(query, dnsmessage.RCodeFormatError), false
	}
	if _, err := p.Question(); err != dnsmessage.ErrSectionDone {
		return refuseQuery(query, dnsmessage.RCodeFormatError), false
	}
	if q.Class != dnsmessage.ClassINET {
		return refuseQuery(query, dnsmessage.RCodeNotImplemented), false
	}
	switch q.Type {
	case dnsmessage.TypeA, dnsmessage.TypeAAAA:
		return answerAddress(header, q), false
	case dnsmessage.TypePTR:
		return answerPointer(header, q)
	case dnsmessage.TypeHTTPS, dnsmessage.TypeSVCB: // hints that nobody depends on
		return build(header, q, dnsmessage.RCodeSuccess, nil), false
	}
	return nil, true
}

// answerAddress answers with the address that the name gets here.
func answerAddress(header dnsmessage.Header, q dnsmessage.Question) []byte {
	name, ok := names.Canonical(q.Name.String())
	if !ok {
		return build(header, q, dnsmessage.RCodeNameError, nil)
	}
	v6 := q.Type == dnsmessage.TypeAAAA
	var addr netip.Addr
	var err error
	switch local := name == "localhost" || strings.HasSuffix(name, ".localhost"); {
	case local && v6:
		addr = netip.IPv6Loopback()
	case local:
		addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case v6:
		addr, err = names.Default.Assign6(name)
	default:
		addr, err = names.Default.Assign(name)
	}
	if err != nil {
		return build(header, q, dnsmessage.RCodeServerFailure, nil)
	}
	if v6 {
		return build(header, q, dnsmessage.RCodeSuccess, &dnsmessage.AAAAResource{AAAA: addr.As16()})
	}
	return build(header, q, dnsmessage.RCodeSuccess, &dnsmessage.AResource{A: addr.As4()})
}

// answerPointer answers with the name of an address that stands for one.
func answerPointer(header dnsmessage.Header, q dnsmessage.Question) (reply []byte, ask bool) {
	addr, ok := parsePointer(q.Name.String())
	name := ""
	switch {
	case !ok:
		return nil, true
	case addr.IsLoopback():
		name = "localhost"
	case !names.Default.Assigned(addr):
		return nil, true
	default:
		if name, ok = names.Default.Lookup(addr); !ok {
			return build(header, q, dnsmessage.RCodeNameError, nil), false
		}
	}
	pointer, err := dnsmessage.NewName(name + ".")
	if err != nil {
		return build(header, q, dnsmessage.RCodeServerFailure, nil), false
	}
	return build(header, q, dnsmessage.RCodeSuccess, &dnsmessage.PTRResource{PTR: pointer}), false
}

// parsePointer reads a name under in-addr.arpa or ip6.arpa.
func parsePointer(name string) (netip.Addr, bool) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if host, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		labels := strings.Split(host, ".")
		if len(labels) != 4 {
			return netip.Addr{}, false
		}
		addr, err := netip.ParseAddr(labels[3] + "." + labels[2] + "." + labels[1] + "." + labels[0])
		return addr, err == nil
	}
	host, ok := strings.CutSuffix(name, ".ip6.arpa")
	if !ok || len(host) != 63 {
		return netip.Addr{}, false
	}
	var raw [16]byte
	for i := range 32 {
		digit, err := strconv.ParseUint(host[2*i:2*i+1], 16, 8)
		if err != nil || i < 31 && host[2*i+1] != '.' {
			return netip.Addr{}, false
		}
		raw[15-i/2] |= byte(digit) << (4 * (i % 2))
	}
	return netip.AddrFrom16(raw), true
}

// build makes a reply with one record, or none when body is nil.
func build(header dnsmessage.Header, q dnsmessage.Question, code dnsmessage.RCode, body dnsmessage.ResourceBody) []byte {
	m := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: header.ID, Response: true, OpCode: header.OpCode, RecursionDesired: header.RecursionDesired,
			RecursionAvailable: true, RCode: code,
		},
		Questions: []dnsmessage.Question{q},
	}
	if body != nil {
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: answerTTL},
			Body:   body,
		}}
	}
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	return b
}

// refuseQuery makes a reply that says only what went wrong; nil to what is no
// query.
func refuseQuery(query []byte, code dnsmessage.RCode) []byte {
	var p dnsmessage.Parser
	header, err := p.Start(query)
	if err != nil || header.Response {
		return nil
	}
	m := dnsmessage.Message{Header: dnsmessage.Header{
		ID: header.ID, Response: true, OpCode: header.OpCode, RecursionDesired: header.RecursionDesired,
		RecursionAvailable: true, RCode: code,
	}}
	if q, err := p.Question(); err == nil {
		m.Questions = []dnsmessage.Question{q}
	}
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	return b
}

// questionOf is what a query asks, for people.
func questionOf(query []byte) string {
	var p dnsmessage.Parser
	if _, err := p.Start(query); err != nil {
		return "something"
	}
	q, err := p.Question()
	if err != nil {
		return "something"
	}
	return "records of type " + strings.TrimPrefix(q.Type.String(), "Type")
}
