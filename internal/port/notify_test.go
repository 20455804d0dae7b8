package port

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

const (
	in     = spi.SOCK_NOTIFY_EVENT_IN
	out    = spi.SOCK_NOTIFY_EVENT_OUT
	hangup = spi.SOCK_NOTIFY_EVENT_HANGUP
	remove = spi.SOCK_NOTIFY_EVENT_REMOVE
)

// notified is a port with one end of a connection, registered or to be.
type notified struct {
	t    *testing.T
	port *Port
	w    *Worker
	fd   int
	peer int
}

func newNotified(t *testing.T) *notified {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := &notified{t: t, port: New(1, nil), w: NewWorker(), fd: pair[0], peer: pair[1]}
	t.Cleanup(func() {
		n.port.Close()
		unix.Close(n.fd)
		unix.Close(n.peer)
	})
	return n
}

func (n *notified) register(key uintptr) *Registration {
	n.t.Helper()
	r, code := n.port.Register(uintptr(n.fd), key)
	if code != 0 {
		n.t.Fatal(code)
	}
	return r
}

// enabled registers and enables with key 7.
func (n *notified) enabled(filter uint16, edge, oneshot bool) *Registration {
	n.t.Helper()
	r := n.register(7)
	n.enable(r, filter, edge, oneshot)
	return r
}

func (n *notified) enable(r *Registration, filter uint16, edge, oneshot bool) {
	n.t.Helper()
	if code := r.Enable(filter, edge, oneshot); code != 0 {
		n.t.Fatal(code)
	}
}

// want looks for a packet, once; 0 wants none.
func (n *notified) want(events uint32) {
	n.t.Helper()
	n.wantWithin(events, 0)
}

func (n *notified) wantWithin(events uint32, timeout time.Duration) {
	n.t.Helper()
	packet, result := n.port.Get(n.w, timeout)
	switch {
	case events == 0 && result != TimedOut:
		n.t.Fatalf("a packet with the events %#x came (result %d)", packet.Bytes, result)
	case events == 0:
	case result != OK || packet.Bytes != events || packet.Key != 7 || packet.Lane != nil || packet.Overlapped != nil:
		n.t.Fatalf("result %d, packet %+v; want the events %#x", result, packet, events)
	}
}

func (n *notified) send() {
	n.t.Helper()
	if _, err := unix.Write(n.peer, []byte("x")); err != nil {
		n.t.Fatal(err)
	}
}

func (n *notified) drain() {
	n.t.Helper()
	buf := make([]byte, 100)
	for {
		if _, err := unix.Read(n.fd, buf); errors.Is(err, unix.EAGAIN) {
			return
		} else if err != nil {
			n.t.Fatal(err)
		}
	}
}

func TestLevelIsToldWhileItHolds(t *testing.T) {
	n := newNotified(t)
	n.enabled(in|hangup, false, false)
	n.want(0)
	n.send()
	for range 3 {
		n.want(in)
	}
	n.drain()
	n.want(0)
	n.send()
	n.want(in)
	n.drain()
	unix.Close(n.peer)
	n.peer = -1
	n.want(in | hangup)
	n.want(in | hangup)
}

// What was told but not taken yet is told no more when it does not hold.
func TestLevelHoldsWhenItIsTaken(t *testing.T) {
	n := newNotified(t)
	n.enabled(in, false, false)
	n.send()
	other := n.port
	other.Post(Packet{Key: 1})
	if packet, result := other.Get(n.w, 0); result != OK || packet.Key != 1 {
		t.Fatal(packet, result)
	}
	// The leader has seen it, and its packet is in the queue.
	other.notes.mu.Lock()
	ready := other.notes.collect(nil)
	other.notes.mu.Unlock()
	if len(ready) != 1 || !other.Post(ready[0]) {
		t.Fatalf("%d packets", len(ready))
	}
	n.drain()
	n.want(0)
	n.send()
	n.want(in)
}

func TestOneshotIsToldOnce(t *testing.T) {
	n := newNotified(t)
	r := n.enabled(in, false, true)
	n.send()
	n.want(in)
	n.want(0)
	n.enable(r, in, false, true)
	n.want(in)
	n.want(0)
	n.drain()
	n.enable(r, in, true, true)
	n.want(0)
	n.send()
	n.want(in)
	n.send()
	n.want(0)
}

func TestEdgeIsToldWhenItBegins(t *testing.T) {
	n := newNotified(t)
	n.send()
	r := n.enabled(in|out, true, false)
	n.want(0) // both hold already
	n.drain()
	n.want(0)
	n.send()
	packet, result := n.port.Get(n.w, 0)
	if result != OK || packet.Bytes&in == 0 {
		t.Fatal(packet, result)
	}
	n.want(0)
	n.drain()

	// Not while it is disabled, and not afterwards if it held before.
	r.Disable()
	n.send()
	n.want(0)
	n.enable(r, in, true, false)
	n.want(0)
	n.drain()
	n.send()
	n.want(in)

	// What one packet has not told yet it tells with what came before.
	n.drain()
	n.enable(r, in|hangup, true, false)
	n.send()
	n.port.notes.mu.Lock()
	ready := n.port.notes.collect(nil)
	n.port.notes.mu.Unlock()
	if len(ready) != 1 {
		t.Fatalf("%d packets", len(ready))
	}
	n.port.Post(ready[0])
	unix.Shutdown(n.peer, unix.SHUT_WR)
	n.port.notes.mu.Lock()
	more := n.port.notes.collect(nil)
	n.port.notes.mu.Unlock()
	if len(more) != 0 {
		t.Fatal("a second packet")
	}
	n.want(in | hangup)
}

func TestRegistrationsEnd(t *testing.T) {
	n := newNotified(t)
	r := n.enabled(in, false, false)
	n.send()
	r.Disable()
	n.want(0)
	if !r.Remove() || r.Remove() {
		t.Error("the second removal is one too")
	}
	if !r.Ended() {
		t.Error("removed, and has not ended")
	}
	n.want(remove)
	n.want(0)
	if code := r.Enable(in, false, false); code != spi.WSA_INVALID_HANDLE {
		t.Errorf("enabled after its removal: %v", code)
	}
	n.enabled(in, false, false)
	n.want(in)

	// Another registration of the same number supersedes it.
	before := n.register(8)
	after := n.enabled(in, false, false)
	if before.Enable(in, false, false) != spi.WSA_INVALID_HANDLE {
		t.Error("superseded, and enabled all the same")
	}
	n.want(in)
	after.Drop()
	after.Drop()
	if after.Remove() {
		t.Error("removed after its descriptor was closed")
	}
}

// A packet in the queue is the one that tells of the removal.
func TestRemovalIsTheLastPacket(t *testing.T) {
	for _, edge := range []bool{false, true} {
		n := newNotified(t)
		r := n.enabled(in, edge, false)
		n.send()
		n.port.notes.mu.Lock()
		ready := n.port.notes.collect(nil)
		n.port.notes.mu.Unlock()
		if len(ready) != 1 {
			t.Fatalf("%d packets", len(ready))
		}
		n.port.Post(ready[0])
		r.Remove()
		if edge {
			n.want(in | remove)
		} else {
			n.want(remove)
		}
		n.want(0)
	}
}

// A socket that was never connected is not hung up, whatever the system says;
// it is told of when it is connected.
func TestUnconnectedSocketIsNotHungUp(t *testing.T) {
	for _, edge := range []bool{false, true} {
		n := newNotified(t)
		listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(listener)
		if err := errors.Join(unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(listener, 1)); err != nil {
			t.Fatal(err)
		}
		where, err := unix.Getsockname(listener)
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(n.fd)
		if n.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
			t.Fatal(err)
		}
		n.enabled(in|out|hangup, edge, false)
		n.want(0)
		if err := unix.Connect(n.fd, where); err != nil && !errors.Is(err, unix.EINPROGRESS) {
			t.Fatal(err)
		}
		n.wantWithin(out, Infinite)
		accepted, _, err := unix.Accept(listener)
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(accepted)
		for told := uint32(0); told&hangup == 0; { // the end takes its time to get here
			packet, result := n.port.Get(n.w, Infinite)
			if result != OK {
				t.Fatal(result)
			}
			told |= packet.Bytes
		}
	}
}

func TestClosedPortEndsRegistrations(t *testing.T) {
	n := newNotified(t)
	r := n.enabled(in, false, false)
	n.send()
	n.port.Close()
	if code := r.Enable(in, false, false); code != spi.WSA_INVALID_HANDLE {
		t.Error(code)
	}
	if _, code := n.port.Register(uintptr(n.fd), 7); code != spi.WSA_INVALID_HANDLE {
		t.Error(code)
	}
	r.Disable()
	if r.Remove() {
		t.Error("removed from a closed port")
	}
	r.Drop()
	if closed := New(1, nil); closed.Close() {
		if _, code := closed.Register(uintptr(n.fd), 7); code != spi.WSA_INVALID_HANDLE {
			t.Error(code)
		}
	}
	if code := n.enableOf(1 << 20); code != spi.WSAENOTSOCK {
		t.Errorf("no descriptor: %v", code)
	}
}

func (n *notified) enableOf(fd uintptr) spi.Errno {
	p := New(1, nil)
	defer p.Close()
	r, code := p.Register(fd, 7)
	if code != 0 {
		return code
	}
	return r.Enable(in, false, false)
}

// Several workers and one-shot registrations: no descriptor is told to two at a
// time, and none is forgotten.
func TestOneshotAmongWorkers(t *testing.T) {
	const pairs, rounds, workers = 8, 200, 3
	p := New(workers, nil)
	var ends [pairs]*notified
	registrations := make([]*Registration, pairs)
	var busy [pairs]atomic.Bool
	for i := range ends {
		ends[i] = newNotified(t)
		r, code := p.Register(uintptr(ends[i].fd), uintptr(i))
		if code != 0 {
			t.Fatal(code)
		}
		registrations[i] = r
		ends[i].enable(r, in, false, true)
	}
	var received, left atomic.Int64
	left.Store(pairs * rounds)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			w := NewWorker()
			defer w.Leave()
			buf := make([]byte, 16)
			for {
				packet, result := p.Get(w, Infinite)
				if result == Closed {
					return
				}
				i := packet.Key
				if !busy[i].CompareAndSwap(false, true) {
					t.Errorf("end %d is told to two workers", i)
				}
				got, _ := unix.Read(ends[i].fd, buf)
				busy[i].Store(false)
				if code := registrations[i].Enable(in, false, true); code != 0 {
					t.Error(code)
				}
				received.Add(int64(max(got, 0)))
				if left.Add(-int64(max(got, 0))) == 0 {
					p.Close()
				}
			}
		})
	}
	for range rounds {
		for i := range ends {
			ends[i].send()
		}
	}
	wg.Wait()
	if received.Load() != pairs*rounds {
		t.Errorf("received %d, want %d", received.Load(), pairs*rounds)
	}
}

// A descriptor may be watched for its operations and registered at once.
func TestWatchedAndRegistered(t *testing.T) {
	n := newNotified(t)
	var seen []uint32
	id, code := n.port.Watch(uintptr(n.fd), watcher(func(events uint32) { seen = append(seen, events) }), 1, nil)
	if code != 0 {
		t.Fatal(code)
	}
	n.enabled(in, false, false)
	n.send()
	n.want(in)
	if !slices.ContainsFunc(seen, func(events uint32) bool { return events&unix.EPOLLIN != 0 }) {
		t.Errorf("the watch has seen %v", seen)
	}
	n.port.Unwatch(uintptr(n.fd), id)
	n.want(in)
}

type watcher func(events uint32)

func (f watcher) Ready(events uint32, done []spi.Completion) []spi.Completion {
	f(events)
	return done
}

func (watcher) Orphaned() {}
