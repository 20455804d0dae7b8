package socks_test

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"

	"upcall.dev/layer/internal/layertest"
	"upcall.dev/layer/names"
	"upcall.dev/spi"
)

// serve6 is serve on ::1; the test is skipped without IPv6.
func serve6(t testing.TB, handle func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6:", err)
	}
	serveOn(t, l, handle)
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func grant(c net.Conn) {
	p := make([]byte, 300)
	if _, err := io.ReadFull(c, p[:3]); err != nil {
		return
	}
	_, _ = c.Write([]byte{5, 0})
	if _, err := io.ReadFull(c, p[:5]); err != nil {
		return
	}
	length := map[byte]int{1: 4 + 2, 4: 16 + 2, 3: 1 + int(p[4]) + 2}[p[3]]
	if _, err := io.ReadFull(c, p[:length-1]); err != nil {
		return
	}
	_, _ = c.Write(granted)
	_, _ = io.Copy(c, c)
}

// Sockets of both families through proxies of both, as far as that can be.
func TestFamilies(t *testing.T) {
	v4, v6 := serve(t, grant), serve6(t, grant)
	assigned, err := names.Default.Assign6("six.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		proxy, target string
		want          spi.Errno
	}{
		{v4.String(), "192.0.2.1:80", 0},
		{v4.String(), "[2001:db8::1]:80", 0},
		{v4.String(), "[::ffff:192.0.2.1]:80", 0},
		{v4.String(), netip.AddrPortFrom(assigned, 80).String(), 0},
		{v6.String(), "[2001:db8::1]:80", 0},
		{v6.String(), "[::ffff:192.0.2.1]:80", 0},
		{v6.String(), "192.0.2.1:80", spi.WSAEAFNOSUPPORT},
		{fmt.Sprintf("localhost:%d", v4.Port()), "192.0.2.1:80", 0},
	} {
		for _, nonblocking := range []bool{false, true} {
			dll, thread := layertest.Start(t, "kernel", socks("proxy="+test.proxy, "pipeline=off"))
			name := spi.SockaddrFrom(netip.MustParseAddrPort(test.target))
			s, err := thread.Socket(spi.AddressFamily(name), spi.SOCK_STREAM, 0)
			if err != nil {
				t.Fatal(err)
			}
			way := ways[0]
			if nonblocking {
				way = ways[1]
			}
			if got := way.connect(t, dll, thread, s, name); got != test.want {
				t.Errorf("%s through %s, %s: %v", test.target, test.proxy, way.name, got)
			} else {
				check(t, thread, s, name, test.want == 0, "")
			}
			_ = thread.CloseSocket(s)
		}
	}
}

// Addresses that mean nothing to a proxy.
func TestNowhere(t *testing.T) {
	_, thread := layertest.Start(t, "kernel", socks("proxy=127.0.0.1:9"))
	for target, want := range map[string]spi.Errno{
		"0.0.0.0:80":   spi.WSAEADDRNOTAVAIL,
		"192.0.2.1:0":  spi.WSAEADDRNOTAVAIL,
		"192.0.2.1:53": spi.WSAECONNREFUSED, // a query by TCP, without a resolver
	} {
		s := layertest.Socket(t, thread, spi.SOCK_STREAM)
		if err := thread.Connect(s, spi.SockaddrFrom(netip.MustParseAddrPort(target))); code(err) != want {
			t.Errorf("%s: %v", target, err)
		}
		_ = thread.CloseSocket(s)
	}
}
