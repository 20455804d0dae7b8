package wsnet_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/wsnet"
)

func TestAcceptDeadline(t *testing.T) {
	each(t, streams, func(t *testing.T, c combo, s *wsnet.Stack) {
		l := c.listen(t, s).(*wsnet.Listener)
		for _, deadline := range []time.Time{longAgo, time.Now().Add(20 * time.Millisecond)} {
			if err := l.SetDeadline(deadline); err != nil {
				t.Fatal(err)
			}
			_, err := l.Accept()
			var ne net.Error
			if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() {
				t.Errorf("Accept: %v; want a timeout", err)
			}
		}
		l.SetDeadline(time.Time{})
		client, server, err := connect(s, l)
		if err != nil {
			t.Fatalf("after the deadlines: %v", err)
		}
		client.Close()
		server.Close()
	})
}

func TestListenerClose(t *testing.T) {
	each(t, streams, func(t *testing.T, c combo, s *wsnet.Stack) {
		l := c.listenAlone(t, s)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("Accept: %v; want net.ErrClosed", err)
				}
			})
		}
		time.Sleep(time.Millisecond)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("second Close: %v", err)
		}
		if conn, err := s.Dial(c.network, l.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Dial to a closed listener: %v, %v; want WSAECONNREFUSED", conn, err)
		}
	})
}

func TestManyAccepts(t *testing.T) {
	each(t, streams, func(t *testing.T, c combo, s *wsnet.Stack) {
		l := c.listen(t, s)
		const n = 50
		var wg sync.WaitGroup
		for range 4 { // several goroutines accept
			wg.Go(func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					wg.Go(func() {
						defer conn.Close()
						var b [1]byte
						if _, err := conn.Read(b[:]); err != nil {
							t.Error(err)
							return
						}
						conn.Write(b[:])
					})
				}
			})
		}
		var clients sync.WaitGroup
		for i := range n {
			clients.Go(func() {
				conn, err := s.Dial(c.network, l.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				b := [1]byte{byte(i)}
				conn.Write(b[:])
				if _, err := conn.Read(b[:]); err != nil || b[0] != byte(i) {
					t.Errorf("client %d read %d, %v", i, b[0], err)
				}
			})
		}
		clients.Wait()
		l.Close()
		wg.Wait()
	})
}

func TestListenErrors(t *testing.T) {
	each(t, []string{"tcp4", "tcp6"}, func(t *testing.T, c combo, s *wsnet.Stack) {
		l := c.listen(t, s)
		if _, err := s.Listen(c.network, l.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("second Listen: %v; want WSAEADDRINUSE", err)
		}
		for _, bad := range [][2]string{{"tcp9", "127.0.0.1:0"}, {"udp", "127.0.0.1:0"}, {c.network, "127.0.0.1"}, {c.network, "127.0.0.1:http:x"}} {
			l, err := s.Listen(bad[0], bad[1])
			var op *net.OpError
			if !errors.As(err, &op) || op.Op != "listen" {
				t.Errorf("Listen(%q, %q): %v, %v; want a net.OpError", bad[0], bad[1], l, err)
			}
		}
		if _, err := s.ListenPacket("tcp", "127.0.0.1:0"); err == nil {
			t.Error("ListenPacket over tcp succeeded")
		}
	})
}

// A server that is started again finds its port free although connections of
// the one before have not gone yet.
func TestListenAgain(t *testing.T) {
	each(t, []string{"tcp4", "tcp6"}, func(t *testing.T, c combo, s *wsnet.Stack) {
		l := c.listenAlone(t, s)
		client, server, err := connect(s, l)
		if err != nil {
			t.Fatal(err)
		}
		server.Close()
		client.Close()
		l.Close()
		again, err := s.Listen(c.network, l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		again.Close()
	})
}

// Network tcp without a host takes both families where the base has both.
func TestListenEverywhere(t *testing.T) {
	for _, base := range []string{"kernel", "memory"} {
		t.Run(base, func(t *testing.T) {
			s := combo{base: base}.open(t)
			l, err := s.Listen("tcp", ":0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			_, port, _ := net.SplitHostPort(l.Addr().String())
			for _, host := range []string{"127.0.0.1", "", "localhost"} {
				conn, err := s.Dial("tcp", net.JoinHostPort(host, port))
				if err != nil {
					t.Errorf("host %q: %v", host, err)
					continue
				}
				conn.Close()
			}
			if l.Addr().(*net.TCPAddr).IP.To4() == nil {
				conn, err := s.Dial("tcp", net.JoinHostPort("::1", port))
				if err != nil {
					t.Fatal(err)
				}
				conn.Close()
			}
		})
	}
}

func TestUnixSocketFile(t *testing.T) {
	s := combo{base: "kernel", layers: []catalog.Layer{shape}}.open(t)
	path := filepath.Join(t.TempDir(), "s")
	l, err := s.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Close: %v; want no file", err)
	}
	if _, err := s.Dial("unix", path); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Dial: %v; want WSAECONNREFUSED", err)
	}
	long := filepath.Join(t.TempDir(), string(make([]byte, 200)))
	if _, err := s.Listen("unix", long); err == nil {
		t.Error("a path of 200 bytes was taken")
	}
}
