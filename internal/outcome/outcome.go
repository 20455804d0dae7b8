// Package outcome has calls wait for the end of overlapped operations that set
// no event: the operation's OVERLAPPED is what they wait for.
package outcome

import (
	"sync"
	"sync/atomic"

	"upcall.dev/spi"
)

// Waits is the calls that wait for operations of one provider. The zero value
// is ready.
type Waits struct {
	waiting atomic.Int32

	mu sync.Mutex // a leaf: guards what follows
	by map[*spi.Overlapped][]chan struct{}
}

// Wait returns a channel that is closed when the operation of ov completes, or
// nil when it has completed.
func (w *Waits) Wait(ov *spi.Overlapped) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting.Add(1) // before the look: whoever completes ov later sees it
	if !ov.InProgress() {
		w.waiting.Add(-1)
		return nil
	}
	if w.by == nil {
		w.by = map[*spi.Overlapped][]chan struct{}{}
	}
	done := make(chan struct{})
	w.by[ov] = append(w.by[ov], done)
	return done
}

// Completed wakes the calls that wait for ov, whose operation has completed. ov
// may be in use again, or gone: it is not read. Without a call that waits it
// costs a look at one word.
func (w *Waits) Completed(ov *spi.Overlapped) {
	if w.waiting.Load() == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, done := range w.by[ov] {
		close(done)
		w.waiting.Add(-1)
	}
	delete(w.by, ov)
}
