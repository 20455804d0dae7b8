package filter

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"upcall.dev/layer/names"
	"upcall.dev/spi"
)

func TestMappedAddressesMatchIPv4Rules(t *testing.T) {
	for _, test := range []struct {
		pattern, address string
		want             bool
	}{
		{"10.0.0.0/8", "[::ffff:10.1.2.3]:80", true},
		{"::ffff:10.0.0.0/104", "10.1.2.3:80", true},
		{"::ffff:10.1.2.3", "10.1.2.3:80", true},
		{"::/0", "[::ffff:10.1.2.3]:80", false},
		{"::/0", "[2001:db8::1]:80", true},
		{"127.0.0.1", "0.0.0.0:80", true},
		{"127.0.0.1", "[::ffff:0.0.0.0]:80", true},
		{"::1", "[::]:80", true},
		{"fe80::/10", "[fe80::1%3]:80", true},
	} {
		var p pattern
		if err := p.UnmarshalText([]byte(test.pattern)); err != nil {
			t.Fatal(err)
		}
		o, ok := newOperation(connect, tcp, address(test.address))
		if !ok || p.matches(&o) != test.want {
			t.Errorf("%s matches %s: %t", test.pattern, test.address, !test.want)
		}
	}
	o, ok := newOperation(bind, tcp, address("0.0.0.0:80"))
	if !ok || o.address.Addr().IsLoopback() {
		t.Errorf("binding to no address is judged as %v", o.address)
	}
	if o, ok := newOperation(connect, tcp, []byte{99, 0, 1, 2}); ok {
		t.Errorf("an address of a family without rules: %v", o)
	}
}

// globPattern is the naive model of a glob.
func globPattern(glob string) *regexp.Regexp {
	q := regexp.QuoteMeta(glob)
	q = strings.ReplaceAll(q, `\*\*`, `(?s:.*)`)
	q = strings.ReplaceAll(q, `\*`, `[^/]*`)
	q = strings.ReplaceAll(q, `\?`, `[^/]`)
	return regexp.MustCompile(`\A` + q + `\z`)
}

func TestGlobModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		glob := rapid.StringOfN(rapid.RuneFrom([]rune("ab/*?.")), 0, 12, -1).Draw(t, "glob")
		path := rapid.StringOfN(rapid.RuneFrom([]rune("ab/.")), 0, 12, -1).Draw(t, "path")
		if checkGlob(glob) != nil {
			t.Skip()
		}
		if got, want := matchGlob(glob, path), globPattern(glob).MatchString(path); got != want {
			t.Fatalf("matchGlob(%q, %q) = %t", glob, path, got)
		}
	})
}

// The model of a rule is the text of its parts, taken apart in another way.
type modelRule struct {
	directions []string
	protocols  []string
	addresses  []string
	port       string
	deny       bool
}

func (m *modelRule) matches(direction, protocol string, to netip.AddrPort, hostNames []string) bool {
	in := func(list []string, one string) bool {
		for _, l := range list {
			if l == one || l == "any" || l == "out" && (one == "connect" || one == "send") || l == "in" && (one == "listen" || one == "accept") {
				return true
			}
		}
		return false
	}
	directions := m.directions
	if directions == nil {
		directions = []string{"out"}
	}
	if !in(directions, direction) || m.protocols != nil && !in(m.protocols, protocol) {
		return false
	}
	if m.port != "" && !modelPort(m.port, to.Port()) {
		return false
	}
	if m.addresses == nil {
		return true
	}
	for _, a := range m.addresses {
		if modelAddress(a, protocol, to, hostNames) {
			return true
		}
	}
	return false
}

func modelPort(text string, port uint16) bool {
	var p ports
	p, err := parsePorts(text)
	if err != nil {
		panic(err)
	}
	for n := int(p.first); n <= int(p.last); n++ {
		if n == int(port) {
			return true
		}
	}
	return false
}

func modelAddress(text, protocol string, to netip.AddrPort, hostNames []string) bool {
	for _, p := range []string{"tcp", "udp"} {
		if rest, ok := strings.CutPrefix(text, p+":"); ok {
			return p == protocol && modelAddress(rest, protocol, to, hostNames)
		}
	}
	if strings.HasPrefix(text, "unix:") {
		return false
	}
	if host, port, ok := strings.Cut(text, "#"); ok {
		return modelPort(port, to.Port()) && modelAddress(host, protocol, to, hostNames)
	}
	switch {
	case text == "*":
		return true
	case strings.Contains(text, "/"):
		return netip.MustParsePrefix(text).Contains(to.Addr())
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return a == to.Addr()
	}
	for _, name := range hostNames {
		if name == text || strings.HasPrefix(text, "*") && strings.HasSuffix(name, text[1:]) {
			return true
		}
	}
	return false
}

// TestRulesModel compares decisions with those of the naive model.
func TestRulesModel(t *testing.T) {
	addresses := []string{
		"*", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "2001:db8::/32", "2001:db8::1", "0.0.0.0/0", "::/0",
		"www.example.com", "*.example.com", "example.com", "*.com",
		"10.1.2.3#80", "2001:db8::1#443", "*#1-1023", "*.example.com#443", "tcp:10.0.0.0/8", "udp:*#53", "unix:/run/x",
	}
	known := map[string][]string{"10.1.2.3": {"www.example.com"}, "2001:db8::1": {"example.com", "other.org"}, "10.9.9.9": nil, "2001:db8:1::5": {"a.b.example.com"}, "192.0.2.1": nil}
	for a, all := range known {
		for _, name := range all {
			names.Default.Learn(name, netip.MustParseAddr(a), time.Hour)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		var model []modelRule
		if rapid.Bool().Draw(t, "denied by default") {
			text.WriteString("default = 'deny'\ninbound = 'deny'\n")
		}
		byDefault := text.Len() > 0
		quoted := func(key string, list []string) {
			if list == nil {
				return
			}
			if len(list) == 1 && rapid.Bool().Draw(t, "alone") {
				text.WriteString(key + " = '" + list[0] + "'\n")
				return
			}
			text.WriteString(key + " = ['" + strings.Join(list, "', '") + "']\n")
		}
		some := func(label string, from []string) []string {
			if rapid.Bool().Draw(t, "no "+label) {
				return nil
			}
			return rapid.SliceOfN(rapid.SampledFrom(from), 1, 3).Draw(t, label)
		}
		for range rapid.IntRange(0, 6).Draw(t, "rules") {
			m := modelRule{
				directions: some("direction", []string{"connect", "send", "bind", "listen", "accept", "out", "in", "any"}),
				protocols:  some("protocol", []string{"tcp", "udp", "unix"}),
				addresses:  some("address", addresses),
				deny:       rapid.Bool().Draw(t, "deny"),
			}
			text.WriteString("[[rule]]\n")
			quoted("direction", m.directions)
			quoted("protocol", m.protocols)
			var written []string
			for _, a := range m.addresses {
				host, port, hasPort := strings.Cut(a, "#")
				if hasPort && strings.Count(host, ":") > 1 {
					host = "[" + host + "]"
				}
				if hasPort {
					host += ":" + port
				}
				written = append(written, host)
			}
			quoted("address", written)
			if rapid.Bool().Draw(t, "port") {
				m.port = rapid.SampledFrom([]string{"80", "1-1023", "443-443", "0-65535"}).Draw(t, "ports")
				text.WriteString("port = '" + m.port + "'\n")
			}
			if m.deny {
				text.WriteString("action = 'deny'\n")
			} else {
				text.WriteString("action = 'allow'\n")
			}
			model = append(model, m)
		}
		f, err := parseFile("rules.toml", []byte(text.String()), defaultDenied)
		if err != nil && strings.Contains(err.Error(), "matches nothing") {
			t.Skip()
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text.String())
		}
		p := (&config{}).policy(f).of("")
		for range 20 {
			direction := rapid.SampledFrom([]string{"connect", "send", "bind", "listen", "accept"}).Draw(t, "asked direction")
			protocol := rapid.SampledFrom([]string{"tcp", "udp"}).Draw(t, "asked protocol")
			ip := rapid.SampledFrom([]string{"10.1.2.3", "10.9.9.9", "192.0.2.1", "2001:db8::1", "2001:db8:1::5"}).Draw(t, "ip")
			to := netip.AddrPortFrom(netip.MustParseAddr(ip), rapid.SampledFrom([]uint16{0, 53, 80, 443, 1023, 1024, 65535}).Draw(t, "asked port"))
			want := byDefault && direction != "bind"
			for i := range model {
				if model[i].matches(direction, protocol, to, known[ip]) {
					want = model[i].deny
					break
				}
			}
			sent := to
			if to.Addr().Is4() && rapid.Bool().Draw(t, "mapped") {
				sent = netip.AddrPortFrom(netip.AddrFrom16(to.Addr().As16()), to.Port())
			}
			o, ok := newOperation(directionNames[direction], protocolNames[protocol], spi.SockaddrFrom(sent))
			if !ok {
				t.Fatal("no operation")
			}
			if r := p.decide(&o); (r.action == deny) != want {
				t.Fatalf("%s %s %v is decided by %s, want denied %t, by\n%s", direction, protocol, to, r.where, want, text.String())
			}
			if d := directionNames[direction]; want && !p.judges(d) {
				t.Fatalf("%s is not judged by\n%s", direction, text.String())
			}
		}
	})
}

func FuzzRules(f *testing.F) {
	f.Add([]byte("default = 'deny'\n[[rule]]\naddress = ['10.0.0.0/8:80', '*.a.b', 'unix:/x/**']\nport = [1, '2-3']\nprogram = 'c?rl'\naction = 'allow'\n"), []byte{2, 0, 0, 80, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte("[[rule]]\nvia = 1001\ndirection = ['any']"), []byte{1, 0, '/', 'x', 0})
	f.Add([]byte("[[rule]\n"), []byte{})
	f.Fuzz(func(t *testing.T, text, name []byte) {
		parsed, err := parseFile("rules.toml", text, defaultDenied)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x00") || err.Error() == "" {
				t.Errorf("no line for people: %q", err)
			}
			return
		}
		p := (&config{}).policy(parsed).of("/usr/bin/curl")
		for _, d := range []direction{connect, send, bind, listen, accept} {
			o, ok := newOperation(d, tcp, name)
			if !ok {
				continue
			}
			r := p.decide(&o)
			if r.action != allow && !p.judges(d) {
				t.Errorf("%s is decided by %s and not judged", d, r.where)
			}
			if r.action == deny && r.errno == 0 {
				t.Errorf("%s denies without an error", r.where)
			}
			if strings.ContainsAny(o.describe(r, "p"), "\n\r") && !strings.ContainsAny(string(text), "\n\r") {
				t.Error("the log has more than one line")
			}
		}
	})
}

func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"10.0.0.0/8:80-90", "[2001:db8::/32]:443", "*.example.com", "udp::53", "unix:@x*", "::ffff:1.2.3.4/100", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var p pattern
		if p.UnmarshalText([]byte(text)) != nil {
			return
		}
		o, _ := newOperation(connect, tcp, address("10.0.0.1:80"))
		p.matches(&o)
		o, _ = newOperation(connect, local, []byte("\x01\x00/run/x"))
		if p.matches(&o) && !strings.HasPrefix(text, "unix:") && text != "*" {
			t.Errorf("%q matches a Unix socket", text)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add(answer("x.example.com.", netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")))
	f.Fuzz(func(t *testing.T, message []byte) { learnMessage(message) })
}
