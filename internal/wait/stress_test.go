package wait

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// crowd registers idle waiters with the events, which gives a Set long lists to
// walk and so widens the windows in which something may go wrong.
func crowd(t *testing.T, list []*Event) {
	for range 300 {
		w := NewWaiter()
		w.Wait(list, false, time.Nanosecond, false)
		t.Cleanup(w.Close)
	}
}

// TestPulseSatisfiesWaitForAll has the last of the events reset at once: the
// wait was satisfied when it was set, whenever the waiter gets to run.
func TestPulseSatisfiesWaitForAll(t *testing.T) {
	w, list := NewWaiter(), []*Event{NewEvent(), NewAutoEvent(), NewEvent()}
	const rounds = 500
	results := make(chan Result)
	go func() {
		defer w.Close()
		for range rounds {
			results <- w.Wait(list, true, Infinite, true)
		}
	}()
	for i := range rounds {
		untilArmed(w)
		for k := range list {
			list[(i+k)%len(list)].Set()
		}
		for _, e := range list {
			e.Reset()
		}
		if got := <-results; got != (Result{Signalled, 0}) {
			t.Fatalf("%+v", got)
		}
	}
}

// TestWaitForAllNeedsOneMoment sets two events in turns, never both: a wait for
// both must not put the two together from different moments.
func TestWaitForAllNeedsOneMoment(t *testing.T) {
	list := events(2)
	w := NewWaiter()
	defer w.Close()
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; !done.Load(); i++ {
			list[i%2].Set()
			list[i%2].Reset()
		}
	})
	for i := range 5000 {
		timeout := time.Duration(0)
		if i%100 == 0 {
			timeout = 100 * time.Microsecond
		}
		if got := w.Wait(list, true, timeout, false); got.Reason != TimedOut {
			t.Errorf("%+v", got)
			break
		}
	}
	done.Store(true)
	wg.Wait()
}

// TestPhilosophers has neighbours take two auto-reset forks at a time: all or
// none, or they end up in a deadlock with one fork each.
func TestPhilosophers(t *testing.T) {
	const seats, meals = 4, 1000
	forks := make([]*Event, seats)
	for i := range forks {
		forks[i] = NewAutoEvent()
		forks[i].Set()
	}
	var inUse [seats]atomic.Bool
	var wg sync.WaitGroup
	for seat := range seats {
		wg.Go(func() {
			w := NewWaiter()
			defer w.Close()
			mine := []int{seat, (seat + 1) % seats}
			pair := []*Event{forks[mine[0]], forks[mine[1]]}
			for range meals {
				if got := w.Wait(pair, true, Infinite, false); got.Reason != Signalled {
					t.Errorf("%+v", got)
					return
				}
				for _, f := range mine {
					if inUse[f].Swap(true) {
						t.Errorf("fork %d is in use twice", f)
					}
				}
				for _, f := range mine {
					inUse[f].Store(false)
					forks[f].Set()
				}
			}
		})
	}
	wg.Wait()
}

// TestAutoResetReleasesOne counts: as many waits end as there were sets that
// each waited for the one before to be taken.
func TestAutoResetReleasesOne(t *testing.T) {
	const waiters, rounds = 4, 2000
	list := []*Event{NewAutoEvent(), NewAutoEvent()}
	stop := NewEvent()
	taken := make(chan int)
	var wg sync.WaitGroup
	for range waiters {
		wg.Go(func() {
			w := NewWaiter()
			defer w.Close()
			for {
				got := w.Wait([]*Event{list[0], list[1], stop}, false, Infinite, false)
				if got.Index == 2 {
					return
				}
				taken <- got.Index
			}
		})
	}
	for i := range rounds {
		list[i%2].Set()
		if got := <-taken; got != i%2 {
			t.Fatalf("round %d: event %d was taken", i, got)
		}
	}
	stop.Set()
	wg.Wait()
}

// TestTwoSetsAtOnceReleaseTwo: an auto-reset event is signalled for a moment
// while its setter looks for a waiter. A second Set must not take that for a
// set event and be lost.
func TestTwoSetsAtOnceReleaseTwo(t *testing.T) {
	const rounds = 1000
	e := NewAutoEvent()
	crowd(t, []*Event{e})
	waiters := []*Waiter{NewWaiter(), NewWaiter()}
	released := make(chan struct{})
	var wg sync.WaitGroup
	for _, w := range waiters {
		wg.Go(func() {
			defer w.Close()
			for range rounds {
				if w.Wait([]*Event{e}, false, Infinite, false).Reason != Signalled {
					return
				}
				released <- struct{}{}
			}
		})
	}
	for i := range rounds {
		for _, w := range waiters {
			untilArmed(w)
		}
		var ready atomic.Int32
		set := func() {
			ready.Add(1)
			for spins := 1; ready.Load() < 2; spins++ {
				if spins%1000 == 0 {
					runtime.Gosched()
				}
			}
			e.Set()
		}
		var other sync.WaitGroup
		other.Go(set)
		set()
		other.Wait()
		for k, w := range waiters {
			if v := w.word.Load(); v == forEvents {
				t.Errorf("round %d: two sets left waiter %d asleep", i, k)
				e.Close()
			}
		}
		for range waiters {
			<-released
		}
		if t.Failed() {
			break
		}
	}
	e.Close()
	wg.Wait()
}

// TestNoStaleWake is for the hang that a Reset without the lock makes: a setter
// that still walks the event's list wakes the waiter's next wait, to which the
// event was never set. In each round the waiter, awake, sees the first Set as
// early as it can, resets the event and sleeps; only the second may wake it.
func TestNoStaleWake(t *testing.T) {
	const rounds = 1000
	list := events(1)
	crowd(t, list)
	var set, over, seen atomic.Int64 // rounds in which the second Set is near, is over, was seen
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range int64(rounds) {
			list[0].Set()
			for range 20 { // time for a stale wake to show
				runtime.Gosched()
			}
			set.Store(i + 1)
			list[0].Set()
			over.Store(i + 1)
			for spins := 1; seen.Load() <= i; spins++ {
				if spins%100 == 0 {
					runtime.Gosched()
				}
			}
		}
	})
	w := NewWaiter()
	defer w.Close()
	w.Wait(list, false, time.Nanosecond, false)
	stale := 0
	for i := range int64(rounds) {
		for spins := 1; w.Wait(list, false, 0, false).Reason == TimedOut; spins++ {
			if spins%100 == 0 {
				runtime.Gosched()
			}
		}
		list[0].Reset()
		if set.Load() <= i { // else the second Set may be the one just reset
			w.Wait(list, false, Infinite, false)
			if set.Load() <= i {
				stale++
			}
		}
		for over.Load() <= i {
			runtime.Gosched()
		}
		list[0].Reset()
		seen.Store(i + 1)
	}
	wg.Wait()
	if stale > 0 {
		t.Errorf("woken %d times for an event that was not set", stale)
	}
}

// TestWakeBesideWait has an event set, or an APC queued, at about the time when
// the waiter goes to sleep: before, while or after it looks, arms and looks
// again. Each of them must end its wait.
func TestWakeBesideWait(t *testing.T) {
	const rounds, kinds = 9000, 3
	list := []*Event{NewEvent(), NewAutoEvent()}
	w := NewWaiter()
	var started, ended atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		defer w.Close()
		for i := range int64(rounds) {
			started.Store(i + 1)
			r := w.Wait(list, i%kinds == 1, Infinite, true)
			list[0].Reset()
			ended.Store(i + 1)
			if r.Reason == Closed {
				return
			}
		}
	})
	for i := range int64(rounds) {
		for started.Load() <= i {
			runtime.Gosched()
		}
		for delay := i % 80; delay > 0; delay-- { // a few nanoseconds each
			ended.Load()
		}
		switch i % kinds {
		case 0:
			list[i%2].Set()
		case 1:
			list[0].Set()
			list[1].Set()
		case 2:
			w.Queue(func(uintptr) {}, 0)
		}
		for tries := 0; ended.Load() <= i; tries++ {
			runtime.Gosched()
			if tries > 1000 {
				time.Sleep(time.Millisecond)
			}
			if tries > 4000 {
				t.Errorf("round %d, kind %d: the waiter does not wake", i, i%kinds)
				list[0].Close()
				wg.Wait()
				return
			}
		}
	}
	wg.Wait()
}

// TestAutoResetEventAsMutex has threads hold an event in turns.
func TestAutoResetEventAsMutex(t *testing.T) {
	const threads, rounds = 3, 3000
	e := NewAutoEvent()
	crowd(t, []*Event{e})
	held, total := 0, 0
	var wg sync.WaitGroup
	for k := range threads {
		wg.Go(func() {
			w := NewWaiter()
			defer w.Close()
			list := []*Event{NewEvent(), e}
			for i := range rounds {
				if i%3 == k {
					runtime.Gosched()
				}
				w.Wait(list, false, Infinite, i%2 == 0)
				if held++; held != 1 {
					t.Errorf("held by %d", held)
				}
				total++
				held--
				e.Set()
			}
		})
	}
	e.Set()
	wg.Wait()
	if total != threads*rounds {
		t.Errorf("held %d times, want %d", total, threads*rounds)
	}
}

// TestHandOver passes a turn round a ring of threads by events. A lost wake
// hangs it, a stale one breaks the order.
func TestHandOver(t *testing.T) {
	const threads, rounds = 3, 2000
	ring := events(threads)
	turn := 0
	var wg sync.WaitGroup
	for k := range threads {
		wg.Go(func() {
			w := NewWaiter()
			defer w.Close()
			for i := range rounds {
				r := w.Wait([]*Event{ring[k]}, i%2 == 1, Infinite, i%3 == 1)
				if r.Reason != Signalled || turn%threads != k {
					t.Errorf("thread %d at turn %d: %+v", k, turn, r)
				}
				ring[k].Reset()
				turn++
				ring[(k+1)%threads].Set()
			}
		})
	}
	ring[0].Set()
	wg.Wait()
}

// TestMixedUse has everything happen at once: any and all, sleeps and APCs,
// changing lists, resets, under the race detector. Everybody must get through.
func TestMixedUse(t *testing.T) {
	const rounds = 1500
	list := []*Event{NewEvent(), NewAutoEvent(), NewEvent(), NewAutoEvent()}
	waiters := []*Waiter{NewWaiter(), NewWaiter(), NewWaiter()}
	var running atomic.Int64
	var wg, background sync.WaitGroup
	for k, w := range waiters {
		running.Add(1)
		wg.Go(func() {
			defer running.Add(-1)
			for i := range rounds {
				some := list[(i+k)%3:]
				switch r := w.Wait(some, i%3 == 0, Infinite, i%2 == 0); r.Reason {
				case Signalled, APC:
				default:
					t.Errorf("%+v", r)
				}
				if i%50 == 0 {
					w.Sleep(time.Microsecond, true)
				}
			}
		})
	}
	var ran, queued int64 // ran by the waiters' goroutines, one after the other
	background.Go(func() {
		for i := 0; running.Load() > 0; i++ {
			list[i%4].Set()
			if i%8 > 4 {
				list[i%3].Reset()
			}
			if i%64 == 0 {
				w := waiters[0]
				if w.Queue(func(uintptr) { ran++ }, 0) {
					queued++
				}
			}
			if i%128 == 0 {
				runtime.Gosched()
			}
		}
	})
	wg.Wait()
	background.Wait()
	waiters[0].Sleep(0, true)
	for _, w := range waiters {
		w.Close()
	}
	if ran != queued {
		t.Errorf("%d of %d APCs ran", ran, queued)
	}
	for _, e := range list {
		if e.head != nil || e.tail != nil || e.all != 0 {
			t.Error("a closed waiter is still registered")
		}
	}
}

func TestManyGoroutinesWithoutWaiters(t *testing.T) {
	e, stop := NewAutoEvent(), NewEvent()
	var wg sync.WaitGroup
	var got atomic.Int64
	for range 50 {
		wg.Go(func() {
			if For([]*Event{stop, e}, false, Infinite).Index == 1 {
				got.Add(1)
			}
		})
	}
	for got.Load() < 50 {
		e.Set()
		runtime.Gosched()
	}
	stop.Set()
	wg.Wait()
}
