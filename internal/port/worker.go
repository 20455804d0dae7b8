package port

import (
	"sync"
	"sync/atomic"
	"time"
)

// Worker is one thread's relation to completion ports: it belongs to the port
// of its latest request, to one at a time. Its methods, and requests with it,
// are for that thread only, except [Worker.Interrupt]. Make one with
// [NewWorker].
type Worker struct {
	port  atomic.Pointer[Port] // changed by the thread itself only
	alert atomic.Uint32        // whether it may be interrupted, and was

	// guarded by the port's lock
	working       bool // took packets and has not come back
	round         uint // the port's when it did
	waits         bool // is in the port's stack
	newer, older  *Worker
	room          []Packet // where the waker puts packets
	taken         int      // how many it put there
	result        Result
	promoted      bool // may lead whatever others are at work
	uncountedWork bool // of a caller that is no worker: never counted as working

	one   [1]Packet     // room for Get
	token chan struct{} // one value for each wake
	timer *time.Timer
}

// Values of alert.
const (
	deaf uint32 = iota
	alertable
	alerted
)

// NewWorker returns a worker that belongs to no port.
func NewWorker() *Worker { return &Worker{token: make(chan struct{}, 1)} }

// spare holds workers for callers without one.
var spare = sync.Pool{New: func() any {
	w := NewWorker()
	w.uncountedWork = true
	return w
}}

func takeSpare() *Worker { return spare.Get().(*Worker) }

// giveBack ends the use of a spare worker. It was never counted, so nothing
// changes for the others.
func (w *Worker) giveBack() {
	w.port.Store(nil)
	spare.Put(w)
}

// Leave tells the worker's port not to count on it until its next request. Call
// it when the thread ends, and before it blocks for long: the port then wakes
// another worker for packets that are waiting, and to lead.
func (w *Worker) Leave() {
	p := w.port.Load()
	if p == nil {
		return
	}
	p.mu.Lock()
	w.stop()
	w.port.Store(nil)
	p.dispatch()
	if p.working == 0 {
		p.promote()
	}
	p.unlock()
}

// Alertable says whether [Worker.Interrupt] ends the requests from now on, and
// forgets earlier interrupts.
func (w *Worker) Alertable(yes bool) {
	if yes {
		w.alert.Store(alertable)
	} else {
		w.alert.Store(deaf)
	}
}

// Interrupt ends the worker's request with [Interrupted], the present one if it
// has begun or else the next, if the worker is alertable. It may be called from
// anywhere.
func (w *Worker) Interrupt() {
	if !w.alert.CompareAndSwap(alertable, alerted) {
		return
	}
	p := w.port.Load()
	if p == nil {
		return
	}
	p.mu.Lock()
	// A worker that has gone to another port looks at alert before it waits.
	if w.port.Load() == p {
		if w.waits {
			w.exit(p)
			w.wake(Interrupted)
		} else if p.leader == w {
			p.call()
		}
	}
	p.unlock()
}

func (w *Worker) interrupted() bool { return w.alert.Load() == alerted }

// start counts the worker as working. Like stop, enter and exit it is called
// with the lock of the worker's port p held.
func (w *Worker) start(p *Port) {
	w.promoted = false
	if !w.uncountedWork {
		w.working = true
		w.round = p.round
		p.working++
	}
}

func (w *Worker) stop() {
	if p := w.port.Load(); w.working {
		w.working = false
		if w.round == p.round {
			p.working--
		}
	}
}

// enter puts the worker on top of the stack of those that wait.
func (w *Worker) enter(p *Port) {
	w.waits, w.taken, w.promoted = true, 0, false
	w.newer, w.older = nil, p.last
	if w.older != nil {
		w.older.newer = w
	}
	p.last = w
}

// exit takes the worker out of the stack.
func (w *Worker) exit(p *Port) {
	w.waits = false
	if w.newer != nil {
		w.newer.older = w.older
	} else {
		p.last = w.older
	}
	if w.older != nil {
		w.older.newer = w.newer
	}
	w.newer, w.older = nil, nil
}

// wake ends the sleep of a worker that was just taken out of the stack.
func (w *Worker) wake(result Result) {
	w.result = result
	w.room = nil
	w.token <- struct{}{}
}

// park sleeps until the worker is woken or the deadline passes; the zero time
// never does.
func (w *Worker) park(p *Port, deadline time.Time) (int, Result) {
	if deadline.IsZero() {
		<-w.token
		return w.taken, w.result
	}
	timeout := time.Until(deadline)
	if w.timer == nil {
		w.timer = time.NewTimer(timeout)
	} else {
		w.timer.Reset(timeout)
	}
	defer w.timer.Stop()
	select {
	case <-w.token:
		return w.taken, w.result
	case <-w.timer.C:
	}
	p.mu.Lock()
	if !w.waits { // woken in the meantime
		p.mu.Unlock()
		<-w.token
		return w.taken, w.result
	}
	w.exit(p)
	w.room = nil
	p.unlock()
	return 0, TimedOut
}
