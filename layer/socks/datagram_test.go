package socks_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"upcall.dev/layer/internal/layertest"
	"upcall.dev/layer/names"
	"upcall.dev/spi"
	"upcall.dev/wsnet"
)

// echoDatagrams is a UDP server that sends back what it gets, and its address.
func echoDatagrams(t testing.TB) netip.AddrPort {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
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

// exchange sends datagrams until one comes back: the first ones may be lost.
func exchange(t testing.TB, c net.PacketConn, to net.Addr, size int) net.Addr {
	t.Helper()
	want := strings.Repeat("d", size)
	b := make([]byte, 64<<10)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if _, err := c.WriteTo([]byte(want), to); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		n, from, err := c.ReadFrom(b)
		if err != nil {
			continue
		}
		if n < size && string(b[:n]) == want[:n] {
			continue // the answer to what an exchange before has sent twice
		}
		if string(b[:n]) != want {
			t.Fatalf("%d bytes came back", n)
		}
		return from
	}
	t.Fatal("nothing came back")
	return nil
}

func TestDatagrams(t *testing.T) {
	target := echoDatagrams(t)
	address := dante(t)
	for _, layers := range [][]string{{"proxy=" + address}, {"proxy=" + address, "pipeline=on"}} {
		stack := open(t, "kernel", socks(layers...))
		c, err := stack.ListenPacket("udp", "0.0.0.0:0")
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{0, 1, 1400, 20_000} {
			if from := exchange(t, c, net.UDPAddrFromAddrPort(target), size); from.String() != target.String() {
				t.Errorf("%d bytes came back from %v", size, from)
			}
		}
		c.Close()

		// By name: the answer is shown as from the address that stands for it.
		assigned, err := names.Default.Assign("localhost")
		if err != nil {
			t.Fatal(err)
		}
		c, err = stack.ListenPacket("udp", "0.0.0.0:0")
		if err != nil {
			t.Fatal(err)
		}
		to := netip.AddrPortFrom(assigned, target.Port())
		for range 2 {
			if from := exchange(t, c, net.UDPAddrFromAddrPort(to), 7); from.String() != to.String() {
				t.Errorf("what was sent to %v came back from %v", to, from)
			}
		}
		c.Close()

		// Connected, to either.
		for _, to := range []netip.AddrPort{target, to} {
			conn, err := stack.Dialer().Dial("udp", to.String())
			if err != nil {
				t.Fatal(err)
			}
			if conn.RemoteAddr().String() != to.String() {
				t.Errorf("the peer is %v", conn.RemoteAddr())
			}
			got := make([]byte, 100)
			for ok := false; !ok; {
				if _, err := io.WriteString(conn, "hello"); err != nil {
					t.Fatal(err)
				}
				_ = conn.SetReadDeadline(time.Now().Add(time.Second))
				n, err := conn.Read(got)
				ok = err == nil && string(got[:n]) == "hello"
			}
			conn.Close()
		}
	}
}

// Through two proxies, and by IPv6 sockets.
func TestDatagramChain(t *testing.T) {
	target := echoDatagrams(t)
	stack := open(t, "kernel", socks("proxy="+dante(t)), socks("proxy="+dante(t)))
	c, err := stack.ListenPacket("udp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if from := exchange(t, c, net.UDPAddrFromAddrPort(target), 100); from.String() != target.String() {
		t.Errorf("it came back from %v", from)
	}
}

func TestMappedDatagrams(t *testing.T) {
	target := echoDatagrams(t)
	_, thread := layertest.Start(t, "kernel", socks("proxy="+dante(t)))
	s, err := thread.Socket(spi.AF_INET6, spi.SOCK_DGRAM, 0)
	if err != nil {
		t.Skip("no IPv6:", err)
	}
	defer thread.CloseSocket(s)
	to := spi.SockaddrFrom(netip.AddrPortFrom(netip.AddrFrom16(target.Addr().As16()), target.Port()))
	for range 20 {
		if _, err := thread.SendTo(s, []byte("six"), 0, to); err != nil {
			t.Fatal(err)
		}
		if n, err := thread.Select(spi.NewFDSet(s), nil, nil, &spi.Timeval{Sec: 1}); err != nil {
			t.Fatal(err)
		} else if n == 0 {
			continue
		}
		b, from, length := make([]byte, 10), make([]byte, 128), int32(128)
		n, err := thread.RecvFrom(s, b, 0, from, &length)
		if err != nil || string(b[:n]) != "six" || string(from[:length]) != string(to) {
			t.Errorf("%q from %s: %v", b[:n], spi.AddressString(from[:length]), err)
		}
		return
	}
	t.Error("nothing came back")
}

// A connected socket has a definite address of its peer's family, as getaddrinfo
// wants it, with the port that it keeps when it is disconnected.
func TestConnectedDatagramName(t *testing.T) {
	_, thread := layertest.Start(t, "kernel", socks("proxy=127.0.0.1:9"))
	s, err := thread.Socket(spi.AF_INET6, spi.SOCK_DGRAM, 0)
	if err != nil {
		t.Skip("no IPv6:", err)
	}
	defer thread.CloseSocket(s)
	name := func() netip.AddrPort {
		b, length := make([]byte, 128), int32(128)
		if err := thread.GetSockName(s, b, &length); err != nil {
			t.Fatal(err)
		}
		at, _ := spi.AddrPortFrom(b[:length])
		return at
	}
	port := uint16(0)
	for _, c := range []struct{ peer, local string }{
		{"[::ffff:203.0.113.1]:9", "::ffff:127.0.0.1"},
		{"[2001:db8::1]:9", "::1"},
		{"[::]:0", "::"},
		{"[::ffff:127.0.0.1]:9", "::ffff:127.0.0.1"},
	} {
		if err := thread.Connect(s, spi.SockaddrFrom(netip.MustParseAddrPort(c.peer))); err != nil {
			t.Fatalf("%s: %v", c.peer, err)
		}
		at := name()
		if at.Addr() != netip.MustParseAddr(c.local) || at.Port() == 0 || port != 0 && at.Port() != port {
			t.Errorf("connected to %s the name is %v", c.peer, at)
		}
		port = at.Port()
	}
	if err := thread.Connect(s, spi.SockaddrFrom(netip.MustParseAddrPort("[::]:0"))); err != nil {
		t.Fatal(err)
	}
}

// Without a proxy that carries datagrams they are refused, and never sent
// directly; queries for names are answered all the same.
func TestNoDatagrams(t *testing.T) {
	target := echoDatagrams(t)
	for _, o := range [][]string{
		{"proxy=127.0.0.1:9", "udp=off"},
		{"proxy=127.0.0.1:9", "type=http"},
		{"proxy=127.0.0.1:9", "type=socks4a"},
	} {
		_, thread := layertest.Start(t, "kernel", socks(o...))
		s := layertest.Socket(t, thread, spi.SOCK_DGRAM)
		if _, err := thread.SendTo(s, []byte("x"), 0, spi.SockaddrFrom(target)); code(err) != spi.WSAENETUNREACH {
			t.Errorf("%v: sendto: %v", o, err)
		}
		if err := thread.Connect(s, spi.SockaddrFrom(target)); err != nil {
			t.Errorf("%v: connect: %v", o, err)
		}
		if _, err := thread.Send(s, []byte("x"), 0); code(err) != spi.WSAENETUNREACH {
			t.Errorf("%v: send: %v", o, err)
		}
		_ = thread.CloseSocket(s)
	}
	// One that says that it carries some, and does not: later sends fail.
	address := serve(t, func(c net.Conn) {
		if greet(c) == nil {
			_, _ = c.Write([]byte{5, 7, 0, 1, 0, 0, 0, 0, 0, 0})
		}
	})
	_, thread := layertest.Start(t, "kernel", socks("proxy="+address.String(), "pipeline=off"))
	s := layertest.Socket(t, thread, spi.SOCK_DGRAM)
	defer thread.CloseSocket(s)
	for deadline := time.Now().Add(patience); ; {
		_, err := thread.SendTo(s, []byte("x"), 0, spi.SockaddrFrom(target))
		if code(err) == spi.WSAEOPNOTSUPP {
			break
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("sendto: %v", err)
		}
		time.Sleep(time.Millisecond)
	}
}

// resolver looks names up through the stack: every query goes to a server that
// does not exist.
func resolver(stack *wsnet.Stack) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return stack.Dialer().DialContext(ctx, network, "203.0.113.53:53")
	}}
}

func TestNames(t *testing.T) {
	target := echo(t)
	stack := open(t, "kernel", socks("proxy="+microsocks(t)))
	r := resolver(stack)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for network, pool := range map[string]netip.Prefix{"ip4": names.DefaultIPv4, "ip6": names.DefaultIPv6} {
		addrs, err := r.LookupNetIP(ctx, network, "Proxy-Only.Example.")
		if err != nil || len(addrs) != 1 || !pool.Contains(addrs[0]) {
			t.Fatalf("%s: %v %v", network, addrs, err)
		}
		if name, _ := names.Default.Lookup(addrs[0]); name != "proxy-only.example" {
			t.Errorf("%v is %q", addrs[0], name)
		}
		found, err := r.LookupAddr(ctx, addrs[0].String())
		if err != nil || len(found) != 1 || found[0] != "proxy-only.example." {
			t.Errorf("%v has the names %q: %v", addrs[0], found, err)
		}
	}
	if addrs, err := r.LookupNetIP(ctx, "ip4", "www.localhost"); err != nil || len(addrs) != 1 || !addrs[0].IsLoopback() {
		t.Errorf("localhost: %v %v", addrs, err)
	}
	if _, err := r.LookupNetIP(ctx, "ip4", "bad name.example"); err == nil {
		t.Error("a name with a space is looked up")
	}
	if _, err := r.LookupTXT(ctx, "example.com"); err == nil {
		t.Error("a text was found without a resolver")
	}
	// A whole client, by a name that only the proxy knows.
	d := stack.Dialer()
	d.Resolver = &net.Resolver{PreferGo: true, Dial: r.Dial}
	c, err := d.DialContext(ctx, "tcp4", net.JoinHostPort("localhost", fmt.Sprint(target.Port())))
	if err != nil {
		t.Fatal(err)
	}
	talk(t, c)
	c.Close()
}

// The name goes to the proxy, not an address: what each kind of proxy reads.
func TestNameOnTheWire(t *testing.T) {
	a, err := names.Default.Assign("wire.example")
	if err != nil {
		t.Fatal(err)
	}
	a6, err := names.Default.Assign6("wire.example")
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]string{
		"socks5":  "\x05\x01\x00\x05\x01\x00\x03\x0cwire.example\x01\xbb",
		"socks4a": "\x04\x01\x01\xbb\x00\x00\x00\x01\x00wire.example\x00",
		"http":    "CONNECT wire.example:443 HTTP/1.1\r\nHost: wire.example:443\r\n\r\n",
	} {
		for _, addr := range []netip.Addr{a, a6} {
			got := make(chan string, 1)
			address := serve(t, func(c net.Conn) {
				b := make([]byte, len(want))
				_, _ = io.ReadFull(c, b)
				got <- string(b)
			})
			stack := open(t, "kernel", socks("proxy="+address.String(), "type="+kind, "pipeline=on"))
			_, err := stack.Dialer().Dial("tcp", netip.AddrPortFrom(addr, 443).String())
			if err == nil {
				t.Error("a proxy that says nothing has connected")
			}
			select {
			case g := <-got:
				if g != want {
					t.Errorf("%s reads %q", kind, g)
				}
			case <-time.After(patience):
				t.Errorf("%s: the proxy was not asked: %v", kind, err)
			}
		}
	}
}

// An address of the pool without a name goes nowhere.
func TestUnknownAssignedAddress(t *testing.T) {
	stack := open(t, "kernel", socks("proxy=127.0.0.1:9"))
	if _, err := stack.Dialer().Dial("tcp", "198.19.255.250:80"); !errors.Is(err, spi.WSAEHOSTUNREACH) {
		t.Error(err)
	}
	if _, err := stack.Dialer().Dial("udp", "198.19.255.250:80"); !errors.Is(err, spi.WSAEHOSTUNREACH) {
		t.Error(err)
	}
}

// What the proxy cannot look up goes to the resolver, through the proxy by TCP.
func TestResolver(t *testing.T) {
	var mu sync.Mutex
	asked := 0
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, func(c net.Conn) {
		for {
			query := make([]byte, 2)
			if _, err := io.ReadFull(c, query); err != nil {
				return
			}
			query = make([]byte, int(query[0])<<8|int(query[1]))
			if _, err := io.ReadFull(c, query); err != nil {
				return
			}
			mu.Lock()
			asked++
			mu.Unlock()
			var m dnsmessage.Message
			if m.Unpack(query) != nil {
				return
			}
			m.Response, m.Additionals = true, nil
			text := "short"
			if strings.HasPrefix(m.Questions[0].Name.String(), "long") {
				text = strings.Repeat("l", 250)
			}
			for range 8 {
				m.Answers = append(m.Answers, dnsmessage.Resource{
					Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET},
					Body:   &dnsmessage.TXTResource{TXT: []string{text}},
				})
			}
			reply, err := m.Pack()
			if err != nil {
				return
			}
			_, _ = c.Write(append([]byte{byte(len(reply) >> 8), byte(len(reply))}, reply...))
		}
	})
	stack := open(t, "kernel", socks("proxy="+microsocks(t), "resolver="+l.Addr().String()))
	r := resolver(stack)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	texts, err := r.LookupTXT(ctx, "short.example.")
	if err != nil || len(texts) != 8 || texts[0] != "short" {
		t.Errorf("%q: %v", texts, err)
	}
	texts, err = r.LookupTXT(ctx, "long.example.") // does not fit a datagram: asked again by TCP
	if err != nil || len(texts) != 8 || len(texts[0]) != 250 {
		t.Errorf("%d texts: %v", len(texts), err)
	}
	mu.Lock()
	defer mu.Unlock()
	if asked < 3 {
		t.Errorf("the resolver was asked %d times", asked)
	}
}
