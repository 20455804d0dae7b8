package launch

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/spi"
)

// The name goes to the proxy: the program's query is answered on the way, and
// nobody else is asked.
func TestIsolatedNamesGoToTheProxy(t *testing.T) {
	needNamespaces(t)
	need(t, "curl")
	server := serveHTTP(t, "127.0.0.1")
	proxy := serveSOCKS(t, server)
	source, err := catalog.Compose(catalog.Default(), "kernel", []catalog.Layer{{Name: "socks", Options: spi.Options{"proxy": proxy.address, "dns": "remote"}}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got := run(t, Options{Catalog: source, Isolate: true}, "curl", "-sS", "--happy-eyeballs-timeout-ms", "60000", "http://only.the.proxy.knows.example./hello")
		if got.code != 0 || got.out != "hello\n" {
			t.Fatalf("exit code %d: %s\n%s", got.code, got.out, got.log)
		}
	}
	asked := proxy.names()
	if len(asked) != 2 || strings.TrimSuffix(asked[0], ".") != "only.the.proxy.knows.example" || asked[1] != asked[0] {
		t.Errorf("the proxy was asked for %q", asked)
	}
}

// socksProxy connects every name to one server. It knows SOCKS5 without login.
type socksProxy struct {
	address string
	mu      sync.Mutex
	asked   []string
}

func (p *socksProxy) names() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.asked...)
}

func serveSOCKS(t *testing.T, server string) *socksProxy {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &socksProxy{address: l.Addr().String()}
	var serving sync.WaitGroup
	t.Cleanup(func() { l.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				p.serve(c, server)
			})
		}
	})
	return p
}

func (p *socksProxy) serve(c net.Conn, server string) {
	r := bufio.NewReader(c)
	read := func(n int) []byte {
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); err != nil {
			return make([]byte, n)
		}
		return b
	}
	read(int(read(2)[1]))
	c.Write([]byte{5, 0})
	request := read(4)
	if request[3] != 3 { // not a name: such as the layer's own trial
		c.Write([]byte{5, 8, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	name := string(read(int(read(1)[0])))
	binary.BigEndian.Uint16(read(2))
	p.mu.Lock()
	p.asked = append(p.asked, name)
	p.mu.Unlock()
	remote, err := net.Dial("tcp4", server)
	if err != nil {
		c.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	defer remote.Close()
	c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(remote, r)
		remote.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(c, remote)
	c.(*net.TCPConn).CloseWrite()
	<-done
}
