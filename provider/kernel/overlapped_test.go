//go:build linux

package kernel_test

import (
	"bytes"
	"testing"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// overlapped returns an OVERLAPPED with an event.
func overlapped(t testing.TB, th *ws2.Thread) *spi.Overlapped {
	t.Helper()
	return &spi.Overlapped{HEvent: newEvent(t, th)}
}

// result waits for an operation by its event.
func result(t testing.TB, th *ws2.Thread, s spi.Socket, ov *spi.Overlapped) (uint32, error) {
	t.Helper()
	i, err := th.WSAWaitForMultipleEvents([]spi.Event{ov.HEvent}, false, uint32(wait.Milliseconds()), false)
	ok(t, err)
	if i != spi.WSA_WAIT_EVENT_0 {
		t.Fatal("the operation does not complete")
	}
	if ov.InProgress() { // behaviour 121
		t.Fatal("the event is set before the operation is complete")
	}
	var n, flags uint32
	err = th.WSAGetOverlappedResult(s, ov, &n, false, &flags)
	return n, err
}

func TestOverlappedReceive(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		first, second := overlapped(t, th), overlapped(t, th)
		b1, b2 := make([]byte, 4), make([]byte, 4)
		bufs := []spi.Buf{spi.NewBuf(b1[:2]), spi.NewBuf(b1[2:])}
		received, flags := uint32(77), uint32(0)
		want(t, th.WSARecv(a, bufs, &received, &flags, first, nil), spi.WSA_IO_PENDING)
		bufs[0], bufs[1] = spi.Buf{}, spi.Buf{} // behaviour 114
		want(t, th.WSARecv(a, []spi.Buf{spi.NewBuf(b2)}, &received, &flags, second, nil), spi.WSA_IO_PENDING)
		if received != 77 || flags != 0 { // behaviour 115
			t.Errorf("a pending receive has stored %d, %#x", received, flags)
		}
		var n uint32
		want(t, th.WSAGetOverlappedResult(a, first, &n, false, &flags), spi.WSA_IO_INCOMPLETE)
		send(t, th, c, "12345678")
		for i, ov := range []*spi.Overlapped{first, second} {
			if n, err := result(t, th, a, ov); n != 4 || err != nil {
				t.Errorf("receive %d: %d, %v", i, n, err)
			}
		}
		if string(b1)+string(b2) != "12345678" {
			t.Errorf("received %q and %q", b1, b2)
		}

		// Behaviour 44: done at once, and the event is set.
		send(t, th, c, "now")
		ready(t, th, a, 'r')
		ok(t, th.WSARecv(a, []spi.Buf{spi.NewBuf(b1)}, &received, &flags, first, nil))
		if n, err := result(t, th, a, first); n != 3 || err != nil || received != 3 {
			t.Errorf("%d (%d), %v", n, received, err)
		}

		// An empty receive waits for data, and takes none.
		want(t, th.WSARecv(a, []spi.Buf{spi.NewBuf(nil)}, &received, &flags, first, nil), spi.WSA_IO_PENDING)
		send(t, th, c, "z")
		if n, err := result(t, th, a, first); n != 0 || err != nil {
			t.Errorf("an empty receive: %d, %v", n, err)
		}
		receive(t, th, a, "z")

		// The end of the stream.
		want(t, th.WSARecv(a, []spi.Buf{spi.NewBuf(b1)}, &received, &flags, first, nil), spi.WSA_IO_PENDING)
		ok(t, th.CloseSocket(c))
		if n, err := result(t, th, a, first); n != 0 || err != nil {
			t.Errorf("the end: %d, %v", n, err)
		}
	})
}

func TestOverlappedSend(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		data := bytes.Repeat([]byte("0123456789"), 800_000)
		first, second := overlapped(t, th), overlapped(t, th)
		var sent uint32
		want(t, th.WSASend(c, []spi.Buf{spi.NewBuf(data)}, &sent, 0, first, nil), spi.WSA_IO_PENDING)
		want(t, th.WSASend(c, []spi.Buf{spi.NewBuf([]byte("the end"))}, &sent, 0, second, nil), spi.WSA_IO_PENDING)
		got := make([]byte, len(data)+len("the end"))
		var n, flags uint32 = 0, spi.MSG_WAITALL
		ok(t, th.WSARecv(a, []spi.Buf{spi.NewBuf(got)}, &n, &flags, nil, nil))
		if !bytes.Equal(got[:len(data)], data) || string(got[len(data):]) != "the end" {
			t.Error("the data does not arrive as it was sent")
		}
		if n, err := result(t, th, c, first); int(n) != len(data) || err != nil {
			t.Errorf("the send gives %d, %v", n, err)
		}
		if n, err := result(t, th, c, second); n != 7 || err != nil {
			t.Errorf("the second send gives %d, %v", n, err)
		}
	})
}

func TestOverlappedDatagram(t *testing.T) {
	each(t, datagrams, func(t *testing.T, th *ws2.Thread, f family) {
		r, name := udp(t, th, f)
		s, from := udp(t, th, f)
		ov := overlapped(t, th)
		b, sender := make([]byte, 4), make([]byte, 28)
		var n, flags uint32
		length := int32(len(sender))
		want(t, th.WSARecvFrom(r, []spi.Buf{spi.NewBuf(b)}, &n, &flags, sender, &length, ov, nil), spi.WSA_IO_PENDING)
		sov := overlapped(t, th)
		ok(t, th.WSASendTo(s, []spi.Buf{spi.NewBuf([]byte("abcdef"))}, &n, 0, name, sov, nil))
		got, err := result(t, th, r, ov)
		want(t, err, spi.WSAEMSGSIZE)
		if got != 4 || string(b) != "abcd" || spi.AddressString(sender[:length]) != spi.AddressString(from) {
			t.Errorf("received %d, %q from %s", got, b, spi.AddressString(sender[:length]))
		}
	})
}

// A completion routine runs in an alertable wait of the thread that started the
// operation; the event is ignored.
func TestBehaviour054_CompletionRoutine(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		bound := th.DLL().BindThread()
		defer bound.Unbind()
		c, a := pair(t, th, f)
		ov := overlapped(t, th)
		b := make([]byte, 8)
		var n, flags uint32
		var got []any
		routine := func(e spi.Errno, count uint32, o *spi.Overlapped, _ uint32) { got = append(got, e, count, o) }
		want(t, bound.WSARecv(a, []spi.Buf{spi.NewBuf(b)}, &n, &flags, ov, routine), spi.WSA_IO_PENDING)
		send(t, th, c, "abc")
		if i := bound.SleepEx(uint32(wait.Milliseconds()), true); i != spi.WSA_WAIT_IO_COMPLETION {
			t.Fatalf("the wait gives %#x", i)
		}
		if len(got) != 3 || got[0] != spi.Errno(0) || got[1] != uint32(3) || got[2] != ov {
			t.Errorf("the routine got %v", got)
		}
		i, err := th.WSAWaitForMultipleEvents([]spi.Event{ov.HEvent}, false, 0, false)
		ok(t, err)
		if i != spi.WSA_WAIT_TIMEOUT {
			t.Error("the event was set although there is a routine")
		}
	})
}

func TestBehaviour042_CloseAborts(t *testing.T) {
	bound := func(t *testing.T, th *ws2.Thread, f family) { // by routine
		bound := th.DLL().BindThread()
		defer bound.Unbind()
		_, a := pair(t, th, f)
		var ov spi.Overlapped
		var n, flags uint32
		var got spi.Errno
		routine := func(e spi.Errno, _ uint32, _ *spi.Overlapped, _ uint32) { got = e }
		want(t, bound.WSARecv(a, []spi.Buf{spi.NewBuf(make([]byte, 1))}, &n, &flags, &ov, routine), spi.WSA_IO_PENDING)
		ok(t, th.CloseSocket(a))
		if i := bound.SleepEx(0, true); i != spi.WSA_WAIT_IO_COMPLETION || got != spi.WSA_OPERATION_ABORTED {
			t.Errorf("the wait gives %#x, the routine got %v", i, got)
		}
	}
	each(t, streams, bound)
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, _ := pair(t, th, f)
		ov := overlapped(t, th)
		var n, flags uint32
		want(t, th.WSARecv(c, []spi.Buf{spi.NewBuf(make([]byte, 1))}, &n, &flags, ov, nil), spi.WSA_IO_PENDING)
		ok(t, th.CloseSocket(c))
		i, err := th.WSAWaitForMultipleEvents([]spi.Event{ov.HEvent}, false, 0, false)
		ok(t, err)
		if i != spi.WSA_WAIT_EVENT_0 || ov.InProgress() || spi.Errno(ov.OffsetHigh) != spi.WSA_OPERATION_ABORTED {
			t.Errorf("the wait gives %#x, the operation %v", i, spi.Errno(ov.OffsetHigh))
		}
	})
}

func TestBehaviour043_CleanupAbortsSilently(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, _ := pair(t, th, f)
		ov := overlapped(t, th)
		var n, flags uint32
		want(t, th.WSARecv(c, []spi.Buf{spi.NewBuf(make([]byte, 1))}, &n, &flags, ov, nil), spi.WSA_IO_PENDING)
		ok(t, th.WSACleanup())
		if ov.InProgress() || spi.Errno(ov.OffsetHigh) != spi.WSA_OPERATION_ABORTED {
			t.Errorf("the operation has %#x, %v", ov.Internal, spi.Errno(ov.OffsetHigh))
		}
		ok(t, th.WSAStartup(spi.Version22, new(ws2.WSAData)))
		i, err := th.WSAWaitForMultipleEvents([]spi.Event{ov.HEvent}, false, 0, false)
		ok(t, err)
		if i != spi.WSA_WAIT_TIMEOUT {
			t.Error("the event was set")
		}
	})
}

// WSAGetOverlappedResult waits, also without an event.
func TestOverlappedResultWaits(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		var ov spi.Overlapped
		b := make([]byte, 8)
		var n, flags uint32
		want(t, th.WSARecv(a, []spi.Buf{spi.NewBuf(b)}, &n, &flags, &ov, nil), spi.WSA_IO_PENDING)
		type outcome struct {
			n   uint32
			err error
		}
		done := make(chan outcome, 1)
		go func() {
			var n, flags uint32
			err := th.WSAGetOverlappedResult(a, &ov, &n, true, &flags)
			done <- outcome{n, err}
		}()
		send(t, th, c, "12345")
		if got := <-done; got.n != 5 || got.err != nil {
			t.Errorf("%+v", got)
		}
	})
}

// A synchronous receive comes after the overlapped ones.
func TestSynchronousBehindOverlapped(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		ov := overlapped(t, th)
		b := make([]byte, 2)
		var n, flags uint32
		want(t, th.WSARecv(a, []spi.Buf{spi.NewBuf(b)}, &n, &flags, ov, nil), spi.WSA_IO_PENDING)
		receiving := waiting(t, func() string {
			b := make([]byte, 2)
			n, _ := th.Recv(a, b, 0)
			return string(b[:n])
		})
		send(t, th, c, "1122")
		if n, err := result(t, th, a, ov); n != 2 || err != nil || string(b) != "11" {
			t.Errorf("%d, %v: %q", n, err, b)
		}
		if got := <-receiving; got != "22" {
			t.Errorf("the synchronous receive got %q", got)
		}
	})
}

func TestOverlappedNeedsTheFlag(t *testing.T) {
	th := start(t)
	s, err := th.WSASocket(spi.AF_INET, spi.SOCK_DGRAM, 0, nil, 0, 0)
	ok(t, err)
	ok(t, th.Bind(s, addr("127.0.0.1:0")))
	var n, flags uint32
	want(t, th.WSARecv(s, []spi.Buf{spi.NewBuf(make([]byte, 1))}, &n, &flags, overlapped(t, th), nil), spi.WSAEINVAL)
}

func TestOverlappedIoctl(t *testing.T) {
	th := start(t)
	s := stream(t, th, ipv4)
	ov := overlapped(t, th)
	out := make([]byte, 8)
	var n uint32
	ok(t, th.WSAIoctl(s, spi.SIO_BASE_HANDLE, nil, out, &n, ov, nil))
	if got, err := result(t, th, s, ov); got != 8 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
	want(t, th.WSAIoctl(s, spi.SIO_FLUSH, nil, out, &n, ov, nil), spi.WSAEOPNOTSUPP)
}
