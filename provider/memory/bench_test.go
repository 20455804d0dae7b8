package memory_test

import (
	"fmt"
	"net"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// echo answers whatever arrives on s until it ends.
func echo(th *ws2.Thread, s spi.Socket) {
	buf := make([]byte, 1<<16)
	for {
		n, err := th.Recv(s, buf, 0)
		if err != nil || n == 0 {
			return
		}
		if _, err := th.Send(s, buf[:n], 0); err != nil {
			return
		}
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	for _, size := range []int{64, 16 << 10} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			th := newThread(b)
			client, server := pair(b, th)
			done := make(chan struct{})
			go func() { defer close(done); echo(th, server) }()
			buf := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := th.Send(client, buf, 0); err != nil {
					b.Fatal(err)
				}
				for got := 0; got < size; {
					n, err := th.Recv(client, buf, 0)
					if err != nil {
						b.Fatal(err)
					}
					got += n
				}
			}
			ok(b, th.CloseSocket(client))
			<-done
		})
	}
}

func BenchmarkThroughput(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			th := newThread(b)
			client, server := pair(b, th)
			done := make(chan struct{})
			go func() {
				defer close(done)
				buf := make([]byte, 256<<10)
				for {
					if n, err := th.Recv(server, buf, 0); err != nil || n == 0 {
						return
					}
				}
			}()
			buf := make([]byte, size)
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := th.Send(client, buf, 0); err != nil {
					b.Fatal(err)
				}
			}
			ok(b, th.CloseSocket(client))
			<-done
		})
	}
}

func BenchmarkDatagram(b *testing.B) {
	th := newThread(b)
	s, r := udp(b, th, "127.0.0.1:0"), udp(b, th, "127.0.0.1:0")
	ok(b, th.Connect(s, sockName(b, th, r)))
	buf := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := th.Send(s, buf, 0); err != nil {
			b.Fatal(err)
		}
		if _, err := th.Recv(r, buf, 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCreateClose(b *testing.B) {
	th := newThread(b)
	b.ReportAllocs()
	for b.Loop() {
		s, err := th.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
		if err != nil {
			b.Fatal(err)
		}
		if err := th.CloseSocket(s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkConnectAcceptClose(b *testing.B) {
	th := newThread(b)
	l, name := listen(b, th)
	b.ReportAllocs()
	for b.Loop() {
		c, err := th.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
		ok(b, err)
		ok(b, th.Connect(c, name))
		s, err := th.Accept(l, nil, nil)
		ok(b, err)
		ok(b, th.CloseSocket(c))
		ok(b, th.CloseSocket(s))
	}
}

// BenchmarkPassage is BenchmarkRoundTrip through a layer with handles of its
// own.
func BenchmarkPassage(b *testing.B) {
	for _, layers := range []int{0, 1, 2} {
		b.Run(fmt.Sprintf("%dlayers", layers), func(b *testing.B) {
			var through []catalog.Layer
			for range layers {
				through = append(through, catalog.Layer{Name: "passage"})
			}
			th := startedOver(b, through, spi.Version22).Unbound()
			s := udp(b, th, "127.0.0.1:0")
			ok(b, th.Connect(s, sockName(b, th, s)))
			buf := make([]byte, 64)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := th.Send(s, buf, 0); err != nil {
					b.Fatal(err)
				}
				if _, err := th.Recv(s, buf, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOverlapped is a receive and the send that completes it, through
// layers.
func BenchmarkOverlapped(b *testing.B) {
	for _, layers := range []int{0, 1} {
		b.Run(fmt.Sprintf("%dlayers", layers), func(b *testing.B) {
			th := startedOver(b, []catalog.Layer{{Name: "passage"}}[:layers], spi.Version22).Unbound()
			client, server := pair(b, th)
			ev, err := th.WSACreateEvent()
			ok(b, err)
			buf := make([]byte, 64)
			bufs := []spi.Buf{spi.NewBuf(buf)}
			b.ReportAllocs()
			for b.Loop() {
				ov := spi.Overlapped{HEvent: ev}
				var flags uint32
				if err := th.WSARecv(server, bufs, nil, &flags, &ov, nil); err != spi.WSA_IO_PENDING.Err() {
					b.Fatal(err)
				}
				if _, err := th.Send(client, buf, 0); err != nil {
					b.Fatal(err)
				}
				awaitEvent(b, th, ev)
			}
			ok(b, th.WSACloseEvent(ev))
		})
	}
}

// BenchmarkTCPLoopback is what the ring is compared with.
func BenchmarkTCPLoopback(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ok(b, err)
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	ok(b, err)
	s, err := l.Accept()
	ok(b, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64)
		for {
			n, err := s.Read(buf)
			if err != nil {
				return
			}
			if _, err := s.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64)
	for b.Loop() {
		if _, err := c.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
	c.Close()
	<-done
	s.Close()
}
