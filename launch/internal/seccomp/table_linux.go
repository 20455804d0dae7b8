package seccomp

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/internal/chains"
)

// connection is one connect that a program asked for, from the call until
// nothing about it differs any more from what the kernel answers by itself.
type connection struct {
	cookie uint64 // SO_COOKIE of the program's socket
	domain int
	target netip.AddrPort // as the program wrote it
	local  netip.AddrPort // what getsockname says; the zero value leaves it to the kernel
	cancel context.CancelFunc
	done   chan struct{} // closed when connecting has ended

	id     uint64 // in table.settled, whose lock guards these; 0: it is not settled
	seen   bool   // whether its socket is open is known
	silent bool   // it is not among table.telling

	// mu guards what follows, and a socket's passage from waiting to joined.
	// It is taken before the table's lock, never inside it.
	mu      sync.Mutex
	own     bool // an IFS chain connects the program's own socket
	held    bool // the program's socket is in SYN hold
	joining bool // dialled; on the way to ended
	ended   bool // done is closed
	errno   unix.Errno
	told    bool // the program has been given errno
	native  bool // by the kernel, whose socket has it

	// owed means that the call was interrupted while the kernel went on, which has
	// connected since: the next connect is given 0, and those after it EISCONN.
	owed bool

	underway  bool        // the kernel went on connecting after the call
	uncounted *chains.Way // then, until the outcome is counted
}

// end records the outcome; the caller holds c.mu.
func (c *connection) end(errno unix.Errno) {
	c.ended, c.errno = true, errno
	close(c.done)
}

func (c *connection) isOwed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.owed
}

func (c *connection) isNative() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.native
}

// table finds a connection by its socket's cookie, which survives dup, fork,
// and the reuse of descriptor numbers.
type table struct {
	// To skip look-ups without taking mu: entries, and those of them by which a
	// call is answered otherwise than the kernel would.
	count, telling atomic.Int64

	mu       sync.Mutex // guards what follows; a leaf lock
	byCookie map[uint64]*connection

	settled settled
}

func newTable() *table {
	return &table{
		byCookie: map[uint64]*connection{},
		settled:  settled{grown: make(chan struct{}, 1), byID: map[uint64]*connection{}},
	}
}

func (t *table) lookup(cookie uint64) *connection {
	if t.count.Load() == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byCookie[cookie]
}

// add enters c, unless its socket has an entry already, which it returns.
func (t *table) add(c *connection) (existing *connection) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if existing = t.byCookie[c.cookie]; existing != nil {
		return existing
	}
	t.byCookie[c.cookie] = c
	t.count.Store(int64(len(t.byCookie)))
	t.telling.Add(1)
	return nil
}

// silence keeps an entry that only says that its socket has been tried: the program
// has been told the error.
func (t *table) silence(c *connection) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byCookie[c.cookie] == c && !c.silent {
		c.silent = true
		t.telling.Add(-1)
	}
}

func (t *table) remove(c *connection) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.removeLocked(c)
}

func (t *table) removeLocked(c *connection) {
	if t.byCookie[c.cookie] == c {
		delete(t.byCookie, c.cookie)
		delete(t.settled.byID, c.id)
		t.count.Store(int64(len(t.byCookie)))
		if !c.silent {
			t.telling.Add(-1)
		}
	}
}

func (t *table) all() []*connection {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]*connection, 0, len(t.byCookie))
	for _, c := range t.byCookie {
		list = append(list, c)
	}
	return list
}
