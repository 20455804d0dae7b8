package seccomp

import "sync"

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

// leave ends a call.
func (l *accepts) leave(q *acceptQueue) {
	l.mu.Lock()
	defer l.mu.Unlock()
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
