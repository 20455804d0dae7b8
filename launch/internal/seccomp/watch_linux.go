package seccomp

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Times of the watch over an attempt: how soon it looks first, and then how
// often, whether the caller has a signal or is gone.
const (
	firstLook = 25 * time.Millisecond
	laterLook = 100 * time.Millisecond
)

// watch looks after an attempt that takes long: it interrupts the system call
// for a signal or SO_SNDTIMEO, gives up when the caller has been killed, and
// ends the attempt after the connect timeout.
func (a *attempt) watch() {
	a.s.work.Add(1)
	a.c.mu.Lock()
	a.timer = time.AfterFunc(firstLook, a.look)
	a.c.mu.Unlock()
}

// unwatch ends the watch; look may still run once.
func (a *attempt) unwatch() {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	if a.timer != nil && a.timer.Stop() {
		a.s.work.Done()
	}
	a.timer = nil
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

// act does what there is to do, and arranges the next look if there is to be
// one. It reports whether the connect timeout has passed.
func (a *attempt) act(signalled, waiting, killed bool) (timedOut bool) {
	c := a.c
	c.mu.Lock()
	defer c.mu.Unlock()
	again := false
	defer func() {
		if again {
			a.timer.Reset(laterLook)
			return
		}
		a.timer = nil
		a.s.work.Done()
	}()
	if c.ended || c.joining || a.timer == nil {
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
	case signalled && a.startedOver():
		a.interruptLocked(restartSystemCall)
		return false
	case waiting && a.startedOver() && a.sendTimedOut(elapsed):
		a.interruptLocked(unix.EINPROGRESS)
		return false
	case signalled && a.detachLocked():
		a.answer(restartSystemCall)
	case waiting && a.socket.blocking && a.sendTimedOut(elapsed) && a.detachLocked():
		a.answer(unix.EINPROGRESS)
	}
	again = true
	return false
}

// startedOver reports whether an attempt ends with its call, because it cannot
// go on without one.
func (a *attempt) startedOver() bool { return a.c.own && !a.follower && a.spare >= 0 }

// interruptLocked ends the attempt with its call. The program finds the socket
// as it was before.
func (a *attempt) interruptLocked(errno unix.Errno) {
	a.interrupted = errno
	a.abandonLocked()
}

// detachLocked makes the connect go on without its caller, as the kernel's
// does after EINTR: the program may poll the socket for the outcome.
func (a *attempt) detachLocked() bool {
	switch {
	case a.c.own, a.c.held:
		return true
	case a.socket.multipath:
		return false
	}
	a.c.held = a.s.joiner.hold(a.socket, a.c.target.Addr()) == unix.EINPROGRESS
	return a.c.held
}

// sendTimedOut reports whether the socket's SO_SNDTIMEO, which bounds a
// blocking connect, has passed.
func (a *attempt) sendTimedOut(elapsed time.Duration) bool {
	limit, err := unix.GetsockoptTimeval(a.socket.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO)
	return err == nil && limit.Nano() > 0 && elapsed > time.Duration(limit.Nano())
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
	a.giveUpLocked()
	a.failLocked(unix.ETIMEDOUT)
	if a.answered.CompareAndSwap(false, true) {
		a.c.told = true
		a.s.fail(&a.n, unix.ETIMEDOUT)
	}
}
