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
	if op := m.find(c.Overlapped); op != nil {
		op.finish()
		op.release()
	}
}
