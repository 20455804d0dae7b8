//go:build linux

package kernel

import (
	"unsafe"

	"upcall.dev/spi"
)

// portWatch is a socket's place in the client's completion port, which calls
// Ready for it inside the client's dequeue call.
type portWatch struct {
	*operations
	port spi.CompletionPort

	// Guarded by operations.mu.
	on *descriptor // the one that is watched
	id uintptr
}

var _ spi.PortTarget = (*portWatch)(nil)

// Ready goes on with the socket's operations. It does nothing when the socket
// is watched elsewhere by now.
func (w *portWatch) Ready(events uint32, done []spi.Completion) []spi.Completion {
	o := w.operations
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.watch != w {
		return done
	}
	o.collects, o.done = w, done
	o.note(events)
	o.serve(&o.receives)
	o.serve(&o.sends)
	done = o.done
	o.collects, o.done = nil, nil
	return done
}

// Orphaned hands the operations over to the poller's goroutine, for the port is
// closed.
func (w *portWatch) Orphaned() {
	o := w.operations
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.watch != w {
		return
	}
	o.watch = nil
	o.unsure()
	if !o.receives.empty() || !o.sends.empty() {
		_ = o.poll(w.on)
	}
}

// unsure forgets what is known of readiness: the socket is about to be watched
// by somebody else, who tells everything again.
func (o *operations) unsure() {
	o.readable, o.writable = true, true
}

// watched sees that somebody watches d's socket before an operation is tried:
// the client's port if there is one, and the poller when nobody may dequeue. It
// returns where the operation's packet goes. WSAEINVAL for a routine beside a
// port.
func (o *operations) watched(d *descriptor, event spi.Event, routine spi.CompletionRoutine) (*portWatch, spi.Errno) {
	if o.watch == nil || o.watch.on != d { // a handle keeps its port
		port := d.p.dll.CompletionPort(spi.Socket(d.fd))
		if port != nil && (o.watch == nil || !samePort(o.watch.port, port)) {
			if e := o.rewatch(d, port); e != 0 && e != spi.WSA_INVALID_HANDLE {
				return nil, e
			}
		}
	}
	w := o.watch
	if w == nil {
		return nil, o.poll(d)
	}
	if routine != nil {
		return nil, spi.WSAEINVAL
	}
	if event == spi.InvalidEvent {
		return w, 0
	}
	if event.Tagged() {
		w = nil
	}
	return w, o.poll(d)
}

// samePort is a == b, without the call that comparing interfaces is where they
// are the same pointer, as they nearly always are.
func samePort(a, b spi.CompletionPort) bool {
	type words [2]uintptr
	return *(*words)(unsafe.Pointer(&a)) == *(*words)(unsafe.Pointer(&b)) || a == b
}

// rewatch makes port, instead of the one before, watch d's socket.
// WSA_INVALID_HANDLE when the port is closed.
func (o *operations) rewatch(d *descriptor, port spi.CompletionPort) spi.Errno {
	o.unwatch()
	w := &o.firstWatch
	if w.operations != nil { // whoever has been told of it may still call it
		w = &portWatch{}
	}
	w.operations, w.port, w.on = o, port, d
	id, e := port.Watch(uintptr(d.fd), w)
	if e != 0 {
		return e
	}
	w.id = id
	o.watch = w
	o.unsure()
	return 0
}

// unwatch ends the port's watch. The descriptor is still open.
func (o *operations) unwatch() {
	if w := o.watch; w != nil {
		w.port.Unwatch(uintptr(w.on.fd), w.id)
		o.watch = nil
	}
}

// poll makes the poller watch d's socket.
func (o *operations) poll(d *descriptor) spi.Errno {
	if o.polled {
		return 0
	}
	e := d.p.poller.watch(d)
	if e == 0 {
		o.polled = true
		o.unsure()
	}
	return e
}

// leave ends the port's watch through d, which has been closed; it goes on
// through heir unless that is nil.
func (o *operations) leave(d, heir *descriptor) {
	o.mu.Lock()
	defer o.mu.Unlock()
	w := o.watch
	if w == nil || w.on != d {
		return
	}
	if heir == nil {
		o.unwatch()
		return
	}
	if o.rewatch(heir, w.port) != 0 {
		_ = o.poll(heir)
	}
}
