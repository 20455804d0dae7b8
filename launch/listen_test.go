package launch

import (
	"os"
	"strings"
	"testing"
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

func TestPythonServer(t *testing.T) {
	python := need(t, "python3")
	want := direct(t, python, "-c", pythonServer)
	if want.code != 0 {
		t.Fatal(want.out)
	}
	for _, c := range kindsOfChain {
		t.Run(c.name, func(t *testing.T) {
			trace := t.TempDir() + "/trace"
			like(t, run(t, Options{Catalog: chainOf(t, trace, c.layers...)}, python, "-c", pythonServer), want)
			served(t, trace, 3)
		})
	}
}
