//go:build linux

package conformance

import (
	"testing"

	"upcall.dev/spi"
)

func (c *client) hook(hook func() bool) {
	c.Helper()
	_, err := c.WSASetBlockingHook(hook)
	c.ok(err)
	c.Cleanup(func() { c.ok(c.WSAUnhookBlockingHook()) })
}

func TestBehaviour100_PollingCallsNoHook(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		calls := 0
		c.hook(func() bool { calls++; return false })
		if n, err := c.Select(spi.NewFDSet(b), nil, nil, &now); n != 0 || err != nil {
			c.Errorf("select gives %d, %v", n, err)
		}
		c.blocking(b, false)
		_, err := c.Recv(b, make([]byte, 1), 0)
		c.want(err, spi.WSAEWOULDBLOCK)
		c.send(a, "x") // ends at once
		if calls != 0 {
			c.Errorf("the hook ran %d times where nothing blocks", calls)
		}
		if n, err := c.Select(spi.NewFDSet(a), nil, nil, &spi.Timeval{Usec: 30_000}); n != 0 || err != nil || calls == 0 {
			c.Errorf("select gives %d, %v after %d runs of the hook", n, err, calls)
		}
	}, version1)
}

func TestBehaviour101_TheHookCancels(t *testing.T) {
	each(t, func(c *client) {
		l, _ := c.listener()
		_, b := c.pair()
		calls, inner := 0, 0
		c.hook(func() bool {
			calls++
			inner++
			if calls < 3 {
				return inner%2 == 1 // true: a message was handled, call again
			}
			c.ok(c.WSACancelBlockingCall())
			return false
		})
		_, err := c.Recv(b, make([]byte, 1), 0)
		c.want(err, spi.WSAEINTR)
		if calls != 3 {
			c.Errorf("the hook ran %d times, want 3", calls)
		}
		for what, call := range map[string]func() error{
			"accept": func() error { _, err := c.Accept(l, nil, nil); return err },
			"select": func() error { _, err := c.Select(spi.NewFDSet(l), nil, nil, nil); return err },
		} {
			calls = 0
			if err := call(); err == nil || calls != 3 {
				c.Errorf("%s gives %v after %d runs of the hook", what, err, calls)
			} else {
				c.want(err, spi.WSAEINTR)
			}
		}
	}, version1)
}

// A hook that only returns false leaves the call waiting.
func TestBehaviour101_TheCallGoesOn(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		calls := 0
		c.hook(func() bool {
			if calls++; calls == 3 {
				c.elsewhere(func(c *client) { c.send(a, "late") })
			}
			return false
		})
		text := make([]byte, 8)
		n, err := c.Recv(b, text, 0)
		if string(text[:n]) != "late" || err != nil || calls < 3 {
			c.Errorf("received %q, %v after %d runs of the hook", text[:n], err, calls)
		}
	}, version1)
}

func TestBehaviour104_CallsInTheHook(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		c.want(c.WSACancelBlockingCall(), spi.WSAEINVAL)
		calls := 0
		c.hook(func() bool {
			calls++
			if !c.WSAIsBlocking() {
				c.Error("WSAIsBlocking is FALSE")
			}
			_, err := c.Send(a, []byte("x"), 0)
			c.want(err, spi.WSAEINPROGRESS)
			_, err = c.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
			c.want(err, spi.WSAEINPROGRESS)
			c.want(c.WSACleanup(), spi.WSAEINPROGRESS)
			c.elsewhere(func(c *client) { // other threads are free
				if c.WSAIsBlocking() {
					c.Error("WSAIsBlocking is TRUE on another thread")
				}
				c.name(b)
			})()
			c.ok(c.WSACancelBlockingCall())
			c.ok(c.WSACancelBlockingCall())
			return false
		})
		_, err := c.Recv(b, make([]byte, 1), 0)
		c.want(err, spi.WSAEINTR)
		if calls != 1 || c.WSAIsBlocking() {
			c.Errorf("%d runs of the hook, WSAIsBlocking is %v", calls, c.WSAIsBlocking())
		}
	}, version1)
}

// A blocking send that is cancelled says so, though a part has been sent.
func TestCancelledSend(t *testing.T) {
	each(t, func(c *client) {
		a, _ := c.pair()
		calls := 0
		c.hook(func() bool {
			if calls++; calls == 2 {
				c.ok(c.WSACancelBlockingCall())
			}
			return calls < 2
		})
		n, err := c.Send(a, make([]byte, 64<<20), 0)
		c.want(err, spi.WSAEINTR)
		if n != 0 {
			c.Errorf("sent %d", n)
		}
	}, version1)
}
