package addrtext

import (
	"testing"

	"upcall.dev/spi"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		family     int32
		text, want string // want empty: refused
	}{
		{spi.AF_INET, "127.0.0.1", "127.0.0.1"},
		{spi.AF_INET, "127.1:0x50", "127.0.0.1:80"},
		{spi.AF_INET, "1.2.3.4:", ""},
		{spi.AF_INET, "1.2.3.4:65536", ""},
		{spi.AF_INET, "::1", ""},
		{spi.AF_INET6, "fe80::1%3", "fe80::1%3"},
		{spi.AF_INET6, "[fe80::1%3]:443", "[fe80::1%3]:443"},
		{spi.AF_INET6, "[::1]", "::1"},
		{spi.AF_INET6, "::1:80", "::1:80"},
		{spi.AF_INET6, "[::1]80", ""},
		{spi.AF_INET6, "fe80::1%eth0", ""},
		{spi.AF_INET6, "127.0.0.1", ""},
		{spi.AF_UNIX, "x", ""},
	} {
		a, ok := Parse(c.text, c.family)
		if ok != (c.want != "") || ok && Format(a) != c.want {
			t.Errorf("%s: %v, %v; want %s", c.text, a, ok, c.want)
		}
	}
}

// What is written is read again, as the same address.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"127.1:80", "[fe80::1%3]:443", "::ffff:1.2.3.4", "0x7f.0377"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, family := range []int32{spi.AF_INET, spi.AF_INET6} {
			a, ok := Parse(text, family)
			if !ok {
				continue
			}
			name := spi.SockaddrFrom(a)
			stored, _ := spi.AddrPortFrom(name)
			again, ok := Parse(Format(stored), family)
			if !ok || again != stored || spi.AddressFamily(name) != family {
				t.Errorf("%q is %v, stored %v, read as %v", text, a, stored, again)
			}
		}
	})
}
