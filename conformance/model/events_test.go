package model

import (
	"math/bits"
	"slices"
	"time"

	"pgregory.net/rapid"

	"upcall.dev/spi"
)

func (m *machine) pickEvent(r *rapid.T) *event {
	if len(m.events) == 0 {
		r.Skip("no event")
	}
	return rapid.SampledFrom(m.events).Draw(r, "event")
}

func (m *machine) createEvent(r *rapid.T) {
	if len(m.events) >= 6 {
		r.Skip("enough events")
	}
	m.newEvent(r)
}

func (m *machine) newEvent(r *rapid.T) *event {
	handle, err := m.WSACreateEvent()
	must(r, "WSACreateEvent", err)
	for _, e := range m.events {
		if e.handle == handle {
			r.Fatalf("event %#x is open already", handle)
		}
	}
	e := &event{handle: handle}
	m.events = append(m.events, e)
	return e
}

func (m *machine) setEvent(r *rapid.T) {
	e := m.pickEvent(r)
	must(r, "WSASetEvent", m.WSASetEvent(e.handle))
	e.set = true
}

func (m *machine) resetEvent(r *rapid.T) {
	e := m.pickEvent(r)
	must(r, "WSAResetEvent", m.WSAResetEvent(e.handle))
	e.set = false
}

// inUse reports whether a selection or an operation may set the event.
func (m *machine) inUse(e *event) bool {
	for _, s := range m.sockets {
		if s.selected == e {
			return true
		}
	}
	return slices.ContainsFunc(m.started, func(op *operation) bool { return op.event == e && !op.done })
}

func (m *machine) closeEvent(r *rapid.T) {
	e := m.pickEvent(r)
	if m.inUse(e) {
		r.Skip("in use")
	}
	must(r, "WSACloseEvent", m.WSACloseEvent(e.handle))
	is(r, "WSACloseEvent twice", m.WSACloseEvent(e.handle), spi.WSA_INVALID_HANDLE)
	is(r, "WSASetEvent after", m.WSASetEvent(e.handle), spi.WSA_INVALID_HANDLE)
	m.events = slices.DeleteFunc(m.events, func(o *event) bool { return o == e })
}

// wait looks at several events at once, without waiting.
func (m *machine) wait(r *rapid.T) {
	if len(m.events) == 0 {
		r.Skip("no event")
	}
	all := rapid.Bool().Draw(r, "all")
	var handles []spi.Event
	first, every := -1, true
	for i, e := range m.events {
		handles = append(handles, e.handle)
		if e.set && first < 0 {
			first = i
		}
		every = every && e.set
	}
	got, err := m.WSAWaitForMultipleEvents(handles, all, 0, false)
	must(r, "WSAWaitForMultipleEvents", err)
	want := uint32(spi.WSA_WAIT_TIMEOUT)
	switch {
	case all && every:
		want = spi.WSA_WAIT_EVENT_0
	case !all && first >= 0:
		want = uint32(first)
	}
	if got != want {
		r.Fatalf("waiting for %d events (all: %v): %#x, want %#x", len(handles), all, got, want)
	}
}

// eventSelect selects network events. FD_CONNECT is left out: every socket here
// is connected before it is looked at.
func (m *machine) eventSelect(r *rapid.T) {
	e := m.pick(r, func(e *endpoint) bool {
		return !e.broken && !e.recvShut && len(e.reads) == 0 && (e.connected == (e.peer != nil))
	})
	mask := int32(0)
	for _, bit := range []int32{spi.FD_READ, spi.FD_WRITE, spi.FD_ACCEPT, spi.FD_CLOSE} {
		if rapid.Bool().Draw(r, "bit") {
			mask |= bit
		}
	}
	if mask == 0 {
		must(r, "WSAEventSelect of nothing", m.WSAEventSelect(e.s, 0, 0))
		e.selected, e.mask, e.enabled = nil, 0, 0
		return
	}
	ev := m.newEvent(r)
	must(r, "WSAEventSelect", m.WSAEventSelect(e.s, ev.handle, mask))
	e.selected, e.mask, e.enabled, e.expected = ev, mask, mask, 0
	off := uint32(0)
	is(r, "FIONBIO 0 under a selection", m.IoctlSocket(e.s, spi.FIONBIO, &off), spi.WSAEINVAL)
	switch {
	case e.connected && !e.sendShut:
		m.happens(e, spi.FD_WRITE)
	case e.connected:
		m.dropWrite(e) // whether it comes is not decided by the documentation
	}
	if len(e.backlog) > 0 {
		m.happens(e, spi.FD_ACCEPT)
	}
	m.incoming(e)
}

// dropWrite selects again without FD_WRITE, which need not come any more.
func (m *machine) dropWrite(e *endpoint) {
	if e.mask&spi.FD_WRITE == 0 {
		return
	}
	e.mask &^= spi.FD_WRITE
	if e.mask == 0 {
		m.WSAEventSelect(e.s, 0, 0)
		m.WSAResetEvent(e.selected.handle)
		e.selected = nil
		return
	}
	m.WSAEventSelect(e.s, e.selected.handle, e.mask)
	m.WSAResetEvent(e.selected.handle)
	e.enabled = e.mask
}

// happens records an event if it is enabled, and disables it.
func (m *machine) happens(e *endpoint, bit int32) {
	if e.enabled&bit != 0 {
		e.enabled &^= bit
		e.expected |= bit
	}
}

// incoming looks what there is to receive.
func (m *machine) incoming(e *endpoint) {
	switch {
	case e.recvShut || e.broken:
	case len(e.queue) > 0:
		m.happens(e, spi.FD_READ)
	case e.ended:
		m.happens(e, spi.FD_CLOSE)
	}
}

// settle checks the records and the operations that must have ended by now.
func (m *machine) settle(r *rapid.T) {
	for _, e := range m.sockets {
		m.settleReads(r, e)
	}
	for _, e := range m.sockets {
		m.settleEvents(r, e)
	}
	m.settlePort(r)
}

// settleEvents takes the record of a socket and compares it.
func (m *machine) settleEvents(r *rapid.T, e *endpoint) {
	if e.selected == nil {
		return
	}
	if e.broken {
		must(r, "ending a selection", m.WSAEventSelect(e.s, 0, 0))
		e.selected.set = false
		m.WSAResetEvent(e.selected.handle)
		e.selected = nil
		return
	}
	var seen int32
	for deadline := time.Now().Add(patience); ; {
		var record spi.NetworkEvents
		must(r, "WSAEnumNetworkEvents", m.WSAEnumNetworkEvents(e.s, e.selected.handle, &record))
		for rest := record.NetworkEvents; rest != 0; rest &= rest - 1 {
			bit := bits.TrailingZeros32(uint32(rest))
			if code := record.ErrorCode[bit]; code != 0 {
				r.Fatalf("%v: event %#x with error %d", e, 1<<bit, code)
			}
		}
		if again := seen & record.NetworkEvents; again != 0 {
			r.Fatalf("%v: events %#x were recorded twice", e, again)
		}
		seen |= record.NetworkEvents
		if seen&e.expected == e.expected {
			break
		}
		if time.Now().After(deadline) {
			r.Fatalf("%v: events %#x recorded, want %#x", e, seen, e.expected)
		}
		if _, err := m.WSAWaitForMultipleEvents([]spi.Event{e.selected.handle}, false, 1000, false); err != nil {
			r.Fatal(err)
		}
	}
	if seen != e.expected {
		r.Fatalf("%v: events %#x recorded, want %#x", e, seen, e.expected)
	}
	e.expected = 0
	e.selected.set = false
}
