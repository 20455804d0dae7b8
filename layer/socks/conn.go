package socks

import (
	"sync"
	"sync/atomic"

	"upcall.dev/internal/netevents"
	"upcall.dev/internal/slot"
	"upcall.dev/spi"
)

// conn is what the layer knows of one stream handle: made when the client first
// connects it, or does something that matters to that.
type conn struct {
	t     *streams
	s     spi.Socket
	state atomic.Int32 // connState; changes under mu

	mu          sync.Mutex // guards what follows, and orders reports to engine; the engine's lock is taken inside
	attempt     *attempt   // while connecting
	target      []byte     // socket address that the client asked for
	errno       spi.Errno  // of a failed attempt
	soError     spi.Errno  // what SO_ERROR has still to tell
	closed      bool       // or being closed
	nonblocking bool       // the client's mode, where the handle does not tell
	engine      *netevents.Engine
	selection   selection
}

// The states of a conn:
//
//	state       who answers calls about readiness and transfers
//	fresh       the next provider
//	connecting  the layer: nothing is ready, and nobody can send
//	failed      the layer: an attempt in the background has failed
//	connected   the next provider
type connState = int32

const (
	fresh connState = iota
	connecting
	failed
	connected
)

// selection is the client's WSPEventSelect or WSPAsyncSelect.
type selection struct {
	event spi.Event
	wnd   spi.HWND
	msg   uint32
	mask  int32
}

// conns files the conns by their handles.
type conns struct {
	mu          sync.Mutex // one put at a time; a leaf lock
	descriptors slot.Direct[conn]
	others      sync.Map // spi.Socket → *conn
}

func (t *conns) get(s spi.Socket) *conn {
	if s < slot.DirectSize {
		return t.descriptors.Load(uintptr(s))
	}
	if v, ok := t.others.Load(s); ok {
		return v.(*conn)
	}
	return nil
}

// put files c unless there is one already, and returns the one that is filed.
func (t *conns) put(s spi.Socket, c *conn) *conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s < slot.DirectSize {
		if other := t.descriptors.Load(uintptr(s)); other != nil {
			return other
		}
		t.descriptors.Store(uintptr(s), c)
		return c
	}
	v, _ := t.others.LoadOrStore(s, c)
	return v.(*conn)
}

func (t *conns) remove(s spi.Socket, c *conn) {
	if c == nil {
		return
	}
	if s < slot.DirectSize {
		t.descriptors.CompareAndDelete(uintptr(s), c)
		return
	}
	t.others.CompareAndDelete(s, c)
}

// conn returns the conn of a handle, made if need be.
func (t *streams) conn(s spi.Socket) *conn {
	if c := t.conns.get(s); c != nil {
		return c
	}
	return t.conns.put(s, &conn{t: t, s: s})
}

// begin makes a the attempt of c. WSAEALREADY, WSAENOTSOCK.
func (c *conn) begin(a *attempt, name []byte) spi.Errno {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return spi.WSAENOTSOCK
	case c.state.Load() == connecting:
		return spi.WSAEALREADY
	}
	a.c, c.attempt = c, a
	c.target = append([]byte(nil), name...)
	c.errno, c.soError = 0, 0
	if !a.blocking {
		c.observe()
	}
	c.state.Store(connecting)
	return 0
}

// observe makes the engine answer for the client's selection. The caller holds
// c.mu.
func (c *conn) observe() {
	if c.selection.mask == 0 {
		return
	}
	if c.engine == nil {
		c.engine = netevents.New(&c.t.upcalls)
	}
	c.selectLocked(netevents.Ready{})
}

func (c *conn) selectLocked(now netevents.Ready) spi.Errno {
	if c.engine == nil {
		c.engine = netevents.New(&c.t.upcalls)
	}
	sel := c.selection
	if sel.wnd != 0 {
		return c.engine.SelectMessage(sel.wnd, sel.msg, c.s, sel.mask, now)
	}
	return c.engine.SelectEvent(sel.event, sel.mask, now)
}

// succeed ends an attempt on the calling thread.
func (c *conn) succeed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attempt = nil
	c.state.Store(connected)
}

// handOver lets the next provider answer, and gives the client's selection back
// to it, which then tells of the connection.
func (c *conn) handOver() {
	c.mu.Lock()
	c.attempt = nil
	if c.engine != nil {
		c.engine.Close()
	}
	c.state.Store(connected)
	sel := c.selection
	c.mu.Unlock()
	if sel.mask == 0 {
		return
	}
	for {
		c.t.selectBelow(c.s, sel)
		c.mu.Lock()
		latest := c.selection
		c.mu.Unlock()
		if latest == sel {
			return
		}
		sel = latest // chosen meanwhile, and perhaps overwritten just now
	}
}

// fail ends an attempt. One in the background is told by events, select and
// SO_ERROR.
func (c *conn) fail(errno spi.Errno, background bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attempt, c.target = nil, nil
	if !background {
		c.state.Store(fresh)
		return
	}
	c.errno, c.soError = errno, errno
	c.state.Store(failed)
	if c.engine != nil {
		c.engine.Report(netevents.Ready{Bits: spi.FD_CONNECT, ConnectError: errno})
	}
}

// now is what holds while the layer answers. The caller holds c.mu.
func (c *conn) now() (r netevents.Ready) {
	if c.state.Load() == failed {
		r.Bits, r.ConnectError = spi.FD_CONNECT, c.errno
	}
	return r
}

// widen lets an IPv6 socket connect to an IPv4 proxy.
func (c *conn) widen(family int32) {
	if family == spi.AF_INET6 {
		c.t.WSPSetSockOpt(c.s, spi.IPPROTO_IPV6, spi.IPV6_V6ONLY, make([]byte, 4))
	}
}

// answers returns the conn when the layer answers for the handle, else nil.
func (t *streams) answers(s spi.Socket) *conn {
	c := t.conns.get(s)
	if c == nil {
		return nil
	}
	if state := c.state.Load(); state == connecting || state == failed {
		return c
	}
	return nil
}
