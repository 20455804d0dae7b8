package relay

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	_ "upcall.dev/standard"
	"upcall.dev/wsnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// remotes are the ways to a server: over chains whose descriptors the group's threads
// watch, over one whose events are a layer's own, and over none.
var remotes = []struct {
	name    string
	layers  []catalog.Layer
	watched int // descriptors of one relay
}{
	{"shape", []catalog.Layer{{Name: "shape"}}, 2},
	{"shape over trace", []catalog.Layer{{Name: "shape"}, {Name: "trace", Options: spi.Options{"data": "on", "file": "/dev/null"}}}, 2},
	{"shape with a delay", []catalog.Layer{{Name: "shape", Options: spi.Options{"delay": "1ms"}}}, 0},
	{"kernel", nil, 0},
	{"package net", nil, 0},
}

// relayed is a relay that runs.
type relayed struct {
	program, server *net.TCPConn // who talks through it
	stack           *wsnet.Stack // or nil
	closing         chan struct{}
	bytes           atomic.Int64
	ended           chan struct{}
}

// eachWay runs a test for a relay on each way.
func eachWay(t *testing.T, test func(t *testing.T, r *relayed)) {
	for _, way := range remotes {
		t.Run(way.name, func(t *testing.T) {
			r := &relayed{closing: make(chan struct{}), ended: make(chan struct{})}
			dial := net.Dial
			if way.name != "package net" {
				c, err := catalog.Compose(catalog.Default(), "kernel", way.layers)
				if err != nil {
					t.Fatal(err)
				}
				if r.stack, err = wsnet.Open(wsnet.Config{Catalog: c}); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { r.stack.Close() })
				dial = r.stack.Dial
			}
			remote, server := pair(t, dial)
			program, local := pair(t, net.Dial)
			inline(t, local)
			r.program, r.server = program.(*net.TCPConn), server
			ResetOnDeath(local)
			var g Group
			t.Cleanup(g.Close)
			go func() {
				defer close(r.ended)
				g.Run(local, remote.(Stream), r.closing, &r.bytes)
			}()
			t.Cleanup(func() {
				r.program.Close()
				r.server.Close()
				r.wait(t)
			})
			r.exchange(t, []byte("a request"))
			if n := g.descriptors(); n != way.watched {
				t.Errorf("the threads watch %d descriptors, want %d", n, way.watched)
			}
			test(t, r)
		})
	}
}

// descriptors is how many the threads watch.
func (g *Group) descriptors() (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range g.loops {
		l.mu.Lock()
		n += len(l.ready)
		l.mu.Unlock()
	}
	return n
}

// pair returns the two ends of a connection that dial has made.
func pair(t *testing.T, dial func(network, address string) (net.Conn, error)) (net.Conn, *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{near, far} {
		t.Cleanup(func() { c.Close() })
	}
	return near, far.(*net.TCPConn)
}

// inline makes urgent bytes arrive among the others, as the launcher has it.
func inline(t *testing.T, c net.Conn) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	failed := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_OOBINLINE, 1) })
	if err := errors.Join(failed, err); err != nil {
		t.Fatal(err)
	}
}

// exchange sends a message there and back.
func (r *relayed) exchange(t *testing.T, message []byte) {
	t.Helper()
	for _, way := range [][2]net.Conn{{r.program, r.server}, {r.server, r.program}} {
		if _, err := way[0].Write(message); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(message))
		if _, err := io.ReadFull(way[1], got); err != nil || !bytes.Equal(got, message) {
			t.Fatalf("%q, %v arrives, want %q", got, err, message)
		}
	}
}

func (r *relayed) wait(t *testing.T) {
	t.Helper()
	select {
	case <-r.ended:
	case <-time.After(20 * time.Second):
		t.Fatal("the relay goes on")
	}
}

// TestRelayCarriesMuch sends much both ways at once, ends one direction long before the
// other, and counts.
func TestRelayCarriesMuch(t *testing.T) {
	eachWay(t, func(t *testing.T, r *relayed) {
		data := make([]byte, 24<<20)
		random := rand.NewChaCha8([32]byte{1})
		_, _ = random.Read(data)
		const early = 5 << 20 // what the server sends
		before := r.bytes.Load()
		failed := make(chan error, 2)
		send := func(c *net.TCPConn, b []byte) {
			_, err := c.Write(b)
			failed <- errors.Join(err, c.CloseWrite())
		}
		go send(r.program, data)
		go send(r.server, data[:early])
		if got, err := io.ReadAll(r.program); err != nil || !bytes.Equal(got, data[:early]) {
			t.Errorf("the program gets %d bytes, %v", len(got), err)
		}
		if got, err := io.ReadAll(r.server); err != nil || !bytes.Equal(got, data) {
			t.Errorf("the server gets %d bytes, %v", len(got), err)
		}
		for range 2 {
			if err := <-failed; err != nil {
				t.Error(err)
			}
		}
		r.wait(t)
		if n := r.bytes.Load() - before; n != int64(len(data)+early) {
			t.Errorf("%d bytes are counted, want %d", n, len(data)+early)
		}
	})
}

// TestRelayPassesResetsOn resets one end, then the other.
func TestRelayPassesResetsOn(t *testing.T) {
	for _, by := range []string{"program", "server"} {
		t.Run("by the "+by, func(t *testing.T) {
			eachWay(t, func(t *testing.T, r *relayed) {
				from, to := r.program, r.server
				if by == "server" {
					from, to = to, from
				}
				_ = from.SetLinger(0)
				_ = from.Close()
				expectReset(t, to)
				r.wait(t)
			})
		})
	}
}

func expectReset(t *testing.T, c *net.TCPConn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reading gives %v, want a reset", err)
	}
}

// TestRelayEndsWhenAsked ends relays from outside: by their channel, and by closing the
// stack of the remote end.
func TestRelayEndsWhenAsked(t *testing.T) {
	eachWay(t, func(t *testing.T, r *relayed) {
		close(r.closing)
		r.wait(t)
		expectReset(t, r.program)
		expectReset(t, r.server)
	})
	eachWay(t, func(t *testing.T, r *relayed) {
		if r.stack == nil {
			return
		}
		if err := r.stack.Close(); err != nil {
			t.Error(err)
		}
		r.wait(t)
		expectReset(t, r.program)
	})
}

// TestRelayPassesUrgentDataOn sends bytes of which one is urgent: a read stops before it.
// What the server sends so is no part of its stream.
func TestRelayPassesUrgentDataOn(t *testing.T) {
	eachWay(t, func(t *testing.T, r *relayed) {
		for range 20 {
			sendUrgent(t, r.program, "before!")
			expect(t, r.server, "before!")
			sendUrgent(t, r.server, "before!")
			if _, err := r.server.Write([]byte("after")); err != nil {
				t.Fatal(err)
			}
			expect(t, r.program, "beforeafter")
		}
	})
}

// sendUrgent sends text, whose last byte is urgent.
func sendUrgent(t *testing.T, c *net.TCPConn, text string) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	failed := raw.Control(func(fd uintptr) { err = unix.Sendto(int(fd), []byte(text), unix.MSG_OOB, nil) })
	if err := errors.Join(failed, err); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, c net.Conn, text string) {
	t.Helper()
	got := make([]byte, len(text))
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Fatalf("%q arrives, %v, want %q", got[:n], err, text)
	}
}

// TestRelayWaitsForSlowReaders fills everything between the ends before anything is
// read.
func TestRelayWaitsForSlowReaders(t *testing.T) {
	eachWay(t, func(t *testing.T, r *relayed) {
		for _, way := range [][2]*net.TCPConn{{r.program, r.server}, {r.server, r.program}} {
			sent := int64(0)
			block := bytes.Repeat([]byte("x"), 1<<20)
			for err := error(nil); err == nil; {
				_ = way[0].SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
				var n int
				n, err = way[0].Write(block)
				sent += int64(n)
			}
			_ = way[0].SetWriteDeadline(time.Time{})
			if n, err := io.CopyN(io.Discard, way[1], sent); err != nil {
				t.Fatalf("%d of %d bytes arrive: %v", n, sent, err)
			}
		}
		r.exchange(t, []byte("another"))
	})
}
