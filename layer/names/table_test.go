package names_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"upcall.dev/layer/names"
)

func small() *names.Table {
	return names.New(names.Config{IPv4: netip.MustParsePrefix("198.18.0.0/28"), Limit: 4})
}

func assign(t testing.TB, table *names.Table, name string) netip.Addr {
	t.Helper()
	a, err := table.Assign(name)
	if err != nil {
		t.Fatalf("%q: %v", name, err)
	}
	return a
}

func TestAssign(t *testing.T) {
	table := names.New(names.Config{})
	a := assign(t, table, "Example.COM.")
	if again := assign(t, table, "example.com"); again != a || !names.DefaultIPv4.Contains(a) {
		t.Errorf("assigned %v, then %v", a, again)
	}
	a6, err := table.Assign6("example.com")
	if err != nil || !names.DefaultIPv6.Contains(a6) {
		t.Errorf("IPv6: %v, %v", a6, err)
	}
	for _, addr := range []netip.Addr{a, a6, netip.AddrFrom16(a.As16())} {
		if name, ok := table.Lookup(addr); !ok || name != "example.com" || !table.Assigned(addr) {
			t.Errorf("%v is %q, %v", addr, name, ok)
		}
		if got := table.Names(addr); !slices.Equal(got, []string{"example.com"}) {
			t.Errorf("%v has the names %q", addr, got)
		}
	}
	for _, addr := range []netip.Addr{names.DefaultIPv4.Addr(), a.Next(), a6.Next(), netip.MustParseAddr("fd75:7063:616c:0:1::1")} {
		if name, ok := table.Lookup(addr); ok || !table.Assigned(addr) {
			t.Errorf("%v, which nobody has: %q", addr, name)
		}
	}
	if table.Assigned(netip.MustParseAddr("198.20.0.1")) || table.Assigned(netip.Addr{}) {
		t.Error("an address outside the pool counts as assigned")
	}
}

func TestCanonical(t *testing.T) {
	for _, bad := range []string{"", ".", "a..b", ".a", "a b", "a/b", "é.example", "1.2.3.4", "2130706433", "0x7f000001", "a.0x", "x\r\ny", "::1", strings.Repeat("a", 64) + ".b", strings.Repeat("a.", 127) + "b"} {
		if got, ok := names.Canonical(bad); ok {
			t.Errorf("%q is taken as %q", bad, got)
		}
		if _, err := names.New(names.Config{}).Assign(bad); !errors.Is(err, names.ErrName) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for in, want := range map[string]string{"A.b.": "a.b", "localhost": "localhost", "_dns.x-y.1a": "_dns.x-y.1a", strings.Repeat("a.", 126) + "b": strings.Repeat("a.", 126) + "b"} {
		if got, ok := names.Canonical(in); !ok || got != want {
			t.Errorf("%q became %q, %v", in, got, ok)
		}
	}
}

// The name that was used the longest time ago goes, and its address rests.
func TestOldestGoes(t *testing.T) {
	table := small()
	first := assign(t, table, "first")
	second := assign(t, table, "second")
	assign(t, table, "third")
	assign(t, table, "fourth")
	table.Lookup(first)
	fifth := assign(t, table, "fifth")
	if name, ok := table.Lookup(second); ok {
		t.Errorf("the address of the oldest name is %q's", name)
	}
	if fifth == second {
		t.Error("its address was used again at once")
	}
	if name, _ := table.Lookup(first); name != "first" {
		t.Error("a name that was looked up is gone")
	}
}

func TestHold(t *testing.T) {
	table := small()
	var releases []func()
	var addrs []netip.Addr
	for i := range 4 {
		a := assign(t, table, fmt.Sprint("name", i, ".x"))
		release, ok := table.Hold(a)
		if !ok {
			t.Fatal("a name cannot be held")
		}
		addrs, releases = append(addrs, a), append(releases, release)
	}
	if _, err := table.Assign("more"); !errors.Is(err, names.ErrFull) {
		t.Errorf("with all held: %v", err)
	}
	again, _ := table.Hold(addrs[2])
	releases[2]()
	releases[2]()
	if _, err := table.Assign("more"); !errors.Is(err, names.ErrFull) {
		t.Errorf("with one held twice and released once: %v", err)
	}
	again()
	assign(t, table, "more")
	if _, ok := table.Lookup(addrs[2]); ok {
		t.Error("what nobody holds stayed")
	}
	if _, ok := table.Hold(addrs[2]); ok {
		t.Error("nothing was held")
	}
	if _, ok := table.Hold(netip.MustParseAddr("127.0.0.1")); ok {
		t.Error("an address of the network was held")
	}
}

func TestLearn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := small()
		a := netip.MustParseAddr("192.0.2.1")
		table.Learn("one.example", a, time.Minute)
		table.Learn("two.example", netip.AddrFrom16(a.As16()), time.Hour)
		if got := table.Names(a); !slices.Equal(got, []string{"two.example", "one.example"}) {
			t.Errorf("names: %q", got)
		}
		table.Learn("one.example", a, time.Second)
		if name, _ := table.Lookup(a); name != "one.example" {
			t.Errorf("the name learned last is %q", name)
		}
		time.Sleep(time.Minute)
		if got := table.Names(a); !slices.Equal(got, []string{"two.example"}) {
			t.Errorf("after a minute: %q", got)
		}
		time.Sleep(time.Hour)
		if name, ok := table.Lookup(a); ok || table.Names(a) != nil {
			t.Errorf("after its time: %q", name)
		}
		pool := assign(t, table, "assigned.example")
		table.Learn("liar.example", pool, time.Hour)
		if name, _ := table.Lookup(pool); name != "assigned.example" {
			t.Errorf("an answer has changed the pool: %q", name)
		}
		for i := range 100 {
			table.Learn("many.example", netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), time.Hour)
			table.Learn(fmt.Sprintf("n%d.example", i), a, time.Hour)
		}
		if got := len(table.Names(a)); got != 8 {
			t.Errorf("%d names of one address", got)
		}
		if _, ok := table.Lookup(netip.MustParseAddr("10.0.0.1")); ok {
			t.Error("nothing learned is ever forgotten")
		}
	})
}

func TestConcurrent(t *testing.T) {
	table := small()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 500 {
				name := fmt.Sprintf("n%d.x", (i+j)%6)
				a, err := table.Assign(name)
				if err != nil {
					continue
				}
				if release, ok := table.Hold(a); ok {
					before, _ := table.Lookup(a)
					table.Learn(name, netip.AddrFrom4([4]byte{10, 0, byte(i), byte(j)}), time.Hour)
					if after, _ := table.Lookup(a); after != before {
						t.Errorf("a held address went from %q to %q", before, after)
					}
					release()
				}
			}
		})
	}
	all.Wait()
}

// Whatever happens, no two names have one address, and an address never
// changes its name while it is held.
func TestTableModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := small()
		held := map[netip.Addr]string{}
		release := map[netip.Addr]func(){}
		name := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "h"})
		t.Repeat(map[string]func(*rapid.T){
			"assign": func(t *rapid.T) {
				n := name.Draw(t, "name")
				a, err := table.Assign(n)
				if err != nil {
					if len(held) < 4 {
						t.Fatalf("%v with %d held", err, len(held))
					}
					return
				}
				if got, _ := table.Lookup(a); got != n {
					t.Fatalf("%q got the address of %q", n, got)
				}
				if a6, err := table.Assign6(n); err != nil {
					t.Fatal(err)
				} else if got, _ := table.Lookup(a6); got != n {
					t.Fatalf("%q got the IPv6 address of %q", n, got)
				}
				if held[a] == "" && rapid.Bool().Draw(t, "hold") {
					held[a] = n
					release[a], _ = table.Hold(a)
				}
			},
			"release": func(t *rapid.T) {
				for a := range held {
					release[a]()
					delete(held, a)
					break
				}
			},
			"": func(t *rapid.T) {
				for a, n := range held {
					if got, _ := table.Lookup(a); got != n {
						t.Fatalf("the held address of %q is that of %q", n, got)
					}
				}
			},
		})
	})
}

func FuzzTable(f *testing.F) {
	f.Add("example.com", []byte{198, 18, 0, 1})
	f.Add("1.2.3.4", []byte{0xfd, 0x75, 0x70, 0x63, 0x61, 0x6c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Add("a\x00.b", []byte(nil))
	f.Fuzz(func(t *testing.T, name string, raw []byte) {
		table := small()
		a, err := table.Assign(name)
		clean, ok := names.Canonical(name)
		if ok != (err == nil) {
			t.Fatalf("%q: %v", name, err)
		}
		if ok {
			if got, _ := table.Lookup(a); got != clean || strings.ContainsAny(got, " /:@\r\n\x00") {
				t.Fatalf("%q became %q", name, got)
			}
			if twice, same := names.Canonical(clean); !same || twice != clean {
				t.Fatalf("%q is not canonical", clean)
			}
			if _, err := netip.ParseAddr(clean); err == nil {
				t.Fatalf("the name %q is an address", clean)
			}
		}
		other, _ := netip.AddrFromSlice(raw)
		table.Learn(name, other, time.Hour)
		if got, known := table.Lookup(other); known && got != clean {
			t.Fatalf("%v is %q", other, got)
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	table := names.New(names.Config{})
	a := assign(b, table, "example.com")
	b.ReportAllocs()
	for b.Loop() {
		table.Lookup(a)
	}
}
