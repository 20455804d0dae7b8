package launch

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/internal/freeport"
	"upcall.dev/launch/internal/isolate"
	_ "upcall.dev/layer/socks"
	_ "upcall.dev/provider/memory"
	"upcall.dev/spi"
)

// needNamespaces skips the test where the kernel forbids what isolation needs.
func needNamespaces(t *testing.T) {
	t.Helper()
	cmd := exec.Command("true")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}},
	}
	if err := cmd.Run(); err != nil {
		t.Skipf("no user namespaces here: %v", err)
	}
}

// insideOf returns where an isolated program finds what listens on a loopback
// address of the host.
func insideOf(t *testing.T, address string) string {
	t.Helper()
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		t.Fatal(err)
	}
	inside := isolate.LoopbackIPv4
	if at.Addr().Is6() {
		inside = isolate.LoopbackIPv6
	}
	return netip.AddrPortFrom(inside, at.Port()).String()
}

func hostOf(t *testing.T, address string) string {
	host, _ := splitAddress(t, address)
	return host
}

// eachIsolated is eachChain for isolated programs.
func eachIsolated(t *testing.T, test func(t *testing.T, o Options, trace string)) {
	needNamespaces(t)
	eachChain(t, func(t *testing.T, o Options, trace string) {
		o.Isolate = true
		test(t, o, trace)
	})
}

// Isolated programs say the same as without upcall, and their connects have
// passed the chain.
func TestIsolatedPrograms(t *testing.T) {
	server, server6 := serveHTTP(t, "127.0.0.1"), serveHTTP(t, "::1")
	for _, p := range []struct {
		name     string
		program  string
		args     []string // SERVER is its address, as seen from where the program is
		at       string
		connects int
	}{
		{"static Go client", "client", []string{"-n", "50", "http://SERVER/hello"}, server, 50},
		{"static Go client, IPv6", "client", []string{"http://SERVER/hello"}, server6, 1},
		{"static Go client, big", "client", []string{"-count", "http://SERVER/big"}, server, 1},
		{"python3, big in small segments", "python3", []string{"-c", pythonSmallSegments, "SERVER"}, server, 2},
		{"curl", "curl", []string{"-sS", "http://SERVER/hello"}, server, 1},
		{"curl, upload", "curl", []string{"-sS", "-H", "Expect:", "--data-binary", "@/proc/self/exe", "http://SERVER/length"}, server, 1},
		{"curl, parallel", "curl", []string{"-sS", "--no-progress-meter", "-Z", "--parallel-immediate", "http://SERVER/hello?[1-20]"}, server, 2},
		{"python3 asyncio", "python3", []string{"-c", pythonAsyncio, "SERVER"}, server, 40},
		{"shell", "sh", []string{"-c", "curl -sS http://SERVER/hello | (cat; curl -sS http://SERVER/hello) & wait"}, server, 2},
		{"itself", "python3", []string{"-c", pythonItself}, server, 0},
	} {
		t.Run(p.name, func(t *testing.T) {
			program := p.program
			if program == "client" {
				program = goClient(t)
			} else {
				program = need(t, program)
			}
			args := func(server string) []string {
				replaced := make([]string, len(p.args))
				for i, a := range p.args {
					replaced[i] = strings.ReplaceAll(a, "SERVER", server)
				}
				return replaced
			}
			want := direct(t, program, args(p.at)...)
			eachIsolated(t, func(t *testing.T, o Options, trace string) {
				seen := want.out
				inside := insideOf(t, p.at)
				if p.connects > 0 { // else it names its own addresses
					seen = strings.ReplaceAll(seen, hostOf(t, p.at), hostOf(t, inside))
				}
				like(t, run(t, o, program, args(inside)...), result{code: want.code, out: seen})
				traced(t, trace, p.at, p.connects)
			})
		})
	}
}

// What a server sends to one that takes small segments, and to one that takes those of the link.
const pythonSmallSegments = `
import hashlib, socket, sys
host, port = sys.argv[1].rsplit(":", 1)
for size in (0, 8000):
    with socket.socket() as s:
        if size:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, size)
        s.connect((host, int(port)))
        s.sendall(b"GET /big HTTP/1.0\r\n\r\n")
        body = s.makefile("rb").read().split(b"\r\n\r\n", 1)[1]
        print(len(body), hashlib.sha256(body).hexdigest())
`

// A program that talks to itself over its own loopback and by its own address.
const pythonItself = `
import socket
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        server, client = socket.socket(family, kind), socket.socket(family, kind)
        server.bind((host, 0))
        if kind == socket.SOCK_STREAM:
            server.listen()
            client.connect(server.getsockname())
            server, _ = server.accept()
        else:
            client.connect(server.getsockname())
        client.send(b"to myself")
        print(kind, host, server.recv(100), client.getpeername()[0])
`

// What a connect fails with is what a network can say of the chain's error.
func TestIsolatedConnectFails(t *testing.T) {
	need(t, "python3")
	refused, refused6 := insideOf(t, freeport.Refused(t, "127.0.0.1").String()), insideOf(t, freeport.Refused(t, "::1").String())
	eachIsolated(t, func(t *testing.T, o Options, trace string) {
		got := run(t, o, "python3", "-c", pythonErrors, refused, refused6)
		if got.out != "ECONNREFUSED ECONNREFUSED 0\nECONNREFUSED ECONNREFUSED 0\n" {
			t.Errorf("exit code %d: %s\n%s", got.code, got.out, got.log)
		}
	})
}

// It connects blocking, then nonblocking, and asks SO_ERROR twice.
const pythonErrors = `
import errno, select, socket, sys
for at in sys.argv[1:]:
    host, port = at.rsplit(":", 1)
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    said = []
    with socket.socket(family) as s:
        said.append(s.connect_ex((host, int(port))))
    with socket.socket(family) as s:
        s.setblocking(False)
        if s.connect_ex((host, int(port))) != errno.EINPROGRESS:
            said.append("not in progress")
        select.select([], [s], [])
        said += [s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) for _ in range(2)]
    print(*[errno.errorcode.get(e, e) for e in said])
`

// The only ways out of the namespace are its loopback, which leads nowhere, and
// the link, which leads into the chain: with a chain that reaches nothing, so does
// the program.
func TestIsolatedProgramHasNoOtherWayOut(t *testing.T) {
	needNamespaces(t)
	need(t, "python3")
	server := serveHTTP(t, "127.0.0.1")
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	source, err := catalog.Compose(catalog.Default(), "memory", nil)
	if err != nil {
		t.Fatal(err)
	}
	got := run(t, Options{Catalog: source, Isolate: true}, "python3", "-c", pythonWaysOut, insideOf(t, server), insideOf(t, udp.LocalAddr().String()))
	if got.out != "lo upcall0\n[Errno 111] Connection refused\n[Errno 1] Operation not permitted\n" {
		t.Errorf("exit code %d: %s\n%s", got.code, got.out, got.log)
	}
	if c, err := udp.(*net.UDPConn).SyscallConn(); err == nil {
		c.Read(func(fd uintptr) bool {
			if n, _, err := syscall.Recvfrom(int(fd), make([]byte, 16), syscall.MSG_DONTWAIT); err == nil {
				t.Errorf("%d bytes have gone around the chain", n)
			}
			return true
		})
	}
}

const pythonWaysOut = `
import os, socket, sys
print(*sorted(line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]))
def at(i):
    host, port = sys.argv[i].split(":")
    return host, int(port)
try:
    socket.create_connection(at(1))
except OSError as e:
    print(e)
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"out", at(2))
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
parent = os.open("/proc/%d/ns/net" % os.getppid(), os.O_RDONLY) if os.access("/proc/%d/ns/net" % os.getppid(), os.R_OK) else -1
if parent < 0 or libc.setns(parent, 0x40000000) != 0:
    print(OSError(1, os.strerror(1)))
`

func TestIsolatedDatagrams(t *testing.T) {
	need(t, "python3")
	var sources atomic.Int64
	addresses := []string{}
	for _, host := range []string{"127.0.0.1", "::1"} {
		c, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Skip(err)
		}
		done := make(chan struct{})
		t.Cleanup(func() { c.Close(); <-done })
		go func() {
			defer close(done)
			for b := make([]byte, 1<<16); ; sources.Add(1) {
				n, from, err := c.ReadFrom(b)
				if err != nil {
					return
				}
				c.WriteTo(b[:n], from)
			}
		}()
		addresses = append(addresses, c.LocalAddr().String())
	}
	addresses = append(addresses, freeport.RefusedDatagrams(t, "127.0.0.1").String())
	for i, a := range addresses {
		addresses[i] = insideOf(t, a)
	}
	eachIsolated(t, func(t *testing.T, o Options, trace string) {
		addresses := addresses
		if !strings.HasSuffix(t.Name(), "/ifs") { // the chain learns of it on a connected socket alone
			addresses = addresses[:2]
		}
		got := run(t, o, "python3", append([]string{"-c", pythonIsolatedDatagrams}, addresses...)...)
		if got.code != 0 || !strings.HasSuffix(got.out, "all\n") {
			t.Errorf("exit code %d: %s\n%s", got.code, got.out, got.log)
		}
	})
}

const pythonIsolatedDatagrams = `
import socket, sys
def split(at):
    host, port = at.rsplit(":", 1)
    return host.strip("[]"), int(port)
for at in sys.argv[1:3]:
    peer = split(at)
    family = socket.AF_INET6 if ":" in peer[0] else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(20)
    for n in (0, 1, 1472, 9000, 65000):
        s.sendto(b"d" * n, peer)
        data, who = s.recvfrom(70000)
        assert (len(data), who[:2]) == (n, peer), (n, len(data), who)
    s.sendmsg([b"in ", b"parts"], [], 0, peer)
    data, _, flags, who = s.recvmsg(100)
    assert (data, who[:2]) == (b"in parts", peer), (data, who)
    s.connect(peer)
    s.send(b"connected")
    assert s.recv(100) == b"connected"
    # What a program leaves to the device to cut.
    s.setsockopt(socket.IPPROTO_UDP, 103, 1000)
    s.send(b"s" * 3500)
    assert sorted(len(s.recv(5000)) for _ in range(4)) == [500, 1000, 1000, 1000]
for at in sys.argv[3:]:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(20)
    s.connect(split(at))
    s.send(b"to nobody")
    try:
        s.recv(1)
        sys.exit("answered")
    except ConnectionRefusedError:
        pass
print("all")
`

// A signal ends connect with EINTR, as the kernel alone does it, and poll tells
// the end of it.
func TestIsolatedConnectUnderSignals(t *testing.T) {
	needNamespaces(t)
	program := cInterrupted(t)
	echo := net.JoinHostPort("127.0.0.1", serveEcho(t, "127.0.0.1"))
	count := "10000"
	if testing.Short() {
		count = "500"
	}
	host, port := splitAddress(t, insideOf(t, echo))
	source, err := compose(catalog.Layer{Name: "trace", Options: spi.Options{"file": "/dev/null"}})
	if err != nil {
		t.Fatal(err)
	}
	got := run(t, Options{Catalog: source, Isolate: true}, program, host, port, count)
	if got.code != 0 || !strings.Contains(got.out, "0 failed, 0 phantoms\n") {
		t.Errorf("exit code %d: %s\n%s", got.code, got.out, got.log)
	}
	t.Log(got.out)
}

// Everything that a program has written arrives, though it ends at once.
func TestIsolatedProgramLeavesAtOnce(t *testing.T) {
	need(t, "python3")
	const size = 8 << 20
	eachIsolated(t, func(t *testing.T, o Options, trace string) {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		arrived := make(chan int64, 1)
		go func() {
			c, err := l.Accept()
			if err != nil {
				arrived <- -1
				return
			}
			n, _ := io.Copy(io.Discard, c)
			c.Close()
			arrived <- n
		}()
		host, port := splitAddress(t, insideOf(t, l.Addr().String()))
		got := run(t, o, "python3", "-c", "import socket, sys\ns = socket.create_connection(sys.argv[1:3])\ns.sendall(bytes(int(sys.argv[3])))", host, port, fmt.Sprint(size))
		if got.code != 0 {
			t.Fatalf("exit code %d: %s\n%s", got.code, got.out, got.log)
		}
		if n := <-arrived; n != size {
			t.Errorf("%d bytes of %d have arrived", n, size)
		}
	})
}

// What the program has started is waited for, and served.
func TestIsolatedDescendantsAreServed(t *testing.T) {
	needNamespaces(t)
	need(t, "curl")
	server := serveHTTP(t, "127.0.0.1")
	into := filepath.Join(t.TempDir(), "answer")
	source, err := compose(catalog.Layer{Name: "trace", Options: spi.Options{"file": "/dev/null"}})
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("(setsid sh -c 'sleep 0.5; curl -sS http://%s/hello -o %s' >/dev/null 2>&1 &) ; exit 3", insideOf(t, server), into)
	got := run(t, Options{Catalog: source, Isolate: true}, "sh", "-c", script)
	answer, _ := os.ReadFile(into)
	if got.code != 3 || string(answer) != "hello\n" {
		t.Errorf("exit code %d, answer %q: %s", got.code, answer, got.log)
	}
}

// The program is the user that it would be without upcall.
func TestIsolatedUser(t *testing.T) {
	needNamespaces(t)
	source, err := compose(catalog.Layer{Name: "trace", Options: spi.Options{"file": "/dev/null"}})
	if err != nil {
		t.Fatal(err)
	}
	const script = "id -u; id -g; umask; pwd; readlink /proc/self/fd/0"
	like(t, run(t, Options{Catalog: source, Isolate: true}, "sh", "-c", script), direct(t, "sh", "-c", script))
	if os.Geteuid() != 0 {
		return
	}
	// root's programs can change theirs.
	got := run(t, Options{Catalog: source, Isolate: true}, need(t, "python3"), "-c", "import os; os.setgroups([]); os.setgid(65534); os.setuid(65534); print(os.getuid(), os.getgid())")
	if got.out != "65534 65534\n" {
		t.Errorf("exit code %d: %s", got.code, got.out)
	}
}

// Without privilege, and without /dev/net/tun.
func TestIsolatedUnprivileged(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("every other test has run without privilege already")
	}
	needNamespaces(t)
	server := serveHTTP(t, "127.0.0.1")
	dir, err := os.MkdirTemp("", "upcall-isolated-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	copyFile(t, self, filepath.Join(dir, "host"))
	copyFile(t, goClient(t), filepath.Join(dir, "client"))
	const nobody = 65534
	os.Chown(dir, nobody, nobody)
	trace := filepath.Join(dir, "trace")
	cmd := exec.Command(filepath.Join(dir, "host"), hostArgument, trace, "sh", "-c",
		fmt.Sprintf("grep -E '^Cap(Inh|Prm|Eff|Amb)' /proc/self/status; id -u; %s -n 5 http://%s/hello", filepath.Join(dir, "client"), insideOf(t, server)))
	cmd.Env = append(os.Environ(), hostIsolate+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	const none = "\t0000000000000000\n"
	if want := "CapInh:" + none + "CapPrm:" + none + "CapEff:" + none + "CapAmb:" + none + "65534\n" + strings.Repeat("hello\n", 5); err != nil || string(out) != want {
		t.Fatalf("%v: %s", err, out)
	}
	traced(t, trace, server, 5)
}

func TestIsolatedProgramThatCannotBeExecuted(t *testing.T) {
	needNamespaces(t)
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/no/such/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	source, err := compose(catalog.Layer{Name: "trace", Options: spi.Options{"file": "/dev/null"}})
	if err != nil {
		t.Fatal(err)
	}
	code, err := Run(t.Context(), Options{Catalog: source, Isolate: true, Program: script})
	if code != ExitNotFound || err == nil || !strings.Contains(err.Error(), "interpreter is missing") {
		t.Errorf("exit code %d, %v", code, err)
	}
}
