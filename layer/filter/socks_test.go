package filter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/layer/internal/layertest"
	_ "upcall.dev/layer/socks"
	"upcall.dev/spi"
)

// proxy is a SOCKS5 proxy for IPv4 addresses, without login.
func proxy(t testing.TB) (at string, carried *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	carried = new(atomic.Int64)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer func() { _ = c.Close() }()
				if err := carry(c); err == nil {
					carried.Add(1)
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return l.Addr().String(), carried
}

func carry(c net.Conn) error {
	var b [10]byte
	if _, err := io.ReadFull(c, b[:2]); err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, c, int64(b[1])); err != nil {
		return err
	}
	if _, err := c.Write([]byte{5, 0}); err != nil {
		return err
	}
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return err
	}
	to := netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[8:]))
	far, err := net.Dial("tcp4", to.String())
	if err != nil {
		_, err = c.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0})
		return errors.Join(errors.New("refused"), err)
	}
	defer func() { _ = far.Close() }()
	if _, err := c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}); err != nil {
		return err
	}
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(far, c)
		_ = far.(*net.TCPConn).CloseWrite()
	})
	_, err = io.Copy(c, far)
	_ = c.(*net.TCPConn).CloseWrite()
	up.Wait()
	return err
}

// Some addresses by a proxy, the others without it, on blocking sockets and on
// others.
func TestViaProxy(t *testing.T) {
	for own, to := range map[string]string{"passed": "tcp:127.0.0.2", "own": "127.0.0.2", "datagrams": "127.0.0.2"} {
		text := "[[rule]]\naddress = '" + to + "'\nvia = 'socks'\n"
		for _, nonblocking := range []bool{false, true} {
			t.Run(fmt.Sprint(own, " nonblocking ", nonblocking), func(t *testing.T) {
				at, carried := proxy(t)
				c := chains(t, spi.Options{"rules": rules(t, text), "handles": own}, []catalog.Layer{{Name: "socks", Options: spi.Options{"proxy": at}}})
				_, thread := layertest.StartWith(t, c)
				l, port := server(t, thread, c, "Linux TCP/IPv4")
				for _, to := range []string{"127.0.0.1", "127.0.0.2"} {
					s := layertest.Socket(t, thread, spi.SOCK_STREAM)
					if nonblocking {
						setNonblocking(t, thread, s)
					}
					err := thread.Connect(s, address(fmt.Sprint(to, ":", port)))
					if nonblocking && errors.Is(err, spi.WSAEWOULDBLOCK) {
						var n int
						if n, err = thread.Select(nil, spi.NewFDSet(s), nil, &spi.Timeval{Sec: 10}); n != 1 {
							t.Fatal("it does not connect")
						}
						off := uint32(0)
						err = errors.Join(err, thread.IoctlSocket(s, spi.FIONBIO, &off))
					}
					if err != nil {
						t.Fatal(err)
					}
					peer, length := make([]byte, 128), int32(128)
					if err := thread.GetPeerName(s, peer, &length); err != nil || spi.AddressString(peer[:length]) != fmt.Sprint(to, ":", port) {
						t.Errorf("the peer is %s, %v", spi.AddressString(peer[:length]), err)
					}
					talk(t, thread, l, s)
					shut(t, thread, s)
				}
				s := layertest.Socket(t, thread, spi.SOCK_STREAM)
				if err := thread.Connect(s, address("127.0.0.2:1")); !errors.Is(err, spi.WSAECONNREFUSED) {
					t.Errorf("a refused connect by the proxy: %v", err)
				}
				shut(t, thread, s, l)
				t.Cleanup(func() {
					if got := carried.Load(); got > 1 {
						t.Errorf("the proxy has carried %d connections, want 1", got)
					}
				})
			})
		}
	}
}

// A chain that has other handles for UDP needs them here too, unless the rule is
// about TCP alone.
func TestProxyForDatagramsNeedsOwnHandles(t *testing.T) {
	c := chains(t, spi.Options{"rules": rules(t, "[[rule]]\naddress = '127.0.0.2'\nvia = 'socks'\n")}, []catalog.Layer{{Name: "socks", Options: spi.Options{"proxy": "127.0.0.1:1"}}})
	_, thread := layertest.StartWith(t, c)
	var err error
	text := said(func() { _, err = thread.Socket(spi.AF_INET, spi.SOCK_STREAM, 0) })
	if !errors.Is(err, spi.WSAEPROVIDERFAILEDINIT) || !strings.Contains(text, "set its option handles=own, or handles=datagrams for UDP, or write the rule for other protocols") {
		t.Errorf("%v, said %q", err, text)
	}
}
