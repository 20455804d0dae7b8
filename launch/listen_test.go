package launch

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"upcall.dev/internal/freeport"
)

// tracedCall fails unless the trace has that many lines with all of these parts.
func tracedCall(t *testing.T, trace string, atLeast int, parts ...string) {
	t.Helper()
	text, _ := os.ReadFile(trace)
	n := 0
lines:
	for line := range strings.Lines(string(text)) {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				continue lines
			}
		}
		n++
	}
	if n < atLeast {
		t.Errorf("%d calls like %q have passed the chain, want %d:\n%s", n, parts, atLeast, text)
	}
}

// served fails unless a server has passed the chain with that many connections.
func served(t *testing.T, trace string, accepts int) {
	t.Helper()
	tracedCall(t, trace, 1, "WSPBind(", "= ok")
	tracedCall(t, trace, 1, "WSPListen(", "= ok")
	tracedCall(t, trace, accepts, "WSPAccept(", " from ")
}

const pythonServer = `
import socket, threading
l = socket.socket()
l.bind(("127.0.0.1", 0))
l.listen(5)
at = l.getsockname()
print(at[0], at[1] > 0)
def client():
    c = socket.create_connection(at)
    said.append(c.getpeername() == at)
    c.sendall(b"question")
    said.append(c.recv(100))
    c.close()
said = []
for _ in range(3):
    t = threading.Thread(target=client)
    t.start()
    c, peer = l.accept()
    print(peer[0], c.getpeername() == peer, c.getsockname() == at, c.getblocking())
    c.sendall(c.recv(100).upper())
    print(c.recv(100))
    t.join()
    print(said)
`

// Names, forks, killed accepters, descriptor limits, timeouts, signals, options.
func TestServers(t *testing.T) {
	python := need(t, "python3")
	for name, args := range map[string][]string{"threads": {"-c", pythonServer}, "habits": {"testdata/servers/servers.py"}} {
		t.Run(name, func(t *testing.T) {
			args := func(t *testing.T) []string {
				return append(slices.Clone(args), strconv.Itoa(freeport.Take(t)), strconv.Itoa(freeport.Take(t)))
			}
			want := direct(t, python, args(t)...)
			if want.code != 0 {
				t.Fatal(want.out)
			}
			eachChain(t, func(t *testing.T, o Options, trace string) {
				like(t, run(t, o, python, args(t)...), want)
				served(t, trace, 3)
			})
		})
	}
}

// Real servers with real clients, all of them under upcall.
func TestServerPrograms(t *testing.T) {
	for _, p := range []struct {
		name    string
		needs   []string
		script  string
		accepts int
	}{
		{"nginx", []string{"python3", "nginx", "curl"}, "nginx.sh", 5},
		{"redis", []string{"python3", "redis-server", "redis-cli"}, "redis.sh", 3},
		{"node", []string{"node"}, "node.sh", 10},
		{"asyncio", []string{"python3"}, "asyncio.sh", 20},
		{"http.server", []string{"python3", "curl"}, "http.sh", 5},
	} {
		t.Run(p.name, func(t *testing.T) {
			for _, program := range p.needs {
				need(t, program)
			}
			script := "testdata/servers/" + p.script
			args := func(t *testing.T) []string { return []string{script, t.TempDir(), strconv.Itoa(freeport.Take(t))} }
			want := direct(t, "sh", args(t)...)
			if want.code != 0 {
				t.Fatal(want.out)
			}
			eachChain(t, func(t *testing.T, o Options, trace string) {
				like(t, run(t, o, "sh", args(t)...), want)
				served(t, trace, p.accepts)
			})
		})
	}
}

// Of servers that are killed in the midst of a call nothing is left.
func TestKilledServers(t *testing.T) {
	python := need(t, "python3")
	const script = "testdata/servers/killed.py"
	port := strconv.Itoa(freeport.Take(t))
	want := direct(t, python, script, port)
	if want.code != 0 {
		t.Fatal(want.out)
	}
	eachChain(t, func(t *testing.T, o Options, _ string) { like(t, run(t, o, python, script, port), want) })
}
