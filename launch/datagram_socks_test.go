package launch

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"upcall.dev/catalog"
	_ "upcall.dev/layer/socks"
	"upcall.dev/spi"
)

// proxy is a SOCKS5 proxy that carries streams and datagrams, and knows every
// name to be this machine.
type proxy struct {
	at      string
	mu      sync.Mutex // guards what follows
	names   []string   // asked for
	clients []io.Closer
	work    sync.WaitGroup
}

func startProxy(t *testing.T) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{at: l.Addr().String()}
	p.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.open(c)
			p.work.Go(func() {
				defer c.Close()
				p.serve(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.mu.Lock()
		for _, c := range p.clients {
			c.Close()
		}
		p.mu.Unlock()
		p.work.Wait()
	})
	return p
}

func (p *proxy) open(c io.Closer) {
	p.mu.Lock()
	p.clients = append(p.clients, c)
	p.mu.Unlock()
}

// readAddress reads the address of a request or of a datagram.
func (p *proxy) readAddress(r io.Reader) (string, error) {
	var b [256]byte
	if _, err := io.ReadFull(r, b[:1]); err != nil {
		return "", err
	}
	size := map[byte]int{1: 4, 4: 16}[b[0]]
	kind := b[0]
	if kind == 3 {
		if _, err := io.ReadFull(r, b[:1]); err != nil {
			return "", err
		}
		size = int(b[0])
	}
	if _, err := io.ReadFull(r, b[:size+2]); err != nil {
		return "", err
	}
	port := binary.BigEndian.Uint16(b[size:])
	host := "127.0.0.1"
	if kind == 3 {
		p.mu.Lock()
		p.names = append(p.names, string(b[:size]))
		p.mu.Unlock()
	} else {
		ip, _ := netip.AddrFromSlice(b[:size])
		host = ip.String()
	}
	return net.JoinHostPort(host, fmt.Sprint(port)), nil
}

func (p *proxy) asked(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.names, name)
}

func (p *proxy) serve(c net.Conn) {
	var b [256]byte
	if _, err := io.ReadFull(c, b[:2]); err != nil {
		return
	}
	if _, err := io.ReadFull(c, b[:b[1]]); err != nil {
		return
	}
	c.Write([]byte{5, 0})
	if _, err := io.ReadFull(c, b[:3]); err != nil {
		return
	}
	command := b[1]
	target, err := p.readAddress(c)
	if err != nil {
		return
	}
	if command == 3 {
		p.associate(c)
		return
	}
	out, err := net.Dial("tcp", target)
	if err != nil {
		c.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	p.open(out)
	defer out.Close()
	c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	p.work.Go(func() {
		io.Copy(out, c)
		out.(*net.TCPConn).CloseWrite()
	})
	io.Copy(c, out)
}

// associate carries datagrams until the connection ends.
func (p *proxy) associate(c net.Conn) {
	inner, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return
	}
	p.open(inner)
	outer, err := net.ListenUDP("udp", nil)
	if err != nil {
		return
	}
	p.open(outer)
	var mu sync.Mutex
	var client netip.AddrPort
	at := inner.LocalAddr().(*net.UDPAddr).AddrPort()
	c.Write(append([]byte{5, 0, 0, 1, 127, 0, 0, 1}, byte(at.Port()>>8), byte(at.Port())))
	p.work.Go(func() {
		b := make([]byte, 64<<10)
		for {
			n, from, err := inner.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			mu.Lock()
			client = from
			mu.Unlock()
			r := strings.NewReader(string(b[3:n]))
			target, err := p.readAddress(r)
			if err != nil {
				continue
			}
			if to, err := net.ResolveUDPAddr("udp", target); err == nil {
				rest, _ := io.ReadAll(r)
				outer.WriteTo(rest, to)
			}
		}
	})
	p.work.Go(func() {
		b := make([]byte, 64<<10)
		for {
			n, from, err := outer.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			head := []byte{0, 0, 0, 1}
			if ip := from.Addr().Unmap(); ip.Is4() {
				head = append(head, ip.AsSlice()...)
			} else {
				head[3] = 4
				head = append(head, ip.AsSlice()...)
			}
			head = binary.BigEndian.AppendUint16(head, from.Port())
			mu.Lock()
			to := client
			mu.Unlock()
			inner.WriteToUDPAddrPort(append(head, b[:n]...), to)
		}
	})
	io.Copy(io.Discard, c)
	inner.Close()
	outer.Close()
}

// throughSocks is a chain with the proxy under a trace.
func throughSocks(t *testing.T, p *proxy) (o Options, trace string) {
	t.Helper()
	trace = filepath.Join(t.TempDir(), "trace")
	return Options{Catalog: chainOf(t, trace, catalog.Layer{Name: "trace"}, catalog.Layer{Name: "socks", Options: spi.Options{"proxy": p.at}})}, trace
}

// Names are looked up by the proxy, by every way that programs have.
func TestNamesThroughSocks(t *testing.T) {
	server := serveHTTP(t, "127.0.0.1")
	_, port := splitAddress(t, server)
	p := startProxy(t)
	o, trace := throughSocks(t, p)
	for _, c := range []struct {
		name, program string
		args          []string
		says          string
	}{
		{"getent", "getent", []string{"ahostsv4", "a.upcall.example."}, "198.1"},
		{"dig", "dig", []string{"+short", "+tries=1", "@203.0.113.53", "b.upcall.example"}, "198.1"},
		{"dig, IPv6", "dig", []string{"+short", "+tries=1", "@203.0.113.53", "b.upcall.example", "AAAA"}, "fd75:7063:616c:"},
		{"dig, loopback", "dig", []string{"+short", "+tries=1", "@127.0.0.53", "b.upcall.example"}, "198.1"},
		{"curl", "curl", []string{"-sS", "http://c.upcall.example.:" + port + "/hello"}, "hello"},
		{"python3", "python3", []string{"-c", `
import socket, sys
s = socket.create_connection(("d.upcall.example.", int(sys.argv[1])))
s.sendall(b"GET /hello HTTP/1.0\r\n\r\n")
print(s.makefile().read().splitlines()[-1], s.getpeername()[0].startswith("198.1"))
`, port}, "hello True"},
		{"python3, timeout", "python3", []string{"-c", `
import socket, sys
s = socket.create_connection(("e.upcall.example.", int(sys.argv[1])), timeout=10)
s.sendall(b"GET /hello HTTP/1.0\r\n\r\n")
print(s.makefile().read().splitlines()[-1], s.getpeername()[0].startswith("198.1"))
`, port}, "hello True"},
		{"node", "node", []string{"-e", nodeFetch, "http://f.upcall.example.:" + port + "/hello"}, "hello"},
		{"static Go client", "client", []string{"http://g.upcall.example.:" + port + "/hello"}, "hello"},
	} {
		t.Run(c.name, func(t *testing.T) {
			program := c.program
			if program == "client" {
				program = goClient(t)
			} else {
				program = need(t, program)
			}
			if got := run(t, o, program, c.args...); got.code != 0 || !strings.Contains(got.out, c.says) {
				text, _ := os.ReadFile(trace)
				t.Errorf("exit code %d: %s\nlog: %s\ntrace: %s", got.code, got.out, got.log, text)
			}
			if letter := strings.IndexByte("curl python3 node client", c.program[0]); letter >= 0 && strings.Contains(c.says, "hello") {
				for _, arg := range c.args {
					if i := strings.Index(arg, ".upcall.example."); i > 0 && !p.asked(strings.TrimSuffix(arg[i-1:i+len(".upcall.example.")], ".")) {
						t.Errorf("the proxy was not asked: %v", p.names)
					}
				}
			}
		})
	}
}

// Datagrams go to their servers through the proxy, and come back from them.
func TestDatagramsThroughSocks(t *testing.T) {
	python := need(t, "python3")
	at := echoDatagrams(t, "127.0.0.1")
	p := startProxy(t)
	o, trace := throughSocks(t, p)
	script := `
import socket, sys
at = (sys.argv[1], int(sys.argv[2]))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
for i in range(3):
    s.sendto(b"datagram %d" % i, at)
    print(s.recvfrom(100))
s.connect(at)
s.send(b"connected")
print(s.recvfrom(100), s.getpeername())
m = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
m.settimeout(10)
m.sendto(b"mapped", ("::ffff:" + at[0], at[1]))
print(m.recvfrom(100))
`
	args := []string{"-c", script, "127.0.0.1", fmt.Sprint(at.Port())}
	like(t, run(t, o, python, args...), direct(t, python, args...))
	tracedCalls(t, trace, "WSPSendTo", at.String(), 3)
}
