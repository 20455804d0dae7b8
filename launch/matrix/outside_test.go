package matrix

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"upcall.dev/internal/freeport"
)

// outside is what the programs of a row talk to: servers on 127.0.0.1 that no
// chain carries. Those that a row does not have are 0.
type outside struct {
	dir             string
	http, echo, dns int // ports; echo sends datagrams back
	refused         int // nobody listens there
	server          int // the port of the row's own server
	user            string
	iperf           *iperfServer
}

// web starts an HTTP server, whose /git/ are the repositories in o.dir.
func (o *outside) web(t testing.TB) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello\n") })
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) {
		block := bytes.Repeat([]byte("0123456789abcdef"), 4096)
		for range bigSize / len(block) {
			w.Write(block)
		}
	})
	mux.HandleFunc("/hash", func(w http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		n, err := io.Copy(h, r.Body)
		fmt.Fprintf(w, "%s %d bytes, sha256 %x, %v\n", r.Method, n, h.Sum(nil), err)
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/hello", http.StatusFound) })
	mux.Handle("/pages/", http.StripPrefix("/pages/", http.FileServer(http.Dir("testdata/pages"))))
	if git := lookUp("git"); git != "" {
		mux.Handle("/git/", &cgi.Handler{
			Path: git, Args: []string{"http-backend"}, Root: "/git",
			Env: []string{"GIT_PROJECT_ROOT=" + o.dir, "GIT_HTTP_EXPORT_ALL=1", "HOME=" + o.dir, "GIT_CONFIG_NOSYSTEM=1"},
		})
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.http = l.Addr().(*net.TCPAddr).Port
	server := &http.Server{Handler: mux}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		server.Close()
		<-ended
	})
}

const bigSize = 16 << 20

// datagrams starts a server that sends datagrams back.
func (o *outside) datagrams(t testing.TB) {
	t.Helper()
	o.echo = answer(t, func(b []byte) []byte { return b })
}

// answer starts a server of datagrams and returns its port.
func answer(t testing.TB, with func([]byte) []byte) int {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveDatagrams(t, c, with)
	return c.LocalAddr().(*net.UDPAddr).Port
}

func serveDatagrams(t testing.TB, c net.PacketConn, with func([]byte) []byte) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b := make([]byte, 1<<16)
		for {
			n, from, err := c.ReadFrom(b)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if answer := with(b[:n]); err == nil && answer != nil {
				_, _ = c.WriteTo(answer, from)
			}
		}
	}()
	t.Cleanup(func() {
		c.Close()
		<-ended
	})
}

// names starts a DNS server, by UDP and TCP.
func (o *outside) names(t testing.TB) {
	t.Helper()
	o.dns = freeport.Take(t)
	at := fmt.Sprint("127.0.0.1:", o.dns)
	c, err := net.ListenPacket("udp4", at)
	if err != nil {
		t.Fatal(err)
	}
	serveDatagrams(t, c, func(b []byte) []byte { return resolve(b, 512) })
	l, err := net.Listen("tcp4", at)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			var b [1 << 16]byte
			if _, err := io.ReadFull(c, b[:2]); err == nil {
				query := b[2 : 2+int(b[0])<<8+int(b[1])]
				if _, err := io.ReadFull(c, query); err == nil {
					a := resolve(query, 1<<16)
					_, _ = c.Write(append([]byte{byte(len(a) >> 8), byte(len(a))}, a...))
				}
			}
			c.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-ended
	})
}

// resolve answers a query: big.example has text of 2000 bytes, other names have
// an address. An answer that is too long for room is cut.
func resolve(query []byte, room int) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	m.Response, m.Additionals = true, nil
	header := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60}
	switch q.Type {
	case dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, 17}}}}
	case dnsmessage.TypeAAAA:
		m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AAAAResource{AAAA: [16]byte{0x20, 1, 0x0d, 0xb8, 15: 17}}}}
	case dnsmessage.TypeTXT:
		for i := range 10 {
			text := fmt.Sprintf("%d%0199d", i, i)
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.TXTResource{TXT: []string{text}}})
		}
	default:
		m.RCode = dnsmessage.RCodeNotImplemented
	}
	packed, err := m.Pack()
	if err == nil && len(packed) > room {
		m.Answers, m.Truncated = nil, true
		packed, err = m.Pack()
	}
	if err != nil {
		return nil
	}
	return packed
}

// nobodyThere chooses a port where connections are refused.
func (o *outside) nobodyThere(t testing.TB) { o.refused = freeport.Take(t) }

// run starts a server outside and returns when it listens at the port.
func (o *outside) run(t testing.TB, port int, c command) {
	t.Helper()
	c.args = append([]string{need(t, c.args[0])}, c.args[1:]...)
	if c.dir == "" {
		c.dir = o.dir
	}
	p := start(t, c)
	t.Cleanup(func() { p.stop(t) })
	p.listens(t, port)
}

// firstRelayPort is the first of those where the proxy takes datagrams.
const firstRelayPort, relayPorts = 18_000, 1000

func relayPort(port uint16) bool { return port >= firstRelayPort && port < firstRelayPort+relayPorts }

// dante starts the SOCKS5 proxy, at an address, and returns address and port.
// It wants to be root: elsewhere it is root of a user namespace of its own.
func dante(t testing.TB, host string, inside, out string) string {
	t.Helper()
	path, port, dir := need(t, "danted"), freeport.Take(t), openDir(t)
	config := filepath.Join(dir, "danted.conf")
	text := fmt.Sprintf(`logoutput: stderr
internal: %s port = %d
external: %s
socksmethod: none
clientmethod: none
user.privileged: root
user.unprivileged: root
client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 udp.portrange: %d-%d }
`, inside, port, out, firstRelayPort, firstRelayPort+relayPorts-1)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c := command{args: []string{path, "-f", config, "-p", filepath.Join(dir, "pid"), "-N", "1"}, dir: dir}
	if os.Geteuid() != 0 {
		c.attr = syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
		}
	}
	p := start(t, c)
	t.Cleanup(func() { p.stop(t) })
	at := net.JoinHostPort(host, strconv.Itoa(port))
	eventually(t, "danted listens at "+at, func() bool {
		select {
		case <-p.ended:
			t.Fatalf("danted has ended: %s", p.out.String())
		default:
		}
		c, err := net.Dial("tcp", at)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return at
}
