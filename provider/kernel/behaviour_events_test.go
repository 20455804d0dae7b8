//go:build linux

package kernel_test

import (
	"testing"

	"upcall.dev/catalog"
	_ "upcall.dev/provider/memory"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// window returns a thread with a window, and its messages.
func window(t testing.TB, th *ws2.Thread) (wnd spi.HWND, message func(s spi.Socket, event uintptr)) {
	t.Helper()
	bound := th.DLL().BindThread()
	t.Cleanup(bound.Unbind)
	wnd, err := bound.CreateWindow()
	ok(t, err)
	t.Cleanup(func() { _ = bound.DestroyWindow(wnd) })
	return wnd, func(s spi.Socket, event uintptr) {
		t.Helper()
		m, err := bound.GetMessage(wnd, uint32(wait.Milliseconds()))
		if event == 0 { // none
			want(t, err, spi.WAIT_TIMEOUT)
			return
		}
		ok(t, err)
		if m.Message != 1234 || spi.Socket(m.WParam) != s || m.LParam != event {
			t.Errorf("message %+v, want one for socket %v with lParam %#x", m, s, event)
		}
	}
}

// FD_OOB is like FD_READ; FD_CONNECT and FD_CLOSE come once.
func TestBehaviour083_UrgentDataAndOnceOnly(t *testing.T) {
	each(t, internet, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		ev := newEvent(t, th)
		ok(t, th.WSAEventSelect(a, ev, spi.FD_OOB))
		urgent := func() {
			_, err := th.Send(c, []byte("!"), spi.MSG_OOB)
			ok(t, err)
		}
		urgent()
		next(t, th, a, ev, spi.FD_OOB)
		ready(t, th, a, 'e')
		quiet(t, th, a, "without a receiving call")
		_, err := th.Recv(a, make([]byte, 1), spi.MSG_OOB)
		ok(t, err)
		quiet(t, th, a, "after the urgent data was received")
		urgent()
		next(t, th, a, ev, spi.FD_OOB)

		l, name := listen(t, th, f)
		again := stream(t, th, f)
		ok(t, th.WSAEventSelect(again, ev, spi.FD_CONNECT|spi.FD_CLOSE))
		want(t, th.Connect(again, name), spi.WSAEWOULDBLOCK)
		next(t, th, again, ev, spi.FD_CONNECT)
		want(t, th.Connect(again, name), spi.WSAEISCONN)
		b, err := th.Accept(l, nil, nil)
		ok(t, err)
		send(t, th, again, "x")
		receive(t, th, b, "x")
		quiet(t, th, again, "after FD_CONNECT")
		ok(t, th.CloseSocket(b))
		next(t, th, again, ev, spi.FD_CLOSE)
		if n, err := th.Recv(again, make([]byte, 1), 0); n != 0 || err != nil {
			t.Errorf("at the end of the stream: %d, %v", n, err)
		}
		_, _ = th.Send(again, []byte("x"), 0)
		quiet(t, th, again, "after FD_CLOSE")
	})
}

// A selection is told at once what already holds, by event and by message.
func TestBehaviour088_SelectionTellsWhatHolds(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		send(t, th, c, "x")
		ready(t, th, a, 'r')
		ev := newEvent(t, th)
		ok(t, th.WSAEventSelect(a, ev, spi.FD_READ))
		i, err := th.WSAWaitForMultipleEvents([]spi.Event{ev}, false, 0, false)
		ok(t, err)
		if i != spi.WSA_WAIT_EVENT_0 {
			t.Error("the event is not set when the selection returns")
		}
		next(t, th, a, ev, spi.FD_READ)
		wnd, message := window(t, th)
		ok(t, th.WSAAsyncSelect(a, wnd, 1234, spi.FD_READ))
		message(a, spi.FD_READ)

		l, name := listen(t, th, f)
		ok(t, th.Connect(stream(t, th, f), name))
		ready(t, th, l, 'r')
		ok(t, th.WSAEventSelect(l, ev, spi.FD_ACCEPT))
		next(t, th, l, ev, spi.FD_ACCEPT)

		ok(t, th.CloseSocket(c))
		ready(t, th, a, 'r')
		receive(t, th, a, "x")
		ok(t, th.WSAEventSelect(a, ev, spi.FD_CLOSE))
		next(t, th, a, ev, spi.FD_CLOSE)
	})
}

// No message and no event after closesocket; a duplicate keeps the selection by
// event.
func TestBehaviour090_NothingAfterClose(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		wnd, message := window(t, th)
		ev := newEvent(t, th)
		c, a := pair(t, th, f)
		other, peer := pair(t, th, f)
		ok(t, th.WSAAsyncSelect(a, wnd, 1234, spi.FD_READ|spi.FD_CLOSE))
		ok(t, th.CloseSocket(a))
		_, _ = th.Send(c, []byte("x"), 0)

		// What comes next is another socket's, though that is told later.
		ok(t, th.WSAAsyncSelect(peer, wnd, 1234, spi.FD_READ))
		send(t, th, other, "x")
		message(peer, spi.FD_READ)

		ok(t, th.WSAEventSelect(peer, ev, spi.FD_READ|spi.FD_CLOSE))
		next(t, th, peer, ev, spi.FD_READ)
		ok(t, th.CloseSocket(peer))
		_, _ = th.Send(other, []byte("x"), 0)
		ready(t, th, other, 'r')
		i, err := th.WSAWaitForMultipleEvents([]spi.Event{ev}, false, 0, false)
		ok(t, err)
		if i != spi.WSA_WAIT_TIMEOUT {
			t.Error("the event was set after closesocket")
		}
	})
}

// WSAEnumNetworkEvents clears the record and the event in one step, and leaves
// the error codes of other events alone.
func TestBehaviour091_EnumClears(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		ev := newEvent(t, th)
		ok(t, th.WSAEventSelect(a, ev, spi.FD_READ|spi.FD_WRITE))
		send(t, th, c, "x")
		ready(t, th, a, 'r')
		var out spi.NetworkEvents
		for i := range out.ErrorCode {
			out.ErrorCode[i] = 77
		}
		seen := int32(0)
		for range 1000 {
			signalledKeep(t, th, ev)
			ok(t, th.WSAEnumNetworkEvents(a, ev, &out))
			if seen |= out.NetworkEvents; seen == spi.FD_READ|spi.FD_WRITE {
				break
			}
		}
		if seen != spi.FD_READ|spi.FD_WRITE {
			t.Errorf("events %#x", seen)
		}
		for i, code := range out.ErrorCode {
			if wanted := map[bool]int32{true: 0, false: 77}[i < 2]; code != wanted {
				t.Errorf("error code %d is %d, want %d", i, code, wanted)
			}
		}
		i, err := th.WSAWaitForMultipleEvents([]spi.Event{ev}, false, 0, false)
		ok(t, err)
		if i != spi.WSA_WAIT_TIMEOUT {
			t.Error("the event is still set")
		}
		quiet(t, th, a, "the second time")
	})
}

// signalledKeep waits for an event and leaves it set.
func signalledKeep(t testing.TB, th *ws2.Thread, ev spi.Event) {
	t.Helper()
	i, err := th.WSAWaitForMultipleEvents([]spi.Event{ev}, false, uint32(wait.Milliseconds()), false)
	ok(t, err)
	if i != spi.WSA_WAIT_EVENT_0 {
		t.Fatal("the event was not set")
	}
}

func TestBehaviour092_FailingEnumKeepsTheRecord(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		ev := newEvent(t, th)
		ok(t, th.WSAEventSelect(a, ev, spi.FD_READ))
		send(t, th, c, "x")
		signalledKeep(t, th, ev)
		var out spi.NetworkEvents
		want(t, th.WSAEnumNetworkEvents(a, spi.Event(0xdeadbeef00), &out), spi.WSAEINVAL)
		want(t, th.WSAEnumNetworkEvents(a, ev, nil), spi.WSAEFAULT)
		if out != (spi.NetworkEvents{}) {
			t.Errorf("a failing call stored %+v", out)
		}
		signalledKeep(t, th, ev)
		ok(t, th.WSAEnumNetworkEvents(a, ev, &out))
		if out.NetworkEvents != spi.FD_READ {
			t.Errorf("events %#x", out.NetworkEvents)
		}
	})
}

// An accepted socket has the listening one's event or window, its mask and its
// mode; selecting again loses nothing.
func TestBehaviour093_AcceptedInheritsSelection(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		wnd, message := window(t, th)
		l, name := listen(t, th, f)
		const mask = spi.FD_ACCEPT | spi.FD_READ | spi.FD_CLOSE
		accept := func(told func()) (c, a spi.Socket) {
			c = stream(t, th, f)
			ok(t, th.Connect(c, name))
			send(t, th, c, "early")
			told()
			a, err := th.Accept(l, nil, nil)
			ok(t, err)
			return c, a
		}
		ok(t, th.WSAAsyncSelect(l, wnd, 1234, mask))
		c, a := accept(func() { message(l, spi.FD_ACCEPT) })
		message(a, spi.FD_READ)
		_, err := th.Recv(a, make([]byte, 5), 0)
		ok(t, err)
		_, err = th.Recv(a, make([]byte, 5), 0)
		want(t, err, spi.WSAEWOULDBLOCK)
		ok(t, th.CloseSocket(c))
		message(a, spi.FD_CLOSE)

		ev, own := newEvent(t, th), newEvent(t, th)
		ok(t, th.WSAEventSelect(l, ev, mask))
		c, a = accept(func() { next(t, th, l, ev, spi.FD_ACCEPT) })
		next(t, th, a, ev, spi.FD_READ)
		ok(t, th.WSAEventSelect(a, own, spi.FD_READ|spi.FD_CLOSE))
		next(t, th, a, own, spi.FD_READ) // what came before is told again
		_, err = th.Recv(a, make([]byte, 5), 0)
		ok(t, err)
		ok(t, th.CloseSocket(c))
		next(t, th, a, own, spi.FD_CLOSE)
		ok(t, th.WSAEventSelect(l, 0, 0))
		_, a = accept(func() { ready(t, th, l, 'r') })
		quiet(t, th, a, "accepted where nothing is selected")
	})
}

// Sockets of two providers in one select.
func TestBehaviour097_SelectAcrossProviders(t *testing.T) {
	th := startCatalog(t, catalog.Default())
	own := stream(t, th, ipv4)
	c := catalog.Default()
	other := int32(-1)
	for _, e := range c.Entries() {
		if e.Path == "go:memory" && e.SocketType == spi.SOCK_STREAM && e.AddressFamily == spi.AF_INET {
			info := e.ProtocolInfo
			s, err := th.WSASocket(0, 0, 0, &info, 0, 0)
			ok(t, err)
			_, err = th.Select(spi.NewFDSet(own), spi.NewFDSet(s), nil, &spi.Timeval{})
			want(t, err, spi.WSAEINVAL)
			_, err = th.WSAPoll([]spi.PollFD{{FD: own}, {FD: s}}, 0)
			want(t, err, spi.WSAEINVAL)
			ok(t, th.CloseSocket(s))
			other = e.AddressFamily
		}
	}
	if other < 0 {
		t.Fatal("the catalog has no other provider")
	}
}
