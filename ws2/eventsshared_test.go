package ws2

import (
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"upcall.dev/internal/wait"
	"upcall.dev/spi"
)

// sharedEvents is what code outside Go makes of ShareEvents.
type sharedEvents struct{ segments [1 << 10]unsafe.Pointer }

func shareEvents(t *testing.T, d *DLL) *sharedEvents {
	t.Helper()
	s := new(sharedEvents)
	if !d.ShareEvents(func(segment int, slots unsafe.Pointer) { s.segments[segment] = slots }) {
		t.Fatal("nothing is shared")
	}
	return s
}

func (s *sharedEvents) state(ev spi.Event) *atomic.Uintptr {
	number := uint32(ev) >> 2
	return (*atomic.Uintptr)(unsafe.Add(s.segments[number>>10], 16*uintptr(number&1023)+8))
}

func tag(ev spi.Event) uintptr { return uintptr(ev) >> 32 << 32 }

// become is a change of state by code outside Go.
func (s *sharedEvents) become(ev spi.Event, state uintptr) bool {
	return s.state(ev).CompareAndSwap(tag(ev)|state^1, tag(ev)|state)
}

func TestSharedEventsChangeOutsideGo(t *testing.T) {
	h := newHost(t)
	thread := h.up()
	before, _ := thread.WSACreateEvent()
	shared := shareEvents(t, h.DLL)
	after, _ := thread.WSACreateEvent()
	for _, ev := range []spi.Event{before, after} {
		signalled := func(milliseconds, want uint32) {
			t.Helper()
			if code, err := thread.WSAWaitForMultipleEvents([]spi.Event{ev}, false, milliseconds, false); code != want || err != nil {
				t.Errorf("the wait gives %#x, %v, want %#x", code, err, want)
			}
		}
		if !shared.become(ev, wait.QuietSignalled) {
			t.Error("an event that concerns nobody cannot be set outside Go")
		}
		signalled(0, spi.WSA_WAIT_EVENT_0)
		_ = thread.WSAResetEvent(ev)
		if got := shared.state(ev).Load(); got != tag(ev)|wait.QuietUnset {
			t.Errorf("reset by Go, it is %#x", got)
		}
		_ = thread.WSASetEvent(ev)
		if !shared.become(ev, wait.QuietUnset) {
			t.Error("an event that concerns nobody cannot be reset outside Go")
		}
		signalled(1, spi.WSA_WAIT_TIMEOUT)
		if shared.become(ev, wait.QuietSignalled) {
			t.Error("an event that a thread has waited for was set outside Go")
		}
		_ = thread.WSASetEvent(ev)
		if got := shared.state(ev).Load(); got != tag(ev)|wait.BusySignalled {
			t.Errorf("set by Go, it is %#x", got)
		}
	}

	auto, _ := thread.CreateEvent(false, true)
	if got := shared.state(auto).Load(); got != tag(auto)|wait.BusySignalled {
		t.Errorf("an event that a wait resets is %#x", got)
	}
	_ = thread.WSACloseEvent(after)
	another, _ := thread.WSACreateEvent() // in its place
	if shared.state(another) != shared.state(after) || shared.become(after, wait.QuietSignalled) {
		t.Error("a closed event's handle counts for the next one in its place")
	}
}

// TestSharedEventsClosedWhileOthersWait: the next event in the place of one
// that is being closed does not hide the end from those who wait for it.
func TestSharedEventsClosedWhileOthersWait(t *testing.T) {
	h := newHost(t)
	up := h.up()
	for range 500 {
		ev, err := up.WSACreateEvent()
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		all.Go(func() {
			if code, err := h.DLL.Unbound().WSAWaitForMultipleEvents([]spi.Event{ev}, false, spi.WSA_INFINITE, false); err != spi.WSA_INVALID_HANDLE {
				t.Errorf("the wait for an event that is closed gives %#x, %v", code, err)
			}
		})
		all.Go(func() {
			if e := h.table.WPUCloseEvent(ev); e != 0 {
				t.Error(e)
			}
		})
		all.Go(func() {
			if next, e := h.table.WPUCreateEvent(); e == 0 {
				h.table.WPUCloseEvent(next)
			}
		})
		all.Wait()
	}
}

func TestCountedUpcallsShareNoEvents(t *testing.T) {
	d := New(Config{CountUpcalls: true})
	if d.ShareEvents(func(int, unsafe.Pointer) { t.Error("told") }) {
		t.Error("events are shared")
	}
}
