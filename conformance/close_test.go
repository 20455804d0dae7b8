//go:build linux

package conformance

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"upcall.dev/spi"
)

func TestBehaviour105_GracefulClose(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		c.send(a, "last words")
		c.ok(c.CloseSocket(a)) // SO_DONTLINGER
		c.receive(b, "last words")
		c.end(b)
	})
}

func TestBehaviour105_HardClose(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		c.reset(a)
		c.readable(b)
		_, err := c.Recv(b, make([]byte, 8), 0)
		c.want(err, spi.WSAECONNRESET)
	})
}

func TestBehaviour105_LingeringClose(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		c.linger(a, 60)
		c.blocking(a, false)
		total := c.fill(a)
		for range 3 { // so that the buffers of both sides are full
			time.Sleep(5 * time.Millisecond)
			total += c.fill(a)
		}
		c.blocking(a, true)
		var receiving atomic.Bool
		join := c.elsewhere(func(c *client) {
			receiving.Store(true)
			c.drain(b, total)
		})
		c.ok(c.CloseSocket(a))
		if !receiving.Load() {
			c.Error("closed before the data could be sent")
		}
		join()
		c.end(b)
	})
}

// What the peer has not taken in time is lost, and the peer knows.
func TestBehaviour105_LingeringEnds(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		c.linger(a, 1)
		c.blocking(a, false)
		total := c.fill(a)
		c.blocking(a, true)
		c.ok(c.CloseSocket(a))
		for got := 0; ; {
			c.readable(b)
			n, err := c.Recv(b, make([]byte, 1<<18), 0)
			if err != nil {
				c.want(err, spi.WSAECONNRESET)
				return
			}
			if got += n; n == 0 || got > total {
				c.Fatalf("the stream goes on, or ends gracefully, after %d of %d bytes", got, total)
			}
		}
	})
}

func TestBehaviour105_NonblockingClose(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		c.linger(a, 30)
		c.blocking(a, false)
		c.want(c.CloseSocket(a), spi.WSAEWOULDBLOCK)
		c.send(a, "still open")
		c.receive(b, "still open")
		c.blocking(a, true)
		c.ok(c.CloseSocket(a))
		c.end(b)
	})
}

func TestBehaviour106_Shutdown(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		for _, how := range []int32{3, -1} {
			c.want(c.Shutdown(a, how), spi.WSAEINVAL)
		}
		c.want(c.Shutdown(c.tcp(), spi.SD_SEND), spi.WSAENOTCONN)
		l, _ := c.listener()
		c.want(c.Shutdown(l, spi.SD_BOTH), spi.WSAENOTCONN)
		c.send(a, "before")
		c.ok(c.Shutdown(a, spi.SD_SEND))
		_, err := c.Send(a, []byte("after"), 0)
		c.want(err, spi.WSAESHUTDOWN)
		c.receive(b, "before")
		c.end(b)
		c.send(b, "still here")
		c.receive(a, "still here")
		c.ok(c.Shutdown(a, spi.SD_RECEIVE))
		_, err = c.Recv(a, make([]byte, 1), 0)
		c.want(err, spi.WSAESHUTDOWN)
	})
}

func TestBehaviour107_EndOfReceptionWithDataResets(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		c.send(a, "unread")
		c.readable(b)
		c.ok(c.Shutdown(b, spi.SD_RECEIVE))
		c.readable(a)
		_, err := c.Recv(a, make([]byte, 1), 0)
		c.want(err, spi.WSAECONNRESET)

		a, b = c.pair()
		c.ok(c.Shutdown(b, spi.SD_RECEIVE))
		c.send(b, "sending goes on")
		c.receive(a, "sending goes on")
		if _, err := c.Send(a, []byte("unwanted"), 0); err != nil && !errors.Is(err, spi.WSAECONNRESET) {
			c.Error(err) // a network without delay may answer the send itself
		}
		c.readable(a)
		_, err = c.Recv(a, make([]byte, 1), 0)
		c.want(err, spi.WSAECONNRESET)
	})
}

func TestBehaviour108_Bind(t *testing.T) {
	each(t, func(c *client) {
		s := c.tcp()
		c.want(c.Bind(s, nil), spi.WSAEFAULT)
		c.want(c.Bind(s, anyPort[:15]), spi.WSAEFAULT)
		c.ok(c.Bind(s, anyPort))
		c.want(c.Bind(s, anyPort), spi.WSAEINVAL)
		u, name := c.udp()
		c.want(c.Bind(u, anyPort), spi.WSAEINVAL)
		other, err := c.Socket(spi.AF_INET, spi.SOCK_DGRAM, 0)
		c.ok(err)
		c.want(c.Bind(other, name), spi.WSAEADDRINUSE)
	})
}

func TestBehaviour109_Listen(t *testing.T) {
	each(t, func(c *client) {
		c.want(c.Listen(c.tcp(), 1), spi.WSAEINVAL)
		a, _ := c.pair()
		c.want(c.Listen(a, 1), spi.WSAEISCONN)
		u, _ := c.udp()
		c.want(c.Listen(u, 1), spi.WSAEOPNOTSUPP)
		l, name := c.listener()
		for _, backlog := range []int32{spi.SOMAXCONN, 0, -200, 5} {
			c.ok(c.Listen(l, backlog))
		}
		c.want(c.Connect(l, name), spi.WSAEINVAL)
		_, err := c.Accept(c.tcp(), nil, nil)
		c.want(err, spi.WSAEINVAL)
	})
}

func TestBehaviour110_NamesThatAreNotThere(t *testing.T) {
	each(t, func(c *client) {
		s := c.tcp()
		name, n := make([]byte, spi.SizeofSockaddrIn), int32(spi.SizeofSockaddrIn)
		c.want(c.GetSockName(s, name, &n), spi.WSAEINVAL)
		c.want(c.GetPeerName(s, name, &n), spi.WSAENOTCONN)
		c.ok(c.Bind(s, anyPort))
		c.want(c.GetPeerName(s, name, &n), spi.WSAENOTCONN)

		a, b := c.pair()
		c.ok(c.GetPeerName(a, name, &n))
		if want := c.name(b); n != spi.SizeofSockaddrIn || string(name) != string(want) {
			c.Errorf("the peer is %v (%d bytes), want %v", name, n, want)
		}
		n = 15
		c.want(c.GetPeerName(a, name[:15], &n), spi.WSAEFAULT)
		c.want(c.GetSockName(a, name[:15], &n), spi.WSAEFAULT)
	})
}

func TestBehaviour111_DuplicateOutlivesTheOriginal(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		twin, err := c.WSASocket(0, 0, 0, c.duplicate(a), 0, spi.WSA_FLAG_OVERLAPPED)
		c.ok(err)
		if twin == a {
			c.Fatal("the duplicate has the same handle")
		}
		c.blocking(a, false) // of both
		_, err = c.Recv(twin, make([]byte, 1), 0)
		c.want(err, spi.WSAEWOULDBLOCK)
		c.blocking(twin, true)
		c.ok(c.CloseSocket(a))
		c.send(twin, "there")
		c.receive(b, "there")
		c.send(b, "and back")
		c.receive(twin, "and back")
		c.ok(c.CloseSocket(twin))
		c.end(b)
	})
}

// Only the last descriptor's close closes, in whichever way.
func TestBehaviour111_CloseOfOneOfTwo(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		twin, err := c.WSASocket(0, 0, 0, c.duplicate(a), 0, spi.WSA_FLAG_OVERLAPPED)
		c.ok(err)
		c.reset(a)
		c.send(twin, "not reset")
		c.receive(b, "not reset")
		third, err := c.WSASocket(0, 0, 0, c.duplicate(twin), 0, spi.WSA_FLAG_OVERLAPPED)
		c.ok(err)
		c.linger(twin, 30)
		c.blocking(twin, false)
		c.ok(c.CloseSocket(twin)) // there is nothing to wait for
		c.want(c.CloseSocket(third), spi.WSAEWOULDBLOCK)
		c.send(third, "nor lost")
		c.receive(b, "nor lost")
		c.reset(third)
		c.readable(b)
		_, err = c.Recv(b, make([]byte, 8), 0)
		c.want(err, spi.WSAECONNRESET)
	})
}

func TestBehaviour112_DuplicateInfoWorksOnce(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		info := c.duplicate(a)
		const from = spi.FROM_PROTOCOL_INFO
		twin, err := c.WSASocket(from, from, from, info, 0, spi.WSA_FLAG_OVERLAPPED)
		c.ok(err)
		_, err = c.WSASocket(from, from, from, info, 0, spi.WSA_FLAG_OVERLAPPED)
		c.want(err, spi.WSAEINVAL)
		c.send(b, "x")
		c.receive(twin, "x")
	})
}
