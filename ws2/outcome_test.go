package ws2

import (
	"testing"

	"upcall.dev/spi"
)

// A provider that waits for events alone, as one in C may, is helped out by the
// DLL when there is none.
func TestOverlappedResultWithoutAnEvent(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	waiting := make(chan struct{}, 1)
	var ends *spi.Overlapped // while the provider refuses to wait for it
	f.LpWSPGetOverlappedResult = func(_ spi.Socket, ov *spi.Overlapped, transferred *uint32, wait bool, _ *uint32) spi.Errno {
		if ov.InProgress() {
			if wait {
				if ov == ends {
					ov.Complete(0, 4)
				}
				waiting <- struct{}{}
				return spi.WSA_INVALID_HANDLE
			}
			return spi.WSA_IO_INCOMPLETE
		}
		*transferred = uint32(ov.InternalHigh)
		return spi.Errno(ov.OffsetHigh)
	}
	thread := h.up()
	s := mustSocket(t, thread)
	type outcome struct {
		n   uint32
		err error
	}
	result := func(ov *spi.Overlapped) <-chan outcome {
		got := make(chan outcome, 1)
		go func() {
			var n, flags uint32
			err := h.Unbound().WSAGetOverlappedResult(s, ov, &n, true, &flags)
			got <- outcome{n, err}
		}()
		return got
	}

	ov := started(0)
	got := result(ov)
	<-waiting
	want(t, f.dll.WPUCompleteOverlappedRequest(s, ov, 0, 12), 0)
	if o := <-got; o.n != 12 || o.err != nil {
		t.Errorf("%+v", o)
	}

	ends = started(0)
	got = result(ends)
	<-waiting
	if o := <-got; o.n != 4 || o.err != nil {
		t.Errorf("%+v", o)
	}

	// An event that is there is the provider's affair.
	ev, e := h.table.WPUCreateEvent()
	want(t, e, 0)
	got = result(started(ev))
	<-waiting
	if o := <-got; CodeOf(o.err) != spi.WSA_INVALID_HANDLE {
		t.Errorf("%+v", o)
	}

	// An operation that the provider ends without a word, and one that it
	// forgets in its cleanup.
	silent, forgotten := started(0), started(0)
	got = result(silent)
	<-waiting
	silent.Complete(0, 3)
	if o := <-got; o.n != 3 || o.err != nil {
		t.Errorf("%+v", o)
	}
	got = result(forgotten)
	<-waiting
	wantCode(t, thread, thread.WSACleanup(), 0)
	if o := <-got; o.err == nil {
		t.Errorf("%+v", o)
	}
}
