package wait

// NewSemaphore returns a semaphore: it is signalled while its count is more than
// zero, and each wait that it ends takes one. It is an [Event] to all waits,
// beside others; Set and Reset fail on it. The waiters take turns as with
// [NewAutoEvent]. ok is false unless 0 <= count <= limit and limit > 0.
func NewSemaphore(count, limit int32) (e *Event, ok bool) {
	if count < 0 || limit <= 0 || count > limit {
		return nil, false
	}
	e = NewAutoEvent()
	e.count, e.limit = count, limit
	if count > 0 {
		e.word.set(signalled)
	}
	return e, true
}

// IsSemaphore reports whether the event is a semaphore.
func (e *Event) IsSemaphore() bool { return e.limit > 0 }

// Release adds n to the count of a semaphore and wakes as many waiters as that
// satisfies. previous is the count before. ok is false, and nothing is done,
// when n is not positive or the count would be above the limit; previous is -1
// when the event is closed or no semaphore.
func (e *Event) Release(n int32) (previous int32, ok bool) {
	if e.limit == 0 {
		return -1, false
	}
	committing := e.lock()
	previous = e.count
	if e.word.state() == closed {
		e.unlock(committing)
		return -1, false
	}
	if n <= 0 || n > e.limit-e.count {
		e.unlock(committing)
		return previous, false
	}
	e.count += n
	e.word.set(signalled)
	last := e.wakeWaiters()
	e.unlock(committing)
	if last != nil {
		last.release() // it may want the lock at once
	}
	return previous, true
}
