package ws2

import (
	"testing"

	"upcall.dev/spi"
)

// blocks makes the fake's WSPRecv block: until done, or until cancelled through
// the blocking hook.
func (f *fake) blocks(done func() bool) {
	cancelled := false
	f.LpWSPCancelBlockingCall = func() spi.Errno {
		f.count("WSPCancelBlockingCall")
		cancelled = true
		return 0
	}
	f.LpWSPRecv = func(spi.Socket, []spi.Buf, *uint32, *uint32, *spi.Overlapped, spi.CompletionRoutine, *spi.ThreadID) spi.Errno {
		cancelled = false
		var callback spi.BlockingCallback
		var context uintptr
		if e := f.upcalls.WPUQueryBlockingCallback(f.ids[0], &callback, &context); e != 0 {
			return e
		}
		for !done() {
			if callback == nil {
				continue
			}
			f.count("callback")
			if !callback(context) {
				if !cancelled {
					return spi.WSAEINVAL
				}
				return spi.WSAEINTR
			}
		}
		return 0
	}
}

func TestBehaviour101_HookCancels(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("blocking", tcp())
	f.blocks(func() bool { return false })
	thread := h.upAs(version(1, 1))
	s := mustSocket(t, thread)
	calls := 0
	_, err := thread.WSASetBlockingHook(func() bool {
		calls++
		if calls == 3 {
			if err := thread.WSACancelBlockingCall(); err != nil {
				t.Error(err)
			}
		}
		return calls < 3
	})
	wantCode(t, thread, err, 0)
	_, err = thread.Recv(s, make([]byte, 1), 0)
	wantCode(t, thread, err, spi.WSAEINTR)
	if calls != 3 || f.called("callback") != 1 || f.called("WSPCancelBlockingCall") != 1 {
		t.Errorf("%d hook calls, %d callbacks, %d cancellations", calls, f.called("callback"), f.called("WSPCancelBlockingCall"))
	}
}

// A cancellation that the provider refuses has not happened.
func TestProviderRefusesToCancel(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("blocking", tcp())
	looks := 0
	f.blocks(func() bool { looks++; return looks == 3 })
	f.LpWSPCancelBlockingCall = func() spi.Errno { f.count("WSPCancelBlockingCall"); return spi.WSAENETDOWN }
	thread := h.upAs(version(1, 1))
	s := mustSocket(t, thread)
	_, err := thread.WSASetBlockingHook(func() bool {
		wantCode(t, thread, thread.WSACancelBlockingCall(), spi.WSAENETDOWN)
		return false
	})
	wantCode(t, thread, err, 0)
	_, err = thread.Recv(s, make([]byte, 1), 0)
	wantCode(t, thread, err, 0)
	if f.called("WSPCancelBlockingCall") != 2 || f.called("callback") != 2 {
		t.Errorf("%d cancellations in %d callbacks", f.called("WSPCancelBlockingCall"), f.called("callback"))
	}
}

// The hook's false ends one callback, and the provider goes on waiting.
func TestHookWithoutCancelling(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("blocking", tcp())
	looks := 0
	f.blocks(func() bool { looks++; return looks == 5 })
	thread := h.upAs(version(1, 1))
	s := mustSocket(t, thread)
	calls := 0
	first := func() bool { calls++; return calls%2 == 1 }
	previous, err := thread.WSASetBlockingHook(first)
	wantCode(t, thread, err, 0)
	if previous != nil {
		t.Error("there was a hook before")
	}
	_, err = thread.Recv(s, make([]byte, 1), 0)
	wantCode(t, thread, err, 0)
	if calls != 8 || f.called("callback") != 4 {
		t.Errorf("%d hook calls, %d callbacks; want 8 and 4", calls, f.called("callback"))
	}
	previous, err = thread.WSASetBlockingHook(func() bool { return false })
	wantCode(t, thread, err, 0)
	if previous == nil {
		t.Error("the hook before was not returned")
	}
	wantCode(t, thread, thread.WSAUnhookBlockingHook(), 0)
	if n := h.threads.hooked.Load(); n != 0 {
		t.Errorf("%d threads with hooks", n)
	}
	_, err = thread.WSASetBlockingHook(nil)
	wantCode(t, thread, err, spi.WSAEFAULT)
}

func TestBehaviour102_QueryBlockingCallback(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	var callback spi.BlockingCallback
	var context uintptr
	want(t, h.table.WPUQueryBlockingCallback(f.ids[0], &callback, &context), spi.WSANOTINITIALISED)
	thread := h.upAs(version(1, 1))
	callback, context = func(uintptr) bool { return true }, 1
	want(t, h.table.WPUQueryBlockingCallback(f.ids[0], &callback, &context), 0)
	if callback != nil || context != 0 {
		t.Error("a callback without a hook")
	}
	want(t, h.table.WPUQueryBlockingCallback(f.ids[0], nil, &context), spi.WSAEFAULT)
	want(t, h.table.WPUQueryBlockingCallback(f.ids[0], &callback, nil), spi.WSAEFAULT)
	want(t, h.table.WPUQueryBlockingCallback(4711, &callback, &context), spi.WSAEINVAL)

	_, err := thread.WSASetBlockingHook(func() bool { return false })
	wantCode(t, thread, err, 0)
	want(t, h.table.WPUQueryBlockingCallback(f.ids[0], &callback, &context), 0)
	if callback == nil || context != uintptr(f.ids[0]) {
		t.Error("no callback with a hook")
	}
	// Another thread has none, nor has a goroutine that is not bound.
	h.onThread(func(*Thread) {
		want(t, h.table.WPUQueryBlockingCallback(f.ids[0], &callback, &context), 0)
	})
	if callback != nil {
		t.Error("another thread's hook")
	}
}

func TestBehaviour103_CancelWithoutBlockingCall(t *testing.T) {
	thread := newHost(t).upAs(version(2, 2))
	wantCode(t, thread, thread.WSACancelBlockingCall(), spi.WSAEOPNOTSUPP)
	thread = newHost(t).upAs(version(1, 1))
	wantCode(t, thread, thread.WSACancelBlockingCall(), spi.WSAEINVAL)
}

func TestBehaviour104_CallsInsideAHook(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("blocking", tcp())
	f.blocks(func() bool { return false })
	thread := h.upAs(version(1, 1))
	s := mustSocket(t, thread)
	_, err := thread.WSASetBlockingHook(func() bool {
		if !thread.WSAIsBlocking() {
			t.Error("WSAIsBlocking is false inside a hook")
		}
		_, send := thread.Send(s, []byte("x"), 0)
		_, socket := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
		_, wait := thread.WSAWaitForMultipleEvents([]spi.Event{4}, false, 0, false)
		_, hook := thread.WSASetBlockingHook(func() bool { return false })
		for i, err := range []error{
			send, socket, wait, hook, thread.Listen(s, 1), thread.CloseSocket(s), thread.WSACleanup(),
			thread.WSAStartup(version(1, 1), new(WSAData)), thread.WSAUnhookBlockingHook(),
		} {
			if CodeOf(err) != spi.WSAEINPROGRESS {
				t.Errorf("call %d gives %v", i, err)
			}
		}
		h.onThread(func(other *Thread) { // only this thread is held up
			if _, err := other.Send(s, []byte("x"), 0); err != nil {
				t.Error(err)
			}
		})
		for range 2 { // a second cancellation is none
			if err := thread.WSACancelBlockingCall(); err != nil {
				t.Error(err)
			}
		}
		return false
	})
	wantCode(t, thread, err, 0)
	_, err = thread.Recv(s, make([]byte, 1), 0)
	wantCode(t, thread, err, spi.WSAEINTR)
	if f.called("WSPCancelBlockingCall") != 1 {
		t.Errorf("%d cancellations reached the provider", f.called("WSPCancelBlockingCall"))
	}
	if thread.WSAIsBlocking() {
		t.Error("still blocking")
	}
	if _, err := thread.Send(s, []byte("x"), 0); err != nil {
		t.Error(err)
	}
}
