package port

import (
	"sync"

	"upcall.dev/spi"
)

// notifier holds the registrations of a port: descriptors whose readiness is
// told by packets. It has a poller of its own, which the port's watches as a
// descriptor, so that a descriptor may be in both.
//
// A registration has one packet in the queue at most. What happens meanwhile is
// told by that one, whose events are found out when a worker takes it: what a
// level-triggered registration tells holds at that moment.
type notifier struct {
	port   *Port
	poller readiness

	// mu guards the rest and the registrations. The port's mu may be taken
	// under it; nothing is called under it that blocks.
	mu     sync.Mutex
	byFD   map[uintptr]*Registration
	closed bool
	count  uint32 // registrations ever made
}

// Registration is what a port tells of one descriptor. Make one with
// [Port.Register].
type Registration struct {
	notes  *notifier
	fd     uintptr
	key    uintptr
	number uint32 // tells it from others of the same descriptor
	lane   Lane

	// guarded by the notifier's mu
	filter  uint16 // SOCK_NOTIFY_EVENT_
	edge    bool
	oneshot bool
	enabled bool
	live    bool   // is not a socket that was never connected, see hungUp
	armed   bool   // the poller has it
	arming  bool   // what the poller tells is no change
	queued  bool   // it has a packet in the queue
	edges   uint16 // events that it is to tell
	removed bool
}

// Register makes workers of the port get packets with this key that tell what
// happens to a descriptor, once [Registration.Enable] asks for it, until
// [Registration.Remove], or [Registration.Drop] after it was closed. A second
// registration of a descriptor supersedes the first, as that of another one with
// the same number.
//
// WSA_INVALID_HANDLE (the port is closed), WSAEOPNOTSUPP (not on this system),
// WSAENOBUFS, WSAEMFILE.
func (p *Port) Register(fd, key uintptr) (*Registration, spi.Errno) {
	n, code := p.notifier()
	if code != 0 {
		return nil, code
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, spi.WSA_INVALID_HANDLE
	}
	n.count++
	r := &Registration{notes: n, fd: fd, key: key, number: n.count}
	r.lane.deliver = r.deliver
	if stale := n.byFD[fd]; stale != nil {
		stale.removed = true
	}
	n.byFD[fd] = r
	return r, 0
}

// notifier returns the port's notifier, which the first call makes.
func (p *Port) notifier() (*notifier, spi.Errno) {
	p.ctl.Lock()
	defer p.ctl.Unlock()
	if p.notes != nil {
		return p.notes, 0
	}
	if !Watches {
		return nil, spi.WSAEOPNOTSUPP
	}
	poller, code := newReadiness()
	if code != 0 {
		return nil, code
	}
	n := &notifier{port: p, poller: poller, byFD: map[uintptr]*Registration{}}
	if _, code := p.watch(poller.fd(), n, 0, nil); code != 0 {
		poller.close()
		return nil, code
	}
	p.notes = n
	return n, 0
}

// Ready is not called: the leader calls harvest.
func (n *notifier) Ready(_ uint32, done []spi.Completion) []spi.Completion { return done }

// Orphaned ends the registrations of a closed port.
func (n *notifier) Orphaned() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	for _, r := range n.byFD {
		r.removed, r.armed = true, false
	}
	n.byFD = nil
	n.poller.close()
}

// On reports whether the registration is one of the port's.
func (r *Registration) On(p *Port) bool { return r.notes.port == p }

// Ended reports whether it has ended, by its own end or that of the port.
func (r *Registration) Ended() bool {
	r.notes.mu.Lock()
	defer r.notes.mu.Unlock()
	return r.removed
}

// Enable has the registration tell of the events in filter (SOCK_NOTIFY_EVENT_),
// in place of what it told before: whenever they hold, or with edge when they
// begin to, now not being the beginning; with oneshot once.
// WSA_INVALID_HANDLE (the port is closed, or the registration removed), and what
// the system says of the descriptor: WSAENOTSOCK, WSAEOPNOTSUPP, WSAENOBUFS.
func (r *Registration) Enable(filter uint16, edge, oneshot bool) spi.Errno {
	n := r.notes
	n.mu.Lock()
	defer n.mu.Unlock()
	if r.removed {
		return spi.WSA_INVALID_HANDLE
	}
	r.filter, r.edge, r.oneshot = filter, edge, oneshot
	r.enabled = true
	r.edges &= filter | spi.SOCK_NOTIFY_EVENT_ERR
	return r.arm()
}

// Disable ends that. A packet that is in the queue may still come.
func (r *Registration) Disable() {
	r.notes.mu.Lock()
	defer r.notes.mu.Unlock()
	r.enabled = false
	r.disarm()
}

// Remove ends the registration: a packet with SOCK_NOTIFY_EVENT_REMOVE is its
// last. It reports false when it was removed before.
func (r *Registration) Remove() bool {
	n := r.notes
	n.mu.Lock()
	defer n.mu.Unlock()
	if r.removed {
		return false
	}
	r.end()
	r.edges |= spi.SOCK_NOTIFY_EVENT_REMOVE
	if !r.queued {
		r.queued = true
		n.port.Post(r.packet())
	}
	return true
}

// Drop ends the registration of a descriptor that is closed. No packet tells.
func (r *Registration) Drop() {
	r.notes.mu.Lock()
	defer r.notes.mu.Unlock()
	if !r.removed {
		r.armed = false // the system has taken it out
		r.end()
	}
}

// end takes the registration out of the notifier.
func (r *Registration) end() {
	r.enabled = false
	r.disarm()
	r.removed = true
	if r.notes.byFD[r.fd] == r {
		delete(r.notes.byFD, r.fd)
	}
}

func (r *Registration) packet() Packet { return Packet{Key: r.key, Lane: &r.lane} }

// arm has the poller tell of the registration's events: of the next change, or
// of a state. That a socket which was never connected looks hung up is a change
// to wait for too.
func (r *Registration) arm() spi.Errno {
	if r.filter == spi.SOCK_NOTIFY_REGISTER_EVENT_NONE {
		r.disarm()
		return 0
	}
	if !r.live {
		r.live = !hungUp(r.notes.poller.now(r.fd))
	}
	changes := r.edge || !r.live
	code := r.notes.poller.arm(r, changes)
	if code != 0 {
		return code
	}
	r.armed = true
	if changes {
		// The poller begins with what holds already.
		r.arming = true
		ready := r.notes.collect(nil)
		r.arming = false
		for _, packet := range ready {
			r.notes.port.Post(packet)
		}
	}
	return 0
}

func (r *Registration) disarm() {
	if r.armed {
		r.armed = false
		r.notes.poller.disarm(r.fd)
	}
}

// hungUp reports whether events are those of a stream socket that was never
// connected, which the system takes for hung up. One whose connection has ended
// has something to read, the end, or an error.
func hungUp(events uint16) bool {
	return events&spi.SOCK_NOTIFY_EVENT_HANGUP != 0 && events&(spi.SOCK_NOTIFY_EVENT_ERR|spi.SOCK_NOTIFY_EVENT_IN) == 0
}

// harvest appends packets for the registrations that are ready.
func (n *notifier) harvest(ready []Packet) []Packet {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return ready
	}
	return n.collect(ready)
}

// collect is harvest for a caller that holds mu.
func (n *notifier) collect(ready []Packet) []Packet {
	n.poller.each(func(fd uintptr, number uint32, events uint16) {
		r := n.byFD[fd]
		if r == nil || r.number != number || !r.enabled {
			return
		}
		if !r.live {
			if hungUp(n.poller.now(fd)) {
				return
			}
			r.live = true
			if !r.edge {
				// From now on its state counts, whatever it was when it changed.
				r.arm() // a descriptor that was closed has nothing to tell any more
				return
			}
		}
		if r.arming {
			return
		}
		if r.edges |= events & (r.filter | spi.SOCK_NOTIFY_EVENT_ERR); r.edges == 0 || r.queued {
			return
		}
		if r.edge && r.oneshot {
			r.enabled = false
			r.disarm()
		}
		r.queued = true
		ready = append(ready, r.packet())
	})
	return ready
}

// deliver makes the registration's packet tell what there is to tell.
func (r *Registration) deliver(p *Packet) bool {
	n := r.notes
	n.mu.Lock()
	defer n.mu.Unlock()
	events := r.edges
	r.queued, r.edges = false, 0
	if r.removed && events&spi.SOCK_NOTIFY_EVENT_REMOVE == 0 {
		return false
	}
	switch {
	case r.removed:
		if !r.edge {
			events = spi.SOCK_NOTIFY_EVENT_REMOVE
		}
	case !r.edge:
		events = 0
		if r.enabled {
			events = n.poller.now(r.fd) & (r.filter | spi.SOCK_NOTIFY_EVENT_ERR)
			if events != 0 && r.oneshot {
				r.enabled = false
				r.disarm()
			} else {
				r.arm() // a descriptor that was closed has nothing to tell any more
			}
		}
	}
	p.Bytes = uint32(events)
	return events != 0
}
