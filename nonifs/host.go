package nonifs

import (
	"sync"
	"sync/atomic"

	"upcall.dev/internal/outcome"
	"upcall.dev/spi"
)

// Host is a provider's side of the Windows Sockets DLL: the upcall table of the
// latest start, what the DLL exports, and the count of starts. The zero value
// has not been started.
type Host struct {
	table atomic.Pointer[spi.UpcallTable]
	dll   atomic.Pointer[spi.DLL]
	// quiet is set by the last WSPCleanup: operations end without indication.
	quiet    atomic.Bool
	blocking blockedCalls
	results  outcome.Waits // calls of OverlappedResult for operations without an event

	mu     sync.Mutex // guards starts; held while nothing is called
	starts int
}

// Start counts one successful WSPStartup and keeps its tables; the latest ones
// count.
func (h *Host) Start(upcalls spi.UpcallTable, dll spi.DLL) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.starts++
	h.table.Store(&upcalls)
	h.dll.Store(&dll)
	h.quiet.Store(false)
}

// Stop undoes one Start, and reports whether it was the last one: the caller
// then closes what is left, and from here on operations end without
// indication. WSANOTINITIALISED when there were more stops than starts.
func (h *Host) Stop() (last bool, errno spi.Errno) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.starts == 0 {
		return false, spi.WSANOTINITIALISED
	}
	h.starts--
	if h.starts == 0 {
		h.quiet.Store(true)
	}
	return h.starts == 0, 0
}

// Upcalls returns the table of the latest start.
func (h *Host) Upcalls() *spi.UpcallTable { return h.table.Load() }

// DLL returns what the DLL exports.
func (h *Host) DLL() spi.DLL { return *h.dll.Load() }
