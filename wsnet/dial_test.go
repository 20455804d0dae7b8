package wsnet_test

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
	"upcall.dev/wsnet"
)

func TestDialRefused(t *testing.T) {
	each(t, []string{"tcp4", "tcp6"}, func(t *testing.T, c combo, s *wsnet.Stack) {
		silent, err := (&wsnet.ListenConfig{Stack: s}).Bind(t.Context(), c.network, c.address(t))
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
		address := silent.Addr().String()
		conn, err := s.Dial(c.network, address)
		var op *net.OpError
		switch {
		case err == nil:
			conn.Close()
			t.Fatal("connected to a port that nobody listens on")
		case !errors.Is(err, syscall.ECONNREFUSED) || !errors.Is(err, spi.WSAECONNREFUSED):
			t.Errorf("%v; want WSAECONNREFUSED", err)
		case !errors.As(err, &op) || op.Op != "dial" || op.Net != c.network || op.Addr.String() != address:
			t.Errorf("%#v; want a net.OpError of the dial", err)
		}
	})
}

func TestDialBadAddress(t *testing.T) {
	s := combo{base: "memory"}.open(t)
	for _, bad := range [][2]string{{"tcp9", "127.0.0.1:1"}, {"", "127.0.0.1:1"}, {"tcp", ""}, {"tcp", "127.0.0.1"}, {"tcp4", "[::1]:1"}, {"tcp6", "127.0.0.1:1"}, {"tcp", "127.0.0.1:noservice"}, {"tcp", "127.0.0.1:70000"}} {
		conn, err := s.Dial(bad[0], bad[1])
		var op *net.OpError
		if conn != nil || !errors.As(err, &op) || op.Op != "dial" {
			t.Errorf("Dial(%q, %q): %v, %v; want a net.OpError", bad[0], bad[1], conn, err)
		}
	}
	_, err := s.Dial("ip:1", "127.0.0.1")
	var unknown net.UnknownNetworkError
	if !errors.As(err, &unknown) {
		t.Errorf("unknown network: %v", err)
	}
}

// fullListener returns the address of a kernel listener whose queue is full, so
// that a connect to it goes on until it is given up.
func fullListener(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	port := name.(*unix.SockaddrInet4).Port
	address := (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}).String()
	for range 20 {
		conn, err := net.DialTimeout("tcp4", address, time.Second)
		if err != nil {
			return address
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Fatal("the listener's queue does not fill")
	return ""
}

func TestDialCancel(t *testing.T) {
	address := fullListener(t)
	for _, layers := range append(single(t), pairs(t)...) {
		c := combo{"kernel", "tcp4", layers}
		t.Run(c.String(), func(t *testing.T) {
			s := c.open(t)
			ctx, cancel := context.WithCancel(context.Background())
			d := wsnet.Dialer{Stack: s, Control: func(context.Context, string, string, spi.Socket) error {
				time.AfterFunc(10*time.Millisecond, cancel)
				return nil
			}}
			_, err := d.DialContext(ctx, "tcp4", address)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled dial: %v", err)
			}
			d = wsnet.Dialer{Stack: s, Timeout: 10 * time.Millisecond}
			_, err = d.Dial("tcp4", address)
			var ne net.Error
			if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() {
				t.Errorf("dial with a timeout: %v", err)
			}
			d = wsnet.Dialer{Stack: s, Deadline: longAgo}
			if _, err = d.Dial("tcp4", address); !errors.As(err, &ne) || !ne.Timeout() {
				t.Errorf("dial with a deadline that has passed: %v", err)
			}
		})
	}
}

func TestStackCloseEndsADial(t *testing.T) {
	address := fullListener(t)
	s := openUnmanaged(t, combo{base: "kernel"})
	dialling := make(chan struct{})
	done := make(chan error)
	go func() {
		d := wsnet.Dialer{Stack: s, Control: func(context.Context, string, string, spi.Socket) error {
			close(dialling)
			return nil
		}}
		_, err := d.Dial("tcp4", address)
		done <- err
	}()
	<-dialling
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Dial: %v; want net.ErrClosed", err)
	}
}

func TestDialOptions(t *testing.T) {
	each(t, []string{"tcp4"}, func(t *testing.T, c combo, s *wsnet.Stack) {
		l := c.listen(t, s)
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				conn.Close()
			}
		}()
		var controlled atomic.Int32
		d := wsnet.Dialer{
			Stack:     s,
			LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)},
			Control: func(_ context.Context, network, address string, h spi.Socket) error {
				controlled.Add(1)
				if network != c.network || address != l.Addr().String() || h == spi.InvalidSocket {
					t.Errorf("Control(%q, %q, %v)", network, address, h)
				}
				return nil
			},
		}
		conn, err := d.Dial(c.network, l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if ip := conn.LocalAddr().(*net.TCPAddr).IP; !ip.Equal(net.IPv4(127, 0, 0, 2)) || controlled.Load() != 1 {
			t.Errorf("the local address is %v, Control ran %d times", ip, controlled.Load())
		}
		conn.Close()

		d.LocalAddr = &net.UnixAddr{Name: "x"}
		if _, err := d.Dial(c.network, l.Addr().String()); err == nil {
			t.Error("a unix LocalAddr was taken for tcp")
		}
		refuse := errors.New("not this one")
		d = wsnet.Dialer{Stack: s, Control: func(context.Context, string, string, spi.Socket) error { return refuse }}
		if _, err := d.Dial(c.network, l.Addr().String()); !errors.Is(err, refuse) {
			t.Errorf("Control's error: %v", err)
		}
	})
}

// A name with several addresses: the next is tried when one refuses.
func TestDialNextAddress(t *testing.T) {
	each(t, []string{"tcp4"}, func(t *testing.T, c combo, s *wsnet.Stack) {
		l := c.listen(t, s) // only on 127.0.0.1, while localhost is ::1, too, on most machines
		_, port, _ := net.SplitHostPort(l.Addr().String())
		conn, err := s.Dial("tcp", net.JoinHostPort("localhost", port))
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	})
}
