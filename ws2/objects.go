package ws2

import (
	"upcall.dev/internal/wait"
	"upcall.dev/spi"
)

// This file is what the system has to wait for besides events: semaphores and
// the ends of threads. Their handles may stand beside those of events in
// [Thread.WSAWaitForMultipleEvents].

// STILL_ACTIVE is the exit code of a thread that has not ended.
const STILL_ACTIVE = 259

// CreateSemaphore makes a semaphore: it is signalled while its count is more
// than zero, and each wait that it ends takes one. It stands for the system call
// of that name, without a name for the semaphore. WSA_INVALID_PARAMETER (not
// 0 <= initial <= maximum, or maximum is not positive), WSA_NOT_ENOUGH_MEMORY.
// Source: windows/win32/api/winbase/nf-winbase-createsemaphorea.
func (t *Thread) CreateSemaphore(initial, maximum int32) (spi.Event, error) {
	e, ok := wait.NewSemaphore(initial, maximum)
	if !ok {
		return 0, t.fail(spi.WSA_INVALID_PARAMETER)
	}
	ev, code := t.dll.newEvent(e)
	return ev, t.result(code)
}

// ReleaseSemaphore adds n to the count of a semaphore and returns the count
// before. WSA_INVALID_HANDLE, WSA_INVALID_PARAMETER (n is not positive),
// ERROR_TOO_MANY_POSTS (the count would be above the maximum).
// Source: windows/win32/api/synchapi/nf-synchapi-releasesemaphore.
func (t *Thread) ReleaseSemaphore(ev spi.Event, n int32) (previous int32, err error) {
	e := t.dll.event(ev)
	if e == nil || !e.IsSemaphore() {
		return 0, t.fail(spi.WSA_INVALID_HANDLE)
	}
	if n <= 0 {
		return 0, t.fail(spi.WSA_INVALID_PARAMETER)
	}
	previous, ok := e.Release(n)
	switch {
	case ok:
		return previous, nil
	case previous < 0: // closed at this moment
		return 0, t.fail(spi.WSA_INVALID_HANDLE)
	}
	return 0, t.fail(spi.ERROR_TOO_MANY_POSTS)
}

// OpenThread makes a handle of the thread, which is the calling one, for others
// to wait for its end, queue APCs to it and read its exit code until
// [DLL.CloseThread]. WSAEOPNOTSUPP (the unbound thread), WSA_NOT_ENOUGH_MEMORY.
func (t *Thread) OpenThread() (spi.Event, error) {
	if !t.bound {
		return 0, t.fail(spi.WSAEOPNOTSUPP)
	}
	if t.ended.Load() == nil {
		t.ended.Store(wait.NewEvent())
	}
	handle, ok := t.dll.threads.ids.Insert(&threadRef{thread: t}, 0)
	if !ok {
		return 0, t.fail(spi.WSA_NOT_ENOUGH_MEMORY)
	}
	return spi.Event(handle), nil
}

// CloseThread ends the use of a handle that [Thread.OpenThread] made. The thread
// goes on. WSA_INVALID_HANDLE.
func (d *DLL) CloseThread(thread spi.Event) error {
	ref := d.openThread(thread)
	if ref == nil || d.threads.ids.Remove(uintptr(thread.Untagged())) == nil {
		return spi.WSA_INVALID_HANDLE.Err()
	}
	d.eventsClosed.Add(1)
	return nil
}

// openThread returns what a handle of [Thread.OpenThread] stands for, nil if it
// is none.
func (d *DLL) openThread(thread spi.Event) *threadRef {
	ref := d.threads.ids.Get(uintptr(thread.Untagged()))
	if ref == nil || ref.own || ref.thread.ended.Load() == nil {
		return nil
	}
	return ref
}

// threadEnd returns the event that is signalled when a thread has ended.
func (d *DLL) threadEnd(thread spi.Event) *wait.Event {
	if ref := d.openThread(thread); ref != nil {
		return ref.thread.ended.Load()
	}
	return nil
}

// SetExitCode sets what [DLL.ExitCodeThread] returns once the thread has ended.
func (t *Thread) SetExitCode(code uint32) { t.exitCode.Store(code) }

// ExitCodeThread returns the exit code of a thread, STILL_ACTIVE before its end.
// It stands for GetExitCodeThread. WSA_INVALID_HANDLE.
func (d *DLL) ExitCodeThread(thread spi.Event) (uint32, error) {
	ref := d.openThread(thread)
	switch {
	case ref == nil:
		return 0, spi.WSA_INVALID_HANDLE.Err()
	case !ref.thread.ended.Load().Signalled():
		return STILL_ACTIVE, nil
	}
	return ref.thread.exitCode.Load(), nil
}

// QueueUserAPC queues apc(context) to a thread, which runs it in its next, or
// its present, alertable wait. It stands for the system call of that name; thread
// is a handle of [Thread.OpenThread]. WSA_INVALID_HANDLE, ERROR_GEN_FAILURE (the
// thread has ended).
// Source: windows/win32/api/processthreadsapi/nf-processthreadsapi-queueuserapc.
func (d *DLL) QueueUserAPC(apc spi.UserAPC, thread spi.Event, context uintptr) error {
	ref := d.openThread(thread)
	switch {
	case ref == nil:
		return spi.WSA_INVALID_HANDLE.Err()
	case !ref.thread.waiter.Queue(apc, context):
		return spi.ERROR_GEN_FAILURE.Err()
	}
	return nil
}

// QueueAPC is [DLL.QueueUserAPC] to the calling thread itself. WSAEOPNOTSUPP
// (the unbound thread).
func (t *Thread) QueueAPC(apc spi.UserAPC, context uintptr) error {
	if !t.bound || !t.waiter.Queue(apc, context) {
		return t.fail(spi.WSAEOPNOTSUPP)
	}
	return nil
}
