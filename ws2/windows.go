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

// messages returns the queue of a bound thread.
func (t *Thread) messages() *window.Queue {
	q := t.queue.Load()
	if q == nil {
		q = t.dll.windows.desktop.NewQueue()
		t.queue.Store(q)
	}
	return q
}

// CreateWindow makes a window, whose messages only this thread can take.
// WSAEOPNOTSUPP (the unbound thread), WSA_NOT_ENOUGH_MEMORY.
func (t *Thread) CreateWindow() (spi.HWND, error) {
	if !t.bound {
		return 0, t.fail(spi.WSAEOPNOTSUPP)
	}
	wnd, ok := t.messages().Create()
	if !ok {
		return 0, t.fail(spi.WSA_NOT_ENOUGH_MEMORY)
	}
	return wnd, nil
}

// DestroyWindow ends a window of this thread and drops its messages.
// WSA_INVALID_HANDLE.
func (t *Thread) DestroyWindow(wnd spi.HWND) error {
	if q := t.queue.Load(); q == nil || !q.Destroy(wnd) {
		return t.fail(spi.WSA_INVALID_HANDLE)
	}
	return nil
}

// MessageFilter says which messages a thread asks for. The zero value is for
// all.
type MessageFilter struct {
	Window   spi.HWND // 0: all windows of the thread, and messages for none; ^0: those for none
	Min, Max uint32   // range of Message, inclusive; both 0: every message
}

// GetMessage takes the oldest message of a window of this thread, or of all its
// windows if wnd is zero, and waits for one if there is none. After
// [Thread.PostQuitMessage], when no other message is left, it is WM_QUIT.
// WSA_INVALID_HANDLE (not a window of this thread, or it has never had one),
// WSAETIMEDOUT (nothing came in time).
func (t *Thread) GetMessage(wnd spi.HWND, milliseconds uint32) (Message, error) {
	if t.queue.Load() == nil {
		return Message{}, t.fail(spi.WSA_INVALID_HANDLE)
	}
	return t.GetFilteredMessage(MessageFilter{Window: wnd}, milliseconds)
}

// GetFilteredMessage is [Thread.GetMessage] for the messages that pass a filter,
// which WM_QUIT always does. A thread that has never had a window waits for what
// [DLL.PostThreadMessage] posts. WSAEOPNOTSUPP (the unbound thread),
// WSA_INVALID_HANDLE, WSAETIMEDOUT.
func (t *Thread) GetFilteredMessage(f MessageFilter, milliseconds uint32) (Message, error) {
	if !t.bound {
		return Message{}, t.fail(spi.WSAEOPNOTSUPP)
	}
	m, more, late := t.messages().GetFor(window.Filter(f), timeoutOf(milliseconds))
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
	return t.PeekFilteredMessage(MessageFilter{Window: wnd}, remove)
}

// PeekFilteredMessage is [Thread.PeekMessage] for the messages that pass a
// filter, which WM_QUIT always does.
func (t *Thread) PeekFilteredMessage(f MessageFilter, remove bool) (m Message, ok bool) {
	if !t.bound {
		return Message{}, false
	}
	peeked, ok := t.messages().Peek(window.Filter(f), remove)
	return Message(peeked), ok
}

// OwnsWindow reports whether the window is one of this thread.
func (t *Thread) OwnsWindow(wnd spi.HWND) bool {
	q := t.queue.Load()
	return q != nil && q.Owns(wnd)
}

// IsWindow reports whether the window is there, any thread's.
func (d *DLL) IsWindow(wnd spi.HWND) bool { return d.windows.desktop.Exists(wnd) }

// PostThreadMessage appends a message that is for no window to the queue of a
// thread, which the id of the operating system names; WM_QUIT is posted as
// [Thread.PostQuitMessage] does. WSA_INVALID_PARAMETER (no such thread, or it has
// never asked for a message), WSAENOBUFS (the queue is full).
func (d *DLL) PostThreadMessage(osThread int, msg uint32, wParam, lParam uintptr) error {
	bound, ok := d.threads.bound.Load(osThread)
	if !ok {
		return spi.WSA_INVALID_PARAMETER.Err()
	}
	q := bound.(*Thread).queue.Load()
	switch {
	case q == nil:
		return spi.WSA_INVALID_PARAMETER.Err()
	case msg == WM_QUIT:
		q.PostQuit(wParam)
	case !q.Post(msg, wParam, lParam):
		return spi.WSAENOBUFS.Err()
	}
	return nil
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
// WSAEOPNOTSUPP (the unbound thread).
func (t *Thread) PostQuitMessage(exitCode uintptr) error {
	if !t.bound {
		return t.fail(spi.WSAEOPNOTSUPP)
	}
	t.messages().PostQuit(exitCode)
	return nil
}
