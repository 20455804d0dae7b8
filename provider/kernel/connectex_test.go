//go:build linux

package kernel_test

import (
	"bytes"
	"testing"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

func boundStream(t testing.TB, th *ws2.Thread, f family) spi.Socket {
	t.Helper()
	s := stream(t, th, f)
	ok(t, th.Bind(s, f.any(t)))
	return s
}

// pending expects an operation that has begun, or succeeded at once.
func pending(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		want(t, err, spi.WSA_IO_PENDING)
	}
}

func TestConnectEx(t *testing.T) {
	eachIndicated(t, streams, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		l, name := listen(t, th, f)
		for _, data := range [][]byte{nil, []byte("hello"), bytes.Repeat([]byte("0123456789"), 500_000)} {
			c := boundStream(t, th, f)
			ov := by.begin(t, th, c)
			var sent uint32
			pending(t, th.ConnectEx(c, name, data, &sent, ov))
			a, err := th.Accept(l, nil, nil)
			ok(t, err)
			got := make(chan []byte, 1)
			go func() {
				b := make([]byte, len(data))
				var n, flags uint32 = 0, spi.MSG_WAITALL
				if len(data) > 0 {
					_ = th.WSARecv(a, []spi.Buf{spi.NewBuf(b)}, &n, &flags, nil, nil)
				}
				got <- b[:n]
			}()
			if n, err := by.end(t, th, c, ov); int(n) != len(data) || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
			if !bytes.Equal(<-got, data) {
				t.Error("the data differs")
			}
			ok(t, th.SetSockOpt(c, spi.SOL_SOCKET, spi.SO_UPDATE_CONNECT_CTX, nil))
			peer := make([]byte, spi.SizeofSockaddrStorage)
			n := int32(len(peer))
			ok(t, th.GetPeerName(c, peer, &n))
			if spi.AddressString(peer[:n]) != spi.AddressString(name) {
				t.Errorf("the peer is %s", spi.AddressString(peer[:n]))
			}
			want(t, th.ConnectEx(c, name, nil, &sent, new(spi.Overlapped)), spi.WSAEISCONN)
		}
	})
}

func TestConnectExFails(t *testing.T) {
	eachIndicated(t, internet, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		_, name := silent(t, th, f)
		c := boundStream(t, th, f)
		ov := by.begin(t, th, c)
		var sent uint32
		want(t, th.ConnectEx(c, name, []byte("data"), &sent, ov), spi.WSA_IO_PENDING)
		n, err := by.end(t, th, c, ov)
		want(t, err, spi.WSAECONNREFUSED)
		if n != 0 {
			t.Errorf("sent %d", n)
		}
	})
}

func TestConnectExRefuses(t *testing.T) {
	th := start(t)
	l, name := listen(t, th, ipv4)
	var sent uint32
	ov := new(spi.Overlapped)
	want(t, th.ConnectEx(stream(t, th, ipv4), name, nil, &sent, ov), spi.WSAEINVAL) // not bound
	want(t, th.ConnectEx(l, name, nil, &sent, ov), spi.WSAEINVAL)
	c := boundStream(t, th, ipv4)
	want(t, th.ConnectEx(c, name[:4], nil, &sent, ov), spi.WSAEFAULT)
	want(t, th.ConnectEx(c, addr("[::1]:9"), nil, &sent, ov), spi.WSAEAFNOSUPPORT)
	want(t, th.ConnectEx(c, addr("127.0.0.1:0"), nil, &sent, ov), spi.WSAEADDRNOTAVAIL)
	u, _ := udp(t, th, ipv4)
	want(t, th.ConnectEx(u, name, nil, &sent, ov), spi.WSAEOPNOTSUPP)
	want(t, th.SetSockOpt(c, spi.SOL_SOCKET, spi.SO_UPDATE_CONNECT_CTX, nil), spi.WSAENOTCONN)
}

// A disconnected socket is connected and accepts again, under the same handle
// and with its options; what was sent before arrives.
func TestDisconnectExReuse(t *testing.T) {
	eachIndicated(t, streams, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		l, name := listen(t, th, f)
		c, s := boundStream(t, th, f), stream(t, th, f)
		if f.af != spi.AF_UNIX {
			setInt(t, th, c, spi.IPPROTO_TCP, spi.TCP_NODELAY, 1)
		}
		for round := range 3 {
			aov := by.begin(t, th, l)
			startAcceptEx(t, th, l, s, 0, aov)
			cov := by.begin(t, th, c)
			var n uint32
			pending(t, th.ConnectEx(c, name, []byte("round"), &n, cov))
			_, err := by.end(t, th, c, cov)
			ok(t, err)
			_, err = by.end(t, th, l, aov)
			ok(t, err)
			rov, dov := by.begin(t, th, c), by.begin(t, th, c)
			startReceive(t, th, c, make([]byte, 1), rov)
			pending(t, th.DisconnectEx(c, dov, spi.TF_REUSE_SOCKET))
			_, err = by.end(t, th, c, dov)
			ok(t, err)
			_, err = by.end(t, th, c, rov)
			want(t, err, spi.WSAECONNABORTED)
			receive(t, th, s, "round")
			if got, err := th.Recv(s, make([]byte, 1), 0); got != 0 || err != nil {
				t.Errorf("round %d: the end: %d, %v", round, got, err)
			}
			if round == 1 {
				ok(t, th.DisconnectEx(s, nil, spi.TF_REUSE_SOCKET))
			} else {
				sov := by.begin(t, th, s)
				pending(t, th.DisconnectEx(s, sov, spi.TF_REUSE_SOCKET))
				_, err = by.end(t, th, s, sov)
				ok(t, err)
			}
			if f.af != spi.AF_UNIX && getInt(t, th, c, spi.IPPROTO_TCP, spi.TCP_NODELAY) != 1 {
				t.Error("TCP_NODELAY is lost")
			}
		}
	})
}

func TestDisconnectEx(t *testing.T) {
	eachIndicated(t, streams, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		c, a := pair(t, th, f)
		ov := by.begin(t, th, c)
		want(t, th.DisconnectEx(c, ov, 1), spi.WSAEINVAL)
		want(t, th.DisconnectEx(stream(t, th, f), ov, 0), spi.WSAENOTCONN)
		pending(t, th.DisconnectEx(c, ov, 0))
		_, err := by.end(t, th, c, ov)
		ok(t, err)
		if n, err := th.Recv(a, make([]byte, 1), 0); n != 0 || err != nil {
			t.Errorf("the end: %d, %v", n, err)
		}
		_, err = th.Send(c, []byte("x"), 0)
		want(t, err, spi.WSAESHUTDOWN)
	})
}

func TestCancelIo(t *testing.T) {
	eachIndicated(t, streams, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		bound := th.DLL().BindThread()
		defer bound.Unbind()
		c, a := pair(t, th, f)
		want(t, th.CancelIoEx(a, nil), spi.ERROR_NOT_FOUND)
		mine, others, third := by.begin(t, th, a), by.begin(t, th, a), by.begin(t, th, a)
		startReceive(t, bound, a, make([]byte, 4), mine)
		startReceive(t, th, a, make([]byte, 4), others)
		startReceive(t, th, a, make([]byte, 4), third)
		want(t, th.CancelIoEx(a, new(spi.Overlapped)), spi.ERROR_NOT_FOUND)
		want(t, th.CancelIoEx(c, mine), spi.ERROR_NOT_FOUND)
		aborted := func(ov *spi.Overlapped) {
			t.Helper()
			_, err := by.end(t, th, a, ov)
			want(t, err, spi.WSA_OPERATION_ABORTED)
		}
		ok(t, bound.CancelIo(a))
		aborted(mine)
		ok(t, th.CancelIoEx(a, others))
		aborted(others)
		send(t, th, c, "1234")
		if n, err := by.end(t, th, a, third); n != 4 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		startReceive(t, th, a, make([]byte, 4), third)
		ok(t, th.CancelIoEx(a, nil))
		aborted(third)

		// An extension function does not know its thread; its operations are
		// cancelled with those of the thread nevertheless.
		l, _ := listen(t, th, f)
		lov := by.begin(t, th, l)
		elsewhere := make(chan struct{})
		go func() { // this goroutine keeps its thread to itself
			defer close(elsewhere)
			startAcceptEx(t, th, l, stream(t, th, f), 0, lov)
		}()
		<-elsewhere
		ok(t, bound.CancelIo(l))
		if by.told(t, th, lov) {
			t.Error("another thread's operation is cancelled")
		}
		ok(t, th.CancelIoEx(l, lov))
		_, err := by.end(t, th, l, lov)
		want(t, err, spi.WSA_OPERATION_ABORTED)
		startAcceptEx(t, bound, l, stream(t, th, f), 0, lov)
		ok(t, bound.CancelIo(l))
		_, err = by.end(t, th, l, lov)
		want(t, err, spi.WSA_OPERATION_ABORTED)
	})
}

// What a thread has started ends with it, except on a socket with a port.
func TestThreadEnds(t *testing.T) {
	eachIndicated(t, streams, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		c, a := pair(t, th, f)
		ov := by.begin(t, th, a)
		func() {
			bound := th.DLL().BindThread()
			defer bound.Unbind()
			startReceive(t, bound, a, make([]byte, 4), ov)
		}()
		send(t, th, c, "data")
		n, err := by.end(t, th, a, ov)
		if by.name == "port" {
			if n != 4 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
			return
		}
		want(t, err, spi.WSA_OPERATION_ABORTED)
	})
}
