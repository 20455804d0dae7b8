package wait

import (
	"runtime"
	"sync"
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

// TestAutoResetTakesTurns: each Set releases the waiter whose turn it is, in the
// order of their first waits.
func TestAutoResetTakesTurns(t *testing.T) {
	const waiters, rounds = 3, 5
	e := NewAutoEvent()
	released := make(chan int)
	var wg sync.WaitGroup
	var list [waiters]*Waiter
	for k := range list {
		w := NewWaiter()
		list[k] = w
		wg.Go(func() {
			defer w.Close()
			for range rounds {
				if r := w.Wait([]*Event{e}, false, Infinite, false); r.Reason != Signalled {
					t.Errorf("waiter %d: %+v", k, r)
				}
				released <- k
			}
		})
		untilArmed(w)
	}
	for i := range waiters * rounds {
		e.Set()
		k := <-released
		if k != i%waiters {
			t.Errorf("Set %d released waiter %d", i, k)
		}
		if e.Signalled() {
			t.Error("still signalled")
		}
		if i < waiters*(rounds-1) {
			untilArmed(list[k])
		}
	}
	wg.Wait()
}
