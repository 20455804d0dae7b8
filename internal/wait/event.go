// Package wait holds event objects and semaphores, and the waiters that threads
// wait with, for one of them or up to [MaxEvents], any or all, with asynchronous
// procedure calls (APCs) that run in alertable waits.
//
// An event is a word of state (state.go) and a list of nodes, one for each waiter
// that is interested. A [Waiter] belongs to one thread and has a word too: idle, armed
// (the thread is about to sleep or sleeps), or the reason why it was woken,
// which one waker stores by compare-and-swap.
//
// A wait for any event looks at the states without a lock; if none is set it
// makes sure that its nodes are in the lists, arms its word, looks again, and
// sleeps. Set stores the state first and then wakes the armed waiters of the
// list: either the setter finds the waiter armed or the waiter finds the event
// set. The nodes stay where they are when the wait is over, because the next
// one is often for the same events. So Reset must not overtake a Set that is
// still walking the list, or that Set would wake the next wait, to which the
// event has not been set: both hold the event's lock.
//
// A wait for all events is satisfied by one Set, at one moment, for all of them
// (a later Reset does not undo it, an auto-reset event is not used up unless
// all are). Every change to the state of an event that such a wait is
// interested in is therefore made under one more lock, commit.
package wait

import (
	"sync"
	"sync/atomic"
)

// commit guards the state of events with all > 0, and the registration of the
// waiters that wait for all of their events. It is taken before Event.mu.
var commit sync.Mutex

// Event is an event object, or a semaphore. Make one with [NewEvent] or its like.
type Event struct {
	// word is the state. While it is not busy it may change at any time,
	// without a lock; else it changes under mu while all == 0, under commit
	// while all > 0. all changes under both.
	word word
	auto bool // a wait that it ends uses it up
	all  int  // nodes in the list that belong to waits for all events

	// A semaphore (limit > 0) is signalled while count > 0, which is guarded as
	// all is, a busy word too.
	count, limit int32

	// mu guards the list and the registration fields of its nodes. Nothing is
	// called under it; commit is taken before it.
	mu         sync.Mutex
	head, tail *node

	notify func()

	// By is the maker's own, for events that [NewNotifyEvent] has made; set before the
	// event's first use.
	By any
}

// node stands for one waiter in the list of one event. waiter and index never
// change; the rest is guarded by the lock of the event it is linked to.
type node struct {
	waiter     *Waiter
	index      uint32
	all        bool
	event      *Event // read without the lock by the waiter's own thread, which alone writes it
	next, prev *node
}

// NewEvent returns a manual-reset event, not signalled. It stays signalled from
// Set to Reset and releases every waiter.
func NewEvent() *Event { return newEvent(unset) }

func newEvent(flags uintptr) *Event {
	e := new(Event)
	e.word.own.Store(flags)
	e.word.at = &e.word.own
	return e
}

// NewAutoEvent returns an auto-reset event, not signalled. Each Set releases
// one waiter, in the order of their first wait for the event and by turns;
// without one the event stays signalled for the next.
func NewAutoEvent() *Event {
	e := newEvent(busy)
	e.auto = true
	return e
}

// NewNotifyEvent returns a manual-reset event that calls notify after each
// successful Set, set already or not, on the goroutine of the setter. notify
// must not block. One that a Set has begun may still run when Close returns.
func NewNotifyEvent(notify func()) *Event {
	e := newEvent(busy)
	e.notify = notify
	return e
}

// Share moves the event's state to a word that others may read and, while it is
// not busy, change too: see [QuietUnset]. Its upper half becomes tag's, whose
// lower half is zero; once it has another one the word belongs to something
// else, and the event counts as closed. Share comes before the event's first use.
func (e *Event) Share(at *atomic.Uintptr, tag uintptr) {
	at.Store(tag | e.word.own.Load())
	e.word.at, e.word.tag = at, tag
}

// lock takes the locks under which the event's state may change.
func (e *Event) lock() (committing bool) {
	e.mu.Lock()
	if e.all == 0 {
		return false
	}
	e.mu.Unlock()
	commit.Lock()
	e.mu.Lock()
	return true
}

func (e *Event) unlock(committing bool) {
	e.mu.Unlock()
	if committing {
		commit.Unlock()
	}
}

// Set signals the event. It reports false, and does nothing, when the event is
// closed, or is a semaphore.
func (e *Event) Set() bool {
	if e.limit > 0 {
		return false
	}
	// An auto-reset event may be signalled only until the setter at work has
	// found a waiter for it, so that this Set would be lost.
	if e.auto || e.word.state() != signalled && !e.word.change(unset, signalled) {
		committing := e.lock()
		if e.word.state() == closed {
			e.unlock(committing)
			return false
		}
		e.word.set(signalled)
		last := e.wakeWaiters()
		e.unlock(committing)
		if last != nil {
			last.release() // it may want the lock at once
		}
	}
	if e.notify != nil {
		e.notify()
	}
	return true
}

// wakeWaiters wakes the waiters that the event, which is signalled, satisfies,
// all but the last, which it returns for the caller to release. The caller holds
// the locks.
func (e *Event) wakeWaiters() (last *Waiter) {
	end := e.tail
	for n := e.head; n != nil; {
		this, next := n, n.next
		if this == end {
			next = nil
		}
		n = next
		if this.all {
			if !this.waiter.completeAll() {
				continue
			}
		} else {
			if !this.waiter.claim(forEvents, wokenByEvent+this.index) {
				continue
			}
			if last != nil {
				last.release()
			}
			last = this.waiter
			e.useUp()
		}
		if !e.auto {
			continue
		}
		if this != e.tail { // the next Set is for another waiter
			e.remove(this)
			e.append(this)
		}
		if e.word.state() == unset {
			break
		}
	}
	return last
}

// useUp does to an event what the end of a wait by it does. The caller holds the
// locks.
func (e *Event) useUp() {
	if e.limit > 0 {
		e.count--
		if e.count > 0 {
			return
		}
	}
	if e.auto {
		e.word.set(unset)
	}
}

// Reset makes the event not signalled. It reports false when the event is
// closed, or is a semaphore.
func (e *Event) Reset() bool {
	if e.limit > 0 {
		return false
	}
	if s := e.word.state(); s != signalled {
		return s != closed
	}
	if e.word.change(signalled, unset) {
		return true
	}
	committing := e.lock()
	open := e.word.state() != closed
	if open {
		e.word.set(unset)
	}
	e.unlock(committing)
	return open
}

// Signalled reports whether the event is signalled and not closed.
func (e *Event) Signalled() bool { return e.word.state() == signalled }

// Close ends the event: waiters wake with [Closed], and the other methods fail
// from now on. It reports false when the event was closed before.
func (e *Event) Close() bool {
	committing := e.lock()
	defer e.unlock(committing)
	if e.word.state() == closed {
		return false
	}
	e.word.mark(busy)
	e.word.set(closed)
	for n := e.head; n != nil; n = n.next {
		n.waiter.wake(forEvents, wokenByClose+n.index)
	}
	return true
}

// take uses up an auto-reset event, or one of a semaphore's count. It reports
// false when somebody else did.
func (e *Event) take() bool {
	committing := e.lock()
	defer e.unlock(committing)
	if e.word.state() != signalled {
		return false
	}
	e.useUp()
	return true
}

// link puts n into the list. For a wait for all events the caller holds commit.
func (e *Event) link(n *node, all bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n.event, n.all = e, all
	if all {
		e.all++
	}
	e.word.mark(busy)
	e.append(n)
}

// unlink takes n out of the list. For a wait for all events the caller holds
// commit.
func (e *Event) unlink(n *node) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n.event = nil
	if n.all {
		e.all--
	}
	e.remove(n)
	if e.head == nil && !e.auto && e.notify == nil {
		e.word.unmark(busy)
	}
}

func (e *Event) append(n *node) {
	n.prev, n.next = e.tail, nil
	if e.tail != nil {
		e.tail.next = n
	} else {
		e.head = n
	}
	e.tail = n
}

func (e *Event) remove(n *node) {
	if n.prev != nil {
		n.prev.next = n.next
	} else {
		e.head = n.next
	}
	if n.next != nil {
		n.next.prev = n.prev
	} else {
		e.tail = n.prev
	}
	n.next, n.prev = nil, nil
}
