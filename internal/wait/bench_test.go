package wait

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"
)

func BenchmarkSetReset(b *testing.B) {
	for _, registered := range []bool{false, true} {
		b.Run(fmt.Sprintf("registered=%v", registered), func(b *testing.B) {
			e := events(1)
			w := NewWaiter()
			defer w.Close()
			if registered {
				w.Wait(e, false, time.Nanosecond, false)
			}
			for b.Loop() {
				e[0].Set()
				e[0].Reset()
			}
		})
	}
}

func BenchmarkSignalled(b *testing.B) {
	for _, all := range []bool{false, true} {
		for _, n := range []int{1, 8, 64} {
			list := events(n)
			list[n-1].Set()
			for _, e := range list {
				if all {
					e.Set()
				}
			}
			b.Run(fmt.Sprintf("all=%v/%d", all, n), func(b *testing.B) {
				w := NewWaiter()
				defer w.Close()
				for b.Loop() {
					if w.Wait(list, all, Infinite, true).Reason != Signalled {
						b.Fatal("not signalled")
					}
				}
			})
		}
	}
}

// BenchmarkWaitAny64Signalled is a wait for any of 64 events when the last one
// of them is signalled, the dearest case, and when all are.
func BenchmarkWaitAny64Signalled(b *testing.B) {
	for _, first := range []int{MaxEvents - 1, 0} {
		list := events(MaxEvents)
		for _, e := range list[first:] {
			e.Set()
		}
		b.Run(fmt.Sprintf("from=%d", first), func(b *testing.B) {
			w := NewWaiter()
			defer w.Close()
			for b.Loop() {
				if w.Wait(list, false, Infinite, true).Index != first {
					b.Fatal("not signalled")
				}
			}
		})
	}
}

// BenchmarkWakeLockedThreads is a round trip between two goroutines that are
// locked to their threads, two wakes.
func BenchmarkWakeLockedThreads(b *testing.B) {
	for _, kind := range []struct {
		name      string
		newWaiter func() *Waiter
	}{{"parked", NewWaiter}, {"in the kernel", NewThreadWaiter}} {
		b.Run(kind.name, func(b *testing.B) {
			there, back := []*Event{NewAutoEvent()}, []*Event{NewAutoEvent()}
			var wg sync.WaitGroup
			wg.Go(func() {
				runtime.LockOSThread()
				w := kind.newWaiter()
				defer w.Close()
				for w.Wait(there, false, Infinite, true).Reason == Signalled {
					back[0].Set()
				}
			})
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			w := kind.newWaiter()
			defer w.Close()
			for b.Loop() {
				there[0].Set()
				w.Wait(back, false, Infinite, true)
			}
			there[0].Close()
			wg.Wait()
		})
	}
}

// BenchmarkWake is a round trip between two goroutines, two wakes.
func BenchmarkWake(b *testing.B) {
	b.Run("channel", func(b *testing.B) {
		ping, pong := make(chan struct{}), make(chan struct{})
		go func() {
			for range ping {
				pong <- struct{}{}
			}
			close(pong)
		}()
		for b.Loop() {
			ping <- struct{}{}
			<-pong
		}
		close(ping)
		<-pong
	})
	b.Run("auto", func(b *testing.B) {
		there, back := []*Event{NewAutoEvent()}, []*Event{NewAutoEvent()}
		var wg sync.WaitGroup
		wg.Go(func() {
			w := NewWaiter()
			defer w.Close()
			for w.Wait(there, false, Infinite, true).Reason == Signalled {
				back[0].Set()
			}
		})
		w := NewWaiter()
		defer w.Close()
		for b.Loop() {
			there[0].Set()
			w.Wait(back, false, Infinite, true)
		}
		there[0].Close()
		wg.Wait()
	})
	for _, all := range []bool{false, true} {
		for _, n := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("all=%v/%d", all, n), func(b *testing.B) {
				there, back := events(n), events(n)
				if all {
					for i := range n - 1 {
						there[i].Set()
						back[i].Set()
					}
				}
				wait := func(w *Waiter, list []*Event) bool {
					ok := w.Wait(list, all, Infinite, true).Reason == Signalled
					list[n-1].Reset()
					return ok
				}
				var wg sync.WaitGroup
				wg.Go(func() {
					w := NewWaiter()
					defer w.Close()
					for wait(w, there) {
						back[n-1].Set()
					}
				})
				w := NewWaiter()
				defer w.Close()
				for b.Loop() {
					there[n-1].Set()
					wait(w, back)
				}
				there[n-1].Close()
				wg.Wait()
			})
		}
	}
}

func BenchmarkFor(b *testing.B) {
	e := events(1)
	b.Run("timeout", func(b *testing.B) {
		for b.Loop() {
			For(e, false, 0)
		}
	})
}
