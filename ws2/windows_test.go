package ws2

import (
	"testing"

	"upcall.dev/spi"
)

func TestMessages(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	var selected spi.HWND
	f.LpWSPAsyncSelect = func(_ spi.Socket, wnd spi.HWND, _ uint32, _ int32) spi.Errno { selected = wnd; return 0 }
	thread := h.up()
	s := mustSocket(t, thread)
	wantCode(t, thread, thread.WSAAsyncSelect(s, 4711, 0x400, spi.FD_READ), spi.WSAEINVAL)
	wnd, err := thread.CreateWindow()
	wantCode(t, thread, err, 0)
	wantCode(t, thread, thread.WSAAsyncSelect(s, wnd, 0x400, spi.FD_READ), 0)
	if selected != wnd {
		t.Errorf("the provider got window %#x, want %#x", selected, wnd)
	}
	if _, ok := thread.PeekMessage(wnd, true); ok {
		t.Error("a message before any was posted")
	}
	if !f.upcalls.WPUPostMessage(selected, 0x400, uintptr(s), spi.FD_READ) {
		t.Error("not posted")
	}
	posted := Message{Window: wnd, Message: 0x400, WParam: uintptr(s), LParam: spi.FD_READ}
	if m, ok := thread.PeekMessage(0, false); m != posted || !ok {
		t.Errorf("peeked %+v, %v", m, ok)
	}
	go f.upcalls.WPUPostMessage(wnd, 0x401, 1, 2)
	if m, err := thread.GetMessage(wnd, spi.WSA_INFINITE); m != posted || err != nil {
		t.Errorf("got %+v, %v", m, err)
	}
	if m, err := thread.GetMessage(0, 60_000); m != (Message{wnd, 0x401, 1, 2}) || err != nil {
		t.Errorf("got %+v, %v", m, err)
	}
	for _, milliseconds := range []uint32{0, 1} {
		_, err = thread.GetMessage(wnd, milliseconds)
		wantCode(t, thread, err, spi.WSAETIMEDOUT)
	}
	wantCode(t, thread, thread.PostMessage(wnd, 5, 6, 7), 0)
	wantCode(t, thread, thread.PostQuitMessage(3), 0)
	if m, err := thread.GetMessage(0, 60_000); m != (Message{wnd, 5, 6, 7}) || err != nil {
		t.Errorf("got %+v, %v", m, err)
	}
	if m, err := thread.GetMessage(0, 60_000); m.Message != WM_QUIT || m.WParam != 3 || err != nil {
		t.Errorf("got %+v, %v", m, err)
	}
	wantCode(t, thread, thread.DestroyWindow(wnd), 0)
	wantCode(t, thread, thread.DestroyWindow(wnd), spi.WSA_INVALID_HANDLE)
	wantCode(t, thread, thread.PostMessage(wnd, 5, 6, 7), spi.WSA_INVALID_HANDLE)
	_, err = thread.GetMessage(wnd, spi.WSA_INFINITE)
	wantCode(t, thread, err, spi.WSA_INVALID_HANDLE)
	for _, bad := range []spi.HWND{0, wnd, spi.HWND(s), ^spi.HWND(0)} {
		if f.upcalls.WPUPostMessage(bad, 1, 2, 3) {
			t.Errorf("posted to window %#x", bad)
		}
	}
	_, err = h.Unbound().CreateWindow()
	wantCode(t, h.Unbound(), err, spi.WSAEOPNOTSUPP)
	_, err = h.Unbound().GetMessage(0, 60_000)
	wantCode(t, h.Unbound(), err, spi.WSA_INVALID_HANDLE)
	wantCode(t, h.Unbound(), h.Unbound().PostQuitMessage(0), spi.WSAEOPNOTSUPP)
}

func TestFullMessageQueue(t *testing.T) {
	h := newHost(t)
	thread := h.up()
	wnd, err := thread.CreateWindow()
	wantCode(t, thread, err, 0)
	for range 20_000 {
		if err = thread.PostMessage(wnd, 1, 2, 3); err != nil {
			break
		}
	}
	wantCode(t, thread, err, spi.WSAENOBUFS)
	if h.table.WPUPostMessage(wnd, 1, 2, 3) {
		t.Error("posted to a full queue")
	}
}

func TestPostRoutine(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	f.LpWSPAsyncSelect = func(spi.Socket, spi.HWND, uint32, int32) spi.Errno { return 0 }
	thread := h.up()
	s := mustSocket(t, thread)
	var got []Message
	routine := func(wnd spi.HWND, msg uint32, wParam, lParam uintptr) bool {
		got = append(got, Message{wnd, msg, wParam, lParam})
		return len(got) == 1
	}
	if h.WSApSetPostRoutine(routine) != nil {
		t.Error("there was a routine before")
	}
	if !f.upcalls.WPUPostMessage(1, 2, 3, 4) || f.upcalls.WPUPostMessage(1, 2, 3, 4) || len(got) != 2 || got[0] != (Message{1, 2, 3, 4}) {
		t.Errorf("posted %v", got)
	}
	wantCode(t, thread, thread.WSAAsyncSelect(s, 1, 2, spi.FD_READ), 0) // its windows are its own
	if h.WSApSetPostRoutine(nil) == nil || f.upcalls.WPUPostMessage(1, 2, 3, 4) {
		t.Error("the routine is still in use")
	}
}

// The windows of a thread end with it.
func TestWindowsEndWithTheirThread(t *testing.T) {
	h := newHost(t)
	var wnd spi.HWND
	h.onThread(func(thread *Thread) { wnd, _ = thread.CreateWindow() })
	if h.table.WPUPostMessage(wnd, 1, 2, 3) {
		t.Error("posted to a window of a thread that has ended")
	}
}

func TestThreadMessagesAndFilters(t *testing.T) {
	h := newHost(t)
	ready, done := make(chan int), make(chan struct{})
	go func() {
		defer close(done)
		thread := h.BindThread()
		defer thread.Unbind()
		if err := h.PostThreadMessage(thread.osID, 1, 0, 0); CodeOf(err) != spi.WSA_INVALID_PARAMETER {
			t.Errorf("posted to a thread without a queue: %v", err)
		}
		wnd, err := thread.CreateWindow()
		wantCode(t, thread, err, 0)
		if !thread.OwnsWindow(wnd) || !h.IsWindow(wnd) || thread.OwnsWindow(0) || h.IsWindow(0) {
			t.Error("whose window it is")
		}
		wantCode(t, thread, thread.PostMessage(wnd, 5, 0, 0), 0)
		wantCode(t, thread, thread.PostMessage(wnd, 7, 0, 0), 0)
		ready <- thread.osID
		get := func(f MessageFilter, want Message) {
			t.Helper()
			if m, err := thread.GetFilteredMessage(f, 60_000); m != want || err != nil {
				t.Errorf("%+v: %+v, %v, want %+v", f, m, err, want)
			}
		}
		get(MessageFilter{Window: ^spi.HWND(0)}, Message{0, 6, 1, 2})
		if m, ok := thread.PeekFilteredMessage(MessageFilter{Window: ^spi.HWND(0)}, true); ok {
			t.Errorf("peeked %+v", m)
		}
		get(MessageFilter{Min: 6, Max: 8}, Message{wnd, 7, 0, 0})
		get(MessageFilter{}, Message{wnd, 5, 0, 0})
		wantCode(t, thread, thread.DestroyWindow(wnd), 0)
		ready <- 0
		get(MessageFilter{}, Message{0, WM_QUIT, 9, 0})
	}()
	id := <-ready
	if err := h.PostThreadMessage(id, 6, 1, 2); err != nil {
		t.Error(err)
	}
	<-ready
	if err := h.PostThreadMessage(id, WM_QUIT, 9, 0); err != nil {
		t.Error(err)
	}
	<-done
	if err := h.PostThreadMessage(id, 6, 1, 2); CodeOf(err) != spi.WSA_INVALID_PARAMETER {
		t.Errorf("posted to a thread that has ended: %v", err)
	}
}
