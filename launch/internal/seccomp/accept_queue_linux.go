package seccomp

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// acceptQueue is a listening socket on which programs accept at the moment, or of
// which connections have come back.
type acceptQueue struct {
	cookie uint64
	// turn holds one by whoever takes a connection. Between seeing that there is
	// one and taking it nobody else may take it: accept4(2) on a blocking socket
	// would wait, and not for this caller alone.
	turn chan struct{}

	users int // guarded by accepts.mu

	mu   sync.Mutex // guards what follows; a leaf lock
	back []arrived  // taken, but not to be handed over; oldest first
}

// accepts finds a queue by its socket's cookie.
type accepts struct {
	mu       sync.Mutex // guards what follows; a leaf lock
	byCookie map[uint64]*acceptQueue
	waiting  map[*acceptCall]struct{}
}

func (l *accepts) enter(cookie uint64) *acceptQueue {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.byCookie[cookie]
	if q == nil {
		q = &acceptQueue{cookie: cookie, turn: make(chan struct{}, 1)}
		if l.byCookie == nil {
			l.byCookie = map[uint64]*acceptQueue{}
		}
		l.byCookie[cookie] = q
	}
	q.users++
	return q
}

// leave ends a call; nobody kicks it afterwards.
func (l *accepts) leave(a *acceptCall) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, a)
	q := a.queue
	q.users--
	if q.users == 0 && q.empty() {
		delete(l.byCookie, q.cookie)
	}
}

func (q *acceptQueue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.back) == 0
}

// takeBack returns the first connection that has come back.
func (q *acceptQueue) takeBack() (c arrived, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.back) == 0 {
		return c, false
	}
	c = q.back[0]
	q.back = q.back[1:]
	return c, true
}

// putBack keeps a connection for the next accept.
func (q *acceptQueue) putBack(c arrived) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.back = append([]arrived{c}, q.back...)
}

// wait enters a call that waits, with its kick.
func (l *accepts) wait(a *acceptCall) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting == nil {
		l.waiting = map[*acceptCall]struct{}{}
	}
	l.waiting[a] = struct{}{}
}

// releaseTimeout bounds what takes microseconds.
const releaseTimeout = time.Second

// release makes the host give up the listening sockets of calls whose callers
// have been killed, which it would notice a little later: a program that binds to
// the same address does not wait.
func (l *accepts) release(listener int) {
	timer := time.NewTimer(releaseTimeout)
	defer timer.Stop()
	for _, a := range l.kickGone(listener) {
		select {
		case <-a.done:
		case <-timer.C:
			return
		}
	}
}

func (l *accepts) kickGone(listener int) (gone []*acceptCall) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for a := range l.waiting {
		if !stillWaiting(listener, a.n.ID) {
			gone = append(gone, a)
			_, _ = unix.Write(a.kick, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		}
	}
	return gone
}
