package wait

import (
	"sync"
	"sync/atomic"
	"testing"
)

func TestSemaphoreRefusesBadCounts(t *testing.T) {
	for _, c := range [][2]int32{{-1, 1}, {0, 0}, {0, -1}, {2, 1}} {
		if s, ok := NewSemaphore(c[0], c[1]); ok || s != nil {
			t.Errorf("count %d, limit %d was accepted", c[0], c[1])
		}
	}
	s, _ := NewSemaphore(1, 2)
	if s.Set() || s.Reset() || !s.Signalled() {
		t.Error("Set or Reset works on a semaphore")
	}
	for _, n := range []int32{0, -1, 2, 1<<31 - 1} {
		if previous, ok := s.Release(n); ok || previous != 1 {
			t.Errorf("Release(%d): %d, %v", n, previous, ok)
		}
	}
	if previous, ok := NewEvent().Release(1); ok || previous != -1 {
		t.Errorf("Release of an event: %d, %v", previous, ok)
	}
}

// TestReleaseWakesAsMany: each Release(n) ends n waits.
func TestReleaseWakesAsMany(t *testing.T) {
	const waiters = 5
	s, _ := NewSemaphore(0, waiters)
	woken := make(chan int, waiters)
	var list [waiters]*Waiter
	var wg sync.WaitGroup
	for k := range list {
		list[k] = NewWaiter()
		wg.Go(func() {
			defer list[k].Close()
			if r := list[k].Wait([]*Event{s}, false, Infinite, false); r.Reason == Signalled {
				woken <- k
			}
		})
		untilArmed(list[k])
	}
	s.Release(2)
	if first := <-woken + <-woken; first != 0+1 {
		t.Errorf("not the first two were woken: sum %d", first)
	}
	if s.Signalled() || len(woken) != 0 {
		t.Error("Release(2) did more than end two waits")
	}
	if previous, ok := s.Release(waiters); !ok || previous != 0 {
		t.Errorf("Release: %d, %v", previous, ok)
	}
	wg.Wait()
	if len(woken) != waiters-2 {
		t.Errorf("%d of %d woken", len(woken), waiters-2)
	}
	if previous, _ := s.Release(1); previous != 2 {
		t.Errorf("count %d is left, want 2", previous)
	}
}

// TestSemaphoreBoundsHolders: with waits for any and for all, never more hold
// the semaphore than its count allows, and none is lost.
func TestSemaphoreBoundsHolders(t *testing.T) {
	const permits, threads, rounds = 2, 6, 400
	s, _ := NewSemaphore(permits, permits)
	gate := NewEvent()
	gate.Set()
	var holders atomic.Int32
	var wg sync.WaitGroup
	for k := range threads {
		wg.Go(func() {
			w := NewWaiter()
			defer w.Close()
			for range rounds {
				r := w.Wait([]*Event{s, gate}[:1+k%2], k%2 == 1, Infinite, true)
				if r.Reason != Signalled {
					t.Errorf("%+v", r)
				}
				if n := holders.Add(1); n > permits {
					t.Errorf("%d holders", n)
				}
				holders.Add(-1)
				if _, ok := s.Release(1); !ok {
					t.Error("released above the limit")
				}
			}
		})
	}
	wg.Wait()
	if previous, ok := s.Release(1); ok || previous != permits {
		t.Errorf("count %d at the end", previous)
	}
}
