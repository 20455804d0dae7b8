package wait

import (
	"sync"
	"testing"
	"time"
)

func TestThreadWaiterTimesOut(t *testing.T) {
	w := NewThreadWaiter()
	defer w.Close()
	for _, all := range []bool{false, true} {
		start := time.Now()
		if got := w.Wait(events(3), all, 2*time.Millisecond, true); got.Reason != TimedOut {
			t.Errorf("all %v: %+v", all, got)
		}
		if time.Since(start) < 2*time.Millisecond {
			t.Error("the timeout came early")
		}
	}
	if got := w.Sleep(time.Millisecond, true); got.Reason != TimedOut {
		t.Errorf("sleep: %+v", got)
	}
}

func TestThreadWaiterIsWokenByEach(t *testing.T) {
	w, e := NewThreadWaiter(), NewAutoEvent()
	results := make(chan Result)
	go func() {
		for range 3 {
			results <- w.Wait([]*Event{e}, false, time.Hour, true)
		}
	}()
	untilArmed(w)
	e.Set()
	if got := <-results; got != (Result{Signalled, 0}) {
		t.Errorf("by an event: %+v", got)
	}
	untilArmed(w)
	ran := false
	w.Queue(func(uintptr) { ran = true }, 0)
	if got := <-results; got.Reason != APC || !ran {
		t.Errorf("by an APC: %+v, ran %v", got, ran)
	}
	untilArmed(w)
	e.Close()
	if got := <-results; got != (Result{Closed, 0}) {
		t.Errorf("by a close: %+v", got)
	}
	w.Close()
}

// TestThreadWaitersUnderLoad: timeouts that pass at the moment of the wake, and
// no wake is lost or taken twice.
func TestThreadWaitersUnderLoad(t *testing.T) {
	const waiters, posts = 3, 3000
	s, _ := NewSemaphore(0, posts)
	stop := NewEvent()
	var taken [waiters]int
	var wg sync.WaitGroup
	for k := range waiters {
		wg.Go(func() {
			w := NewThreadWaiter()
			defer w.Close()
			for i := 0; ; i++ {
				switch r := w.Wait([]*Event{s, stop}, false, time.Duration(1+i%50)*time.Microsecond, true); {
				case r.Reason == TimedOut:
				case r.Reason == Signalled && r.Index == 0:
					taken[k]++
				case r.Reason == Signalled:
					return
				default:
					t.Errorf("%+v", r)
				}
			}
		})
	}
	for range posts {
		s.Release(1)
	}
	for s.Signalled() {
		time.Sleep(100 * time.Microsecond)
	}
	stop.Set()
	wg.Wait()
	total := 0
	for _, n := range taken {
		total += n
	}
	if total != posts {
		t.Errorf("%d of %d were taken", total, posts)
	}
}
