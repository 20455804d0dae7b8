package wsnet_test

import (
	"context"
	"errors"
	"net"
	"testing"

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
		b, err := lc.Bind(context.Background(), "tcp4", "127.0.0.1:0")
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
