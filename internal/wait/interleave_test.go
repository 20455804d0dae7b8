package wait

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestSignalledForAMoment: the waiter arms and sees an auto-reset event set,
// which the setter then hands to somebody else.
func TestSignalledForAMoment(t *testing.T) {
	list := []*Event{NewAutoEvent()}
	w := NewWaiter()
	defer w.Close()
	w.register(list, false)
	list[0].mu.Lock()
	list[0].word.set(signalled)
	took := make(chan bool)
	go func() {
		_, ok := w.arm(list, forEvents)
		took <- ok
	}()
	for range 1000 {
		runtime.Gosched()
	}
	list[0].word.set(unset)
	list[0].mu.Unlock()
	if <-took || w.word.Load() != forEvents {
		t.Error("the waiter took an event that was not left for it")
	}
}

// TestLateWakeOfAnAPCThatHasRun is the thread that has pushed an APC and gets to
// wake the waiter only when that is in its next alertable wait.
func TestLateWakeOfAnAPCThatHasRun(t *testing.T) {
	for _, all := range []bool{false, true} {
		w, e := NewWaiter(), events(2)
		result := make(chan Result)
		go func() { result <- w.Wait(e, all, Infinite, true) }()
		untilArmed(w)
		if !w.wake(forAPCs, wokenByAPC) {
			t.Error("not woken")
		}
		for w.word.Load() == wokenByAPC { // until it has noticed
			runtime.Gosched()
		}
		e[0].Set()
		e[1].Set()
		if got := <-result; got != (Result{Signalled, 0}) {
			t.Errorf("all %v: %+v", all, got)
		}
		w.Close()
	}
}

// letRun gives the other goroutines of the test the time to get where they
// cannot go on. If it is not enough the test passes all the same.
func letRun() {
	for range 100 {
		runtime.Gosched()
	}
	time.Sleep(time.Millisecond)
}

// TestResetBehindASetUnderWay stops a Set half way: the event is signalled, its
// list not yet walked. A waiter that sees the event, resets it and waits again
// must not be woken by the rest of that Set.
func TestResetBehindASetUnderWay(t *testing.T) {
	list := []*Event{NewEvent()}
	e := list[0]
	w := NewWaiter()
	defer w.Close()
	w.register(list, false)
	e.mu.Lock()
	e.word.set(signalled)
	var again atomic.Bool
	result := make(chan Result)
	go func() {
		w.Wait(list, false, Infinite, false)
		e.Reset()
		r := w.Wait(list, false, Infinite, false)
		if !again.Load() {
			t.Error("woken by the Set of before the Reset")
		}
		result <- r
	}()
	letRun()
	e.wakeWaiters()
	e.mu.Unlock()
	letRun()
	again.Store(true)
	e.Set()
	if r := <-result; r != (Result{Signalled, 0}) {
		t.Errorf("%+v", r)
	}
}

// TestSetBeforeArming: what comes between the first look and the arming wakes
// nobody, so the second look has to find it.
func TestSetBeforeArming(t *testing.T) {
	for _, all := range []bool{false, true} {
		list := events(2)
		w := NewWaiter()
		w.register(list, all)
		list[0].Set()
		list[1].Set()
		if r, ok := w.arm(list, forEvents); !ok || r != (Result{Signalled, 0}) || w.word.Load() == forEvents {
			t.Errorf("all %v: %+v, %v", all, r, ok)
		}
		list[0].Close()
		if r, ok := w.arm(list, forEvents); !ok || r != (Result{Closed, 0}) || w.word.Load() == forEvents {
			t.Errorf("all %v: %+v, %v", all, r, ok)
		}
		w.Queue(func(uintptr) {}, 0)
		if r := w.sleep(nil, 10*time.Second, true); r.Reason != APC {
			t.Errorf("APC queued before the sleep: %+v", r)
		}
		w.Close()
	}
}

// TestResetBetweenTheLooksOfAWaitForAll: both events were seen set, but when the
// wait gets to take them one is reset.
func TestResetBetweenTheLooksOfAWaitForAll(t *testing.T) {
	list := events(2)
	list[0].Set()
	list[1].Set()
	w := NewWaiter()
	defer w.Close()
	commit.Lock()
	result := make(chan Result)
	go func() { result <- w.Wait(list, true, 0, false) }()
	letRun()
	list[0].Reset()
	commit.Unlock()
	if r := <-result; r.Reason != TimedOut {
		t.Errorf("%+v", r)
	}
}

// TestStatesStandStillUnderCommit: while a wait for all events looks at them,
// none of its events changes, whoever sets, resets or takes it.
func TestStatesStandStillUnderCommit(t *testing.T) {
	list := []*Event{NewEvent(), NewEvent(), NewAutoEvent(), NewEvent()}
	list[1].Set()
	list[2].Set()
	w := NewWaiter()
	defer w.Close()
	w.register(list, true)
	change := []func(){
		func() { list[0].Set() },
		func() { list[1].Reset() },
		func() { For(list[2:3], false, 0) },
		func() { list[3].Close() },
	}
	before, after := [4]uintptr{unset, signalled, signalled, unset}, [4]uintptr{signalled, unset, unset, closed}
	check := func(want [4]uintptr) {
		t.Helper()
		for i, e := range list {
			if got := e.word.state(); got != want[i] {
				t.Errorf("event %d: state %d, want %d", i, got, want[i])
			}
		}
	}
	var wg sync.WaitGroup
	commit.Lock()
	for _, c := range change {
		wg.Go(c)
	}
	letRun()
	check(before)
	commit.Unlock()
	wg.Wait()
	check(after)
}
