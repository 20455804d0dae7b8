package relay

import (
	"sync"
	"sync/atomic"
	"time"

	"upcall.dev/nonifs"
	"upcall.dev/spi"
)

// wire is a socket of the next provider and what moves bytes between it and the
// queues of an endpoint, in both directions.
//
// Everything is done in steps that never wait: a step does what can be done and
// then waits for a signal, of the lower socket, a queue, the clock or a client,
// which kicks the wire. One goroutine runs a wire at a time, a worker of the
// runner or, to close it, a client's. So what only a step touches has no lock.
//
// The lower socket is nonblocking, with an event for everything. It is closed
// when the endpoint is, and everything sent is delivered.
type wire struct {
	relay     *Relay
	runner    *runner
	chain     *Chain // nil: what Find gives
	next      spi.Provider
	lower     spi.Socket
	event     spi.Event
	datagrams bool

	phase    atomic.Int32  // who runs it
	signaled atomic.Bool   // the lower socket's event was set
	starving atomic.Bool   // Down waits for room in the endpoint's queue
	gone     atomic.Bool   // the lower socket is closed
	done     chan struct{} // closed then

	at    time.Time // the runner's lock guards both
	place int

	mu sync.Mutex // guards orders; a leaf lock
	orders

	// Only the step touches the rest.
	readable, writable bool // the lower socket may be
	up, down           half
	lost               spi.Errno // why up has failed
	child              *socket   // accepted, and not yet delivered
}

// orders are what clients want of a wire.
type orders struct {
	closed  bool // the endpoint is closed: nobody reads any more
	broken  bool // nothing is delivered any more
	reset   bool // close the lower socket with a reset
	attempt *attempt
	listens *socket       // takes the connections
	in, out *nonifs.Queue // of the endpoint, once it has them
	lingers chan struct{} // closed when the wire has seen that the endpoint is closed, and has still to deliver; nil while nobody waits
}

// half is one direction.
type half struct {
	line
	ended bool // nothing more comes in
	over  bool // nothing more goes out
}

// The phases of a wire.
const (
	idle    int32 = iota
	queued        // a worker will run it
	running       // somebody runs a step
	again         // somebody runs a step, and must run another one
)

func (r *Relay) newWire(in *Chain, next spi.Provider, lower spi.Socket, datagrams bool) (*wire, spi.Errno) {
	w := &wire{relay: r, chain: in, next: next, lower: lower, datagrams: datagrams, done: make(chan struct{}), readable: true, writable: true}
	w.up.limit, w.down.limit = r.config.Limit, r.config.Limit
	r.mu.Lock()
	w.runner = r.runner
	r.wires[w] = struct{}{}
	r.mu.Unlock()
	event, errno := r.DLL().RegisterWait(w.signal)
	if errno == 0 {
		w.event = event
		errno = next.WSPEventSelect(lower, event, spi.FD_READ|spi.FD_WRITE|spi.FD_ACCEPT|spi.FD_CONNECT|spi.FD_CLOSE)
	}
	if errno != 0 {
		w.closeLower(false)
		return nil, errno
	}
	return w, 0
}

// signal runs where the event is set, perhaps under a lock of the next
// provider.
func (w *wire) signal() {
	w.signaled.Store(true)
	w.kick()
}

// kick has the wire run a step soon. It may be called with any lock held.
func (w *wire) kick() {
	for !w.gone.Load() {
		switch phase := w.phase.Load(); phase {
		case idle:
			if w.phase.CompareAndSwap(idle, queued) {
				w.runner.push(w)
				return
			}
		case running:
			if w.phase.CompareAndSwap(running, again) {
				return
			}
		default:
			return
		}
	}
}

// run is a worker's turn.
func (w *wire) run(x *scratch) {
	if !w.phase.CompareAndSwap(queued, running) {
		return // somebody else has run it
	}
	w.step(x)
	if !w.phase.CompareAndSwap(running, idle) {
		w.phase.Store(queued)
		w.runner.push(w)
	}
}

// runHere runs steps on the calling goroutine, unless another one does so and
// will see what has changed.
func (w *wire) runHere() {
	for {
		switch phase := w.phase.Load(); phase {
		case idle, queued:
			if !w.phase.CompareAndSwap(phase, running) {
				continue
			}
			x := takeScratch()
			w.step(x)
			for !w.phase.CompareAndSwap(running, idle) {
				w.phase.Store(running)
				w.step(x)
			}
			giveScratch(x)
			return
		case running:
			if w.phase.CompareAndSwap(running, again) {
				return
			}
		default:
			return
		}
	}
}

// order changes what is wanted of the wire, and has it done soon.
func (w *wire) order(change func(*orders)) {
	w.mu.Lock()
	change(&w.orders)
	w.mu.Unlock()
	w.kick()
}

func (w *wire) current() orders {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.orders
}

// close tells that the endpoint is closed.
func (w *wire) close(abort bool) {
	w.order(func(o *orders) {
		o.closed = true
		if abort {
			o.broken, o.reset = true, true
		}
	})
}

// closeNow is close, and closes the lower socket before it returns if there is
// nothing to deliver.
func (w *wire) closeNow(abort bool) {
	w.close(abort)
	if !w.datagrams {
		w.runHere()
		if o := w.current(); o.broken || o.in == nil {
			<-w.done
		}
		return
	}
	lingers := make(chan struct{})
	w.order(func(o *orders) { o.lingers = lingers })
	w.runHere()
	select {
	case <-w.done:
	case <-lingers:
	}
}

// rounds bounds what one step does before other wires have their turn.
const rounds = 16

// step does what can be done now.
func (w *wire) step(x *scratch) {
	if w.gone.Load() {
		return
	}
	if w.signaled.Swap(false) {
		w.readable, w.writable = true, true
	}
	o := w.current()
	var at time.Time // of the next step, without another reason
	switch {
	case o.broken:
	case o.attempt != nil && !o.closed:
		at = w.connect(o.attempt)
	case o.listens != nil && !o.closed:
		at = w.accept(o.listens)
	case o.in != nil:
		at = w.carry(o, x)
	}
	if o.closed && (o.broken || o.in == nil || w.up.over) {
		w.closeLower(o.reset)
		return
	}
	if o.lingers != nil {
		close(o.lingers)
		w.mu.Lock()
		w.lingers = nil
		w.mu.Unlock()
	}
	w.runner.arm(w, at)
}

// closeLower closes the lower socket; no step does anything afterwards.
func (w *wire) closeLower(reset bool) {
	if w.child != nil {
		w.child.Close(true)
		w.child = nil
	}
	w.up.clear()
	w.down.clear()
	w.gone.Store(true)
	w.runner.arm(w, time.Time{})
	if reset && !w.datagrams {
		w.reset(w.lower)
	} else {
		w.next.WSPCloseSocket(w.lower)
	}
	if w.event != spi.InvalidEvent {
		w.relay.Upcalls().WPUCloseEvent(w.event)
	}
	close(w.done)
	w.relay.remove(w)
}

// reset closes a socket of the next provider so that its peer sees a reset.
func (w *wire) reset(lower spi.Socket) {
	w.next.WSPSetSockOpt(lower, spi.SOL_SOCKET, spi.SO_LINGER, []byte{1, 0, 0, 0})
	w.next.WSPCloseSocket(lower)
}

// scratch is where a step takes bytes and an address, and what it calls the
// next provider with.
type scratch struct {
	bufs    [1]spi.Buf
	n       uint32
	flags   uint32
	length  int32
	address [spi.SizeofSockaddrStorage]byte
	data    [max(defaultChunk, longestDatagram)]byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func takeScratch() *scratch { return scratches.Get().(*scratch) }

func giveScratch(x *scratch) {
	x.bufs[0] = spi.Buf{}
	scratches.Put(x)
}
