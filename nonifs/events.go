package nonifs

import (
	"sync"
	"sync/atomic"

	"upcall.dev/internal/netevents"
	"upcall.dev/spi"
)

// watch is what an endpoint tells about its readiness: the FD_ engine and the
// calls to WSPSelect that wait for it. It exists from the first of either.
type watch struct {
	engine *netevents.Engine
	signal func() // of a Pump, which has nothing else

	selects atomic.Int32
	mu      sync.Mutex // guards first and the entries' links; a leaf lock
	first   *watchEntry
}

// watchEntry lists one WSPSelect call in one endpoint's watch.
type watchEntry struct {
	wake       chan<- struct{} // capacity 1
	next, prev *watchEntry
	watch      *watch
}

// watching returns the endpoint's watch and makes it when there is none.
func (e *Endpoint) watching() *watch {
	if w := e.watch.Load(); w != nil {
		return w
	}
	w := &watch{engine: netevents.New(&e.base.table)}
	if e.watch.CompareAndSwap(nil, w) {
		return w
	}
	return e.watch.Load()
}

// changed enables events, raises what holds, and wakes the selects.
func (w *watch) changed(now netevents.Ready, enable int32) {
	if w.signal != nil {
		w.signal()
		return
	}
	if enable != 0 {
		w.engine.Reenable(enable, now)
	} else {
		w.engine.Report(now)
	}
	if w.selects.Load() != 0 {
		w.wakeSelects()
	}
}

func (w *watch) wakeSelects() {
	w.mu.Lock()
	for entry := w.first; entry != nil; entry = entry.next {
		select {
		case entry.wake <- struct{}{}:
		default:
		}
	}
	w.mu.Unlock()
}

func (w *watch) add(entry *watchEntry) {
	w.mu.Lock()
	entry.watch, entry.next = w, w.first
	if w.first != nil {
		w.first.prev = entry
	}
	w.first = entry
	w.selects.Add(1)
	w.mu.Unlock()
}

func (w *watch) remove(entry *watchEntry) {
	w.mu.Lock()
	if entry.prev != nil {
		entry.prev.next = entry.next
	} else {
		w.first = entry.next
	}
	if entry.next != nil {
		entry.next.prev = entry.prev
	}
	w.selects.Add(-1)
	w.mu.Unlock()
}

// report raises what holds now on every part of the endpoint, each under the
// lock that its changes are reported under, so that none is missed.
func (e *Endpoint) report(w *watch) {
	e.mu.Lock()
	w.engine.Report(e.controlReady())
	e.mu.Unlock()
	if q := e.rx.Load(); q != nil {
		q.mu.Lock()
		w.engine.Report(readReady(q))
		q.mu.Unlock()
	}
	if q := e.tx.Load(); q != nil {
		q.mu.Lock()
		w.engine.Report(writeReady(q))
		q.mu.Unlock()
	} else if e.datagram {
		w.engine.Report(netevents.Ready{Bits: spi.FD_WRITE})
	}
}

// selectEvents makes the socket nonblocking and replaces its FD_ selection by
// the one that choose makes.
func (e *Endpoint) selectEvents(choose func(*netevents.Engine) spi.Errno) spi.Errno {
	w := e.watching()
	if errno := choose(w.engine); errno != 0 {
		return errno
	}
	e.nonblocking.Store(true)
	e.report(w)
	return 0
}

// WSPEventSelect selects FD_ events by event object.
func (b *Base) WSPEventSelect(s spi.Socket, ev spi.Event, events int32) spi.Errno {
	h, errno := b.handles.Lookup(s)
	if errno != 0 {
		return errno
	}
	return h.Value.selectEvents(func(engine *netevents.Engine) spi.Errno {
		return engine.SelectEvent(ev, events, netevents.Ready{})
	})
}

// WSPAsyncSelect selects FD_ events by window message.
func (b *Base) WSPAsyncSelect(s spi.Socket, wnd spi.HWND, msg uint32, events int32) spi.Errno {
	h, errno := b.handles.Lookup(s)
	if errno != 0 {
		return errno
	}
	return h.Value.selectEvents(func(engine *netevents.Engine) spi.Errno {
		return engine.SelectMessage(wnd, msg, s, events, netevents.Ready{})
	})
}

// WSPEnumNetworkEvents hands over the record of FD_ events.
func (b *Base) WSPEnumNetworkEvents(s spi.Socket, ev spi.Event, out *spi.NetworkEvents) spi.Errno {
	h, errno := b.handles.Lookup(s)
	if errno != 0 {
		return errno
	}
	return h.Value.watching().engine.Enum(ev, out)
}

// inherit gives an accepted endpoint the mode and the selection of the socket
// that it was accepted on; s is its handle.
func (e *Endpoint) inherit(from *Endpoint, s spi.Socket) {
	e.nonblocking.Store(from.nonblocking.Load())
	w := from.watch.Load()
	if w == nil || !w.engine.Active() {
		return
	}
	mine := e.watching()
	mine.engine.Inherit(w.engine, s, netevents.Ready{})
	e.report(mine)
}
