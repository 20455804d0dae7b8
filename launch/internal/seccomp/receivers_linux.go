package seccomp

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
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
// set. The others wait in one. The first stays the first while it handles a call,
// unless the call may wait: then it lets the next in, with the listener in that set
// and EPOLLONESHOT, so that one receiver is woken for a notification and becomes
// the first. Who has done with its call becomes the first where there is none, and
// takes the listener out of the set; best before it answers, for the program runs at
// once and its next call would wake another.
//
// Who is woken takes the notification under turn, and only if it is its to take
// still, for SECCOMP_IOCTL_NOTIF_RECV would wait if another came first.
type receivers struct {
	epoll int

	turn  sync.Mutex // guards first; system calls that do not wait are made under it
	first bool       // somebody is the first; if not the set watches the listener, or somebody has just been woken

	latest uint64      // the number of the latest notification; under turn
	missed atomic.Bool // a program has given up a call before it was received, for a signal

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

// receiver is the state of one of them, which is its goroutine's own.
type receiver struct {
	first     bool // it is the first
	waits     bool // it is counted in receivers.waiting
	handles   bool // it is counted in Server.connections
	scheduled time.Time
}

// goOn is how long a receiver goes on without being scheduled anew. From a goroutine
// that has been on its processor for 10 ms Go's runtime takes that away whenever it
// sees it in a system call, and as long as it finds such it looks again after 20 µs:
// each look is a timer and a thread that wakes up, which where a processor is
// virtual take longer than the call of a program.
const goOn = 4 * time.Millisecond

// receive takes notifications and handles them, until there are no more or there
// are enough other receivers.
func (s *Server) receive() {
	defer s.work.Done()
	self := &receiver{waits: true, scheduled: time.Now()}
	n := notification{by: self}
	for s.next(&n) {
		s.handle(&n)
		if self.handles {
			self.handles = false
			s.connections.Done()
		}
		if !s.receivers.join(self) {
			return
		}
		if now := time.Now(); now.Sub(self.scheduled) > goOn {
			runtime.Gosched()
			self.scheduled = now
		}
	}
	s.receivers.stop(s)
}

// letIn lets another receiver wait in the place of the one that handles n, which
// from then on may wait itself. It reports false when serving has been stopped: the
// call is not to be answered then.
func (s *Server) letIn(n *notification) bool {
	r, self := &s.receivers, n.by
	if !r.leave(s, self) {
		return false
	}
	if err := r.resign(s.listener, self); err != nil {
		s.stopFor(err)
		return false
	}
	return true
}

// comeBack makes the receiver that handles n wait again, as far as it can before it
// has done with it: there is only the answer left to give.
func (s *Server) comeBack(n *notification) {
	if self := n.by; s.receivers.join(self) {
		_ = s.receivers.becomeFirst(s.listener, self) // else next says what is wrong
	}
}

// leave begins to handle a call that may wait. It leaves somebody waiting, and
// reports false when serving has been stopped.
func (r *receivers) leave(s *Server, self *receiver) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return false
	}
	if !self.handles {
		self.handles = true
		s.connections.Add(1)
	}
	if self.waits {
		self.waits = false
		if r.waiting--; r.waiting == 0 {
			r.startLocked(s)
		}
	}
	return true
}

func (r *receivers) startLocked(s *Server) {
	r.waiting++
	s.work.Add(1)
	go s.receive()
}

// join makes the caller one of those that wait, unless there are enough.
func (r *receivers) join(self *receiver) bool {
	if self.waits {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped || r.waiting >= mostWaiting {
		return false
	}
	r.waiting++
	self.waits = true
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
		err := s.receivers.becomeFirst(s.listener, n.by)
		var mine bool
		switch {
		case err != nil:
		case n.by.first:
			mine, err = s.receivers.pollListener(s.listener, s.wake)
		default:
			mine, err = s.receivers.waitForTurn()
		}
		if err == nil && !mine {
			return false
		}
		if err == nil && s.receivers.take(s.listener, n) {
			n.opened = opened
			return true
		}
		if err != nil {
			s.stopFor(err)
			return false
		}
	}
}

// stopFor ends receiving after what should not happen.
func (s *Server) stopFor(err error) {
	s.Log(fmt.Sprintf("waiting for system calls failed: %v", err))
	s.receivers.stop(s)
}

// becomeFirst makes the caller the first, unless there is another.
func (r *receivers) becomeFirst(listener int, self *receiver) error {
	if self.first {
		return nil
	}
	r.turn.Lock()
	defer r.turn.Unlock()
	if r.first {
		return nil
	}
	if errno := r.admit(listener, 0); errno != 0 {
		return errno
	}
	r.first, self.first = true, true
	return nil
}

// resign makes the caller not the first: one of the others is woken for the next
// notification.
func (r *receivers) resign(listener int, self *receiver) error {
	if !self.first {
		return nil
	}
	r.turn.Lock()
	defer r.turn.Unlock()
	r.first, self.first = false, false
	if errno := r.admit(listener, listenerEvents); errno != 0 {
		return errno
	}
	return nil
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

// take takes a notification that the caller was woken for, if it is its to take.
// Who is not the first becomes it: that it was woken has ended the others' watch of
// the listener.
func (r *receivers) take(listener int, n *notification) bool {
	r.turn.Lock()
	defer r.turn.Unlock()
	if !n.by.first {
		if r.first || !isReadable(listener) {
			return false // another has become the first meanwhile, and is woken for it, or has taken it
		}
		r.first, n.by.first = true, true
	}
	if receive(listener, n) != nil {
		return false // ENOENT: the thread was killed, or interrupted, meanwhile
	}
	// The kernel numbers the calls as they are made. The first is the stage's own.
	if r.latest != 0 && n.ID != r.latest+1 {
		r.missed.Store(true)
	}
	r.latest = n.ID
	return true
}

func isReadable(fd int) bool {
	set := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Ppoll(set[:], &unix.Timespec{}, nil)
	return err == nil && n == 1 && set[0].Revents&unix.POLLIN != 0
}
