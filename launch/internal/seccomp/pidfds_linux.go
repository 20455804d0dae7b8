package seccomp

import (
	"errors"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/internal/chains"
)

// pidfds keeps descriptors of the threads whose calls have been trapped lately, so
// that a call costs one system call for its socket instead of three. Each
// pins the thread it was opened for: when that has ended it finds nothing any more,
// also where another thread has got its number.
type pidfds struct {
	chains *chains.Set
	opened atomic.Uint64 // how many have been opened

	mu    sync.Mutex // guards what follows, and the fields of each pidfd; a leaf lock
	byTID map[int]*pidfd
	uses  uint64
}

// mostPidfds bounds those that are kept; beyond it the one that was used longest
// ago goes.
const mostPidfds = 64

type pidfd struct {
	fd    int
	users int

	number uint64 // pidfds.opened, once it was open
	used   uint64 // pidfds.uses when it was used last
	kept   bool
}

// pidfdThread is PIDFD_THREAD (Linux 6.9): a pidfd of one thread.
const pidfdThread = unix.O_EXCL

// openThread opens a thread, or, before Linux 6.9, its process. own reports
// whether the descriptor is good for as long as the thread lives.
func openThread(tid int) (fd int, own bool, err error) {
	if fd, err = unix.PidfdOpen(tid, pidfdThread); !errors.Is(err, unix.EINVAL) {
		return fd, true, err
	}
	if fd, err = unix.PidfdOpen(tid, 0); err == nil { // the leader
		return fd, true, nil
	}
	fd, err = unix.PidfdOpen(threadGroup(tid), 0)
	return fd, false, err
}

// borrow returns a dup of a thread's descriptor. It shares everything with
// the thread's own, O_NONBLOCK included, and must be closed soon: while it is
// open, the program's close sends no FIN.
func (p *pidfds) borrow(tid, fd int) (int, error) {
	dup, _, err := p.borrowPinned(tid, fd, 0)
	return dup, err
}

// borrowPinned is borrow that reports whether the thread has been the same since
// opened was read, so that what was read by its number meanwhile was its own.
func (p *pidfds) borrowPinned(tid, fd int, opened uint64) (dup int, pinned bool, err error) {
	t, err := p.acquire(tid)
	if err != nil {
		return -1, false, err
	}
	pinned = t.number <= opened
	dup, err = unix.PidfdGetfd(t.fd, fd, 0)
	gone := errors.Is(err, unix.ESRCH)
	p.release(tid, t, gone)
	if gone { // a later thread has its number, unless it has ended itself
		if t, err = p.acquire(tid); err != nil {
			return -1, false, err
		}
		pinned = false
		dup, err = unix.PidfdGetfd(t.fd, fd, 0)
		p.release(tid, t, false)
	}
	if err != nil {
		return -1, false, err
	}
	dup, err = p.chains.FreshNumber(dup)
	return dup, pinned, err
}

func (p *pidfds) acquire(tid int) (*pidfd, error) {
	p.mu.Lock()
	p.uses++
	if t := p.byTID[tid]; t != nil {
		t.users++
		t.used = p.uses
		p.mu.Unlock()
		return t, nil
	}
	p.mu.Unlock()

	fd, own, err := openThread(tid)
	if err != nil {
		return nil, err
	}
	t := &pidfd{fd: fd, users: 1, number: p.opened.Add(1)}
	if own {
		p.keep(tid, t)
	}
	return t, nil
}

// keep enters t, unless another caller has been faster.
func (p *pidfds) keep(tid int, t *pidfd) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byTID == nil {
		p.byTID = map[int]*pidfd{}
	}
	if p.byTID[tid] != nil {
		return
	}
	if len(p.byTID) == mostPidfds {
		oldest := -1
		for tid, t := range p.byTID {
			if oldest < 0 || t.used < p.byTID[oldest].used {
				oldest = tid
			}
		}
		p.dropLocked(oldest)
	}
	t.kept, t.used = true, p.uses
	p.byTID[tid] = t
}

// release ends a use. gone tells that the thread has ended.
func (p *pidfds) release(tid int, t *pidfd, gone bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if gone && p.byTID[tid] == t {
		p.dropLocked(tid)
	}
	t.users--
	t.closeLocked()
}

func (p *pidfds) dropLocked(tid int) {
	t := p.byTID[tid]
	delete(p.byTID, tid)
	t.kept = false
	t.closeLocked()
}

// closeLocked closes a descriptor that is neither kept nor used.
func (t *pidfd) closeLocked() {
	if !t.kept && t.users == 0 {
		_ = unix.Close(t.fd)
	}
}

// close closes all, once nobody borrows any more.
func (p *pidfds) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for tid := range p.byTID {
		p.dropLocked(tid)
	}
}
