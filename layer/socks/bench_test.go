package socks_test

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/proxy"

	"upcall.dev/layer/internal/layertest"
	"upcall.dev/spi"
)

// hangUp is a SOCKS5 proxy that grants everything and connects to nothing: what
// is left is the cost at the client, and round trips on loopback.
func hangUp(c net.Conn) {
	b := make([]byte, 600)
	have := 0
	for have < 3 {
		n, err := c.Read(b[have:])
		if err != nil {
			return
		}
		have += n
	}
	if have == 3 {
		_, _ = c.Write([]byte{5, 0})
		if _, err := c.Read(b[3:]); err != nil {
			return
		}
		_, _ = c.Write(granted)
	} else if b[11] == 0 && b[12] == 0 {
		_, _ = c.Write([]byte{5, 0, 5, 1, 0, 1, 0, 0, 0, 0, 0, 0})
	} else {
		_, _ = c.Write(append([]byte{5, 0}, granted...))
	}
	_, _ = io.Copy(io.Discard, c)
}

// BenchmarkConnect is a connect through a SOCKS5 proxy on loopback, and the close:
// directly to the proxy without a handshake, by golang.org/x/net/proxy, and by
// this layer.
func BenchmarkConnect(b *testing.B) {
	address := serve(b, hangUp).String()
	const target = "192.0.2.1:80"
	b.Run("direct", func(b *testing.B) {
		for b.Loop() {
			c, err := net.Dial("tcp", address)
			if err != nil {
				b.Fatal(err)
			}
			discard(c)
		}
	})
	b.Run("x/net/proxy", func(b *testing.B) {
		d, err := proxy.SOCKS5("tcp", address, nil, nil)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			c, err := d.Dial("tcp", target)
			if err != nil {
				b.Fatal(err)
			}
			discard(c)
		}
	})
	for _, pipeline := range []string{"off", "on"} {
		b.Run("wsnet/pipeline="+pipeline, func(b *testing.B) {
			d := open(b, "kernel", socks("proxy="+address, "pipeline="+pipeline)).Dialer()
			for b.Loop() {
				c, err := d.Dial("tcp", target)
				if err != nil {
					b.Fatal(err)
				}
				discard(c)
			}
		})
		b.Run("blocking/pipeline="+pipeline, func(b *testing.B) {
			_, thread := layertest.Start(b, "kernel", socks("proxy="+address, "pipeline="+pipeline))
			name := spi.SockaddrFrom(netip.MustParseAddrPort(target))
			for b.Loop() {
				s := layertest.Socket(b, thread, spi.SOCK_STREAM)
				if err := thread.Connect(s, name); err != nil {
					b.Fatal(err)
				}
				_ = thread.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_LINGER, []byte{1, 0, 0, 0})
				_ = thread.CloseSocket(s)
			}
		})
	}
}

// discard closes with a reset, so that no port stays in TIME_WAIT.
func discard(c net.Conn) {
	if l, ok := c.(interface{ SetLinger(int) error }); ok {
		_ = l.SetLinger(0)
	}
	c.Close()
}

// BenchmarkDatagram is a datagram to an echo server and back, through dante.
func BenchmarkDatagram(b *testing.B) {
	target := echoDatagrams(b)
	stack := open(b, "kernel", socks("proxy="+dante(b)))
	c, err := stack.Dialer().Dial("udp", target.String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 2000)
	for ready := false; !ready; { // the association takes its time
		_, _ = c.Write(buf[:100])
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		_, err := c.Read(buf)
		ready = err == nil
	}
	for b.Loop() {
		if _, err := c.Write(buf[:100]); err != nil {
			b.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		_, _ = c.Read(buf)
	}
}
