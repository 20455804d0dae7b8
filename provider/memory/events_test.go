package memory_test

import (
	"testing"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// watched is a socket with an event selection.
type watched struct {
	t  testing.TB
	th *ws2.Thread
	s  spi.Socket
	ev spi.Event
}

func watch(t testing.TB, th *ws2.Thread, s spi.Socket, mask int32) *watched {
	t.Helper()
	ev, err := th.WSACreateEvent()
	ok(t, err)
	t.Cleanup(func() { _ = th.WSACloseEvent(ev) })
	ok(t, th.WSAEventSelect(s, ev, mask))
	return &watched{t, th, s, ev}
}

// expect waits for the events in bits, one after the other, and for no others.
func (w *watched) expect(bits int32) (codes [spi.FDMaxEvents]int32) {
	w.t.Helper()
	var got int32
	for got != bits {
		awaitEvent(w.t, w.th, w.ev)
		var out spi.NetworkEvents
		ok(w.t, w.th.WSAEnumNetworkEvents(w.s, w.ev, &out))
		got |= out.NetworkEvents
		for i, code := range out.ErrorCode {
			if out.NetworkEvents&(1<<i) != 0 {
				codes[i] = code
			}
		}
		if got&^bits != 0 {
			w.t.Fatalf("events %#x, want %#x", got, bits)
		}
	}
	return codes
}

func (w *watched) nothing() {
	w.t.Helper()
	var out spi.NetworkEvents
	ok(w.t, w.th.WSAEnumNetworkEvents(w.s, w.ev, &out))
	if out.NetworkEvents != 0 {
		w.t.Errorf("events %#x, want none", out.NetworkEvents)
	}
}

func TestBehaviour080_SelectionMakesNonblocking(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		_, server := pair(t, th)
		w := watch(t, th, server, spi.FD_READ)
		_, err := th.Recv(server, make([]byte, 1), 0)
		want(t, err, spi.WSAEWOULDBLOCK)
		off := uint32(0)
		want(t, th.IoctlSocket(server, spi.FIONBIO, &off), spi.WSAEINVAL)
		ok(t, th.WSAEventSelect(server, w.ev, 0))
		ok(t, th.IoctlSocket(server, spi.FIONBIO, &off))
	})
}

func TestBehaviour081_MessagesNameTheClientsSocket(t *testing.T) {
	for name, layers := range stacks {
		t.Run(name, func(t *testing.T) {
			th := startedOver(t, layers, spi.Version22).BindThread()
			defer th.Unbind()
			client, server := pair(t, th)
			wnd, err := th.CreateWindow()
			ok(t, err)
			const msg = 0x401
			expect := func(s spi.Socket, event uint16, code spi.Errno) {
				t.Helper()
				m, err := th.GetMessage(wnd, 5000)
				ok(t, err)
				if w := uintptr(uint16(code))<<16 | uintptr(event); m.Message != msg || m.WParam != uintptr(s) || m.LParam != w {
					t.Errorf("message %#x socket %#x lParam %#x, want socket %#x lParam %#x", m.Message, m.WParam, m.LParam, s, w)
				}
			}
			ok(t, th.WSAAsyncSelect(server, wnd, msg, spi.FD_READ|spi.FD_CLOSE))
			send(t, th, client, "x")
			expect(server, spi.FD_READ, 0)
			recv(t, th, server)
			setLinger(t, th, client, 1, 0)
			ok(t, th.CloseSocket(client))
			expect(server, spi.FD_CLOSE, spi.WSAECONNRESET)

			l, name := listen(t, th)
			ok(t, th.WSAAsyncSelect(l, wnd, msg, spi.FD_ACCEPT|spi.FD_READ))
			client = tcp(t, th)
			ok(t, th.Connect(client, name))
			expect(l, spi.FD_ACCEPT, 0)
			accepted, err := th.Accept(l, nil, nil)
			ok(t, err)
			send(t, th, client, "x")
			expect(accepted, spi.FD_READ, 0) // inherited
			ok(t, th.CloseSocket(accepted))
			if m, more := th.PeekMessage(wnd, true); more {
				t.Errorf("message %+v after closesocket", m)
			}
			ok(t, th.WSAAsyncSelect(l, wnd, msg, 0))
			ok(t, th.Connect(tcp(t, th), name))
			if m, more := th.PeekMessage(wnd, true); more {
				t.Errorf("message %+v after the selection ended", m)
			}
			ok(t, th.DestroyWindow(wnd))
		})
	}
}

func TestBehaviour082_ReadComesBackWhenDataIsLeft(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		w := watch(t, th, server, spi.FD_READ)
		send(t, th, client, "abcdef")
		w.expect(spi.FD_READ)
		send(t, th, client, "g")
		w.nothing()
		_, err := th.Recv(server, make([]byte, 1), spi.MSG_PEEK)
		ok(t, err)
		w.expect(spi.FD_READ)
		_, err = th.Recv(server, make([]byte, 3), 0)
		ok(t, err)
		w.expect(spi.FD_READ)
		recv(t, th, server)
		w.nothing()
		_, err = th.Recv(server, make([]byte, 3), 0)
		want(t, err, spi.WSAEWOULDBLOCK)
		send(t, th, client, "h")
		w.expect(spi.FD_READ)
	})
}

func TestBehaviour083_AcceptAndWriteAreRearmed(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		l, name := listen(t, th)
		w := watch(t, th, l, spi.FD_ACCEPT)
		for range 2 {
			ok(t, th.Connect(tcp(t, th), name))
		}
		w.expect(spi.FD_ACCEPT)
		w.nothing()
		_, err := th.Accept(l, nil, nil)
		ok(t, err)
		w.expect(spi.FD_ACCEPT)
		_, err = th.Accept(l, nil, nil)
		ok(t, err)
		w.nothing()

		client, server := pair(t, th)
		w = watch(t, th, client, spi.FD_WRITE)
		w.expect(spi.FD_WRITE)
		send(t, th, client, "x")
		recv(t, th, server)
		w.nothing()
		for err == nil {
			_, err = th.Send(client, make([]byte, 1<<16), 0)
		}
		want(t, err, spi.WSAEWOULDBLOCK)
		w.nothing()
		nonblocking(t, th, server)
		for err = nil; err == nil; {
			_, err = th.Recv(server, make([]byte, 1<<16), 0)
		}
		w.expect(spi.FD_WRITE)
	})
}

func TestBehaviour085_WriteOnceAfterConnectAndAccept(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		l, name := listen(t, th)
		client := tcp(t, th)
		w := watch(t, th, client, spi.FD_WRITE|spi.FD_CONNECT)
		w.nothing()
		if err := th.Connect(client, name); err != nil {
			want(t, err, spi.WSAEWOULDBLOCK)
		}
		w.expect(spi.FD_WRITE | spi.FD_CONNECT)
		server, err := th.Accept(l, nil, nil)
		ok(t, err)
		w = watch(t, th, server, spi.FD_WRITE|spi.FD_CONNECT)
		w.expect(spi.FD_WRITE)
		w.nothing()
	})
}

func TestBehaviour086_ConnectEventCarriesTheOutcome(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client := tcp(t, th)
		w := watch(t, th, client, spi.FD_CONNECT)
		want(t, th.Connect(client, addr("127.0.0.1:9")), spi.WSAEWOULDBLOCK)
		if codes := w.expect(spi.FD_CONNECT); spi.Errno(codes[4]) != spi.WSAECONNREFUSED {
			t.Errorf("code %d", codes[4])
		}
		_, name := listen(t, th)
		if err := th.Connect(client, name); err != nil {
			want(t, err, spi.WSAEWOULDBLOCK)
		}
		if codes := w.expect(spi.FD_CONNECT); codes[4] != 0 {
			t.Errorf("code %d", codes[4])
		}
	})
}

func TestBehaviour087_CloseComesAfterTheData(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		w := watch(t, th, server, spi.FD_READ|spi.FD_CLOSE)
		send(t, th, client, "abc")
		ok(t, th.CloseSocket(client))
		w.expect(spi.FD_READ)
		_, err := th.Recv(server, make([]byte, 2), 0)
		ok(t, err)
		w.expect(spi.FD_READ)
		recv(t, th, server)
		if codes := w.expect(spi.FD_CLOSE); codes[5] != 0 {
			t.Errorf("code %d", codes[5])
		}
		recv(t, th, server)
		w.nothing()
	})
}

func TestBehaviour088_SelectingWhatHoldsAlready(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		send(t, th, client, "abc")
		watch(t, th, server, spi.FD_READ|spi.FD_WRITE).expect(spi.FD_READ | spi.FD_WRITE)
		watch(t, th, udp(t, th, "127.0.0.1:0"), spi.FD_READ|spi.FD_WRITE).expect(spi.FD_WRITE)
		ok(t, th.CloseSocket(server))
		watch(t, th, client, spi.FD_CLOSE).expect(spi.FD_CLOSE)
	})
}

func TestBehaviour089_ANewSelectionReplaces(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		first := watch(t, th, server, spi.FD_READ)
		second := watch(t, th, server, spi.FD_READ)
		send(t, th, client, "x")
		second.expect(spi.FD_READ)
		if isSet(t, th, first.ev) {
			t.Error("the replaced event is set")
		}
		ok(t, th.WSAEventSelect(server, second.ev, 0))
		recv(t, th, server)
		send(t, th, client, "y")
		second.nothing()
	})
}

func TestBehaviour093_AcceptedSocketsInherit(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		l, name := listen(t, th)
		w := watch(t, th, l, spi.FD_ACCEPT|spi.FD_READ)
		client := tcp(t, th)
		ok(t, th.Connect(client, name))
		w.expect(spi.FD_ACCEPT)
		server, err := th.Accept(l, nil, nil)
		ok(t, err)
		send(t, th, client, "x")
		(&watched{t, th, server, w.ev}).expect(spi.FD_READ)
		_, err = th.Recv(server, make([]byte, 2), 0)
		ok(t, err)
		_, err = th.Recv(server, make([]byte, 2), 0)
		want(t, err, spi.WSAEWOULDBLOCK)
	})
}

func TestBehaviour094_ADeferredHeadSilencesTheQueue(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		l, name := listen(t, th)
		w := watch(t, th, l, spi.FD_ACCEPT)
		ok(t, th.Connect(tcp(t, th), name))
		w.expect(spi.FD_ACCEPT)
		_, err := th.WSAAccept(l, nil, nil, func([]byte, *spi.Buf, *spi.QOS, *spi.QOS, []byte, *spi.Buf, *spi.Group, uintptr) int32 {
			return spi.CF_DEFER
		}, 0)
		want(t, err, spi.WSATRY_AGAIN)
		ok(t, th.Connect(tcp(t, th), name))
		w.nothing()
		_, err = th.Accept(l, nil, nil)
		ok(t, err)
		w.expect(spi.FD_ACCEPT)
	})
}
