package wsnet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"upcall.dev/internal/freeport"
	"upcall.dev/wsnet"
)

// Nobody can connect to an address that a socket is bound to until it listens.
func TestBoundSocketListensLater(t *testing.T) {
	each(t, []string{"tcp4"}, func(t *testing.T, _ combo, s *wsnet.Stack) {
		b, err := (&wsnet.ListenConfig{Stack: s}).Bind(context.Background(), "tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if conn, err := s.Dial("tcp4", b.Addr().String()); err == nil {
			conn.Close()
			t.Error("connected to a socket that does not listen")
		}
		l, err := b.Listen(0)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		conn, err := s.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		a, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		a.Close()
		if _, err := b.Listen(0); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a second Listen gives %v", err)
		}
		if err := b.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close after Listen gives %v", err)
		}
	})
}

// Closing a bound socket frees its address, and the stack ends.
func TestBoundSocketCloses(t *testing.T) {
	each(t, []string{"tcp4"}, func(t *testing.T, _ combo, s *wsnet.Stack) {
		lc := &wsnet.ListenConfig{Stack: s}
		b, err := lc.Bind(context.Background(), "tcp4", fmt.Sprint("127.0.0.1:", freeport.Take(t)))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Listen(0); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Listen after Close gives %v", err)
		}
		again, err := lc.Listen(context.Background(), "tcp4", b.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		again.Close()
	})
}

// A bound socket connects from its address, once.
func TestBoundSocketConnects(t *testing.T) {
	each(t, []string{"tcp4"}, func(t *testing.T, c combo, s *wsnet.Stack) {
		l := c.listen(t, s)
		defer l.Close()
		at := netip.MustParseAddrPort(l.Addr().String())
		lc := &wsnet.ListenConfig{Stack: s}
		bind := func() *wsnet.Bound {
			b, err := lc.Bind(t.Context(), "tcp4", c.address(t))
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		b := bind()
		conn, err := b.Connect(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		a, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		if a.RemoteAddr().String() != b.Addr().String() || conn.LocalAddr().String() != b.Addr().String() || conn.RemoteAddr().String() != l.Addr().String() {
			t.Errorf("bound to %v: connected from %v to %v, seen as %v", b.Addr(), conn.LocalAddr(), conn.RemoteAddr(), a.RemoteAddr())
		}
		if _, err := b.Connect(t.Context(), at); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a second Connect gives %v", err)
		}
		if err := b.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close after Connect gives %v", err)
		}
		silent := bind()
		defer silent.Close()
		var op *net.OpError
		if _, err := bind().Connect(t.Context(), netip.MustParseAddrPort(silent.Addr().String())); !errors.As(err, &op) || op.Op != "dial" {
			t.Errorf("refused: %v", err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if conn, err := bind().Connect(ended, at); err == nil {
			conn.Close() // it was faster
		} else if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
}
