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
// One of them, the first, waits for the listener itself: the kernel then runs it on
// the processor that the program leaves, at once, which it does not for an epoll
// set. The others wait in one. While there is no first, because it handles a call,
// the listener is in that set with EPOLLONESHOT: one receiver is woken for a
// notification. Who has done with its call becomes the first, and takes the listener
// out of the set.
//
// Who is woken takes the notification under turn, and only if it is its to take
// still, for SECCOMP_IOCTL_NOTIF_RECV would wait if another came first.
type receivers struct {
	epoll int

	turn  sync.Mutex // guards first; system calls that do not wait are made under it
	first bool       // somebody is the first; if not the set has the listener

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
	}{{wake, unix.EPOLLIN, keyWake}, {listener, unix.EPOLLONESHOT, keyListener}} {
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
		opened := s.pidfds.opened.Load()
		first, err := s.receivers.becomeFirst(s.listener)
		var mine bool
		switch {
		case err != nil:
		case first:
			mine, err = s.receivers.pollListener(s.listener, s.wake)
		default:
			mine, err = s.receivers.waitForTurn()
		}
		if err == nil && !mine {
			return false
		}
		if err == nil {
			var got bool
			if got, err = s.receivers.take(s.listener, first, n); got {
				n.opened = opened
				return true
			}
		}
		if err != nil {
			s.Log(fmt.Sprintf("waiting for system calls failed: %v", err))
			return false
		}
	}
}

// becomeFirst reports whether the caller is the first now.
func (r *receivers) becomeFirst(listener int) (bool, error) {
	r.turn.Lock()
	defer r.turn.Unlock()
	if r.first {
		return false, nil
	}
	if errno := r.admit(listener, 0); errno != 0 {
		return false, errno
	}
	r.first = true
	return true, nil
}

// admit makes one of those in the set wake for the events of the listener.
func (r *receivers) admit(listener int, events uint32) unix.Errno {
	e := unix.EpollEvent{Events: events, Fd: keyListener}
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(r.epoll), unix.EPOLL_CTL_MOD, uintptr(listener), uintptr(unsafe.Pointer(&e)), 0, 0)
	return errno
}

// pollListener is how the first waits. It reports false when no notification will
// come.
func (r *receivers) pollListener(listener, wake int) (bool, error) {
	set := [2]unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}, {Fd: int32(wake), Events: unix.POLLIN}}
	for {
		_, err := unix.Ppoll(set[:], nil, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return false, err
		default: // POLLHUP: the last process has gone
			return set[1].Revents == 0 && set[0].Revents&unix.POLLIN != 0, nil
		}
	}
}

// waitForTurn is how the others wait.
func (r *receivers) waitForTurn() (bool, error) {
	for {
		var events [1]unix.EpollEvent
		count, err := unix.EpollWait(r.epoll, events[:], -1)
		switch {
		case errors.Is(err, unix.EINTR), err == nil && count == 0:
		case err != nil:
			return false, err
		default: // EPOLLHUP: the last process has gone
			return events[0].Fd != keyWake && events[0].Events&unix.EPOLLIN != 0, nil
		}
	}
}

// take takes a notification that the caller was woken for, and lets the others
// wait for the next.
func (r *receivers) take(listener int, first bool, n *notification) (bool, error) {
	r.turn.Lock()
	defer r.turn.Unlock()
	if !first && (r.first || !isReadable(listener)) {
		return false, nil // another has become the first meanwhile, and is woken for it, or has taken it
	}
	err := receive(listener, n)
	r.first = false
	if errno := r.admit(listener, listenerEvents); errno != 0 {
		return false, errno
	}
	// ENOENT: the thread was killed, or interrupted, meanwhile.
	return err == nil, nil
}

func isReadable(fd int) bool {
	set := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Ppoll(set[:], &unix.Timespec{}, nil)
	return err == nil && n == 1 && set[0].Revents&unix.POLLIN != 0
}
