package memory_test

import (
	"runtime"
	"testing"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// outcomeOf waits for the outcome of an operation on a goroutine.
func outcomeOf(th *ws2.Thread, s spi.Socket, ov *spi.Overlapped) <-chan error {
	got := make(chan error, 1)
	go func() {
		var n, flags uint32
		err := th.DLL().Unbound().WSAGetOverlappedResult(s, ov, &n, true, &flags)
		if err == nil && n != 3 {
			err = spi.WSAEMSGSIZE.Err()
		}
		got <- err
	}()
	return got
}

// An operation without an event is waited for all the same.
func TestResultWithoutAnEvent(t *testing.T) {
	th := newThread(t)
	client, server := pair(t, th)
	for range 200 {
		var ov spi.Overlapped
		want(t, receiveInto(th, server, &ov, make([]byte, 9)), spi.WSA_IO_PENDING)
		first, second := outcomeOf(th, server, &ov), outcomeOf(th, server, &ov)
		send(t, th, client, "abc")
		ok(t, <-first)
		ok(t, <-second)
		ok(t, <-outcomeOf(th, server, &ov))
	}

	// Its end may be a cancellation, or that of the handle.
	var cancelled, orphaned spi.Overlapped
	want(t, receiveInto(th, server, &cancelled, make([]byte, 9)), spi.WSA_IO_PENDING)
	want(t, receiveInto(th, server, &orphaned, make([]byte, 9)), spi.WSA_IO_PENDING)
	one, other := outcomeOf(th, server, &cancelled), outcomeOf(th, server, &orphaned)
	ok(t, th.CancelIoEx(server, &cancelled))
	want(t, <-one, spi.WSA_OPERATION_ABORTED)
	if !orphaned.InProgress() || len(other) != 0 {
		t.Error("another operation's wait has ended")
	}
	ok(t, th.CancelIoEx(server, &orphaned))
	want(t, <-other, spi.WSA_OPERATION_ABORTED)

	// An event that is none is an error as before.
	ov := newOverlapped(t, th)
	want(t, receiveInto(th, server, ov, make([]byte, 9)), spi.WSA_IO_PENDING)
	ev := ov.HEvent
	ov.HEvent = 4711
	want(t, <-outcomeOf(th, server, ov), spi.WSA_INVALID_HANDLE)
	ov.HEvent = ev
	ok(t, th.CancelIoEx(server, ov))
	awaitEvent(t, th, ev)
}

// The last WSACleanup ends the operation, and the wait for it.
func TestCleanupEndsTheWaitForAResult(t *testing.T) {
	th := newDLL(t).BindThread()
	defer th.Unbind()
	_, server := pair(t, th)
	var ov spi.Overlapped
	want(t, receiveInto(th, server, &ov, make([]byte, 9)), spi.WSA_IO_PENDING)
	got := outcomeOf(th, server, &ov)
	ok(t, th.WSACleanup())
	if err := <-got; err == nil {
		t.Error("the wait succeeds")
	}
	if ov.InProgress() {
		t.Error("the operation goes on")
	}
	ok(t, th.WSAStartup(spi.Version22, new(ws2.WSAData)))
}

// CancelIo ends what the calling thread has started by extension functions too,
// which are not told the thread.
func TestCancelByThreadOfExtensionFunctions(t *testing.T) {
	th := newThread(t)
	runtime.LockOSThread() // theirs must not be of the thread that the goroutine below binds
	defer runtime.UnlockOSThread()
	l, _ := listen(t, th)
	theirs, err := startAccept(t, th, l, 0)
	want(t, err, spi.WSA_IO_PENDING)
	var late *acceptance
	done := make(chan struct{})
	go func() {
		defer close(done)
		own := th.DLL().BindThread()
		defer own.Unbind()
		mine, err := startAccept(t, own, l, 0)
		want(t, err, spi.WSA_IO_PENDING)
		ok(t, own.CancelIo(l))
		awaitEvent(t, own, mine.HEvent)
		if got := spi.Errno(mine.OffsetHigh); got != spi.WSA_OPERATION_ABORTED {
			t.Errorf("cancelled: %v", got)
		}
		late, err = startAccept(t, own, l, 0)
		want(t, err, spi.WSA_IO_PENDING)
	}()
	<-done
	awaitEvent(t, th, late.HEvent)
	if got := spi.Errno(late.OffsetHigh); got != spi.WSA_OPERATION_ABORTED {
		t.Errorf("at the end of the thread: %v", got)
	}
	if !theirs.InProgress() {
		t.Error("another thread's operation has ended")
	}
	ok(t, th.CancelIoEx(l, &theirs.Overlapped))
	awaitEvent(t, th, theirs.HEvent)
}
