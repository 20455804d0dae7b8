package wsnet_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"reflect"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"upcall.dev/spi"
	"upcall.dev/wsnet"
)

var streams = []string{"tcp4", "tcp6", "unix"}

var longAgo = time.Unix(1, 0)

func TestConn(t *testing.T) {
	each(t, streams, func(t *testing.T, c combo, s *wsnet.Stack) {
		nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
			l, err := s.Listen(c.network, c.address(t))
			if err != nil {
				return nil, nil, nil, err
			}
			c1, c2, err = connect(s, l)
			if err != nil {
				return nil, nil, nil, err
			}
			return c1, c2, func() {
				c1.Close()
				c2.Close()
				l.Close()
			}, nil
		})
	})
}

// Both ends send at once, each in writes of many sizes, and end by half closing.
func TestTransferBothWays(t *testing.T) {
	const size = 4 << 20
	each(t, streams, func(t *testing.T, c combo, s *wsnet.Stack) {
		client, server := c.pipe(t, s)
		ends := []*wsnet.Conn{client, server}
		var sent, received [2][sha256.Size]byte
		var wg sync.WaitGroup
		for i, end := range ends {
			wg.Go(func() {
				data := make([]byte, size)
				rand.NewChaCha8([32]byte{byte(i)}).Read(data)
				sent[i] = sha256.Sum256(data)
				for n := 1; len(data) > 0; n = n*7%300_007 + 1 {
					k, err := end.Write(data[:min(n, len(data))])
					if err != nil {
						t.Errorf("end %d: %v", i, err)
						end.Close()
						return
					}
					data = data[k:]
				}
				if err := end.CloseWrite(); err != nil {
					t.Errorf("end %d: CloseWrite: %v", i, err)
				}
			})
			wg.Go(func() {
				h := sha256.New()
				if n, err := io.Copy(h, end); n != size || err != nil {
					t.Errorf("end %d read %d bytes, %v; want %d", i, n, err, size)
				}
				h.Sum(received[i][:0])
			})
		}
		wg.Wait()
		if received[0] != sent[1] || received[1] != sent[0] {
			t.Error("the bytes were changed on the way")
		}
	})
}

func TestHalfClose(t *testing.T) {
	each(t, streams, func(t *testing.T, c combo, s *wsnet.Stack) {
		client, server := c.pipe(t, s)
		if _, err := client.Write([]byte("question")); err != nil {
			t.Fatal(err)
		}
		if err := client.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(server); string(got) != "question" || err != nil {
			t.Fatalf("server read %q, %v", got, err)
		}
		if _, err := client.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) || !errors.Is(err, spi.WSAESHUTDOWN) {
			t.Errorf("Write after CloseWrite: %v; want WSAESHUTDOWN", err)
		}
		if _, err := server.Write([]byte("answer")); err != nil {
			t.Fatal(err)
		}
		server.Close()
		if got, err := io.ReadAll(client); string(got) != "answer" || err != nil {
			t.Fatalf("client read %q, %v", got, err)
		}
	})
}

func TestCloseReadEndsARead(t *testing.T) {
	each(t, streams, func(t *testing.T, c combo, s *wsnet.Stack) {
		client, _ := c.pipe(t, s)
		started, done := make(chan struct{}), make(chan error)
		go func() {
			close(started)
			_, err := client.Read(make([]byte, 1))
			done <- err
		}()
		<-started
		if err := client.CloseRead(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != io.EOF {
			t.Errorf("Read: %v; want EOF", err)
		}
	})
}

// A write that waits for room ends when the connection is reset, also after the
// end of the peer's stream has been read.
func TestResetAfterEndEndsAWrite(t *testing.T) {
	each(t, streams, func(t *testing.T, c combo, s *wsnet.Stack) {
		client, server := c.pipe(t, s)
		if err := server.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if n, err := client.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Fatalf("Read: %d, %v; want the end", n, err)
		}
		done := make(chan error, 1)
		go func() {
			block := make([]byte, 1<<20)
			for {
				if _, err := client.Write(block); err != nil {
					done <- err
					return
				}
			}
		}()
		if _, err := io.ReadFull(server, make([]byte, 1)); err != nil { // so that there is something unread
			t.Fatal(err)
		}
		server.Close()
		<-done
	})
}

func TestAddresses(t *testing.T) {
	each(t, streams, func(t *testing.T, c combo, s *wsnet.Stack) {
		l := c.listen(t, s)
		client, server, err := connect(s, l)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		defer server.Close()
		if !reflect.DeepEqual(client.RemoteAddr(), l.Addr()) && client.RemoteAddr().String() != l.Addr().String() {
			t.Errorf("client's peer is %v, the listener %v", client.RemoteAddr(), l.Addr())
		}
		if client.LocalAddr().String() != server.RemoteAddr().String() {
			t.Errorf("client is %v, for the server %v", client.LocalAddr(), server.RemoteAddr())
		}
		if server.LocalAddr().String() != l.Addr().String() {
			t.Errorf("server is %v, the listener %v", server.LocalAddr(), l.Addr())
		}
		for _, addr := range []net.Addr{l.Addr(), client.LocalAddr(), server.RemoteAddr()} {
			switch addr.(type) {
			case *net.UnixAddr:
				if c.network != "unix" {
					t.Errorf("a %T for %s", addr, c.network)
				}
			case *net.TCPAddr:
				if c.network == "unix" {
					t.Errorf("a %T for %s", addr, c.network)
				}
			default:
				t.Errorf("a %T for %s", addr, c.network)
			}
		}
	})
}

func TestErrorsAfterClose(t *testing.T) {
	each(t, streams, func(t *testing.T, c combo, s *wsnet.Stack) {
		client, server := c.pipe(t, s)
		if err := client.Close(); err != nil {
			t.Fatal(err)
		}
		_, readErr := client.Read(make([]byte, 1))
		_, writeErr := client.Write([]byte("x"))
		_, emptyErr := client.Read(nil)
		for call, err := range map[string]error{
			"Close": client.Close(), "Read": readErr, "Write": writeErr, "Read(nil)": emptyErr,
			"CloseRead": client.CloseRead(), "CloseWrite": client.CloseWrite(),
			"SetDeadline": client.SetDeadline(time.Now()), "SetReadDeadline": client.SetReadDeadline(time.Time{}),
			"SetWriteDeadline": client.SetWriteDeadline(longAgo), "SetNoDelay": client.SetNoDelay(true),
			"SetLinger": client.SetLinger(0), "Control": client.Control(func(spi.Socket) { t.Error("called") }),
		} {
			var op *net.OpError
			if !errors.Is(err, net.ErrClosed) || !errors.As(err, &op) {
				t.Errorf("%s after Close: %v; want a net.OpError of net.ErrClosed", call, err)
			}
		}
		if n, err := server.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("the peer read %d, %v; want EOF", n, err)
		}
	})
}

func TestDeadlineErrors(t *testing.T) {
	each(t, []string{"tcp4"}, func(t *testing.T, c combo, s *wsnet.Stack) {
		client, server := c.pipe(t, s)
		if err := client.SetDeadline(longAgo); err != nil {
			t.Fatal(err)
		}
		_, readErr := client.Read(make([]byte, 1))
		_, writeErr := client.Write([]byte("x"))
		for call, err := range map[string]error{"Read": readErr, "Write": writeErr} {
			var ne net.Error
			if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() {
				t.Errorf("%s: %v; want a timeout that is os.ErrDeadlineExceeded", call, err)
			}
		}
		// A deadline that has passed hides data that has arrived, but does not lose it.
		if _, err := server.Write([]byte("kept")); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read with data: %v", err)
		}
		client.SetDeadline(time.Time{})
		got := make([]byte, 4)
		if _, err := io.ReadFull(client, got); string(got) != "kept" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
	})
}

// A write that does not fit waits; the deadline ends it and it tells what was
// sent. Every byte that it counts arrives.
func TestWriteDeadlineCountsBytes(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 2<<20)
	each(t, []string{"tcp4", "unix"}, func(t *testing.T, c combo, s *wsnet.Stack) {
		client, server := c.pipe(t, s)
		var n int
		written := make(chan error, 1)
		go func() {
			var err error
			n, err = client.Write(data)
			written <- err
		}()
		first := make([]byte, 1)
		if _, err := io.ReadFull(server, first); err != nil {
			t.Fatal(err)
		}
		client.SetWriteDeadline(time.Unix(1, 0)) // the write is under way, and cannot end
		if err := <-written; !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || n == len(data) {
			t.Fatalf("Write: %d of %d, %v; want a part and a timeout", n, len(data), err)
		}
		client.CloseWrite()
		rest, err := io.ReadAll(server)
		if got := append(first, rest...); err != nil || !bytes.Equal(got, data[:n]) {
			t.Errorf("%d bytes arrived, %v; %d were counted", len(got), err, n)
		}
	})
}

func TestReset(t *testing.T) {
	each(t, []string{"tcp4", "tcp6"}, func(t *testing.T, c combo, s *wsnet.Stack) {
		client, server := c.pipe(t, s)
		if err := server.SetLinger(0); err != nil {
			t.Fatal(err)
		}
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
		_, err := client.Read(make([]byte, 1))
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("Read after the peer's reset: %v; want WSAECONNRESET", err)
		}
	})
}

// Close with a linger time waits for unsent data, although the socket is
// nonblocking.
func TestLinger(t *testing.T) {
	each(t, []string{"tcp4"}, func(t *testing.T, c combo, s *wsnet.Stack) {
		client, server := c.pipe(t, s)
		if err := client.SetLinger(20); err != nil {
			t.Fatal(err)
		}
		data := bytes.Repeat([]byte("linger"), 10_000)
		done := make(chan error)
		go func() {
			_, err := client.Write(data)
			done <- errors.Join(err, client.Close())
		}()
		got, err := io.ReadAll(server)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes arrived, %v; want %d", len(got), err, len(data))
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestOptions(t *testing.T) {
	each(t, []string{"tcp4"}, func(t *testing.T, c combo, s *wsnet.Stack) {
		client, _ := c.pipe(t, s)
		for call, err := range map[string]error{
			"SetNoDelay": client.SetNoDelay(false), "SetKeepAlive": client.SetKeepAlive(true),
			"SetReadBuffer": client.SetReadBuffer(1 << 16), "SetWriteBuffer": client.SetWriteBuffer(1 << 16),
		} {
			if err != nil {
				t.Errorf("%s: %v", call, err)
			}
		}
		thread := s.DLL().Unbound()
		err := client.Control(func(h spi.Socket) {
			var val [4]byte
			length := int32(len(val))
			if err := thread.GetSockOpt(h, spi.IPPROTO_TCP, spi.TCP_NODELAY, val[:], &length); err != nil || val[0] != 0 {
				t.Errorf("TCP_NODELAY: %v, %v; want off", val, err)
			}
			if err := thread.GetSockOpt(h, spi.SOL_SOCKET, spi.SO_KEEPALIVE, val[:], &length); err != nil || val[0] == 0 {
				t.Errorf("SO_KEEPALIVE: %v, %v; want on", val, err)
			}
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// Reading and writing allocate nothing, whatever the chain's base.
func TestNoAllocation(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, c := range []combo{{base: "kernel", network: "tcp4"}, {base: "memory", network: "tcp4"}} {
		t.Run(c.String(), func(t *testing.T) {
			client, server := c.pipe(t, c.open(t))
			buf := make([]byte, 64)
			go io.Copy(struct{ io.Writer }{server}, struct{ io.Reader }{server})
			allocs := testing.AllocsPerRun(200, func() {
				if _, err := client.Write(buf); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(client, buf); err != nil {
					t.Fatal(err)
				}
			})
			if allocs >= 1 {
				t.Errorf("a round trip allocates %v times; want 0", allocs)
			}
		})
	}
}

// WriteTo ends with the stream, with a writer that fails, and when the connection
// is closed.
func TestWriteTo(t *testing.T) {
	each(t, streams, func(t *testing.T, c combo, s *wsnet.Stack) {
		client, server := c.pipe(t, s)
		if _, err := client.Write([]byte("first")); err != nil {
			t.Fatal(err)
		}
		if n, err := server.WriteTo(failing{}); n != 3 || !errors.Is(err, errFull) {
			t.Errorf("a writer that fails: %d, %v", n, err)
		}
		go func() {
			client.Write([]byte("second"))
			client.CloseWrite()
		}()
		var got bytes.Buffer
		if n, err := server.WriteTo(&got); n != 6 || err != nil || got.String() != "second" {
			t.Errorf("to the end: %d, %v, %q", n, err, &got)
		}
		ended := make(chan error, 1)
		go func() {
			_, err := client.WriteTo(io.Discard)
			ended <- err
		}()
		client.Close()
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed meanwhile: %v", err)
		}
	})
}

var errFull = errors.New("full")

type failing struct{}

func (failing) Write(b []byte) (int, error) { return 3, errFull }
