package ws2

import (
	"runtime"
	"strings"
	"testing"

	"upcall.dev/spi"
)

// lockedToThread reports whether the calling goroutine is locked to its
// operating-system thread, by the traceback that the runtime prints of it.
func lockedToThread() bool {
	trace := make([]byte, 256)
	header, _, _ := strings.Cut(string(trace[:runtime.Stack(trace, false)]), "\n")
	return strings.Contains(header, "locked to thread")
}

func TestAdoptThreadLocksNothing(t *testing.T) {
	h := newHost(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // stands for the call from C
		adopted := h.AdoptThread()
		if bound := h.BindThread(); bound != adopted {
			t.Error("BindThread on an adopted thread gives another Thread")
		}
		if again := h.AdoptThread(); again != adopted {
			t.Error("AdoptThread gives another Thread the second time")
		}
		adopted.WSASetLastError(spi.WSAEINTR)
		adopted.Unbind()
		if e := h.AdoptThread().WSAGetLastError(); e != spi.WSAEINTR {
			t.Errorf("a later call has last error %v", e)
		}
		adopted.Unbind()
		runtime.UnlockOSThread()
		if !lockedToThread() {
			t.Error("the Unbind of AdoptThread has unlocked what BindThread locked")
		}
		runtime.LockOSThread()
		adopted.Unbind() // undoes BindThread
		adopted.Unbind() // undoes the first AdoptThread
		runtime.UnlockOSThread()
		if lockedToThread() {
			t.Error("as many Unbinds as binds have left the goroutine locked")
		}
	}()
	<-done
}

func TestAdoptedThreadEnds(t *testing.T) {
	h := newHost(t)
	h.up()
	ended := make(chan spi.ThreadID)
	go func() {
		// The goroutine never unlocks, so the thread ends with it, as one that
		// C made does.
		runtime.LockOSThread()
		adopted := h.AdoptThread()
		id := adopted.id
		ran := false
		want(t, h.table.WPUQueueApc(&id, func(uintptr) { ran = true }, 0), 0)
		if adopted.SleepEx(spi.WSA_INFINITE, true) != spi.WSA_WAIT_IO_COMPLETION || !ran {
			t.Error("an APC did not run on the adopted thread")
		}
		adopted.Unbind()
		adopted.Unbind() // one too many
		if h.CallingThread() != nil {
			t.Error("the thread is bound after its Unbind")
		}
		ended <- id
	}()
	id := <-ended
	want(t, h.table.WPUQueueApc(&id, func(uintptr) { t.Error("ran") }, 0), spi.WSAEFAULT)
}
