//go:build !linux

package wait

import "time"

// NewThreadWaiter returns a waiter for a thread of the system whose goroutine
// cannot move to another one, such as a thread that C made.
func NewThreadWaiter() *Waiter { return NewWaiter() }

func (w *Waiter) parkInKernel(armed uint32, _ time.Time) (woken uint32) { return w.disarm(armed) }

func (w *Waiter) releaseInKernel() {}
