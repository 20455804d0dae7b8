package nonifs

import (
	"unsafe"

	"upcall.dev/spi"
)

// The list of a mapped socket's operations, oldest first.

func (m *mapped) add(op *lowerOp) {
	m.mu.Lock()
	defer m.mu.Unlock()
	op.next, op.prev = nil, m.last
	if m.last != nil {
		m.last.next = op
	} else {
		m.first = op
	}
	m.last = op
}

// remove takes out an operation that nobody holds any more.
func (m *mapped) remove(op *lowerOp) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if op.prev != nil {
		op.prev.next = op.next
	} else {
		m.first = op.next
	}
	if op.next != nil {
		op.next.prev = op.prev
	} else {
		m.last = op.prev
	}
	op.next, op.prev = nil, nil
	if m.first == nil && m.unfinished {
		m.unfinished = false
		op.layer.unlist(op.handle)
	}
}

// find returns the operation that goes down as ov, nil when ov is none of the
// Layer's. It looks from both ends, for either direction's next to end is
// usually near one of them.
func (m *mapped) find(ov *spi.Overlapped) *lowerOp {
	m.mu.Lock()
	defer m.mu.Unlock()
	for old, young := m.first, m.last; old != nil; old, young = old.next, young.prev {
		switch {
		case &old.ov == ov:
			return old
		case &young.ov == ov:
			return young
		case old == young || old.next == young:
			return nil
		}
	}
	return nil
}

// hold returns the client's operation whose OVERLAPPED is at address, for the
// caller to release; nil when there is none. The client may have used the
// structure again before the operation before was let go: the youngest counts.
func (m *mapped) hold(address uintptr) *lowerOp {
	m.mu.Lock()
	defer m.mu.Unlock()
	for op := m.last; op != nil; op = op.prev {
		if uintptr(unsafe.Pointer(op.request.ov)) == address && !op.told.Load() && op.grab() {
			return op
		}
	}
	return nil
}

// grab makes the caller a holder, unless the last one has gone. The caller
// holds the socket's mutex.
func (op *lowerOp) grab() bool {
	for n := op.holders.Load(); n > 0; n = op.holders.Load() {
		if op.holders.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

// list remembers a closed socket whose operations are not all over, for the
// last WSPCleanup.
func (l *Layer) list(h *Handle[mapped]) {
	m := h.Value
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.first == nil {
		return
	}
	m.unfinished = true
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed == nil {
		l.closed = map[*Handle[mapped]]struct{}{}
	}
	l.closed[h] = struct{}{}
}

// unlist forgets it. The caller holds the socket's mutex.
func (l *Layer) unlist(h *Handle[mapped]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.closed, h)
}

// abort ends the operations that are left after the next providers are cleaned
// up. Their indications do not come any more, or come to nothing; one that is
// being told now, by the goroutine that has the packets of a closed port, is
// waited for.
func (l *Layer) abort() {
	l.mu.Lock()
	left := l.closed
	l.closed = nil
	l.mu.Unlock()
	for h := range left {
		m := h.Value
		m.mu.Lock()
		var ops []*lowerOp
		for op := m.first; op != nil; op = op.next {
			if op.grab() {
				ops = append(ops, op)
			}
		}
		m.mu.Unlock()
		for _, op := range ops {
			if op.claim() {
				op.tell(spi.WSA_OPERATION_ABORTED, 0, 0)
			} else {
				op.wait()
			}
			if op.event != 0 {
				op.phase.Store(opDead)
				l.Upcalls().WPUCloseEvent(op.event)
			}
			op.release()
		}
	}
}

// await waits for the end of an operation whose client has no event to wait
// for. WSA_INVALID_HANDLE when the next provider cannot wait for it either.
func (l *Layer) await(m *mapped, ov *spi.Overlapped) spi.Errno {
	op := m.hold(uintptr(unsafe.Pointer(ov)))
	if op == nil {
		return 0 // it has ended
	}
	defer op.release()
	if op.event == 0 { // nobody may be there to take the packet
		var n, flags uint32
		errno := m.next.WSPGetOverlappedResult(m.lower, &op.ov, &n, true, &flags)
		if op.ov.InProgress() {
			return errno
		}
		op.finish()
	}
	op.wait()
	return 0
}

// cancel is SIO_CANCEL_IO: the operation below has an address of its own.
func (l *Layer) cancel(m *mapped, in []byte, returned *uint32, thread *spi.ThreadID) spi.Errno {
	var request spi.CancelRequest
	if len(in) < int(unsafe.Sizeof(request)) {
		return spi.WSAEFAULT
	}
	below := unsafe.Slice((*byte)(unsafe.Pointer(&request)), unsafe.Sizeof(request))
	copy(below, in)
	if request.Overlapped != 0 {
		op := m.hold(request.Overlapped)
		if op == nil {
			return spi.ERROR_NOT_FOUND
		}
		defer op.release()
		request.Overlapped = uintptr(unsafe.Pointer(&op.ov))
	}
	return m.next.WSPIoctl(m.lower, spi.SIO_CANCEL_IO, below, nil, returned, nil, nil, thread)
}
