package socks_test

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/layer/internal/layertest"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// chains are what the layer stands under and over.
var chains = []struct {
	name         string
	above, below []catalog.Layer
}{
	{name: "alone"},
	{name: "over own handles", below: []catalog.Layer{{Name: "trace", Options: spi.Options{"data": "on", "file": "/dev/null"}}}},
	{name: "under an IFS layer", above: []catalog.Layer{{Name: "trace", Options: spi.Options{"file": "/dev/null"}}}},
	{name: "under own handles", above: []catalog.Layer{{Name: "trace", Options: spi.Options{"data": "on", "file": "/dev/null"}}}},
	{name: "over and under bytes that are held", above: []catalog.Layer{{Name: "shape", Options: spi.Options{"delay": "1ms"}}}, below: []catalog.Layer{{Name: "shape", Options: spi.Options{"delay": "1ms"}}}},
}

// Whatever a proxy does, and however a client connects, it learns the truth, and
// no byte behind the answer is lost.
func TestScriptedProxies(t *testing.T) {
	for _, proxy := range scripted {
		address := serve(t, proxy.handle)
		for _, chain := range chains {
			for _, way := range ways {
				if way.mixed && len(chain.above) > 0 {
					continue // package layer does not wait for sockets of different next providers together
				}
				t.Run(proxy.name+"/"+way.name+"/"+chain.name, func(t *testing.T) {
					layers := append(slices.Clone(chain.above), socks(append(proxy.options, "proxy="+address.String(), "pipeline=off")...))
					dll, thread := layertest.Start(t, "kernel", append(layers, chain.below...)...)
					s := layertest.Socket(t, thread, spi.SOCK_STREAM)
					target := spi.SockaddrFrom(netip.MustParseAddrPort("192.0.2.1:80"))
					if got := way.connect(t, dll, thread, s, target); got != proxy.want {
						t.Fatalf("connecting gives %v, want %v", got, proxy.want)
					}
					check(t, thread, s, target, proxy.want == 0, proxy.early)
					if err := thread.CloseSocket(s); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
}

// check looks at a socket whose connect is over.
func check(t *testing.T, thread *ws2.Thread, s spi.Socket, target []byte, connected bool, early string) {
	t.Helper()
	var off uint32
	if err := thread.IoctlSocket(s, spi.FIONBIO, &off); err != nil {
		t.Fatal(err)
	}
	name, length := make([]byte, 128), int32(128)
	err := thread.GetPeerName(s, name, &length)
	if !connected {
		if code(err) != spi.WSAENOTCONN {
			t.Errorf("getpeername: %v", err)
		}
		if _, err := thread.Send(s, []byte("x"), 0); code(err) != spi.WSAENOTCONN {
			t.Errorf("send: %v", err)
		}
		return
	}
	if err != nil || !bytes.Equal(name[:length], target) {
		t.Errorf("the peer is %s: %v", spi.AddressString(name[:length]), err)
	}
	if err := thread.Connect(s, target); code(err) != spi.WSAEISCONN {
		t.Errorf("connecting again: %v", err)
	}
	if _, err := thread.Send(s, []byte("ping"), 0); err != nil {
		t.Fatal(err)
	}
	want := early + "ping"
	got := make([]byte, 0, len(want))
	for len(got) < len(want) {
		n, err := thread.Recv(s, got[len(got):cap(got)], 0)
		if err != nil || n == 0 {
			t.Fatalf("after %q: %d %v", got, n, err)
		}
		got = got[:len(got)+n]
	}
	if string(got) != want {
		t.Errorf("received %q, want %q", got, want)
	}
}

// A socket whose connect has failed can connect again.
func TestAgainAfterFailure(t *testing.T) {
	var first atomic.Bool
	address := serve(t, func(c net.Conn) {
		if greet(c) != nil {
			return
		}
		if first.CompareAndSwap(true, false) {
			_, _ = c.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0})
			return
		}
		_, _ = c.Write(granted)
		_, _ = io.Copy(c, c)
	})
	for _, way := range ways {
		if strings.HasPrefix(way.name, "ConnectEx") {
			continue // which binds again
		}
		first.Store(true)
		dll, thread := layertest.Start(t, "kernel", socks("proxy="+address.String(), "pipeline=off"))
		s := layertest.Socket(t, thread, spi.SOCK_STREAM)
		target := spi.SockaddrFrom(netip.MustParseAddrPort("192.0.2.1:80"))
		if got := way.connect(t, dll, thread, s, target); got != spi.WSAECONNREFUSED {
			t.Fatalf("%s: %v", way.name, got)
		}
		if got := way.connect(t, dll, thread, s, target); got != 0 {
			t.Fatalf("%s, again: %v", way.name, got)
		}
		check(t, thread, s, target, true, "")
		_ = thread.CloseSocket(s)
	}
}

// While the handshake lasts nothing shows that the proxy is connected already;
// closing the socket ends it.
func TestNothingTooEarly(t *testing.T) {
	arrived := make(chan struct{}, 100)
	address := serve(t, func(c net.Conn) {
		if greet(c) == nil {
			_, _ = c.Write(granted[:4])
			arrived <- struct{}{}
			_, _ = io.Copy(io.Discard, c)
		}
	})
	_, thread := layertest.Start(t, "kernel", socks("proxy="+address.String(), "pipeline=off"))
	s := layertest.Socket(t, thread, spi.SOCK_STREAM)
	target := spi.SockaddrFrom(netip.MustParseAddrPort("192.0.2.1:80"))
	ev, _ := thread.WSACreateEvent()
	defer thread.WSACloseEvent(ev)
	if err := thread.WSAEventSelect(s, ev, spi.FD_CONNECT|spi.FD_READ|spi.FD_WRITE|spi.FD_CLOSE); err != nil {
		t.Fatal(err)
	}
	begin(t, thread, s, target)
	<-arrived
	r, w, x := spi.NewFDSet(s), spi.NewFDSet(s), spi.NewFDSet(s)
	if n, err := thread.Select(r, w, x, &spi.Timeval{Usec: 30_000}); n != 0 || err != nil {
		t.Errorf("select found %d: %v", n, err)
	}
	fds := []spi.PollFD{{FD: s, Events: spi.POLLWRNORM | spi.POLLRDNORM}}
	if n, err := thread.WSAPoll(fds, 30); n != 0 || err != nil {
		t.Errorf("poll found %d: %v", n, err)
	}
	if which, err := thread.WSAWaitForMultipleEvents([]spi.Event{ev}, false, 0, false); which != spi.WSA_WAIT_TIMEOUT {
		t.Errorf("the event: %d %v", which, err)
	}
	if e := soError(t, thread, s); e != 0 {
		t.Errorf("SO_ERROR %v", e)
	}
	if err := thread.Connect(s, target); code(err) != spi.WSAEALREADY {
		t.Errorf("connecting again: %v", err)
	}
	for what, err := range map[string]error{
		"recv":        second(thread.Recv(s, make([]byte, 1), 0)),
		"send":        second(thread.Send(s, []byte("x"), 0)),
		"shutdown":    thread.Shutdown(s, spi.SD_SEND),
		"getpeername": thread.GetPeerName(s, make([]byte, 128), new(int32)),
	} {
		if code(err) != spi.WSAENOTCONN {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := thread.CloseSocket(s); err != nil {
		t.Error(err)
	}
	// A ConnectEx that is cancelled, and one whose socket is closed.
	for _, end := range []func(s spi.Socket, ov *spi.Overlapped) error{
		func(s spi.Socket, ov *spi.Overlapped) error { return thread.CancelIoEx(s, ov) },
		func(s spi.Socket, _ *spi.Overlapped) error { return thread.CloseSocket(s) },
	} {
		s := layertest.Socket(t, thread, spi.SOCK_STREAM)
		if err := thread.Bind(s, layertest.Loopback()); err != nil {
			t.Fatal(err)
		}
		done, err := thread.WSACreateEvent()
		if err != nil {
			t.Fatal(err)
		}
		ov := &spi.Overlapped{HEvent: done}
		if err := thread.ConnectEx(s, target, []byte("data"), nil, ov); code(err) != spi.WSA_IO_PENDING {
			t.Fatal(err)
		}
		<-arrived
		if err := end(s, ov); err != nil {
			t.Error(err)
		}
		if which, err := thread.WSAWaitForMultipleEvents([]spi.Event{done}, false, 20_000, false); which != spi.WSA_WAIT_EVENT_0 {
			t.Fatalf("the event: %d %v", which, err)
		}
		if e := spi.Errno(ov.OffsetHigh); e != spi.WSA_OPERATION_ABORTED || ov.InProgress() {
			t.Errorf("it ended with %v", e)
		}
		_ = thread.CloseSocket(s)
		_ = thread.WSACloseEvent(done)
	}
	// A blocking connect in another thread.
	s = layertest.Socket(t, thread, spi.SOCK_STREAM)
	ended := make(chan error)
	go func() { ended <- thread.Connect(s, target) }()
	<-arrived
	if err := thread.CloseSocket(s); err != nil {
		t.Error(err)
	}
	if e := code(<-ended); e != spi.WSAEINTR && e != spi.WSAENOTSOCK {
		t.Errorf("the connect ended with %v", e)
	}
}

func second(_ int, err error) error { return err }

// ConnectEx sends its data once the handshake is over, and tells how much.
func TestConnectExData(t *testing.T) {
	address := dante(t)
	target := echo(t)
	_, thread := layertest.Start(t, "kernel", socks("proxy="+address))
	s := layertest.Socket(t, thread, spi.SOCK_STREAM)
	if err := thread.Bind(s, layertest.Loopback()); err != nil {
		t.Fatal(err)
	}
	ev, _ := thread.WSACreateEvent()
	defer thread.WSACloseEvent(ev)
	ov := &spi.Overlapped{HEvent: ev}
	if err := thread.ConnectEx(s, spi.SockaddrFrom(target), []byte("hello"), nil, ov); code(err) != spi.WSA_IO_PENDING {
		t.Fatal(err)
	}
	var n, flags uint32
	if err := thread.WSAGetOverlappedResult(s, ov, &n, true, &flags); err != nil || n != 5 {
		t.Fatalf("%d sent: %v", n, err)
	}
	if err := thread.SetSockOpt(s, spi.SOL_SOCKET, 0x7010, nil); err != nil {
		t.Error(err)
	}
	b := make([]byte, 5)
	if n, err := thread.Recv(s, b, 0); n != 5 || err != nil || string(b) != "hello" {
		t.Errorf("%q: %v", b[:n], err)
	}
	_ = thread.CloseSocket(s)
}

// A connect on a socket that has a connection changes nothing, and SO_RCVTIMEO is
// not about connecting.
func TestConnectWhenConnected(t *testing.T) {
	slow := serve(t, func(c net.Conn) {
		time.Sleep(30 * time.Millisecond)
		if greet(c) == nil {
			_, _ = c.Write(granted)
			_, _ = io.Copy(c, c)
		}
	})
	_, thread := layertest.Start(t, "kernel", socks("proxy="+slow.String(), "pipeline=off"))
	target := spi.SockaddrFrom(netip.MustParseAddrPort("192.0.2.1:80"))
	s := layertest.Socket(t, thread, spi.SOCK_STREAM)
	if err := thread.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_RCVTIMEO, []byte{5, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	if err := thread.Connect(s, target); err != nil {
		t.Fatal(err)
	}
	_ = thread.CloseSocket(s)

	l, address := layertest.Listen(t, thread)
	defer thread.CloseSocket(l)
	at, _ := spi.AddrPortFrom(address)
	client, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	accepted, err := thread.Accept(l, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer thread.CloseSocket(accepted)
	for _, nonblocking := range []uint32{0, 1} {
		if err := thread.IoctlSocket(accepted, spi.FIONBIO, &nonblocking); err != nil {
			t.Fatal(err)
		}
		if err := thread.Connect(accepted, target); code(err) != spi.WSAEISCONN {
			t.Errorf("connect: %v", err)
		}
	}
	if _, err := thread.Send(accepted, []byte("still\n"), 0); err != nil {
		t.Fatal(err)
	}
	_ = client.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 6)
	if _, err := io.ReadFull(client, b); err != nil || string(b) != "still\n" {
		t.Errorf("%q: %v", b, err)
	}
}
