//go:build linux

package kernel_test

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// Sending and receiving at once allocates nothing.
func TestNoAllocations(t *testing.T) {
	th := start(t)
	buf := make([]byte, 64)
	measure := func(what string, f func()) {
		t.Helper()
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %.1f times", what, n)
		}
	}
	for _, f := range streams {
		c, a := pair(t, th, f)
		nonblocking(t, th, a, 1)
		measure(f.name+" stream", func() {
			if _, err := th.Send(c, buf, 0); err != nil {
				t.Fatal(err)
			}
			for got := 0; got < len(buf); {
				n, err := th.Recv(a, buf[got:], 0)
				if err != nil && !errors.Is(err, spi.WSAEWOULDBLOCK) {
					t.Fatal(err)
				}
				got += n
			}
		})
	}
	for _, f := range datagrams {
		r, name := udp(t, th, f)
		s := socket(t, th, f, spi.SOCK_DGRAM)
		from, n := make([]byte, 28), int32(0)
		measure(f.name+" datagram", func() {
			if _, err := th.SendTo(s, buf, 0, name); err != nil {
				t.Fatal(err)
			}
			n = int32(len(from))
			if _, err := th.RecvFrom(r, buf, 0, from, &n); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// The provider beside the same system calls made plainly.
func BenchmarkSendReceive(b *testing.B) {
	th := start(b)
	for _, f := range streams {
		b.Run(f.name+"/winsock", func(b *testing.B) {
			c, a := pair(b, th, f)
			nonblocking(b, th, c, 1)
			nonblocking(b, th, a, 1)
			buf := make([]byte, 64)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := th.Send(c, buf, 0); err != nil {
					b.Fatal(err)
				}
				if _, err := th.Recv(a, buf, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(f.name+"/plain", func(b *testing.B) {
			c, a := pair(b, th, f)
			nonblocking(b, th, c, 1)
			nonblocking(b, th, a, 1)
			buf := make([]byte, 64)
			for b.Loop() {
				if _, err := unix.Write(int(c), buf); err != nil {
					b.Fatal(err)
				}
				if _, err := unix.Read(int(a), buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// An attempt that finds nothing: the provider's own cost is plainest here.
func BenchmarkWouldBlock(b *testing.B) {
	th := start(b)
	_, a := pair(b, th, ipv4)
	nonblocking(b, th, a, 1)
	buf := make([]byte, 64)
	b.Run("winsock", func(b *testing.B) {
		for b.Loop() {
			_, _ = th.Recv(a, buf, 0)
		}
	})
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			_, _ = unix.Read(int(a), buf)
		}
	})
}

func BenchmarkConnectAcceptClose(b *testing.B) {
	th := start(b)
	l, name := listen(b, th, ipv4)
	for b.Loop() {
		c := stream(b, th, ipv4)
		ok(b, th.Connect(c, name))
		a, err := th.Accept(l, nil, nil)
		ok(b, err)
		setLinger(b, th, c, spi.Linger{OnOff: 1})
		ok(b, th.CloseSocket(c))
		ok(b, th.CloseSocket(a))
	}
}
