package wait

import (
	"sync"
	"sync/atomic"
	"time"
)

// MaxEvents is WSA_MAXIMUM_WAIT_EVENTS, the most events that one wait is for.
const MaxEvents = 64

// Infinite is a timeout that never passes. Every negative timeout is infinite.
const Infinite time.Duration = -1

// Reason says why a wait ended.
type Reason uint8

// Reasons.
const (
	Signalled Reason = iota // the event at Index is signalled; for a wait for all events each is, and Index is 0
	TimedOut                // the timeout passed
	APC                     // at least one APC ran
	Closed                  // the event at Index is closed or nil
	Refused                 // there are no events, or more than MaxEvents
)

// Result is the outcome of a wait.
type Result struct {
	Reason Reason
	Index  int
}

// Values of a waiter's word. An armed word is one or both of the two bits. A
// word that says why the waiter was woken is as good as idle.
const (
	idle         uint32 = 0
	forEvents    uint32 = 1 << 0 // events may wake the waiter
	forAPCs      uint32 = 1 << 1 // APCs may wake the waiter
	wokenByAPC   uint32 = 4      // and every value above: woken
	wokenByEvent uint32 = 64     // + index
	wokenByClose uint32 = 128    // + index
)

// Waiter waits for events and runs APCs on behalf of one thread. [Waiter.Queue]
// may be called from anywhere; the other methods only by the thread itself, one
// at a time or from within an APC. Make one with [NewWaiter].
type Waiter struct {
	word atomic.Uint32

	// token carries one value for each transition of word from armed to woken;
	// the waiter receives it before it goes on. It is nil for a waiter that
	// sleeps in the kernel, on word itself; asleep is true around that.
	token  chan struct{}
	asleep atomic.Bool

	// nodes[:registered] are in the lists of the latest wait's events. They are
	// made at the first wait that has to sleep. Other threads look at them, and
	// at registered, only under commit and while all is true.
	nodes      *[MaxEvents]node
	registered int
	all        bool // the latest registration is for all events

	timer  *time.Timer
	apcs   apcQueue
	notify atomic.Pointer[func()]
}

// NewWaiter returns a waiter that is registered with no event. A goroutine that
// waits with it is parked.
func NewWaiter() *Waiter { return &Waiter{token: make(chan struct{}, 1)} }

// Wait waits until any event, or all events at one moment, are signalled, the
// timeout passes, or, if alertable, APCs ran. A zero timeout looks and returns;
// a negative one never passes. Signalled events come before queued APCs, and
// both before the timeout. Auto-reset events are reset by the wait that they
// end, and by no other. Of several signalled events the lowest index counts.
//
// The waiter keeps a reference to the events until it waits for others, or
// [Waiter.Forget] or [Waiter.Close] is called.
func (w *Waiter) Wait(events []*Event, all bool, timeout time.Duration, alertable bool) Result {
	if len(events) == 0 || len(events) > MaxEvents {
		return Result{Reason: Refused}
	}
	if !all {
		if r, ok := first(events); ok {
			return r
		}
	} else if r, ok := w.tryAll(events); ok {
		return r
	}
	if alertable && w.runAPCs() {
		return Result{Reason: APC}
	}
	if timeout == 0 {
		return Result{Reason: TimedOut}
	}
	w.register(events, all)
	return w.sleep(events, timeout, alertable)
}

// Sleep waits until the timeout passes or, if alertable, APCs ran. The reason is
// [TimedOut] or [APC].
func (w *Waiter) Sleep(timeout time.Duration, alertable bool) Result {
	if alertable && w.runAPCs() {
		return Result{Reason: APC}
	}
	if timeout == 0 {
		return Result{Reason: TimedOut}
	}
	return w.sleep(nil, timeout, alertable)
}

// sleep does the part of a wait that may block. The waiter is registered with
// the events.
func (w *Waiter) sleep(events []*Event, timeout time.Duration, alertable bool) Result {
	var expired <-chan time.Time
	var deadline time.Time
	switch {
	case timeout < 0:
	case w.token == nil:
		deadline = time.Now().Add(timeout)
	default:
		expired = w.startTimer(timeout)
		defer w.timer.Stop()
	}
	var armed uint32
	if len(events) > 0 {
		armed |= forEvents
	}
	if alertable {
		armed |= forAPCs
	}
	for {
		r, ok := w.arm(events, armed)
		if ok {
			return r
		}
		var woken uint32
		if alertable && w.apcs.pending() {
			woken = w.disarm(armed)
			if woken == idle {
				woken = wokenByAPC
			}
		} else {
			if w.token == nil {
				woken = w.parkInKernel(armed, deadline)
			} else {
				woken = w.park(armed, expired)
			}
			if woken == idle {
				return Result{Reason: TimedOut}
			}
		}
		if woken >= wokenByEvent {
			return eventResult(woken)
		}
		if w.runAPCs() {
			return Result{Reason: APC}
		}
		// The APC that woke us ran in an earlier wait: it was queued before that
		// one looked, and its waker came late.
	}
}

// arm makes the word armed, then looks at the events once more. If they end the
// wait it returns the result, and the word is not armed.
func (w *Waiter) arm(events []*Event, armed uint32) (Result, bool) {
	if w.all && len(events) > 0 {
		commit.Lock()
		defer commit.Unlock()
		if r, ok := w.takeAll(); ok {
			return r, true
		}
		w.word.Store(armed)
		return Result{}, false
	}
	for {
		w.word.Store(armed)
		i, state := 0, unset
		for ; i < len(events); i++ {
			if state = events[i].word.state(); state != unset {
				break
			}
		}
		if state == unset {
			return Result{}, false
		}
		if woken := w.disarm(armed); woken >= wokenByEvent {
			return eventResult(woken), true
		}
		if state == closed {
			return Result{Closed, i}, true
		}
		if e := events[i]; !e.auto || e.take() {
			return Result{Signalled, i}, true
		}
	}
}

// eventResult returns the result for a waiter that an event woke.
func eventResult(woken uint32) Result {
	if woken >= wokenByClose {
		return Result{Closed, int(woken - wokenByClose)}
	}
	return Result{Signalled, int(woken - wokenByEvent)}
}

// wake ends the sleep of a waiter that is armed for what mask names.
func (w *Waiter) wake(mask, woken uint32) bool {
	if !w.claim(mask, woken) {
		return false
	}
	w.release()
	return true
}

// claim gives a waiter that is armed for what mask names the reason why it is
// woken. The caller must release it.
func (w *Waiter) claim(mask, woken uint32) bool {
	armed := w.word.Load()
	return armed&mask != 0 && armed < wokenByAPC && w.word.CompareAndSwap(armed, woken)
}

// release lets a waiter that was claimed go on.
func (w *Waiter) release() {
	if w.token == nil {
		w.releaseInKernel()
	} else {
		w.token <- struct{}{}
	}
}

// park sleeps until the waiter is woken or the timer expires, and returns the
// reason, idle for the timer.
func (w *Waiter) park(armed uint32, expired <-chan time.Time) (woken uint32) {
	if expired == nil {
		<-w.token
	} else {
		select {
		case <-w.token:
		case <-expired:
			return w.disarm(armed)
		}
	}
	return w.word.Load()
}

// disarm makes the word idle and returns the reason if the waiter was woken
// before, else idle.
func (w *Waiter) disarm(armed uint32) (woken uint32) {
	if w.word.CompareAndSwap(armed, idle) {
		return idle
	}
	if w.token != nil {
		<-w.token
	}
	return w.word.Load()
}

func (w *Waiter) startTimer(timeout time.Duration) <-chan time.Time {
	if w.timer == nil {
		w.timer = time.NewTimer(timeout)
	} else {
		w.timer.Reset(timeout)
	}
	return w.timer.C
}

// first returns the first event that ends a wait for any, and uses it up if it
// is auto-reset.
func first(events []*Event) (Result, bool) {
	for i, e := range events {
		if e == nil {
			return Result{Closed, i}, true
		}
		if e.word.isUnset() {
			continue
		}
		if e.word.state() == closed {
			return Result{Closed, i}, true
		}
		if !e.auto || e.take() {
			return Result{Signalled, i}, true
		}
	}
	return Result{}, false
}

// register puts the waiter's nodes into the lists of events, none of which is
// nil, and takes them out of those of the latest wait's others.
func (w *Waiter) register(events []*Event, all bool) {
	if w.isRegistered(events, all) {
		return
	}
	if w.nodes == nil {
		w.nodes = new([MaxEvents]node)
		for i := range w.nodes {
			w.nodes[i].waiter, w.nodes[i].index = w, uint32(i)
		}
	}
	if all || w.all {
		commit.Lock()
		defer commit.Unlock()
	}
	keep := len(events)
	if all != w.all {
		keep = 0
	}
	for i := range w.nodes[:w.registered] {
		if n := &w.nodes[i]; i >= keep || n.event != events[i] {
			n.event.unlink(n)
		}
	}
	for i, e := range events {
		if n := &w.nodes[i]; n.event == nil {
			e.link(n, all)
		}
	}
	w.registered, w.all = len(events), all
}

func (w *Waiter) isRegistered(events []*Event, all bool) bool {
	if w.registered != len(events) || w.all != all {
		return false
	}
	for i, e := range events {
		if w.nodes[i].event != e {
			return false
		}
	}
	return true
}

// Forget drops the references that the waiter and the events of its latest wait
// have to each other.
func (w *Waiter) Forget() {
	if w.registered > 0 {
		w.register(nil, false)
	}
}

// Close ends the waiter: queued APCs are dropped and [Waiter.Queue] fails from
// now on. The waiter must not wait any more.
func (w *Waiter) Close() {
	w.apcs.close()
	w.Forget()
}

var spare = sync.Pool{New: func() any { return NewWaiter() }}

// For waits like [Waiter.Wait], not alertably, for a goroutine that has no
// waiter of its own.
func For(events []*Event, all bool, timeout time.Duration) Result {
	if !all && len(events) > 0 && len(events) <= MaxEvents {
		if r, ok := first(events); ok {
			return r
		}
	}
	w := spare.Get().(*Waiter)
	r := w.Wait(events, all, timeout, false)
	w.Forget()
	spare.Put(w)
	return r
}
