package filter

import (
	"errors"
	"fmt"
	"strings"

	"upcall.dev/layer"
	"upcall.dev/spi"
)

var options = []spi.Option{
	{Name: "allow", Help: "addresses that a program may reach, such as 127.0.0.0/8+*.example.com:443"},
	{Name: "deny", Help: "addresses that it may not reach, such as 10.0.0.0/8+udp::443"},
	{Name: "default", Default: "allow", Help: "allow or deny what no rule is about"},
	{Name: "inbound", Default: "allow", Help: "allow or deny listening and peers that no rule is about"},
	{Name: "error", Default: "WSAEACCES", Help: "what a denied call gives, such as WSAECONNREFUSED"},
	{Name: "rules", Path: true, Help: "file with more rules, such as /etc/upcall/rules.toml; it is read again when it changes"},
	{Name: "log", Path: true, Help: "file to append a line for each decision to, - for standard error"},
	{Name: "handles", Default: "passed", Help: "passed, or own, or datagrams for own ones of UDP, for rules that send sockets to chains without IFS handles"},
}

// config is the options, read.
type config struct {
	own       bool // handles of the layer's own
	datagrams bool // of UDP sockets alone
	rules     []rule
	out, in   *choice
	denied    spi.Errno // 0 when not given
	file      string
	log       string
}

// defaultDenied is what a denied call gives unless something else is chosen.
const defaultDenied = spi.WSAEACCES

func parse(o spi.Options) (config, error) {
	c := config{file: o["rules"], log: o["log"]}
	for _, name := range []string{"rules", "log", "allow", "deny"} {
		if value, set := o[name]; set && value == "" {
			return c, fmt.Errorf("%s= is empty: give a value, or leave it out", name)
		}
	}
	handles, err := layer.Choice(o, "handles", "passed", "own", "datagrams")
	if err != nil {
		return c, err
	}
	c.own, c.datagrams = handles == "own", handles == "datagrams"
	if value, set := o["error"]; set {
		var ok bool
		if c.denied, ok = parseDenial(value); !ok {
			return c, fmt.Errorf("error=%q is no error of a denial: choose one of %s", value, denialNames())
		}
	}
	for _, name := range []string{"default", "inbound"} {
		value, set := o[name]
		if !set {
			continue
		}
		a, err := parseChoice(value)
		if err != nil {
			return c, fmt.Errorf("%s=%w", name, err)
		}
		chosen := choice(a)
		if name == "default" {
			c.out = &chosen
		} else {
			c.in = &chosen
		}
	}
	for _, list := range []struct {
		option string
		action action
	}{{"allow", allow}, {"deny", deny}} {
		for _, text := range strings.FieldsFunc(o[list.option], func(r rune) bool { return r == '+' || r == ' ' }) {
			r := rule{where: list.option + "=" + text, directions: outbound, protocols: anyProtocol, addresses: make([]pattern, 1), action: list.action, errno: c.denied}
			if err := r.addresses[0].UnmarshalText([]byte(text)); err != nil {
				return c, fmt.Errorf("%s=%w", list.option, err)
			}
			if r.errno == 0 {
				r.errno = defaultDenied
			}
			c.rules = append(c.rules, r)
		}
	}
	if o["allow"] != "" && o["deny"] == "" && c.file == "" && (c.out == nil || *c.out == choice(allow)) {
		return c, errors.New("allow= changes nothing while all else is allowed too: add default=deny")
	}
	return c, nil
}

// policy joins the options with what the file says; the options come first.
func (c *config) policy(f *fileRules) *policy {
	denied := c.denied
	p := &policy{rules: c.rules}
	out, in := c.out, c.in
	if f != nil {
		p.rules = append(p.rules[:len(p.rules):len(p.rules)], f.rules...)
		denied = f.denied
		if out == nil {
			out = f.out
		}
		if in == nil {
			in = f.in
		}
	}
	if denied == 0 {
		denied = defaultDenied
	}
	p.out, p.in = defaultRule(out, denied), defaultRule(in, denied)
	return p
}

func defaultRule(c *choice, denied spi.Errno) *rule {
	if c == nil || action(*c) == allow {
		return allowed
	}
	return &rule{where: "default", action: deny, errno: denied}
}

// owns reports whether the sockets of an entry have handles of the layer's own
// by these options.
func (c *config) owns(e *spi.ProtocolInfo) bool {
	return c.own || c.datagrams && e.SocketType == spi.SOCK_DGRAM && (e.AddressFamily == spi.AF_INET || e.AddressFamily == spi.AF_INET6)
}
