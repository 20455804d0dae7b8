package isolate

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNameServersOfTheHostsLoopback(t *testing.T) {
	for _, c := range []struct {
		text, written string
		behind        []string
	}{
		{"nameserver 192.0.2.1\n", "nameserver 192.0.2.1\n", nil},
		{"nameserver 127.0.0.53\noptions edns0\nsearch a.example\n", "nameserver 192.0.0.3\noptions edns0\nsearch a.example\n", []string{"127.0.0.53"}},
		{"nameserver ::1\nnameserver 192.0.2.1\nnameserver 0.0.0.0\n", "nameserver 192.0.0.3\nnameserver 192.0.2.1\nnameserver 192.0.0.4\n", []string{"::1", "0.0.0.0"}},
		{"# none\n", "# none\nnameserver 192.0.0.3\n", []string{"127.0.0.1"}},
		{"nameserver 127.0.0.1\nnameserver 127.0.0.2\nnameserver 127.0.0.3\nnameserver 127.0.0.4\n",
			"nameserver 192.0.0.3\nnameserver 192.0.0.4\nnameserver 192.0.0.5\n", []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"}},
		{"nameserver\nnameserver not-an-address\n", "nameserver\nnameserver not-an-address\n", nil},
	} {
		written, behind := rewriteResolvers(c.text)
		var names []string
		for _, b := range behind {
			names = append(names, b.String())
		}
		if diff := cmp.Diff([]any{c.written, c.behind}, []any{written, names}); len(behind) > 0 && diff != "" {
			t.Errorf("%q: %s", c.text, diff)
		}
		if len(behind) != len(c.behind) {
			t.Errorf("%q: %v are behind it", c.text, behind)
		}
	}
}

func TestDirectory(t *testing.T) {
	d := newDirectory([]netip.Addr{netip.MustParseAddr("127.0.0.53")})
	for inside, outside := range map[string]string{
		"192.0.0.1:80":                "127.0.0.1:80",
		"192.0.0.3:53":                "127.0.0.53:53",
		"[fd75:7063:616c:6c00::1]:80": "[::1]:80",
		"192.0.2.9:80":                "192.0.2.9:80",
		"192.0.0.4:53":                "192.0.0.4:53",
	} {
		if got := d.outside(netip.MustParseAddrPort(inside)); got.String() != outside {
			t.Errorf("%s is %v outside, want %s", inside, got, outside)
		}
	}
	if got := d.inside(netip.MustParseAddrPort("127.0.0.1:9")); got.String() != "192.0.0.1:9" {
		t.Errorf("127.0.0.1 is %v inside", got)
	}
}
