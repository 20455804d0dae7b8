package socks_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/layer/internal/layertest"
	"upcall.dev/spi"
)

// Streams keep IFS handles and datagrams do not, also under another layer, and
// the catalog knows who shakes hands.
func TestCatalogEntries(t *testing.T) {
	layer := socks("proxy=127.0.0.1:1")
	trace := catalog.Layer{Name: "trace", Options: spi.Options{"file": "/dev/null"}}
	for _, through := range [][]catalog.Layer{{layer}, {trace, layer}, {layer, trace}, {layer, layer}, {trace}} {
		c, err := catalog.Compose(catalog.Default(), "kernel", through)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range c.Check() {
			t.Errorf("%v: %v", through, p)
		}
		shakes := len(through) > 1 || through[0].Name == "socks"
		seen := map[int32]bool{}
		for _, e := range c.Entries() {
			if !carried(&e.ProtocolInfo) || e.Hidden() || seen[e.AddressFamily<<8|e.SocketType] {
				continue
			}
			seen[e.AddressFamily<<8|e.SocketType] = true // the topmost
			if want := e.SocketType == spi.SOCK_STREAM || !shakes; e.IFS() != want {
				t.Errorf("%s has IFS handles: %v", e.Name(), e.IFS())
			}
			if c.Handshakes(&e) != shakes {
				t.Errorf("%s shakes hands: %v", e.Name(), !shakes)
			}
		}
		if len(seen) != 4 {
			t.Errorf("%v: %d protocols", through, len(seen))
		}
	}
}

func carried(e *spi.ProtocolInfo) bool {
	return e.AddressFamily == spi.AF_INET || e.AddressFamily == spi.AF_INET6
}

// With dns=local the program's queries go to its own servers, and nothing else
// that it sends goes past the proxy.
func TestLocalNames(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:53")
	if err != nil {
		t.Skip("port 53 is not to be had: ", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 100)
		for {
			n, from, err := server.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = server.WriteTo(b[:n], from)
		}
	}()
	defer func() {
		server.Close()
		<-done
	}()
	_, thread := layertest.Start(t, "kernel", socks("proxy=127.0.0.1:1", "dns=local", "udp=off"))
	s := layertest.Socket(t, thread, spi.SOCK_DGRAM)
	defer thread.CloseSocket(s)
	to := spi.SockaddrFrom(netip.MustParseAddrPort("127.0.0.1:53"))
	if _, err := thread.SendTo(s, []byte("not looked at"), 0, to); err != nil {
		t.Fatal(err)
	}
	if n, err := thread.Select(spi.NewFDSet(s), nil, nil, &spi.Timeval{Sec: int32(patience / time.Second)}); err != nil || n != 1 {
		t.Fatalf("no answer: %v", err)
	}
	b, from, length := make([]byte, 100), make([]byte, 128), int32(128)
	n, err := thread.RecvFrom(s, b, 0, from, &length)
	if err != nil || string(b[:n]) != "not looked at" || string(from[:length]) != string(to) {
		t.Errorf("%q from %s: %v", b[:n], spi.AddressString(from[:length]), err)
	}
	if _, err := thread.SendTo(s, []byte("x"), 0, spi.SockaddrFrom(netip.MustParseAddrPort("127.0.0.1:54"))); code(err) != spi.WSAENETUNREACH {
		t.Errorf("a datagram to another port: %v", err)
	}
}
