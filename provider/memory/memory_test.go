package memory_test

import (
	"bytes"
	"errors"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"upcall.dev/catalog"
	_ "upcall.dev/provider/memory"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newDLL returns a started DLL whose only provider is memory.
func newDLL(t testing.TB) *ws2.DLL {
	t.Helper()
	d := ws2.New(ws2.Config{Catalog: catalog.Default(), Log: func(m string) { t.Error(m) }})
	th := d.Unbound()
	if err := th.WSAStartup(spi.Version22, new(ws2.WSAData)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { th.WSACleanup() })
	return d
}

func newThread(t testing.TB) *ws2.Thread { return newDLL(t).Unbound() }

func addr(s string) []byte { return spi.SockaddrFrom(netip.MustParseAddrPort(s)) }

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t testing.TB, err error, code spi.Errno) {
	t.Helper()
	if !errors.Is(err, code) {
		t.Errorf("error %v, want %v", err, code)
	}
}

func tcp(t testing.TB, th *ws2.Thread) spi.Socket {
	t.Helper()
	s, err := th.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
	ok(t, err)
	return s
}

func udp(t testing.TB, th *ws2.Thread, bind string) spi.Socket {
	t.Helper()
	s, err := th.Socket(spi.AF_INET, spi.SOCK_DGRAM, spi.IPPROTO_UDP)
	ok(t, err)
	if bind != "" {
		ok(t, th.Bind(s, addr(bind)))
	}
	return s
}

func sockName(t testing.TB, th *ws2.Thread, s spi.Socket) []byte {
	t.Helper()
	name := make([]byte, spi.SizeofSockaddrStorage)
	n := int32(len(name))
	ok(t, th.GetSockName(s, name, &n))
	return name[:n]
}

// listen returns a listening socket and its address.
func listen(t testing.TB, th *ws2.Thread) (spi.Socket, []byte) {
	t.Helper()
	l := tcp(t, th)
	ok(t, th.Bind(l, addr("127.0.0.1:0")))
	ok(t, th.Listen(l, spi.SOMAXCONN))
	return l, sockName(t, th, l)
}

// pair returns two connected stream sockets.
func pair(t testing.TB, th *ws2.Thread) (client, server spi.Socket) {
	t.Helper()
	l, name := listen(t, th)
	client = tcp(t, th)
	ok(t, th.Connect(client, name))
	server, err := th.Accept(l, nil, nil)
	ok(t, err)
	ok(t, th.CloseSocket(l))
	return client, server
}

func nonblocking(t testing.TB, th *ws2.Thread, s spi.Socket) {
	t.Helper()
	on := uint32(1)
	ok(t, th.IoctlSocket(s, spi.FIONBIO, &on))
}

func send(t testing.TB, th *ws2.Thread, s spi.Socket, data string) {
	t.Helper()
	n, err := th.Send(s, []byte(data), 0)
	ok(t, err)
	if n != len(data) {
		t.Fatalf("sent %d of %d", n, len(data))
	}
}

func recv(t testing.TB, th *ws2.Thread, s spi.Socket) string {
	t.Helper()
	buf := make([]byte, 1<<16)
	n, err := th.Recv(s, buf, 0)
	ok(t, err)
	return string(buf[:n])
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for range 5000 {
		if holds() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%s: not within 5 s", what)
}

func TestStreamBothWays(t *testing.T) {
	th := newThread(t)
	client, server := pair(t, th)
	send(t, th, client, "hello")
	if got := recv(t, th, server); got != "hello" {
		t.Errorf("got %q", got)
	}
	send(t, th, server, "good day")
	if got := recv(t, th, client); got != "good day" {
		t.Errorf("got %q", got)
	}
	ok(t, th.CloseSocket(client))
	if got := recv(t, th, server); got != "" {
		t.Errorf("got %q at the end", got)
	}
	ok(t, th.CloseSocket(server))
}

func TestBlockedCallsHandOver(t *testing.T) {
	th := newThread(t)
	client, server := pair(t, th)
	const size = 3 << 20 // more than the queue holds
	data := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	sent := make(chan error, 1)
	go func() {
		n, err := th.Send(client, data, 0)
		if err == nil && n != size {
			err = errors.New("short send")
		}
		sent <- err
	}()
	got := make([]byte, 0, size)
	buf := make([]byte, 100_000)
	for len(got) < size {
		n, err := th.Recv(server, buf, 0)
		ok(t, err)
		got = append(got, buf[:n]...)
	}
	ok(t, <-sent)
	if !bytes.Equal(got, data) {
		t.Error("the bytes changed on the way")
	}
}

func TestIPv6AndDualStack(t *testing.T) {
	th := newThread(t)
	l, err := th.Socket(spi.AF_INET6, spi.SOCK_STREAM, 0)
	ok(t, err)
	ok(t, th.SetSockOpt(l, spi.IPPROTO_IPV6, spi.IPV6_V6ONLY, []byte{0, 0, 0, 0}))
	ok(t, th.Bind(l, addr("[::]:0")))
	ok(t, th.Listen(l, 5))
	name, _ := spi.AddrPortFrom(sockName(t, th, l))
	for _, ip := range []string{"127.0.0.1", "::1"} {
		to := netip.AddrPortFrom(netip.MustParseAddr(ip), name.Port())
		family := int32(spi.AF_INET)
		if to.Addr().Is6() {
			family = spi.AF_INET6
		}
		c, err := th.Socket(family, spi.SOCK_STREAM, 0)
		ok(t, err)
		ok(t, th.Connect(c, spi.SockaddrFrom(to)))
		from := make([]byte, 28)
		n := int32(28)
		a, err := th.Accept(l, from, &n)
		ok(t, err)
		peer, _ := spi.AddrPortFrom(from)
		if local, _ := spi.AddrPortFrom(sockName(t, th, c)); peer.Port() != local.Port() || peer.Addr().Unmap() != local.Addr() {
			t.Errorf("accepted from %v, connected from %v", peer, local)
		}
		send(t, th, c, ip)
		if got := recv(t, th, a); got != ip {
			t.Errorf("got %q", got)
		}
	}
}

func TestAddressesInUse(t *testing.T) {
	th := newThread(t)
	a := tcp(t, th)
	ok(t, th.Bind(a, addr("127.0.0.1:5000")))
	b := tcp(t, th)
	want(t, th.Bind(b, addr("127.0.0.1:5000")), spi.WSAEADDRINUSE)
	ok(t, th.Bind(b, addr("0.0.0.0:5000")))
	c := tcp(t, th)
	ok(t, th.SetSockOpt(c, spi.SOL_SOCKET, spi.SO_REUSEADDR, []byte{1, 0, 0, 0}))
	ok(t, th.Bind(c, addr("127.0.0.1:5000")))
	d := tcp(t, th)
	ok(t, th.SetSockOpt(d, spi.SOL_SOCKET, spi.SO_EXCLUSIVEADDRUSE, []byte{1, 0, 0, 0}))
	want(t, th.Bind(d, addr("127.0.0.2:5000")), spi.WSAEADDRINUSE)
	ok(t, th.Bind(d, addr("127.0.0.1:5001")))
	e := tcp(t, th)
	ok(t, th.SetSockOpt(e, spi.SOL_SOCKET, spi.SO_REUSEADDR, []byte{1, 0, 0, 0}))
	want(t, th.Bind(e, addr("127.0.0.1:5001")), spi.WSAEACCES)
	want(t, th.Bind(e, addr("192.0.2.1:5001")), spi.WSAEADDRNOTAVAIL)
	want(t, th.Connect(e, addr("127.0.0.1:9")), spi.WSAECONNREFUSED)
	want(t, th.Connect(e, addr("192.0.2.1:9")), spi.WSAENETUNREACH)
	want(t, th.Connect(e, addr("0.0.0.0:9")), spi.WSAEADDRNOTAVAIL)
	want(t, th.Connect(e, addr("[::1]:9")), spi.WSAEAFNOSUPPORT)
	ok(t, th.CloseSocket(a))
	f := udp(t, th, "127.0.0.1:5000")
	ok(t, th.CloseSocket(f))
}

func TestBacklogRefuses(t *testing.T) {
	th := newThread(t)
	l := tcp(t, th)
	ok(t, th.Bind(l, addr("127.0.0.1:0")))
	ok(t, th.Listen(l, 2))
	name := sockName(t, th, l)
	for range 2 {
		ok(t, th.Connect(tcp(t, th), name))
	}
	c := tcp(t, th)
	want(t, th.Connect(c, name), spi.WSAECONNREFUSED)
	_, err := th.Accept(l, nil, nil)
	ok(t, err)
	ok(t, th.Connect(c, name))
}

func TestDatagramsCarryTheSender(t *testing.T) {
	th := newThread(t)
	a, b := udp(t, th, "127.0.0.1:0"), udp(t, th, "")
	n, err := th.SendTo(b, []byte("ping"), 0, sockName(t, th, a))
	ok(t, err)
	if n != 4 {
		t.Errorf("sent %d", n)
	}
	buf, from := make([]byte, 10), make([]byte, 16)
	fromLen := int32(16)
	n, err = th.RecvFrom(a, buf, 0, from, &fromLen)
	ok(t, err)
	local, _ := spi.AddrPortFrom(sockName(t, th, b))
	peer, _ := spi.AddrPortFrom(from)
	if string(buf[:n]) != "ping" || peer.Port() != local.Port() || !peer.Addr().IsLoopback() {
		t.Errorf("%q from %v, sent from %v", buf[:n], peer, local)
	}
	_, err = th.SendTo(a, []byte("pong"), 0, from)
	ok(t, err)
	if got := recv(t, th, b); got != "pong" {
		t.Errorf("got %q", got)
	}
	_, err = th.Send(b, []byte("x"), 0)
	want(t, err, spi.WSAENOTCONN)
	_, err = th.SendTo(b, []byte("x"), 0, nil)
	want(t, err, spi.WSAEDESTADDRREQ)
	_, err = th.SendTo(b, make([]byte, 65508), 0, from)
	want(t, err, spi.WSAEMSGSIZE)
	_, err = th.SendTo(b, []byte("nobody hears it"), 0, addr("127.0.0.1:9"))
	ok(t, err)
}

func TestConnectedDatagramsFilter(t *testing.T) {
	th := newThread(t)
	a, b, c := udp(t, th, "127.0.0.1:0"), udp(t, th, "127.0.0.1:0"), udp(t, th, "127.0.0.1:0")
	ok(t, th.Connect(a, sockName(t, th, b)))
	send(t, th, a, "to b")
	if got := recv(t, th, b); got != "to b" {
		t.Errorf("got %q", got)
	}
	_, err := th.SendTo(c, []byte("filtered"), 0, sockName(t, th, a))
	ok(t, err)
	_, err = th.SendTo(b, []byte("let in"), 0, sockName(t, th, a))
	ok(t, err)
	if got := recv(t, th, a); got != "let in" {
		t.Errorf("got %q", got)
	}
	none := make([]byte, 16)
	none[0] = spi.AF_INET
	ok(t, th.Connect(a, none))
	_, err = th.Send(a, []byte("x"), 0)
	want(t, err, spi.WSAENOTCONN)
}

func TestDatagramQueueIsBounded(t *testing.T) {
	th := newThread(t)
	a, b := udp(t, th, "127.0.0.1:0"), udp(t, th, "")
	name := sockName(t, th, a)
	const sent = 20
	for range sent {
		_, err := th.SendTo(b, make([]byte, 60_000), 0, name)
		ok(t, err)
	}
	nonblocking(t, th, a)
	received := 0
	for buf := make([]byte, 65536); ; received++ {
		if _, err := th.Recv(a, buf, 0); err != nil {
			want(t, err, spi.WSAEWOULDBLOCK)
			break
		}
	}
	if received < 2 || received >= sent {
		t.Errorf("%d of %d kept", received, sent)
	}
}

func TestProvidersAreSeparateNetworks(t *testing.T) {
	one, other := newThread(t), newThread(t)
	_, name := listen(t, one)
	want(t, other.Connect(tcp(t, other), name), spi.WSAECONNREFUSED)
}

func TestRefusals(t *testing.T) {
	th := newThread(t)
	client, _ := pair(t, th)
	l, _ := listen(t, th)
	_, err := th.WSAJoinLeaf(l, addr("127.0.0.1:1"), nil, nil, nil, nil, 0)
	want(t, err, spi.WSAEOPNOTSUPP)
	data := spi.NewBuf([]byte("bye"))
	want(t, th.WSASendDisconnect(client, &data), spi.WSAENOPROTOOPT)
	want(t, th.WSARecvDisconnect(client, &data), spi.WSAENOPROTOOPT)
	want(t, th.WSAGetQOSByName(client, &data, new(spi.QOS)), spi.WSAEINVAL)
	_, err = th.Send(client, []byte("!"), spi.MSG_OOB)
	want(t, err, spi.WSAEOPNOTSUPP)
	_, err = th.Recv(client, make([]byte, 1), spi.MSG_OOB)
	want(t, err, spi.WSAEOPNOTSUPP)
	var n uint32
	want(t, th.WSAIoctl(client, 0x12345678, nil, nil, &n, nil, nil), spi.WSAEOPNOTSUPP)
	want(t, th.SetSockOpt(client, 12345, 1, []byte{1, 0, 0, 0}), spi.WSAEINVAL)
	want(t, th.SetSockOpt(client, spi.SOL_SOCKET, 0x7fff, []byte{1, 0, 0, 0}), spi.WSAENOPROTOOPT)
	want(t, th.SetSockOpt(client, spi.SOL_SOCKET, spi.SO_RCVBUF, nil), spi.WSAEFAULT)
	_, err = th.Recv(tcp(t, th), make([]byte, 1), 0)
	want(t, err, spi.WSAENOTCONN)
	want(t, th.Connect(client, addr("127.0.0.1:1")), spi.WSAEISCONN)
}

// heapPer returns the bytes of heap that each of n things takes.
func heapPer(n int, make func()) int {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	make()
	runtime.GC()
	runtime.GC() // empties the pools, which belong to no socket
	runtime.ReadMemStats(&after)
	return int(after.HeapAlloc-before.HeapAlloc) / n
}

// largestIdle is how many bytes an idle socket may take, the DLL's part
// included.
const largestIdle = 600

func TestIdleSocketIsSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("makes many sockets")
	}
	th := newThread(t)
	tcp(t, th)
	const sockets = 20_000
	unconnected := heapPer(sockets, func() {
		for range sockets {
			tcp(t, th)
		}
	})
	t.Logf("%d bytes for a new socket", unconnected)
	if unconnected > largestIdle {
		t.Error("that is too much")
	}
	var pairs [sockets / 2][2]spi.Socket
	connected := heapPer(sockets, func() { connectMany(t, th, pairs[:]) })
	t.Logf("%d bytes for a connected socket", connected)
	if connected > largestIdle {
		t.Error("that is too much")
	}
	used := heapPer(sockets, func() {
		for _, p := range pairs {
			for i := range p {
				send(t, th, p[i], "some data")
				if got, err := th.Recv(p[1-i], make([]byte, 100), 0); err != nil || got != 9 {
					t.Fatalf("%d bytes, %v", got, err)
				}
			}
		}
	})
	t.Logf("%d bytes more when it has been used", used)
	if used > 8 {
		t.Error("a drained queue holds memory")
	}
}

// connectMany connects pairs over as many addresses as their ports need.
func connectMany(t testing.TB, th *ws2.Thread, pairs [][2]spi.Socket) {
	t.Helper()
	l := tcp(t, th)
	ok(t, th.Bind(l, addr("0.0.0.0:0")))
	ok(t, th.Listen(l, spi.SOMAXCONN))
	port, _ := spi.AddrPortFrom(sockName(t, th, l))
	const each = 16_000 // connections to one address
	for i := range pairs {
		n := i / each
		to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(n >> 8), byte(n)}), port.Port())
		pairs[i][0] = tcp(t, th)
		ok(t, th.Connect(pairs[i][0], spi.SockaddrFrom(to)))
		var err error
		pairs[i][1], err = th.Accept(l, nil, nil)
		ok(t, err)
	}
}
