//go:build linux

package kernel_test

import (
	"bytes"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

func TestStreamBlocking(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		l, name := listen(t, th, f)
		type accepted struct {
			s    spi.Socket
			peer []byte
			err  error
		}
		result := waiting(t, func() accepted {
			peer := make([]byte, spi.SizeofSockaddrStorage)
			n := int32(len(peer))
			s, err := th.Accept(l, peer, &n)
			return accepted{s, peer[:max(n, 0)], err}
		})
		c := stream(t, th, f)
		ok(t, th.Connect(c, name))
		a := <-result
		ok(t, a.err)
		if f.af != spi.AF_UNIX && !bytes.Equal(a.peer, sockName(t, th, c)) {
			t.Errorf("the peer is %s, want %s", spi.AddressString(a.peer), spi.AddressString(sockName(t, th, c)))
		}

		got := waiting(t, func() string {
			b := make([]byte, 16)
			n, _ := th.Recv(a.s, b, 0)
			return string(b[:n])
		})
		send(t, th, c, "hello")
		if s := <-got; s != "hello" {
			t.Errorf("received %q", s)
		}
		send(t, th, a.s, "world")
		receive(t, th, c, "world")
		ok(t, th.CloseSocket(c))
		if n, err := th.Recv(a.s, make([]byte, 1), 0); n != 0 || err != nil {
			t.Errorf("after the peer's close: %d, %v", n, err)
		}
	})
}

// A blocking send takes everything, however long the peer takes.
func TestSendAll(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		data := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
		sent := waiting(t, func() int {
			bufs := []spi.Buf{spi.NewBuf(data[:100]), spi.NewBuf(nil), spi.NewBuf(data[100:5000]), spi.NewBuf(data[5000:])}
			var n uint32
			if err := th.WSASend(c, bufs, &n, 0, nil, nil); err != nil {
				t.Error(err)
			}
			return int(n)
		})
		got := make([]byte, len(data))
		var n, flags uint32 = 0, spi.MSG_WAITALL
		ok(t, th.WSARecv(a, []spi.Buf{spi.NewBuf(got[:7]), spi.NewBuf(got[7:])}, &n, &flags, nil, nil))
		if int(n) != len(data) || !bytes.Equal(got, data) {
			t.Errorf("received %d bytes of %d, equal: %t", n, len(data), bytes.Equal(got, data))
		}
		if n := <-sent; n != len(data) {
			t.Errorf("sent %d bytes", n)
		}
	})
}

// Many buffers, more than the kernel takes at once.
func TestManyBuffers(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		testManyBuffers(t, th, c, a)
	})
	each(t, datagrams, func(t *testing.T, th *ws2.Thread, f family) {
		r, name := udp(t, th, f)
		s := socket(t, th, f, spi.SOCK_DGRAM)
		ok(t, th.Connect(s, name))
		testManyBuffers(t, th, s, r)
	})
}

func testManyBuffers(t *testing.T, th *ws2.Thread, from, to spi.Socket) {
	data := bytes.Repeat([]byte("0123456789"), 250)
	got := make([]byte, len(data))
	var out, in []spi.Buf
	for i := range data {
		out = append(out, spi.NewBuf(data[i:i+1]))
		in = append(in, spi.NewBuf(got[i:i+1]))
	}
	var n, flags uint32
	ok(t, th.WSASend(from, out, &n, 0, nil, nil))
	if int(n) != len(data) {
		t.Fatalf("sent %d", n)
	}
	for done := 0; done < len(data); done += int(n) {
		ok(t, th.WSARecv(to, in[done:], &n, &flags, nil, nil))
		if n == 0 {
			t.Fatal("nothing received")
		}
	}
	if !bytes.Equal(got, data) {
		t.Errorf("received %q", got)
	}
}

func TestNonblockingFollowsFIONBIO(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		mode := func(s spi.Socket) bool {
			flags, err := unix.FcntlInt(uintptr(s), unix.F_GETFL, 0)
			ok(t, err)
			return flags&unix.O_NONBLOCK != 0
		}
		if mode(c) || mode(a) {
			t.Error("a new socket is nonblocking")
		}
		nonblocking(t, th, c, 1)
		if !mode(c) {
			t.Error("FIONBIO 1 has not set O_NONBLOCK")
		}
		_, err := th.Recv(c, make([]byte, 1), 0)
		want(t, err, spi.WSAEWOULDBLOCK)
		_, err = th.Recv(c, make([]byte, 1), spi.MSG_WAITALL)
		want(t, err, spi.WSAEOPNOTSUPP)

		// The kernel is full: a part is taken, then nothing.
		total := 0
		for {
			n, err := th.Send(c, make([]byte, 1<<16), 0)
			if err != nil {
				want(t, err, spi.WSAEWOULDBLOCK)
				break
			}
			total += n
		}
		for total > 0 {
			n, err := th.Recv(a, make([]byte, 1<<16), 0)
			ok(t, err)
			total -= n
		}
		nonblocking(t, th, c, 0)
		if mode(c) {
			t.Error("FIONBIO 0 has not cleared O_NONBLOCK")
		}
	})
}

// An accepted socket has the listening one's mode.
func TestAcceptInheritsMode(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		l, name := listen(t, th, f)
		nonblocking(t, th, l, 1)
		_, err := th.Accept(l, nil, nil)
		want(t, err, spi.WSAEWOULDBLOCK)
		ok(t, th.Connect(stream(t, th, f), name))
		ready(t, th, l, 'r')
		a, err := th.Accept(l, nil, nil)
		ok(t, err)
		_, err = th.Recv(a, make([]byte, 1), 0)
		want(t, err, spi.WSAEWOULDBLOCK)
	})
}

func TestTimeouts(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, _ := pair(t, th, f)
		setInt(t, th, c, spi.SOL_SOCKET, spi.SO_RCVTIMEO, 20)
		setInt(t, th, c, spi.SOL_SOCKET, spi.SO_SNDTIMEO, 30)
		if r, s := getInt(t, th, c, spi.SOL_SOCKET, spi.SO_RCVTIMEO), getInt(t, th, c, spi.SOL_SOCKET, spi.SO_SNDTIMEO); r != 20 || s != 30 {
			t.Errorf("the timeouts are %d and %d ms", r, s)
		}
		before := time.Now()
		_, err := th.Recv(c, make([]byte, 1), 0)
		want(t, err, spi.WSAETIMEDOUT)
		if waited := time.Since(before); waited < 20*time.Millisecond {
			t.Errorf("timed out after %v", waited)
		}
		_, err = th.Send(c, make([]byte, 64<<20), 0)
		want(t, err, spi.WSAETIMEDOUT)
	})
}

func TestPeekAndFlags(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		send(t, th, c, "abc")
		b := make([]byte, 2)
		n, err := th.Recv(a, b, spi.MSG_PEEK)
		if err != nil || string(b[:n]) != "ab" {
			t.Errorf("peeked %q, %v", b[:n], err)
		}
		receive(t, th, a, "abc")
		for _, flags := range []int32{spi.MSG_PARTIAL, spi.MSG_TRUNC, 0x4000, spi.MSG_WAITALL | spi.MSG_PEEK} {
			_, err = th.Recv(a, b, flags)
			want(t, err, spi.WSAEOPNOTSUPP)
		}
		_, err = th.Send(c, b, spi.MSG_PARTIAL)
		want(t, err, spi.WSAEOPNOTSUPP)
		if f.af == spi.AF_UNIX {
			_, err = th.Send(c, b, spi.MSG_OOB)
			want(t, err, spi.WSAEOPNOTSUPP)
		}
	})
}

func TestUrgentData(t *testing.T) {
	each(t, internet, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		mark := func() uint32 {
			var at uint32
			ok(t, th.IoctlSocket(a, spi.SIOCATMARK, &at))
			return at
		}
		if mark() != 1 {
			t.Error("SIOCATMARK without urgent data is FALSE")
		}
		send(t, th, c, "ab")
		_, err := th.Send(c, []byte("!"), spi.MSG_OOB)
		ok(t, err)
		ready(t, th, a, 'e')
		if mark() != 0 {
			t.Error("SIOCATMARK before the urgent byte is TRUE")
		}
		b := make([]byte, 4)
		n, err := th.Recv(a, b, spi.MSG_OOB)
		if err != nil || string(b[:n]) != "!" {
			t.Errorf("urgent %q, %v", b[:n], err)
		}
		receive(t, th, a, "ab")
		nonblocking(t, th, a, 1)
		_, err = th.Recv(a, b, spi.MSG_OOB)
		want(t, err, spi.WSAEWOULDBLOCK)
		setInt(t, th, a, spi.SOL_SOCKET, spi.SO_OOBINLINE, 1)
		_, err = th.Recv(a, b, spi.MSG_OOB)
		want(t, err, spi.WSAEINVAL)
	})
}

// Closing a socket ends every call that waits on it.
func TestCloseEndsWaits(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		l, _ := listen(t, th, f)
		accepting := waiting(t, func() error { _, err := th.Accept(l, nil, nil); return err })
		ok(t, th.CloseSocket(l))
		want(t, <-accepting, spi.WSAEINTR)

		c, a := pair(t, th, f)
		receiving := waiting(t, func() error { _, err := th.Recv(c, make([]byte, 1), 0); return err })
		sending := waiting(t, func() error { _, err := th.Send(c, make([]byte, 64<<20), 0); return err })
		selecting := waiting(t, func() error { _, err := th.Select(spi.NewFDSet(c), nil, nil, nil); return err })
		ok(t, th.CloseSocket(c))
		want(t, <-receiving, spi.WSAEINTR)
		want(t, <-sending, spi.WSAEINTR)
		want(t, <-selecting, spi.WSAENOTSOCK)
		want(t, th.CloseSocket(c), spi.WSAENOTSOCK)
		ok(t, th.CloseSocket(a))
	})
}

// The last WSPCleanup ends every call that waits, and resets what is open.
// Whether the receive or the shutdown comes first makes no difference.
func TestShutdownEndsAReceive(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		for range 100 {
			c, a := pair(t, th, f)
			outcome := make(chan error)
			go func() {
				_, err := th.DLL().Unbound().Recv(c, make([]byte, 1), 0)
				outcome <- err
			}()
			ok(t, th.Shutdown(c, spi.SD_RECEIVE))
			want(t, <-outcome, spi.WSAESHUTDOWN)
			ok(t, th.CloseSocket(c))
			ok(t, th.CloseSocket(a))
		}
	})
}

func TestCleanupEndsWaits(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		_ = a
		ok(t, th.WSAStartup(spi.Version22, new(ws2.WSAData)))
		receiving := waiting(t, func() error { _, err := th.Recv(c, make([]byte, 1), 0); return err })
		ok(t, th.WSACleanup())
		if len(receiving) > 0 {
			t.Errorf("a cleanup that was not the last has ended a call: %v", <-receiving)
		}
		ok(t, th.WSACleanup())
		want(t, <-receiving, spi.WSAEINTR)
		ok(t, th.WSAStartup(spi.Version22, new(ws2.WSAData)))
		c, a = pair(t, th, f)
		send(t, th, c, "again")
		receive(t, th, a, "again")
	})
}

func TestErrorsOfUnconnectedStreams(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		s := stream(t, th, f)
		_, err := th.Send(s, []byte("x"), 0)
		want(t, err, spi.WSAENOTCONN)
		_, err = th.Recv(s, make([]byte, 1), 0)
		want(t, err, spi.WSAENOTCONN)
		nonblocking(t, th, s, 1)
		_, err = th.Send(s, []byte("x"), 0)
		want(t, err, spi.WSAENOTCONN)
		_, err = th.Accept(s, nil, nil)
		want(t, err, spi.WSAEINVAL)
	})
	each(t, datagrams, func(t *testing.T, th *ws2.Thread, f family) {
		s := socket(t, th, f, spi.SOCK_DGRAM)
		_, err := th.Recv(s, make([]byte, 1), 0)
		want(t, err, spi.WSAEINVAL)
		_, err = th.Send(s, []byte("x"), 0)
		want(t, err, spi.WSAENOTCONN)
		_, err = th.Accept(s, nil, nil)
		want(t, err, spi.WSAEOPNOTSUPP)
		_, err = th.SendTo(s, []byte("x"), 0, addr("0.0.0.0:9")[:8])
		if f.af == spi.AF_INET {
			want(t, err, spi.WSAEFAULT)
		}
	})
}

// A reset is told by every receiving call, not by the first alone.
func TestResetIsSticky(t *testing.T) {
	each(t, internet, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		setLinger(t, th, a, spi.Linger{OnOff: 1})
		ok(t, th.CloseSocket(a))
		for range 3 {
			_, err := th.Recv(c, make([]byte, 1), 0)
			want(t, err, spi.WSAECONNRESET)
		}
		_, err := th.Send(c, []byte("x"), 0)
		want(t, err, spi.WSAECONNRESET)
	})
}
