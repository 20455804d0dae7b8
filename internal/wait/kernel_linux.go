package wait

import (
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Operations of futex(2), on memory of this process only.
const (
	futexWait = 0 | 128
	futexWake = 1 | 128
)

// NewThreadWaiter returns a waiter for a thread of the system whose goroutine
// cannot move to another one, such as a thread that C made: it sleeps in the
// kernel, which wakes it sooner than the scheduler could.
func NewThreadWaiter() *Waiter { return new(Waiter) }

// parkInKernel is park for such a waiter; a zero deadline never passes.
func (w *Waiter) parkInKernel(armed uint32, deadline time.Time) (woken uint32) {
	w.asleep.Store(true)
	defer w.asleep.Store(false)
	for {
		if woken = w.word.Load(); woken != armed {
			return woken
		}
		var limit *unix.Timespec
		if !deadline.IsZero() {
			left := time.Until(deadline)
			if left <= 0 {
				return w.disarm(armed)
			}
			t := unix.NsecToTimespec(int64(left))
			limit = &t
		}
		sleepOn(&w.word, armed, limit)
	}
}

// releaseInKernel wakes the waiter if it sleeps: either it is seen to, or its
// look at the word, which it does after it says so, finds the reason.
func (w *Waiter) releaseInKernel() {
	if w.asleep.Load() {
		wakeOne(&w.word)
	}
}

// sleepOn sleeps while word has the value, no longer than limit if that is not
// nil. It may return early.
func sleepOn(word *atomic.Uint32, value uint32, limit *unix.Timespec) {
	// Its errors (another value, a signal, the limit) are reasons to look again.
	_, _, _ = syscall.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWait, uintptr(value), uintptr(unsafe.Pointer(limit)), 0, 0)
}

func wakeOne(word *atomic.Uint32) {
	_, _, _ = syscall.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWake, 1, 0, 0, 0)
}
