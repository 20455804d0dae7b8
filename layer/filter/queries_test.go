package filter

import (
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/spi"
)

// A program's names are kept from the machine's own services where the rules send
// its queries to a chain that answers them, and only there.
func TestQueriesThatAreSentToAChain(t *testing.T) {
	rule := func(lines string) string { return "[[rule]]\n" + lines + "\n" }
	for name, c := range map[string]struct {
		rules string
		dns   string // of the chain
		want  bool
	}{
		"everything":             {rule("address = '*'\nvia = 'socks'"), "remote", true},
		"no address":             {rule("via = 'socks'"), "remote", true},
		"queries, to any server": {rule("address = 'udp::53'\nvia = 'socks'"), "remote", true},
		"queries, to one server": {rule("address = '192.0.2.1:53'\nvia = 'socks'"), "remote", true},
		"the port":               {rule("address = '192.0.2.0/24'\nport = 53\nvia = 'socks'"), "remote", true},
		"to one that does not":   {rule("address = '*'\nvia = 'socks'"), "local", false},
		"TCP":                    {rule("address = 'tcp:*'\nvia = 'socks'"), "remote", false},
		"another port":           {rule("port = 443\nvia = 'socks'"), "remote", false},
		"a block":                {rule("address = '10.0.0.0/8'\nvia = 'socks'"), "remote", false},
		"a name":                 {rule("address = '*.example.com'\nvia = 'socks'"), "remote", false},
		"not queries":            {rule("address = 'udp::53'\naction = 'allow'") + rule("via = 'socks'"), "remote", false},
		"one program":            {rule("program = 'curl'\nvia = 'socks'"), "remote", true},
		"not those of a program": {rule("program = 'curl'\naction = 'allow'") + rule("via = 'socks'"), "remote", true},
		"binding":                {rule("direction = 'bind'\nvia = 'socks'"), "remote", false},
	} {
		t.Run(name, func(t *testing.T) {
			installed := chains(t, spi.Options{"rules": rules(t, c.rules), "handles": "datagrams"},
				[]catalog.Layer{{Name: "socks", Options: spi.Options{"proxy": "127.0.0.1:1", "dns": c.dns}}})
			for _, e := range installed.Entries() {
				if !e.Chain() || e.SocketType != spi.SOCK_DGRAM || e.AddressFamily == spi.AF_UNIX || !isFilter(installed, &e) {
					continue
				}
				if got := installed.AnswersNames(&e); got != c.want {
					t.Errorf("%s: AnswersNames %v, want %v", e.Name(), got, c.want)
				}
			}
		})
	}
}

func isFilter(c *catalog.Catalog, e *catalog.Entry) bool {
	top, ok := c.Lookup(e.ProtocolChain.ChainEntries[0])
	driver, _, _, err := spi.ParseGoPath(top.Path)
	return ok && err == nil && driver == name
}
