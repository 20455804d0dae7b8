// Package window holds what WPUPostMessage and WSAAsyncSelect need of windows:
// a message queue for each thread that makes windows, and names (HWND) that
// anybody can post to.
//
// A [Desktop] knows all windows of one DLL. A [Queue] belongs to one thread; so
// do the windows made with it, whose messages only that thread takes out.
package window

import (
	"sync"
	"time"

	"upcall.dev/internal/slot"
	"upcall.dev/spi"
)

// QueueLimit is the number of messages that a queue holds at most, as on
// Windows by default (USERPostMessageLimit).
const QueueLimit = 10_000

// WMQuit is WM_QUIT, the message that ends a thread's message loop. Its WParam
// is the exit code.
const WMQuit = 0x0012

// Message is the part of MSG that posted messages have.
type Message struct {
	Window  spi.HWND
	Message uint32
	WParam  uintptr
	LParam  uintptr
}

// Filter says which messages a thread asks for. The zero value is for all.
type Filter struct {
	Window   spi.HWND // 0: every window of the queue, and none; NoWindow: none
	Min, Max uint32   // range of Message, inclusive; both 0: every message
}

// NoWindow in a [Filter] asks for messages that are for no window, (HWND)-1.
const NoWindow = ^spi.HWND(0)

// accepts reports whether m passes the filter. WM_QUIT is not m: it passes every
// filter.
func (f Filter) accepts(m *Message) bool {
	return (f.Window == 0 || f.Window == m.Window || f.Window == NoWindow && m.Window == 0) &&
		(f.Min == 0 && f.Max == 0 || f.Min <= m.Message && m.Message <= f.Max)
}

// Desktop is a set of windows. Make one with [NewDesktop].
type Desktop struct {
	windows *slot.Table[window]
}

// NewDesktop returns a desktop without windows. kind is the kind of its handles;
// see [slot.New].
func NewDesktop(kind uint8) *Desktop {
	return &Desktop{windows: slot.New[window](kind)}
}

type window struct {
	queue     *Queue
	destroyed bool // guarded by queue.mu
}

// Post appends a message to the queue of the window's thread. It reports false
// when there is no such window (any more), and when the queue is at
// [QueueLimit]. It never blocks.
func (d *Desktop) Post(h spi.HWND, message uint32, wParam, lParam uintptr) bool {
	w := d.windows.Get(uintptr(h))
	if w == nil {
		return false
	}
	return w.queue.post(w, Message{h, message, wParam, lParam})
}

// Exists reports whether a window has been made and not been destroyed.
func (d *Desktop) Exists(h spi.HWND) bool { return d.windows.Get(uintptr(h)) != nil }

// Queue is the message queue of one thread. Its methods but [Queue.Close],
// [Queue.Post] and [Queue.PostQuit] are for that thread. Make one with [Desktop.NewQueue].
type Queue struct {
	desktop *Desktop

	// mu guards the rest, and destroyed of the queue's windows. Under it only
	// the desktop's handle table is used, which locks nothing but itself.
	mu       sync.Mutex
	arrival  sync.Cond // a message has come, or the end
	messages []Message
	taken    int // messages[:taken] are gone
	windows  map[spi.HWND]*window
	quit     bool
	exitCode uintptr
	closed   bool
}

// NewQueue returns an empty queue without windows.
func (d *Desktop) NewQueue() *Queue {
	q := &Queue{desktop: d, windows: map[spi.HWND]*window{}}
	q.arrival.L = &q.mu
	return q
}

// Create makes a window. ok is false when there is no room for one, or the queue
// is closed.
func (q *Queue) Create() (h spi.HWND, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return 0, false
	}
	w := &window{queue: q}
	handle, ok := q.desktop.windows.Insert(w, 0)
	if !ok {
		return 0, false
	}
	h = spi.HWND(handle)
	q.windows[h] = w
	return h, true
}

// Destroy ends a window and drops its messages that are still in the queue. It
// reports false when the window is not one of the queue's.
func (q *Queue) Destroy(h spi.HWND) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.windows[h] == nil {
		return false
	}
	q.destroy(h)
	kept := q.messages[:q.taken]
	for _, m := range q.messages[q.taken:] {
		if m.Window != h {
			kept = append(kept, m)
		}
	}
	q.messages = kept
	return true
}

func (q *Queue) destroy(h spi.HWND) {
	q.windows[h].destroyed = true
	delete(q.windows, h)
	q.desktop.windows.Remove(uintptr(h))
	q.arrival.Broadcast() // somebody may wait for a message of this window
}

// Close ends the queue, as the end of its thread does: its windows are
// destroyed, its messages dropped, and a [Queue.Get] under way returns. It may
// be called from any thread, and more than once.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for h := range q.windows {
		q.destroy(h)
	}
	q.messages, q.taken, q.quit = nil, 0, false
	q.arrival.Broadcast()
}

// PostQuit ends the message loop of the queue's thread: once no message that it
// asks for is left, it is told to quit with the exit code, one time.
func (q *Queue) PostQuit(exitCode uintptr) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.quit, q.exitCode = true, exitCode
		q.arrival.Broadcast()
	}
}

// Post appends a message that is for no window. It reports false when the queue
// is closed, or at [QueueLimit]. It may be called from any thread.
func (q *Queue) Post(message uint32, wParam, lParam uintptr) bool {
	return q.post(nil, Message{0, message, wParam, lParam})
}

// Owns reports whether the queue is that of the window.
func (q *Queue) Owns(h spi.HWND) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.windows[h] != nil
}

// post appends m, which is for w, or for no window if that is nil.
func (q *Queue) post(w *window, m Message) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || w != nil && w.destroyed || len(q.messages)-q.taken >= QueueLimit {
		return false
	}
	if q.taken > 0 && len(q.messages) == cap(q.messages) {
		q.messages = q.messages[:copy(q.messages, q.messages[q.taken:])]
		q.taken = 0
	}
	q.messages = append(q.messages, m)
	q.arrival.Broadcast()
	return true
}

// next returns the oldest message that passes the filter, or the one to quit,
// and takes it out if remove is true. The caller holds mu.
func (q *Queue) next(f Filter, remove bool) (Message, bool) {
	for i := q.taken; i < len(q.messages); i++ {
		m := q.messages[i]
		if !f.accepts(&m) {
			continue
		}
		if remove {
			copy(q.messages[q.taken+1:i+1], q.messages[q.taken:i])
			if q.taken++; q.taken == len(q.messages) {
				q.messages, q.taken = q.messages[:0], 0
			}
		}
		return m, true
	}
	if q.quit {
		q.quit = !remove
		return Message{Message: WMQuit, WParam: q.exitCode}, true
	}
	return Message{}, false
}

// Peek returns the oldest message that passes the filter, and takes it out if
// remove is true. WM_QUIT passes every filter, after all other messages that do.
// ok is false when there is none.
func (q *Queue) Peek(f Filter, remove bool) (m Message, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.next(f, remove)
}

// Get takes out the oldest message that passes the filter and waits for one if
// there is none. more is false when the message is WM_QUIT, and, with no message
// at all, when none can come: the queue is closed, or the filter is for a window
// that is not one of the queue's.
func (q *Queue) Get(f Filter) (m Message, more bool) {
	m, more, _ = q.GetFor(f, -1)
	return m, more
}

// GetFor is [Queue.Get] that waits no longer than timeout, unless that is
// negative. late is true, with no message, when the time has passed.
func (q *Queue) GetFor(f Filter, timeout time.Duration) (m Message, more, late bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var passed bool // guarded by mu
	if timeout > 0 {
		timer := time.AfterFunc(timeout, func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			passed = true
			q.arrival.Broadcast()
		})
		defer timer.Stop()
	}
	for {
		if m, ok := q.next(f, true); ok {
			return m, m.Message != WMQuit, false
		}
		if q.closed || f.Window != 0 && f.Window != NoWindow && q.windows[f.Window] == nil {
			return Message{}, false, false
		}
		if passed || timeout == 0 {
			return Message{}, false, true
		}
		q.arrival.Wait()
	}
}

// Len returns the number of messages in the queue, WM_QUIT not counted.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.messages) - q.taken
}
