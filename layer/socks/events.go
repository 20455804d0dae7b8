package socks

import "upcall.dev/spi"

// While the layer answers for a socket its own event is selected below, and the
// client's selection stands in the socket's conn.

func (t *streams) WSPEventSelect(s spi.Socket, ev spi.Event, events int32) spi.Errno {
	if events != 0 && t.host.DLL().WaitForEvent(ev, 0) == spi.WSA_WAIT_FAILED {
		return spi.WSAEINVAL
	}
	return t.choose(s, selection{event: ev, mask: events})
}

func (t *streams) WSPAsyncSelect(s spi.Socket, wnd spi.HWND, msg uint32, events int32) spi.Errno {
	return t.choose(s, selection{wnd: wnd, msg: msg, mask: events})
}

// choose takes in what the client selects.
func (t *streams) choose(s spi.Socket, sel selection) spi.Errno {
	if sel.mask == 0 {
		sel = selection{}
	}
	c := t.conns.get(s)
	if c == nil && sel.mask == 0 {
		return t.selectBelow(s, sel)
	}
	c = t.conn(s)
	c.mu.Lock()
	c.handedOver()
	before := c.selection
	c.selection = sel
	state := c.state.Load()
	var errno spi.Errno
	if answered := state == connecting || state == failed; answered {
		errno = c.selectLocked(c.now())
	} else {
		c.mu.Unlock()
		errno = t.selectBelow(s, sel)
		c.mu.Lock()
	}
	if errno != 0 {
		c.selection = before
	} else if sel.mask != 0 {
		c.nonblocking = true
	}
	c.mu.Unlock()
	if errno == 0 && sel.mask != 0 && state == failed {
		errno = setMode(t.Provider, s, true)
	}
	return errno
}

func (t *streams) WSPEnumNetworkEvents(s spi.Socket, ev spi.Event, out *spi.NetworkEvents) spi.Errno {
	c := t.answers(s)
	if c == nil {
		return t.Provider.WSPEnumNetworkEvents(s, ev, out)
	}
	if out == nil {
		return spi.WSAEFAULT
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.engine == nil {
		out.NetworkEvents = 0
		if ev != spi.InvalidEvent && t.host.Upcalls().WPUResetEvent(ev.Untagged()) != 0 {
			return spi.WSAEINVAL
		}
		return 0
	}
	return c.engine.Enum(ev, out)
}
