package wsnet_test

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	"upcall.dev/wsnet"
)

// openUnmanaged returns a stack that the test closes itself.
func openUnmanaged(t *testing.T, c combo) *wsnet.Stack {
	t.Helper()
	cat, err := catalog.Compose(catalog.Default(), c.base, c.layers)
	if err != nil {
		t.Fatal(err)
	}
	s, err := wsnet.Open(wsnet.Config{Catalog: cat})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Close ends everything: reads, writes and accepts that wait fail with
// net.ErrClosed, and nothing can be opened any more.
func TestStackClose(t *testing.T) {
	for _, c := range combos(t, "tcp4") {
		t.Run(c.String(), func(t *testing.T) {
			s := openUnmanaged(t, c)
			idle, l := c.listen(t, s), c.listen(t, s)
			client, server := c.pipe(t, s)
			var wg sync.WaitGroup
			started := make(chan struct{}, 4)
			wg.Go(func() {
				started <- struct{}{}
				if _, err := idle.Accept(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("Accept: %v", err)
				}
			})
			for _, conn := range []net.Conn{client, server} {
				wg.Go(func() {
					started <- struct{}{}
					// The peer may be closed a moment earlier.
					if _, err := io.Copy(io.Discard, struct{ io.Reader }{conn}); err != nil && !errors.Is(err, net.ErrClosed) {
						t.Errorf("Read: %v", err)
					}
				})
			}
			wg.Go(func() {
				started <- struct{}{}
				for {
					conn, err := s.Dial(c.network, l.Addr().String())
					if err != nil {
						return
					}
					conn.Close()
				}
			})
			for range 4 {
				<-started
			}
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			wg.Wait()
			if err := s.Close(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("second Close: %v", err)
			}
			if _, err := s.Dial(c.network, l.Addr().String()); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Dial after Close: %v", err)
			}
			if _, err := s.Listen(c.network, c.address(t)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Listen after Close: %v", err)
			}
		})
	}
}

// Two stacks over one DLL: closing one leaves the other's sockets.
func TestTwoStacks(t *testing.T) {
	first := openUnmanaged(t, combo{base: "memory"})
	second, err := wsnet.New(first.DLL())
	if err != nil {
		t.Fatal(err)
	}
	c := combo{base: "memory", network: "tcp4"}
	a, b := c.pipe(t, second)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadFull(b, make([]byte, 1)); err != nil {
		t.Error(err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOpenErrors(t *testing.T) {
	_, err := wsnet.Open(wsnet.Config{Catalog: brokenSource{}})
	if !errors.Is(err, errBroken) {
		t.Errorf("a catalog that cannot be read: %v", err)
	}
	s, err := wsnet.Open(wsnet.Config{Catalog: catalog.New()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Dial("tcp", "127.0.0.1:1"); err == nil {
		t.Error("an empty catalog connected")
	}
}

var errBroken = errors.New("broken")

type brokenSource struct{}

func (brokenSource) Load() (*catalog.Catalog, error) { return nil, errBroken }

// A chosen catalog entry is used although it is not the first that fits.
func TestChosenProtocol(t *testing.T) {
	s, err := wsnet.Open(wsnet.Config{Catalog: catalog.Default()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var memory *spi.ProtocolInfo
	for _, e := range catalog.Default().Entries() {
		if e.AddressFamily == spi.AF_INET && e.SocketType == spi.SOCK_STREAM && !e.IFS() {
			memory = &e.ProtocolInfo
			break
		}
	}
	lc := wsnet.ListenConfig{Stack: s, Protocol: memory}
	l, err := lc.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := wsnet.Dialer{Stack: s, Protocol: memory}
	conn, err := d.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.(*wsnet.Conn).SyscallConn(); !errors.Is(err, spi.WSAEOPNOTSUPP) {
		t.Errorf("SyscallConn of a non-IFS handle: %v; want WSAEOPNOTSUPP", err)
	}
	if other, err := s.Dial("tcp4", l.Addr().String()); err == nil {
		other.Close()
		t.Error("the first entry of the catalog reached a listener in memory")
	}
}
