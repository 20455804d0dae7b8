//go:build linux

package port

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// pipeEnd is a watched read end of a pipe: each byte that comes completes an
// operation, with the byte as its number of bytes transferred.
type pipeEnd struct {
	t       testing.TB
	fd, to  int
	id      uintptr
	inReady atomic.Int32
	orphans atomic.Int32
	reads   atomic.Int64
	closing sync.Once
}

func newPipe(t testing.TB) *pipeEnd {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	e := &pipeEnd{t: t, fd: fds[0], to: fds[1]}
	t.Cleanup(e.close)
	return e
}

func (e *pipeEnd) close() {
	e.closing.Do(func() { unix.Close(e.fd); unix.Close(e.to) })
}

func (e *pipeEnd) Ready(events uint32, done []spi.Completion) []spi.Completion {
	if e.inReady.Add(1) != 1 {
		e.t.Error("two calls of Ready at once")
	}
	defer e.inReady.Add(-1)
	if e.orphans.Load() > 0 {
		e.t.Error("Ready after Orphaned")
	}
	var buffer [64]byte
	for {
		n, err := unix.Read(e.fd, buffer[:])
		if err != nil || n == 0 {
			return done
		}
		e.reads.Add(int64(n))
		for _, b := range buffer[:n] {
			done = append(done, spi.Completion{Transferred: uint32(b)})
		}
	}
}

func (e *pipeEnd) Orphaned() { e.orphans.Add(1) }

func (e *pipeEnd) write(bytes ...byte) {
	if n, err := unix.Write(e.to, bytes); err != nil || n != len(bytes) {
		e.t.Errorf("wrote %d bytes: %v", n, err)
	}
}

func (e *pipeEnd) watch(p *Port, key uintptr, lane *Lane) {
	e.t.Helper()
	id, code := p.Watch(uintptr(e.fd), e, key, lane)
	if code != 0 {
		e.t.Fatal(code)
	}
	e.id = id
}

// get takes one packet and checks it.
func get(t testing.TB, p *Port, w *Worker, timeout time.Duration, want Packet) {
	t.Helper()
	if packet, result := p.Get(w, timeout); result != OK || packet != want {
		t.Errorf("packet %+v, result %v, want %+v", packet, result, want)
	}
}

func openFiles(t testing.TB) int {
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// untilLed returns when a worker waits in the poller.
func (p *Port) untilLed() {
	for {
		p.mu.Lock()
		led := p.leader != nil && p.poller.asleep.Load()
		p.mu.Unlock()
		if led {
			return
		}
		runtime.Gosched()
	}
}

func TestDescriptorsAreWatchedInsideTheDequeue(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Hour, Infinite} {
		for _, w := range []*Worker{nil, NewWorker()} {
			p := New(1, nil)
			e, f := newPipe(t), newPipe(t)
			e.watch(p, 7, nil)
			f.watch(p, 8, nil)
			e.write(1, 2)
			get(t, p, w, timeout, Packet{Bytes: 1, Key: 7})
			get(t, p, w, timeout, Packet{Bytes: 2, Key: 7})
			f.write(3)
			get(t, p, w, timeout, Packet{Bytes: 3, Key: 8})
			p.Unwatch(uintptr(f.fd), f.id)
			p.Unwatch(uintptr(f.fd), f.id)
			f.write(4)
			e.write(5)
			get(t, p, w, timeout, Packet{Bytes: 5, Key: 7})
			if _, result := p.Get(w, time.Millisecond); result != TimedOut {
				t.Errorf("an unwatched descriptor gave a packet: %v", result)
			}
			f.watch(p, 9, nil) // tells at once what is there
			get(t, p, w, timeout, Packet{Bytes: 4, Key: 9})
			p.Close()
		}
	}
}

// A number that is used again is another descriptor, whose events carry another
// id; those of the old one that are still on their way are nobody's.
func TestStaleEventsAreDropped(t *testing.T) {
	p := New(1, nil)
	defer p.Close()
	e := newPipe(t)
	e.watch(p, 1, nil)
	e.write(1)
	p.poller.look(pollOnce)
	if !p.poller.more() {
		t.Fatal("no event")
	}
	p.Unwatch(uintptr(e.fd), e.id)
	successor := newPipe(t)
	if id, code := p.Watch(uintptr(successor.fd), successor, 2, nil); code != 0 || id == e.id {
		t.Errorf("id %#x again, %v", id, code)
	}
	p.poller.proceed(1)
	if p.poller.more() || len(p.poller.completed()) != 0 || e.reads.Load() != 0 {
		t.Error("a stale event was followed")
	}
}

// TestDescriptorsThatAreLeft: a dequeue goes no further than its room, and what
// it leaves comes in order, to whoever is next.
func TestDescriptorsThatAreLeft(t *testing.T) {
	p := New(1, nil)
	defer p.Close()
	const pipes = 10
	for i := range uintptr(pipes) {
		e := newPipe(t)
		e.watch(p, i, nil)
		e.write(byte(i), byte(i))
	}
	w, v := NewWorker(), NewWorker()
	get(t, p, w, Infinite, Packet{Bytes: 0, Key: 0})
	if p.Len() != 1 || !p.poller.more() {
		t.Errorf("%d packets are queued", p.Len())
	}
	get(t, p, w, 0, Packet{Bytes: 0, Key: 0})
	p.Post(Packet{Key: 100})
	get(t, p, w, 0, Packet{Key: 100})
	w.Leave()
	room := make([]Packet, 4)
	for first := uintptr(1); first < pipes-1; first += 2 {
		n, result := p.GetMany(v, room, Infinite)
		if n != 4 || result != OK || room[0].Key != first || room[3].Key != first+1 {
			t.Errorf("%d packets, %v: %v", n, result, room)
		}
	}
	get(t, p, v, Infinite, Packet{Bytes: pipes - 1, Key: pipes - 1})
	get(t, p, nil, 0, Packet{Bytes: pipes - 1, Key: pipes - 1})
	if _, result := p.Get(v, 0); result != TimedOut {
		t.Errorf("result %v", result)
	}
}

// TestEverythingReadyIsShared: where there are other workers, asleep or at work,
// the one that leads goes on with all that is ready.
func TestEverythingReadyIsShared(t *testing.T) {
	for _, others := range []string{"none", "asleep", "at work"} {
		p := New(2, nil)
		const pipes = 4
		for i := range uintptr(pipes) {
			e := newPipe(t)
			e.watch(p, i, nil)
			e.write(1)
		}
		other := NewWorker()
		switch others {
		case "asleep":
			other.port.Store(p)
			p.mu.Lock()
			other.enter(p)
			p.mu.Unlock()
		case "at work":
			p.Post(Packet{Key: 100})
			get(t, p, other, 0, Packet{Key: 100})
		}
		get(t, p, NewWorker(), 0, Packet{Bytes: 1})
		queued := pipes - 1
		if others == "none" {
			queued = 0
		}
		if p.Len() != queued || p.poller.more() != (others == "none") {
			t.Errorf("with others %s, %d packets are queued", others, p.Len())
		}
		p.Close()
	}
}

func TestWatchErrors(t *testing.T) {
	p := New(1, nil)
	e := newPipe(t)
	e.watch(p, 1, nil)
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for name, c := range map[string]struct {
		fd   uintptr
		code spi.Errno
	}{
		"watched twice": {uintptr(e.fd), spi.WSAEINVAL},
		"not open":      {1 << 20, spi.WSAENOTSOCK},
		"a file":        {file.Fd(), spi.WSAEOPNOTSUPP},
	} {
		if _, code := p.Watch(c.fd, e, 1, nil); code != c.code {
			t.Errorf("%s: %v, want %v", name, code, c.code)
		}
	}
	if n := p.poller.watches.Len(); n != 1 {
		t.Errorf("%d watches", n)
	}
	p.Close()
	if _, code := p.Watch(uintptr(e.fd), e, 1, nil); code != spi.WSA_INVALID_HANDLE {
		t.Errorf("closed: %v", code)
	}
	p.Unwatch(uintptr(e.fd), e.id)
	empty := New(1, nil)
	empty.Close()
	if _, code := empty.Watch(uintptr(e.fd), e, 1, nil); code != spi.WSA_INVALID_HANDLE {
		t.Errorf("closed before the first: %v", code)
	}
}

// A packet wakes the leader, a follower leads when the leader goes, and a
// descriptor that is watched while workers sleep is looked after.
func TestLeaderAndFollowers(t *testing.T) {
	p := New(4, nil)
	e := newPipe(t)
	type outcome struct {
		worker int
		packet Packet
		result Result
	}
	outcomes := make(chan outcome)
	var wg sync.WaitGroup
	start := func(k int) *Worker {
		w := NewWorker()
		w.Alertable(true)
		wg.Go(func() {
			packet, result := p.Get(w, Infinite)
			outcomes <- outcome{k, packet, result}
			w.Leave()
		})
		return w
	}
	expect := func(want outcome) {
		t.Helper()
		if got := <-outcomes; got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	start(0)
	p.untilWaiting(1)
	e.watch(p, 1, nil)
	p.untilLed() // worker 0 was made to lead
	start(1)
	p.untilWaiting(1)
	p.Post(Packet{Key: 2})
	expect(outcome{1, Packet{Key: 2}, OK})
	p.Post(Packet{Key: 3})
	expect(outcome{0, Packet{Key: 3}, OK}) // called out of the poller
	leader := start(2)
	p.untilLed()
	start(3)
	p.untilWaiting(1)
	leader.Interrupt()
	expect(outcome{2, Packet{}, Interrupted})
	p.untilLed() // worker 3 leads in its place
	e.write(9)
	expect(outcome{3, Packet{Bytes: 9, Key: 1}, OK})
	start(4)
	p.untilLed()
	start(5)
	p.untilWaiting(1)
	e.write(1)
	expect(outcome{4, Packet{Bytes: 1, Key: 1}, OK})
	e.write(2) // the leader has not come back: the clock promotes the follower
	expect(outcome{5, Packet{Bytes: 2, Key: 1}, OK})
	wg.Wait()
	p.Close()
}

// What one look at the descriptors brought goes to more workers only when it
// has waited, and to more than the concurrency value allows only when nobody
// comes back.
func TestBacklogIsSharedLate(t *testing.T) {
	for _, concurrency := range []int{1, 2} {
		p := New(concurrency, nil)
		e := newPipe(t)
		e.watch(p, 1, nil)
		const workers = 3
		var wg sync.WaitGroup
		var taken sync.WaitGroup
		taken.Add(workers)
		for range workers {
			wg.Go(func() {
				w := NewWorker()
				defer w.Leave()
				if _, result := p.Get(w, Infinite); result != OK {
					t.Errorf("result %v", result)
				}
				taken.Done()
				taken.Wait() // blocks until the others have theirs
			})
		}
		p.untilWaiting(workers - 1)
		e.write(1, 2, 3)
		wg.Wait()
		if p.working != 0 {
			t.Errorf("%d at work", p.working)
		}
		p.Close()
	}
}

// TestDescriptorsDoNotStarve: workers that always find packets look at the
// descriptors all the same.
func TestDescriptorsDoNotStarve(t *testing.T) {
	p := New(1, nil)
	defer p.Close()
	e := newPipe(t)
	e.watch(p, 1, nil)
	e.write(1)
	w := NewWorker()
	p.Post(Packet{})
	for i := 0; ; i++ {
		p.Post(Packet{})
		packet, result := p.Get(w, Infinite)
		if result != OK || i > 2*fairness {
			t.Fatalf("%v after %d packets", result, i)
		}
		if packet.Key == 1 {
			return
		}
	}
}

func TestInterrupt(t *testing.T) {
	for _, descriptors := range []bool{false, true} {
		p := New(1, nil)
		if descriptors {
			newPipe(t).watch(p, 1, nil)
		}
		w := NewWorker()
		w.Interrupt() // not alertable
		if _, result := p.Get(w, time.Millisecond); result != TimedOut {
			t.Errorf("deaf: %v", result)
		}
		w.Alertable(true)
		w.Interrupt()
		p.Post(Packet{Key: 1})
		get(t, p, w, Infinite, Packet{Key: 1}) // packets come first
		if _, result := p.Get(w, Infinite); result != Interrupted {
			t.Errorf("before the wait: %v", result)
		}
		w.Alertable(true)
		const rounds = 200
		start := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for range rounds {
				<-start
				w.Interrupt()
			}
		})
		for i := range rounds {
			w.Alertable(true)
			start <- struct{}{}
			if _, result := p.Get(w, Infinite); result != Interrupted {
				t.Errorf("round %d: %v", i, result)
			}
		}
		wg.Wait()
		w.Alertable(false)
		if _, result := p.Get(w, 0); result != TimedOut {
			t.Errorf("after it: %v", result)
		}
		w.Leave()
		p.Close()
	}
}

func TestCloseEndsWatches(t *testing.T) {
	before := openFiles(t)
	for _, waiting := range []int{0, 1, 3} {
		p := New(2, nil)
		e, unwatched := newPipe(t), newPipe(t)
		e.watch(p, 1, nil)
		unwatched.watch(p, 2, nil)
		p.Unwatch(uintptr(unwatched.fd), unwatched.id)
		var wg sync.WaitGroup
		for range waiting {
			wg.Go(func() {
				if _, result := p.Get(NewWorker(), Infinite); result != Closed {
					t.Errorf("result %v", result)
				}
			})
		}
		if waiting > 0 {
			p.untilLed()
			p.untilWaiting(waiting - 1)
		}
		p.Close()
		wg.Wait()
		if e.orphans.Load() != 1 || unwatched.orphans.Load() != 0 {
			t.Errorf("Orphaned was called %d and %d times", e.orphans.Load(), unwatched.orphans.Load())
		}
		e.close()
		unwatched.close()
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors were open, then %d", before, after)
	}
}

// Lane packets run on the worker that takes them, and what they post comes out
// of the same request; a closed port gives them to stray.
func TestLanes(t *testing.T) {
	var strayed []uint32
	p := New(1, func(packet Packet) { strayed = append(strayed, packet.Bytes); packet.Run() })
	var ran []uint32
	lane := &Lane{Complete: func(c spi.Completion) {
		ran = append(ran, c.Transferred)
		if c.Transferred%2 == 1 {
			p.Post(Packet{Bytes: c.Transferred + 100, Key: 5})
		}
	}}
	e := newPipe(t)
	e.watch(p, 1, lane)
	w := NewWorker()
	e.write(1)
	get(t, p, w, Infinite, Packet{Bytes: 101, Key: 5})
	p.Post(Packet{Bytes: 2, Lane: lane})
	if _, result := p.Get(w, 0); result != TimedOut {
		t.Errorf("the lane's packet came out: %v", result)
	}
	room := make([]Packet, 10)
	for i := range uint32(4) {
		p.Post(Packet{Bytes: 2 * i, Lane: lane})
		p.Post(Packet{Bytes: i})
	}
	if n, result := p.GetMany(w, room, Infinite); n != 4 || result != OK || room[3] != (Packet{Bytes: 3}) || room[4] != (Packet{}) {
		t.Errorf("%d, %v, %+v", n, result, room)
	}
	if want := []uint32{1, 2, 0, 2, 4, 6}; fmt.Sprint(ran) != fmt.Sprint(want) {
		t.Errorf("ran %v, want %v", ran, want)
	}
	p.Post(Packet{Bytes: 20, Lane: lane})
	p.Post(Packet{Bytes: 21})
	p.Post(Packet{Bytes: 22, Lane: lane})
	p.Close()
	if p.Post(Packet{Bytes: 24, Lane: lane}) {
		t.Error("a closed port took a packet")
	}
	if want := []uint32{20, 22, 24}; fmt.Sprint(strayed) != fmt.Sprint(want) {
		t.Errorf("strayed %v, want %v", strayed, want)
	}
	if p.lanes.Load() != 0 {
		t.Error("a lane is counted for ever")
	}
}
