//go:build linux

package conformance

import (
	"errors"
	"testing"

	"upcall.dev/spi"
)

// message is the message that the tests ask for.
const message = 0x401

func (c *client) window() spi.HWND {
	c.Helper()
	wnd, err := c.CreateWindow()
	c.ok(err)
	c.Cleanup(func() { c.ok(c.DestroyWindow(wnd)) })
	return wnd
}

// posted takes the next message and fails the test unless it is this event.
func (c *client) posted(wnd spi.HWND, s spi.Socket, event uint16, code spi.Errno) {
	c.Helper()
	m, err := c.GetMessage(wnd, patienceMS)
	c.ok(err)
	if want := uintptr(uint16(code))<<16 | uintptr(event); m.Message != message || spi.Socket(m.WParam) != s || m.LParam != want {
		c.Fatalf("message %#x, wParam %#x, lParam %#x; want %#x, %#x, %#x", m.Message, m.WParam, m.LParam, message, s, want)
	}
}

func (c *client) notPosted(wnd spi.HWND, when string) {
	c.Helper()
	if m, more := c.PeekMessage(wnd, true); more {
		c.Errorf("message %+v %s", m, when)
	}
}

func TestBehaviour081_OneEventPerMessage(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		wnd := c.window()
		c.ok(c.WSAAsyncSelect(b, wnd, message, spi.FD_READ|spi.FD_CLOSE))
		c.send(a, "x")
		c.posted(wnd, b, spi.FD_READ, 0)
		c.receive(b, "x")
		c.reset(a)
		c.posted(wnd, b, spi.FD_CLOSE, spi.WSAECONNRESET)

		// Two events at once are two messages.
		a, b = c.pair()
		c.send(a, "x")
		c.readable(b)
		c.ok(c.WSAAsyncSelect(b, wnd, message, spi.FD_READ|spi.FD_WRITE))
		var events uintptr
		for range 2 {
			m, err := c.GetMessage(wnd, patienceMS)
			c.ok(err)
			events += m.LParam
		}
		if events != spi.FD_READ+spi.FD_WRITE {
			c.Errorf("the messages' events add up to %#x", events)
		}

		s := c.tcp()
		c.ok(c.WSAAsyncSelect(s, wnd, message, spi.FD_CONNECT))
		c.want(c.Connect(s, c.nobody()), spi.WSAEWOULDBLOCK)
		c.posted(wnd, s, spi.FD_CONNECT, spi.WSAECONNREFUSED)
		c.notPosted(wnd, "at the end")
	})
}

func TestBehaviour090_NoMessagesAfterClose(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		wnd := c.window()
		c.ok(c.WSAAsyncSelect(b, wnd, message, spi.FD_READ|spi.FD_CLOSE))
		c.ok(c.CloseSocket(b))
		c.end(a) // the end has arrived there, and so has whatever the close brings about here
		c.notPosted(wnd, "after closesocket")

		// What is in the queue already may stay there, but nothing follows.
		a, b = c.pair()
		c.ok(c.WSAAsyncSelect(b, wnd, message, spi.FD_READ|spi.FD_CLOSE))
		c.send(a, "x")
		c.posted(wnd, b, spi.FD_READ, 0)
		c.receive(b, "x")
		c.ok(c.CloseSocket(b))
		if _, err := c.Send(a, []byte("y"), 0); err != nil && !errors.Is(err, spi.WSAECONNRESET) && !errors.Is(err, spi.WSAECONNABORTED) {
			c.Error(err)
		}
		c.notPosted(wnd, "after closesocket")
	})
}
