package launch

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
)

// echoDatagrams is a UDP server that sends back what it gets.
func echoDatagrams(t testing.TB, host string) netip.AddrPort {
	t.Helper()
	c, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Skipf("no address %s here: %v", host, err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 64<<10)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(b[:n], from)
		}
	}()
	t.Cleanup(func() {
		c.Close()
		<-done
	})
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// tracedSends fails unless the trace has that many calls with an address.
func tracedCalls(t *testing.T, trace, call, address string, atLeast int) {
	t.Helper()
	text, _ := os.ReadFile(trace)
	n := 0
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, call+"(") && strings.Contains(line, address) {
			n++
		}
	}
	if n < atLeast {
		t.Errorf("%d %s to %s have passed the chain, want %d:\n%s", n, call, address, atLeast, text)
	}
}

const pythonDatagrams = `
import socket, sys
host, port = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET6 if ":" in host else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM)
s.settimeout(10)
print(s.sendto(b"one", (host, port)), s.recvfrom(100))
print(s.sendmsg([b"t", b"w", b"o"], [], 0, (host, port)), s.recvmsg(100)[0::3])
print(s.sendto(b"", (host, port)), s.recvfrom(100))
print(s.sendto(b"x" * 60000, (host, port)), len(s.recv(65536)))
for bad in (host, 0), ("255.255.255.255" if family == socket.AF_INET else "ff02::1%lo", port):
    try:
        print(s.sendto(b"bad", bad))
    except OSError as e:
        print(e)
try:
    s.sendto(b"x" * 70000, (host, port))
except OSError as e:
    print(e)
try:
    s.sendmsg([b"nowhere"])
except OSError as e:
    print(e)
s.connect((host, port))
print(s.getpeername())
s.send(b"four")
print(s.recvfrom(100))
print(s.sendmsg([b"five"]), s.recv(100))
print(s.sendto(b"six", (host, port)), s.recvmsg(100)[0::3])
c = socket.socket(family, socket.SOCK_DGRAM)
c.settimeout(10)
c.bind((host, 0))
print(c.getsockname()[0])
c.connect(s.getsockname() if False else (host, port))
print(c.getsockname()[0])
c.send(b"seven")
print(c.recvfrom(100))
`

func TestDatagramsOfPython(t *testing.T) {
	python := need(t, "python3")
	for _, host := range []string{"127.0.0.1", "::1"} {
		at := echoDatagrams(t, host)
		args := []string{"-c", pythonDatagrams, host, fmt.Sprint(at.Port())}
		want := direct(t, python, args...)
		if want.code != 0 {
			t.Fatal(want.out)
		}
		eachChain(t, func(t *testing.T, o Options, trace string) {
			like(t, run(t, o, python, args...), want)
			if strings.HasSuffix(t.Name(), "/ifs") {
				tracedCalls(t, trace, "WSPSendTo", at.String(), 4)
			}
		})
	}
}

// Errors, servers, several peers, mapped addresses.
func TestDatagramCorners(t *testing.T) {
	python := need(t, "python3")
	for _, host := range []string{"127.0.0.1", "::1"} {
		c, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Skipf("no address %s here: %v", host, err)
		}
		_, port := splitAddress(t, c.LocalAddr().String())
		c.Close()
		args := []string{"testdata/datagrams.py", host, port}
		want := direct(t, python, args...)
		if want.code != 0 {
			t.Fatal(want.out)
		}
		eachChain(t, func(t *testing.T, o Options, trace string) {
			like(t, run(t, o, python, args...), want)
		})
	}
}
