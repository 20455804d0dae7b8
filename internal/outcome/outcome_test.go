package outcome

import (
	"sync"
	"testing"

	"upcall.dev/spi"
)

func TestWaits(t *testing.T) {
	var w Waits
	var ov, other spi.Overlapped
	if w.Wait(&ov) != nil {
		t.Error("waits for what has completed")
	}
	ov.Start()
	other.Start()
	w.Completed(&ov) // nobody waits
	one, two, third := w.Wait(&ov), w.Wait(&ov), w.Wait(&other)
	ov.Complete(0, 0)
	w.Completed(&ov)
	<-one
	<-two
	select {
	case <-third:
		t.Error("woken by another operation")
	default:
	}
	w.Completed(&ov)
	w.Completed(&other)
	<-third
	if w.waiting.Load() != 0 || len(w.by) != 0 {
		t.Errorf("%d wait, for %d operations", w.waiting.Load(), len(w.by))
	}
}

// No wake is lost between the look at an operation and the wait for it.
func TestNoWakeIsLost(t *testing.T) {
	var w Waits
	for range 5000 {
		var ov spi.Overlapped
		ov.Start()
		var wg sync.WaitGroup
		wg.Go(func() {
			ov.Complete(0, 1)
			w.Completed(&ov)
		})
		if done := w.Wait(&ov); done != nil {
			<-done
		}
		wg.Wait()
	}
	if w.waiting.Load() != 0 || len(w.by) != 0 {
		t.Errorf("%d wait, for %d operations", w.waiting.Load(), len(w.by))
	}
}
