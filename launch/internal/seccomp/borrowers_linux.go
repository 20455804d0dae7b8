package seccomp

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// borrowers are the trapped calls that have a dup of a program's socket, or are about
// to: a socket that the program has closed keeps its address until they have left.
type borrowers struct {
	mu    sync.Mutex // guards what follows and the fields of the calls; a leaf lock
	calls map[*borrower]struct{}
}

// borrower is one such call.
type borrower struct {
	id      uint64        // of the notification
	waiting bool          // the call looks at kick
	kick    int           // eventfd that ends its wait
	left    chan struct{} // closed when it has left; nil while nobody waits for that
}

func (l *borrowers) enter(b *borrower, id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b.id = id
	if l.calls == nil {
		l.calls = map[*borrower]struct{}{}
	}
	l.calls[b] = struct{}{}
}

// wait tells that the call looks at kick from now on. What has become of its caller
// before is the call's to find out, after this.
func (l *borrowers) wait(b *borrower, kick int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b.waiting, b.kick = true, kick
}

// leave is called when the dup is closed. Nobody kicks the call afterwards.
func (l *borrowers) leave(b *borrower) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.calls, b)
	if b.left != nil {
		close(b.left)
		b.left = nil
	}
}

// releaseTimeout bounds what takes microseconds.
const releaseTimeout = time.Second

// release makes calls whose callers wait no longer, as they have been answered or
// killed, give up their dups, which they would do a little later: a program that binds
// to the same address does not wait. self is the call that asks, or nil.
func (l *borrowers) release(listener int, self *borrower) {
	gone := l.kickGone(listener, self)
	if len(gone) == 0 {
		return
	}
	timer := time.NewTimer(releaseTimeout)
	defer timer.Stop()
	for _, left := range gone {
		select {
		case <-left:
		case <-timer.C:
			return
		}
	}
}

func (l *borrowers) kickGone(listener int, self *borrower) (gone []chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for b := range l.calls {
		if b == self || stillWaiting(listener, b.id) {
			continue
		}
		if b.left == nil {
			b.left = make(chan struct{})
		}
		gone = append(gone, b.left)
		if b.waiting {
			_, _ = unix.Write(b.kick, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		}
	}
	return gone
}
