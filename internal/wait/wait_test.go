package wait

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func events(n int) []*Event {
	list := make([]*Event, n)
	for i := range list {
		list[i] = NewEvent()
	}
	return list
}

// untilArmed returns when the waiter sleeps or is about to.
func untilArmed(w *Waiter) {
	for v := w.word.Load(); v == idle || v >= wokenByAPC; v = w.word.Load() {
		runtime.Gosched()
	}
}

// crowd registers idle waiters with the events, which gives a Set long lists to
// walk and so widens the windows in which something may go wrong.
func crowd(t *testing.T, list []*Event) {
	for range 300 {
		w := NewWaiter()
		w.Wait(list, false, time.Nanosecond, false)
		t.Cleanup(w.Close)
	}
}

func TestManualResetEvent(t *testing.T) {
	w, e := NewWaiter(), events(1)
	defer w.Close()
	check := func(what string, want Result) {
		t.Helper()
		if got := w.Wait(e, false, 0, false); got != want {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	check("new", Result{Reason: TimedOut})
	for range 2 {
		if !e[0].Set() {
			t.Error("Set failed")
		}
		check("set", Result{Signalled, 0})
		check("still set", Result{Signalled, 0})
	}
	for range 2 {
		if !e[0].Reset() {
			t.Error("Reset failed")
		}
		check("reset", Result{Reason: TimedOut})
	}
	if !e[0].Close() || e[0].Close() || e[0].Set() || e[0].Reset() || e[0].Signalled() {
		t.Error("a closed event works")
	}
	check("closed", Result{Closed, 0})
}

func TestWaitRefusesBadLists(t *testing.T) {
	w := NewWaiter()
	defer w.Close()
	for _, n := range []int{0, MaxEvents + 1} {
		for _, all := range []bool{false, true} {
			if got := w.Wait(events(n), all, Infinite, true); got.Reason != Refused {
				t.Errorf("%d events, all %v: %+v", n, all, got)
			}
			if got := For(events(n), all, Infinite); got.Reason != Refused {
				t.Errorf("For %d events, all %v: %+v", n, all, got)
			}
		}
	}
	for _, all := range []bool{false, true} {
		if got := w.Wait([]*Event{NewEvent(), nil}, all, Infinite, true); got != (Result{Closed, 1}) {
			t.Errorf("nil event, all %v: %+v", all, got)
		}
	}
}

func TestTimeout(t *testing.T) {
	w := NewWaiter()
	defer w.Close()
	for _, all := range []bool{false, true} {
		for range 3 {
			start := time.Now()
			if got := w.Wait(events(3), all, 2*time.Millisecond, true); got.Reason != TimedOut {
				t.Errorf("all %v: %+v", all, got)
			}
			if time.Since(start) < 2*time.Millisecond {
				t.Error("the timeout came early")
			}
		}
	}
	if got := w.Sleep(time.Millisecond, true); got.Reason != TimedOut {
		t.Errorf("alertable sleep: %+v", got)
	}
	if got := w.Sleep(time.Millisecond, false); got.Reason != TimedOut {
		t.Errorf("sleep: %+v", got)
	}
	if got := For(events(3), false, time.Millisecond); got.Reason != TimedOut {
		t.Errorf("For: %+v", got)
	}
}

func TestNotifyEvent(t *testing.T) {
	calls := 0
	e := NewNotifyEvent(func() { calls++ })
	e.Set()
	e.Set()
	e.Reset()
	e.Set()
	if calls != 3 {
		t.Errorf("notified %d times by 3 sets", calls)
	}
	e.Close()
	if e.Set(); calls != 3 {
		t.Error("notified by a set after close")
	}
}

func TestEachIndexWakes(t *testing.T) {
	w, list := NewWaiter(), events(MaxEvents)
	results := make(chan Result)
	go func() {
		defer w.Close()
		for range list {
			results <- w.Wait(list, false, Infinite, true)
		}
	}()
	for i, e := range list {
		untilArmed(w)
		e.Set()
		e.Reset() // a wait that was satisfied stays satisfied
		if got := <-results; got != (Result{Signalled, i}) {
			t.Errorf("event %d: %+v", i, got)
		}
	}
}

func TestOneSetReleasesEveryWaiter(t *testing.T) {
	e := events(1)
	var wg sync.WaitGroup
	var waiters []*Waiter
	for range 20 {
		w := NewWaiter()
		waiters = append(waiters, w)
		wg.Go(func() {
			defer w.Close()
			if got := w.Wait(e, false, Infinite, false); got != (Result{Signalled, 0}) {
				t.Errorf("%+v", got)
			}
		})
	}
	for _, w := range waiters {
		untilArmed(w)
	}
	e[0].Set()
	e[0].Reset()
	wg.Wait()
}

func TestCloseWakesWaiters(t *testing.T) {
	for _, all := range []bool{false, true} {
		w, list := NewWaiter(), events(3)
		result := make(chan Result)
		go func() {
			result <- w.Wait(list, all, Infinite, false)
		}()
		untilArmed(w)
		list[2].Close()
		if got := <-result; got != (Result{Closed, 2}) {
			t.Errorf("all %v: %+v", all, got)
		}
		w.Close()
	}
}

// TestPulseSatisfiesWaitForAll has the last of the events reset at once: the
// wait was satisfied when it was set, whenever the waiter gets to run.
func TestPulseSatisfiesWaitForAll(t *testing.T) {
	w, list := NewWaiter(), []*Event{NewEvent(), NewAutoEvent(), NewEvent()}
	const rounds = 2000
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
	for i := range 20_000 {
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
	const seats, meals = 4, 3000
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
	const waiters, rounds = 4, 5000
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
	const rounds = 2000
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
	const rounds = 3000
	list := events(1)
	crowd(t, list)
	var set, seen atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range int64(rounds) {
			list[0].Set()
			for range 20 { // time for a stale wake to show
				runtime.Gosched()
			}
			set.Store(i + 1)
			list[0].Set()
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
			list[0].Reset()
		}
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
	const rounds, kinds = 30_000, 3
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
	const threads, rounds = 3, 10_000
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

// TestSignalledForAMoment: the waiter arms and sees an auto-reset event set,
// which the setter then hands to somebody else.
func TestSignalledForAMoment(t *testing.T) {
	list := []*Event{NewAutoEvent()}
	w := NewWaiter()
	defer w.Close()
	w.register(list, false)
	list[0].mu.Lock()
	list[0].state.Store(signalled)
	took := make(chan bool)
	go func() {
		_, ok := w.arm(list, forEvents)
		took <- ok
	}()
	for range 1000 {
		runtime.Gosched()
	}
	list[0].state.Store(clear)
	list[0].mu.Unlock()
	if <-took || w.word.Load() != forEvents {
		t.Error("the waiter took an event that was not left for it")
	}
}

// TestHandOver passes a turn round a ring of threads by events. A lost wake
// hangs it, a stale one breaks the order.
func TestHandOver(t *testing.T) {
	const threads, rounds = 3, 5000
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
	const rounds = 3000
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

func TestForgetUnlinks(t *testing.T) {
	list := events(3)
	for _, all := range []bool{false, true} {
		w := NewWaiter()
		w.Wait(list, all, time.Nanosecond, false)
		w.Wait(list[1:], all, time.Nanosecond, false)
		if list[0].head != nil || list[1].head == nil || list[1].head.next != nil {
			t.Error("the lists do not follow the waits")
		}
		w.Forget()
		For(list, all, time.Nanosecond)
		for _, e := range list {
			if e.head != nil || e.tail != nil || e.all != 0 {
				t.Error("still registered")
			}
		}
		w.Close()
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

func BenchmarkSetReset(b *testing.B) {
	for _, registered := range []bool{false, true} {
		b.Run(fmt.Sprintf("registered=%v", registered), func(b *testing.B) {
			e := events(1)
			w := NewWaiter()
			defer w.Close()
			if registered {
				w.Wait(e, false, time.Nanosecond, false)
			}
			for b.Loop() {
				e[0].Set()
				e[0].Reset()
			}
		})
	}
}

func BenchmarkSignalled(b *testing.B) {
	for _, all := range []bool{false, true} {
		for _, n := range []int{1, 8, 64} {
			list := events(n)
			list[n-1].Set()
			for _, e := range list {
				if all {
					e.Set()
				}
			}
			b.Run(fmt.Sprintf("all=%v/%d", all, n), func(b *testing.B) {
				w := NewWaiter()
				defer w.Close()
				for b.Loop() {
					if w.Wait(list, all, Infinite, true).Reason != Signalled {
						b.Fatal("not signalled")
					}
				}
			})
		}
	}
}

// BenchmarkWake is a round trip between two goroutines, two wakes.
func BenchmarkWake(b *testing.B) {
	b.Run("channel", func(b *testing.B) {
		ping, pong := make(chan struct{}), make(chan struct{})
		go func() {
			for range ping {
				pong <- struct{}{}
			}
			close(pong)
		}()
		for b.Loop() {
			ping <- struct{}{}
			<-pong
		}
		close(ping)
		<-pong
	})
	for _, all := range []bool{false, true} {
		for _, n := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("all=%v/%d", all, n), func(b *testing.B) {
				there, back := events(n), events(n)
				if all {
					for i := range n - 1 {
						there[i].Set()
						back[i].Set()
					}
				}
				wait := func(w *Waiter, list []*Event) bool {
					ok := w.Wait(list, all, Infinite, true).Reason == Signalled
					list[n-1].Reset()
					return ok
				}
				var wg sync.WaitGroup
				wg.Go(func() {
					w := NewWaiter()
					defer w.Close()
					for wait(w, there) {
						back[n-1].Set()
					}
				})
				w := NewWaiter()
				defer w.Close()
				for b.Loop() {
					there[n-1].Set()
					wait(w, back)
				}
				there[n-1].Close()
				wg.Wait()
			})
		}
	}
}

func BenchmarkFor(b *testing.B) {
	e := events(1)
	b.Run("timeout", func(b *testing.B) {
		for b.Loop() {
			For(e, false, 0)
		}
	})
}
