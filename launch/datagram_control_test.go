package launch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Traffic classes, times to live and source addresses that a program gives with a
// datagram.
func TestDatagramControl(t *testing.T) {
	python := need(t, "python3")
	args := []string{"testdata/datagram_control.py"}
	want := direct(t, python, args...)
	if want.code != 0 {
		t.Fatal(want.out)
	}
	trace := filepath.Join(t.TempDir(), "trace")
	like(t, run(t, Options{Catalog: chainOf(t, trace, kindsOfChain[0].layers...)}, python, args...), want)
	tracedCalls(t, trace, "WSASendMsg", "127.0.0.1", 3)
	t.Run("a layer that does not carry them", func(t *testing.T) {
		r := run(t, Options{Catalog: chainOf(t, os.DevNull, kindsOfChain[1].layers...), Verbose: true}, python, "-c", `
import socket, struct
s, c = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
s.bind(("127.0.0.1", 0)); s.settimeout(10)
print(c.sendmsg([b"x"], [(socket.IPPROTO_IP, socket.IP_TTL, struct.pack("i", 7))], 0, s.getsockname()), s.recv(10))
try: c.sendmsg([b"x"], [(socket.IPPROTO_IP, 8, struct.pack("i", 0) + socket.inet_aton("192.0.2.1") + bytes(4))], 0, s.getsockname())
except OSError as e: print(e)
`)
		if want := "1 b'x'\n[Errno 95] Operation not supported\n"; r.out != want || !strings.Contains(r.log, "a time to live of their own") {
			t.Errorf("%q, with the log %q", r.out, r.log)
		}
	})
}
