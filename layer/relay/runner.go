package relay

import (
	"container/heap"
	"runtime"
	"sync"
	"time"
)

// runner is the goroutines of a Relay: a few workers that run the steps of the
// wires that have something to do, and a clock for those that wait for a time.
// There are none for a wire that is idle.
type runner struct {
	most int // workers
	all  sync.WaitGroup

	mu      sync.Mutex // guards the rest; a leaf lock
	work    sync.Cond
	ready   []*wire // from head on
	head    int
	workers int
	resting int // of the workers
	stopped bool

	times   timeHeap
	ticking bool
	sooner  chan struct{} // capacity 1: the clock must look again
}

func newRunner() *runner {
	r := &runner{most: max(2, runtime.GOMAXPROCS(0)), sooner: make(chan struct{}, 1)}
	r.work.L = &r.mu
	return r
}

// push has a worker run w.
func (r *runner) push(w *wire) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return
	}
	r.ready = append(r.ready, w)
	switch {
	case r.resting > 0:
		r.work.Signal()
	case r.workers < r.most:
		r.workers++
		r.all.Go(r.worker)
	}
}

func (r *runner) worker() {
	x := takeScratch()
	defer giveScratch(x)
	for {
		w := r.pop()
		if w == nil {
			return
		}
		w.run(x)
	}
}

// pop waits for the next wire. nil means that the runner stops.
func (r *runner) pop() *wire {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.head == len(r.ready) {
		if r.stopped {
			return nil
		}
		r.resting++
		r.work.Wait()
		r.resting--
	}
	w := r.ready[r.head]
	r.ready[r.head] = nil
	r.head++
	if r.head == len(r.ready) {
		r.ready, r.head = r.ready[:0], 0
	} else if r.head > len(r.ready)/2 && r.head > 64 {
		r.ready = append(r.ready[:0], r.ready[r.head:]...)
		r.head = 0
	}
	return w
}

// stop ends the goroutines and waits for them. There is no wire left.
func (r *runner) stop() {
	r.mu.Lock()
	r.stopped = true
	r.work.Broadcast()
	r.mu.Unlock()
	wake(r.sooner)
	r.all.Wait()
}

// arm has w run at a time, or, for the zero time, at none.
func (r *runner) arm(w *wire, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case at.Equal(w.at) || r.stopped:
		return
	case at.IsZero():
		heap.Remove(&r.times, w.place)
		w.at = at
		return
	case w.at.IsZero():
		w.at = at
		heap.Push(&r.times, w)
	default:
		w.at = at
		heap.Fix(&r.times, w.place)
	}
	if r.times[0] != w {
		return
	}
	if !r.ticking {
		r.ticking = true
		r.all.Go(r.clock)
	} else {
		wake(r.sooner)
	}
}

// clock kicks the wires whose time has come.
func (r *runner) clock() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var due []*wire
	for {
		pause := time.Hour
		r.mu.Lock()
		if r.stopped {
			r.mu.Unlock()
			return
		}
		for len(r.times) > 0 {
			if pause = time.Until(r.times[0].at); pause > 0 {
				break
			}
			w := heap.Pop(&r.times).(*wire)
			w.at = time.Time{}
			due = append(due, w)
		}
		r.mu.Unlock()
		if len(due) > 0 {
			for i, w := range due {
				w.kick()
				due[i] = nil
			}
			due = due[:0]
			continue
		}
		timer.Reset(pause)
		select {
		case <-timer.C:
		case <-r.sooner:
		}
	}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// timeHeap orders wires by their time.
type timeHeap []*wire

func (h timeHeap) Len() int           { return len(h) }
func (h timeHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h timeHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}
func (h *timeHeap) Push(w any) {
	w.(*wire).place = len(*h)
	*h = append(*h, w.(*wire))
}
func (h *timeHeap) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return w
}
