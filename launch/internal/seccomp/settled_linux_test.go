package seccomp

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func newSettlingServer(t *testing.T) *Server {
	t.Helper()
	s := &Server{table: newTable(), closing: make(chan struct{})}
	t.Cleanup(func() {
		close(s.closing)
		s.work.Wait()
		s.table.close()
	})
	return s
}

// settleOne enters a connection of the socket fd, or of one that is not to be had.
func settleOne(t *testing.T, s *Server, cookie uint64, fd int) *connection {
	t.Helper()
	c := &connection{cookie: cookie}
	if s.table.add(c) != nil {
		t.Fatal("a new cookie is taken")
	}
	s.settle(c, fd)
	return c
}

func tcpSocket(t *testing.T) (fd int, cookie uint64) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if cookie, err = unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE); err != nil {
		t.Fatal(err)
	}
	return fd, cookie
}

// dupAndSettle settles as the host does: by a dup that it closes at once.
func dupAndSettle(t *testing.T, s *Server, fd int, cookie uint64) *connection {
	t.Helper()
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 100)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dup)
	return settleOne(t, s, cookie, dup)
}

func TestSettledLastAsLongAsTheirSockets(t *testing.T) {
	s := newSettlingServer(t)
	const pairs = 100
	var closed, open []uint64
	for range pairs {
		closed = append(closed, settleClosed(t, s.settle, s.table))
		kept, cookie := tcpSocket(t)
		dupAndSettle(t, s, kept, cookie)
		open = append(open, cookie)
	}
	s.table.collect()
	for i := range pairs {
		if s.table.lookup(closed[i]) != nil {
			t.Fatalf("the state of closed socket %d is kept", i)
		}
		if s.table.lookup(open[i]) == nil {
			t.Fatalf("the state of open socket %d is forgotten", i)
		}
	}
	if n := s.table.count.Load(); n != pairs {
		t.Errorf("%d entries for %d sockets", n, pairs)
	}
}

func TestSettledAreCollectedByThemselves(t *testing.T) {
	s := newSettlingServer(t)
	for range 2 * collectGrowth {
		settleClosed(t, s.settle, s.table)
	}
	for deadline := time.Now().Add(20 * time.Second); s.table.count.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d entries of closed sockets are kept", s.table.count.Load())
		}
	}
}

// The collector is told when there are twice as many as it has left, and more.
func TestSettledGrow(t *testing.T) {
	s := newSettlingServer(t)
	fd, cookie := tcpSocket(t)
	for round := range 3 {
		for i := range collectGrowth + 2*s.table.settled.looked + 1 - len(s.table.settled.byID) {
			if len(s.table.settled.grown) != 0 {
				t.Fatalf("round %d: told of the entry before %d", round, i)
			}
			settleClosed(t, s.table.settle, s.table)
		}
		select {
		case <-s.table.settled.grown:
		default:
			t.Fatalf("round %d: not told of %d entries", round, len(s.table.settled.byID))
		}
		if round == 0 { // one is left from now on
			c := &connection{cookie: cookie}
			s.table.add(c)
			s.table.settle(c, fd)
			<-s.table.settled.grown
		}
		s.table.collect()
	}
}

// settleClosed settles a connection whose socket the program closes then.
func settleClosed(t *testing.T, settle func(*connection, int), in *table) (cookie uint64) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	c := &connection{}
	if c.cookie, err = unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE); err != nil {
		t.Fatal(err)
	}
	in.add(c)
	settle(c, fd)
	return c.cookie
}

// A socket that is connected again has one entry, the last.
func TestSettledAgain(t *testing.T) {
	s := newSettlingServer(t)
	fd, cookie := tcpSocket(t)
	s.table.remove(dupAndSettle(t, s, fd, cookie))
	again := dupAndSettle(t, s, fd, cookie)
	s.table.collect()
	if s.table.lookup(cookie) != again || s.table.count.Load() != 1 {
		t.Errorf("%d entries, the last one kept: %t", s.table.count.Load(), s.table.lookup(cookie) == again)
	}
}

func TestSettledUnseenAreBounded(t *testing.T) {
	s := newSettlingServer(t)
	for i := range 3 * maxUnseen {
		settleOne(t, s, uint64(i), -1)
	}
	s.table.collect()
	if n := s.table.count.Load(); n != maxUnseen || len(s.table.settled.byID) != maxUnseen {
		t.Errorf("%d entries, %d settled", n, len(s.table.settled.byID))
	}
	if s.table.lookup(0) != nil || s.table.lookup(3*maxUnseen-1) == nil {
		t.Error("the oldest must go and the newest stay")
	}
}
