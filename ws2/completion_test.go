package ws2

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"upcall.dev/spi"
)

// pending is a host with one socket whose operations the test completes.
type pending struct {
	*host
	thread   *Thread
	s        spi.Socket
	complete func(s spi.Socket, ov *spi.Overlapped, status spi.Errno, transferred uint32) spi.Errno
}

func newPending(t *testing.T) *pending {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	thread := h.up()
	s := mustSocket(t, thread)
	return &pending{h, thread, s, f.dll.WPUCompleteOverlappedRequest}
}

func (p *pending) event() spi.Event {
	ev, e := p.table.WPUCreateEvent()
	want(p.t, e, 0)
	return ev
}

func (p *pending) isSet(ev spi.Event) bool {
	return p.Exports().WaitForEvent(ev, 0) == spi.WSA_WAIT_EVENT_0
}

// port makes a port that the socket is associated with.
func (p *pending) port(key uintptr) Port {
	p.t.Helper()
	port, err := p.CreateIoCompletionPort(0)
	if err == nil {
		err = p.AssociateCompletionPort(p.s, port, key)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return port
}

// noPacket fails the test if the port has a packet.
func (p *pending) noPacket(port Port) {
	p.t.Helper()
	if packet, err := p.thread.GetQueuedCompletionStatus(port, 0); CodeOf(err) != spi.WAIT_TIMEOUT {
		p.t.Errorf("packet %+v, %v; want none", packet, err)
	}
}

func started(ev spi.Event) *spi.Overlapped {
	ov := &spi.Overlapped{HEvent: ev}
	ov.Start()
	return ov
}

func TestBehaviour029_CompletionWithEvent(t *testing.T) {
	p := newPending(t)
	ov := started(p.event())
	if p.isSet(ov.HEvent) {
		t.Fatal("set before completion")
	}
	want(t, p.complete(p.s, ov, 0, 10), 0)
	if !p.isSet(ov.HEvent) || ov.InternalHigh != 10 || ov.InProgress() || ov.Internal != 0 {
		t.Errorf("event set: %v, %+v", p.isSet(ov.HEvent), ov)
	}
}

func TestBehaviour030_ReaderSeesBytesAfterStatus(t *testing.T) {
	p := newPending(t)
	for i := range uint32(2000) {
		ov := started(0)
		done := make(chan uint64)
		go func() {
			for ov.InProgress() {
				runtime.Gosched()
			}
			done <- ov.InternalHigh
		}()
		want(t, p.complete(p.s, ov, 0, i+1), 0)
		if got := <-done; got != uint64(i)+1 {
			t.Fatalf("the reader saw %d bytes, want %d", got, i+1)
		}
	}
}

func TestBehaviour031_CompletionWithoutIndication(t *testing.T) {
	p := newPending(t)
	ov := started(0)
	want(t, p.complete(p.s, ov, 0, 3), 0)
	if ov.InProgress() || ov.InternalHigh != 3 {
		t.Errorf("%+v", ov)
	}
	want(t, p.complete(p.s, nil, 0, 3), spi.WSAEINVAL)
	// An event that was closed meanwhile is passed over.
	ev := p.event()
	ov = started(ev)
	want(t, p.table.WPUCloseEvent(ev), 0)
	want(t, p.complete(p.s, ov, 0, 3), 0)
}

func TestBehaviour032_CompletionWithPort(t *testing.T) {
	p := newPending(t)
	port := p.port(77)
	ov := started(0)
	want(t, p.complete(p.s, ov, 0, 10), 0)
	packet, err := p.thread.GetQueuedCompletionStatus(port, 0)
	if want := (Packet{Transferred: 10, Key: 77, Overlapped: ov}); packet != want || err != nil {
		t.Errorf("packet %+v, %v; want %+v", packet, err, want)
	}
	p.noPacket(port)
}

func TestBehaviour033_TaggedEventSuppressesPacket(t *testing.T) {
	p := newPending(t)
	port, ev := p.port(77), p.event()
	want(t, p.complete(p.s, started(ev|1), 0, 10), 0)
	if !p.isSet(ev) {
		t.Error("the event is not set")
	}
	p.noPacket(port)
}

func TestBehaviour034_EventAndPacket(t *testing.T) {
	p := newPending(t)
	port, ev := p.port(77), p.event()
	ov := started(ev)
	want(t, p.complete(p.s, ov, 0, 10), 0)
	if !p.isSet(ev) {
		t.Error("the event is not set")
	}
	if packet, err := p.thread.GetQueuedCompletionStatus(port, 0); packet.Overlapped != ov || err != nil {
		t.Errorf("packet %+v, %v", packet, err)
	}
}

func TestBehaviour035_FailedOperation(t *testing.T) {
	p := newPending(t)
	port := p.port(77)
	for _, status := range []spi.Errno{spi.WSAECONNRESET, spi.WSA_OPERATION_ABORTED, spi.OperationInProgress} {
		ov := started(0)
		want(t, p.complete(p.s, ov, status, 4), 0)
		packet, err := p.thread.GetQueuedCompletionStatus(port, 0)
		if CodeOf(err) != status || packet.Status != status || packet.Overlapped != ov || packet.Transferred != 4 {
			t.Errorf("packet %+v, %v; want status %v", packet, err, status)
		}
		if ov.Internal == 0 || ov.InProgress() {
			t.Errorf("Internal is %#x", ov.Internal)
		}
	}
}

func TestBehaviour036_OffsetsAreTheProviders(t *testing.T) {
	p := newPending(t)
	ov := started(0)
	ov.Offset, ov.OffsetHigh = 0x11, 0x22
	want(t, p.complete(p.s, ov, spi.WSAEINTR, 4), 0)
	if ov.Offset != 0x11 || ov.OffsetHigh != 0x22 {
		t.Errorf("%+v", ov)
	}
}

func TestBehaviour037_CompletionOrder(t *testing.T) {
	p := newPending(t)
	port := p.port(77)
	ovs := []*spi.Overlapped{started(0), started(0), started(0)}
	order := []int{2, 0, 1}
	for _, i := range order {
		want(t, p.complete(p.s, ovs[i], 0, uint32(i)), 0)
	}
	for _, i := range order {
		if packet, err := p.thread.GetQueuedCompletionStatus(port, 0); packet.Overlapped != ovs[i] || err != nil {
			t.Errorf("packet %+v, %v; want the one of %d", packet, err, i)
		}
	}
}

func TestBehaviour038_HandlesDoNotDisturbEachOther(t *testing.T) {
	p := newPending(t)
	port := p.port(77)
	other := mustSocket(t, p.thread)
	elsewhere, err := p.CreateIoCompletionPort(1)
	wantCode(t, p.thread, err, 0)
	if err := p.AssociateCompletionPort(other, elsewhere, 88); err != nil {
		t.Fatal(err)
	}
	quiet := started(p.event())
	ov := started(p.event())
	want(t, p.complete(other, ov, 0, 10), 0)
	if !quiet.InProgress() || p.isSet(quiet.HEvent) {
		t.Error("the other operation changed")
	}
	p.noPacket(port)
	if packet, err := p.thread.GetQueuedCompletionStatus(elsewhere, 0); packet.Key != 88 || err != nil {
		t.Errorf("packet %+v, %v", packet, err)
	}
}

func TestBehaviour039_ResultComesFromTheProvider(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	f.LpWSPGetOverlappedResult = func(_ spi.Socket, ov *spi.Overlapped, transferred *uint32, _ bool, flags *uint32) spi.Errno {
		if ov.InProgress() {
			return spi.WSA_IO_INCOMPLETE
		}
		*transferred, *flags = uint32(ov.InternalHigh), ov.Offset
		return spi.Errno(ov.OffsetHigh)
	}
	thread := h.up()
	s := mustSocket(t, thread)
	ov := started(0)
	n, flags := uint32(99), uint32(99)
	wantCode(t, thread, thread.WSAGetOverlappedResult(s, ov, &n, false, &flags), spi.WSA_IO_INCOMPLETE)
	if n != 99 {
		t.Error("the count was written")
	}
	ov.Offset = spi.MSG_PARTIAL
	want(t, f.dll.WPUCompleteOverlappedRequest(s, ov, 0, 5), 0)
	wantCode(t, thread, thread.WSAGetOverlappedResult(s, ov, &n, false, &flags), 0)
	if n != 5 || flags != spi.MSG_PARTIAL {
		t.Error(n, flags)
	}
	wantCode(t, thread, thread.WSAGetOverlappedResult(s, nil, &n, false, &flags), spi.WSAEFAULT)
}

// A waiter that the event wakes never finds the operation in progress.
// The event's signal runs inside WPUSetEvent, so it sees what a waiter that is
// woken at once would see.
func TestBehaviour121_EventComesAfterStatus(t *testing.T) {
	p := newPending(t)
	var ov *spi.Overlapped
	signals := 0
	ev, e := p.Exports().RegisterWait(func() {
		signals++
		if ov.InProgress() || ov.InternalHigh != 10 {
			t.Errorf("signalled with %+v", ov)
		}
	})
	want(t, e, 0)
	for _, status := range []spi.Errno{0, spi.WSAECONNRESET} {
		ov = started(ev)
		want(t, p.complete(p.s, ov, status, 10), 0)
	}
	if signals != 2 {
		t.Errorf("%d signals", signals)
	}
	waited := p.event()
	for range 100 {
		want(t, p.table.WPUResetEvent(waited), 0)
		ov := started(waited)
		go p.complete(p.s, ov, 0, 10)
		if _, err := p.thread.WSAWaitForMultipleEvents([]spi.Event{waited}, false, spi.WSA_INFINITE, false); err != nil {
			t.Fatal(err)
		}
		if ov.InProgress() || ov.InternalHigh != 10 {
			t.Fatal("woken too early")
		}
	}
}

func TestPorts(t *testing.T) {
	p := newPending(t)
	port := p.port(1)
	h := p.host
	bad := Port(4711)
	for i, err := range []error{
		h.AssociateCompletionPort(p.s, bad, 0), h.PostQueuedCompletionStatus(bad, Packet{}), h.CloseCompletionPort(bad),
	} {
		if CodeOf(err) != spi.WSA_INVALID_HANDLE {
			t.Errorf("call %d: %v", i, err)
		}
	}
	_, err := p.thread.GetQueuedCompletionStatus(bad, 0)
	wantCode(t, p.thread, err, spi.WSA_INVALID_HANDLE)
	if err := h.AssociateCompletionPort(p.s, port, 2); CodeOf(err) != spi.WSA_INVALID_PARAMETER {
		t.Errorf("second association: %v", err)
	}
	if err := h.AssociateCompletionPort(4711, port, 2); CodeOf(err) != spi.WSAENOTSOCK {
		t.Errorf("association of no socket: %v", err)
	}
	ov := new(spi.Overlapped)
	own := Packet{Transferred: 1, Key: 2, Overlapped: ov}
	if err := h.PostQueuedCompletionStatus(port, own); err != nil {
		t.Error(err)
	}
	if packet, err := h.Unbound().GetQueuedCompletionStatus(port, spi.WSA_INFINITE); packet != own || err != nil {
		t.Errorf("packet %+v, %v", packet, err)
	}
	// Closing wakes the waiting thread; completions go on without the port.
	woken := make(chan error)
	go func() {
		_, err := h.Unbound().GetQueuedCompletionStatus(port, spi.WSA_INFINITE)
		woken <- err
	}()
	if err := h.CloseCompletionPort(port); err != nil {
		t.Error(err)
	}
	if err := <-woken; CodeOf(err) != spi.ERROR_ABANDONED_WAIT_0 && CodeOf(err) != spi.WSA_INVALID_HANDLE {
		t.Errorf("woken with %v", err)
	}
	want(t, p.complete(p.s, started(0), 0, 1), 0)
}

// Workers share the packets of many completions: each comes once.
func TestPortUnderLoad(t *testing.T) {
	p := newPending(t)
	port := p.port(1)
	const completions, workers = 500, 3
	var got atomic.Int32
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			p.onThread(func(thread *Thread) {
				for {
					packet, err := thread.GetQueuedCompletionStatus(port, spi.WSA_INFINITE)
					if err != nil || packet.Overlapped == nil {
						return
					}
					got.Add(1)
				}
			})
		})
	}
	for range completions {
		want(t, p.complete(p.s, started(0), 0, 1), 0)
	}
	for range workers {
		if err := p.PostQueuedCompletionStatus(port, Packet{}); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if got.Load() != completions {
		t.Errorf("%d packets, want %d", got.Load(), completions)
	}
}
