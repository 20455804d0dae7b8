package launch

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"upcall.dev/internal/freeport"
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

// tracedCalls fails unless the trace has that many calls with an address.
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
c.connect((host, port))
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
		port := fmt.Sprint(freeport.RefusedDatagrams(t, host).Port())
		eachChain(t, func(t *testing.T, o Options, _ string) {
			refusals := "refusals"
			if strings.Contains(t.Name(), "shape") {
				refusals = "none"
			}
			args := []string{"testdata/datagrams.py", host, port, refusals}
			want := direct(t, python, args...)
			if want.code != 0 {
				t.Fatal(want.out)
			}
			like(t, run(t, o, python, args...), want)
		})
	}
}

// Programs that send datagrams say the same as without upcall.
func TestDatagramPrograms(t *testing.T) {
	at := echoDatagrams(t, "127.0.0.1")
	_, port := splitAddress(t, at.String())
	for _, p := range []struct {
		name, program string
		args          []string
	}{
		{"node", "node", []string{"-e", nodeDatagrams, port}},
		{"static Go program", "datagrams", []string{at.String()}},
		{"dig, refused", "dig", []string{"+tries=1", "+time=5", "+short", "@127.0.0.1", "-p", "9", "upcall.example"}},
	} {
		t.Run(p.name, func(t *testing.T) {
			program := p.program
			if program == "datagrams" {
				program = goDatagrams(t)
			} else {
				program = need(t, program)
			}
			want := direct(t, program, p.args...)
			eachChain(t, func(t *testing.T, o Options, _ string) {
				if p.program == "dig" && strings.Contains(t.Name(), "shape") {
					t.Skip("shape does not tell of refusals")
				}
				like(t, run(t, o, program, p.args...), want)
			})
		})
	}
}

const nodeDatagrams = `
const port = Number(process.argv[1]), got = [];
const s = require("dgram").createSocket("udp4");
s.on("message", (m, from) => {
    got.push(m + " " + from.address + " " + (from.port === port) + " " + from.family);
    if (got.length === 5) { got.sort().forEach(l => console.log(l)); s.close(); }
});
for (let i = 0; i < 5; i++) s.send("datagram " + i, port, "127.0.0.1");
`

func goDatagrams(t *testing.T) string {
	need(t, "go")
	return build(t, "datagrams", func(into string) *exec.Cmd {
		cmd := exec.Command("go", "build", "-o", into, "./testdata/datagrams")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		return cmd
	})
}

// A load in both directions, counted by iperf3.
func TestDatagramLoad(t *testing.T) {
	iperf := need(t, "iperf3")
	eachChain(t, func(t *testing.T, o Options, _ string) {
		port := fmt.Sprint(freeport.Take(t))
		server := exec.Command(iperf, "-s", "-1", "-p", port, "--forceflush")
		out, err := server.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		buffer := make([]byte, 256)
		out.Read(buffer) // it listens
		go io.Copy(io.Discard, out)
		defer server.Wait()
		defer server.Process.Kill()
		got := run(t, o, iperf, "-c", "127.0.0.1", "-p", port, "-u", "-b", "5M", "-n", "500K", "-J")
		var report struct {
			End struct {
				Sum struct{ Packets, Lost_packets int }
			}
		}
		if err := json.Unmarshal([]byte(got.out), &report); err != nil || got.code != 0 || report.End.Sum.Packets == 0 || report.End.Sum.Lost_packets > report.End.Sum.Packets/2 {
			t.Errorf("exit code %d, %v: %+v %s", got.code, err, report, got.out)
		}
	})
}

// Many sends one after the other, of several threads on one socket and on their
// own: the chain forgets one dup while the next is made.
func TestDatagramsInARow(t *testing.T) {
	python := need(t, "python3")
	_, port := splitAddress(t, echoDatagrams(t, "127.0.0.1").String())
	const script = `
import socket, sys, threading
at = ("127.0.0.1", int(sys.argv[1]))
shared = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
failures = []
def work(n):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(10)
    try:
        for i in range(300):
            s.sendto(b"%d %d" % (n, i), at)
            if s.recvfrom(100) != (b"%d %d" % (n, i), at):
                failures.append("another datagram")
            shared.sendto(b"shared", at)
    except OSError as e:
        failures.append(e)
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for t in threads: t.start()
for t in threads: t.join()
print(failures)
`
	eachChain(t, func(t *testing.T, o Options, _ string) {
		if got := run(t, o, python, "-c", script, port); got.out != "[]\n" || got.log != "" {
			t.Errorf("%s\nlog: %s", got.out, got.log)
		}
	})
}

// What belongs to a closed socket is closed while the program runs on.
func TestClosedDatagramsAreCollected(t *testing.T) {
	python := need(t, "python3")
	_, port := splitAddress(t, echoDatagrams(t, "127.0.0.1").String())
	source := chainOf(t, filepath.Join(t.TempDir(), "trace"), kindsOfChain[1].layers...)
	reader, writer := io.Pipe()
	var out syncBuffer
	before := descriptors(t)
	ended := make(chan error, 1)
	go func() {
		_, err := Run(t.Context(), Options{Catalog: source, Program: python, Args: []string{"-c", `
import socket, sys
at = ("127.0.0.1", int(sys.argv[1]))
for i in range(200):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(b"x", at)
    s.recvfrom(10)
print("closed", flush=True)
sys.stdin.read()
`, port}, Stdin: reader, Stdout: &out})
		ended <- err
	}()
	eventually(t, "the program has closed its sockets", func() bool { return strings.Contains(out.String(), "closed") })
	eventually(t, "their descriptors are given back", func() bool { return descriptors(t) < before+40 })
	writer.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
