package ws2

import (
	"sync/atomic"

	"upcall.dev/internal/window"
	"upcall.dev/spi"
)

// Windows are what WSAAsyncSelect and WPUPostMessage need of them: names to post
// messages to, and a queue for each thread that makes some.

// WM_QUIT is the message that ends a message loop; WParam is the exit code.
const WM_QUIT = window.WMQuit

// Message is MSG, one message of a thread's queue.
type Message struct {
	Window  spi.HWND
	Message uint32
	WParam  uintptr
	LParam  uintptr
}

// PostRoutine posts a message to a window in the client's way, and reports
// whether it could.
type PostRoutine func(wnd spi.HWND, msg uint32, wParam, lParam uintptr) bool

type windowTable struct {
	desktop *window.Desktop
	routine atomic.Pointer[PostRoutine] // nil: post
}

func (w *windowTable) init() { w.desktop = window.NewDesktop(kindWindow) }

// WSApSetPostRoutine sets the routine that WPUPostMessage posts with, for clients
// whose windows are not of this DLL; nil restores the DLL's own. It returns the
// routine before, nil for the DLL's own. It is exported for wsock32.dll and not
// documented.
func (d *DLL) WSApSetPostRoutine(routine PostRoutine) (previous PostRoutine) {
	var next *PostRoutine
	if routine != nil {
		next = &routine
	}
	if before := d.windows.routine.Swap(next); before != nil {
		return *before
	}
	return nil
}

func (w *windowTable) post(wnd spi.HWND, msg uint32, wParam, lParam uintptr) bool {
	if routine := w.routine.Load(); routine != nil {
		return (*routine)(wnd, msg, wParam, lParam)
	}
	return w.desktop.Post(wnd, msg, wParam, lParam)
}

// reachable reports whether messages could be posted to the window. What a
// client's post routine can reach, only it knows.
func (w *windowTable) reachable(wnd spi.HWND) bool {
	return w.routine.Load() != nil || w.desktop.Exists(wnd)
}

// CreateWindow makes a window, whose messages only this thread can take.
// WSAEOPNOTSUPP (the unbound thread), WSA_NOT_ENOUGH_MEMORY.
func (t *Thread) CreateWindow() (spi.HWND, error) {
	if !t.bound {
		return 0, t.fail(spi.WSAEOPNOTSUPP)
	}
	if t.queue == nil {
		t.queue = t.dll.windows.desktop.NewQueue()
	}
	wnd, ok := t.queue.Create()
	if !ok {
		return 0, t.fail(spi.WSA_NOT_ENOUGH_MEMORY)
	}
	return wnd, nil
}

// DestroyWindow ends a window of this thread and drops its messages.
// WSA_INVALID_HANDLE.
func (t *Thread) DestroyWindow(wnd spi.HWND) error {
	if t.queue == nil || !t.queue.Destroy(wnd) {
		return t.fail(spi.WSA_INVALID_HANDLE)
	}
	return nil
}

// GetMessage takes the oldest message of a window of this thread, or of all its
// windows if wnd is zero, and waits for one if there is none. After
// [Thread.PostQuitMessage], when no other message is left, it is WM_QUIT.
// WSA_INVALID_HANDLE (not a window of this thread, or it has never had one),
// WSAETIMEDOUT (nothing came in time).
func (t *Thread) GetMessage(wnd spi.HWND, milliseconds uint32) (Message, error) {
	if t.queue == nil {
		return Message{}, t.fail(spi.WSA_INVALID_HANDLE)
	}
	m, more, late := t.queue.GetFor(window.Filter{Window: wnd}, timeoutOf(milliseconds))
	switch {
	case late:
		return Message{}, t.fail(spi.WSAETIMEDOUT)
	case !more && m.Message != WM_QUIT:
		return Message{}, t.fail(spi.WSA_INVALID_HANDLE)
	}
	return Message(m), nil
}

// PeekMessage is [Thread.GetMessage] that does not wait: ok is false when there
// is no message. The message stays in the queue unless remove is true.
func (t *Thread) PeekMessage(wnd spi.HWND, remove bool) (m Message, ok bool) {
	if t.queue == nil {
		return Message{}, false
	}
	peeked, ok := t.queue.Peek(window.Filter{Window: wnd}, remove)
	return Message(peeked), ok
}

// PostMessage appends a message to the queue of a window's thread, any thread's.
// WSA_INVALID_HANDLE (no such window), WSAENOBUFS (the queue is full).
func (t *Thread) PostMessage(wnd spi.HWND, msg uint32, wParam, lParam uintptr) error {
	if t.dll.windows.desktop.Post(wnd, msg, wParam, lParam) {
		return nil
	}
	if !t.dll.windows.desktop.Exists(wnd) {
		return t.fail(spi.WSA_INVALID_HANDLE)
	}
	return t.fail(spi.WSAENOBUFS)
}

// PostQuitMessage ends the thread's message loop once its messages are taken.
// WSA_INVALID_HANDLE (the thread has never had a window).
func (t *Thread) PostQuitMessage(exitCode uintptr) error {
	if t.queue == nil {
		return t.fail(spi.WSA_INVALID_HANDLE)
	}
	t.queue.PostQuit(exitCode)
	return nil
}
