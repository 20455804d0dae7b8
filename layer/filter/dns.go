package filter

import (
	"net/netip"
	"slices"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"upcall.dev/layer/names"
	"upcall.dev/nonifs"
	"upcall.dev/spi"
)

const (
	dnsPort = 53

	// largestAnswer bounds what is looked at: no answer over UDP is longer.
	largestAnswer = 4096

	// shortestTTL is how long a name holds at least, for programs use addresses
	// beyond the end of a short time to live.
	shortestTTL = time.Minute
)

// queriesGoTo returns the chains that DNS queries are sent to, of whatever program.
func (p *policy) queriesGoTo() (chains []string) {
	for i := range p.rules {
		r := &p.rules[i]
		if !r.isAboutQueries() {
			continue
		}
		if r.action == via {
			chains = append(chains, r.chain)
		}
		if len(r.programs) == 0 { // no later rule is asked
			break
		}
	}
	return chains
}

// isAboutQueries reports whether a rule is about DNS queries as such: to whatever
// server, or because it names their port. One about a block of addresses, where
// there may be a server too, is not.
func (r *rule) isAboutQueries() bool {
	if r.directions&outbound == 0 || r.protocols&udp == 0 {
		return false
	}
	named := len(r.ports) > 0
	if named && !slices.ContainsFunc(r.ports, func(p ports) bool { return p.contain(dnsPort) }) {
		return false
	}
	return len(r.addresses) == 0 || slices.ContainsFunc(r.addresses, func(p pattern) bool {
		return p.protocols&udp != 0 && p.name == "" && p.ports.contain(dnsPort) && (named || p.ports != anyPort || !p.prefix.IsValid())
	})
}

func fromResolver(from []byte) bool {
	a, ok := spi.AddrPortFrom(from)
	return ok && a.Port() == dnsPort
}

// transferred looks at what a socket with a handle of the layer's own has
// received.
func (f *filter) transferred(t *nonifs.Transfer) {
	if t.Receive && t.Errno == 0 && (fromResolver(t.Address) || f.resolvers.get(t.Socket) != nil) {
		learn(t.Bufs, t.N)
	}
}

// learn notes the names in a DNS answer.
func learn(bufs []spi.Buf, n uint32) {
	if n == 0 || n > largestAnswer {
		return
	}
	message := make([]byte, 0, n)
	for _, b := range bufs {
		part := b.Bytes()
		message = append(message, part[:min(len(part), int(n)-len(message))]...)
	}
	learnMessage(message)
}

// learnMessage notes the addresses in a DNS answer under the name that was asked
// for. Aliases on the way have the same addresses, but nobody asked for them.
func learnMessage(message []byte) {
	var p dnsmessage.Parser
	header, err := p.Start(message)
	if err != nil || !header.Response || header.RCode != dnsmessage.RCodeSuccess {
		return
	}
	question, err := p.Question()
	if err != nil || p.SkipAllQuestions() != nil {
		return
	}
	for {
		h, err := p.AnswerHeader()
		if err != nil {
			return
		}
		ttl := max(shortestTTL, time.Duration(h.TTL)*time.Second)
		switch h.Type {
		case dnsmessage.TypeA:
			r, err := p.AResource()
			if err != nil {
				return
			}
			names.Default.Learn(question.Name.String(), netip.AddrFrom4(r.A), ttl)
		case dnsmessage.TypeAAAA:
			r, err := p.AAAAResource()
			if err != nil {
				return
			}
			names.Default.Learn(question.Name.String(), netip.AddrFrom16(r.AAAA), ttl)
		default:
			if p.SkipAnswer() != nil {
				return
			}
		}
	}
}
