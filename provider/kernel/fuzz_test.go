//go:build linux

package kernel_test

import (
	"errors"
	"slices"
	"testing"

	"upcall.dev/spi"
)

// Sets of any handles, in any order and number, open ones or not: select
// refuses them with a code, or leaves members that were there before, and says
// how many.
func FuzzSelect(f *testing.F) {
	th := start(f)
	var open []spi.Socket
	for range 4 {
		s, err := th.Socket(spi.AF_INET, spi.SOCK_DGRAM, 0)
		ok(f, err)
		ok(f, th.Bind(s, addr("127.0.0.1:0")))
		open = append(open, s)
	}
	f.Cleanup(func() {
		for _, s := range open {
			th.CloseSocket(s)
		}
	})
	f.Add([]byte{0, 1, 2, 3}, []byte{0}, []byte{3, 3})
	f.Add([]byte{}, []byte{}, []byte{})
	f.Add([]byte{0, 200}, []byte{1}, []byte{255})
	f.Add(slices.Repeat([]byte{0, 1}, 100), []byte(nil), []byte(nil))
	f.Fuzz(func(t *testing.T, read, write, except []byte) {
		var sets [3]*spi.FDSet
		var before [3][]spi.Socket
		stranger := false
		for i, picks := range [][]byte{read, write, except} {
			for _, pick := range picks {
				s := spi.Socket(pick) << 40
				if int(pick) < len(open) {
					s = open[pick]
				} else {
					stranger = true
				}
				before[i] = append(before[i], s)
			}
			sets[i] = spi.NewFDSet(before[i]...)
		}
		n, err := th.Select(sets[0], sets[1], sets[2], &spi.Timeval{})
		empty := len(read)+len(write)+len(except) == 0
		switch {
		case empty && !errors.Is(err, spi.WSAEINVAL):
			t.Fatalf("nothing to select: %v", err)
		case !empty && stranger != errors.Is(err, spi.WSAENOTSOCK):
			t.Fatalf("with a foreign handle %v: %v", stranger, err)
		case err != nil:
			return
		}
		left := 0
		for i, set := range sets {
			left += len(set.Sockets())
			for _, s := range set.Sockets() {
				if !slices.Contains(before[i], s) {
					t.Fatalf("%d was not in the set", s)
				}
			}
		}
		if left != n || len(sets[1].Sockets()) != len(before[1]) || len(sets[0].Sockets()) != 0 {
			t.Fatalf("%d sockets are left, %d are counted, %d of %d can be written", left, n, len(sets[1].Sockets()), len(before[1]))
		}
	})
}
