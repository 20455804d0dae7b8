//go:build linux

package kernel

import (
	"sync"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// attendant is the goroutine of a started provider that attends to descriptors
// of its own, those of no client: of duplicates that other processes come for,
// and of the kernel's news about addresses and routes. It is made when there is
// first something to attend to.
type attendant struct {
	mu      sync.Mutex // a leaf: guards what follows, and epoll_ctl
	loop    *epollLoop
	ready   map[int32]func()
	last    int32
	stopped bool
}

// attend makes the goroutine call ready, with no lock held, while fd is
// readable. The result is what leave takes.
func (a *attendant) attend(fd int, ready func()) (id int32, e spi.Errno) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped {
		return 0, spi.WSANOTINITIALISED
	}
	if e := a.startLocked(); e != 0 {
		return 0, e
	}
	for a.last++; a.ready[a.last] != nil; a.last++ {
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: a.last}
	if err := unix.EpollCtl(a.loop.fd, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return 0, spi.FromErrno(errnoOf(err))
	}
	a.ready[a.last] = ready
	return a.last, 0
}

// leave ends attending to fd, which must still be open. A call of its function
// may be running.
func (a *attendant) leave(fd int, id int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.ready, id)
	if !a.stopped {
		_ = unix.EpollCtl(a.loop.fd, unix.EPOLL_CTL_DEL, fd, nil)
	}
}

func (a *attendant) startLocked() (e spi.Errno) {
	if a.loop == nil {
		a.ready = map[int32]func(){}
		a.loop, e = startEpoll(16, a.happened)
	}
	return e
}

// stop ends the goroutine and waits for it.
func (a *attendant) stop() {
	a.mu.Lock()
	a.stopped = true
	loop := a.loop
	a.mu.Unlock()
	if loop != nil {
		loop.stop()
	}
}

func (a *attendant) happened(event unix.EpollEvent) {
	a.mu.Lock()
	ready := a.ready[event.Fd]
	if a.stopped {
		ready = nil
	}
	a.mu.Unlock()
	if ready != nil {
		ready()
	}
}
