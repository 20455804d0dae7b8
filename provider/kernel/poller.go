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
// after everything that ends it.
type poller struct {
	mu      sync.Mutex // guards what follows, and epoll_ctl; a leaf but for around
	loop    *epollLoop
	watched map[int32]*descriptor
	ids     map[*socket]int32
	next    int32
	stopped bool
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
	if e := p.startLocked(); e != 0 {
		return e
	}
	return p.addLocked(d)
}

func (p *poller) addLocked(d *descriptor) spi.Errno {
	for p.next++; p.watched[p.next] != nil; p.next++ {
	}
	event := unix.EpollEvent{Events: watchedEvents, Fd: p.next}
	if err := unix.EpollCtl(p.loop.fd, unix.EPOLL_CTL_ADD, d.fd, &event); err != nil {
		return spi.FromErrno(errnoOf(err))
	}
	p.watched[p.next] = d
	p.ids[d.socket] = p.next
	return 0
}

// forget ends the watch through d, which is being closed; the watch goes on
// through heir unless that is nil. The kernel would go on by itself as long as
// any duplicate of the descriptor is open.
func (p *poller) forget(d, heir *descriptor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id, ok := p.ids[d.socket]
	if !ok || p.watched[id] != d {
		return
	}
	delete(p.watched, id)
	delete(p.ids, d.socket)
	if p.stopped {
		return // the instance is gone, its number perhaps another's
	}
	_ = unix.EpollCtl(p.loop.fd, unix.EPOLL_CTL_DEL, d.fd, nil)
	if heir != nil {
		_ = p.addLocked(heir)
	}
}

// around ends the watch of a socket, if there is one, while replace puts
// another kernel socket under its descriptors. The socket's mu is taken inside.
func (p *poller) around(s *socket, replace func() unix.Errno) unix.Errno {
	p.mu.Lock()
	defer p.mu.Unlock()
	id, watched := p.ids[s]
	watched = watched && !p.stopped
	d := p.watched[id]
	if watched {
		_ = unix.EpollCtl(p.loop.fd, unix.EPOLL_CTL_DEL, d.fd, nil)
	}
	errno := replace()
	if watched {
		delete(p.watched, id)
		delete(p.ids, s)
		_ = p.addLocked(d)
	}
	return errno
}

// rest ends the watch of a socket that nothing depends on any more: no
// selection (which the caller keeps out), no overlapped operation, no data to
// refuse. Whoever comes to depend on it makes that visible and then calls watch.
func (p *poller) rest(d *descriptor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id, ok := p.ids[d.socket]
	if !ok || p.stopped || d.pending.Load() != nil || d.has(fRecvShut) {
		return
	}
	_ = unix.EpollCtl(p.loop.fd, unix.EPOLL_CTL_DEL, p.watched[id].fd, nil)
	delete(p.watched, id)
	delete(p.ids, d.socket)
}

func (p *poller) startLocked() (e spi.Errno) {
	if p.loop == nil {
		p.watched, p.ids = map[int32]*descriptor{}, map[*socket]int32{}
		p.loop, e = startEpoll(128, p.happened)
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

func (p *poller) happened(event unix.EpollEvent) {
	p.mu.Lock()
	d := p.watched[event.Fd]
	p.mu.Unlock()
	if d != nil && d.enter() {
		d.happened(event.Events)
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
