package seccomp

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// receivers are the goroutines that take notifications and handle them. Each
// handles what it has received itself, however long that takes, so that an
// answer costs no hand-over: the others wait already. When the last that waits
// receives something another is started, and when there are more than enough
// one ends.
//
// They wait together in one epoll set. The listener is in it with EPOLLONESHOT:
// one receiver is woken for a notification, and lets the next in when it has
// taken it, for SECCOMP_IOCTL_NOTIF_RECV would wait if another came first.
type receivers struct {
	epoll int

	mu      sync.Mutex // guards what follows; a leaf lock
	waiting int        // those that wait, or are about to
	stopped bool
}

// mostWaiting is how many receivers are kept waiting: for one call of each
// processor, and one for the call that comes while they are handled.
var mostWaiting = min(runtime.GOMAXPROCS(0), 8) + 1

// Keys of what the receivers wait for.
const (
	keyListener = iota
	keyWake
)

func (r *receivers) open(listener, wake int) error {
	var err error
	if r.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	for _, watched := range []struct {
		fd     int
		events uint32
		key    int32
	}{{wake, unix.EPOLLIN, keyWake}, {listener, listenerEvents, keyListener}} {
		if err := unix.EpollCtl(r.epoll, unix.EPOLL_CTL_ADD, watched.fd, &unix.EpollEvent{Events: watched.events, Fd: watched.key}); err != nil {
			_ = unix.Close(r.epoll)
			return err
		}
	}
	return nil
}

const listenerEvents = unix.EPOLLIN | unix.EPOLLONESHOT

// receive takes notifications and handles them, until there are no more or there
// are enough other receivers.
func (s *Server) receive() {
	defer s.work.Done()
	var n notification
	for s.next(&n) {
		if !s.receivers.leave(s) {
			return // unanswered: serving has been stopped
		}
		s.handle(&n)
		s.connections.Done()
		if !s.receivers.join() {
			return
		}
	}
	s.receivers.stop(s)
}

// leave begins to handle a call. It leaves somebody waiting, and reports false
// when serving has been stopped.
func (r *receivers) leave(s *Server) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return false
	}
	s.connections.Add(1)
	if r.waiting--; r.waiting == 0 {
		r.startLocked(s)
	}
	return true
}

func (r *receivers) startLocked(s *Server) {
	r.waiting++
	s.work.Add(1)
	go s.receive()
}

// join makes the caller one of those that wait, unless there are enough.
func (r *receivers) join() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped || r.waiting >= mostWaiting {
		return false
	}
	r.waiting++
	return true
}

// start starts the first receiver.
func (r *receivers) start(s *Server) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.startLocked(s)
}

// stop ends receiving, for all.
func (r *receivers) stop(s *Server) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.stopped {
		r.stopped = true
		close(s.gone)
		s.Stop() // wakes those that wait
	}
}

// next waits for a notification and takes it. It reports false when none will
// come.
func (s *Server) next(n *notification) bool {
	for {
		var events [1]unix.EpollEvent
		count, err := unix.EpollWait(s.receivers.epoll, events[:], -1)
		switch {
		case errors.Is(err, unix.EINTR), err == nil && count == 0:
			continue
		case err != nil:
			s.Log(fmt.Sprintf("waiting for system calls failed: %v", err))
			return false
		case events[0].Fd == keyWake:
			return false
		case events[0].Events&unix.EPOLLIN == 0: // EPOLLHUP: the last process has gone
			return false
		}
		err = receive(s.listener, n)
		again := unix.EpollEvent{Events: listenerEvents, Fd: keyListener}
		if _, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(s.receivers.epoll), unix.EPOLL_CTL_MOD, uintptr(s.listener), uintptr(unsafe.Pointer(&again)), 0, 0); errno != 0 {
			s.Log(fmt.Sprintf("waiting for system calls failed: %v", errno))
			return false
		}
		// ENOENT: the thread was killed, or interrupted, meanwhile.
		if err == nil {
			return true
		}
	}
}
