//go:build linux

package kernel_test

import (
	"math/rand/v2"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

func newEvent(t testing.TB, th *ws2.Thread) spi.Event {
	t.Helper()
	ev, err := th.WSACreateEvent()
	ok(t, err)
	t.Cleanup(func() { _ = th.WSACloseEvent(ev) })
	return ev
}

// next waits until an event in mask is recorded, collecting others on the way,
// and returns what was recorded with the error codes.
func next(t testing.TB, th *ws2.Thread, s spi.Socket, ev spi.Event, mask int32) spi.NetworkEvents {
	t.Helper()
	var all spi.NetworkEvents
	for range 100 {
		i, err := th.WSAWaitForMultipleEvents([]spi.Event{ev}, false, uint32(wait.Milliseconds()), false)
		ok(t, err)
		if i != spi.WSA_WAIT_EVENT_0 {
			t.Fatalf("no event of %#x; so far %#x", mask, all.NetworkEvents)
		}
		var now spi.NetworkEvents
		ok(t, th.WSAEnumNetworkEvents(s, ev, &now))
		for bit := range now.ErrorCode {
			if now.NetworkEvents&(1<<bit) != 0 {
				all.ErrorCode[bit] = now.ErrorCode[bit]
			}
		}
		all.NetworkEvents |= now.NetworkEvents
		if all.NetworkEvents&mask == mask {
			return all
		}
	}
	t.Fatalf("no event of %#x; so far %#x", mask, all.NetworkEvents)
	return all
}

// quiet fails when an event is recorded by now. What may come has come: the
// caller has made sure by select.
func quiet(t testing.TB, th *ws2.Thread, s spi.Socket, why string) {
	t.Helper()
	var now spi.NetworkEvents
	ok(t, th.WSAEnumNetworkEvents(s, 0, &now))
	if now.NetworkEvents != 0 {
		t.Errorf("%s: events %#x", why, now.NetworkEvents)
	}
}

const allEvents = spi.FD_READ | spi.FD_WRITE | spi.FD_OOB | spi.FD_ACCEPT | spi.FD_CONNECT | spi.FD_CLOSE

func TestBehaviour080_SelectionMakesNonblocking(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, _ := pair(t, th, f)
		ev := newEvent(t, th)
		ok(t, th.WSAEventSelect(c, ev, spi.FD_READ))
		_, err := th.Recv(c, make([]byte, 1), 0)
		want(t, err, spi.WSAEWOULDBLOCK)
		var off uint32
		want(t, th.IoctlSocket(c, spi.FIONBIO, &off), spi.WSAEINVAL)
		ok(t, th.WSAEventSelect(c, 0, 0))
		ok(t, th.IoctlSocket(c, spi.FIONBIO, &off))
		want(t, th.WSAEventSelect(c, ev, 0x10000), spi.WSAEINVAL)
		want(t, th.WSAEventSelect(c, spi.Event(0xdeadbeef), spi.FD_READ), spi.WSAEINVAL)
	})
}

func TestBehaviour082_ReadIsEnabledByReceiving(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		ev := newEvent(t, th)
		ok(t, th.WSAEventSelect(a, ev, spi.FD_READ))
		quiet(t, th, a, "before any data")
		send(t, th, c, "abc")
		next(t, th, a, ev, spi.FD_READ)
		send(t, th, c, "def")
		ready(t, th, a, 'r')
		quiet(t, th, a, "more data without a receiving call")
		b := make([]byte, 1)
		_, err := th.Recv(a, b, spi.MSG_PEEK)
		ok(t, err)
		next(t, th, a, ev, spi.FD_READ) // data is left
		for range 6 {
			_, err = th.Recv(a, b, 0)
			ok(t, err)
		}
		var now spi.NetworkEvents
		ok(t, th.WSAEnumNetworkEvents(a, ev, &now))
		_, err = th.Recv(a, b, 0)
		want(t, err, spi.WSAEWOULDBLOCK)
		quiet(t, th, a, "after everything was received")
		send(t, th, c, "g")
		next(t, th, a, ev, spi.FD_READ)
	})
}

func TestBehaviour083_WriteAfterWouldBlock(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		ev := newEvent(t, th)
		ok(t, th.WSAEventSelect(c, ev, spi.FD_WRITE))
		next(t, th, c, ev, spi.FD_WRITE) // it already holds: behaviour 88
		total := 0
		for {
			n, err := th.Send(c, make([]byte, 1<<16), 0)
			if err != nil {
				want(t, err, spi.WSAEWOULDBLOCK)
				break
			}
			total += n
		}
		quiet(t, th, c, "with full buffers")
		for total > 0 {
			n, err := th.Recv(a, make([]byte, 1<<18), 0)
			ok(t, err)
			total -= n
		}
		next(t, th, c, ev, spi.FD_WRITE)
		send(t, th, c, "fits")
		quiet(t, th, c, "after a send that succeeded")
	})
}

func TestBehaviour085_AcceptAndConnect(t *testing.T) {
	each(t, internet, func(t *testing.T, th *ws2.Thread, f family) {
		l, name := listen(t, th, f)
		lev, cev := newEvent(t, th), newEvent(t, th)
		ok(t, th.WSAEventSelect(l, lev, allEvents))
		c := stream(t, th, f)
		ok(t, th.WSAEventSelect(c, cev, allEvents))
		quiet(t, th, c, "before connecting")
		want(t, th.Connect(c, name), spi.WSAEWOULDBLOCK)
		got := next(t, th, c, cev, spi.FD_CONNECT|spi.FD_WRITE)
		if got.ErrorCode[4] != 0 {
			t.Errorf("FD_CONNECT with error %d", got.ErrorCode[4])
		}
		next(t, th, l, lev, spi.FD_ACCEPT)
		quiet(t, th, l, "before accepting")
		second := stream(t, th, f)
		ok(t, th.Connect(second, name))
		ready(t, th, l, 'r')
		quiet(t, th, l, "a second connection before accepting the first")
		a, err := th.Accept(l, nil, nil)
		ok(t, err)
		next(t, th, l, lev, spi.FD_ACCEPT)

		// Behaviour 93: the accepted socket has the same event and mask.
		var now spi.NetworkEvents
		ok(t, th.WSAEnumNetworkEvents(a, lev, &now))
		if now.NetworkEvents&spi.FD_WRITE == 0 {
			t.Errorf("the accepted socket has events %#x", now.NetworkEvents)
		}
		send(t, th, c, "x")
		next(t, th, a, lev, spi.FD_READ)
	})
}

func TestBehaviour086_ConnectFailure(t *testing.T) {
	each(t, internet, func(t *testing.T, th *ws2.Thread, f family) {
		l, name := silent(t, th, f)
		c := stream(t, th, f)
		ev := newEvent(t, th)
		ok(t, th.WSAEventSelect(c, ev, allEvents))
		want(t, th.Connect(c, name), spi.WSAEWOULDBLOCK)
		got := next(t, th, c, ev, spi.FD_CONNECT)
		if got.NetworkEvents != spi.FD_CONNECT || got.ErrorCode[4] != int32(spi.WSAECONNREFUSED) {
			t.Errorf("events %#x, error %d", got.NetworkEvents, got.ErrorCode[4])
		}
		if e := spi.Errno(getInt(t, th, c, spi.SOL_SOCKET, spi.SO_ERROR)); e != spi.WSAECONNREFUSED {
			t.Errorf("SO_ERROR is %v", e)
		}
		ok(t, th.Listen(l, 1))
		want(t, th.Connect(c, name), spi.WSAEWOULDBLOCK)
		got = next(t, th, c, ev, spi.FD_CONNECT|spi.FD_WRITE)
		if got.ErrorCode[4] != 0 {
			t.Errorf("FD_CONNECT with error %d", got.ErrorCode[4])
		}
	})
}

func TestBehaviour087_Close(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		t.Run("graceful", func(t *testing.T) {
			c, a := pair(t, th, f)
			ev := newEvent(t, th)
			ok(t, th.WSAEventSelect(a, ev, spi.FD_READ|spi.FD_CLOSE))
			send(t, th, c, "last")
			ok(t, th.CloseSocket(c))
			got := next(t, th, a, ev, spi.FD_READ)
			if got.NetworkEvents&spi.FD_CLOSE != 0 {
				t.Error("FD_CLOSE before all data was received")
			}
			quiet(t, th, a, "while data is left")
			receive(t, th, a, "last")
			got = next(t, th, a, ev, spi.FD_CLOSE)
			if got.NetworkEvents != spi.FD_CLOSE || got.ErrorCode[5] != 0 {
				t.Errorf("events %#x, error %d", got.NetworkEvents, got.ErrorCode[5])
			}
			_, _ = th.Recv(a, make([]byte, 1), 0)
			quiet(t, th, a, "after FD_CLOSE")
		})
		if f.af == spi.AF_UNIX {
			return
		}
		t.Run("reset", func(t *testing.T) {
			c, a := pair(t, th, f)
			ev := newEvent(t, th)
			ok(t, th.WSAEventSelect(a, ev, spi.FD_READ|spi.FD_CLOSE))
			setLinger(t, th, c, spi.Linger{OnOff: 1})
			ok(t, th.CloseSocket(c))
			got := next(t, th, a, ev, spi.FD_CLOSE)
			if got.NetworkEvents != spi.FD_CLOSE || got.ErrorCode[5] != int32(spi.WSAECONNRESET) {
				t.Errorf("events %#x, error %d", got.NetworkEvents, got.ErrorCode[5])
			}
			_, err := th.Recv(a, make([]byte, 1), 0)
			want(t, err, spi.WSAECONNRESET)
		})
	})
}

func TestBehaviour089_SelectionIsReplaced(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		first, second := newEvent(t, th), newEvent(t, th)
		send(t, th, c, "x")
		ready(t, th, a, 'r')
		ok(t, th.WSAEventSelect(a, first, spi.FD_READ))
		ok(t, th.WSAEventSelect(a, second, spi.FD_WRITE)) // clears the record
		got := next(t, th, a, second, spi.FD_WRITE)
		if got.NetworkEvents != spi.FD_WRITE {
			t.Errorf("events %#x", got.NetworkEvents)
		}
		ok(t, th.WSAEventSelect(a, 0, 0))
		ok(t, th.WSAResetEvent(first))
		ok(t, th.WSAResetEvent(second))
		receive(t, th, a, "x")
		send(t, th, c, "y")
		ready(t, th, a, 'r')
		i, err := th.WSAWaitForMultipleEvents([]spi.Event{first, second}, false, 0, false)
		ok(t, err)
		if i != spi.WSA_WAIT_TIMEOUT {
			t.Error("an event of a selection that has ended")
		}
	})
}

func TestBehaviour081_Messages(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		bound := th.DLL().BindThread()
		defer bound.Unbind()
		wnd, err := bound.CreateWindow()
		ok(t, err)
		defer func() { _ = bound.DestroyWindow(wnd) }()
		c, a := pair(t, th, f)
		ok(t, th.WSAAsyncSelect(a, wnd, 1234, spi.FD_READ|spi.FD_CLOSE))
		send(t, th, c, "x")
		message := func(want uintptr) {
			t.Helper()
			m, err := bound.GetMessage(wnd, uint32(wait.Milliseconds()))
			ok(t, err)
			if m.Message != 1234 || spi.Socket(m.WParam) != a || m.LParam != want {
				t.Errorf("message %+v, want lParam %#x", m, want)
			}
		}
		message(spi.FD_READ)
		receive(t, th, a, "x")
		ok(t, th.CloseSocket(c))
		message(spi.FD_CLOSE)
		ok(t, th.CloseSocket(a))
	})
}

func TestBehaviour094_DeferredHead(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		l, name := listen(t, th, f)
		ev := newEvent(t, th)
		ok(t, th.WSAEventSelect(l, ev, spi.FD_ACCEPT))
		ok(t, th.Connect(stream(t, th, f), name))
		next(t, th, l, ev, spi.FD_ACCEPT)
		_, err := th.WSAAccept(l, nil, nil, func([]byte, *spi.Buf, *spi.QOS, *spi.QOS, []byte, *spi.Buf, *spi.Group, uintptr) int32 {
			return spi.CF_DEFER
		}, 0)
		want(t, err, spi.WSATRY_AGAIN)
		ok(t, th.Connect(stream(t, th, f), name))
		ready(t, th, l, 'r')
		quiet(t, th, l, "with a deferred head")
		_, err = th.Accept(l, nil, nil)
		ok(t, err)
		next(t, th, l, ev, spi.FD_ACCEPT)
	})
}

// A duplicate goes on with the selection when the handle that made it closes.
func TestSelectionOutlivesHandle(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		ev := newEvent(t, th)
		ok(t, th.WSAEventSelect(a, ev, spi.FD_READ))
		var info spi.ProtocolInfo
		ok(t, th.WSADuplicateSocket(a, uint32(os.Getpid()), &info))
		dup, err := th.WSASocket(0, 0, 0, &info, 0, 0)
		ok(t, err)
		ok(t, th.CloseSocket(a))
		send(t, th, c, "x")
		next(t, th, dup, ev, spi.FD_READ)
	})
}

// Datagrams: each receiving call enables the next event, also when one arrives
// in between.
func TestDatagramEvents(t *testing.T) {
	each(t, datagrams, func(t *testing.T, th *ws2.Thread, f family) {
		r, name := udp(t, th, f)
		s := socket(t, th, f, spi.SOCK_DGRAM)
		ev := newEvent(t, th)
		ok(t, th.WSAEventSelect(r, ev, spi.FD_READ))
		const count = 150
		done := make(chan error, 1)
		go func() {
			for i := range count {
				if _, err := th.SendTo(s, []byte{byte(i)}, 0, name); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		b := make([]byte, 4)
		for got := 0; got < count; {
			next(t, th, r, ev, spi.FD_READ)
			if _, err := th.Recv(r, b, 0); err == nil {
				got++
			} else {
				want(t, err, spi.WSAEWOULDBLOCK)
			}
		}
		ok(t, <-done)
	})
}

// A receiver that makes one receive for each FD_READ gets all that a sender sends
// meanwhile, and then FD_CLOSE.
func TestEventsWhileDataComes(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		for seed := range uint64(20) {
			c, a := pair(t, th, f)
			ev := newEvent(t, th)
			ok(t, th.WSAEventSelect(a, ev, spi.FD_READ|spi.FD_CLOSE))
			const total = 20000
			send := func() error {
				random := rand.New(rand.NewPCG(seed, 1))
				data := make([]byte, 200)
				for left := total; left > 0; {
					n, err := unix.Write(int(c), data[:min(left, 1+random.IntN(len(data)))])
					if err != nil {
						return err
					}
					left -= n
				}
				return unix.Shutdown(int(c), unix.SHUT_WR)
			}
			sent := make(chan error, 1)
			go func() { sent <- send() }()
			random := rand.New(rand.NewPCG(seed, 2))
			buf := make([]byte, 500)
			got := 0
			for over := false; !over; {
				i, err := th.WSAWaitForMultipleEvents([]spi.Event{ev}, false, uint32(wait.Milliseconds()), false)
				ok(t, err)
				if i != spi.WSA_WAIT_EVENT_0 {
					t.Fatalf("seed %d: no event any more after %d bytes", seed, got)
				}
				var now spi.NetworkEvents
				ok(t, th.WSAEnumNetworkEvents(a, ev, &now))
				if now.NetworkEvents&spi.FD_READ != 0 {
					n, err := th.Recv(a, buf[:1+random.IntN(len(buf))], 0)
					if got += n; err != nil {
						want(t, err, spi.WSAEWOULDBLOCK)
					}
				}
				over = now.NetworkEvents&spi.FD_CLOSE != 0
			}
			ok(t, <-sent)
			if got != total {
				t.Errorf("seed %d: FD_CLOSE after %d bytes of %d", seed, got, total)
			}
		}
	})
}
