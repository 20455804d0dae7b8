package ws2

import (
	"upcall.dev/spi"
)

// hostOperation is an overlapped operation of the DLL itself, one that belongs
// to no provider. It ends in its routine, or else in the event of its
// OVERLAPPED.
type hostOperation struct {
	dll     *DLL
	ov      *spi.Overlapped
	routine spi.CompletionRoutine
	thread  spi.ThreadID
}

// begin starts an operation: its OVERLAPPED is in progress and its event is
// reset. WSA_INVALID_HANDLE (the event is none), WSAEOPNOTSUPP (a routine on the
// unbound thread).
func (t *Thread) begin(ov *spi.Overlapped, routine spi.CompletionRoutine) (*hostOperation, spi.Errno) {
	if routine != nil && !t.bound {
		return nil, spi.WSAEOPNOTSUPP
	}
	if ev := ov.HEvent.Untagged(); routine == nil && ev != spi.InvalidEvent {
		if e := t.dll.wpuResetEvent(ev); e != 0 {
			return nil, e
		}
	}
	ov.Offset, ov.OffsetHigh = 0, 0
	ov.Start()
	return &hostOperation{dll: t.dll, ov: ov, routine: routine, thread: t.id}, 0
}

// complete stores the outcome and, unless quiet, tells the client. It is called
// once, and takes no lock that is held across a call into a provider.
func (o *hostOperation) complete(status spi.Errno, transferred uint32, quiet bool) {
	ov, ev := o.ov, o.ov.HEvent
	ov.OffsetHigh = uint32(status)
	ov.Complete(status, transferred)
	switch {
	case quiet:
	case o.routine != nil:
		routine := o.routine
		o.dll.wpuQueueApc(&o.thread, func(uintptr) { routine(status, transferred, ov, 0) }, 0)
	case ev.Untagged() != spi.InvalidEvent:
		o.dll.wpuSetEvent(ev)
	}
}
