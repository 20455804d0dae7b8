package wait

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// model is what the events and waiters of one test should be like. Its rule:
// when nothing is under way, no waiter sleeps that could go on, each one that
// went on had the right to, and nothing else has changed.
type model struct {
	real    []*Event
	set     []int32 // how many waits it can end; 1 for an event that is set
	closed  []bool
	waiters []*modelWaiter
}

type modelWaiter struct {
	real     *Waiter
	requests chan request
	results  chan Result
	asleep   *request // nil when it does not wait
	queued   []uintptr
	ran      []uintptr // appended by the APCs on the waiter's goroutine
}

type request struct {
	events    []int
	all       bool
	alertable bool
	poll      bool
}

func (w *modelWaiter) serve(real []*Event) {
	for q := range w.requests {
		events := make([]*Event, len(q.events))
		for i, e := range q.events {
			events[i] = real[e]
		}
		timeout := Infinite
		if q.poll {
			timeout = 0
		}
		if len(events) == 0 {
			w.results <- w.real.Sleep(timeout, q.alertable)
		} else {
			w.results <- w.real.Wait(events, q.all, timeout, q.alertable)
		}
	}
	w.real.Close()
	close(w.results)
}

// satisfied returns how the states end a wait for the events of q.
func (m *model) satisfied(q *request) (Result, bool) {
	for i, e := range q.events {
		if m.closed[e] {
			return Result{Closed, i}, true
		}
		if m.set[e] > 0 && !q.all {
			return Result{Signalled, i}, true
		}
		if m.set[e] == 0 && q.all && !slices.ContainsFunc(q.events, func(e int) bool { return m.closed[e] }) {
			return Result{}, false
		}
	}
	return Result{}, q.all && len(q.events) > 0
}

// useUp resets the auto-reset events that a wait takes, and takes one of
// semaphores.
func (m *model) useUp(q *request, r Result) {
	for i, e := range q.events {
		if m.real[e].auto && (q.all || i == r.Index) {
			m.set[e]--
		}
	}
}

// settle checks the waiters that an operation woke, those that it did not, and
// the states of all events.
func (m *model) settle(t *rapid.T) {
	for progress := true; progress; {
		progress = false
		for k, w := range m.waiters {
			if w.asleep == nil || w.real.word.Load() < wokenByAPC && len(w.results) == 0 {
				continue
			}
			r, q := <-w.results, w.asleep
			w.asleep, progress = nil, true
			switch r.Reason {
			case APC:
				m.checkAPCs(t, k, q)
			case Signalled, Closed:
				if _, ok := m.satisfied(q); !ok {
					t.Fatalf("waiter %d for %+v woke without a reason: %+v", k, *q, r)
				}
				e := q.events[r.Index]
				if r.Reason == Closed && !m.closed[e] || r.Reason == Signalled && m.set[e] == 0 {
					t.Fatalf("waiter %d for %+v woke for the wrong event: %+v", k, *q, r)
				}
				if r.Reason == Signalled {
					m.useUp(q, r)
				}
			default:
				t.Fatalf("waiter %d for %+v: %+v", k, *q, r)
			}
		}
	}
	for k, w := range m.waiters {
		if w.asleep == nil {
			continue
		}
		if r, ok := m.satisfied(w.asleep); ok {
			t.Fatalf("waiter %d for %+v sleeps, should have %+v", k, *w.asleep, r)
		}
		if w.asleep.alertable && len(w.queued) > 0 {
			t.Fatalf("waiter %d sleeps alertably with APCs", k)
		}
	}
	for i, e := range m.real {
		if e.Signalled() != (m.set[i] > 0 && !m.closed[i]) {
			t.Fatalf("event %d: signalled %v, want %d", i, e.Signalled(), m.set[i])
		}
	}
}

func (m *model) checkAPCs(t *rapid.T, k int, q *request) {
	w := m.waiters[k]
	if !q.alertable || !slices.Equal(w.ran, w.queued) {
		t.Fatalf("waiter %d, alertable %v, ran APCs %v, want %v", k, q.alertable, w.ran, w.queued)
	}
	w.ran, w.queued = nil, nil
}

// wait starts a wait and checks its result if it does not have to sleep.
func (m *model) wait(t *rapid.T, k int, q *request) {
	w := m.waiters[k]
	want, ok := m.satisfied(q)
	switch {
	case ok:
	case q.alertable && len(w.queued) > 0:
		want = Result{Reason: APC}
	case q.poll:
		want = Result{Reason: TimedOut}
	default:
		w.requests <- *q
		untilArmed(w.real)
		w.asleep = q
		return
	}
	w.requests <- *q
	if got := <-w.results; got != want {
		t.Fatalf("waiter %d for %+v: %+v, want %+v", k, *q, got, want)
	}
	switch want.Reason {
	case Signalled:
		m.useUp(q, want)
	case APC:
		m.checkAPCs(t, k, q)
	}
}

// semaphoreLimit is the limit of the model's semaphores.
const semaphoreLimit = 3

// release adds n to a semaphore's count.
func (m *model) release(t *rapid.T, i int, n int32) {
	want := n > 0 && m.set[i]+n <= semaphoreLimit && !m.closed[i]
	before := m.set[i]
	if m.closed[i] {
		before = -1
	}
	if previous, ok := m.real[i].Release(n); ok != want || previous != before {
		t.Fatalf("Release(%d, %d): %d, %v, want %d, %v", i, n, previous, ok, before, want)
	}
	if want {
		m.set[i] += n
	}
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{}
		for range rapid.IntRange(1, 6).Draw(t, "events") {
			e, count := NewEvent(), int32(0)
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 1:
				e = NewAutoEvent()
			case 2:
				count = rapid.Int32Range(0, semaphoreLimit).Draw(t, "count")
				e, _ = NewSemaphore(count, semaphoreLimit)
			}
			m.real, m.set = append(m.real, e), append(m.set, count)
		}
		m.closed = make([]bool, len(m.real))
		for range rapid.IntRange(1, 4).Draw(t, "waiters") {
			real := NewWaiter()
			if rapid.Bool().Draw(t, "sleeps in the kernel") {
				real = NewThreadWaiter()
			}
			w := &modelWaiter{real: real, requests: make(chan request), results: make(chan Result, 1)}
			m.waiters = append(m.waiters, w)
			go w.serve(m.real)
		}
		defer func() { // also after a failure: release all goroutines
			for _, e := range m.real {
				e.Close()
			}
			for _, w := range m.waiters {
				w.real.Queue(func(uintptr) {}, 0)
				close(w.requests)
				for range w.results {
				}
			}
		}()
		event := rapid.IntRange(0, len(m.real)-1)
		waiter := rapid.IntRange(0, len(m.waiters)-1)
		serial := uintptr(0)
		set := func(t *rapid.T) {
			i := event.Draw(t, "event")
			if m.real[i].IsSemaphore() {
				m.release(t, i, rapid.Int32Range(0, semaphoreLimit+1).Draw(t, "n"))
				return
			}
			if ok := m.real[i].Set(); ok == m.closed[i] {
				t.Fatalf("Set(%d): %v", i, ok)
			}
			if !m.closed[i] {
				m.set[i] = 1
			}
		}
		start := func(t *rapid.T) {
			k := waiter.Draw(t, "waiter")
			if m.waiters[k].asleep != nil {
				t.Skip("it sleeps")
			}
			q := &request{
				events:    rapid.SliceOfNDistinct(event, 0, len(m.real), rapid.ID).Draw(t, "for"),
				all:       rapid.Bool().Draw(t, "all"),
				alertable: rapid.Bool().Draw(t, "alertable"),
				poll:      rapid.Bool().Draw(t, "poll"),
			}
			if len(q.events) == 0 {
				q.alertable, q.all = true, false // else it sleeps for ever
			}
			m.wait(t, k, q)
		}
		t.Repeat(map[string]func(*rapid.T){
			"set": set, "set again": set,
			"wait": start, "wait again": start,
			"reset": func(t *rapid.T) {
				i := event.Draw(t, "event")
				if m.real[i].IsSemaphore() {
					t.Skip("a semaphore")
				}
				if ok := m.real[i].Reset(); ok == m.closed[i] {
					t.Fatalf("Reset(%d): %v", i, ok)
				}
				m.set[i] = 0
			},
			"close": func(t *rapid.T) {
				if rapid.IntRange(0, 5).Draw(t, "rarely") > 0 {
					t.Skip()
				}
				i := event.Draw(t, "event")
				if ok := m.real[i].Close(); ok == m.closed[i] {
					t.Fatalf("Close(%d): %v", i, ok)
				}
				m.set[i], m.closed[i] = 0, true
			},
			"queue": func(t *rapid.T) {
				w := m.waiters[waiter.Draw(t, "waiter")]
				serial++
				w.queued = append(w.queued, serial)
				if !w.real.Queue(func(context uintptr) { w.ran = append(w.ran, context) }, serial) {
					t.Fatal("an open waiter refuses an APC")
				}
			},
			"forget": func(t *rapid.T) {
				if w := m.waiters[waiter.Draw(t, "waiter")]; w.asleep == nil {
					w.real.Forget()
				}
			},
			"": m.settle,
		})
	})
}
