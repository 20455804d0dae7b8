package launch

import (
	"fmt"
	"net"
	"testing"
	"time"
)

const pythonLeaves = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[3])): s.sendto(b"x", (sys.argv[1], int(sys.argv[2])))
`

// Everything that a program has sent arrives, though it ends at once and answers
// meet a closed socket.
func TestIsolatedDatagramsOfOneThatLeaves(t *testing.T) {
	need(t, "python3")
	const count = 100
	eachIsolated(t, func(t *testing.T, o Options, _ string) {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		arrived := make(chan int, 1)
		go func() {
			n := 0
			for b := make([]byte, 1); n < count; n++ {
				_, from, err := c.ReadFrom(b)
				if err != nil {
					break
				}
				_, _ = c.WriteTo(b, from)
			}
			arrived <- n
		}()
		host, port := splitAddress(t, insideOf(t, c.LocalAddr().String()))
		var s Summary
		o.Summary = func(got Summary) { s = got }
		if got := run(t, o, "python3", "-c", pythonLeaves, host, port, fmt.Sprint(count)); got.code != 0 {
			t.Fatalf("exit code %d: %s\n%s", got.code, got.out, got.log)
		}
		if len(s.Uses) != 1 || s.Uses[0].Outcome != "carried" || s.Uses[0].Sockets != 1 || s.Uses[0].Datagrams != count {
			t.Errorf("the summary has not the %d datagrams of one socket:\n%v", count, s)
		}
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if n := <-arrived; n != count {
			t.Errorf("%d datagrams of %d have arrived", n, count)
		}
	})
}
