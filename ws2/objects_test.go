package ws2

import (
	"testing"

	"upcall.dev/spi"
)

func TestSemaphores(t *testing.T) {
	h := newHost(t)
	thread := h.BindThread()
	defer thread.Unbind()
	for _, c := range [][2]int32{{-1, 1}, {0, 0}, {2, 1}} {
		_, err := thread.CreateSemaphore(c[0], c[1])
		wantCode(t, thread, err, spi.WSA_INVALID_PARAMETER)
	}
	s, err := thread.CreateSemaphore(1, 2)
	wantCode(t, thread, err, 0)
	e, err := thread.CreateEvent(true, false)
	wantCode(t, thread, err, 0)
	both := []spi.Event{e, s}
	wait := func(all bool, want uint32) {
		t.Helper()
		if got, err := thread.WSAWaitForMultipleEvents(both, all, 0, false); got != want || err != nil {
			t.Errorf("wait, all %v: %d, %v, want %d", all, got, err, want)
		}
	}
	wait(true, spi.WSA_WAIT_TIMEOUT)
	wait(false, spi.WSA_WAIT_EVENT_0+1)
	wait(false, spi.WSA_WAIT_TIMEOUT)
	for i, n := range []int32{2, 1, 0, -1} {
		previous, err := thread.ReleaseSemaphore(s, n)
		code := []spi.Errno{0, spi.ERROR_TOO_MANY_POSTS, spi.WSA_INVALID_PARAMETER, spi.WSA_INVALID_PARAMETER}[i]
		if wantCode(t, thread, err, code); previous != 0 {
			t.Errorf("release of %d: count %d before", n, previous)
		}
	}
	wantCode(t, thread, thread.WSASetEvent(e), 0)
	wait(true, spi.WSA_WAIT_EVENT_0)
	if previous, err := thread.ReleaseSemaphore(s, 1); previous != 1 || err != nil {
		t.Errorf("a wait for all took not one: count %d, %v", previous, err)
	}
	wantCode(t, thread, thread.WSASetEvent(s), spi.WSA_INVALID_HANDLE)
	wantCode(t, thread, thread.WSAResetEvent(s), spi.WSA_INVALID_HANDLE)
	_, err = thread.ReleaseSemaphore(e, 1)
	wantCode(t, thread, err, spi.WSA_INVALID_HANDLE)
	wantCode(t, thread, thread.WSACloseEvent(s), 0)
	_, err = thread.ReleaseSemaphore(s, 1)
	wantCode(t, thread, err, spi.WSA_INVALID_HANDLE)
	wantCode(t, thread, thread.WSACloseEvent(e), 0)
}

func TestThreadHandles(t *testing.T) {
	h := newHost(t)
	thread := h.BindThread()
	defer thread.Unbind()
	opened, finish := make(chan spi.Event), make(chan struct{})
	ran := make(chan uintptr, 1)
	go func() {
		worker := h.BindThread()
		handle, err := worker.OpenThread()
		if err != nil {
			t.Error(err)
		}
		opened <- handle
		if got := worker.SleepEx(spi.WSA_INFINITE, true); got != spi.WSA_WAIT_IO_COMPLETION {
			t.Errorf("the APC did not end the sleep: %d", got)
		}
		<-finish
		worker.SetExitCode(7)
		worker.Unbind()
	}()
	handle := <-opened
	if code, err := h.ExitCodeThread(handle); code != STILL_ACTIVE || err != nil {
		t.Errorf("exit code %d, %v", code, err)
	}
	if err := h.QueueUserAPC(func(c uintptr) { ran <- c }, handle, 5); err != nil || <-ran != 5 {
		t.Errorf("QueueUserAPC: %v", err)
	}
	e, err := thread.CreateEvent(true, true)
	wantCode(t, thread, err, 0)
	if got, err := thread.WSAWaitForMultipleEvents([]spi.Event{e, handle}, true, 0, false); got != spi.WSA_WAIT_TIMEOUT {
		t.Errorf("the thread has ended: %d, %v", got, err)
	}
	wantCode(t, thread, thread.WSASetEvent(handle), spi.WSA_INVALID_HANDLE)
	close(finish)
	if got, err := thread.WSAWaitForMultipleEvents([]spi.Event{e, handle}, true, spi.WSA_INFINITE, false); got != spi.WSA_WAIT_EVENT_0 {
		t.Errorf("wait for the thread: %d, %v", got, err)
	}
	if code, err := h.ExitCodeThread(handle); code != 7 || err != nil {
		t.Errorf("exit code %d, %v", code, err)
	}
	if err := h.QueueUserAPC(func(uintptr) {}, handle, 0); CodeOf(err) != spi.ERROR_GEN_FAILURE {
		t.Errorf("an APC to a thread that has ended: %v", err)
	}
	if err := h.CloseThread(handle); err != nil {
		t.Error(err)
	}
	if err := h.CloseThread(handle); CodeOf(err) != spi.WSA_INVALID_HANDLE {
		t.Errorf("closed twice: %v", err)
	}
	_, err = thread.WSAWaitForMultipleEvents([]spi.Event{e, handle}, true, 0, false)
	wantCode(t, thread, err, spi.WSA_INVALID_HANDLE)
	if err := h.CloseThread(spi.Event(thread.id.ThreadHandle)); CodeOf(err) != spi.WSA_INVALID_HANDLE {
		t.Errorf("a thread's own id was closed: %v", err)
	}
	_, err = h.Unbound().OpenThread()
	wantCode(t, h.Unbound(), err, spi.WSAEOPNOTSUPP)
	wantCode(t, thread, thread.WSACloseEvent(e), 0)
}
