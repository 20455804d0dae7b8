// Package netevents is the FD_ event engine of one socket, the one behind
// WSPAsyncSelect, WSPEventSelect and WSPEnumNetworkEvents. It does not know
// what the socket is: the owner reports what holds on it ("bytes to read",
// "closed by a reset") and which call re-enables which event; the engine
// decides what is recorded, signalled or posted.
//
// # When an event is raised
//
// Each FD_ bit is enabled or not. A report raises the bits that hold, are
// selected and are enabled, and raising a bit disables it:
//
//	bit                         enabled by
//	every bit                   a selection
//	FD_READ, FD_OOB             every receiving call, failed, peeking or not
//	FD_ACCEPT                   every accepting call except one that gave WSATRY_AGAIN
//	FD_WRITE                    a sending call that gave WSAEWOULDBLOCK; a new connection
//	FD_CONNECT                  a new attempt to connect
//	FD_CLOSE                    nothing
//	FD_QOS, FD_GROUP_QOS        SIO_GET_QOS, SIO_GET_GROUP_QOS
//	FD_ROUTING_INTERFACE_CHANGE,
//	FD_ADDRESS_LIST_CHANGE      the ioctl of that name
//
// FD_READ, FD_OOB and FD_ACCEPT are level-triggered: [Engine.Reenable] takes
// what holds at that moment and raises it again. FD_CLOSE waits until a report
// has no FD_READ, so that it comes after the last byte was read.
//
// Source: winsock2/nf-winsock2-wsaeventselect, nf-winsock2-wsaasyncselect,
// ns-ws2spi pages nf-ws2spi-wspeventselect and nf-ws2spi-wspenumnetworkevents.
package netevents

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"upcall.dev/spi"
)

// Ready tells what holds on a socket now.
type Ready struct {
	// Bits are the FD_ events whose condition holds: FD_READ when a receiving
	// call would give data (never for the end of a stream), FD_WRITE when a
	// sending call would not block, FD_ACCEPT when an accepting call would give
	// a connection and the head of the queue is not deferred, FD_CONNECT when
	// an attempt to connect has ended, FD_CLOSE when the peer has closed or the
	// connection is gone.
	Bits int32
	// ConnectError is why the attempt failed; zero for success.
	ConnectError spi.Errno
	// CloseError is zero for a graceful close, else WSAECONNRESET or
	// WSAECONNABORTED.
	CloseError spi.Errno
}

// errorOf returns the error code that goes with one bit.
func (r *Ready) errorOf(bit int32) spi.Errno {
	switch bit {
	case spi.FD_CONNECT:
		return r.ConnectError
	case spi.FD_CLOSE:
		return r.CloseError
	}
	return 0
}

// Engine holds the selection of one socket, which all duplicates of the socket
// share. Make one with [New]; an owner may do so at the first selection, for an
// engine without a selection does nothing.
//
// Its lock is a leaf: only WPUSetEvent, WPUResetEvent and WPUPostMessage are
// called under it. An owner may call every method with its own lock held, and
// should, so that reports arrive in the order of the changes.
type Engine struct {
	upcalls *atomic.Pointer[spi.UpcallTable]

	mu       sync.Mutex // guards everything below
	event    spi.Event  // of an event selection, else zero
	wnd      spi.HWND   // of a message selection, else zero
	socket   spi.Socket // wParam of the messages
	msg      uint32
	mask     int32 // selected bits; zero without a selection
	enabled  int32
	recorded int32
	errors   [spi.FDMaxEvents]uint16
}

// New returns an engine without a selection. upcalls is the provider's current
// upcall table.
func New(upcalls *atomic.Pointer[spi.UpcallTable]) *Engine {
	return &Engine{upcalls: upcalls}
}

// SelectEvent makes the engine record the events in mask and set ev when one
// occurs, and raises at once those that hold now. It replaces any selection
// and clears the record; mask zero only does that, whatever ev is. WSAEINVAL
// for an unknown bit and for a selection without an event.
// Stands for WSPEventSelect; the owner makes the socket nonblocking.
func (e *Engine) SelectEvent(ev spi.Event, mask int32, now Ready) spi.Errno {
	if mask&^spi.FD_ALL_EVENTS != 0 || mask != 0 && ev.Untagged() == spi.InvalidEvent {
		return spi.WSAEINVAL
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.selectLocked(mask)
	if mask != 0 {
		e.event = ev.Untagged()
	}
	e.raiseLocked(now)
	return 0
}

// SelectMessage makes the engine post msg to wnd with socket as wParam when one
// of the events in mask occurs, one message for each event with
// error<<16|event as lParam, and raises at once those that hold now. It
// replaces any selection and clears the record; mask zero only does that.
// WSAEINVAL for an unknown bit and for a selection without a window.
// Stands for WSPAsyncSelect; the owner makes the socket nonblocking.
func (e *Engine) SelectMessage(wnd spi.HWND, msg uint32, socket spi.Socket, mask int32, now Ready) spi.Errno {
	if mask&^spi.FD_ALL_EVENTS != 0 || mask != 0 && wnd == 0 {
		return spi.WSAEINVAL
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.selectLocked(mask)
	if mask != 0 {
		e.wnd, e.msg, e.socket = wnd, msg, socket
	}
	e.raiseLocked(now)
	return 0
}

func (e *Engine) selectLocked(mask int32) {
	e.event, e.wnd, e.msg, e.socket = 0, 0, 0, 0
	e.mask, e.enabled, e.recorded = mask, mask, 0
}

// Inherit gives the engine the selection of the listening socket that the
// owner, reached by the handle socket, was accepted from, with every bit
// enabled, and raises what holds now.
func (e *Engine) Inherit(from *Engine, socket spi.Socket, now Ready) {
	from.mu.Lock()
	event, wnd, msg, mask := from.event, from.wnd, from.msg, from.mask
	from.mu.Unlock()

	e.mu.Lock()
	defer e.mu.Unlock()
	e.selectLocked(mask)
	if mask != 0 {
		e.event, e.wnd, e.msg, e.socket = event, wnd, msg, socket
	}
	e.raiseLocked(now)
}

// Active reports whether there is a selection, which forbids the socket to
// become blocking again.
func (e *Engine) Active() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.mask != 0
}

// Mask returns the selected events; zero without a selection.
func (e *Engine) Mask() int32 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.mask
}

// Enabled returns the selected events that a report would raise.
func (e *Engine) Enabled() int32 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.enabled
}

// Report raises what holds now as far as it is selected and enabled. Reporting
// too often is harmless.
func (e *Engine) Report(now Ready) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.raiseLocked(now)
}

// Reenable enables the bits that a call of the client enables by the package's
// table, then raises what holds now.
func (e *Engine) Reenable(bits int32, now Ready) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.enabled |= bits & e.mask
	e.raiseLocked(now)
}

func (e *Engine) raiseLocked(now Ready) {
	raise := now.Bits & e.enabled
	if now.Bits&spi.FD_READ != 0 {
		raise &^= spi.FD_CLOSE
	}
	if raise == 0 {
		return
	}
	e.enabled &^= raise
	table := e.upcalls.Load()
	for rest := raise; rest != 0; {
		i := bits.TrailingZeros32(uint32(rest))
		bit := int32(1) << i
		rest &^= bit
		code := uint16(now.errorOf(bit))
		if e.wnd != 0 {
			table.WPUPostMessage(e.wnd, e.msg, uintptr(e.socket), uintptr(code)<<16|uintptr(bit))
			continue
		}
		e.recorded |= bit
		e.errors[i] = code
	}
	if e.wnd == 0 {
		table.WPUSetEvent(e.event)
	}
}

// Enum copies the record to out, clears it and resets ev, unless zero, in one
// step. Only the error codes of recorded events are written. WSAEINVAL, with
// the record as it was, when ev is not an event. Stands for
// WSPEnumNetworkEvents.
func (e *Engine) Enum(ev spi.Event, out *spi.NetworkEvents) spi.Errno {
	if out == nil {
		return spi.WSAEFAULT
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if ev != spi.InvalidEvent && e.upcalls.Load().WPUResetEvent(ev.Untagged()) != 0 {
		return spi.WSAEINVAL
	}
	out.NetworkEvents = e.recorded
	for i := range e.errors {
		if e.recorded&(1<<i) != 0 {
			out.ErrorCode[i] = int32(e.errors[i])
		}
	}
	e.recorded = 0
	return 0
}

// CloseDescriptor ends a message selection that was made through this
// descriptor, so that no message names a closed handle while duplicates of the
// socket live on.
func (e *Engine) CloseDescriptor(socket spi.Socket) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.wnd != 0 && e.socket == socket {
		e.selectLocked(0)
	}
}

// Close ends any selection: nothing is posted or set afterwards.
func (e *Engine) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.selectLocked(0)
}
