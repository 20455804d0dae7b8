package nonifs

import (
	"sync"
	"time"

	"upcall.dev/spi"
)

// hookPoll is how long a waiting call sleeps between two calls of a blocking
// hook.
const hookPoll = time.Millisecond

// blockedCalls are the calls that wait under a blocking hook, by thread, for
// WSPCancelBlockingCall. It is empty unless a Winsock 1.x client blocks.
type blockedCalls struct {
	mu        sync.Mutex      // guards cancelled; a leaf lock
	cancelled map[uint64]bool // by thread
}

func (b *blockedCalls) enter(thread uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cancelled == nil {
		b.cancelled = map[uint64]bool{}
	}
	b.cancelled[thread] = false
}

func (b *blockedCalls) leave(thread uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.cancelled, thread)
}

func (b *blockedCalls) isCancelled(thread uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cancelled[thread]
}

// CancelBlockingCall is WSPCancelBlockingCall: the calling thread's blocked
// call, which is waiting under a blocking hook, ends with WSAEINTR. WSAEINVAL
// when there is none.
func (h *Host) CancelBlockingCall() spi.Errno {
	thread := currentThread()
	h.blocking.mu.Lock()
	defer h.blocking.mu.Unlock()
	if _, waits := h.blocking.cancelled[thread]; !waits {
		return spi.WSAEINVAL
	}
	h.blocking.cancelled[thread] = true
	return 0
}

// Await blocks the calling thread until done receives, as a blocking WSP
// function does: timeout, when above zero, ends it with WSAETIMEDOUT, and the
// thread's blocking hook, when it has one, is called again and again and may
// cancel the wait, which gives WSAEINTR. entry is the catalog entry id of the
// socket.
func (h *Host) Await(done <-chan struct{}, timeout time.Duration, entry uint32) spi.Errno {
	if hook, context := h.hook(entry); hook != nil {
		return h.awaitUnderHook(done, timeout, hook, context)
	}
	if timeout <= 0 {
		<-done
		return 0
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-done:
		return 0
	case <-timer.C:
		return spi.WSAETIMEDOUT
	}
}

// hookAnswer is where WPUQueryBlockingCallback stores; pooled, for it would be
// the only allocation of a blocked call.
type hookAnswer struct {
	callback spi.BlockingCallback
	context  uintptr
}

var hookAnswers = sync.Pool{New: func() any { return new(hookAnswer) }}

// hook returns the calling thread's blocking hook, nil when it has none.
func (h *Host) hook(entry uint32) (spi.BlockingCallback, uintptr) {
	a := hookAnswers.Get().(*hookAnswer)
	defer hookAnswers.Put(a)
	*a = hookAnswer{}
	if h.Upcalls().WPUQueryBlockingCallback(entry, &a.callback, &a.context) != 0 {
		return nil, 0
	}
	return a.callback, a.context
}

func (h *Host) awaitUnderHook(done <-chan struct{}, timeout time.Duration, hook spi.BlockingCallback, context uintptr) spi.Errno {
	thread := currentThread()
	h.blocking.enter(thread)
	defer h.blocking.leave(thread)
	start := time.Now()
	pause := time.NewTimer(hookPoll)
	defer pause.Stop()
	for {
		if !hook(context) || h.blocking.isCancelled(thread) {
			return spi.WSAEINTR
		}
		pause.Reset(hookPoll)
		select {
		case <-done:
			return 0
		case <-pause.C:
		}
		if timeout > 0 && time.Since(start) >= timeout {
			return spi.WSAETIMEDOUT
		}
	}
}
