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
	layer   *Layer
	rescues sync.WaitGroup // goroutines that wait below for operations whose port was closed

	mu      sync.Mutex // guards everything below; a leaf lock
	tasks   []func()
	wake    chan struct{} // capacity 1; nil while the goroutine does not run
	done    chan struct{}
	closing bool
	spare   []func()     // the memory of tasks that have run
	ops     *lowerOp     // operations to use again
	free    []*waitEvent // likewise
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
	w.begin()
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

// begin starts the goroutine if it does not run. The caller holds mu.
func (w *worker) begin() {
	if w.wake == nil {
		w.wake, w.done, w.closing = make(chan struct{}, 1), make(chan struct{}), false
		go w.run(w.wake, w.done)
	}
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
		w.tasks, w.spare = w.spare[:0], nil
		closing := w.closing
		w.mu.Unlock()
		for i, task := range tasks {
			tasks[i] = nil
			task()
		}
		w.mu.Lock()
		if cap(tasks) <= mostSpare {
			w.spare = tasks
		}
		w.mu.Unlock()
		if closing && len(tasks) == 0 {
			return
		}
	}
}

// operation returns an operation with an event. The event is tagged, so that
// it queues no packet where the lower socket has a lane.
func (w *worker) operation() (*lowerOp, spi.Errno) {
	w.mu.Lock()
	w.begin()
	op := w.ops
	if op != nil {
		w.ops, op.next = op.next, nil
	}
	w.mu.Unlock()
	if op != nil {
		return op, 0
	}
	op = &lowerOp{}
	op.task = op.settle
	ev, errno := w.layer.DLL().RegisterWait(op.signal)
	if errno != 0 {
		return nil, errno
	}
	op.event, op.ov.HEvent = ev, ev|1
	return op, 0
}

// keep takes back an operation that nobody holds.
func (w *worker) keep(op *lowerOp) {
	w.layer.Upcalls().WPUResetEvent(op.event)
	w.mu.Lock()
	defer w.mu.Unlock()
	op.next, w.ops = w.ops, op
}

// mostSpare bounds the memory kept for tasks.
const mostSpare = 1 << 12

// stop ends the worker after the next providers are cleaned up: operations that
// nobody has completed end as aborted.
func (w *worker) stop() {
	w.rescues.Wait() // their operations are over
	w.mu.Lock()
	wake, done := w.wake, w.done
	w.closing = true
	w.mu.Unlock()
	for running := wake != nil; running; {
		select {
		case wake <- struct{}{}: // until it finds no task
		case <-done:
			running = false
		}
	}
	w.mu.Lock()
	w.wake = nil
	free, ops := w.free, w.ops
	w.free, w.ops, w.tasks = nil, nil, nil
	w.mu.Unlock()
	w.layer.abort()
	for ; ops != nil; ops = ops.next {
		w.layer.Upcalls().WPUCloseEvent(ops.event)
	}
	for _, e := range free {
		w.layer.Upcalls().WPUCloseEvent(e.event)
	}
}
