package nonifs

import (
	"math/bits"

	"upcall.dev/spi"
)

// asyncSelection is a WSPAsyncSelect of a Layer's socket: the next provider is
// asked for an event, and the worker posts what it records, with the client's
// handle in the message.
type asyncSelection struct {
	event  *waitEvent
	wnd    spi.HWND
	msg    uint32
	events int32
}

// WSPEventSelect passes the client's event straight through.
func (l *Layer) WSPEventSelect(s spi.Socket, ev spi.Event, events int32) spi.Errno {
	h, errno := l.lookup(s)
	if errno != 0 {
		return errno
	}
	m := h.Value
	if errno := m.next.WSPEventSelect(m.lower, ev, events); errno != 0 {
		return errno
	}
	l.endAsync(m)
	return 0
}

// WSPEnumNetworkEvents passes through.
func (l *Layer) WSPEnumNetworkEvents(s spi.Socket, ev spi.Event, out *spi.NetworkEvents) spi.Errno {
	h, errno := l.lookup(s)
	if errno != 0 {
		return errno
	}
	return h.Value.next.WSPEnumNetworkEvents(h.Value.lower, ev, out)
}

// WSPAsyncSelect selects events of the lower socket, and posts the messages.
func (l *Layer) WSPAsyncSelect(s spi.Socket, wnd spi.HWND, msg uint32, events int32) spi.Errno {
	h, errno := l.lookup(s)
	if errno != 0 {
		return errno
	}
	if events == 0 {
		return l.WSPEventSelect(s, spi.InvalidEvent, 0)
	}
	if wnd == 0 {
		return spi.WSAEINVAL
	}
	return l.selectAsync(h, asyncSelection{wnd: wnd, msg: msg, events: events})
}

func (l *Layer) selectAsync(h *Handle[mapped], a asyncSelection) spi.Errno {
	m := h.Value
	e, errno := l.work.event(func() { l.post(h, &a) })
	if errno != 0 {
		return errno
	}
	a.event = e
	m.mu.Lock()
	before := m.async
	m.async = &a
	m.mu.Unlock()
	if errno := m.next.WSPEventSelect(m.lower, e.event, a.events); errno != 0 {
		m.mu.Lock()
		if m.async == &a {
			m.async = before
		}
		m.mu.Unlock()
		l.work.recycle(e)
		return errno
	}
	if before != nil {
		l.work.recycle(before.event)
	}
	return 0
}

// post reads what the lower socket recorded and posts it, one message for each
// event. It runs on the worker.
func (l *Layer) post(h *Handle[mapped], a *asyncSelection) {
	m := h.Value
	m.mu.Lock()
	current := m.async == a && !m.closing.Load()
	m.mu.Unlock()
	if !current {
		return
	}
	var out spi.NetworkEvents
	if m.next.WSPEnumNetworkEvents(m.lower, a.event.event, &out) != 0 {
		return
	}
	s := h.Socket()
	for rest := uint32(out.NetworkEvents); rest != 0; {
		i := bits.TrailingZeros32(rest)
		rest &^= 1 << i
		if m.closing.Load() {
			return
		}
		l.Upcalls().WPUPostMessage(a.wnd, a.msg, uintptr(s), uintptr(uint16(out.ErrorCode[i]))<<16|1<<i)
	}
}

// endAsync forgets a message selection that another selection or a close has
// ended below.
func (l *Layer) endAsync(m *mapped) {
	m.mu.Lock()
	a := m.async
	m.async = nil
	m.mu.Unlock()
	if a != nil {
		l.work.recycle(a.event)
	}
}

// inheritAsync gives an accepted socket the message selection of the socket
// that it was accepted on. An event selection it has from below already.
func (l *Layer) inheritAsync(from, to *Handle[mapped]) {
	from.Value.mu.Lock()
	a := from.Value.async
	from.Value.mu.Unlock()
	if a != nil {
		l.selectAsync(to, asyncSelection{wnd: a.wnd, msg: a.msg, events: a.events})
	}
}

// WSPSelect asks the next provider about the lower sockets. A socket that is
// not this layer's stays as it is. WSAEINVAL when none is, or when they have
// different next providers.
func (l *Layer) WSPSelect(read, write, except *spi.FDSet, timeout *spi.Timeval) (int32, spi.Errno) {
	var next spi.Provider
	upper := [3]*spi.FDSet{read, write, except}
	var lower [3]*spi.FDSet
	for i, set := range upper {
		if set == nil {
			continue
		}
		lower[i] = spi.NewFDSet(set.Sockets()...)
		sockets := lower[i].Sockets()
		for j, s := range sockets {
			h, errno := l.lookup(s)
			if errno != 0 {
				continue
			}
			if next != nil && next != h.Value.next {
				return 0, spi.WSAEINVAL
			}
			next = h.Value.next
			sockets[j] = h.Value.lower
		}
	}
	if next == nil {
		if len(read.Sockets())+len(write.Sockets())+len(except.Sockets()) > 0 {
			return 0, spi.WSAENOTSOCK
		}
		return 0, spi.WSAEINVAL
	}
	asked := [3][]spi.Socket{}
	for i, set := range lower {
		asked[i] = append(asked[i], set.Sockets()...)
	}
	n, errno := next.WSPSelect(lower[0], lower[1], lower[2], timeout)
	if errno != 0 {
		return n, errno
	}
	var total int32
	for i, set := range upper {
		ready := make(map[spi.Socket]bool, len(lower[i].Sockets()))
		for _, s := range lower[i].Sockets() {
			ready[s] = true
		}
		j := -1
		total += set.Keep(func(spi.Socket) bool {
			j++
			return ready[asked[i][j]]
		})
	}
	return total, 0
}
