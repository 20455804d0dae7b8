package spi

import (
	"encoding/binary"
	"maps"
	"slices"
	"testing"
)

// What GoPath writes, ParseGoPath reads, and what ParseGoPath reads is the same
// when it is written again.
func FuzzGoPath(f *testing.F) {
	f.Add("go:shape?delay=20ms&rate=1M", "delay", "20ms")
	f.Add("go:trace?data=on;preview=3", "file", "/a b?c&d=e%20")
	f.Add("/lib/libprovider.so", "", "")
	f.Add("go:?=&=", "\x00", "\xff")
	f.Fuzz(func(t *testing.T, path, option, value string) {
		if name, options, ok, err := ParseGoPath(path); ok && err == nil {
			again, same, ok, err := ParseGoPath(GoPath(name, options))
			if !ok || err != nil || again != name || !maps.Equal(same, options) {
				t.Fatalf("%q is %q %v, which is written as %q and read as %q %v: %v", path, name, options, GoPath(name, options), again, same, err)
			}
		}
		name, options, ok, err := ParseGoPath(GoPath("driver", Options{option: value}))
		if !ok || err != nil || name != "driver" || options[option] != value {
			t.Fatalf("option %q=%q is read as %q %v: %v", option, value, name, options, err)
		}
	})
}

// A set of any size is a list of sockets: members are found, and the reduced
// set keeps those, in their order, that the caller keeps.
func FuzzFDSet(f *testing.F) {
	f.Add([]byte{1, 0, 2, 0, 1, 0}, uint16(2))
	f.Add(make([]byte, 2*200), uint16(0))
	f.Fuzz(func(t *testing.T, raw []byte, limit uint16) {
		var members []Socket
		for ; len(raw) >= 2; raw = raw[2:] {
			members = append(members, Socket(binary.LittleEndian.Uint16(raw)))
		}
		set := NewFDSet(members...)
		if !slices.Equal(set.Sockets(), members) {
			t.Fatalf("a set of %v has %v", members, set.Sockets())
		}
		below := func(s Socket) bool { return s < Socket(limit) }
		var want []Socket
		for _, s := range members {
			if !set.IsSet(s) {
				t.Fatalf("%d is not in %v", s, members)
			}
			if below(s) {
				want = append(want, s)
			}
		}
		if n := set.Keep(below); int(n) != len(want) || !slices.Equal(set.Sockets(), want) {
			t.Fatalf("%v below %d: %d left, %v", members, limit, n, set.Sockets())
		}
		for _, s := range members {
			if set.IsSet(s) != below(s) {
				t.Fatalf("%d after the reduction: %v", s, set.IsSet(s))
			}
		}
	})
}
