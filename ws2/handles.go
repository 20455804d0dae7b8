package ws2

import (
	"sync/atomic"
	"unsafe"

	"upcall.dev/internal/port"
	"upcall.dev/internal/slot"
	"upcall.dev/spi"
)

// Kinds of handles: no handle of one kind equals one of another.
const (
	kindSocket = iota
	kindEvent
	kindThread
	kindPort
	kindWindow
	kindNotification
)

// A socket's states, for the client. A provider may use its handle until it
// closes it by WPUCloseSocketHandle, whatever the client has done.
const (
	open uint32 = iota
	closing
	closed
)

// socket is what the DLL knows of one handle: whose it is.
type socket struct {
	provider *provider
	entry    *entry
	state    atomic.Uint32
	modes    atomic.Uint32               // of SetFileCompletionNotificationModes
	port     atomic.Pointer[association] // nil when it is attached to none
	lane     atomic.Pointer[lane]        // where a layer wants the packets, nil for none
	notify   atomic.Pointer[port.Registration]
}

// handleTable finds the socket of a handle. An IFS handle is a file descriptor
// and is filed under its number; any other is one that the table made up, and
// carries the provider's context.
type handleTable struct {
	ifs    slot.Direct[socket]
	nonIFS *slot.Table[socket]
}

// isIFS reports whether the handle could be an operating-system handle.
func isIFS(s spi.Socket) bool { return s>>32 == 0 }

// find returns the handle's socket, nil if it has none.
func (h *handleTable) find(s spi.Socket) *socket {
	if isIFS(s) {
		return h.ifs.Load(uintptr(s))
	}
	return h.nonIFS.Get(uintptr(s))
}

// register files an operating-system handle for the provider of e, in place of
// whatever was there: the last caller wins. A layer takes over the socket of the
// provider below with its tie to a completion port; a base provider's is a new
// one. WSAEINVAL for a number that is no open handle.
func (h *handleTable) register(s spi.Socket, e *entry) spi.Errno {
	if !isIFS(s) || !isOpen(s) {
		return spi.WSAEINVAL
	}
	sock := &socket{provider: e.provider, entry: e}
	if e.ProtocolChain.ChainLen != spi.BaseProtocol {
		if old := h.ifs.Load(uintptr(s)); old != nil {
			sock.inherit(old)
		}
	}
	if !h.ifs.Store(uintptr(s), sock) {
		return spi.WSAEINVAL
	}
	return 0
}

// inherit takes over where the packets of another record of the same socket go,
// and its registration for notifications.
func (s *socket) inherit(old *socket) {
	s.modes.Store(old.modes.Load())
	s.port.Store(old.port.Load())
	s.lane.Store(old.lane.Load())
	s.notify.Store(old.notify.Load())
}

// drop forgets a handle that the client has closed, unless it is a new socket's
// by now. The entry of a non-IFS handle stays until its provider closes it.
func (h *handleTable) drop(s spi.Socket, sock *socket) {
	if isIFS(s) {
		h.ifs.CompareAndDelete(uintptr(s), sock)
	}
}

// ShareContexts makes the contexts of non-IFS handles readable for code outside
// Go, so that WPUQuerySocketHandleContext need not enter it: tell is called with
// the address of each segment of the table of handles, now and whenever there is
// a new one, before a handle is in it. A segment is never moved or freed. It has
// 1024 slots of two words, the handle (0 in a free slot) and its context; bits 2
// to 31 of a handle number its slot. A reader that finds the handle there before
// and after it has read the context has the right one.
//
// It returns false, and shares nothing, when upcalls are counted: each must pass
// by the counter then.
func (d *DLL) ShareContexts(tell func(segment int, slots unsafe.Pointer)) bool {
	if d.stats != nil {
		return false
	}
	d.handles.nonIFS.Share(func(segment int, slots *slot.Slot) { tell(segment, unsafe.Pointer(slots)) })
	return true
}
