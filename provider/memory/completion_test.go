package memory_test

import (
	"bytes"
	"sync/atomic"
	"testing"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

const key = 0x5eed

// onPort returns a new port with a socket on it.
func onPort(t testing.TB, th *ws2.Thread, s spi.Socket) ws2.Port {
	t.Helper()
	port, err := th.DLL().CreateIoCompletionPort(0)
	ok(t, err)
	t.Cleanup(func() { _ = th.DLL().CloseCompletionPort(port) })
	ok(t, th.DLL().AssociateCompletionPort(s, port, key))
	return port
}

// packet takes the next packet, which must be ov's.
func packet(t testing.TB, th *ws2.Thread, port ws2.Port, ov *spi.Overlapped) (uint32, error) {
	t.Helper()
	p, err := th.GetQueuedCompletionStatus(port, 5000)
	if p.Overlapped != ov || p.Key != key {
		t.Fatalf("packet %+v, %v; want one of %p", p, err, ov)
	}
	return p.Transferred, err
}

func noPacket(t testing.TB, th *ws2.Thread, port ws2.Port) {
	t.Helper()
	if p, err := th.GetQueuedCompletionStatus(port, 0); p.Overlapped != nil {
		t.Errorf("packet %+v, %v", p, err)
	}
}

func receiveInto(th *ws2.Thread, s spi.Socket, ov *spi.Overlapped, buf []byte) error {
	var flags uint32
	return th.WSARecv(s, []spi.Buf{spi.NewBuf(buf)}, nil, &flags, ov, nil)
}

func TestBehaviour032_APortGetsOnePacket(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		port := onPort(t, th, server)
		ov, buf := new(spi.Overlapped), make([]byte, 100)
		want(t, receiveInto(th, server, ov, buf), spi.WSA_IO_PENDING)
		noPacket(t, th, port)
		send(t, th, client, "0123456789")
		n, err := packet(t, th, port, ov)
		ok(t, err)
		if n != 10 || ov.InProgress() || ov.InternalHigh != 10 || string(buf[:10]) != "0123456789" {
			t.Errorf("%d bytes, %+v", n, ov)
		}
		noPacket(t, th, port)
	})
}

func TestBehaviour033_ATaggedEventSuppressesThePacket(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		port := onPort(t, th, server)
		plain, tagged := newOverlapped(t, th), newOverlapped(t, th)
		tagged.HEvent |= 1
		want(t, receiveInto(th, server, tagged, make([]byte, 1)), spi.WSA_IO_PENDING)
		want(t, receiveInto(th, server, plain, make([]byte, 1)), spi.WSA_IO_PENDING)
		send(t, th, client, "xy")
		awaitEvent(t, th, tagged.HEvent)
		// Behaviour 34: a plain event is set, and a packet queued.
		_, err := packet(t, th, port, plain)
		ok(t, err)
		awaitEvent(t, th, plain.HEvent)
		noPacket(t, th, port)
	})
}

// The outcome is the error, in the packet and in the structure, and Internal has
// changed.
func TestBehaviour126_FailuresAreIndicatedToo(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		port := onPort(t, th, server)
		ov := newOverlapped(t, th)
		want(t, receiveInto(th, server, ov, make([]byte, 9)), spi.WSA_IO_PENDING)
		setLinger(t, th, client, 1, 0)
		ok(t, th.CloseSocket(client))
		awaitEvent(t, th, ov.HEvent)
		_, err := packet(t, th, port, ov)
		want(t, err, spi.WSAECONNRESET)
		if ov.Internal == 0 || ov.InProgress() || spi.Errno(ov.OffsetHigh) != spi.WSAECONNRESET {
			t.Errorf("%+v", ov)
		}
		_, err = result(t, th, server, ov, true)
		want(t, err, spi.WSAECONNRESET)
	})
}

func TestBehaviour037_CompletionsComeInTheirOrder(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		a, b := udp(t, th, "127.0.0.1:0"), udp(t, th, "127.0.0.1:0")
		port := onPort(t, th, a)
		ok(t, th.DLL().AssociateCompletionPort(b, port, key))
		first, second := new(spi.Overlapped), new(spi.Overlapped)
		want(t, receiveInto(th, a, first, make([]byte, 9)), spi.WSA_IO_PENDING)
		want(t, receiveInto(th, b, second, make([]byte, 9)), spi.WSA_IO_PENDING)
		for _, to := range []spi.Socket{b, a} {
			_, err := th.SendTo(a, []byte("x"), 0, sockName(t, th, to))
			ok(t, err)
		}
		_, err := packet(t, th, port, second)
		ok(t, err)
		_, err = packet(t, th, port, first)
		ok(t, err)
	})
}

func TestBehaviour042_CloseAbortsWithAPacket(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		_, server := pair(t, th)
		port := onPort(t, th, server)
		ovs := make([]spi.Overlapped, 3)
		for i := range ovs {
			want(t, receiveInto(th, server, &ovs[i], make([]byte, 9)), spi.WSA_IO_PENDING)
		}
		ok(t, th.CloseSocket(server))
		for range ovs {
			p, err := th.GetQueuedCompletionStatus(port, 5000)
			want(t, err, spi.WSA_OPERATION_ABORTED)
			if p.Overlapped == nil {
				t.Fatal("no packet")
			}
		}
		noPacket(t, th, port)
	})
}

func TestBehaviour043_CleanupQueuesNoPacket(t *testing.T) {
	for name, layers := range stacks {
		t.Run(name, func(t *testing.T) {
			th := startedOver(t, layers, spi.Version22).Unbound()
			_, server := pair(t, th)
			port := onPort(t, th, server)
			ov := new(spi.Overlapped)
			want(t, receiveInto(th, server, ov, make([]byte, 9)), spi.WSA_IO_PENDING)
			ok(t, th.WSACleanup())
			if ov.InProgress() || spi.Errno(ov.OffsetHigh) != spi.WSA_OPERATION_ABORTED {
				t.Errorf("%+v", ov)
			}
			noPacket(t, th, port)
			ok(t, th.WSAStartup(spi.Version22, new(ws2.WSAData)))
		})
	}
}

func TestBehaviour044_ImmediateSuccessHasItsPacket(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		port := onPort(t, th, client)
		ov := new(spi.Overlapped)
		err := th.WSASend(client, []spi.Buf{spi.NewBuf([]byte("now"))}, nil, 0, ov, nil)
		if err != nil {
			want(t, err, spi.WSA_IO_PENDING)
		}
		n, err := packet(t, th, port, ov)
		ok(t, err)
		if n != 3 {
			t.Errorf("%d bytes", n)
		}
		if got := recv(t, th, server); got != "now" {
			t.Errorf("got %q", got)
		}
	})
}

func TestBehaviour045_AFailedStartQueuesNoPacket(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		s := tcp(t, th)
		port := onPort(t, th, s)
		ov := new(spi.Overlapped)
		want(t, receiveInto(th, s, ov, make([]byte, 9)), spi.WSAENOTCONN)
		if ov.InProgress() {
			t.Error("in progress")
		}
		noPacket(t, th, port)
	})
}

// An overlapped ioctl that can be answered is indicated like any other
// operation.
func TestBehaviour044_AnIoctlHasItsPacket(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		send(t, th, client, "12345")
		port := onPort(t, th, server)
		ov, out := new(spi.Overlapped), make([]byte, 4)
		var returned uint32
		err := th.WSAIoctl(server, spi.FIONREAD, nil, out, &returned, ov, nil)
		if err != nil {
			want(t, err, spi.WSA_IO_PENDING)
		}
		n, err := packet(t, th, port, ov)
		ok(t, err)
		if n != 4 || out[0] != 5 {
			t.Errorf("%d bytes, %v", n, out)
		}
	})
}

func TestBehaviour030_BytesAreThereBeforeTheStatus(t *testing.T) {
	th := newThread(t)
	client, server := pair(t, th)
	ov := new(spi.Overlapped)
	for i := range 2000 {
		data := make([]byte, 1+i%7)
		want(t, receiveInto(th, server, ov, make([]byte, 9)), spi.WSA_IO_PENDING)
		sent := make(chan error, 1)
		go func() { _, err := th.Send(client, data, 0); sent <- err }()
		for ov.InProgress() {
		}
		if n := atomic.LoadUint64(&ov.InternalHigh); n != uint64(len(data)) {
			t.Fatalf("%d bytes, want %d", n, len(data))
		}
		ok(t, <-sent)
	}
}

func TestBehaviour121_AWokenWaiterSeesTheOutcome(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		ov := newOverlapped(t, th)
		for range 500 {
			want(t, receiveInto(th, server, ov, make([]byte, 9)), spi.WSA_IO_PENDING)
			sent := make(chan error, 1)
			go func() { _, err := th.Send(client, []byte("x"), 0); sent <- err }()
			awaitEvent(t, th, ov.HEvent)
			if ov.InProgress() {
				t.Fatal("the event came before the outcome")
			}
			ok(t, <-sent)
		}
	})
}

func TestCancelOneOperationOrAll(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		port := onPort(t, th, server)
		want(t, th.CancelIoEx(server, nil), spi.ERROR_NOT_FOUND)
		ovs := make([]spi.Overlapped, 4)
		for i := range ovs {
			want(t, receiveInto(th, server, &ovs[i], make([]byte, 9)), spi.WSA_IO_PENDING)
		}
		ok(t, th.CancelIoEx(server, &ovs[1]))
		_, err := packet(t, th, port, &ovs[1])
		want(t, err, spi.WSA_OPERATION_ABORTED)
		want(t, th.CancelIoEx(server, &ovs[1]), spi.ERROR_NOT_FOUND)
		send(t, th, client, "first")
		n, err := packet(t, th, port, &ovs[0])
		ok(t, err)
		if n != 5 {
			t.Errorf("%d bytes", n)
		}
		ok(t, th.CancelIoEx(server, nil))
		for _, ov := range []*spi.Overlapped{&ovs[2], &ovs[3]} {
			_, err := packet(t, th, port, ov)
			want(t, err, spi.WSA_OPERATION_ABORTED)
		}
		send(t, th, client, "still here")
		if got := recv(t, th, server); got != "still here" {
			t.Errorf("got %q", got)
		}
	})
}

// CancelIo ends what the calling thread has started, and the end of a thread
// does so too.
func TestCancelByThread(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		_, server := pair(t, th)
		others, mine, late := newOverlapped(t, th), newOverlapped(t, th), newOverlapped(t, th)
		want(t, receiveInto(th, server, others, make([]byte, 9)), spi.WSA_IO_PENDING)
		done := make(chan struct{})
		go func() {
			defer close(done)
			own := th.DLL().BindThread()
			defer own.Unbind()
			want(t, receiveInto(own, server, mine, make([]byte, 9)), spi.WSA_IO_PENDING)
			ok(t, own.CancelIo(server))
			awaitEvent(t, own, mine.HEvent)
			want(t, receiveInto(own, server, late, make([]byte, 9)), spi.WSA_IO_PENDING)
		}()
		<-done
		awaitEvent(t, th, late.HEvent)
		for _, ov := range []*spi.Overlapped{mine, late} {
			if got := spi.Errno(ov.OffsetHigh); got != spi.WSA_OPERATION_ABORTED {
				t.Errorf("%v", got)
			}
		}
		if !others.InProgress() {
			t.Error("another thread's operation has ended")
		}
	})
}

func TestCancelledSendLetsTheNextGoOn(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		big, small := newOverlapped(t, th), newOverlapped(t, th)
		want(t, th.WSASend(client, []spi.Buf{spi.NewBuf(make([]byte, 1<<20))}, nil, 0, big, nil), spi.WSA_IO_PENDING)
		want(t, th.WSASend(client, []spi.Buf{spi.NewBuf([]byte("end"))}, nil, 0, small, nil), spi.WSA_IO_PENDING)
		ok(t, th.CancelIoEx(client, big))
		awaitEvent(t, th, big.HEvent)
		sent := int(big.InternalHigh)
		got := make([]byte, sent+3)
		n, err := th.Recv(server, got, spi.MSG_WAITALL)
		ok(t, err)
		if n != len(got) || !bytes.HasSuffix(got, []byte("end")) {
			t.Errorf("%d bytes after a send of %d that was cancelled", n, sent)
		}
		awaitEvent(t, th, small.HEvent)
	})
}

// An overlapped operation that waits takes no memory of its own.
func TestOverlappedOperationsAllocateNothing(t *testing.T) {
	d := newDLL(t)
	th := d.BindThread()
	defer th.Unbind()
	client, server := pair(t, th)
	port := onPort(t, th, server)
	data, buf := []byte("some bytes"), make([]byte, 100)
	in, out := []spi.Buf{spi.NewBuf(buf)}, []spi.Buf{spi.NewBuf(data)}
	ov, sending := new(spi.Overlapped), new(spi.Overlapped)
	flags, sent, received := new(uint32), new(uint32), new(uint32)
	byPort := func() {
		if err := th.WSARecv(server, in, received, flags, ov, nil); err != spi.WSA_IO_PENDING.Err() {
			t.Fatal(err)
		}
		if err := th.WSASend(client, out, sent, 0, sending, nil); err != nil {
			t.Fatal(err)
		}
		if p, err := th.GetQueuedCompletionStatus(port, 0); p.Overlapped != ov {
			t.Fatal(p, err)
		}
	}
	ran := 0
	routine := func(spi.Errno, uint32, *spi.Overlapped, uint32) { ran++ }
	c2, s2 := pair(t, th)
	byRoutine := func() {
		if err := th.WSARecv(s2, in, received, flags, ov, routine); err != spi.WSA_IO_PENDING.Err() {
			t.Fatal(err)
		}
		if err := th.WSASend(c2, out, sent, 0, sending, nil); err != nil {
			t.Fatal(err)
		}
		th.SleepEx(0, true)
	}
	if n := testing.AllocsPerRun(500, byPort); n >= 1 && !raceEnabled {
		t.Errorf("%v allocations by port", n)
	}
	// One is the DLL's, for the APC in its queue.
	if n := testing.AllocsPerRun(500, byRoutine); n >= 2 && !raceEnabled {
		t.Errorf("%v allocations by routine", n)
	}
	if ran == 0 {
		t.Error("no routine ran")
	}
}
