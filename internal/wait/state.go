package wait

import "sync/atomic"

// States of an event.
const (
	unset     uintptr = 0
	signalled uintptr = 1
	closed    uintptr = 2

	stateMask uintptr = 3
	// busy marks an event whose changes concern others: waiters in its list, a
	// function to call, or that it is auto-reset or closed. It changes under
	// the event's lock alone.
	busy uintptr = 4
)

// Values of the lower half of a word that [Event.Share] shares. One who finds
// its own tag above one of them may put the other in its place by
// compare-and-swap, which is a whole Set or Reset; with any other value it must
// call the event's method. The busy ones can be looked at.
const (
	QuietUnset     = unset
	QuietSignalled = signalled
	BusyUnset      = busy | unset
	BusySignalled  = busy | signalled
)

// word holds the state of an event: its own, or one that it shares.
type word struct {
	at  *atomic.Uintptr
	tag uintptr // above the state
	own atomic.Uintptr
}

// isUnset reports whether the state is unset.
func (w *word) isUnset() bool { return (w.at.Load()-w.tag)&^busy == unset }

// state returns the state; closed when the word has gone to another event.
func (w *word) state() uintptr {
	v := w.at.Load() - w.tag
	if v > stateMask|busy {
		return closed
	}
	return v & stateMask
}

// change is a whole change of state if nobody else is concerned; else it does
// nothing and reports false.
func (w *word) change(from, to uintptr) bool {
	return w.at.CompareAndSwap(w.tag|from, w.tag|to)
}

// set changes the state; the caller holds the locks under which it may.
func (w *word) set(state uintptr) { w.update(stateMask, state) }

// mark and unmark change the flag; the caller holds the event's lock.
func (w *word) mark(flag uintptr)   { w.update(0, flag) }
func (w *word) unmark(flag uintptr) { w.update(flag, 0) }

// update drops some bits and adds others, unless the word is another event's.
func (w *word) update(drop, add uintptr) {
	for {
		v := w.at.Load()
		if v-w.tag > stateMask|busy || w.at.CompareAndSwap(v, v&^drop|add) {
			return
		}
	}
}
