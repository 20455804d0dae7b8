package nonifs

import (
	"sync"

	"upcall.dev/spi"
)

// worker is the goroutine of a Layer that passes on what happens below. The
// next provider signals events that were made by RegisterWait, perhaps under
// its locks; their signal only queues a task here. The goroutine runs from the
// first task's event to the last WSPCleanup, which waits for it.
type worker struct {
	layer *Layer

	mu      sync.Mutex // guards everything below; a leaf lock
	tasks   []func()
	wake    chan struct{} // capacity 1; nil while the goroutine does not run
	done    chan struct{}
	closing bool
	ops     *lowerOp // operations that have not ended
	free    []*waitEvent
}

// waitEvent is an event of the DLL's that queues a task each time it is set. It
// is used again, for making one costs more than an operation.
type waitEvent struct {
	event spi.Event
	mu    sync.Mutex // guards task; a leaf lock
	task  func()
}

func (e *waitEvent) arm(task func()) {
	e.mu.Lock()
	e.task = task
	e.mu.Unlock()
}

// event returns an event that queues task whenever it is set.
func (w *worker) event(task func()) (*waitEvent, spi.Errno) {
	w.mu.Lock()
	if w.wake == nil {
		w.wake, w.done, w.closing = make(chan struct{}, 1), make(chan struct{}), false
		go w.run(w.wake, w.done)
	}
	if n := len(w.free); n > 0 {
		e := w.free[n-1]
		w.free = w.free[:n-1]
		w.mu.Unlock()
		e.arm(task)
		return e, 0
	}
	w.mu.Unlock()
	e := &waitEvent{task: task}
	ev, errno := w.layer.DLL().RegisterWait(func() {
		e.mu.Lock()
		task := e.task
		e.mu.Unlock()
		if task != nil {
			w.queue(task)
		}
	})
	if errno != 0 {
		return nil, errno
	}
	e.event = ev
	return e, 0
}

// recycle keeps an event whose task will not be queued again.
func (w *worker) recycle(e *waitEvent) {
	e.arm(nil)
	w.layer.Upcalls().WPUResetEvent(e.event)
	w.mu.Lock()
	w.free = append(w.free, e)
	w.mu.Unlock()
}

func (w *worker) queue(task func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wake == nil {
		return
	}
	w.tasks = append(w.tasks, task)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *worker) run(wake, done chan struct{}) {
	defer close(done)
	for range wake {
		w.mu.Lock()
		tasks := w.tasks
		w.tasks = nil
		closing := w.closing
		w.mu.Unlock()
		for _, task := range tasks {
			task()
		}
		if closing && len(tasks) == 0 {
			return
		}
	}
}

// add lists an operation and gives it an event.
func (w *worker) add(op *lowerOp) spi.Errno {
	e, errno := w.event(func() {
		if op.finish() {
			w.recycle(op.event)
		}
	})
	if errno != 0 {
		return errno
	}
	op.event, op.ov.HEvent = e, e.event
	w.mu.Lock()
	op.next = w.ops
	if w.ops != nil {
		w.ops.prev = op
	}
	w.ops = op
	w.mu.Unlock()
	return 0
}

// forget takes an operation that has ended off the list.
func (w *worker) forget(op *lowerOp) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if op.prev != nil {
		op.prev.next = op.next
	} else if w.ops == op {
		w.ops = op.next
	}
	if op.next != nil {
		op.next.prev = op.prev
	}
	op.next, op.prev = nil, nil
}

// stop ends the worker after the next providers are cleaned up: operations that
// nobody completed any more end as aborted.
func (w *worker) stop() {
	w.mu.Lock()
	wake, done := w.wake, w.done
	if wake == nil {
		w.mu.Unlock()
		return
	}
	w.closing = true
	w.mu.Unlock()
	for running := true; running; {
		select {
		case wake <- struct{}{}: // until it finds no task
		case <-done:
			running = false
		}
	}
	w.mu.Lock()
	w.wake = nil
	free := w.free
	w.free, w.tasks = nil, nil
	var left []*lowerOp
	for op := w.ops; op != nil; op = op.next {
		left = append(left, op)
	}
	w.mu.Unlock()
	for _, op := range left {
		if op.claimed.CompareAndSwap(false, true) {
			op.tell(spi.WSA_OPERATION_ABORTED, 0, 0)
			w.layer.Upcalls().WPUCloseEvent(op.event.event)
		}
	}
	for _, e := range free {
		w.layer.Upcalls().WPUCloseEvent(e.event)
	}
}
