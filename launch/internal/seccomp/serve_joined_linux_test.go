package seccomp

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/catalog"
	"upcall.dev/internal/freeport"
	"upcall.dev/launch/internal/chains"
	_ "upcall.dev/standard"
)

// throughKernel returns the chains of a program that are the kernel's provider.
func throughKernel(t *testing.T) *chains.Chains {
	t.Helper()
	source, err := catalog.Compose(catalog.Default(), "kernel", nil)
	if err != nil {
		t.Fatal(err)
	}
	set, err := chains.Open(chains.Config{Source: source, Log: func(line string) { t.Log(line) }}, "/program")
	if err != nil {
		t.Fatal(err)
	}
	through, err := set.For(func() string { return "/program" })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := set.Close(time.Minute); err != nil {
			t.Error(err)
		}
	})
	return through
}

// serveAt serves a program's socket that has the address own, with a socket of a
// chain, whose address it returns.
func serveAt(t *testing.T, own netip.AddrPort) (*server, string) {
	t.Helper()
	through := throughKernel(t)
	bound, errno := through.Bind(unix.AF_INET, netip.AddrPortFrom(loopbacks[0], uint16(freeport.Take(t))), chains.Sharing{})
	if errno != 0 {
		t.Fatal(errno)
	}
	listener, errno := through.Listen(bound, 8)
	if errno != 0 {
		t.Fatal(errno)
	}
	s := &Server{table: newTable(), closing: make(chan struct{})}
	b := &server{s: s, domain: unix.AF_INET, through: through, bound: bound, listener: listener, own: own, arriving: map[netip.AddrPort]*carried{}}
	s.work.Add(1)
	go b.serve(listener)
	t.Cleanup(func() {
		close(s.closing)
		b.end()
		s.work.Wait()
	})
	return b, listener.Addr().String()
}

// refused connects and waits until the host has given the connection up.
func refused(t *testing.T, address string) {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, 10*time.Second)
	if errors.Is(err, unix.ECONNRESET) {
		return
	}
	if err != nil {
		t.Fatalf("the server does not listen any more: %v", err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
		t.Fatalf("reading ends with %v and not with a reset", err)
	}
}

// A connection that cannot be handed over is no reason to stop listening.
func TestServerOutlivesAFailure(t *testing.T) {
	b, address := serveAt(t, netip.MustParseAddrPort("255.255.255.255:9")) // TCP has no broadcasts: ENETUNREACH
	for range 2 {
		refused(t, address)
	}
	if b.hasEnded() {
		t.Error("the server has ended")
	}
}

// One whose program's socket is closed listens no longer.
func TestServerEndsWithItsSocket(t *testing.T) {
	b, address := serveAt(t, freeport.Refused(t, "127.0.0.1"))
	refused(t, address)
	for deadline := time.Now().Add(time.Minute); !b.hasEnded(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the server goes on")
		}
	}
}

// Whoever has ended a server, or found that another thread does, finds its address
// free.
func TestServerIsClosedWhenItHasEnded(t *testing.T) {
	for range 30 {
		b, address := serveAt(t, netip.MustParseAddrPort("127.0.0.1:1"))
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				b.end()
				if c, err := net.DialTimeout("tcp", address, 10*time.Second); !errors.Is(err, unix.ECONNREFUSED) {
					t.Errorf("connecting to the ended server gives %v", err)
					if err == nil {
						c.Close()
					}
				}
			})
		}
		both.Wait()
	}
}

// The same is true of a joined datagram socket.
func TestJoinedSocketIsClosedWhenItIsRemoved(t *testing.T) {
	s := &Server{table: newTable(), closing: make(chan struct{})}
	through := throughKernel(t)
	defer s.work.Wait()
	defer through.Release()
	defer close(s.closing)
	for cookie := range uint64(30) {
		at := netip.AddrPortFrom(loopbacks[0], uint16(freeport.Take(t)))
		chain, errno := through.OpenDatagram(unix.AF_INET, at, chains.DatagramOptions{})
		if errno != 0 {
			t.Fatal(errno)
		}
		j := &joinedSocket{s: s, cookie: cookie, domain: unix.AF_INET, through: through.Hold(), chain: chain}
		if existing, ok := s.joinedSockets.add(j); existing != nil || !ok {
			t.Fatal("the table does not take the socket")
		}
		var once sync.Once
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				s.joinedSockets.remove([]*joinedSocket{j})
				once.Do(func() {
					c, err := net.ListenPacket("udp", at.String())
					if err != nil {
						t.Errorf("the removed socket's address is not free: %v", err)
						return
					}
					c.Close()
				})
			})
		}
		both.Wait()
	}
}
