package socks_test

import (
	"bytes"
	"errors"
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

// greet plays a SOCKS5 proxy up to where it has the request.
func greet(c net.Conn) error {
	b := make([]byte, 300)
	if _, err := io.ReadFull(c, b[:2]); err != nil {
		return err
	}
	if _, err := io.ReadFull(c, b[2:2+b[1]]); err != nil {
		return err
	}
	if _, err := c.Write([]byte{5, 0}); err != nil {
		return err
	}
	_, err := io.ReadFull(c, b[:10])
	return err
}

var granted = []byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}

// scripted is a proxy that answers each handshake by its kind in an unusual way,
// and then, if it grants the connection, sends back what it gets.
var scripted = []struct {
	name    string
	options []string
	handle  func(c net.Conn)
	early   string    // what the program must receive first
	want    spi.Errno // zero: it is connected
}{
	{name: "byte by byte", handle: func(c net.Conn) {
		if greet(c) == nil {
			for _, b := range granted {
				time.Sleep(time.Millisecond)
				_, _ = c.Write([]byte{b})
			}
			_, _ = io.Copy(c, c)
		}
	}},
	{name: "early data", early: "220 ready\r\n", handle: func(c net.Conn) {
		if greet(c) == nil {
			_, _ = c.Write(append(bytes.Clone(granted), "220 ready\r\n"...))
			_, _ = io.Copy(c, c)
		}
	}},
	{name: "an answer with a name", early: "x", handle: func(c net.Conn) {
		if greet(c) == nil {
			_, _ = c.Write([]byte{5, 0, 0, 3, 1, 'n', 0, 80, 'x'})
			_, _ = io.Copy(c, c)
		}
	}},
	{name: "an answer with an IPv6 address", early: "y", handle: func(c net.Conn) {
		if greet(c) == nil {
			_, _ = c.Write(append(append([]byte{5, 0, 0, 4}, make([]byte, 18)...), 'y'))
			_, _ = io.Copy(c, c)
		}
	}},
	{name: "closed at once", want: spi.WSAECONNRESET, handle: func(net.Conn) {}},
	{name: "closed after the greeting", want: spi.WSAECONNRESET, handle: func(c net.Conn) {
		b := make([]byte, 3)
		_, _ = io.ReadFull(c, b)
		_, _ = c.Write([]byte{5, 0})
	}},
	{name: "closed in the answer", want: spi.WSAECONNRESET, handle: func(c net.Conn) {
		if greet(c) == nil {
			_, _ = c.Write(granted[:6])
		}
	}},
	{name: "silent", options: []string{"timeout=150ms"}, want: spi.WSAETIMEDOUT, handle: func(c net.Conn) {
		_, _ = io.Copy(io.Discard, c)
	}},
	{name: "silent after the greeting", options: []string{"timeout=150ms"}, want: spi.WSAETIMEDOUT, handle: func(c net.Conn) {
		if greet(c) == nil {
			_, _ = io.Copy(io.Discard, c)
		}
	}},
	{name: "of another kind", want: spi.WSAECONNABORTED, handle: func(c net.Conn) {
		_, _ = io.WriteString(c, "SSH-2.0-sshd\r\n")
		_, _ = io.Copy(io.Discard, c)
	}},
	{name: "that wants a login", want: spi.WSAEACCES, handle: func(c net.Conn) {
		_, _ = io.ReadFull(c, make([]byte, 3))
		_, _ = c.Write([]byte{5, 0xff})
		_, _ = io.Copy(io.Discard, c)
	}},
	{name: "that refuses, in a short answer", want: spi.WSAEHOSTUNREACH, handle: func(c net.Conn) {
		if greet(c) == nil {
			_, _ = c.Write([]byte{5, 4, 0, 1})
		}
	}},
	{name: "socks4a with early data", options: []string{"type=socks4a", "user=anna"}, early: "z", handle: func(c net.Conn) {
		b := make([]byte, 13)
		if _, err := io.ReadFull(c, b); err == nil && string(b[8:]) == "anna\x00" {
			_, _ = c.Write([]byte{0, 90, 0, 0, 0, 0, 0, 0, 'z'})
			_, _ = io.Copy(c, c)
		}
	}},
	{name: "socks4a that refuses", options: []string{"type=socks4a"}, want: spi.WSAECONNREFUSED, handle: func(c net.Conn) {
		_, _ = io.ReadFull(c, make([]byte, 9))
		_, _ = c.Write([]byte{0, 91, 0, 0, 0, 0, 0, 0})
	}},
	{name: "http, byte by byte with early data", options: []string{"type=http"}, early: "\r\nfirst", handle: func(c net.Conn) {
		if readRequest(c) == nil {
			for _, b := range []byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nVia: x\r\n\r\n\r\nfirst") {
				time.Sleep(time.Millisecond)
				_, _ = c.Write([]byte{b})
			}
			_, _ = io.Copy(c, c)
		}
	}},
	{name: "http, all in one", options: []string{"type=http"}, early: "\n\nfirst", handle: func(c net.Conn) {
		if readRequest(c) == nil {
			_, _ = io.WriteString(c, "HTTP/1.0 200 fine\n\n\n\nfirst")
			_, _ = io.Copy(c, c)
		}
	}},
	{name: "http without an end", options: []string{"type=http"}, want: spi.WSAECONNABORTED, handle: func(c net.Conn) {
		if readRequest(c) == nil {
			_, _ = io.WriteString(c, "HTTP/1.0 200 fine\r\nX: "+strings.Repeat("x", 100_000))
			_, _ = io.Copy(io.Discard, c)
		}
	}},
	{name: "http 502", options: []string{"type=http"}, want: spi.WSAEHOSTUNREACH, handle: answer("502 Bad Gateway")},
	{name: "http 504", options: []string{"type=http"}, want: spi.WSAETIMEDOUT, handle: answer("504 Gateway Timeout")},
	{name: "http 403", options: []string{"type=http"}, want: spi.WSAEACCES, handle: answer("403 Forbidden")},
	{name: "http 503", options: []string{"type=http"}, want: spi.WSAECONNREFUSED, handle: answer("503 Service Unavailable")},
}

func readRequest(c net.Conn) error {
	var all []byte
	b := make([]byte, 1)
	for !bytes.HasSuffix(all, []byte("\r\n\r\n")) {
		if _, err := io.ReadFull(c, b); err != nil {
			return err
		}
		all = append(all, b[0])
	}
	return nil
}

func answer(status string) func(net.Conn) {
	return func(c net.Conn) {
		if readRequest(c) == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 "+status+"\r\nContent-Length: 4\r\n\r\nsad\n")
		}
	}
}

// ways are how a client connects and learns of the end. Each returns the code
// that it is told.
var ways = []struct {
	name    string
	mixed   bool // waits for sockets of both halves together
	connect func(t *testing.T, dll *ws2.DLL, thread *ws2.Thread, s spi.Socket, name []byte) spi.Errno
}{
	{"blocking", false, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread, s spi.Socket, name []byte) spi.Errno {
		return code(thread.Connect(s, name))
	}},
	{"select", false, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread, s spi.Socket, name []byte) spi.Errno {
		begin(t, thread, s, name)
		w, x := spi.NewFDSet(s), spi.NewFDSet(s)
		n, err := thread.Select(nil, w, x, &spi.Timeval{Sec: 20})
		if err != nil || n != 1 {
			t.Fatalf("select found %d: %v", n, err)
		}
		failed := len(x.Sockets()) == 1
		e := soError(t, thread, s)
		if failed != (e != 0) || soError(t, thread, s) != 0 {
			t.Errorf("select says failed: %v, SO_ERROR %v", failed, e)
		}
		return e
	}},
	{"select among others", true, func(t *testing.T, dll *ws2.DLL, thread *ws2.Thread, s spi.Socket, name []byte) spi.Errno {
		idle := layertest.Socket(t, thread, spi.SOCK_STREAM)
		if err := thread.Bind(idle, layertest.Loopback()); err != nil {
			t.Fatal(err)
		}
		if err := thread.Listen(idle, 1); err != nil {
			t.Fatal(err)
		}
		datagram := layertest.Socket(t, thread, spi.SOCK_DGRAM)
		if err := thread.Bind(datagram, layertest.Loopback()); err != nil {
			t.Fatal(err)
		}
		begin(t, thread, s, name)
		r, w, x := spi.NewFDSet(idle, datagram), spi.NewFDSet(s), spi.NewFDSet(s)
		n, err := thread.Select(r, w, x, &spi.Timeval{Sec: 20})
		if err != nil || n != 1 || len(r.Sockets()) != 0 {
			t.Fatalf("select found %d: %v", n, err)
		}
		_ = thread.CloseSocket(idle)
		_ = thread.CloseSocket(datagram)
		return soError(t, thread, s)
	}},
	{"poll", true, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread, s spi.Socket, name []byte) spi.Errno {
		datagram := layertest.Socket(t, thread, spi.SOCK_DGRAM)
		defer thread.CloseSocket(datagram)
		begin(t, thread, s, name)
		fds := []spi.PollFD{{FD: s, Events: spi.POLLWRNORM}, {FD: spi.InvalidSocket}, {FD: datagram, Events: spi.POLLRDNORM}}
		n, err := thread.WSAPoll(fds, 20_000)
		if err != nil || n != 1 || fds[0].Revents&spi.POLLWRNORM == 0 {
			t.Fatalf("poll found %d: %+v %v", n, fds, err)
		}
		e := soError(t, thread, s)
		if failed := fds[0].Revents&spi.POLLERR != 0; failed != (e != 0) {
			t.Errorf("poll says failed: %v, SO_ERROR %v", failed, e)
		}
		return e
	}},
	{"events chosen before", false, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread, s spi.Socket, name []byte) spi.Errno {
		return byEvent(t, thread, s, name, true)
	}},
	{"events chosen after", false, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread, s spi.Socket, name []byte) spi.Errno {
		return byEvent(t, thread, s, name, false)
	}},
	{"ConnectEx", false, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread, s spi.Socket, name []byte) spi.Errno {
		return connectEx(t, thread, s, name, nil)
	}},
	{"ConnectEx with a port", false, func(t *testing.T, dll *ws2.DLL, thread *ws2.Thread, s spi.Socket, name []byte) spi.Errno {
		return connectEx(t, thread, s, name, dll)
	}},
}

func code(err error) spi.Errno {
	var e spi.Errno
	if err != nil && !errors.As(err, &e) {
		return spi.NoErrorCode
	}
	return e
}

// begin starts a nonblocking connect. Nothing may be seen of the connection with
// the proxy.
func begin(t *testing.T, thread *ws2.Thread, s spi.Socket, name []byte) {
	t.Helper()
	on := uint32(1)
	if err := thread.IoctlSocket(s, spi.FIONBIO, &on); err != nil {
		t.Fatal(err)
	}
	if err := thread.Connect(s, name); code(err) != spi.WSAEWOULDBLOCK {
		t.Fatalf("connect: %v", err)
	}
}

func soError(t *testing.T, thread *ws2.Thread, s spi.Socket) spi.Errno {
	t.Helper()
	var val [4]byte
	length := int32(4)
	if err := thread.GetSockOpt(s, spi.SOL_SOCKET, spi.SO_ERROR, val[:], &length); err != nil {
		t.Fatal(err)
	}
	return spi.Errno(uint32(val[0]) | uint32(val[1])<<8)
}

func byEvent(t *testing.T, thread *ws2.Thread, s spi.Socket, name []byte, before bool) spi.Errno {
	ev, err := thread.WSACreateEvent()
	if err != nil {
		t.Fatal(err)
	}
	defer thread.WSACloseEvent(ev)
	choose := func() {
		if err := thread.WSAEventSelect(s, ev, spi.FD_CONNECT|spi.FD_WRITE); err != nil {
			t.Fatal(err)
		}
	}
	if before {
		choose()
	}
	begin(t, thread, s, name)
	if !before {
		choose()
	}
	var all int32
	var e spi.Errno
	for all&spi.FD_CONNECT == 0 || e == 0 && all&spi.FD_WRITE == 0 {
		if which, err := thread.WSAWaitForMultipleEvents([]spi.Event{ev}, false, 20_000, false); err != nil || which != spi.WSA_WAIT_EVENT_0 {
			t.Fatalf("the event, after %#x: %d %v", all, which, err)
		}
		var out spi.NetworkEvents
		if err := thread.WSAEnumNetworkEvents(s, ev, &out); err != nil {
			t.Fatal(err)
		}
		all |= out.NetworkEvents
		if out.NetworkEvents&spi.FD_CONNECT != 0 {
			e = spi.Errno(out.ErrorCode[4])
		}
	}
	if e != 0 && all&spi.FD_WRITE != 0 {
		t.Errorf("events %#x with %v", all, e)
	}
	if err := thread.WSAEventSelect(s, 0, 0); err != nil {
		t.Error(err)
	}
	return e
}

func connectEx(t *testing.T, thread *ws2.Thread, s spi.Socket, name []byte, dll *ws2.DLL) spi.Errno {
	if err := thread.Bind(s, layertest.Loopback()); err != nil {
		t.Fatal(err)
	}
	ov := &spi.Overlapped{}
	if dll == nil {
		ev, err := thread.WSACreateEvent()
		if err != nil {
			t.Fatal(err)
		}
		defer thread.WSACloseEvent(ev)
		ov.HEvent = ev
		if err := thread.ConnectEx(s, name, nil, nil, ov); code(err) != spi.WSA_IO_PENDING {
			t.Fatal(err)
		}
	} else {
		port, err := dll.CreateIoCompletionPort(0)
		if err != nil {
			t.Fatal(err)
		}
		defer dll.CloseCompletionPort(port)
		if err := dll.AssociateCompletionPort(s, port, 7); err != nil {
			t.Fatal(err)
		}
		if err := thread.ConnectEx(s, name, nil, nil, ov); code(err) != spi.WSA_IO_PENDING {
			t.Fatal(err)
		}
		packet, err := thread.GetQueuedCompletionStatus(port, 20_000)
		if packet.Overlapped != ov || packet.Key != 7 {
			t.Fatalf("the packet is %+v: %v", packet, err)
		}
	}
	var n, flags uint32
	return code(thread.WSAGetOverlappedResult(s, ov, &n, true, &flags))
}

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
