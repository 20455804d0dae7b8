//go:build linux

package conformance

import (
	"testing"

	"upcall.dev/spi"
)

func TestBehaviour113_CutDatagram(t *testing.T) {
	each(t, func(c *client) {
		r, name := c.udp()
		s, from := c.udp()
		for range 3 {
			_, err := c.SendTo(s, []byte("0123456789"), 0, name)
			c.ok(err)
		}
		b := make([]byte, 4)
		_, err := c.Recv(r, b, 0)
		c.want(err, spi.WSAEMSGSIZE)
		if string(b) != "0123" {
			c.Errorf("the buffer has %q", b)
		}
		sender, n := make([]byte, 28), int32(28)
		clear(b)
		_, err = c.RecvFrom(r, b, 0, sender, &n)
		c.want(err, spi.WSAEMSGSIZE)
		if string(b) != "0123" || string(sender[:n]) != string(from) {
			c.Errorf("the buffer has %q from %v, want it from %v", b, sender[:n], from)
		}
		clear(b)
		var received, flags uint32
		err = c.WSARecv(r, []spi.Buf{spi.NewBuf(b[:1]), spi.NewBuf(b[1:3])}, &received, &flags, nil, nil)
		c.want(err, spi.WSAEMSGSIZE)
		if string(b[:3]) != "012" || received != 3 || flags != spi.MSG_PARTIAL {
			c.Errorf("received %d, %q, with flags %#x", received, b, flags)
		}
		c.blocking(r, false) // the rest of each is lost
		_, err = c.Recv(r, b, 0)
		c.want(err, spi.WSAEWOULDBLOCK)
	})
}

func TestBehaviour114_TheBufferArrayIsCaptured(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		one, two, decoy := make([]byte, 3), make([]byte, 10), make([]byte, 10)
		bufs := []spi.Buf{spi.NewBuf(one), spi.NewBuf(two)}
		ov := spi.Overlapped{HEvent: c.event()}
		var flags uint32
		c.want(c.WSARecv(b, bufs, nil, &flags, &ov, nil), spi.WSA_IO_PENDING)
		bufs[0], bufs[1] = spi.NewBuf(decoy), spi.NewBuf(decoy)
		c.send(a, "abcdefgh")
		c.await(ov.HEvent)
		if string(one) != "abc" || string(two[:5]) != "defgh" {
			c.Errorf("%q, %q; decoy %q", one, two, decoy)
		}

		// The same when sending.
		c.blocking(a, false)
		filled := c.fill(a)
		c.blocking(a, true)
		text := []byte("text")
		sending := spi.Overlapped{HEvent: c.event()}
		bufs = []spi.Buf{spi.NewBuf(text[:2]), spi.NewBuf(text[2:])}
		if err := c.WSASend(a, bufs, nil, 0, &sending, nil); err != nil {
			c.want(err, spi.WSA_IO_PENDING)
		}
		bufs[0], bufs[1] = spi.NewBuf(decoy), spi.NewBuf(decoy)
		c.drain(b, filled)
		c.receive(b, "text")
		c.await(sending.HEvent)
	})
}

func TestBehaviour115_PendingLeavesCountAndFlags(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		received, flags := uint32(4711), uint32(0)
		text := make([]byte, 4)
		ov := spi.Overlapped{HEvent: c.event()}
		c.want(c.WSARecv(b, []spi.Buf{spi.NewBuf(text)}, &received, &flags, &ov, nil), spi.WSA_IO_PENDING)
		c.send(a, "x")
		c.await(ov.HEvent)
		if received != 4711 || flags != 0 {
			c.Errorf("%d bytes, flags %#x", received, flags)
		}

		s, name := c.udp()
		flags = spi.MSG_PEEK
		from, n := make([]byte, 16), int32(16)
		ov = spi.Overlapped{HEvent: ov.HEvent}
		c.want(c.WSARecvFrom(s, []spi.Buf{spi.NewBuf(text)}, &received, &flags, from, &n, &ov, nil), spi.WSA_IO_PENDING)
		_, err := c.SendTo(s, []byte("too long"), 0, name)
		c.ok(err)
		c.await(ov.HEvent)
		if received != 4711 || flags != spi.MSG_PEEK {
			c.Errorf("%d bytes, flags %#x", received, flags)
		}
		if string(from[:n]) != string(name) { // the address is stored at the end
			c.Errorf("from %v, want %v", from[:n], name)
		}
	})
}

func TestBehaviour119_BeforeStartup(t *testing.T) {
	each(t, func(c *client) {
		a, _ := c.pair()
		c.ok(c.WSACleanup())
		_, err := c.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
		c.want(err, spi.WSANOTINITIALISED)
		_, err = c.Send(a, []byte("x"), 0)
		c.want(err, spi.WSANOTINITIALISED)
		_, err = c.Select(spi.NewFDSet(a), nil, nil, &now)
		c.want(err, spi.WSANOTINITIALISED)
		c.want(c.CloseSocket(a), spi.WSANOTINITIALISED)
		c.restart()
		_, err = c.Send(a, []byte("x"), 0)
		c.want(err, spi.WSAENOTSOCK) // the cleanup has closed it
	})
}

func TestBehaviour120_SuccessLeavesTheLastError(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		c.want(c.Listen(a, 1), spi.WSAEISCONN)
		unchanged := func(after string) {
			c.Helper()
			if e := c.WSAGetLastError(); e != spi.WSAEISCONN {
				c.Errorf("the last error is %v after %s", e, after)
			}
		}
		c.send(a, "x")
		unchanged("send")
		c.receive(b, "x")
		unchanged("select and recv")
		c.pair()
		unchanged("making sockets")
		ev := c.event()
		op := c.pending(b, 8, ev)
		if e := c.WSAGetLastError(); e != spi.WSA_IO_PENDING {
			c.Errorf("the last error is %v after a pending receive", e)
		}
		c.want(c.Listen(a, 1), spi.WSAEISCONN)
		c.send(a, "y")
		c.await(ev)
		_, err := c.result(op, true)
		c.ok(err)
		unchanged("the result of an operation")
		c.ok(c.CloseSocket(b))
		unchanged("closesocket")
	})
}
