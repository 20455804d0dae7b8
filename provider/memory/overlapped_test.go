package memory_test

import (
	"testing"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// asked is one overlapped operation of a test.
type asked struct {
	spi.Overlapped
	buf []byte
}

func receiveOverlapped(t testing.TB, th *ws2.Thread, s spi.Socket, size int) (*asked, error) {
	t.Helper()
	ev, err := th.WSACreateEvent()
	ok(t, err)
	a := &asked{buf: make([]byte, size)}
	a.HEvent = ev
	t.Cleanup(func() { _ = th.WSACloseEvent(ev) })
	received, flags := uint32(4711), uint32(0)
	err = th.WSARecv(s, []spi.Buf{spi.NewBuf(a.buf)}, &received, &flags, &a.Overlapped, nil)
	if err != nil && received != 4711 {
		t.Errorf("lpNumberOfBytesRecvd changed to %d", received)
	}
	return a, err
}

func awaitEvent(t testing.TB, th *ws2.Thread, ev spi.Event) {
	t.Helper()
	i, err := th.WSAWaitForMultipleEvents([]spi.Event{ev}, true, 5000, false)
	ok(t, err)
	if i != spi.WSA_WAIT_EVENT_0 {
		t.Fatalf("wait: %#x", i)
	}
}

func isSet(t testing.TB, th *ws2.Thread, ev spi.Event) bool {
	t.Helper()
	i, err := th.WSAWaitForMultipleEvents([]spi.Event{ev}, true, 0, false)
	ok(t, err)
	return i == spi.WSA_WAIT_EVENT_0
}

func result(t testing.TB, th *ws2.Thread, s spi.Socket, ov *spi.Overlapped, wait bool) (uint32, error) {
	t.Helper()
	var n, flags uint32
	err := th.WSAGetOverlappedResult(s, ov, &n, wait, &flags)
	return n, err
}

func TestBehaviour029_OverlappedReceiveCompletesByEvent(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		a, err := receiveOverlapped(t, th, server, 100)
		want(t, err, spi.WSA_IO_PENDING)
		if isSet(t, th, a.HEvent) || !a.InProgress() {
			t.Error("complete before anything came")
		}
		send(t, th, client, "0123456789")
		awaitEvent(t, th, a.HEvent)
		if a.InProgress() || a.InternalHigh != 10 {
			t.Errorf("%+v", a.Overlapped)
		}
		n, err := result(t, th, server, &a.Overlapped, true)
		ok(t, err)
		if string(a.buf[:n]) != "0123456789" {
			t.Errorf("got %q", a.buf[:n])
		}
	})
}

func TestBehaviour040_IncompleteResultLeavesTheCountAlone(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		_, server := pair(t, th)
		a, err := receiveOverlapped(t, th, server, 100)
		want(t, err, spi.WSA_IO_PENDING)
		n, flags := uint32(4711), uint32(0)
		want(t, th.WSAGetOverlappedResult(server, &a.Overlapped, &n, false, &flags), spi.WSA_IO_INCOMPLETE)
		if n != 4711 {
			t.Errorf("count %d", n)
		}
	})
}

func TestBehaviour041_ResultWaitsForTheEvent(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		a, err := receiveOverlapped(t, th, server, 100)
		want(t, err, spi.WSA_IO_PENDING)
		sent := make(chan error, 1)
		go func() {
			_, err := th.Send(client, []byte("late"), 0)
			sent <- err
		}()
		n, err := result(t, th, server, &a.Overlapped, true)
		ok(t, <-sent)
		ok(t, err)
		if n != 4 {
			t.Errorf("%d bytes", n)
		}
	})
}

func TestBehaviour042_CloseAbortsWithIndication(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		_, server := pair(t, th)
		a, err := receiveOverlapped(t, th, server, 100)
		want(t, err, spi.WSA_IO_PENDING)
		ok(t, th.CloseSocket(server))
		awaitEvent(t, th, a.HEvent)
		if a.InProgress() || spi.Errno(a.OffsetHigh) != spi.WSA_OPERATION_ABORTED || a.Internal == 0 {
			t.Errorf("%+v", a.Overlapped)
		}
	})
}

func TestBehaviour043_CleanupAbortsWithoutIndication(t *testing.T) {
	for name, layers := range stacks {
		t.Run(name, func(t *testing.T) {
			d := startedOver(t, layers, spi.Version22)
			th := d.Unbound()
			ok(t, th.WSAStartup(spi.Version22, new(ws2.WSAData)))
			_, server := pair(t, th)
			a, err := receiveOverlapped(t, th, server, 100)
			want(t, err, spi.WSA_IO_PENDING)
			ok(t, th.WSACleanup())
			if !a.InProgress() {
				t.Error("ended by a cleanup that was not the last")
			}
			ok(t, th.WSACleanup())
			if a.InProgress() || spi.Errno(a.OffsetHigh) != spi.WSA_OPERATION_ABORTED {
				t.Errorf("%+v", a.Overlapped)
			}
			if isSet(t, th, a.HEvent) {
				t.Error("the event is set")
			}
			ok(t, th.WSAStartup(spi.Version22, new(ws2.WSAData)))
			client, server := pair(t, th) // a provider can be started again
			send(t, th, client, "again")
			if got := recv(t, th, server); got != "again" {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestBehaviour044_ImmediateSuccessHasBeenIndicated(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		send(t, th, client, "here already")
		a, err := receiveOverlapped(t, th, server, 100)
		if err != nil { // a layer may have left the completion to its worker
			want(t, err, spi.WSA_IO_PENDING)
			awaitEvent(t, th, a.HEvent)
		}
		if !isSet(t, th, a.HEvent) || a.InternalHigh != 12 {
			t.Errorf("%+v", a.Overlapped)
		}
	})
}

func TestBehaviour045_FailedStartIsNeverIndicated(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		a, err := receiveOverlapped(t, th, tcp(t, th), 10)
		want(t, err, spi.WSAENOTCONN)
		if isSet(t, th, a.HEvent) || a.InProgress() {
			t.Errorf("%+v", a.Overlapped)
		}
	})
}

func TestBehaviour054_RoutineRunsInAnAlertableWait(t *testing.T) {
	for name, layers := range stacks {
		t.Run(name, func(t *testing.T) {
			th := startedOver(t, layers, spi.Version22).BindThread()
			defer th.Unbind()
			client, server := pair(t, th)
			var ov spi.Overlapped
			buf := make([]byte, 20)
			var flags uint32
			type outcome struct {
				errno spi.Errno
				n     uint32
				ov    *spi.Overlapped
			}
			var got []outcome
			err := th.WSARecv(server, []spi.Buf{spi.NewBuf(buf)}, nil, &flags, &ov, func(errno spi.Errno, n uint32, ov *spi.Overlapped, _ uint32) {
				got = append(got, outcome{errno, n, ov})
			})
			want(t, err, spi.WSA_IO_PENDING)
			send(t, th, client, "apc")
			eventually(t, "completion", func() bool { return !ov.InProgress() })
			if len(got) != 0 {
				t.Error("ran outside an alertable wait")
			}
			eventually(t, "routine", func() bool { th.SleepEx(1, true); return len(got) > 0 })
			if len(got) != 1 || got[0] != (outcome{0, 3, &ov}) || string(buf[:3]) != "apc" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestBehaviour114_TheBufferArrayIsCaptured(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		one, two, decoy := make([]byte, 3), make([]byte, 10), make([]byte, 10)
		bufs := []spi.Buf{spi.NewBuf(one), spi.NewBuf(two)}
		ev, err := th.WSACreateEvent()
		ok(t, err)
		ov := spi.Overlapped{HEvent: ev}
		var flags uint32
		want(t, th.WSARecv(server, bufs, nil, &flags, &ov, nil), spi.WSA_IO_PENDING)
		bufs[0], bufs[1] = spi.NewBuf(decoy), spi.NewBuf(decoy)
		send(t, th, client, "abcdefgh")
		awaitEvent(t, th, ev)
		if string(one) != "abc" || string(two[:5]) != "defgh" {
			t.Errorf("%q %q, decoy %q", one, two, decoy)
		}
	})
}

func TestBehaviour115_PendingLeavesCountAndFlagsAlone(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		_, server := pair(t, th)
		received, flags := uint32(4711), uint32(spi.MSG_PEEK)
		var ov spi.Overlapped
		want(t, th.WSARecv(server, []spi.Buf{spi.NewBuf(make([]byte, 4))}, &received, &flags, &ov, nil), spi.WSA_IO_PENDING)
		if received != 4711 || flags != spi.MSG_PEEK {
			t.Errorf("%d, %#x", received, flags)
		}
	})
}

func TestPendingReceivesAreServedInOrder(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		var pending []*asked
		for range 5 {
			a, err := receiveOverlapped(t, th, server, 2)
			want(t, err, spi.WSA_IO_PENDING)
			pending = append(pending, a)
		}
		send(t, th, client, "aabbccddee")
		for i, a := range pending {
			awaitEvent(t, th, a.HEvent)
			if w := string([]byte{'a' + byte(i), 'a' + byte(i)}); string(a.buf) != w {
				t.Errorf("%d: %q, want %q", i, a.buf, w)
			}
		}
	})
}

func TestOverlappedSendWaitsForRoom(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		ev, err := th.WSACreateEvent()
		ok(t, err)
		data := make([]byte, 1<<20)
		for i := range data {
			data[i] = byte(i >> 8)
		}
		ov := spi.Overlapped{HEvent: ev}
		want(t, th.WSASend(client, []spi.Buf{spi.NewBuf(data)}, nil, 0, &ov, nil), spi.WSA_IO_PENDING)
		got := 0
		buf := make([]byte, 1<<16)
		for got < len(data) {
			n, err := th.Recv(server, buf, 0)
			ok(t, err)
			for i, b := range buf[:n] {
				if b != data[got+i] {
					t.Fatalf("byte %d is wrong", got+i)
				}
			}
			got += n
		}
		awaitEvent(t, th, ev)
		if n, err := result(t, th, client, &ov, true); err != nil || int(n) != len(data) {
			t.Errorf("%d, %v", n, err)
		}
	})
}

func TestOverlappedDatagramStoresTheSender(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		a, b := udp(t, th, "127.0.0.1:0"), udp(t, th, "127.0.0.1:0")
		ev, err := th.WSACreateEvent()
		ok(t, err)
		ov := spi.Overlapped{HEvent: ev}
		buf, from := make([]byte, 10), make([]byte, 16)
		fromLen, flags := int32(16), uint32(0)
		want(t, th.WSARecvFrom(a, []spi.Buf{spi.NewBuf(buf)}, nil, &flags, from, &fromLen, &ov, nil), spi.WSA_IO_PENDING)
		_, err = th.SendTo(b, []byte("hey"), 0, sockName(t, th, a))
		ok(t, err)
		awaitEvent(t, th, ev)
		if ov.InternalHigh != 3 || fromLen != 16 || string(from[:8]) != string(sockName(t, th, b)[:8]) {
			t.Errorf("%d bytes from %v", ov.InternalHigh, from[:fromLen])
		}
	})
}
