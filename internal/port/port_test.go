package port

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"upcall.dev/spi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stack returns the workers that wait, the last that came first.
func (p *Port) stack() (list []*Worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := p.last; w != nil; w = w.older {
		list = append(list, w)
	}
	return list
}

// untilWaiting returns when n workers wait.
func (p *Port) untilWaiting(n int) {
	for len(p.stack()) != n {
		runtime.Gosched()
	}
}

func TestChunkSize(t *testing.T) {
	if size := unsafe.Sizeof(chunk{}); size > 4096 || size < 4096-24 {
		t.Errorf("a chunk has %d bytes", size)
	}
}

func TestPacketArrivesWhole(t *testing.T) {
	p := New(0, nil)
	defer p.Close()
	want := Packet{Bytes: 1<<32 - 1, Status: spi.WSA_OPERATION_ABORTED, Key: ^uintptr(0), Overlapped: new(spi.Overlapped)}
	p.Post(want)
	if got, result := p.Get(nil, Infinite); result != OK || got != want {
		t.Errorf("%+v, %v", got, result)
	}
	if got, result := p.Get(nil, 0); result != TimedOut || got != (Packet{}) {
		t.Errorf("empty: %+v, %v", got, result)
	}
	if _, result := p.Get(NewWorker(), time.Millisecond); result != TimedOut {
		t.Errorf("empty: %v", result)
	}
	if n, result := p.GetMany(nil, nil, Infinite); n != 0 || result != Refused {
		t.Errorf("no room: %d, %v", n, result)
	}
}

// TestQueueModel checks the queue against a slice.
func TestQueueModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var model []Packet
		next := uintptr(0)
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for range rapid.IntRange(1, 3*chunkLen).Draw(t, "count") {
					next++
					q.push(Packet{Key: next, Overlapped: new(spi.Overlapped)})
					model = append(model, Packet{Key: next})
				}
			},
			"pop": func(t *rapid.T) {
				room := make([]Packet, rapid.IntRange(0, 3*chunkLen).Draw(t, "room"))
				n := q.pop(room)
				if n != min(len(room), len(model)) {
					t.Fatalf("%d packets", n)
				}
				for i, got := range room[:n] {
					if got.Key != model[i].Key || got.Overlapped == nil {
						t.Fatalf("packet %+v, want key %d", got, model[i].Key)
					}
				}
				model = model[n:]
			},
			"": func(t *rapid.T) {
				if q.len != len(model) {
					t.Fatalf("length %d, want %d", q.len, len(model))
				}
				chunks := 0
				for c := q.first; c != nil; c = c.next {
					chunks++
				}
				if chunks > len(model)/chunkLen+2 {
					t.Fatalf("%d chunks for %d packets", chunks, len(model))
				}
			},
		})
	})
}

func TestMillionPackets(t *testing.T) {
	const packets = 1_000_000
	p := New(1, nil)
	defer p.Close()
	for i := range uintptr(packets) {
		p.Post(Packet{Key: i})
	}
	if p.Len() != packets {
		t.Fatalf("%d packets queued", p.Len())
	}
	room, next := make([]Packet, 1000), uintptr(0)
	for next < packets {
		n, result := p.GetMany(nil, room, 0)
		if result != OK {
			t.Fatalf("result %v at packet %d", result, next)
		}
		for _, packet := range room[:n] {
			if packet.Key != next {
				t.Fatalf("packet %d comes instead of %d", packet.Key, next)
			}
			next++
		}
	}
	if p.queue.first != p.queue.tail {
		t.Error("more than one chunk is kept")
	}
}

// TestNothingLostOrDoubled has posters and workers of every kind at work.
func TestNothingLostOrDoubled(t *testing.T) {
	const posters, each = 3, 10_000
	p := New(2, nil)
	var seen [posters * each]atomic.Int32
	var left atomic.Int64
	left.Store(posters * each)
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			var w *Worker
			if k > 0 {
				w = NewWorker()
				defer w.Leave()
			}
			room := make([]Packet, 1+5*k)
			for i := 0; ; i++ {
				timeout := Infinite
				if i%7 == 0 {
					timeout = time.Duration(i%3) * time.Microsecond
				}
				n, result := p.GetMany(w, room, timeout)
				if result == Closed {
					return
				}
				for _, packet := range room[:n] {
					seen[packet.Key].Add(1)
					if left.Add(-1) == 0 {
						p.Close()
					}
				}
			}
		})
	}
	for k := range uintptr(posters) {
		wg.Go(func() {
			for i := range uintptr(each) {
				if !p.Post(Packet{Key: k*each + i}) {
					t.Error("refused")
				}
			}
		})
	}
	wg.Wait()
	for key := range seen {
		if n := seen[key].Load(); n != 1 {
			t.Fatalf("packet %d was taken %d times", key, n)
		}
	}
	if p.working != 0 {
		t.Errorf("%d workers count as working", p.working)
	}
}

func TestLastWorkerIsWokenFirst(t *testing.T) {
	const workers = 5
	p := New(workers, nil)
	defer p.Close()
	woken := make(chan int)
	var wg sync.WaitGroup
	for k := range workers {
		wg.Go(func() {
			w := NewWorker()
			defer w.Leave()
			p.Get(w, Infinite)
			woken <- k
		})
		p.untilWaiting(k + 1)
	}
	for k := workers - 1; k >= 0; k-- {
		p.Post(Packet{})
		if got := <-woken; got != k {
			t.Errorf("worker %d was woken instead of %d", got, k)
		}
	}
	wg.Wait()
}

// TestConcurrency: with two workers at work the other packets stay queued; when
// one comes back it takes the next itself.
func TestConcurrency(t *testing.T) {
	p := New(2, nil)
	a, b := NewWorker(), NewWorker()
	for i := range uintptr(5) {
		p.Post(Packet{Key: i})
	}
	get := func(w *Worker, timeout time.Duration, want uintptr) {
		t.Helper()
		if packet, result := p.Get(w, timeout); result != OK || packet.Key != want {
			t.Errorf("packet %+v, result %v, want key %d", packet, result, want)
		}
	}
	get(a, Infinite, 0)
	get(b, Infinite, 1)
	if p.working != 2 {
		t.Errorf("%d at work", p.working)
	}
	get(a, Infinite, 2)
	if p.working != 2 {
		t.Errorf("%d at work", p.working)
	}
	// A third oversteps the value, at once if it does not wait, else late, also
	// when its timeout is shorter.
	c := NewWorker()
	get(c, 0, 3)
	get(nil, time.Nanosecond, 4)
	p.Post(Packet{Key: 5})
	d := NewWorker()
	get(d, Infinite, 5)
	for _, w := range []*Worker{a, b, c, d} {
		w.Leave()
		w.Leave()
	}
	if p.working != 0 {
		t.Errorf("%d at work", p.working)
	}
	p.Close()
}

// TestBlockedWorkersDoNotHoldUpPackets: both workers at work wait for something
// that only the handling of a later packet brings.
func TestBlockedWorkersDoNotHoldUpPackets(t *testing.T) {
	for _, leave := range []bool{false, true} {
		p := New(2, nil)
		brought := make(chan struct{})
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				w := NewWorker()
				for {
					packet, result := p.Get(w, Infinite)
					if result != OK {
						return
					}
					if packet.Key < 2 {
						if leave {
							w.Leave()
						}
						<-brought
					} else {
						close(brought)
					}
				}
			})
		}
		p.untilWaiting(3)
		for i := range uintptr(3) {
			p.Post(Packet{Key: i})
		}
		<-brought
		p.untilWaiting(3)
		p.Close()
		wg.Wait()
	}
}

func TestWorkerChangesPorts(t *testing.T) {
	p, q := New(1, nil), New(1, nil)
	w := NewWorker()
	p.Post(Packet{})
	q.Post(Packet{})
	p.Get(w, Infinite)
	if p.working != 1 {
		t.Error("not at work for the first port")
	}
	q.Get(w, Infinite)
	if p.working != 0 || q.working != 1 {
		t.Errorf("at work: %d, %d", p.working, q.working)
	}
	w.Leave()
	p.Close()
	q.Close()
}

func TestCloseWakesEveryWorker(t *testing.T) {
	p := New(1, nil)
	var wg sync.WaitGroup
	for k := range 20 {
		wg.Go(func() {
			timeout := Infinite
			if k%2 == 0 {
				timeout = time.Hour
			}
			if _, result := p.Get(NewWorker(), timeout); result != Closed {
				t.Errorf("result %v", result)
			}
		})
	}
	p.untilWaiting(20)
	if !p.Close() || p.Close() || p.Post(Packet{}) || p.Len() != 0 {
		t.Error("a closed port works")
	}
	wg.Wait()
	for _, timeout := range []time.Duration{0, Infinite} {
		if _, result := p.Get(nil, timeout); result != Closed {
			t.Errorf("result %v", result)
		}
	}
}

// TestWorkerIsReusable: no token or packet of one request shows up in the next.
func TestWorkerIsReusable(t *testing.T) {
	p := New(1, nil)
	const rounds = 3000
	var wg sync.WaitGroup
	var got []uintptr
	wg.Go(func() {
		w := NewWorker()
		for i := 0; len(got) < rounds; i++ {
			packet, result := p.Get(w, time.Duration(i%50)*time.Microsecond)
			if result == OK {
				got = append(got, packet.Key)
			}
		}
		w.Leave()
	})
	for i := range uintptr(rounds) {
		p.Post(Packet{Key: i})
		if i%3 == 0 {
			runtime.Gosched()
		}
	}
	wg.Wait()
	if !slices.IsSorted(got) || len(slices.Compact(got)) != rounds {
		t.Error("packets are missing or out of order")
	}
	p.Close()
}

func BenchmarkPostGet(b *testing.B) {
	for _, batch := range []int{1, 64} {
		b.Run(fmt.Sprint(batch), func(b *testing.B) {
			p := New(1, nil)
			defer p.Close()
			w := NewWorker()
			room := make([]Packet, batch)
			for b.Loop() {
				for range batch {
					p.Post(Packet{Key: 1})
				}
				p.GetMany(w, room, Infinite)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/packet")
		})
	}
}

// BenchmarkWake is a round trip between two workers, two wakes.
func BenchmarkWake(b *testing.B) {
	there, back := New(1, nil), New(1, nil)
	var wg sync.WaitGroup
	wg.Go(func() {
		w := NewWorker()
		for {
			if _, result := there.Get(w, Infinite); result != OK {
				return
			}
			back.Post(Packet{})
		}
	})
	w := NewWorker()
	for b.Loop() {
		there.Post(Packet{})
		back.Get(w, Infinite)
	}
	there.Close()
	back.Close()
	wg.Wait()
}
