package wait

import (
	"slices"
	"sync"
	"testing"
	"time"
)

func TestAPCsRunOnlyInAlertableWaits(t *testing.T) {
	w, e := NewWaiter(), events(1)
	defer w.Close()
	var ran []uintptr
	note := func(context uintptr) { ran = append(ran, context) }
	for i := range uintptr(3) {
		if !w.Queue(note, i) {
			t.Fatal("refused")
		}
	}
	if got := w.Wait(e, false, 0, false); got.Reason != TimedOut || ran != nil {
		t.Errorf("not alertable: %+v, ran %v", got, ran)
	}
	if got := w.Sleep(time.Millisecond, false); got.Reason != TimedOut || ran != nil {
		t.Errorf("not alertable sleep: %+v, ran %v", got, ran)
	}
	e[0].Set()
	if got := w.Wait(e, false, Infinite, true); got.Reason != Signalled || ran != nil {
		t.Errorf("signalled: %+v, ran %v", got, ran)
	}
	e[0].Reset()
	if got := w.Wait(e, false, 0, true); got.Reason != APC || !slices.Equal(ran, []uintptr{0, 1, 2}) {
		t.Errorf("alertable: %+v, ran %v", got, ran)
	}
	if got := w.Wait(e, false, 0, true); got.Reason != TimedOut {
		t.Errorf("nothing left: %+v", got)
	}
	w.Queue(note, 3)
	if got := w.Sleep(0, true); got.Reason != APC || len(ran) != 4 {
		t.Errorf("sleep: %+v, ran %v", got, ran)
	}
}

func TestAPCThatQueuesRunsInTheSameWait(t *testing.T) {
	w := NewWaiter()
	defer w.Close()
	var ran []uintptr
	w.Queue(func(c uintptr) {
		w.Queue(func(c uintptr) { ran = append(ran, c) }, 3)
		ran = append(ran, c)
	}, 1)
	w.Queue(func(c uintptr) { ran = append(ran, c) }, 2)
	w.Sleep(Infinite, true)
	if !slices.Equal(ran, []uintptr{1, 2, 3}) {
		t.Errorf("ran %v", ran)
	}
}

func TestAPCThatWaitsAlertablyRunsTheRest(t *testing.T) {
	w, e := NewWaiter(), events(2)
	defer w.Close()
	var ran []uintptr
	var inner Result
	w.Queue(func(c uintptr) {
		inner = w.Wait(e[:1], false, Infinite, true)
		ran = append(ran, c)
	}, 1)
	w.Queue(func(c uintptr) { ran = append(ran, c) }, 2)
	outer := w.Wait(e, true, time.Hour, true)
	if !slices.Equal(ran, []uintptr{2, 1}) || inner.Reason != APC || outer.Reason != APC {
		t.Errorf("ran %v, results %+v inside %+v", ran, inner, outer)
	}
	// One that waits, not alertably, lets nothing pass it.
	ran = nil
	w.Queue(func(c uintptr) {
		inner = w.Wait(e, false, time.Nanosecond, false)
		ran = append(ran, c)
	}, 1)
	w.Queue(func(c uintptr) { ran = append(ran, c) }, 2)
	w.Sleep(Infinite, true)
	if !slices.Equal(ran, []uintptr{1, 2}) || inner.Reason != TimedOut {
		t.Errorf("ran %v, result %+v", ran, inner)
	}
}

func TestAPCPanicLeavesTheWaiterUsable(t *testing.T) {
	w := NewWaiter()
	defer w.Close()
	ran := false
	w.Queue(func(uintptr) { panic("provider") }, 0)
	w.Queue(func(uintptr) { ran = true }, 0)
	func() {
		defer func() { recover() }()
		w.Sleep(Infinite, true)
	}()
	if w.Sleep(Infinite, true).Reason != APC || !ran {
		t.Error("the APC behind one that panicked is lost")
	}
}

func TestClosedWaiterRefusesAPCs(t *testing.T) {
	w := NewWaiter()
	w.Queue(func(uintptr) { t.Error("ran after Close") }, 0)
	w.Close()
	if w.Queue(func(uintptr) {}, 0) {
		t.Error("accepted after Close")
	}
	w.Close()
}

// TestAPCsFromManyThreads checks that none is lost, that each thread's run in
// its order, and that no wait ends for an APC unless one ran.
func TestAPCsFromManyThreads(t *testing.T) {
	const threads, each = 4, 2000
	w, e := NewWaiter(), events(2)
	defer w.Close()
	var next [threads]uintptr
	total := 0
	var wg sync.WaitGroup
	for k := range threads {
		wg.Go(func() {
			for i := range uintptr(each) {
				w.Queue(func(c uintptr) {
					if c != next[k] {
						t.Errorf("thread %d: APC %d ran instead of %d", k, c, next[k])
					}
					next[k]++
					total++
				}, i)
			}
		})
	}
	for i := 0; total < threads*each && !t.Failed(); i++ {
		before := total
		var got Result
		switch i % 3 {
		case 0:
			got = w.Sleep(Infinite, true)
		case 1:
			got = w.Wait(e, false, Infinite, true)
		case 2:
			got = w.Wait(e, true, time.Hour, true)
		}
		if got.Reason != APC || total == before {
			t.Errorf("%+v, %d APCs ran", got, total-before)
		}
	}
	wg.Wait()
}

func BenchmarkAPC(b *testing.B) {
	w := NewWaiter()
	defer w.Close()
	call := func(uintptr) {}
	for b.Loop() {
		w.Queue(call, 0)
		w.Sleep(0, true)
	}
}
