package wait

import "sync/atomic"

// apcQueue is a stack that any thread pushes to without a lock, and a list that
// its owner turns it into, to run them in the order of their coming.
type apcQueue struct {
	pushed atomic.Pointer[apc]
	next   *apc // taken from pushed, oldest first; owner only
}

type apc struct {
	call    func(context uintptr)
	context uintptr
	next    *apc
}

// noMore at the top of the stack stands for a closed queue.
var noMore = new(apc)

// Queue has call(context) run by the waiter's thread in an alertable wait: in
// the present one, or in the next. APCs run in the order of their queueing,
// all of them in one wait, those that they queue themselves included. One that
// waits alertably runs the ones behind it. Queue takes no lock. It reports
// false when the waiter is closed.
func (w *Waiter) Queue(call func(context uintptr), context uintptr) bool {
	if !w.apcs.push(&apc{call: call, context: context}) {
		return false
	}
	if !w.wake(forAPCs, wokenByAPC) {
		if notify := w.notify.Load(); notify != nil {
			(*notify)()
		}
	}
	return true
}

// Notify has notify called when an APC is queued and the waiter does not wait,
// for a thread that waits alertably in another way: it calls [Waiter.Pending]
// before and [Waiter.RunAPCs] after. notify is called by whoever queues.
func (w *Waiter) Notify(notify func()) { w.notify.Store(&notify) }

// Pending reports whether APCs are queued.
func (w *Waiter) Pending() bool { return w.apcs.pending() }

// RunAPCs runs the queued APCs, as an alertable wait would, and reports whether
// there was one.
func (w *Waiter) RunAPCs() bool { return w.runAPCs() }

// runAPCs runs the queued APCs and reports whether there was one.
func (w *Waiter) runAPCs() bool { return w.apcs.pending() && w.runEach() }

func (w *Waiter) runEach() (ran bool) {
	for {
		a := w.apcs.pop()
		if a == nil {
			return ran
		}
		ran = true
		a.call(a.context)
	}
}

func (q *apcQueue) push(a *apc) bool {
	for {
		top := q.pushed.Load()
		if top == noMore {
			return false
		}
		a.next = top
		if q.pushed.CompareAndSwap(top, a) {
			return true
		}
	}
}

func (q *apcQueue) pending() bool {
	top := q.pushed.Load()
	return q.next != nil || top != nil && top != noMore
}

func (q *apcQueue) pop() *apc {
	if q.next == nil {
		if !q.pending() {
			return nil
		}
		for top := q.pushed.Swap(nil); top != nil; {
			below := top.next
			top.next, q.next = q.next, top
			top = below
		}
	}
	a := q.next
	q.next = a.next
	return a
}

func (q *apcQueue) close() {
	q.pushed.Store(noMore)
	q.next = nil
}
