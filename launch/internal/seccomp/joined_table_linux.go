package seccomp

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// joinedTable finds joined sockets by the cookie of the program's, and collects
// those whose program's socket is gone.
type joinedTable struct {
	count atomic.Int64 // entries, to skip look-ups without taking mu
	once  sync.Once    // starts collecting

	rounds sync.Mutex // one round of collecting at a time; before mu

	mu       sync.Mutex // guards what follows; a leaf lock
	byCookie map[uint64]*joinedSocket
	round    uint64 // of collecting
	looked   int    // entries after the last round
	closed   bool
	grown    chan struct{} // tells the collector that there are many more
}

// collectEvery is how often joined sockets are looked after while there are any,
// and collectGrowth how many new ones are looked after sooner.
const (
	collectEvery  = 2 * time.Second
	collectGrowth = 64
)

func (t *joinedTable) lookup(cookie uint64) *joinedSocket {
	if t.count.Load() == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byCookie[cookie]
}

// add enters j and starts it, unless its socket has an entry already, which it
// returns. It reports false when nothing is let in any more.
func (t *joinedTable) add(j *joinedSocket) (existing *joinedSocket, ok bool) {
	t.once.Do(func() {
		t.mu.Lock()
		t.byCookie, t.grown = map[uint64]*joinedSocket{}, make(chan struct{}, 1)
		t.mu.Unlock()
		j.s.work.Add(1)
		go j.s.collectJoined()
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, false
	}
	if existing = t.byCookie[j.cookie]; existing != nil {
		return existing, true
	}
	j.receive()
	j.born = t.round
	t.byCookie[j.cookie] = j
	t.count.Store(int64(len(t.byCookie)))
	if len(t.byCookie) > 2*t.looked+collectGrowth {
		select {
		case t.grown <- struct{}{}:
		default:
		}
	}
	return nil, true
}

// begin starts a round: entries that are made from now on are not of it.
func (t *joinedTable) begin() (entries int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.round++
	return len(t.byCookie)
}

// dead returns the entries of the round whose sockets are not alive. They are
// entries until they are closed, so that who wants an address of theirs waits for
// that.
func (t *joinedTable) dead(alive func(cookie uint64) bool) (dead []*joinedSocket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for cookie, j := range t.byCookie {
		if j.born < t.round && !alive(cookie) {
			dead = append(dead, j)
		}
	}
	return dead
}

// remove closes entries, and returns when they are closed, by whomever.
func (t *joinedTable) remove(list []*joinedSocket) {
	for _, j := range list {
		j.ending.Do(j.close)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, j := range list {
		delete(t.byCookie, j.cookie)
	}
	t.looked = len(t.byCookie)
	t.count.Store(int64(t.looked))
}

// end removes all, and lets nothing in any more.
func (t *joinedTable) end() {
	t.mu.Lock()
	t.closed = true
	t.round++
	t.mu.Unlock()
	t.remove(t.dead(func(uint64) bool { return false }))
}

// collectJoined closes joined sockets whose program's socket is gone, until the
// server ends.
func (s *Server) collectJoined() {
	defer s.work.Done()
	t := &s.joinedSockets
	timer := time.NewTimer(collectEvery)
	defer timer.Stop()
	for {
		select {
		case <-s.closing:
			t.end()
			return
		case <-t.grown:
		case <-timer.C:
		}
		timer.Reset(collectEvery)
		s.collectJoinedNow()
	}
}

// collectJoinedNow is one round.
func (s *Server) collectJoinedNow() { s.joinedSockets.remove(s.deadJoined()) }

func (s *Server) deadJoined() []*joinedSocket {
	t := &s.joinedSockets
	t.rounds.Lock()
	defer t.rounds.Unlock()
	if t.begin() == 0 {
		return nil
	}
	alive, err := udpCookies()
	if err != nil {
		s.reported.once("sock_diag", func() {
			s.Log("the kernel does not list UDP sockets (" + err.Error() + "): what belongs to closed ones is kept until the program ends")
		})
		return nil
	}
	return t.dead(func(cookie uint64) bool { _, ok := alive[cookie]; return ok })
}

// udpCookies lists the cookies of the UDP sockets of this network namespace that
// have a port, by sock_diag(7).
func udpCookies() (map[uint64]struct{}, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	alive := map[uint64]struct{}{}
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		if err := dumpUDP(fd, family, alive); err != nil {
			return nil, err
		}
	}
	return alive, nil
}

const (
	sockDiagByFamily  = 20 // SOCK_DIAG_BY_FAMILY
	sizeofDiagRequest = 56 // struct inet_diag_req_v2
	offsetDiagCookie  = 44 // of struct inet_diag_msg: 4 bytes and the cookie of inet_diag_sockid
)

func dumpUDP(fd int, family byte, alive map[uint64]struct{}) error {
	order := binary.NativeEndian
	request := make([]byte, unix.SizeofNlMsghdr+sizeofDiagRequest)
	order.PutUint32(request[0:], uint32(len(request)))
	order.PutUint16(request[4:], sockDiagByFamily)
	order.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	body := request[unix.SizeofNlMsghdr:]
	body[0], body[1] = family, unix.IPPROTO_UDP
	order.PutUint32(body[4:], ^uint32(0)) // in every state
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	buffer := make([]byte, 64<<10)
	for {
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		for rest := buffer[:n]; len(rest) >= unix.SizeofNlMsghdr; {
			length, kind := int(order.Uint32(rest)), order.Uint16(rest[4:])
			if length < unix.SizeofNlMsghdr || length > len(rest) {
				return unix.EBADMSG
			}
			message := rest[unix.SizeofNlMsghdr:length]
			switch {
			case kind == unix.NLMSG_DONE:
				return nil
			case kind == unix.NLMSG_ERROR && len(message) >= 4:
				return unix.Errno(-int32(order.Uint32(message)))
			case kind == sockDiagByFamily && len(message) >= offsetDiagCookie+8:
				alive[order.Uint64(message[offsetDiagCookie:])] = struct{}{}
			}
			rest = rest[min((length+3)&^3, len(rest)):]
		}
	}
}
