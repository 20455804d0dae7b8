package seccomp

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// servers finds a server by its socket's cookie, and ends those whose sockets
// the programs have closed.
type servers struct {
	count atomic.Int64 // to skip look-ups without taking mu

	mu         sync.Mutex // guards what follows; a leaf lock
	byCookie   map[uint64]*server
	alive      alive
	nextID     uint64
	collecting bool
}

func (l *servers) lookup(cookie uint64) *server {
	if l.count.Load() == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byCookie[cookie]
}

// add enters a server, whose socket fd is. The server then holds its chains.
func (l *servers) add(s *Server, b *server, fd int) unix.Errno {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byCookie == nil {
		watched, err := newAlive()
		if err != nil {
			return errnoOf(err)
		}
		l.alive, l.byCookie = watched, map[uint64]*server{}
	}
	if l.byCookie[b.cookie] != nil { // another thread was faster
		return unix.EINVAL
	}
	l.nextID++
	b.id = l.nextID
	if err := l.alive.watch(fd, b.id); err != nil {
		return errnoOf(err)
	}
	b.through.Hold()
	l.byCookie[b.cookie] = b
	l.count.Store(int64(len(l.byCookie)))
	if !l.collecting {
		l.collecting = true
		s.work.Add(1)
		go l.collectOften(s)
	}
	return 0
}

func (l *servers) remove(b *server) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byCookie[b.cookie] == b {
		delete(l.byCookie, b.cookie)
		l.count.Store(int64(len(l.byCookie)))
	}
}

// collectInterval is how long a chain's socket may listen after the program has
// closed its own.
const collectInterval = 100 * time.Millisecond

// collectOften collects until the server ends.
func (l *servers) collectOften(s *Server) {
	defer s.work.Done()
	tick := time.NewTicker(collectInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.collect()
		case <-s.gone: // nobody is left who could accept
			for _, b := range l.all() {
				b.end()
			}
			l.mu.Lock()
			l.alive.close()
			l.byCookie, l.collecting = nil, false
			l.mu.Unlock()
			return
		}
	}
}

// collect ends the servers whose sockets are closed. Those whose sockets are shut
// down listen no longer.
func (l *servers) collect() {
	if l.count.Load() == 0 {
		return
	}
	l.mu.Lock()
	watched, last := l.alive, l.nextID
	l.mu.Unlock()
	list := l.all()
	serving := slices.DeleteFunc(slices.Clone(list), func(b *server) bool { return !b.isServing() }) // before looking
	open, err := watched.all()
	if err != nil {
		return
	}
	for _, b := range list {
		if b.id <= last && !open[b.id] {
			b.end()
		}
	}
	if hungUp, err := watched.hungUp(len(list) + 1); err == nil {
		for _, b := range serving {
			if hungUp[b.id] {
				b.stopListening()
			}
		}
	}
}

// endClosedAt ends the servers at a port whose sockets are closed or shut down, before
// something connects there.
func (l *servers) endClosedAt(port uint16) {
	if l.count.Load() > 0 && slices.ContainsFunc(l.all(), func(b *server) bool { return b.at.Port() == port }) {
		l.collect()
	}
}

func (l *servers) all() []*server {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]*server, 0, len(l.byCookie))
	for _, b := range l.byCookie {
		list = append(list, b)
	}
	return list
}
