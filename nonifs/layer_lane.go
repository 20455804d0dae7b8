package nonifs

import "upcall.dev/spi"

// What is known of a mapped socket's lane, over which packets of its lower
// socket come to the Layer while the client's port is on the handle.
const (
	laneUnknown = iota
	laneMaking
	laneOpen
	laneNone // the DLL has none for it
)

// lane reports whether the packets of the lower socket come to the Layer, and
// asks for it with the first operation that could use them.
func (l *Layer) lane(h *Handle[mapped]) bool {
	m := h.Value
	switch m.lane.Load() {
	case laneOpen:
		return true
	case laneUnknown:
		if !m.lane.CompareAndSwap(laneUnknown, laneMaking) {
			return m.lane.Load() == laneOpen
		}
		open := l.DLL().CompleteWith(m.lower, h.Socket(), m.packet) == 0
		if open {
			m.lane.Store(laneOpen)
		} else {
			m.lane.Store(laneNone)
		}
		return open
	}
	return false
}

// packet passes on the outcome of an operation of the lower socket, on the
// thread that took its packet from the client's port.
func (m *mapped) packet(c spi.Completion) {
	if op := m.find(c.Overlapped); op != nil && !op.ov.InProgress() {
		op.finish()
		op.release()
	}
}

// rescue sees to an operation on the lane whose port has been closed while it
// was started: the next provider may have found no port any more, and then no
// packet comes. While the port is open after the start one does.
func (op *lowerOp) rescue() {
	l, h := op.layer, op.handle
	if op.event != 0 || l.DLL().CompletionPort(h.Socket()) != nil || !op.ov.InProgress() {
		return
	}
	op.holders.Add(1) // the caller is one
	l.work.rescues.Go(func() {
		var n, flags uint32
		m := h.Value
		m.next.WSPGetOverlappedResult(m.lower, &op.ov, &n, true, &flags)
		if !op.ov.InProgress() {
			op.finish()
		}
		op.release()
	})
}
