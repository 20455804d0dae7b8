package ws2

import (
	"unsafe"

	"upcall.dev/internal/slot"
	"upcall.dev/internal/wait"
	"upcall.dev/spi"
)

// event returns the event object of a handle, whose two low bits do not count;
// nil if there is none.
func (d *DLL) event(ev spi.Event) *wait.Event {
	return d.events.Get(uintptr(ev.Untagged()))
}

// newEvent gives an event object a handle. WSA_NOT_ENOUGH_MEMORY.
func (d *DLL) newEvent(e *wait.Event) (spi.Event, spi.Errno) {
	handle, ok := d.events.Insert(e, 0)
	if !ok {
		return spi.InvalidEvent, spi.WSA_NOT_ENOUGH_MEMORY
	}
	e.Share(d.events.Word(handle), handle&^(1<<32-1))
	return spi.Event(handle), 0
}

// ShareEvents lets code outside Go look at events, and set and reset those that
// concern nobody else: tell is called with the address of each segment of the
// table of events, as in [DLL.ShareContexts]. A slot's second word is the event's
// state under the upper half of its handle: 0 for unset, 1 for signalled, of
// which one may be put in the other's place by compare-and-swap. 4 is unset and 5
// signalled while others are concerned: then a change of state is for WSASetEvent
// and WSAResetEvent, and the end of a wait for WSAWaitForMultipleEvents. With any
// other value the handle is none of an event.
//
// It returns false, and shares nothing, when upcalls are counted.
func (d *DLL) ShareEvents(tell func(segment int, slots unsafe.Pointer)) bool {
	if d.stats != nil {
		return false
	}
	d.events.Share(func(segment int, slots *slot.Slot) { tell(segment, unsafe.Pointer(slots)) })
	return true
}

// WSACreateEvent makes a manual-reset event, not signalled.
// WSA_NOT_ENOUGH_MEMORY. Source: winsock2/nf-winsock2-wsacreateevent.
func (t *Thread) WSACreateEvent() (spi.Event, error) {
	ev, e := t.dll.wpuCreateEvent()
	return ev, t.result(e)
}

// CreateEvent makes an event with a choice that WSACreateEvent does not give. An
// auto-reset one (manualReset is false) is reset by the wait that it ends, and
// each setting releases one waiter, by turns. It stands for the system call of
// that name, without a name for the event. WSA_NOT_ENOUGH_MEMORY.
// Source: windows/win32/api/synchapi/nf-synchapi-createeventw.
func (t *Thread) CreateEvent(manualReset, initialState bool) (spi.Event, error) {
	e := wait.NewEvent()
	if !manualReset {
		e = wait.NewAutoEvent()
	}
	if initialState {
		e.Set()
	}
	ev, code := t.dll.newEvent(e)
	return ev, t.result(code)
}

// WSACloseEvent closes an event. WSA_INVALID_HANDLE.
// Source: winsock2/nf-winsock2-wsacloseevent.
func (t *Thread) WSACloseEvent(ev spi.Event) error {
	return t.result(t.dll.wpuCloseEvent(ev))
}

// WSASetEvent signals an event. WSA_INVALID_HANDLE.
// Source: winsock2/nf-winsock2-wsasetevent.
func (t *Thread) WSASetEvent(ev spi.Event) error {
	return t.result(t.dll.wpuSetEvent(ev))
}

// WSAResetEvent clears an event. WSA_INVALID_HANDLE.
// Source: winsock2/nf-winsock2-wsaresetevent.
func (t *Thread) WSAResetEvent(ev spi.Event) error {
	return t.result(t.dll.wpuResetEvent(ev))
}

// WSAWaitForMultipleEvents waits for any of the events, or all of them, or
// semaphores or threads, and
// returns WSA_WAIT_EVENT_0 plus the lowest index that is signalled (0 for all),
// WSA_WAIT_TIMEOUT, or, if alertable, WSA_WAIT_IO_COMPLETION when APCs ran
// instead. With an error the value is WSA_WAIT_FAILED: WSA_INVALID_PARAMETER (no
// events, or more than 64), WSA_INVALID_HANDLE (one is no event, or was closed),
// WSAEINPROGRESS (in a blocking hook). The unbound thread has no APCs.
// Source: winsock2/nf-winsock2-wsawaitformultipleevents.
func (t *Thread) WSAWaitForMultipleEvents(events []spi.Event, all bool, milliseconds uint32, alertable bool) (uint32, error) {
	if t.blocking {
		return spi.WSA_WAIT_FAILED, t.fail(spi.WSAEINPROGRESS)
	}
	if len(events) == 0 || len(events) > spi.WSA_MAXIMUM_WAIT_EVENTS {
		return spi.WSA_WAIT_FAILED, t.fail(spi.WSA_INVALID_PARAMETER)
	}
	var r wait.Result
	if t.bound && !t.waited.inUse {
		objects := t.waited.find(t.dll, events)
		if objects == nil {
			return spi.WSA_WAIT_FAILED, t.fail(spi.WSA_INVALID_HANDLE)
		}
		t.waited.inUse = true
		r = t.waiter.Wait(objects, all, timeoutOf(milliseconds), alertable)
		t.waited.inUse = false
	} else {
		var array [spi.WSA_MAXIMUM_WAIT_EVENTS]*wait.Event
		objects := array[:len(events)]
		if !t.dll.findEvents(events, objects) {
			return spi.WSA_WAIT_FAILED, t.fail(spi.WSA_INVALID_HANDLE)
		}
		if t.bound {
			r = t.waiter.Wait(objects, all, timeoutOf(milliseconds), alertable)
		} else {
			r = wait.For(objects, all, timeoutOf(milliseconds))
		}
	}
	code := waitCode(r)
	if code == spi.WSA_WAIT_FAILED {
		return code, t.fail(spi.WSA_INVALID_HANDLE)
	}
	return code, nil
}

// findEvents looks up every handle, and reports false when one is neither an
// event or semaphore nor a thread.
func (d *DLL) findEvents(events []spi.Event, objects []*wait.Event) bool {
	for i, ev := range events {
		objects[i] = d.event(ev)
		if objects[i] == nil {
			objects[i] = d.threadEnd(ev)
		}
		if objects[i] == nil {
			return false
		}
	}
	return true
}

// waited is the array of a thread's latest wait with its event objects, since
// threads mostly wait for the same events again.
type waited struct {
	handles [spi.WSA_MAXIMUM_WAIT_EVENTS]spi.Event
	objects [spi.WSA_MAXIMUM_WAIT_EVENTS]*wait.Event
	n       int    // 0 when there is none
	closed  uint64 // DLL.eventsClosed before the handles were looked up
	inUse   bool   // by a wait that runs; an APC in it may wait too
}

// find returns the objects of events, nil when one is no event.
func (w *waited) find(d *DLL, events []spi.Event) []*wait.Event {
	n := len(events)
	closed := d.eventsClosed.Load()
	if n == w.n && closed == w.closed && sameHandles(events, w.handles[:n]) {
		return w.objects[:n]
	}
	if n < w.n {
		clear(w.objects[n:w.n])
	}
	w.n = 0
	if !d.findEvents(events, w.objects[:n]) {
		clear(w.objects[:n])
		return nil
	}
	copy(w.handles[:], events)
	w.n, w.closed = n, closed
	return w.objects[:n]
}

// sameHandles is slices.Equal by one comparison of memory.
func sameHandles(a, b []spi.Event) bool {
	return unsafe.String((*byte)(unsafe.Pointer(&a[0])), len(a)*int(unsafe.Sizeof(a[0]))) ==
		unsafe.String((*byte)(unsafe.Pointer(&b[0])), len(b)*int(unsafe.Sizeof(b[0])))
}

// waitCode returns what Windows returns for a wait.
func waitCode(r wait.Result) uint32 {
	switch r.Reason {
	case wait.Signalled:
		return spi.WSA_WAIT_EVENT_0 + uint32(r.Index)
	case wait.TimedOut:
		return spi.WSA_WAIT_TIMEOUT
	case wait.APC:
		return spi.WSA_WAIT_IO_COMPLETION
	}
	return spi.WSA_WAIT_FAILED
}
