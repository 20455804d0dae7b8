package seccomp

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Times of the watch over an attempt: how soon it looks first, and then how
// often, whether the caller has a signal or is gone.
const (
	firstLook = 25 * time.Millisecond
	laterLook = 100 * time.Millisecond
	// startOverAfter is how long an attempt that a signal makes start over has at
	// least: signals that come again and again would else let none end.
	startOverAfter = time.Second
)

// watch is the attempts that are looked after. One timer serves them all, and is
// not stopped when the last one has ended: most attempts end before it fires, and
// setting a timer wakes a thread.
type watch struct {
	mu       sync.Mutex             // guards what follows; taken inside connection.mu, and nothing inside it
	attempts map[*attempt]time.Time // when each is looked at next
	timer    *time.Timer
	armed    bool // counted in Server.work
	stopped  bool
}

func (w *watch) add(a *attempt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.attempts == nil {
		w.attempts = map[*attempt]time.Time{}
	}
	w.attempts[a] = time.Now().Add(firstLook)
	w.armLocked(a.s, firstLook)
}

func (w *watch) remove(a *attempt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.attempts, a)
}

func (w *watch) armLocked(s *Server, in time.Duration) {
	if w.armed || w.stopped {
		return
	}
	w.armed = true
	s.work.Add(1)
	if w.timer == nil {
		w.timer = time.AfterFunc(in, s.lookAround)
		return
	}
	w.timer.Reset(in)
}

// due returns the attempts whose time has come, each of which has another one.
func (w *watch) due() (due []*attempt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for a, at := range w.attempts {
		if !at.After(now) {
			due = append(due, a)
			w.attempts[a] = now.Add(laterLook)
		}
	}
	return due
}

// rest arms the timer again, if there is an attempt to look at.
func (w *watch) rest(s *Server) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = false
	next := laterLook
	for _, at := range w.attempts {
		next = min(next, time.Until(at))
	}
	if len(w.attempts) > 0 {
		w.armLocked(s, next)
	}
}

// stop ends looking. A look may be under way, which Server.work counts.
func (w *watch) stop(s *Server) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	if w.armed && w.timer.Stop() {
		w.armed = false
		s.work.Done()
	}
}

// lookAround looks at the attempts whose time has come.
func (s *Server) lookAround() {
	defer s.work.Done()
	for _, a := range s.watch.due() {
		a.look()
	}
	s.watch.rest(s)
}

// watch looks after an attempt that takes long: it interrupts the system call
// for a signal or SO_SNDTIMEO, gives up when the caller has been killed, and
// ends the attempt after the connect timeout. It reports false when the attempt
// has been abandoned before it began.
func (a *attempt) watch() bool {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	if a.abandoned {
		return false
	}
	a.watched = true
	a.s.watch.add(a)
	return true
}

// unwatch ends the watch; look may still run once.
func (a *attempt) unwatch() {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	a.watched = false
	a.s.watch.remove(a)
}

func (a *attempt) look() {
	waiting := !a.answered.Load()
	signalled := waiting && a.socket.blocking && hasSignal(int(a.n.TID))
	killed := waiting && !stillWaiting(a.s.listener, a.n.ID)
	if a.act(signalled, waiting, killed) {
		a.s.Log(fmt.Sprintf("%s has not connected to %v within %v: the program gets ETIMEDOUT; look at the chain's providers, or allow more time with the connect timeout",
			a.chains.Describe(a.c.domain, unix.SOCK_STREAM), a.c.target, a.s.ConnectTimeout))
	}
}

// act does what there is to do, and ends the watch when there is nothing left. It
// reports whether the connect timeout has passed.
func (a *attempt) act(signalled, waiting, killed bool) (timedOut bool) {
	c := a.c
	c.mu.Lock()
	defer c.mu.Unlock()
	again := false
	defer func() {
		if !again {
			a.watched = false
			a.s.watch.remove(a)
		}
	}()
	if c.ended || c.joining || !a.watched {
		return false
	}
	elapsed := time.Since(a.started)
	switch {
	case killed:
		if !a.follower {
			a.giveUpLocked()
		}
		return false
	case elapsed > a.s.ConnectTimeout && !a.follower:
		a.timeOutLocked()
		return true
	case waiting && a.startedOver() && a.sendTimedOut(elapsed):
		again = !a.interruptLocked(unix.EINPROGRESS)
		return false
	case signalled && a.startedOver():
		again = elapsed < startOverAfter || !a.interruptLocked(a.interruption())
		return false
	case signalled && a.detachLocked():
		a.answer(a.interruption())
	case waiting && a.socket.blocking && a.sendTimedOut(elapsed) && a.detachLocked():
		a.answer(unix.EINPROGRESS)
	}
	again = true
	return false
}

// startedOver reports whether an attempt ends with its call, because it cannot
// go on without one: it would look connected too early.
func (a *attempt) startedOver() bool { return a.c.own && !a.follower && a.handshakes }

// interruptLocked ends the attempt with its call. The program finds the socket
// as it was before. It reports false when no descriptor is left for that.
func (a *attempt) interruptLocked(errno unix.Errno) bool {
	if a.abandoned {
		return true
	}
	spare, err := unix.FcntlInt(uintptr(a.socket.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return false
	}
	a.spare, a.interrupted = spare, errno
	a.abandonLocked()
	return true
}

// detachLocked makes the connect go on without its caller, as the kernel's
// does after EINTR: the program may poll the socket for the outcome.
func (a *attempt) detachLocked() bool {
	switch {
	case a.c.own:
		// Before the chain has asked the kernel, poll and SO_ERROR would not show
		// that the socket is not connected. And a provider may make it nonblocking
		// for a call that must not wait; the program must not go on with it so.
		flags, err := unix.FcntlInt(uintptr(a.socket.fd), unix.F_GETFL, 0)
		return err == nil && stateOf(a.socket.fd) != tcpClose && (!a.socket.blocking || flags&unix.O_NONBLOCK == 0)
	case a.c.held:
		return true
	case a.socket.multipath:
		return false
	}
	a.c.held = a.s.joiner.hold(a.socket, a.c.target.Addr()) == unix.EINPROGRESS
	return a.c.held
}

// sendTimeout is the socket's SO_SNDTIMEO, which bounds a blocking connect; zero is
// none.
func (a *attempt) sendTimeout() time.Duration {
	limit, err := unix.GetsockoptTimeval(a.socket.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO)
	if err != nil {
		return 0
	}
	return time.Duration(limit.Nano())
}

func (a *attempt) sendTimedOut(elapsed time.Duration) bool {
	limit := a.sendTimeout()
	return limit > 0 && elapsed > limit
}

// interruption is the errno for a signal: a call that has a timeout is never
// restarted, as signal(7) says.
func (a *attempt) interruption() unix.Errno {
	if a.sendTimeout() > 0 {
		return unix.EINTR
	}
	return restartSystemCall
}

// giveUpLocked makes the chain's call return, if it is a call that returns.
func (a *attempt) giveUpLocked() {
	if a.c.own {
		a.abandonLocked()
	} else {
		a.c.cancel()
	}
}

func (a *attempt) timeOutLocked() {
	a.failLocked(unix.ETIMEDOUT)
	a.giveUpLocked()
	if a.answered.CompareAndSwap(false, true) {
		a.c.told = true
		a.s.fail(&a.n, unix.ETIMEDOUT)
	}
}
