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
	attempt     *attempt   // while connecting, and until leave returns
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
	case c.attempt != nil:
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

// conclude ends an attempt on the calling thread.
func (c *conn) conclude(errno spi.Errno) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attempt = nil
	if errno == 0 {
		c.state.Store(connected)
		return
	}
	c.target = nil
	c.state.Store(fresh)
}

// leave ends an attempt that was not made on the calling thread, or was refused at
// once: the next provider gets the client's mode back and, unless the attempt has
// failed in the background, the client's selection, whose events tell of the
// connection. state is fresh, failed or connected.
func (c *conn) leave(state connState, errno spi.Errno) {
	c.mu.Lock()
	defer c.mu.Unlock()
	blocking := false
	for want := c.wantsBlocking(); want != blocking; want = c.wantsBlocking() {
		blocking = want
		c.mu.Unlock()
		setMode(c.t.Provider, c.s, !want)
		c.mu.Lock()
	}
	c.state.Store(state)
	if state != connected {
		c.target = nil
	}
	if state == failed {
		c.attempt = nil
		c.errno, c.soError = errno, errno
		if c.engine != nil {
			c.engine.Report(netevents.Ready{Bits: spi.FD_CONNECT, ConnectError: errno})
		}
		return
	}
	if c.engine != nil {
		c.engine.Close()
	}
	if sel := c.selection; sel.mask != 0 && !c.closed {
		c.mu.Unlock()
		c.t.selectBelow(c.s, sel)
		c.mu.Lock()
	}
	c.attempt = nil
}

// wantsBlocking is the mode that the client has chosen. The caller holds c.mu.
func (c *conn) wantsBlocking() bool { return !c.nonblocking && c.selection.mask == 0 }

// handedOver waits until leave has returned, if it is at the client's selection:
// that would undo what another call chooses meanwhile. The caller holds c.mu,
// which is free while it waits.
func (c *conn) handedOver() {
	for c.attempt != nil && c.state.Load() != connecting {
		done := c.attempt.done
		c.mu.Unlock()
		<-done
		c.mu.Lock()
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
