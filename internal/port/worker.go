package port

import (
	"sync"
	"time"
)

// Worker is one thread's relation to completion ports: it belongs to the port
// of its latest request, to one at a time. Its methods, and requests with it,
// are for that thread only. Make one with [NewWorker].
type Worker struct {
	port *Port // changed by the thread itself only, under the port's lock

	// guarded by the port's lock
	working       bool // took packets and has not come back
	waits         bool // is in the port's stack
	newer, older  *Worker
	room          []Packet // where the waker puts packets
	taken         int      // how many it put there
	result        Result
	uncountedWork bool // of a caller that is no worker: never counted as working

	one   [1]Packet     // room for Get
	token chan struct{} // one value for each wake
	timer *time.Timer
}

// NewWorker returns a worker that belongs to no port.
func NewWorker() *Worker { return &Worker{token: make(chan struct{}, 1)} }

// spare holds workers for callers without one.
var spare = sync.Pool{New: func() any {
	w := NewWorker()
	w.uncountedWork = true
	return w
}}

// Leave tells the worker's port not to count on it until its next request. Call
// it when the thread ends, and before it blocks for long: the port then wakes
// another worker for packets that are waiting.
func (w *Worker) Leave() {
	p := w.port
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	w.stop()
	w.port = nil
	p.dispatch()
}

// join makes w a worker of p that is not at work.
func (w *Worker) join(p *Port) {
	w.port = p
	w.stop()
}

func (w *Worker) start() {
	if !w.uncountedWork {
		w.working = true
		w.port.working++
	}
}

func (w *Worker) stop() {
	if w.working {
		w.working = false
		w.port.working--
	}
}

// enter puts the worker on top of the stack of those that wait.
func (w *Worker) enter() {
	w.waits, w.taken = true, 0
	w.newer, w.older = nil, w.port.last
	if w.older != nil {
		w.older.newer = w
	}
	w.port.last = w
}

// exit takes the worker out of the stack.
func (w *Worker) exit() {
	w.waits = false
	if w.newer != nil {
		w.newer.older = w.older
	} else {
		w.port.last = w.older
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

// park sleeps until the worker is woken or the timeout passes.
func (w *Worker) park(timeout time.Duration) (int, Result) {
	if timeout < 0 {
		<-w.token
		return w.taken, w.result
	}
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
	p := w.port
	p.mu.Lock()
	if !w.waits { // woken in the meantime
		p.mu.Unlock()
		<-w.token
		return w.taken, w.result
	}
	defer p.mu.Unlock()
	w.exit()
	n := p.queue.pop(w.room) // those that the concurrency value kept waiting
	w.room = nil
	if n > 0 {
		w.start()
	}
	p.dispatch()
	if n == 0 {
		return 0, TimedOut
	}
	return n, OK
}
