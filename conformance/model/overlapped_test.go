package model

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

func (m *machine) associate(r *rapid.T) {
	e := m.pick(r, func(e *endpoint) bool { return len(e.reads) == 0 })
	err := m.dll.AssociateCompletionPort(e.s, m.port, uintptr(e.s))
	if e.onPort {
		is(r, "associating twice", err, spi.WSA_INVALID_PARAMETER)
		return
	}
	must(r, "AssociateCompletionPort", err)
	e.onPort = true
}

// begin makes an operation with an event, for the port, or with neither.
func (m *machine) begin(r *rapid.T, e *endpoint, buf []byte) *operation {
	op := &operation{ov: new(spi.Overlapped), buf: buf, on: e}
	// The array is the caller's again when the call returns: behaviour 114.
	cut := rapid.IntRange(0, len(buf)).Draw(r, "cut")
	op.bufs = []spi.Buf{spi.NewBuf(buf[:cut]), spi.NewBuf(buf[cut:])}
	if rapid.Bool().Draw(r, "with event") {
		op.event = m.newEvent(r)
		op.event.set = true
		must(r, "WSASetEvent", m.WSASetEvent(op.event.handle)) // the start resets it
		op.ov.HEvent = op.event.handle
		if e.onPort && rapid.Bool().Draw(r, "tagged") {
			op.ov.HEvent |= 1
		}
	}
	op.packet = e.onPort && !op.ov.HEvent.Tagged()
	return op
}

// start enters an operation that the API has taken.
func (m *machine) start(op *operation) {
	m.started = append(m.started, op)
	if op.event != nil {
		op.event.set = false
	}
	clear(op.bufs)
}

// give drops the event of an operation that was refused.
func (m *machine) give(r *rapid.T, op *operation) {
	if op.event != nil {
		must(r, "WSACloseEvent", m.WSACloseEvent(op.event.handle))
		m.events = slices.DeleteFunc(m.events, func(o *event) bool { return o == op.event })
	}
}

func (m *machine) overlappedRecv(r *rapid.T) {
	e := m.pick(r, func(e *endpoint) bool { return !e.broken && e.selected == nil && len(e.reads) < 4 })
	op := m.begin(r, e, make([]byte, rapid.IntRange(1, 400).Draw(r, "room")))
	if e.connected && len(e.reads) == 0 && !e.recvShut && (len(e.queue) > 0 || e.ended) {
		m.ready(r, e, false)
	}
	n, flags := uint32(0xdead), uint32(0)
	err := m.WSARecv(e.s, op.bufs, &n, &flags, op.ov, nil)
	switch {
	case e.listening || !e.connected:
		is(r, "WSARecv without a connection", err, spi.WSAENOTCONN)
		m.give(r, op)
		return
	case e.recvShut:
		is(r, "WSARecv after SD_RECEIVE", err, spi.WSAESHUTDOWN)
		m.give(r, op)
		return
	}
	if err != nil {
		is(r, "WSARecv", err, spi.WSA_IO_PENDING)
		if n != 0xdead {
			r.Fatalf("WSA_IO_PENDING with %d bytes", n)
		}
	} else if len(e.reads) > 0 || len(e.queue) == 0 && !e.ended {
		r.Fatalf("%v: WSARecv of nothing succeeded with %d bytes", e, n)
	}
	m.start(op)
	e.reads = append(e.reads, op)
}

func (m *machine) overlappedSend(r *rapid.T) {
	e := m.pick(r, func(e *endpoint) bool {
		return !e.broken && (e.peer == nil || len(e.peer.queue) < maxQueued)
	})
	data := m.bytes(r)
	op := m.begin(r, e, data)
	var n uint32
	err := m.WSASend(e.s, op.bufs, &n, 0, op.ov, nil)
	if err != nil && err != spi.WSA_IO_PENDING.Err() {
		m.sent(r, e, data, 0, err)
		m.give(r, op)
		return
	}
	m.start(op)
	if e.peerGone || e.peer != nil && e.peer.recvShut {
		m.breakOff(e)
		m.breakOff(e.peer)
		op.on = nil
		m.outcome(r, op)
		return
	}
	m.finished(r, op, 0, len(data))
	m.sent(r, e, data, len(data), nil)
}

func (m *machine) cancel(r *rapid.T) {
	e := m.pick(r, func(e *endpoint) bool { return !e.broken })
	if len(e.reads) == 0 {
		is(r, "CancelIoEx of nothing", m.CancelIoEx(e.s, nil), spi.ERROR_NOT_FOUND)
		return
	}
	if rapid.Bool().Draw(r, "all") {
		must(r, "CancelIoEx of all", m.CancelIoEx(e.s, nil))
		for _, op := range e.reads {
			m.finished(r, op, spi.WSA_OPERATION_ABORTED, 0)
		}
		e.reads = nil
		return
	}
	i := rapid.IntRange(0, len(e.reads)-1).Draw(r, "which")
	must(r, "CancelIoEx", m.CancelIoEx(e.s, e.reads[i].ov))
	m.finished(r, e.reads[i], spi.WSA_OPERATION_ABORTED, 0)
	e.reads = slices.Delete(e.reads, i, i+1)
}

// settleReads takes the outcome of the receives that must have ended, and looks
// that the others have not.
func (m *machine) settleReads(r *rapid.T, e *endpoint) {
	for len(e.reads) > 0 && (len(e.queue) > 0 || e.ended || e.broken) {
		op := e.reads[0]
		e.reads = e.reads[1:]
		if e.broken {
			m.outcome(r, op)
			continue
		}
		if len(e.queue) == 0 {
			m.finished(r, op, 0, 0)
			continue
		}
		n := m.outcome(r, op)
		if status := spi.Errno(op.ov.OffsetHigh); status != 0 {
			r.Fatalf("%v: an overlapped receive ended with %v", e, status)
		}
		m.took(r, e, op.buf[:n], false)
	}
	for _, op := range e.reads {
		if !op.ov.InProgress() {
			r.Fatalf("%v: an overlapped receive of nothing ended", e)
		}
	}
}

// finished checks the outcome of an operation that must have ended.
func (m *machine) finished(r *rapid.T, op *operation, status spi.Errno, n int) {
	r.Helper()
	got := m.outcome(r, op)
	if spi.Errno(op.ov.OffsetHigh) != status || got != n {
		r.Fatalf("the operation ended with %v and %d bytes, want %v and %d", spi.Errno(op.ov.OffsetHigh), got, status, n)
	}
}

// outcome waits for the end of an operation in the way that it was started for,
// and returns its bytes.
func (m *machine) outcome(r *rapid.T, op *operation) int {
	r.Helper()
	op.done = true
	switch {
	case op.packet:
		m.expect(r, op)
	case op.event == nil || op.event.set: // nothing tells, or the client itself did
		for deadline := time.Now().Add(patience); op.ov.InProgress(); time.Sleep(50 * time.Microsecond) {
			if time.Now().After(deadline) {
				r.Fatal("an operation does not end")
			}
		}
	}
	if op.event != nil {
		i, err := m.WSAWaitForMultipleEvents([]spi.Event{op.event.handle}, false, uint32(patience/time.Millisecond), false)
		if err != nil || i != 0 {
			r.Fatalf("the event of an operation: %#x %v", i, err)
		}
		op.event.set = true
	}
	if op.ov.InProgress() {
		r.Fatal("an operation was indicated before it was complete")
	}
	return int(op.ov.InternalHigh)
}

// expect takes packets until that of op has come. Others that come first must
// be the caller's own, or of operations that the model will ask for.
func (m *machine) expect(r *rapid.T, op *operation) {
	for !m.arrived(op) {
		m.take(r, uint32(patience/time.Millisecond))
	}
}

func (m *machine) arrived(op *operation) bool { return !op.packet }

// take takes one packet and crosses it off.
func (m *machine) take(r *rapid.T, milliseconds uint32) bool {
	packet, err := m.GetQueuedCompletionStatus(m.port, milliseconds)
	if packet.Overlapped == nil {
		if err == nil {
			if len(m.posted) == 0 || m.posted[0] != packet.Key {
				r.Fatalf("posted packet %d came, want the next of %v", packet.Key, m.posted)
			}
			m.posted = m.posted[1:]
			return true
		}
		if milliseconds != 0 {
			r.Fatalf("no packet: %v", err)
		}
		is(r, "GetQueuedCompletionStatus", err, spi.WAIT_TIMEOUT)
		return false
	}
	for _, op := range m.started {
		if op.ov == packet.Overlapped {
			if !op.packet {
				r.Fatal("a packet that was not to come, or came twice")
			}
			op.packet = false
			if op.ov.InProgress() || packet.Transferred != uint32(op.ov.InternalHigh) || packet.Status != spi.Errno(op.ov.OffsetHigh) {
				r.Fatalf("packet %+v of an operation with %+v", packet, *op.ov)
			}
			return true
		}
	}
	r.Fatal("a packet of an unknown operation")
	return false
}

func (m *machine) post(r *rapid.T) {
	m.nextKey++
	key := m.nextKey
	must(r, "PostQueuedCompletionStatus", m.dll.PostQueuedCompletionStatus(m.port, ws2.Packet{Key: key}))
	m.posted = append(m.posted, key)
}

// settlePort empties the port and looks that nothing is missing.
func (m *machine) settlePort(r *rapid.T) {
	for m.take(r, 0) {
	}
	if len(m.posted) > 0 {
		r.Fatalf("packets %v were lost", m.posted)
	}
	for _, op := range m.started {
		if op.done && op.packet {
			r.Fatal("the packet of an operation that ended was lost")
		}
	}
	m.started = slices.DeleteFunc(m.started, func(op *operation) bool { return op.done })
}

// afterCleanup looks that WSACleanup ended every operation, without telling.
func (m *machine) afterCleanup(r *rapid.T) {
	for _, op := range m.started {
		if op.ov.InProgress() {
			r.Error("an operation outlived WSACleanup")
			continue
		}
		if !op.done && spi.Errno(op.ov.OffsetHigh) != spi.WSA_OPERATION_ABORTED {
			r.Errorf("an operation ended with %v at WSACleanup", spi.Errno(op.ov.OffsetHigh))
		}
		if op.event != nil && !op.done && !op.event.set {
			if i, err := m.WSAWaitForMultipleEvents([]spi.Event{op.event.handle}, false, 0, false); err == nil && i == 0 {
				r.Error("WSACleanup set the event of an operation")
			}
		}
	}
}
