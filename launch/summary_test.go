package launch

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/internal/freeport"
	"upcall.dev/launch/internal/tally"
	"upcall.dev/spi"
)

// pythonSockets uses sockets of every kind and prints what the summary must have.
const pythonSockets = `
import os, socket, sys
host, web, closed, udp = sys.argv[1:]
def note(*words): print(*words)

for _ in range(3):
    c = socket.create_connection((host, int(web)))
    c.close()
note("tcp", "to", f"{host}:{web}", 3, 0)
c = socket.socket()
for _ in range(2):
    try: c.connect((host, int(closed)))
    except ConnectionRefusedError: note("refused")
    except ConnectionAbortedError: pass
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(4): u.sendto(b"x", (host, int(udp)))
u.sendmsg([b"x"], [], 0, (host, int(udp)))
v = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
v.connect((host, int(udp)))
v.send(b"x")
note("udp", "to", f"{host}:{udp}", 2, 5)
`

const pythonServes = `
l = socket.socket()
l.bind(("127.0.0.1", 0))
l.listen()
at = "%s:%d" % l.getsockname()
for _ in range(2):
    c = socket.create_connection(l.getsockname())
    l.accept()[0].close()
    c.close()
note("tcp", "to", at, 2, 0)
note("tcp", "at", at, 1, 0)
w = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
w.bind(("127.0.0.1", 0))
note("udp", "at", "%s:%d" % w.getsockname(), 1, 0)
`

func summaryRun(t *testing.T, o Options, script, host, closed, udp, web string) (Summary, result) {
	t.Helper()
	var s *Summary
	o.Summary = func(got Summary) {
		if s != nil {
			t.Error("Summary is called twice")
		}
		s = &got
	}
	_, webPort := splitAddress(t, web)
	_, closedPort := splitAddress(t, closed)
	_, udpPort := splitAddress(t, udp)
	r := run(t, o, need(t, "python3"), "-c", script, host, webPort, closedPort, udpPort)
	if r.code != 0 || s == nil {
		t.Fatalf("status %d, summary %v: %s", r.code, s, r.out)
	}
	return *s, r
}

// contains fails unless the summary has the use that the program noted.
func contains(t *testing.T, s Summary, outcome, noted string) {
	t.Helper()
	for _, u := range s.Uses {
		if u.Outcome == outcome && noted == fmt.Sprint(u.Protocol, " ", u.Direction, " ", u.Address, " ", u.Sockets, " ", u.Datagrams) {
			return
		}
	}
	t.Errorf("no use is %q and %q:\n%v", outcome, noted, s)
}

func TestSummary(t *testing.T) {
	web, closed, udp := serveHTTP(t, "127.0.0.1"), freeport.Refused(t, "127.0.0.1").String(), echoDatagrams(t, "127.0.0.1").String()
	check := func(t *testing.T, o Options, outcome string, want Summary) Summary {
		t.Helper()
		s, r := summaryRun(t, o, pythonSockets+pythonServes, "127.0.0.1", closed, udp, web)
		for line := range strings.Lines(r.out) {
			if line = strings.TrimSpace(line); line != "refused" {
				contains(t, s, outcome, line)
			}
		}
		if s.Carried != want.Carried || s.PassedBy != want.PassedBy || s.Refused != want.Refused {
			t.Errorf("the totals are not %d, %d, %d:\n%v", want.Carried, want.PassedBy, want.Refused, s)
		}
		if !strings.Contains(s.String(), fmt.Sprintf("\n%d sockets seen: ", want.Seen())) {
			t.Errorf("the table does not say what was seen:\n%v", s)
		}
		return s
	}
	// 3 and 2 connects, 3 of UDP, a listening socket and 2 accepted; a refused one.
	t.Run("chains", func(t *testing.T) {
		eachChain(t, func(t *testing.T, o Options, _ string) {
			s := check(t, o, "carried", Summary{Carried: 11, Refused: 1})
			contains(t, s, "refused", "tcp to "+closed+" 1 0")
			accepted := 0
			for _, u := range s.Uses {
				if u.Direction == "accepted at" {
					accepted += u.Sockets
				}
				if u.Outcome == "refused" && u.How != "ECONNREFUSED" && u.How != "ECONNABORTED" {
					t.Errorf("it was refused by %q", u.How)
				}
			}
			if accepted != 2 {
				t.Errorf("%d connections were accepted:\n%v", accepted, s)
			}
		})
	})
	t.Run("kernel", func(t *testing.T) {
		source, err := compose()
		if err != nil {
			t.Fatal(err)
		}
		// The kernel tells nobody of what it accepts, nor who it binds to port 0.
		s, r := summaryRun(t, Options{Catalog: source}, pythonSockets, "127.0.0.1", closed, udp, web)
		for line := range strings.Lines(r.out) {
			if line = strings.TrimSpace(line); line != "refused" {
				contains(t, s, "passed by", line)
			}
		}
		if s.Carried != 0 || s.PassedBy != 5 || s.Refused != 1 {
			t.Errorf("%v", s)
		}
	})
}

// pythonUnderway connects without waiting, and learns in three ways how that ends.
const pythonUnderway = `
import select, socket, sys
host, web, closed, udp = sys.argv[1:]
def begin(port):
    c = socket.socket()
    c.setblocking(False)
    c.connect_ex((host, int(port)))
    p = select.poll()
    p.register(c, select.POLLOUT)
    p.poll(10000)
    return c
a, b, c, d, e = [begin(port) for port in (web, closed, web, closed, web)]
print(a.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), b.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), b.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
print(c.getpeername() == (host, int(web)))
print(d.connect_ex((host, int(closed))), d.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
`

func TestSummaryOfNonblocking(t *testing.T) {
	web, closed, udp := serveHTTP(t, "127.0.0.1"), freeport.Refused(t, "127.0.0.1").String(), echoDatagrams(t, "127.0.0.1").String()
	eachChain(t, func(t *testing.T, o Options, _ string) {
		s, r := summaryRun(t, o, pythonUnderway, "127.0.0.1", closed, udp, web)
		if want := "0 111 0\nTrue\n111 0\n"; r.out != want {
			t.Errorf("the program has seen %q instead of %q", r.out, want)
		}
		contains(t, s, "carried", "tcp to "+web+" 3 0")
		contains(t, s, "refused", "tcp to "+closed+" 2 0")
		if s.Carried != 3 || s.Refused != 2 || s.PassedBy != 0 {
			t.Errorf("%v", s)
		}
	})
}

func TestSummaryOfIsolated(t *testing.T) {
	needNamespaces(t)
	web, closed, udp := serveHTTP(t, "127.0.0.1"), freeport.Refused(t, "127.0.0.1").String(), echoDatagrams(t, "127.0.0.1").String()
	eachChain(t, func(t *testing.T, o Options, _ string) {
		o.Isolate = true
		s, _ := summaryRun(t, o, pythonSockets, "192.0.0.1", closed, udp, web)
		contains(t, s, "carried", "tcp to "+web+" 3 0")
		contains(t, s, "refused", "tcp to "+closed+" 2 0")
		if s.PassedBy != 0 || s.Refused != 2 {
			t.Errorf("%v", s)
		}
		for _, u := range s.Uses {
			if u.Protocol == "udp" && (u.Outcome != "carried" || u.Sockets != 2 || u.Datagrams != 6) {
				t.Errorf("UDP: %+v", u)
			}
		}
	})
}

// What no chain carries is counted, and so is what the kernel would refuse not.
func TestSummaryHasWhatIsNotCarried(t *testing.T) {
	source, err := compose(catalog.Layer{Name: "trace", Options: spi.Options{"file": "/dev/null"}})
	if err != nil {
		t.Fatal(err)
	}
	s, r := summaryRun(t, Options{Catalog: source}, `
import os, socket, tempfile
path = os.path.join(tempfile.mkdtemp(), "socket")
l = socket.socket(socket.AF_UNIX); l.bind(path); l.listen()
socket.socket(socket.AF_UNIX).connect(path)
try: socket.socket(socket.AF_UNIX).connect(path + ".none")
except FileNotFoundError: pass
print("unix to", path, 1, 0)
for args in ((socket.AF_INET, socket.SOCK_RAW, 1), (socket.AF_PACKET, socket.SOCK_RAW, 0), (socket.AF_INET, socket.SOCK_DGRAM, 136), (socket.AF_INET, socket.SOCK_RAW, 9999)):
    try: socket.socket(*args)
    except OSError: continue
    print({1: "raw", 0: "packet", 136: "udplite"}[args[2]], "to ", 1, 0)
`, "h", "127.0.0.1:1", "127.0.0.1:1", "127.0.0.1:1")
	n := 0
	for line := range strings.Lines(r.out) {
		contains(t, s, "passed by", strings.TrimSpace(line))
		n++
	}
	if s.PassedBy != n || s.Carried != 0 || s.Refused != 0 || n == 0 {
		t.Errorf("%d passed by:\n%v", n, s)
	}
}

// A program that gets a socket from who started it goes past the chain with it.
func TestSummaryHasInheritedSockets(t *testing.T) {
	web := serveHTTP(t, "127.0.0.1")
	connection, err := dialFile(t, web)
	if err != nil {
		t.Fatal(err)
	}
	source, err := compose(catalog.Layer{Name: "trace", Options: spi.Options{"file": "/dev/null"}})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := summaryRun(t, Options{Catalog: source, Stdin: connection}, "pass", "h", "127.0.0.1:1", "127.0.0.1:1", web)
	contains(t, s, "passed by", "inherited to "+web+" 1 0")
}

// A program chooses the paths of Unix sockets: they do not break the table.
func TestSummaryIsOneLineForEachUse(t *testing.T) {
	counted := tally.New()
	counted.Count(tally.Use{Place: tally.Place{Protocol: "unix", Path: "/tmp/a\nupcall: \x1b[2J", Outcome: tally.PassedBy}})
	counted.Count(tally.Use{Place: tally.Place{Protocol: "tcp", Address: netip.MustParseAddrPort("[2001:db8::1]:443"), Outcome: tally.Carried, How: "chain"}})
	want := `OUTCOME    PROTOCOL  ADDRESS                    SOCKETS  DATAGRAMS  HOW
passed by  unix      "/tmp/a\nupcall: \x1b[2J"  1        -          -
carried    tcp       [2001:db8::1]:443          1        -          chain
2 sockets seen: 1 carried, 1 passed by, 0 refused`
	if got := summaryOf(counted).String(); got != want {
		t.Errorf("the table is\n%s\nnot\n%s", got, want)
	}
	if got, want := summaryOf(tally.New()).String(), "0 sockets seen: 0 carried, 0 passed by, 0 refused"; got != want {
		t.Errorf("%q is not %q", got, want)
	}
}

// dialFile returns the descriptor of a connection.
func dialFile(t *testing.T, address string) (*os.File, error) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	file, err := conn.(*net.TCPConn).File()
	if err == nil {
		t.Cleanup(func() { file.Close() })
	}
	return file, err
}
