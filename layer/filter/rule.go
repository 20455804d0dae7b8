package filter

import (
	"slices"
	"strings"

	"upcall.dev/spi"
)

// action is what becomes of a call.
type action uint8

const (
	allow action = iota
	deny
	via // another chain
)

// rule is one rule. Each of its conditions that is not empty must hold.
type rule struct {
	where      string // for messages and the log, such as rules.toml:12
	programs   []string
	directions direction
	protocols  protocol
	addresses  []pattern
	ports      []ports

	action action
	errno  spi.Errno // of deny
	chain  string    // of via
}

// narrow leaves the rule those protocols that its other conditions allow.
func (r *rule) narrow() {
	if len(r.ports) > 0 {
		r.protocols &^= local
	}
	if len(r.addresses) == 0 {
		return
	}
	var some protocol
	for i := range r.addresses {
		some |= r.addresses[i].protocols
	}
	r.protocols &= some
}

// namesUnix reports whether the rule says unix, in an address or as protocol.
func (r *rule) namesUnix() bool {
	if r.protocols&local == 0 {
		return false
	}
	return r.protocols != anyProtocol || slices.ContainsFunc(r.addresses, func(p pattern) bool { return p.protocols == local })
}

// matches leaves out the condition on the program.
func (r *rule) matches(o *operation) bool {
	if r.directions&o.direction == 0 || r.protocols&o.protocol == 0 {
		return false
	}
	if len(r.ports) > 0 && !slices.ContainsFunc(r.ports, func(p ports) bool { return p.contain(o.address.Port()) }) {
		return false
	}
	if len(r.addresses) == 0 {
		return true
	}
	for i := range r.addresses {
		if r.addresses[i].matches(o) {
			return true
		}
	}
	return false
}

func (r *rule) concerns(program string) bool {
	return len(r.programs) == 0 || slices.ContainsFunc(r.programs, func(glob string) bool { return matchProgram(glob, program) })
}

// policy is all rules, and what becomes of a call that none is about.
type policy struct {
	rules []rule
	out   *rule // the default of outbound
	in    *rule // the default of inbound; binding is allowed by default

	judged direction // those whose outcome is not always to allow
}

// allowed is the verdict about what no rule and no default concerns.
var allowed = &rule{where: "default", action: allow}

// decide returns the first rule that matches, or a default.
func (p *policy) decide(o *operation) *rule {
	for i := range p.rules {
		if p.rules[i].matches(o) {
			return &p.rules[i]
		}
	}
	switch {
	case o.direction&outbound != 0:
		return p.out
	case o.direction&inbound != 0:
		return p.in
	}
	return allowed
}

// judges reports whether the outcome of a direction is not always to allow.
func (p *policy) judges(d direction) bool { return p.judged&d != 0 }

// sends reports whether a rule sends sockets to another chain.
func (p *policy) sends() bool {
	return slices.ContainsFunc(p.rules, func(r rule) bool { return r.action == via })
}

// of returns the part of the policy that concerns one program.
func (p *policy) of(program string) *policy {
	own := &policy{out: p.out, in: p.in}
	if p.out.action != allow {
		own.judged |= outbound
	}
	if p.in.action != allow {
		own.judged |= inbound
	}
	for _, r := range p.rules {
		if !r.concerns(program) {
			continue
		}
		own.rules = append(own.rules, r)
		if r.action != allow {
			own.judged |= r.directions
		}
	}
	return own
}

// denials are the errors that a denial may give: those that programs expect of
// a network.
var denials = []spi.Errno{
	spi.WSAEACCES, spi.WSAECONNREFUSED, spi.WSAEHOSTUNREACH, spi.WSAENETUNREACH, spi.WSAEHOSTDOWN, spi.WSAENETDOWN,
	spi.WSAETIMEDOUT, spi.WSAECONNRESET, spi.WSAECONNABORTED, spi.WSAEADDRNOTAVAIL, spi.WSAEADDRINUSE,
}

// parseDenial reads the name of a denial's error, with or without WSA.
func parseDenial(name string) (spi.Errno, bool) {
	for _, e := range denials {
		if strings.EqualFold(name, e.Name()) || strings.EqualFold("WSA"+name, e.Name()) {
			return e, true
		}
	}
	return 0, false
}

func denialNames() string {
	all := make([]string, len(denials))
	for i, e := range denials {
		all[i] = e.Name()
	}
	return strings.Join(all, ", ")
}
