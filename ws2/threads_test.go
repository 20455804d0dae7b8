package ws2

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"upcall.dev/spi"
)

// queueFromElsewhere queues an APC from another goroutine and waits for it.
func queueFromElsewhere(h *host, id *spi.ThreadID, apc spi.UserAPC, context uintptr) (e spi.Errno) {
	done := make(chan struct{})
	go func() { defer close(done); e = h.table.WPUQueueApc(id, apc, context) }()
	<-done
	return e
}

func TestBehaviour046_ApcRunsOnItsThreadWhenAlertable(t *testing.T) {
	h := newHost(t)
	thread := h.up()
	var id spi.ThreadID
	want(t, h.table.WPUOpenCurrentThread(&id), 0)
	var got uintptr
	var on int
	want(t, queueFromElsewhere(h, &id, func(context uintptr) { got, on = context, osThreadID() }, 42), 0)
	if got != 0 {
		t.Fatal("it ran before an alertable wait")
	}
	if code := thread.SleepEx(spi.WSA_INFINITE, true); code != spi.WSA_WAIT_IO_COMPLETION {
		t.Errorf("SleepEx gives %#x", code)
	}
	if got != 42 || on != osThreadID() {
		t.Errorf("ran with %d on thread %d, want 42 on %d", got, on, osThreadID())
	}
	want(t, h.table.WPUCloseThread(&id), 0)
}

func TestBehaviour047_AlertableWait(t *testing.T) {
	h := newHost(t)
	thread := h.up()
	var id spi.ThreadID
	want(t, h.table.WPUOpenCurrentThread(&id), 0)
	ev, _ := h.table.WPUCreateEvent()
	ran := false
	go h.table.WPUQueueApc(&id, func(uintptr) { ran = true }, 0)
	code, err := thread.WSAWaitForMultipleEvents([]spi.Event{ev}, false, spi.WSA_INFINITE, true)
	if code != spi.WSA_WAIT_IO_COMPLETION || err != nil || !ran {
		t.Errorf("wait gives %#x, %v; ran: %v", code, err, ran)
	}
}

func TestBehaviour048_NonAlertableWait(t *testing.T) {
	h := newHost(t)
	thread := h.up()
	var id spi.ThreadID
	want(t, h.table.WPUOpenCurrentThread(&id), 0)
	ev, _ := h.table.WPUCreateEvent()
	ran := false
	want(t, queueFromElsewhere(h, &id, func(uintptr) { ran = true }, 0), 0)
	code, err := thread.WSAWaitForMultipleEvents([]spi.Event{ev}, false, 1, false)
	if code != spi.WSA_WAIT_TIMEOUT || err != nil || ran {
		t.Errorf("wait gives %#x, %v; ran: %v", code, err, ran)
	}
	if code := thread.SleepEx(1, false); code != 0 || ran {
		t.Errorf("SleepEx gives %#x; ran: %v", code, ran)
	}
}

func TestBehaviour049_ApcsAreFIFO(t *testing.T) {
	h := newHost(t)
	thread := h.up()
	var id spi.ThreadID
	want(t, h.table.WPUOpenCurrentThread(&id), 0)
	var order []uintptr
	for i := range uintptr(5) {
		want(t, queueFromElsewhere(h, &id, func(context uintptr) { order = append(order, context) }, i), 0)
	}
	thread.SleepEx(0, true)
	if !slices.Equal(order, []uintptr{0, 1, 2, 3, 4}) {
		t.Errorf("ran in the order %v", order)
	}
}

func TestBehaviour050_ApcToNoThread(t *testing.T) {
	h := newHost(t)
	thread := h.up()
	apc := func(uintptr) { t.Error("ran") }
	var closedID spi.ThreadID
	want(t, h.table.WPUOpenCurrentThread(&closedID), 0)
	stale := closedID
	want(t, h.table.WPUCloseThread(&closedID), 0)
	ev, _ := h.table.WPUCreateEvent()
	want(t, h.table.WPUQueueApc(nil, apc, 0), spi.WSAEFAULT)
	for _, id := range []spi.ThreadID{closedID, stale, {}, {ThreadHandle: 4711, Reserved: 1}, {ThreadHandle: ^uintptr(0)}, {ThreadHandle: uintptr(ev)}, h.Unbound().id} {
		want(t, h.table.WPUQueueApc(&id, apc, 0), spi.WSAEFAULT)
	}
	want(t, h.table.WPUQueueApc(&thread.id, nil, 0), spi.WSAEFAULT)
	want(t, h.table.WPUCloseThread(&stale), spi.WSAEFAULT)
	want(t, h.table.WPUCloseThread(nil), spi.WSAEFAULT)
	own := thread.id
	want(t, h.table.WPUCloseThread(&own), spi.WSAEFAULT) // it is the DLL's
	thread.SleepEx(0, true)
}

func TestBehaviour051_ThreadIDIsCopied(t *testing.T) {
	h := newHost(t)
	thread := h.up()
	id := new(spi.ThreadID)
	want(t, h.table.WPUOpenCurrentThread(id), 0)
	ran := false
	want(t, queueFromElsewhere(h, id, func(uintptr) { ran = true }, 0), 0)
	*id = spi.ThreadID{ThreadHandle: 1, Reserved: 2}
	thread.SleepEx(0, true)
	if !ran {
		t.Error("the APC was lost")
	}
}

func TestBehaviour052_ThreadsBeforeStartup(t *testing.T) {
	h := newHost(t)
	thread := h.BindThread()
	defer thread.Unbind()
	var id spi.ThreadID
	want(t, h.table.WPUOpenCurrentThread(&id), spi.WSANOTINITIALISED)
	want(t, h.table.WPUCloseThread(&id), spi.WSANOTINITIALISED)

	// After the last WSACleanup it is as before the first WSAStartup.
	wantCode(t, thread, thread.WSAStartup(spi.Version22, new(WSAData)), 0)
	want(t, h.table.WPUOpenCurrentThread(&id), 0)
	wantCode(t, thread, thread.WSACleanup(), 0)
	want(t, h.table.WPUOpenCurrentThread(new(spi.ThreadID)), spi.WSANOTINITIALISED)
	want(t, h.table.WPUCloseThread(&id), spi.WSANOTINITIALISED)
}

func TestBehaviour053_ThreadThatHasEnded(t *testing.T) {
	h := newHost(t)
	h.up()
	var opened, own spi.ThreadID
	h.onThread(func(thread *Thread) {
		own = thread.id
		want(t, h.table.WPUOpenCurrentThread(&opened), 0)
	})
	for _, id := range []spi.ThreadID{opened, own} {
		want(t, h.table.WPUQueueApc(&id, func(uintptr) { t.Error("ran") }, 0), spi.WSAEFAULT)
	}
	want(t, h.table.WPUCloseThread(&opened), 0)
}

func TestBehaviour122_ApcOutlivesCloseThread(t *testing.T) {
	h := newHost(t)
	thread := h.up()
	var id spi.ThreadID
	want(t, h.table.WPUOpenCurrentThread(&id), 0)
	ran := false
	want(t, queueFromElsewhere(h, &id, func(uintptr) { ran = true }, 0), 0)
	want(t, h.table.WPUCloseThread(&id), 0)
	if thread.SleepEx(0, true) != spi.WSA_WAIT_IO_COMPLETION || !ran {
		t.Error("the APC was lost")
	}
}

func TestBehaviour125_EveryTransferHasItsThreadsID(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	var mu sync.Mutex
	seen := map[spi.ThreadID]int{}
	note := func(id *spi.ThreadID) spi.Errno {
		if id == nil {
			t.Error("lpThreadId is NULL")
			return spi.WSAEFAULT
		}
		mu.Lock()
		defer mu.Unlock()
		seen[*id]++
		return 0
	}
	f.LpWSPSend = func(_ spi.Socket, _ []spi.Buf, _ *uint32, _ uint32, _ *spi.Overlapped, _ spi.CompletionRoutine, id *spi.ThreadID) spi.Errno {
		return note(id)
	}
	f.LpWSPRecv = func(_ spi.Socket, _ []spi.Buf, _, _ *uint32, _ *spi.Overlapped, _ spi.CompletionRoutine, id *spi.ThreadID) spi.Errno {
		return note(id)
	}
	f.LpWSPSendTo = func(_ spi.Socket, _ []spi.Buf, _ *uint32, _ uint32, _ []byte, _ *spi.Overlapped, _ spi.CompletionRoutine, id *spi.ThreadID) spi.Errno {
		return note(id)
	}
	f.LpWSPRecvFrom = func(_ spi.Socket, _ []spi.Buf, _, _ *uint32, _ []byte, _ *int32, _ *spi.Overlapped, _ spi.CompletionRoutine, id *spi.ThreadID) spi.Errno {
		return note(id)
	}
	f.LpWSPIoctl = func(_ spi.Socket, code uint32, _, _ []byte, _ *uint32, _ *spi.Overlapped, _ spi.CompletionRoutine, id *spi.ThreadID) spi.Errno {
		if code == spi.SIO_CANCEL_IO && id != nil {
			return spi.ERROR_NOT_FOUND // the end of a thread cancels what it has started
		}
		return note(id)
	}
	thread := h.up()
	s := mustSocket(t, thread)
	all := func(thread *Thread) {
		var n, flags uint32
		var ov spi.Overlapped
		b := make([]byte, 8)
		bufs := []spi.Buf{spi.NewBuf(b)}
		routine := func(spi.Errno, uint32, *spi.Overlapped, uint32) {}
		if !thread.bound {
			routine = nil
		}
		thread.Send(s, b, 0)
		thread.Recv(s, b, 0)
		thread.SendTo(s, b, 0, nil)
		thread.RecvFrom(s, b, 0, nil, nil)
		thread.WSASend(s, bufs, &n, 0, nil, nil)
		thread.WSASend(s, bufs, &n, 0, &ov, routine)
		thread.WSASendTo(s, bufs, nil, 0, nil, &ov, routine)
		thread.WSARecv(s, bufs, &n, &flags, &ov, routine)
		thread.WSARecvFrom(s, bufs, nil, &flags, nil, nil, &ov, routine)
		thread.IoctlSocket(s, spi.FIONREAD, &n)
		thread.WSAIoctl(s, spi.SIO_FLUSH, nil, nil, &n, nil, nil)
	}
	all(thread)
	h.onThread(all)
	all(h.Unbound())
	if len(seen) != 3 {
		t.Errorf("%d thread ids for three threads", len(seen))
	}
	for id, n := range seen {
		if n != 11 || id == (spi.ThreadID{}) {
			t.Errorf("thread id %v came with %d calls, want 11", id, n)
		}
	}
}

// A completion routine needs a thread to run on.
func TestRoutineOnUnboundThread(t *testing.T) {
	h := newHost(t)
	h.nonIFS("echo", tcp())
	s := mustSocket(t, h.up())
	err := h.Unbound().WSASend(s, nil, nil, 0, new(spi.Overlapped), func(spi.Errno, uint32, *spi.Overlapped, uint32) {})
	wantCode(t, h.Unbound(), err, spi.WSAEOPNOTSUPP)
	var id spi.ThreadID
	done := make(chan spi.Errno)
	go func() { done <- h.table.WPUOpenCurrentThread(&id) }()
	want(t, <-done, spi.WSAEOPNOTSUPP)
}

// Without an overlapped structure the routine does not count.
func TestBehaviour055_RoutineWithoutOverlapped(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	send := f.LpWSPSend
	f.LpWSPSend = func(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, id *spi.ThreadID) spi.Errno {
		if ov != nil || routine != nil {
			t.Error("the provider got a routine")
		}
		return send(s, bufs, sent, flags, ov, routine, id)
	}
	thread := h.up()
	s := mustSocket(t, thread)
	var n uint32
	bufs := []spi.Buf{spi.NewBuf([]byte("hello"))}
	err := thread.WSASend(s, bufs, &n, 0, nil, func(spi.Errno, uint32, *spi.Overlapped, uint32) { t.Error("ran") })
	wantCode(t, thread, err, 0)
	thread.SleepEx(0, true)
	if n != 5 {
		t.Errorf("sent %d bytes", n)
	}
}

func TestBindTwiceIsTheSameThread(t *testing.T) {
	h := newHost(t)
	one := h.BindThread()
	two := h.BindThread()
	if one != two {
		t.Error("two Threads for one thread")
	}
	one.WSASetLastError(spi.WSAEINTR)
	two.Unbind()
	if one.WSAGetLastError() != spi.WSAEINTR {
		t.Error("the inner Unbind ended the thread")
	}
	one.Unbind()
	if h.CallingThread() != nil {
		t.Error("still bound")
	}
	h.Unbound().Unbind()
}

// Many threads come and go while others queue APCs to them.
func TestThreadsUnderLoad(t *testing.T) {
	h := newHost(t)
	h.up()
	var ran atomic.Int32
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				h.onThread(func(thread *Thread) {
					id := thread.id
					wg.Go(func() { h.table.WPUQueueApc(&id, func(uintptr) { ran.Add(1) }, 0) })
					thread.SleepEx(0, true)
				})
			}
		})
	}
	wg.Wait()
}
