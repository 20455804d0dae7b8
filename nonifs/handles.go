package nonifs

import (
	"iter"
	"sync/atomic"

	"upcall.dev/internal/slot"
	"upcall.dev/spi"
)

// handleKind marks the contexts that Handles hands to WPUCreateSocketHandle.
const handleKind = 5

// Handles maps a provider's socket handles to its objects of type T. The
// context that the DLL keeps for a handle is a reference into a table of this
// provider; it is checked on the way back, so a stale handle and the handle of
// another provider both give WSAENOTSOCK. Make one with [NewHandles].
type Handles[T any] struct {
	host  *Host
	table *slot.Table[Handle[T]]
}

// NewHandles returns an empty map.
func NewHandles[T any](host *Host) *Handles[T] {
	return &Handles[T]{host: host, table: slot.New[Handle[T]](handleKind)}
}

// Handle is one socket handle of the provider. It outlives WSPCloseSocket until
// the last operation that [Handle.Begin] counted has ended, for its completion
// is still told to the DLL under this handle.
type Handle[T any] struct {
	descriptor
	Value *T
	key   uintptr // in the table
}

// descriptor is the part of a Handle that does not depend on T.
type descriptor struct {
	host   *Host
	socket atomic.Uintptr // zero until the DLL has made the handle
	entry  uint32         // catalog entry id
	state  atomic.Int64   // operations counted, plus the bits below
}

const (
	closedBit = 1 << 40 // Close was called
	goneBit   = 1 << 41 // the DLL has the handle back
)

// Socket returns the handle's value.
func (d *descriptor) Socket() spi.Socket { return spi.Socket(d.socket.Load()) }

// Entry returns the id of the catalog entry that the handle was made for.
func (d *descriptor) Entry() uint32 { return d.entry }

// Begin counts an operation that will complete later. False means that the
// handle is closed.
func (d *descriptor) Begin() bool {
	if d.state.Add(1)&closedBit != 0 {
		d.End()
		return false
	}
	return true
}

// End tells that an operation which Begin counted has been indicated. The last
// one after a close gives the handle back to the DLL.
func (d *descriptor) End() {
	if d.state.Add(-1) == closedBit {
		d.giveBack()
	}
}

// closed reports whether Close was called. Whoever lists an operation asks
// under the list's lock: Close comes before the search for operations to abort.
func (d *descriptor) closed() bool { return d.state.Load()&closedBit != 0 }

// giveBack returns the handle to the DLL, once.
func (d *descriptor) giveBack() {
	if d.state.CompareAndSwap(closedBit, closedBit|goneBit) {
		d.host.Upcalls().WPUCloseSocketHandle(d.Socket())
	}
}

// Create makes a handle for value with WPUCreateSocketHandle. WSAENOBUFS,
// WSAEINVAL (unknown catalog entry id).
func (h *Handles[T]) Create(catalogEntryID uint32, value *T) (*Handle[T], spi.Errno) {
	handle := &Handle[T]{descriptor: descriptor{host: h.host, entry: catalogEntryID}, Value: value}
	key, ok := h.table.Insert(handle, 0)
	if !ok {
		return nil, spi.WSAENOBUFS
	}
	handle.key = key
	s, errno := h.host.Upcalls().WPUCreateSocketHandle(catalogEntryID, key)
	if errno != 0 {
		h.table.Remove(key)
		return nil, errno
	}
	handle.socket.Store(uintptr(s))
	return handle, 0
}

// Lookup returns the open handle s. WSAENOTSOCK when s is closed or belongs to
// somebody else.
func (h *Handles[T]) Lookup(s spi.Socket) (*Handle[T], spi.Errno) {
	key, errno := h.host.Upcalls().WPUQuerySocketHandleContext(s)
	if errno != 0 {
		return nil, errno
	}
	handle := h.table.Get(key)
	if handle == nil || handle.Socket() != s {
		return nil, spi.WSAENOTSOCK
	}
	return handle, 0
}

// Close ends the use of a handle: lookups fail from now on, and the DLL gets it
// back at once or when the last operation has ended. WSAENOTSOCK when somebody
// else has closed it.
func (h *Handles[T]) Close(handle *Handle[T]) spi.Errno {
	if h.table.Remove(handle.key) == nil {
		return spi.WSAENOTSOCK
	}
	if handle.state.Add(closedBit) == closedBit {
		handle.giveBack()
	}
	return 0
}

// All yields the open handles. Handles may be closed meanwhile.
func (h *Handles[T]) All() iter.Seq[*Handle[T]] {
	return func(yield func(*Handle[T]) bool) {
		for _, handle := range h.table.All() {
			if handle.Socket() != 0 && !yield(handle) {
				return
			}
		}
	}
}

// Len returns the number of open handles.
func (h *Handles[T]) Len() int { return h.table.Len() }
