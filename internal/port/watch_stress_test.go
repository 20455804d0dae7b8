//go:build linux

package port

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"upcall.dev/spi"
)

// TestWatchModel checks a port with one worker against a model, over random
// sequences.
func TestWatchModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := New(1, nil)
		defer p.Close()
		w := NewWorker()
		type end struct {
			*pipeEnd
			watched bool
			unread  int // bytes in the pipe
		}
		var ends []*end
		queued := 0
		get := func(rt *rapid.T, room int) {
			n, result := p.GetMany(w, make([]Packet, room), 0)
			ready := 0
			for _, e := range ends {
				if e.watched {
					ready += e.unread
				}
			}
			if total := queued + ready; n > min(room, total) || n == 0 && total > 0 || (n > 0) != (result == OK) {
				rt.Fatalf("%d packets, %v; %d queued, %d ready", n, result, queued, ready)
			}
			reads := 0
			for _, e := range ends {
				now := int(e.reads.Swap(0))
				e.unread -= now
				reads += now
			}
			queued += reads - n
		}
		rt.Repeat(map[string]func(*rapid.T){
			"watch new": func(rt *rapid.T) {
				if len(ends) == 8 {
					rt.Skip()
				}
				e := &end{pipeEnd: newPipe(t), watched: true}
				e.watch(p, uintptr(len(ends)+1), nil)
				ends = append(ends, e)
			},
			"toggle": func(rt *rapid.T) {
				if len(ends) == 0 {
					rt.Skip()
				}
				e := rapid.SampledFrom(ends).Draw(rt, "end")
				if e.watched = !e.watched; e.watched {
					e.watch(p, 1, nil)
				} else {
					p.Unwatch(uintptr(e.fd), e.id)
				}
			},
			"write": func(rt *rapid.T) {
				if len(ends) == 0 {
					rt.Skip()
				}
				e := rapid.SampledFrom(ends).Draw(rt, "end")
				count := rapid.IntRange(1, 100).Draw(rt, "bytes")
				e.write(make([]byte, count)...)
				e.unread += count
			},
			"post": func(rt *rapid.T) {
				for range rapid.IntRange(1, 300).Draw(rt, "count") {
					p.Post(Packet{})
					queued++
				}
			},
			"get": func(rt *rapid.T) { get(rt, rapid.IntRange(1, 300).Draw(rt, "room")) },
			"": func(rt *rapid.T) {
				if p.Len() != queued {
					rt.Fatalf("%d packets in the queue, want %d", p.Len(), queued)
				}
			},
		})
	})
}

// TestNoWakeupIsLost has posters, descriptors that come and go, lanes, workers
// of every kind and interrupts at work, then nothing but a last packet.
func TestNoWakeupIsLost(t *testing.T) {
	for _, concurrency := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(concurrency), func(t *testing.T) { storm(t, concurrency) })
	}
}

func storm(t *testing.T, concurrency int) {
	const posters, pipes, each, workers = 2, 6, 2000, 5
	var strayed atomic.Int64
	p := New(concurrency, func(Packet) { strayed.Add(1) })
	var got, laned atomic.Int64
	total := int64(posters*each + pipes*each)
	finished := make(chan struct{}, 1)
	count := func(counter *atomic.Int64, n int64) {
		counter.Add(n)
		if got.Load()+laned.Load() == total && n > 0 {
			select {
			case finished <- struct{}{}:
			default:
			}
		}
	}
	lane := &Lane{Complete: func(spi.Completion) { count(&laned, 1) }}
	var working sync.WaitGroup
	for k := range workers {
		working.Go(func() {
			var w *Worker
			if k > 0 {
				w = NewWorker()
				defer w.Leave()
			}
			stop := make(chan struct{})
			var interrupter sync.WaitGroup
			if k == 1 {
				interrupter.Go(func() {
					for {
						select {
						case <-stop:
							return
						case <-time.After(50 * time.Microsecond):
							w.Interrupt()
						}
					}
				})
			}
			room := make([]Packet, 1+7*k)
			for i := 0; ; i++ {
				if k == 1 {
					w.Alertable(true)
				}
				timeout := Infinite
				if k == 2 {
					timeout = time.Duration(i%3) * 100 * time.Microsecond
				}
				n, result := p.GetMany(w, room, timeout)
				if result == Closed {
					break
				}
				count(&got, int64(n))
				if k == 3 && i%100 == 0 {
					w.Leave()
				}
			}
			close(stop)
			interrupter.Wait()
		})
	}
	var driving sync.WaitGroup
	for range posters {
		driving.Go(func() {
			for i := range each {
				if !p.Post(Packet{}) {
					t.Error("refused")
				}
				if i%50 == 0 {
					runtime.Gosched()
				}
			}
		})
	}
	ends := make([]*pipeEnd, pipes)
	for k := range ends {
		e := newPipe(t)
		ends[k] = e
		driving.Go(func() {
			way := lane
			if k%2 == 0 {
				way = nil
			}
			watched := false
			for i := range each {
				if i%200 == 0 {
					if watched {
						p.Unwatch(uintptr(e.fd), e.id)
						for e.inReady.Load() != 0 { // one call at a time is for one watch
							runtime.Gosched()
						}
					}
					e.watch(p, 1, way)
					watched = true
				}
				e.write(0)
				if i%20 == 0 {
					runtime.Gosched()
				}
			}
		})
	}
	driving.Wait()
	for got.Load()+laned.Load() != total {
		select {
		case <-finished:
		case <-time.After(time.Minute):
			p.mu.Lock()
			t.Fatalf("%d packets and %d of lanes came of %d; %d queued, leader %v, last %v, clock %v, %d at work",
				got.Load(), laned.Load(), total, p.queue.len, p.leader != nil, p.last != nil, p.clock.runs, p.working)
		}
	}
	p.Close()
	working.Wait()
	for _, e := range ends {
		if e.orphans.Load() != 1 {
			t.Errorf("Orphaned was called %d times", e.orphans.Load())
		}
	}
	if strayed.Load() != 0 {
		t.Errorf("%d packets went astray", strayed.Load())
	}
}

// TestCloseAgainstEverything: closing meets watching, posting and waiting.
func TestCloseAgainstEverything(t *testing.T) {
	for i := range 300 {
		var strayed atomic.Int64
		p := New(1+i%2, func(Packet) { strayed.Add(1) })
		var ran, sent atomic.Int64
		lane := &Lane{Complete: func(spi.Completion) { ran.Add(1) }}
		e := newPipe(t)
		if i%3 > 0 {
			e.watch(p, 1, nil)
		}
		other := newPipe(t)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				w := NewWorker()
				for {
					if _, result := p.Get(w, Infinite); result == Closed {
						return
					}
				}
			})
		}
		wg.Go(func() {
			for range 20 {
				p.Post(Packet{Lane: lane})
				sent.Add(1)
			}
		})
		accepted := false
		wg.Go(func() {
			id, code := p.Watch(uintptr(other.fd), other, 1, nil)
			if accepted = code == 0; accepted {
				e.write(1)
				if i%5 == 0 {
					p.Unwatch(uintptr(other.fd), id)
				}
			}
		})
		wg.Go(func() {
			for range i % 7 {
				runtime.Gosched()
			}
			p.Close()
		})
		wg.Wait()
		if ran.Load()+strayed.Load() != sent.Load() {
			t.Fatalf("%d lane packets ran, %d went astray, of %d", ran.Load(), strayed.Load(), sent.Load())
		}
		orphaned := other.orphans.Load()
		if orphaned > 1 || !accepted && orphaned != 0 || accepted && i%5 > 0 && orphaned != 1 {
			t.Fatalf("accepted %v, Orphaned called %d times", accepted, orphaned)
		}
		e.close()
		other.close()
	}
}
