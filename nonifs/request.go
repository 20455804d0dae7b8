package nonifs

import (
	"sync"

	"upcall.dev/spi"
)

// Request is what a provider keeps of an overlapped request: where and how its
// outcome is told. The zero value is no request.
//
// The protocol of the OVERLAPPED fields: Begin stores
// WSS_OPERATION_IN_PROGRESS in Internal and resets the event; Complete stores
// the flags in Offset and the error in OffsetHigh, then either lets the DLL
// store InternalHigh and Internal and notify (WPUCompleteOverlappedRequest),
// or, with a completion routine, stores them and queues the routine to the
// thread that started the operation (WPUQueueApc).
// Source: nf-ws2spi-wpucompleteoverlappedrequest.
type Request struct {
	ov      *spi.Overlapped
	routine spi.CompletionRoutine
	thread  spi.ThreadID
	opened  bool   // thread came from WPUOpenCurrentThread
	native  uint64 // the system's id of the thread, of a request that came without thread
}

func (r *Request) overlapped() bool { return r.ov != nil }

// BeginRequest starts an overlapped request with the arguments that a WSP
// function was given. ov must not be nil. WSA_INVALID_HANDLE when ov's event
// is not one.
func (h *Host) BeginRequest(ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) (Request, spi.Errno) {
	r := Request{ov: ov, routine: routine}
	switch {
	case routine == nil:
		if ev := ov.HEvent.Untagged(); ev != spi.InvalidEvent && h.Upcalls().WPUResetEvent(ev) != 0 {
			return Request{}, spi.WSA_INVALID_HANDLE
		}
	case thread == nil:
		var opened spi.ThreadID
		if errno := h.Upcalls().WPUOpenCurrentThread(&opened); errno != 0 {
			return Request{}, errno
		}
		r.thread, r.opened = opened, true
	}
	if thread != nil {
		r.thread = *thread
	} else {
		r.native = currentThread()
	}
	ov.Offset, ov.OffsetHigh = 0, 0
	ov.Start()
	return r, 0
}

// Fail ends a request whose start failed, which is never indicated.
func (h *Host) Fail(r *Request, errno spi.Errno) {
	r.ov.OffsetHigh = uint32(errno)
	r.ov.Complete(errno, 0)
	h.closeThread(r)
}

// Complete tells the outcome of a request that was started on handle s. After
// the last WSPCleanup it only stores it, and a failure as WSA_OPERATION_ABORTED.
// No lock may be held.
func (h *Host) Complete(s spi.Socket, r *Request, errno spi.Errno, transferred, flags uint32) {
	ov := r.ov
	quiet := h.quiet.Load()
	if quiet && errno != 0 {
		errno = spi.WSA_OPERATION_ABORTED
	}
	ov.Offset, ov.OffsetHigh = flags, uint32(errno)
	switch {
	case quiet:
		ov.Complete(errno, transferred)
	case r.routine == nil:
		h.DLL().WPUCompleteOverlappedRequest(s, ov, errno, transferred)
	default:
		ov.Complete(errno, transferred)
		c := routineCalls.Get().(*routineCall)
		c.thread, c.routine = r.thread, r.routine
		c.ov, c.errno, c.transferred, c.flags = ov, errno, transferred, flags
		h.Upcalls().WPUQueueApc(&c.thread, c.apc, 0)
	}
	h.results.Completed(ov)
	h.closeThread(r)
}

func (h *Host) closeThread(r *Request) {
	if r.opened {
		thread := r.thread
		h.Upcalls().WPUCloseThread(&thread)
	}
}

// startedBy reports whether a thread started the request; zero is any. native is
// the system's id of the calling thread, which is the one that is meant: those
// who call an extension function do not say more.
func (r *Request) startedBy(thread uintptr, native uint64) bool {
	return thread == 0 || r.thread.ThreadHandle == thread || r.native != 0 && r.native == native
}

// routineCall is a call of a completion routine on its way to its thread;
// pooled, with the APC bound to it.
type routineCall struct {
	apc         spi.UserAPC
	thread      spi.ThreadID
	routine     spi.CompletionRoutine
	ov          *spi.Overlapped
	errno       spi.Errno
	transferred uint32
	flags       uint32
}

var routineCalls sync.Pool

func init() {
	routineCalls.New = func() any {
		c := new(routineCall)
		c.apc = c.run
		return c
	}
}

func (c *routineCall) run(uintptr) {
	call := *c
	*c = routineCall{apc: c.apc}
	routineCalls.Put(c)
	call.routine(call.errno, call.transferred, call.ov, call.flags)
}

// resultPoll is how long a wait for an outcome sleeps, in milliseconds, before
// it looks whether the outcome came without an indication.
const resultPoll = 100

// OverlappedResult is WSPGetOverlappedResult for requests that end through
// [Host.Complete]. With wait it waits for the event of ov, or without one for
// the end itself, or for the last WSPCleanup, which ends the operation and sets
// no event. WSA_IO_INCOMPLETE, WSA_IO_PENDING (the event was set, but the
// operation goes on), WSA_INVALID_HANDLE (its event is none), WSAEFAULT, or the
// operation's own error.
func (h *Host) OverlappedResult(ov *spi.Overlapped, transferred *uint32, wait bool, flags *uint32) spi.Errno {
	if ov == nil || transferred == nil || flags == nil {
		return spi.WSAEFAULT
	}
	if wait {
		if errno := h.awaitOutcome(ov); errno != 0 {
			return errno
		}
	}
	if ov.InProgress() {
		if wait {
			return spi.WSA_IO_PENDING
		}
		return spi.WSA_IO_INCOMPLETE
	}
	*transferred, *flags = uint32(ov.InternalHigh), ov.Offset
	return spi.Errno(ov.OffsetHigh)
}

// awaitOutcome waits for the end of an operation, or for its event.
func (h *Host) awaitOutcome(ov *spi.Overlapped) spi.Errno {
	ev := ov.HEvent.Untagged()
	if ev == spi.InvalidEvent {
		if done := h.results.Wait(ov); done != nil {
			<-done
		}
		return 0
	}
	for ov.InProgress() {
		switch h.DLL().WaitForEvent(ev, resultPoll) {
		case spi.WSA_WAIT_TIMEOUT:
		case spi.WSA_WAIT_FAILED:
			return spi.WSA_INVALID_HANDLE
		default:
			return 0
		}
	}
	return 0
}
