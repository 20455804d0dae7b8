package launch

import (
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func cHostile(t *testing.T) string {
	need(t, "gcc")
	return build(t, "hostile", func(into string) *exec.Cmd {
		return exec.Command("gcc", "-Wall", "-O1", "-pthread", "-o", into, "testdata/hostile/hostile.c")
	})
}

// A program that calls with bad pointers, lengths and families, and changes its
// arguments while they are read, gets errors, and nothing goes to an address
// that was not in the call when it was decided on.
func TestHostileDatagrams(t *testing.T) {
	hostile := cHostile(t)
	eachChain(t, func(t *testing.T, o Options, trace string) {
		a, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		got := make(chan map[string]int)
		go func() {
			seen := map[string]int{}
			b := make([]byte, 100)
			for {
				n, _, err := a.ReadFrom(b)
				if err != nil {
					got <- seen
					return
				}
				seen[string(b[:n])]++
			}
		}()
		_, port := splitAddress(t, a.LocalAddr().String())
		o.Dir = t.TempDir() // for what it may bind
		r := run(t, o, hostile, port)
		if r.code != 0 || !strings.HasSuffix(r.out, "done\n") || strings.Contains(r.log, "panic") {
			t.Errorf("exit code %d: %s\nlog: %s", r.code, r.out, r.log)
		}
		a.SetReadDeadline(time.Now().Add(2 * time.Second))
		if seen := <-got; seen["right"] == 0 || len(seen) != 1 {
			t.Errorf("arrived: %v", seen)
		}
	})
}
