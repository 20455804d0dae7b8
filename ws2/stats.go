package ws2

import (
	"sync/atomic"

	"upcall.dev/spi"
)

// UpcallStat is one upcall's row in [DLL.UpcallStats].
type UpcallStat struct {
	// Name is the upcall's, as in ws2spi.h.
	Name string
	// Status is what the documentation demands of a provider: "required",
	// "required (non-IFS)", "required (IFS)", "optional"; "exported" is not in
	// the table that providers get, "blank" has an empty cell in the
	// documentation, and "not listed" has none.
	Status string
	// Calls counts the calls, and Errors those that failed.
	Calls, Errors uint64
}

// The upcalls in the table's order, and the export.
const (
	closeEvent = iota
	closeSocketHandle
	createEvent
	createSocketHandle
	fdIsSet
	getProviderPath
	modifyIFSHandle
	postMessage
	queryBlockingCallback
	querySocketHandleContext
	queueApc
	resetEvent
	setEvent
	openCurrentThread
	closeThread
	completeOverlappedRequest
	upcallCount
)

var upcallRows = [upcallCount]UpcallStat{
	closeEvent:                {Name: "WPUCloseEvent", Status: "optional"},
	closeSocketHandle:         {Name: "WPUCloseSocketHandle", Status: "required"},
	createEvent:               {Name: "WPUCreateEvent", Status: "optional"},
	createSocketHandle:        {Name: "WPUCreateSocketHandle", Status: "required (non-IFS)"},
	fdIsSet:                   {Name: "WPUFDIsSet", Status: "optional"},
	getProviderPath:           {Name: "WPUGetProviderPath", Status: "required"},
	modifyIFSHandle:           {Name: "WPUModifyIFSHandle", Status: "required (IFS)"},
	postMessage:               {Name: "WPUPostMessage", Status: "required"},
	queryBlockingCallback:     {Name: "WPUQueryBlockingCallback", Status: "required"},
	querySocketHandleContext:  {Name: "WPUQuerySocketHandleContext", Status: "required (non-IFS)"},
	queueApc:                  {Name: "WPUQueueApc", Status: "optional"},
	resetEvent:                {Name: "WPUResetEvent", Status: "optional"},
	setEvent:                  {Name: "WPUSetEvent", Status: "optional"},
	openCurrentThread:         {Name: "WPUOpenCurrentThread", Status: "not listed"},
	closeThread:               {Name: "WPUCloseThread", Status: "blank"},
	completeOverlappedRequest: {Name: "WPUCompleteOverlappedRequest", Status: "exported"},
}

// UpcallStats returns the sixteen upcalls in the table's order, the exported
// WPUCompleteOverlappedRequest last. The counts are zero unless
// [Config].CountUpcalls is set.
func (d *DLL) UpcallStats() []UpcallStat {
	rows := upcallRows
	if d.stats != nil {
		for i := range rows {
			rows[i].Calls = d.stats[i].calls.Load()
			rows[i].Errors = d.stats[i].errors.Load()
		}
	}
	return rows[:]
}

type upcallCounter struct{ calls, errors atomic.Uint64 }

type upcallCounters [upcallCount]upcallCounter

func (c *upcallCounter) count(ok bool) {
	c.calls.Add(1)
	if !ok {
		c.errors.Add(1)
	}
}

// counted returns a table that counts and calls t.
func (c *upcallCounters) counted(t spi.UpcallTable) spi.UpcallTable {
	counted := func(which int, e spi.Errno) spi.Errno {
		c[which].count(e == 0)
		return e
	}
	return spi.UpcallTable{
		WPUCloseEvent: func(ev spi.Event) spi.Errno {
			return counted(closeEvent, t.WPUCloseEvent(ev))
		},
		WPUCloseSocketHandle: func(s spi.Socket) spi.Errno {
			return counted(closeSocketHandle, t.WPUCloseSocketHandle(s))
		},
		WPUCreateEvent: func() (spi.Event, spi.Errno) {
			ev, e := t.WPUCreateEvent()
			return ev, counted(createEvent, e)
		},
		WPUCreateSocketHandle: func(catalogEntryID uint32, context uintptr) (spi.Socket, spi.Errno) {
			s, e := t.WPUCreateSocketHandle(catalogEntryID, context)
			return s, counted(createSocketHandle, e)
		},
		WPUFDIsSet: func(s spi.Socket, set *spi.FDSet) bool {
			c[fdIsSet].count(true)
			return t.WPUFDIsSet(s, set)
		},
		WPUGetProviderPath: func(providerID *spi.GUID, path []uint16, length *int32) spi.Errno {
			return counted(getProviderPath, t.WPUGetProviderPath(providerID, path, length))
		},
		WPUModifyIFSHandle: func(catalogEntryID uint32, proposed spi.Socket) (spi.Socket, spi.Errno) {
			s, e := t.WPUModifyIFSHandle(catalogEntryID, proposed)
			return s, counted(modifyIFSHandle, e)
		},
		WPUPostMessage: func(wnd spi.HWND, msg uint32, wParam, lParam uintptr) bool {
			ok := t.WPUPostMessage(wnd, msg, wParam, lParam)
			c[postMessage].count(ok)
			return ok
		},
		WPUQueryBlockingCallback: func(catalogEntryID uint32, callback *spi.BlockingCallback, context *uintptr) spi.Errno {
			return counted(queryBlockingCallback, t.WPUQueryBlockingCallback(catalogEntryID, callback, context))
		},
		WPUQuerySocketHandleContext: func(s spi.Socket) (uintptr, spi.Errno) {
			context, e := t.WPUQuerySocketHandleContext(s)
			return context, counted(querySocketHandleContext, e)
		},
		WPUQueueApc: func(thread *spi.ThreadID, apc spi.UserAPC, context uintptr) spi.Errno {
			return counted(queueApc, t.WPUQueueApc(thread, apc, context))
		},
		WPUResetEvent: func(ev spi.Event) spi.Errno {
			return counted(resetEvent, t.WPUResetEvent(ev))
		},
		WPUSetEvent: func(ev spi.Event) spi.Errno {
			return counted(setEvent, t.WPUSetEvent(ev))
		},
		WPUOpenCurrentThread: func(thread *spi.ThreadID) spi.Errno {
			return counted(openCurrentThread, t.WPUOpenCurrentThread(thread))
		},
		WPUCloseThread: func(thread *spi.ThreadID) spi.Errno {
			return counted(closeThread, t.WPUCloseThread(thread))
		},
	}
}
