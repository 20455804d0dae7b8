//go:build linux

package kernel

import (
	"sync"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// poller is the epoll instance of a started provider and the goroutine that
// watches it, both made when a socket first needs them. It is edge-triggered:
// whoever depends on a condition looks for it once after watch, and again
// after everything that ends it. A client that waits itself watches in its place.
type poller struct {
	mu      sync.Mutex // guards what follows, epoll_ctl and Watcher's; a leaf but for around
	loop    *epollLoop
	watched map[int32]watched
	ids     map[*socket]int32
	next    int32
	stopped bool
}

// watched is a socket that somebody watches.
type watched struct {
	d  *descriptor
	by spi.Watcher // nil for the poller's goroutine
	at uintptr     // what by calls the watch
}

const watchedEvents = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLPRI | unix.EPOLLRDHUP | unix.EPOLLET

// watch makes the goroutine call happened for d's socket on every event from
// now on. Watching a socket again does nothing.
func (p *poller) watch(d *descriptor) spi.Errno {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return spi.WSANOTINITIALISED
	}
	if _, ok := p.ids[d.socket]; ok {
		return 0
	}
	return p.addLocked(d, nil)
}

// watchBy is watch by a client that waits itself, from now on, or by the goroutine.
func (p *poller) watchBy(d *descriptor, by spi.Watcher) spi.Errno {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return spi.WSANOTINITIALISED
	}
	if id, ok := p.ids[d.socket]; ok {
		if p.watched[id].by == by {
			return 0
		}
		p.removeLocked(id)
	}
	return p.addLocked(d, by)
}

// addLocked falls back to the goroutine when by cannot watch.
func (p *poller) addLocked(d *descriptor, by spi.Watcher) spi.Errno {
	if e := p.startLocked(); e != 0 {
		return e
	}
	for p.next++; p.watched[p.next].d != nil; p.next++ {
	}
	id := p.next
	w := watched{d: d, by: by}
	if by != nil {
		var e spi.Errno
		if w.at, e = by.Watch(uintptr(d.fd), func(events uint32) { p.happened(id, events) }); e != 0 {
			w.by = nil
		}
	}
	if w.by == nil {
		event := unix.EpollEvent{Events: watchedEvents, Fd: id}
		if err := unix.EpollCtl(p.loop.fd, unix.EPOLL_CTL_ADD, d.fd, &event); err != nil {
			return spi.FromErrno(errnoOf(err))
		}
	}
	p.watched[id] = w
	p.ids[d.socket] = id
	return 0
}

// removeLocked ends a watch. The kernel would go on by itself as long as any
// duplicate of the descriptor is open.
func (p *poller) removeLocked(id int32) {
	w := p.watched[id]
	delete(p.watched, id)
	delete(p.ids, w.d.socket)
	switch {
	case w.by != nil:
		w.by.Unwatch(uintptr(w.d.fd), w.at)
	case !p.stopped: // else the instance is gone, its number perhaps another's
		_ = unix.EpollCtl(p.loop.fd, unix.EPOLL_CTL_DEL, w.d.fd, nil)
	}
}

// forget ends the watch through d, which is being closed; the watch goes on
// through heir unless that is nil.
func (p *poller) forget(d, heir *descriptor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id, ok := p.ids[d.socket]
	if !ok || p.watched[id].d != d {
		return
	}
	by := p.watched[id].by
	p.removeLocked(id)
	if heir != nil && !p.stopped {
		_ = p.addLocked(heir, by)
	}
}

// around ends the watch of a socket, if there is one, while replace puts
// another kernel socket under its descriptors. The socket's mu is taken inside.
func (p *poller) around(s *socket, replace func() unix.Errno) unix.Errno {
	p.mu.Lock()
	defer p.mu.Unlock()
	id, ok := p.ids[s]
	if !ok || p.stopped {
		return replace()
	}
	w := p.watched[id]
	p.removeLocked(id)
	errno := replace()
	_ = p.addLocked(w.d, w.by)
	return errno
}

// rest ends the watch of a socket that nothing depends on any more: no
// selection (which the caller keeps out), no overlapped operation, no data to
// refuse. Whoever comes to depend on it makes that visible and then calls watch.
func (p *poller) rest(d *descriptor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id, ok := p.ids[d.socket]
	if ok && !p.stopped && d.pending.Load() == nil && !d.has(fRecvShut) {
		p.removeLocked(id)
	}
}

func (p *poller) startLocked() (e spi.Errno) {
	if p.loop == nil {
		p.watched, p.ids = map[int32]watched{}, map[*socket]int32{}
		p.loop, e = startEpoll(128, func(event unix.EpollEvent) { p.happened(event.Fd, event.Events) })
	}
	return e
}

// stop ends the goroutine and waits for it.
func (p *poller) stop() {
	p.mu.Lock()
	p.stopped = true
	loop := p.loop
	p.mu.Unlock()
	if loop != nil {
		loop.stop()
	}
}

func (p *poller) happened(id int32, events uint32) {
	p.mu.Lock()
	d := p.watched[id].d
	p.mu.Unlock()
	if d != nil && d.enter() {
		d.happened(events)
		d.release()
	}
}

// happened looks what the socket's change means for its selection, its
// overlapped operations, and data that SD_RECEIVE refuses.
func (d *descriptor) happened(events uint32) {
	own := d.events.Load()
	matters := own != nil && own.matters(d, events)
	if d.pending.Load() == nil && !d.has(fRecvShut) {
		if !matters {
			return
		}
		if own.tellsDataAlone(d, events) {
			d.reportData(own)
			return
		}
	}
	if !d.current() {
		return // what has happened is another socket's
	}
	if d.has(fRecvShut) && !d.has(fAborted) && d.kind.tcp() {
		d.resetIfData()
	}
	if o := d.pending.Load(); o != nil {
		o.advance(events)
	}
	d.report()
}
