package seccomp

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// settled are the entries of a table that no relay keeps: failures, which the
// program may still ask for, and connections of IFS chains whose peer may have
// been redirected. They last as long as their sockets.
type settled struct {
	once  sync.Once     // starts collecting
	grown chan struct{} // tells the collector that there are many more

	rounds sync.Mutex // one round of collecting at a time; before the table's lock

	// The table's lock guards what follows.
	alive  *alive // nil until it is needed
	byID   map[uint64]*connection
	lastID uint64
	looked int // entries after the last round
}

// maxUnseen bounds, roughly, the entries of sockets that cannot be watched. Beyond
// it the oldest are forgotten, and the kernel answers for those sockets.
const maxUnseen = 4096

// settle makes c an entry that ends with its socket. fd is a descriptor of the
// socket, or -1 where there is none any more.
func (s *Server) settle(c *connection, fd int) {
	s.table.settled.once.Do(func() {
		s.work.Add(1)
		go s.collectSettled()
	})
	s.table.settle(c, fd)
}

func (t *table) settle(c *connection, fd int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := &t.settled
	if t.byCookie[c.cookie] != c {
		return // removed meanwhile
	}
	l.lastID++
	c.id = l.lastID
	c.seen = l.watch(fd, c.id) == nil
	l.byID[c.id] = c
	if len(l.byID) > 2*l.looked+collectGrowth {
		select {
		case l.grown <- struct{}{}:
		default:
		}
	}
}

func (l *settled) watch(fd int, id uint64) error {
	if fd < 0 {
		return unix.EBADF
	}
	if l.alive == nil {
		watched, err := newAlive()
		if err != nil {
			return err
		}
		l.alive = &watched
	}
	return l.alive.watch(fd, id)
}

// collectSettled forgets what has become of sockets that are closed, until the
// server ends.
func (s *Server) collectSettled() {
	defer s.work.Done()
	timer := time.NewTimer(collectEvery)
	defer timer.Stop()
	for {
		select {
		case <-s.closing:
			return
		case <-s.table.settled.grown:
		case <-timer.C:
		}
		timer.Reset(collectEvery)
		for _, c := range s.table.collect() {
			s.countUnderway(c, 0)
		}
	}
}

// collect is one round; it returns what it has removed.
func (t *table) collect() (gone []*connection) {
	t.settled.rounds.Lock()
	defer t.settled.rounds.Unlock()
	watched, last, unsettled := t.begin()
	if !unsettled {
		return nil
	}
	var open map[uint64]bool
	if watched != nil {
		open, _ = watched.all() // without /proc all count as unseen
	}
	return t.take(open, last)
}

// begin starts a round. Entries with later ids than last are not of it.
func (t *table) begin() (watched *alive, last uint64, unsettled bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.settled.alive, t.settled.lastID, len(t.settled.byID) > 0
}

// take removes the entries of the round whose sockets are not open. open is nil
// where that is not known.
func (t *table) take(open map[uint64]bool, last uint64) (gone []*connection) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, c := range t.settled.byID {
		kept := last-id < maxUnseen
		if open != nil && c.seen {
			kept = open[id]
		}
		if id <= last && !kept {
			gone = append(gone, c)
			t.removeLocked(c)
		}
	}
	t.settled.looked = len(t.settled.byID)
	return gone
}

// close lets go of the sockets; nothing settles any more.
func (t *table) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.settled.alive != nil {
		t.settled.alive.close()
	}
}
