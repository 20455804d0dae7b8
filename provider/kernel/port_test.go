//go:build linux

package kernel_test

import (
	"bytes"
	"testing"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

func TestBehaviour029_Completion(t *testing.T) {
	eachIndicated(t, streams, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		c, a := pair(t, th, f)
		ov := by.begin(t, th, a)
		b := make([]byte, 16)
		startReceive(t, th, a, b, ov)
		send(t, th, c, "0123456789")
		if n, err := by.end(t, th, a, ov); n != 10 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if ov.InternalHigh != 10 || ov.InProgress() || string(b[:10]) != "0123456789" {
			t.Errorf("%+v: %q", ov, b)
		}
	})
}

func TestBehaviour030_InternalHighIsThereFirst(t *testing.T) {
	eachIndicated(t, []family{ipv4}, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		c, a := pair(t, th, f)
		ov := by.begin(t, th, a)
		for range 200 {
			startReceive(t, th, a, make([]byte, 8), ov)
			seen := make(chan uint64)
			go func() {
				for ov.InProgress() {
				}
				seen <- ov.InternalHigh
			}()
			send(t, th, c, "1234567")
			if by.name == "port" { // which goes on only while somebody dequeues
				_, _ = by.end(t, th, a, ov)
			}
			if n := <-seen; n != 7 {
				t.Fatalf("a reader saw %d", n)
			}
			if by.name == "event" {
				_, _ = by.end(t, th, a, ov)
			}
		}
	})
}

func TestBehaviour031_FieldsOnly(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		var ov spi.Overlapped
		startReceive(t, th, a, make([]byte, 8), &ov)
		send(t, th, c, "abc")
		blocked(t, func() bool { return !ov.InProgress() })
		if ov.InternalHigh != 3 || ov.Internal != 0 || ov.HEvent != 0 {
			t.Errorf("%+v", ov)
		}
	})
}

// The outcome of an operation is what the provider says, also when it failed.
func TestBehaviour039_ResultIsTheProviders(t *testing.T) {
	eachIndicated(t, datagrams, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		r, name := udp(t, th, f)
		s, _ := udp(t, th, f)
		ov := by.begin(t, th, r)
		startReceive(t, th, r, make([]byte, 4), ov)
		_, err := th.SendTo(s, []byte("too long"), 0, name)
		ok(t, err)
		_, err = by.end(t, th, r, ov)
		want(t, err, spi.WSAEMSGSIZE)
		var n, flags uint32
		want(t, th.WSAGetOverlappedResult(r, ov, &n, false, &flags), spi.WSAEMSGSIZE)
		if n != 4 || flags != spi.MSG_PARTIAL {
			t.Errorf("%d bytes, flags %#x", n, flags)
		}
	})
}

func TestBehaviour040_Incomplete(t *testing.T) {
	eachIndicated(t, streams, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		_, a := pair(t, th, f)
		ov := by.begin(t, th, a)
		startReceive(t, th, a, make([]byte, 8), ov)
		n, flags := uint32(55), uint32(66)
		want(t, th.WSAGetOverlappedResult(a, ov, &n, false, &flags), spi.WSA_IO_INCOMPLETE)
		if n != 55 || flags != 66 {
			t.Errorf("stored %d, %#x", n, flags)
		}
	})
}

// Also on a socket whose port nobody dequeues from.
func TestBehaviour041_ResultWaits(t *testing.T) {
	eachIndicated(t, streams, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		c, a := pair(t, th, f)
		ov := by.begin(t, th, a)
		startReceive(t, th, a, make([]byte, 8), ov)
		done := make(chan error, 1)
		var n, flags uint32
		go func() { done <- th.WSAGetOverlappedResult(a, ov, &n, true, &flags) }()
		send(t, th, c, "12345")
		if err := <-done; err != nil || n != 5 {
			t.Errorf("%d, %v", n, err)
		}
		// Behaviour 39: asking changes nothing. The indication follows the status.
		if n, err := by.end(t, th, a, ov); n != 5 || err != nil {
			t.Errorf("indicated: %d, %v", n, err)
		}
	})
}

func TestBehaviour042_CloseAbortsWithIndication(t *testing.T) {
	eachIndicated(t, streams, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		_, a := pair(t, th, f)
		first, second := by.begin(t, th, a), by.begin(t, th, a)
		startReceive(t, th, a, make([]byte, 1), first)
		startReceive(t, th, a, make([]byte, 1), second)
		ok(t, th.CloseSocket(a))
		for _, ov := range []*spi.Overlapped{first, second} {
			if !by.told(t, th, ov) || spi.Errno(ov.OffsetHigh) != spi.WSA_OPERATION_ABORTED {
				t.Errorf("%+v", ov)
			}
		}
	})
}

func TestBehaviour043_CleanupAbortsWithoutPacket(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		_, a := pair(t, th, f)
		ov := byPort.begin(t, th, a)
		startReceive(t, th, a, make([]byte, 1), ov)
		ok(t, th.WSACleanup())
		if ov.InProgress() || spi.Errno(ov.OffsetHigh) != spi.WSA_OPERATION_ABORTED {
			t.Errorf("%+v", ov)
		}
		ok(t, th.WSAStartup(spi.Version22, new(ws2.WSAData)))
		if byPort.told(t, th, ov) {
			t.Error("there is a packet")
		}
	})
}

func TestBehaviour044_DoneAtOnce(t *testing.T) {
	eachIndicated(t, streams, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		c, a := pair(t, th, f)
		ov := by.begin(t, th, c)
		var n uint32
		ok(t, th.WSASend(c, []spi.Buf{spi.NewBuf([]byte("now"))}, &n, 0, ov, nil))
		if n != 3 || !by.told(t, th, ov) {
			t.Errorf("sent %d: %+v", n, ov)
		}
		rov := by.begin(t, th, a)
		ready(t, th, a, 'r')
		var flags uint32
		b := make([]byte, 8)
		ok(t, th.WSARecv(a, []spi.Buf{spi.NewBuf(b)}, &n, &flags, rov, nil))
		if n != 3 || !by.told(t, th, rov) {
			t.Errorf("received %d: %+v", n, rov)
		}
	})
}

func TestBehaviour045_ErrorsAreNotIndicated(t *testing.T) {
	eachIndicated(t, streams, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		s := stream(t, th, f)
		ov := by.begin(t, th, s)
		var n, flags uint32
		want(t, th.WSARecv(s, []spi.Buf{spi.NewBuf(make([]byte, 1))}, &n, &flags, ov, nil), spi.WSAENOTCONN)
		want(t, th.WSASend(s, []spi.Buf{spi.NewBuf([]byte("x"))}, &n, 0, ov, nil), spi.WSAENOTCONN)
		if by.told(t, th, ov) {
			t.Error("an error was indicated")
		}
	})
}

func TestBehaviour044_RoutineIsQueuedAtOnce(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		bound := th.DLL().BindThread()
		defer bound.Unbind()
		c, _ := pair(t, th, f)
		var ov spi.Overlapped
		var n uint32
		ran := uint32(0)
		routine := func(_ spi.Errno, n uint32, _ *spi.Overlapped, _ uint32) { ran += n }
		ok(t, bound.WSASend(c, []spi.Buf{spi.NewBuf([]byte("now"))}, &n, 0, &ov, routine))
		if ran != 0 {
			t.Error("the routine ran inside the call")
		}
		if i := bound.SleepEx(0, true); i != spi.WSA_WAIT_IO_COMPLETION || ran != 3 {
			t.Errorf("the wait gives %#x, the routine got %d", i, ran)
		}
	})
}

// A routine on a socket that has a port is refused.
func TestBehaviour054_NoRoutineBesideAPort(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		bound := th.DLL().BindThread()
		defer bound.Unbind()
		_, a := pair(t, th, f)
		ov := byPort.begin(t, th, a)
		var n, flags uint32
		err := bound.WSARecv(a, []spi.Buf{spi.NewBuf(make([]byte, 1))}, &n, &flags, ov, func(spi.Errno, uint32, *spi.Overlapped, uint32) {})
		want(t, err, spi.WSAEINVAL)
	})
}

func TestBehaviour055_RoutineWithoutOverlapped(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		bound := th.DLL().BindThread()
		defer bound.Unbind()
		c, a := pair(t, th, f)
		send(t, th, c, "x")
		var n, flags uint32
		routine := func(spi.Errno, uint32, *spi.Overlapped, uint32) { t.Error("the routine was called") }
		ok(t, bound.WSARecv(a, []spi.Buf{spi.NewBuf(make([]byte, 1))}, &n, &flags, nil, routine))
		if i := bound.SleepEx(0, true); i == spi.WSA_WAIT_IO_COMPLETION {
			t.Error("an APC ran")
		}
	})
}

func TestBehaviour105_HardCloseAborts(t *testing.T) {
	eachIndicated(t, internet, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		c, a := pair(t, th, f)
		ov := by.begin(t, th, c)
		startReceive(t, th, c, make([]byte, 1), ov)
		setLinger(t, th, c, spi.Linger{OnOff: 1})
		ok(t, th.CloseSocket(c))
		if !by.told(t, th, ov) || spi.Errno(ov.OffsetHigh) != spi.WSA_OPERATION_ABORTED {
			t.Errorf("%+v", ov)
		}
		_, err := th.Recv(a, make([]byte, 1), 0)
		want(t, err, spi.WSAECONNRESET)
	})
}

func TestBehaviour114_ArrayIsCaptured(t *testing.T) {
	eachIndicated(t, streams, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		for _, count := range []int{2, 9} { // within an operation's own room, and beyond
			c, a := pair(t, th, f)
			ov := by.begin(t, th, a)
			b := make([]byte, 2*count)
			bufs := make([]spi.Buf, count)
			for i := range bufs {
				bufs[i] = spi.NewBuf(b[2*i : 2*i+2])
			}
			n, flags := uint32(77), uint32(0)
			want(t, th.WSARecv(a, bufs, &n, &flags, ov, nil), spi.WSA_IO_PENDING)
			clear(bufs)
			if n != 77 || flags != 0 { // behaviour 115
				t.Errorf("a pending receive has stored %d, %#x", n, flags)
			}
			data := bytes.Repeat([]byte("ab"), count)
			send(t, th, c, string(data))
			if n, err := by.end(t, th, a, ov); int(n) != len(data) || err != nil || !bytes.Equal(b, data) {
				t.Errorf("%d, %v: %q", n, err, b)
			}
		}
	})
}

func TestBehaviour115_PendingStoresNothing(t *testing.T) {
	eachIndicated(t, streams, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		_, a := pair(t, th, f)
		n, flags := uint32(77), uint32(spi.MSG_PEEK)
		ov := by.begin(t, th, a)
		want(t, th.WSARecv(a, []spi.Buf{spi.NewBuf(make([]byte, 1))}, &n, &flags, ov, nil), spi.WSA_IO_PENDING)
		if n != 77 || flags != spi.MSG_PEEK {
			t.Errorf("stored %d, %#x", n, flags)
		}
	})
}

// Whoever is woken by the event, or has the packet, finds the operation
// complete.
func TestBehaviour121_CompleteBeforeIndicated(t *testing.T) {
	eachIndicated(t, []family{ipv4}, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		c, a := pair(t, th, f)
		ov := by.begin(t, th, a)
		b := make([]byte, 1)
		for range 300 {
			startReceive(t, th, a, b, ov)
			sent := make(chan error, 1)
			go func() {
				_, err := th.Send(c, []byte("x"), 0)
				sent <- err
			}()
			if n, err := by.end(t, th, a, ov); n != 1 || err != nil { // looks
				t.Fatalf("%d, %v", n, err)
			}
			ok(t, <-sent)
		}
	})
}

// Behaviours 33 and 34: an event beside a port is set as well; a tagged one
// keeps the packet away. Nobody needs to dequeue for the event to be set.
func TestEventBesidePort(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		byPort.begin(t, th, a)
		both, tagged := overlapped(t, th), overlapped(t, th)
		tagged.HEvent |= 1
		for _, ov := range []*spi.Overlapped{both, tagged} {
			startReceive(t, th, a, make([]byte, 4), ov)
			send(t, th, c, "1234")
			if n, err := result(t, th, a, ov); n != 4 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
			if got := byPort.told(t, th, ov); got != (ov == both) {
				t.Errorf("tagged %v: packet %v", ov == tagged, got)
			}
		}
	})
}

func TestSkipOnSuccess(t *testing.T) {
	th := start(t)
	c, _ := pair(t, th, ipv4)
	ov := byPort.begin(t, th, c)
	ok(t, th.DLL().SetFileCompletionNotificationModes(c, ws2.FILE_SKIP_COMPLETION_PORT_ON_SUCCESS))
	var n uint32
	ok(t, th.WSASend(c, []spi.Buf{spi.NewBuf([]byte("x"))}, &n, 0, ov, nil))
	if byPort.told(t, th, ov) {
		t.Error("a packet came for what succeeded at once")
	}
}

// Much data in both directions through a port, in pieces of all sizes: what is
// known of readiness never makes an operation wait for ever.
func TestPortStreams(t *testing.T) {
	for _, room := range []int{1, 3, 64, 1000, 16384, 100_000} {
		each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
			c, a := pair(t, th, f)
			ov := byPort.begin(t, th, a)
			total := min(room*300, 4<<20)
			data := make([]byte, total)
			for i := range data {
				data[i] = byte(i*7 + i>>8)
			}
			sov := byPort.begin(t, th, c)
			var n uint32
			err := th.WSASend(c, []spi.Buf{spi.NewBuf(data)}, &n, 0, sov, nil)
			if err != nil {
				want(t, err, spi.WSA_IO_PENDING)
			}
			var got []byte
			b := make([]byte, room)
			for len(got) < total {
				var flags uint32
				if err := th.WSARecv(a, []spi.Buf{spi.NewBuf(b)}, &n, &flags, ov, nil); err != nil {
					want(t, err, spi.WSA_IO_PENDING)
				}
				m, err := byPort.end(t, th, a, ov)
				if err != nil || m == 0 {
					t.Fatalf("%d, %v after %d bytes", m, err, len(got))
				}
				got = append(got, b[:m]...)
			}
			if m, err := byPort.end(t, th, c, sov); int(m) != total || err != nil {
				t.Errorf("the send: %d, %v", m, err)
			}
			if !bytes.Equal(got, data) {
				t.Error("the data differs")
			}
			ok(t, th.Shutdown(c, spi.SD_SEND))
			var flags uint32
			if err := th.WSARecv(a, []spi.Buf{spi.NewBuf(b)}, &n, &flags, ov, nil); err != nil {
				want(t, err, spi.WSA_IO_PENDING)
			}
			if m, err := byPort.end(t, th, a, ov); m != 0 || err != nil {
				t.Errorf("the end: %d, %v", m, err)
			}
		})
	}
}

// Urgent data stops a receive short of what is there.
func TestPortUrgentData(t *testing.T) {
	each(t, internet, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		ov := byPort.begin(t, th, a)
		b := make([]byte, 64)
		for round := range 20 {
			send(t, th, c, "before")
			_, err := th.Send(c, []byte("!"), spi.MSG_OOB)
			ok(t, err)
			send(t, th, c, "after")
			var got []byte
			for len(got) < len("beforeafter") {
				var n, flags uint32
				if err := th.WSARecv(a, []spi.Buf{spi.NewBuf(b)}, &n, &flags, ov, nil); err != nil {
					want(t, err, spi.WSA_IO_PENDING)
				}
				m, err := byPort.end(t, th, a, ov)
				ok(t, err)
				got = append(got, b[:m]...)
			}
			if string(got) != "beforeafter" {
				t.Fatalf("round %d: %q", round, got)
			}
		}
	})
}

// Operations go on without packets when their port is closed.
func TestPortClosed(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		port, err := th.DLL().CreateIoCompletionPort(1)
		ok(t, err)
		ok(t, th.DLL().AssociateCompletionPort(a, port, 1))
		var ov spi.Overlapped
		b := make([]byte, 8)
		startReceive(t, th, a, b, &ov)
		ok(t, th.DLL().CloseCompletionPort(port))
		send(t, th, c, "go on")
		blocked(t, func() bool { return !ov.InProgress() })
		if string(b[:ov.InternalHigh]) != "go on" {
			t.Errorf("received %q", b[:ov.InternalHigh])
		}
		startReceive(t, th, a, b, &ov)
		send(t, th, c, "more")
		blocked(t, func() bool { return !ov.InProgress() })
	})
}

// A duplicate shares the association, and it outlives the handle that it was
// made with.
func TestPortOfDuplicates(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		ov := byPort.begin(t, th, a)
		b := make([]byte, 8)
		startReceive(t, th, a, b, ov)
		dup := duplicate(t, th, a)
		dov := new(spi.Overlapped)
		startReceive(t, th, dup, b, dov)
		ok(t, th.CloseSocket(a))
		if !byPort.told(t, th, ov) || spi.Errno(ov.OffsetHigh) != spi.WSA_OPERATION_ABORTED {
			t.Errorf("%+v", ov)
		}
		send(t, th, c, "dup")
		if n, err := byPort.end(t, th, dup, dov); n != 3 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	})
}
