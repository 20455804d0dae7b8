package ws2

import (
	"errors"
	"testing"

	"upcall.dev/spi"
)

// TestWaitForTheSameEventsAgain: what a thread remembers of its latest wait
// does not outlive the handles.
func TestWaitForTheSameEventsAgain(t *testing.T) {
	h := newHost(t)
	thread := h.up()
	var events []spi.Event
	for range 3 {
		ev, err := thread.WSACreateEvent()
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, ev)
	}
	wait := func(events []spi.Event, want uint32) {
		t.Helper()
		if code, err := thread.WSAWaitForMultipleEvents(events, false, 0, true); code != want || err != nil {
			t.Errorf("wait gives %#x, %v, want %#x", code, err, want)
		}
	}
	_ = thread.WSASetEvent(events[2])
	wait(events, 2)
	wait(events, 2)
	wait(events[:2], spi.WSA_WAIT_TIMEOUT)
	wait(events[1:], 1)
	wait(events, 2)

	// An APC inside a wait waits for something else.
	_ = thread.WSAResetEvent(events[2])
	var id spi.ThreadID
	want(t, h.table.WPUOpenCurrentThread(&id), 0)
	want(t, h.table.WPUQueueApc(&id, func(uintptr) { wait(events[:1], spi.WSA_WAIT_TIMEOUT) }, 0), 0)
	wait(events, spi.WSA_WAIT_IO_COMPLETION)
	_ = thread.WSASetEvent(events[2])
	wait(events, 2)

	// Closed, and another event in the same place.
	_ = thread.WSACloseEvent(events[1])
	if _, err := thread.WSAWaitForMultipleEvents(events, false, 0, false); !errors.Is(err, spi.WSA_INVALID_HANDLE) {
		t.Errorf("wait with a closed event gives %v", err)
	}
	another, _ := thread.WSACreateEvent()
	if _, err := thread.WSAWaitForMultipleEvents(events, false, 0, false); !errors.Is(err, spi.WSA_INVALID_HANDLE) {
		t.Errorf("wait with a closed event gives %v", err)
	}
	wait([]spi.Event{events[0], another, events[2]}, 2)
}
