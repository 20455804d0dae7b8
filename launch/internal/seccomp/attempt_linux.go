package seccomp

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/internal/lent"
	"upcall.dev/launch/internal/chains"
	"upcall.dev/launch/internal/relay"
	"upcall.dev/wsnet"
)

// attempt is one trapped connect(2) that takes its time.
type attempt struct {
	s         *Server
	n         notification
	c         *connection
	chains    *chains.Chains // released by whoever ends the attempt, or the relay
	socket    programSocket
	lent      lent.Socket // the same for the chain, which connects it itself
	started   time.Time
	answered  atomic.Bool
	watched   bool // under c.mu
	follower  bool // waits for another attempt's outcome
	abandoned bool // under c.mu: the chain was given up on, and the dup with it

	// handshakes means that the chain goes on talking on the program's own socket
	// after the kernel has connected it, so that the attempt cannot go on unseen.
	// When the caller must return meanwhile it gets interrupted, and spare is a dup
	// for what there is to undo; both under c.mu.
	handshakes  bool
	spare       int
	interrupted unix.Errno
}

// answer answers the system call, unless that has been done.
func (a *attempt) answer(errno unix.Errno) {
	if a.answered.CompareAndSwap(false, true) {
		a.s.fail(&a.n, errno)
	}
}

// answerOutcome answers with the connection's outcome, which the program then
// has been told.
func (a *attempt) answerOutcome() {
	if !a.answered.CompareAndSwap(false, true) {
		return
	}
	a.c.mu.Lock()
	errno := a.c.errno
	if errno != 0 {
		if a.c.told {
			errno = unix.ECONNABORTED // as the kernel does once the error is taken
		}
		a.c.told = true
	}
	a.c.owed = false
	a.c.mu.Unlock()
	a.s.fail(&a.n, errno)
}

// connectOwn lets an IFS chain connect the program's own socket.
func (a *attempt) connectOwn() {
	defer a.chains.Release()
	c, p := a.c, a.socket
	a.handshakes = a.chains.Handshakes(p.domain)
	errno := unix.ECONNABORTED
	if a.watch() {
		errno = a.chains.ConnectLent(p.fd, &a.lent, c.target)
		a.unwatch()
	}

	c.mu.Lock()
	if a.interrupted != 0 {
		defer unix.Close(a.spare)
	}
	if a.abandoned && a.interrupted != 0 && !c.ended {
		_ = disconnectSocket(a.spare) // as if there had been no attempt
		c.told = true
		c.end(unix.ECONNABORTED)
		a.s.table.remove(c)
		c.mu.Unlock()
		a.answer(a.interrupted)
		return
	}
	if a.abandoned { // the dup is gone
		if !c.ended {
			c.told = true
			c.end(unix.ECONNABORTED)
			a.s.settle(c, -1)
		}
		c.mu.Unlock()
		a.answer(unix.ECONNABORTED)
		return
	}
	if errno == unix.EINVAL && stateOf(p.fd) == tcpListen {
		errno = unix.EISCONN // which is Winsock's WSAEINVAL
	}
	switch errno {
	case unix.EINPROGRESS:
		a.s.underwayLocked(c, a.chains)
		c.end(0)
	case 0:
		c.owed = a.answered.Load()
		c.end(0)
	default:
		c.told = !a.answered.Load() // interrupted by a signal, the program asks SO_ERROR
		a.failLocked(errno)
		if c.told {
			a.s.table.silence(c)
		}
	}
	owed := c.owed
	c.mu.Unlock()
	if errno == 0 || errno == unix.EINPROGRESS {
		if owed || c.isUncounted() || a.redirected() {
			a.s.settle(c, p.fd)
		} else {
			a.s.table.remove(c)
		}
	}
	a.chains.ReleaseLent(p.fd, &a.lent)
	a.s.comeBack(&a.n)
	a.answer(errno)
}

// redirected reports whether a layer has chosen another peer, or may have while the
// kernel still connects.
func (a *attempt) redirected() bool {
	if at, ok := a.lent.Connected(); ok {
		return at != a.c.target
	}
	peer, errno := socketName(unix.SYS_GETPEERNAME, a.socket.fd, a.socket.domain)
	return errno != 0 || peer != a.c.target
}

// abandonLocked gives up connecting the program's own socket; the caller holds
// c.mu. Closing the dup makes the chain return.
func (a *attempt) abandonLocked() {
	if a.abandoned {
		return
	}
	a.abandoned = true
	a.s.work.Add(1)
	go func() {
		defer a.s.work.Done()
		a.chains.ReleaseLent(a.socket.fd, &a.lent)
	}()
}

func (a *attempt) abandon() {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	if !a.c.ended {
		a.abandonLocked()
	}
}

// connectJoined connects a socket of the chain and joins the program's to it.
func (a *attempt) connectJoined(ctx context.Context) {
	c, p := a.c, a.socket
	relayed := false
	defer func() {
		c.cancel()
		if !relayed {
			a.chains.Release()
		}
	}()
	if !p.blocking && !p.multipath {
		if errno := a.s.joiner.hold(p, c.target.Addr()); errno != unix.EINPROGRESS {
			a.refuse(errno)
			return
		}
		c.mu.Lock()
		c.held = true
		c.mu.Unlock()
		a.answer(unix.EINPROGRESS)
	}
	a.watch()
	remote, err := a.dial(ctx)
	a.unwatch()

	c.mu.Lock()
	if c.ended { // timed out meanwhile
		c.mu.Unlock()
		_ = unix.Close(p.fd)
		if err == nil {
			relay.Reset(remote)
		}
		return
	}
	if err != nil {
		a.failLocked(a.chains.Errno(err))
		c.mu.Unlock()
		_ = unix.Close(p.fd)
		a.answerIfBlocked()
		return
	}
	held := c.held
	c.joining = true
	c.local, _ = addrPortOf(remote.LocalAddr()) // before the program sees that it is connected
	c.mu.Unlock()

	local, errno := a.s.joiner.join(p, c.target.Addr(), held)
	c.mu.Lock()
	if errno != 0 {
		c.local = netip.AddrPort{}
		a.failLocked(errno)
	} else {
		c.end(0)
	}
	c.mu.Unlock()
	_ = unix.Close(p.fd)
	if errno != 0 {
		relay.Reset(remote)
		a.answerIfBlocked()
		return
	}
	a.s.startRelay(c, a.chains, local, remote)
	relayed = true
	a.answer(0)
}

// dial connects a socket of the chain: the one that the program's has been bound by,
// if that is so.
func (a *attempt) dial(ctx context.Context) (*wsnet.Conn, error) {
	if b := a.s.servers.lookup(a.c.cookie); b != nil {
		return b.connect(ctx, a.c.target)
	}
	return a.chains.DialFrom(ctx, netip.AddrPort{}, a.c.target)
}

// refuse ends an attempt that has not begun.
func (a *attempt) refuse(errno unix.Errno) {
	a.c.mu.Lock()
	a.c.told = true
	a.failLocked(errno)
	a.c.mu.Unlock()
	_ = unix.Close(a.socket.fd)
	a.answer(errno)
}

// failLocked ends the connection with an errno, while its dup is open. A socket in
// SYN hold is given up, so that the program's poll reports an error and SO_ERROR
// is asked.
func (a *attempt) failLocked(errno unix.Errno) {
	a.c.end(errno)
	a.s.settle(a.c, a.socket.fd)
	if a.c.held && a.s.joiner.drop(a.socket, a.c.target.Addr(), errno) {
		a.c.native, a.c.told = true, true
		a.s.table.silence(a.c)
	}
}

// answerIfBlocked tells a caller that still waits in connect the outcome.
func (a *attempt) answerIfBlocked() {
	if !a.answered.Load() {
		a.answerOutcome()
	}
}
