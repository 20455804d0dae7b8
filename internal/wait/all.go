package wait

// tryAll ends a wait for all events at once if that is possible.
func (w *Waiter) tryAll(events []*Event) (Result, bool) {
	waiting := false
	for i, e := range events {
		if e == nil {
			return Result{Closed, i}, true
		}
		switch e.word.state() {
		case closed:
			return Result{Closed, i}, true
		case unset:
			waiting = true
		}
	}
	if waiting {
		return Result{}, false
	}
	// Each was signalled, but perhaps not at one moment.
	w.register(events, true)
	commit.Lock()
	defer commit.Unlock()
	return w.takeAll()
}

// takeAll looks whether the registered events end a wait for all of them, and
// uses up those that are auto-reset. The caller holds commit.
func (w *Waiter) takeAll() (Result, bool) {
	nodes := w.nodes[:w.registered]
	for i := range nodes {
		switch nodes[i].event.word.state() {
		case closed:
			return Result{Closed, i}, true
		case unset:
			return Result{}, false
		}
	}
	w.useUp()
	return Result{Reason: Signalled}, true
}

// completeAll wakes the waiter if it is armed and all its events are signalled,
// and reports whether it did. The caller, a setter of one of them, holds commit.
func (w *Waiter) completeAll() bool {
	nodes := w.nodes[:w.registered]
	for i := range nodes {
		if nodes[i].event.word.state() != signalled {
			return false
		}
	}
	if !w.wake(forEvents, wokenByEvent) {
		return false
	}
	w.useUp()
	return true
}

// useUp uses up the registered events, one that is there twice once if there is
// no more of it. The caller holds commit.
func (w *Waiter) useUp() {
	for i := range w.nodes[:w.registered] {
		if e := w.nodes[i].event; e.auto && e.word.state() == signalled {
			e.useUp()
		}
	}
}
