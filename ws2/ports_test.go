package ws2

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"upcall.dev/spi"
)

// untilWaiting returns when n threads wait at the port.
func (h *host) untilWaiting(p Port, n int) {
	object := h.ports.objects.Get(uintptr(p))
	for object.Waiters() != n {
		runtime.Gosched()
	}
}

func (h *host) newPort(t *testing.T, concurrency uint32) Port {
	t.Helper()
	p, err := h.CreateIoCompletionPort(concurrency)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What is posted may be a number that no Go pointer can hold, while the collector
// looks at all pointers there are.
func TestPostedNumbers(t *testing.T) {
	h := newHost(t)
	thread, port := h.up(), h.newPort(t, 1)
	posted := []Packet{{Posted: 1}, {Transferred: 1, Posted: ^uintptr(0)}, {Posted: 4095, Status: spi.WSAECONNRESET}}
	for _, p := range posted {
		if err := h.PostQueuedCompletionStatus(port, p); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	for _, want := range posted {
		got, err := thread.GetQueuedCompletionStatus(port, 0)
		runtime.GC()
		if got != want || (err != nil) != (want.Status != 0) {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
}

func TestBehaviour126_FailedOperationIsIndicated(t *testing.T) {
	p := newPending(t)
	port, ev := p.port(5), p.event()
	for _, status := range []spi.Errno{spi.WSAECONNRESET, spi.WSA_OPERATION_ABORTED} {
		want(t, p.table.WPUResetEvent(ev), 0)
		ov := started(ev)
		want(t, p.complete(p.s, ov, status, 0), 0)
		if !p.isSet(ev) {
			t.Error("the event is not set")
		}
		if packet, err := p.thread.GetQueuedCompletionStatus(port, 0); CodeOf(err) != status || packet.Overlapped != ov {
			t.Errorf("packet %+v, %v", packet, err)
		}
	}
}

func TestGetQueuedCompletionStatusEx(t *testing.T) {
	p := newPending(t)
	port := p.port(7)
	entries := make([]Packet, 10)
	for _, thread := range []*Thread{p.thread, p.Unbound()} {
		get := func(room int, milliseconds uint32) (int, error) {
			return thread.GetQueuedCompletionStatusEx(port, entries[:room], milliseconds, true)
		}
		_, err := get(10, 0)
		wantCode(t, thread, err, spi.WAIT_TIMEOUT)
		_, err = get(10, 2)
		wantCode(t, thread, err, spi.WAIT_TIMEOUT)
		_, err = get(0, 0)
		wantCode(t, thread, err, spi.WSA_INVALID_PARAMETER)
		_, err = thread.GetQueuedCompletionStatusEx(4711, entries, 0, false)
		wantCode(t, thread, err, spi.WSA_INVALID_HANDLE)
		ov := []*spi.Overlapped{started(0), started(0), started(0)}
		for i, status := range []spi.Errno{0, spi.WSAECONNRESET, 0} {
			want(t, p.complete(p.s, ov[i], status, uint32(i)), 0)
		}
		n, err := get(2, 0)
		wanted := []Packet{{0, 0, 7, ov[0], 0}, {1, spi.WSAECONNRESET, 7, ov[1], 0}}
		if err != nil || !slices.Equal(entries[:n], wanted) {
			t.Errorf("%+v, %v; want %+v", entries[:n], err, wanted)
		}
		if n, err := get(10, spi.WSA_INFINITE); n != 1 || err != nil || entries[0].Overlapped != ov[2] {
			t.Errorf("%d packets, %v", n, err)
		}
	}
}

func TestManyPackets(t *testing.T) {
	h := newHost(t)
	port := h.newPort(t, 0)
	const packets = 100_000
	for i := range uintptr(packets) {
		if err := h.PostQueuedCompletionStatus(port, Packet{Key: i}); err != nil {
			t.Fatal(err)
		}
	}
	entries, next := make([]Packet, 3000), uintptr(0)
	for next < packets {
		n, err := h.Unbound().GetQueuedCompletionStatusEx(port, entries, 0, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, packet := range entries[:n] {
			if packet.Key != next {
				t.Fatalf("packet %d instead of %d", packet.Key, next)
			}
			next++
		}
	}
}

// An APC ends an alertable wait at a port, whether the thread waits for
// descriptors, sleeps behind one that does, or has not begun to wait.
func TestAPCsAtAPort(t *testing.T) {
	h := newHost(t)
	h.up()
	port := h.newPort(t, 2)
	type alertable struct {
		id   spi.ThreadID
		wait chan bool  // alertably or not
		done chan error // of each wait
		runs []uintptr
	}
	var threads sync.WaitGroup
	start := func() *alertable {
		a := &alertable{wait: make(chan bool), done: make(chan error)}
		ready := make(chan struct{})
		threads.Go(func() {
			h.onThread(func(thread *Thread) {
				a.id = thread.id
				close(ready)
				for alertably := range a.wait {
					_, err := thread.GetQueuedCompletionStatusEx(port, make([]Packet, 1), spi.WSA_INFINITE, alertably)
					a.done <- err
				}
			})
		})
		<-ready
		return a
	}
	queue := func(a *alertable, context uintptr) {
		t.Helper()
		want(t, h.table.WPUQueueApc(&a.id, func(c uintptr) { a.runs = append(a.runs, c) }, context), 0)
	}
	expect := func(a *alertable, code spi.Errno, runs ...uintptr) {
		t.Helper()
		if err := <-a.done; CodeOf(err) != code || !slices.Equal(a.runs, runs) {
			t.Errorf("%v, APCs %v; want %v, %v", err, a.runs, code, runs)
		}
	}
	first, second := start(), start()
	queue(first, 1) // before the wait
	first.wait <- true
	expect(first, spi.WAIT_IO_COMPLETION, 1)
	first.wait <- true
	h.untilWaiting(port, 1)
	second.wait <- true
	h.untilWaiting(port, 2)
	queue(first, 2)
	expect(first, spi.WAIT_IO_COMPLETION, 1, 2)
	queue(second, 1)
	expect(second, spi.WAIT_IO_COMPLETION, 1)
	// Packets come first, and a wait that is not alertable runs no APC.
	queue(first, 3)
	if err := h.PostQueuedCompletionStatus(port, Packet{}); err != nil {
		t.Error(err)
	}
	first.wait <- true
	expect(first, 0, 1, 2)
	first.wait <- false
	h.untilWaiting(port, 1)
	if err := h.PostQueuedCompletionStatus(port, Packet{}); err != nil {
		t.Error(err)
	}
	expect(first, 0, 1, 2)
	first.wait <- true
	expect(first, spi.WAIT_IO_COMPLETION, 1, 2, 3)
	close(first.wait)
	close(second.wait)
	threads.Wait()
}

func TestClosedPort(t *testing.T) {
	h := newHost(t)
	port := h.newPort(t, 0)
	var waiters sync.WaitGroup
	for k := range 4 {
		waiters.Go(func() {
			h.onThread(func(thread *Thread) {
				var err error
				if k%2 == 0 {
					_, err = thread.GetQueuedCompletionStatus(port, spi.WSA_INFINITE)
				} else {
					_, err = thread.GetQueuedCompletionStatusEx(port, make([]Packet, 3), 3_600_000, true)
				}
				if CodeOf(err) != spi.ERROR_ABANDONED_WAIT_0 || thread.WSAGetLastError() != spi.ERROR_ABANDONED_WAIT_0 {
					t.Errorf("waiter %d woke with %v", k, err)
				}
			})
		})
	}
	h.untilWaiting(port, 4)
	if err := h.CloseCompletionPort(port); err != nil {
		t.Error(err)
	}
	waiters.Wait()
	if _, err := h.Unbound().GetQueuedCompletionStatus(port, 0); CodeOf(err) != spi.WSA_INVALID_HANDLE {
		t.Errorf("afterwards: %v", err)
	}
}

// chain is a host with handles of its own making, each the upper one of the
// handle before it.
type chain struct {
	*host
	dll     spi.DLL
	thread  *Thread
	handles []spi.Socket
	ran     []atomic.Int32 // packets that came to each layer
}

// newChain makes depth+1 handles; each layer passes completions up.
func newChain(t *testing.T, depth int) *chain {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	c := &chain{host: h, thread: h.up(), dll: h.Exports(), ran: make([]atomic.Int32, depth+1)}
	for i := range depth + 1 {
		s, e := h.table.WPUCreateSocketHandle(f.ids[0], uintptr(i))
		want(t, e, 0)
		c.handles = append(c.handles, s)
	}
	for i := range depth {
		want(t, c.dll.CompleteWith(c.handles[i], c.handles[i+1], func(done spi.Completion) {
			c.ran[i+1].Add(1)
			if done.Overlapped.Offset != uint32(i) {
				t.Errorf("layer %d was given %+v", i+1, done.Overlapped)
			}
			own := started(0)
			own.Offset = uint32(i + 1)
			want(t, c.dll.WPUCompleteOverlappedRequest(c.handles[i+1], own, done.Status, done.Transferred+1), 0)
		}), 0)
	}
	return c
}

func TestLanesOfAnyDepth(t *testing.T) {
	for depth := 1; depth < spi.MaxProtocolChain; depth++ {
		c := newChain(t, depth)
		bottom, top := c.handles[0], c.handles[depth]
		want(t, c.dll.WPUCompleteOverlappedRequest(bottom, started(0), 0, 10), 0)
		if c.ran[1].Load() != 0 || c.dll.CompletionPort(bottom) != nil {
			t.Error("a lane without a port")
		}
		port := c.newPort(t, 1)
		if err := c.AssociateCompletionPort(top, port, 42); err != nil {
			t.Fatal(err)
		}
		for i, s := range c.handles {
			if p := c.dll.CompletionPort(s); p == nil || p != c.dll.CompletionPort(s) || p.SkipOnSuccess() {
				t.Errorf("handle %d has port %v", i, p)
			}
		}
		if depth > 1 && c.dll.CompletionPort(bottom) == c.dll.CompletionPort(top) {
			t.Error("lanes count as equal")
		}
		want(t, c.dll.WPUCompleteOverlappedRequest(bottom, started(0), spi.WSAECONNRESET, 10), 0)
		if c.ran[1].Load() != 0 {
			t.Error("the lane ran without a dequeue")
		}
		packet, err := c.thread.GetQueuedCompletionStatus(port, 0)
		if CodeOf(err) != spi.WSAECONNRESET || packet.Key != 42 || packet.Transferred != 10+uint32(depth) || packet.Overlapped == nil {
			t.Errorf("depth %d: %+v, %v", depth, packet, err)
		}
		// A tagged event keeps the packet away from the layer, too.
		ev, e := c.table.WPUCreateEvent()
		want(t, e, 0)
		want(t, c.dll.WPUCompleteOverlappedRequest(bottom, started(ev|1), 0, 1), 0)
		if _, err := c.thread.GetQueuedCompletionStatus(port, 0); CodeOf(err) != spi.WAIT_TIMEOUT || c.ran[1].Load() != 1 {
			t.Errorf("tagged: %v", err)
		}
		want(t, c.table.WPUCloseSocketHandle(c.handles[1]), 0)
		if c.dll.CompletionPort(bottom) != nil {
			t.Error("the lane outlives its upper handle")
		}
		if err := c.CloseCompletionPort(port); err != nil {
			t.Error(err)
		}
	}
}

// A layer sees the end of its operations although the client has closed the
// port; WSACleanup waits for that.
func TestLanesOfAClosedPort(t *testing.T) {
	for _, queued := range []bool{true, false} {
		c := newChain(t, 2)
		port := c.newPort(t, 1)
		if err := c.AssociateCompletionPort(c.handles[2], port, 1); err != nil {
			t.Fatal(err)
		}
		const packets = 100
		complete := func() {
			for range packets {
				want(t, c.dll.WPUCompleteOverlappedRequest(c.handles[0], started(0), 0, 1), 0)
			}
		}
		if queued {
			complete()
		}
		if err := c.CloseCompletionPort(port); err != nil {
			t.Error(err)
		}
		if c.dll.CompletionPort(c.handles[0]) != nil {
			t.Error("a closed port is told")
		}
		if !queued {
			complete()
		}
		if err := c.thread.WSACleanup(); err != nil {
			t.Error(err)
		}
		if n := c.ran[2].Load(); n != packets {
			t.Errorf("WSACleanup did not wait: %d of %d", n, packets)
		}
	}
}

func TestCompleteWithErrors(t *testing.T) {
	c := newChain(t, 1)
	f := func(spi.Completion) {}
	gone := c.handles[1] + 1<<40
	for name, got := range map[string]struct{ code, want spi.Errno }{
		"no function":     {c.dll.CompleteWith(c.handles[0], c.handles[1], nil), spi.WSAEFAULT},
		"no lower socket": {c.dll.CompleteWith(gone, c.handles[1], f), spi.WSAENOTSOCK},
		"no upper socket": {c.dll.CompleteWith(c.handles[0], gone, f), spi.WSAEINVAL},
		"IFS upper":       {c.dll.CompleteWith(c.handles[0], 1, f), spi.WSAEINVAL},
		"itself":          {c.dll.CompleteWith(c.handles[0], c.handles[0], f), spi.WSAEINVAL},
	} {
		if got.code != got.want {
			t.Errorf("%s: %v, want %v", name, got.code, got.want)
		}
	}
	// A ring of lanes has no port.
	want(t, c.dll.CompleteWith(c.handles[1], c.handles[0], f), 0)
	if c.dll.CompletionPort(c.handles[0]) != nil {
		t.Error("a ring has a port")
	}
}

// A layer that panics in its lane does not take the client's thread along.
func TestPanicInALane(t *testing.T) {
	c := newChain(t, 1)
	want(t, c.dll.CompleteWith(c.handles[0], c.handles[1], func(spi.Completion) { panic("lane") }), 0)
	port := c.newPort(t, 1)
	if err := c.AssociateCompletionPort(c.handles[1], port, 1); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		want(t, c.dll.WPUCompleteOverlappedRequest(c.handles[0], started(0), 0, 1), 0)
	}
	if _, err := c.thread.GetQueuedCompletionStatus(port, 0); CodeOf(err) != spi.WAIT_TIMEOUT {
		t.Error(err)
	}
	if logs := c.logged(); len(logs) != 1 {
		t.Errorf("logged %q", logs)
	}
}

func TestCreateEvent(t *testing.T) {
	thread := newHost(t).up()
	for _, c := range []struct{ manual, initial bool }{{false, false}, {false, true}, {true, false}, {true, true}} {
		ev, err := thread.CreateEvent(c.manual, c.initial)
		if err != nil {
			t.Fatal(err)
		}
		isSet := func() bool {
			code, err := thread.WSAWaitForMultipleEvents([]spi.Event{ev}, false, 0, false)
			if err != nil {
				t.Fatal(err)
			}
			return code == spi.WSA_WAIT_EVENT_0
		}
		if isSet() != c.initial {
			t.Errorf("%+v: initial state", c)
		}
		wantCode(t, thread, thread.WSASetEvent(ev), 0)
		if !isSet() || isSet() != c.manual {
			t.Errorf("%+v: after setting", c)
		}
	}
}
