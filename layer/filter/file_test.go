package filter

import (
	"strings"
	"testing"

	"upcall.dev/spi"
)

func TestFileMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"default = \"maybe\"":                                                        `line 1: "maybe" is not known: choose allow or deny`,
		"\nerror = \"EPERM\"":                                                        `line 2: "EPERM" is no error of a denial: choose one of WSAEACCES`,
		"defalt = \"deny\"":                                                          `line 1: there is no key "defalt"`,
		"[[rule]]\nprogam = \"x\"\naction=\"deny\"":                                  `line 2: there is no key "rule.progam"`,
		"[[rule]]\naction = \"deny\"\naddress = [\"a.b\",\n\"10/8\"]":                `line 4: "10/8" is no CIDR block`,
		"[[rule]]\naction = \"deny\"\naddress = \"10.0.0.1/8\"":                      `line 3: 10.0.0.1/8 has bits set beyond its length: write 10.0.0.0/8`,
		"[[rule]]\ndirection = \"up\"\naction = \"deny\"":                            `line 2: "up" is no direction`,
		"[[rule]]\nprotocol = \"icmp\"\naction = \"deny\"":                           `line 2: "icmp" is no protocol`,
		"[[rule]]\n\n[[rule]]\naction = \"deny\"":                                    `line 1: the rule says nothing to do`,
		"[[rule]]\naction = \"deny\"\nvia = \"x\"":                                   `line 1: a rule has action or via, not both`,
		"\n[[ rule ]] # x\naction = \"allow\"\nerror = \"EACCES\"":                   `line 2: error is for action = "deny"`,
		"[[rule]]\nport = 70000\naction = \"deny\"":                                  `line 1: "70000" is no port`,
		"[[rule]]\nport = [1, [2]]\naction = \"deny\"":                               `line 1: port is a number, a range`,
		"[[rule]]\nport = []\naction = \"deny\"":                                     `line 1: port is a number, a range`,
		"[[rule]]\nport = \"9-8\"\naction = \"deny\"":                                `line 1: ports 9-8 are none`,
		"[[rule]]\naddress = \"10.0.0.0/8\"\nprotocol = \"unix\"\naction = \"deny\"": `line 1: the rule matches nothing`,
		"[[rule]]\nvia = 0":                                                          `line 1: via is the name or the id of a chain`,
		"[[rule]]\nvia = \"x\"\ndirection = \"accept\"":                              `line 1: via is for connect, send and bind`,
		"[[rule]]\naction = \"deny\"\nerror = \"EACCES\"\ndirection = \"accept\"":    `line 1: error has no meaning for accept`,
		"[[rule]]\nprogram = \"/a***\"\naction = \"deny\"":                           `line 2: "/a***" has more than two stars`,
		"[[rule]]\nprogram = [\"a\", \"\"]\naction = \"deny\"":                       `line 2: an empty program matches nothing`,
		"[[rule]]\naction = \"drop\"":                                                `line 2: "drop" is not known: choose allow or deny, or leave action out`,
		"[[rule]\n":                                                                  `line 1: `,
		"rule = 3":                                                                   `line 1: `,
	} {
		_, err := parseFile("/x/rules.toml", []byte(text), spi.WSAEACCES)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: not one line: %q", text, err)
		}
	}
}

func TestFile(t *testing.T) {
	f, err := parseFile("/x/rules.toml", []byte(`
default = "deny"
error = "WSAECONNREFUSED"
[[rule]]
program = ["curl", "/opt/**"]
direction = ["connect", "in"]
protocol = "tcp"
address = ["10.0.0.0/8", "*.Example.com.:443"]
port = [80, "90-99"]
action = "deny"
[[rule]]
via = 1011
`), spi.WSAEACCES)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.rules) != 2 || *f.out != choice(deny) || f.in != nil || f.denied != spi.WSAECONNREFUSED {
		t.Fatalf("%+v", f)
	}
	r := f.rules[0]
	if r.where != "rules.toml line 4" || len(r.programs) != 2 || r.directions != connect|inbound || r.protocols != tcp ||
		len(r.addresses) != 2 || r.addresses[1].name != "example.com" || !r.addresses[1].below || r.addresses[1].ports != (ports{443, 443}) ||
		len(r.ports) != 2 || r.action != deny || r.errno != spi.WSAECONNREFUSED {
		t.Errorf("%+v", r)
	}
	if r := f.rules[1]; r.action != via || r.chain != "1011" || r.directions != outbound || r.where != "rules.toml line 11" {
		t.Errorf("%+v", r)
	}
}

func TestPatternMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "an empty address",
		"unix:":               "has no path",
		"10.0.0.1:":           "no port behind its colon",
		"[::1":                "is no address: write [2001:db8::1]:443",
		"[::1]x":              "is no address: write [2001:db8::1]:443",
		"[::1]:":              "is no address: write [2001:db8::1]:443",
		"80":                  "neither an address, nor a CIDR block, nor a name",
		"a..b":                "neither an address, nor a CIDR block, nor a name",
		"*":                   "",
		"fe80::1%1":           "has a zone",
		"::ffff:10.0.0.0/104": "",
		"tcp:":                "",
		"*.a.b:1-2":           "",
		"a.b:http":            `"http" is no port`,
		"1.2.3.4/33":          "is no CIDR block",
	} {
		var p pattern
		err := p.UnmarshalText([]byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
