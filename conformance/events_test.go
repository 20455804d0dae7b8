//go:build linux

package conformance

import (
	"math/bits"
	"testing"

	"upcall.dev/spi"
)

// selection is what WSAEventSelect asks for.
type selection struct {
	*client
	s  spi.Socket
	ev spi.Event
}

func (c *client) selects(s spi.Socket, mask int32) *selection {
	c.Helper()
	w := &selection{c, s, c.event()}
	c.ok(c.WSAEventSelect(s, w.ev, mask))
	return w
}

// expect waits until the network events in mask are recorded, in one record or
// several, and fails the test at any other. It returns their error codes.
func (w *selection) expect(mask int32) (codes [spi.FDMaxEvents]int32) {
	w.Helper()
	for got := int32(0); got != mask; {
		w.await(w.ev)
		var out spi.NetworkEvents
		w.ok(w.WSAEnumNetworkEvents(w.s, w.ev, &out))
		got |= out.NetworkEvents
		for bit, code := range out.ErrorCode {
			if out.NetworkEvents&(1<<bit) != 0 {
				codes[bit] = code
			}
		}
		if got&^mask != 0 {
			w.Fatalf("network events %#x, want %#x", got, mask)
		}
	}
	return codes
}

// nothing fails the test if a network event is recorded.
func (w *selection) nothing(when string) {
	w.Helper()
	var out spi.NetworkEvents
	w.ok(w.WSAEnumNetworkEvents(w.s, 0, &out))
	if out.NetworkEvents != 0 {
		w.Errorf("network events %#x %s, want none", out.NetworkEvents, when)
	}
}

// Indices of the error codes.
var (
	atConnect = bits.TrailingZeros(spi.FD_CONNECT)
	atClose   = bits.TrailingZeros(spi.FD_CLOSE)
)

func TestBehaviour080_SelectionMakesNonblocking(t *testing.T) {
	each(t, func(c *client) {
		_, b := c.pair()
		w := c.selects(b, spi.FD_READ)
		_, err := c.Recv(b, make([]byte, 1), 0)
		c.want(err, spi.WSAEWOULDBLOCK)
		off := uint32(0)
		c.want(c.IoctlSocket(b, spi.FIONBIO, &off), spi.WSAEINVAL)
		c.ok(c.WSAEventSelect(b, w.ev, 0))
		_, err = c.Recv(b, make([]byte, 1), 0)
		c.want(err, spi.WSAEWOULDBLOCK) // it stays so
		c.ok(c.IoctlSocket(b, spi.FIONBIO, &off))

		wnd := c.window()
		c.ok(c.WSAAsyncSelect(b, wnd, message, spi.FD_READ))
		_, err = c.Recv(b, make([]byte, 1), 0)
		c.want(err, spi.WSAEWOULDBLOCK)
		c.want(c.IoctlSocket(b, spi.FIONBIO, &off), spi.WSAEINVAL)
		c.ok(c.WSAAsyncSelect(b, wnd, 0, 0))
		c.ok(c.IoctlSocket(b, spi.FIONBIO, &off))
	})
}

func TestBehaviour082_ReadComesBackWhenDataIsLeft(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		w := c.selects(b, spi.FD_READ)
		c.send(a, "abcdef")
		w.expect(spi.FD_READ)
		c.send(a, "g")
		c.readable(b)
		w.nothing("before a receiving call")
		_, err := c.Recv(b, make([]byte, 1), spi.MSG_PEEK)
		c.ok(err)
		w.expect(spi.FD_READ)
		_, err = c.Recv(b, make([]byte, 3), 0)
		c.ok(err)
		w.expect(spi.FD_READ)
		c.receive(b, "defg")
		w.nothing("after everything was received")
		_, err = c.Recv(b, make([]byte, 3), 0)
		c.want(err, spi.WSAEWOULDBLOCK)
		c.send(a, "h")
		w.expect(spi.FD_READ)

		// A receiving call that fails enables it as well.
		c.receive(b, "h")
		for range 2 {
			_, err = c.Recv(b, make([]byte, 3), 0)
			c.want(err, spi.WSAEWOULDBLOCK)
		}
		c.send(a, "i")
		w.expect(spi.FD_READ)
	})
}

func TestBehaviour082_DatagramsOneByOne(t *testing.T) {
	each(t, func(c *client) {
		s, name := c.udp()
		w := c.selects(s, spi.FD_READ)
		for range 3 {
			_, err := c.SendTo(s, []byte("x"), 0, name)
			c.ok(err)
		}
		for range 3 {
			w.expect(spi.FD_READ)
			_, err := c.RecvFrom(s, make([]byte, 8), 0, nil, nil)
			c.ok(err)
		}
		w.nothing("after the last datagram")
	})
}

func TestBehaviour083_AcceptIsEnabledByAccepting(t *testing.T) {
	each(t, func(c *client) {
		l, name := c.listener()
		w := c.selects(l, spi.FD_ACCEPT)
		for range 2 {
			c.ok(c.Connect(c.tcp(), name))
		}
		w.expect(spi.FD_ACCEPT)
		c.readable(l)
		w.nothing("before accepting")
		_, err := c.Accept(l, nil, nil)
		c.ok(err)
		w.expect(spi.FD_ACCEPT)
		_, err = c.Accept(l, nil, nil)
		c.ok(err)
		w.nothing("after everything was accepted")
		_, err = c.Accept(l, nil, nil)
		c.want(err, spi.WSAEWOULDBLOCK)
		c.ok(c.Connect(c.tcp(), name))
		w.expect(spi.FD_ACCEPT)
	})
}

func TestBehaviour083_AcceptIsEnabledByAcceptEx(t *testing.T) {
	each(t, func(c *client) {
		l, name := c.listener()
		w := c.selects(l, spi.FD_ACCEPT)
		for range 2 {
			c.ok(c.Connect(c.tcp(), name))
		}
		w.expect(spi.FD_ACCEPT)
		c.readable(l)
		w.nothing("before accepting")
		const room = spi.SizeofSockaddrIn + 16
		for _, more := range []int32{spi.FD_ACCEPT, 0} {
			ov := spi.Overlapped{HEvent: c.event()}
			s, out := c.tcp(), make([]byte, 2*room)
			var n uint32
			c.want(c.AcceptEx(l, s, out, 0, room, room, &n, &ov), spi.WSA_IO_PENDING) // though a connection is there
			c.await(ov.HEvent)
			if ov.Internal != 0 {
				c.Fatalf("AcceptEx ends with %+v", ov)
			}
			if more != 0 {
				w.expect(more)
			} else {
				w.nothing("after everything was accepted")
			}
		}
	})
}

func TestBehaviour083_WriteIsEnabledBySending(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		w := c.selects(a, spi.FD_WRITE)
		w.expect(spi.FD_WRITE)
		c.send(a, "x")
		c.receive(b, "x")
		w.nothing("after a send that succeeded")
		c.drain(b, c.fill(a))
		w.expect(spi.FD_WRITE)
		c.send(a, "fits")
		w.nothing("after a send that succeeded")
	})
}

func TestBehaviour083_ConnectAndCloseAreNeverEnabledAgain(t *testing.T) {
	each(t, func(c *client) {
		l, name := c.listener()
		a := c.tcp()
		w := c.selects(a, spi.FD_CONNECT|spi.FD_CLOSE)
		c.connecting(a, name)
		w.expect(spi.FD_CONNECT)
		b, err := c.Accept(l, nil, nil)
		c.ok(err)
		c.want(c.Connect(a, name), spi.WSAEISCONN)
		c.send(a, "x")
		c.receive(b, "x")
		w.nothing("after the connection")
		c.ok(c.CloseSocket(b))
		w.expect(spi.FD_CLOSE)
		for range 2 {
			c.end(a)
			w.nothing("after the end")
		}
	})
}

const noOutOfBand = "the memory provider's streams have no out-of-band data (WSAEOPNOTSUPP)"

func TestBehaviour083_OutOfBandLikeRead(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		w := c.selects(b, spi.FD_OOB)
		for range 2 {
			_, err := c.Send(a, []byte("!"), spi.MSG_OOB)
			c.ok(err)
			w.expect(spi.FD_OOB)
			w.nothing("before a receiving call")
			mark := make([]byte, 2)
			n, err := c.Recv(b, mark, spi.MSG_OOB)
			if n != 1 || err != nil || mark[0] != '!' {
				c.Fatalf("received %q, %v", mark[:n], err)
			}
			w.nothing("after it was received")
		}
	}, except(noOutOfBand, "memory"))
}

// What still holds is recorded again, without anything new from the network.
func TestBehaviour084_LevelTriggered(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		c.send(a, "abcdef")
		w := c.selects(b, spi.FD_READ)
		for range 5 {
			w.expect(spi.FD_READ)
			_, err := c.Recv(b, make([]byte, 1), 0)
			c.ok(err)
		}
		w.expect(spi.FD_READ)
		c.ok(c.WSAEventSelect(b, w.ev, spi.FD_READ))
		w.expect(spi.FD_READ)

		l, name := c.listener()
		for range 3 {
			c.ok(c.Connect(c.tcp(), name))
		}
		w = c.selects(l, spi.FD_ACCEPT)
		for range 3 {
			w.expect(spi.FD_ACCEPT)
			_, err := c.Accept(l, nil, nil)
			c.ok(err)
		}
		w.nothing("after everything was accepted")
	})
}

// Changes of routes and addresses are recorded when they happen, not because
// they have happened or because something was asked for.
func TestBehaviour084_EdgeTriggered(t *testing.T) {
	each(t, func(c *client) {
		s, _ := c.udp()
		w := c.selects(s, spi.FD_ADDRESS_LIST_CHANGE|spi.FD_ROUTING_INTERFACE_CHANGE|spi.FD_QOS)
		w.nothing("at the selection")
		var n uint32
		c.want(c.WSAIoctl(s, spi.SIO_ADDRESS_LIST_CHANGE, nil, nil, &n, nil, nil), spi.WSAEWOULDBLOCK)
		w.nothing("after asking")
		c.ok(c.WSAEventSelect(s, w.ev, spi.FD_ADDRESS_LIST_CHANGE))
		w.nothing("at the second selection")
	}, except("the memory provider's addresses never change (WSAEOPNOTSUPP)", "memory"))
}

func TestBehaviour085_WriteOnceAfterConnectAndAccept(t *testing.T) {
	each(t, func(c *client) {
		l, name := c.listener()
		a := c.tcp()
		w := c.selects(a, spi.FD_WRITE)
		w.nothing("before connecting")
		c.connecting(a, name)
		w.expect(spi.FD_WRITE)
		w.nothing("a second time")
		b, err := c.Accept(l, nil, nil)
		c.ok(err)
		w = c.selects(b, spi.FD_WRITE)
		w.expect(spi.FD_WRITE)
		w.nothing("a second time")
	})
}

func TestBehaviour086_ConnectCarriesTheOutcome(t *testing.T) {
	each(t, func(c *client) {
		a := c.tcp()
		w := c.selects(a, spi.FD_CONNECT|spi.FD_WRITE)
		c.want(c.Connect(a, c.nobody()), spi.WSAEWOULDBLOCK)
		if code := spi.Errno(w.expect(spi.FD_CONNECT)[atConnect]); code != spi.WSAECONNREFUSED {
			c.Errorf("FD_CONNECT with %v", code)
		}
		_, name := c.listener()
		c.connecting(a, name)
		if code := w.expect(spi.FD_CONNECT | spi.FD_WRITE)[atConnect]; code != 0 {
			c.Errorf("FD_CONNECT with %v", spi.Errno(code))
		}
	})
}

func TestBehaviour087_CloseComesAfterTheData(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		w := c.selects(b, spi.FD_READ|spi.FD_CLOSE)
		c.send(a, "abc")
		c.ok(c.CloseSocket(a))
		w.expect(spi.FD_READ)
		_, err := c.Recv(b, make([]byte, 2), 0)
		c.ok(err)
		w.expect(spi.FD_READ)
		w.nothing("while data is left")
		c.receive(b, "c")
		if code := w.expect(spi.FD_CLOSE)[atClose]; code != 0 {
			c.Errorf("FD_CLOSE with %v", spi.Errno(code))
		}
		c.end(b)
		w.nothing("after the end") // no FD_READ for it

		a, b = c.pair()
		w = c.selects(b, spi.FD_READ|spi.FD_CLOSE)
		c.ok(c.CloseSocket(a))
		w.expect(spi.FD_CLOSE)
		w.nothing("after the end")

		a, b = c.pair()
		w = c.selects(b, spi.FD_READ|spi.FD_CLOSE)
		c.reset(a)
		if code := spi.Errno(w.expect(spi.FD_CLOSE)[atClose]); code != spi.WSAECONNRESET {
			c.Errorf("FD_CLOSE with %v", code)
		}

		a, b = c.pair()
		w = c.selects(b, spi.FD_READ|spi.FD_CLOSE)
		c.ok(c.Shutdown(a, spi.SD_SEND))
		w.expect(spi.FD_CLOSE)
	})
}

func TestBehaviour088_WhatHoldsAlreadyFires(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		c.send(a, "abc")
		c.readable(b)
		c.selects(b, spi.FD_READ|spi.FD_WRITE).expect(spi.FD_READ | spi.FD_WRITE)
		s, _ := c.udp()
		c.selects(s, spi.FD_READ|spi.FD_WRITE).expect(spi.FD_WRITE)
		l, name := c.listener()
		c.ok(c.Connect(c.tcp(), name))
		c.readable(l)
		c.selects(l, spi.FD_ACCEPT).expect(spi.FD_ACCEPT)
		c.receive(b, "abc")
		c.ok(c.CloseSocket(b))
		c.readable(a)
		c.selects(a, spi.FD_CLOSE).expect(spi.FD_CLOSE)
	})
}

func TestBehaviour089_SelectionReplaces(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		first := c.selects(b, spi.FD_READ)
		second := c.selects(b, spi.FD_READ|spi.FD_WRITE)
		second.expect(spi.FD_WRITE)
		c.send(a, "x")
		second.expect(spi.FD_READ)
		if c.isSet(first.ev) {
			c.Error("the event of the selection before is set")
		}
		c.receive(b, "x")

		// The record is cleared: FD_READ is not of the new mask any more.
		c.send(a, "y")
		c.readable(b)
		third := c.selects(b, spi.FD_WRITE)
		third.expect(spi.FD_WRITE)
		c.receive(b, "y")

		// Messages in place of events, and events in place of messages.
		wnd := c.window()
		c.ok(c.WSAAsyncSelect(b, wnd, message, spi.FD_READ))
		c.ok(c.WSAResetEvent(third.ev))
		c.send(a, "z")
		c.posted(wnd, b, spi.FD_READ, 0)
		if c.isSet(third.ev) {
			c.Error("the event is set, although messages were asked for")
		}
		c.receive(b, "z")
		fourth := c.selects(b, spi.FD_READ)
		c.send(a, "w")
		fourth.expect(spi.FD_READ)
		c.notPosted(wnd, "although events were asked for")

		// Zero ends it.
		c.ok(c.WSAEventSelect(b, 0, 0))
		c.ok(c.WSAResetEvent(fourth.ev))
		c.receive(b, "w")
		c.send(a, "v")
		c.readable(b)
		if c.isSet(fourth.ev) {
			c.Error("the event is set after the selection has ended")
		}
		fourth.nothing("after the selection has ended")
	})
}

func TestBehaviour091_EnumCopiesAndClears(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		w := c.selects(b, spi.FD_READ|spi.FD_WRITE)
		c.send(a, "x")
		c.readable(b)
		c.await(w.ev)
		var got int32
		for got != spi.FD_READ|spi.FD_WRITE {
			c.await(w.ev)
			out := spi.NetworkEvents{}
			for i := range out.ErrorCode {
				out.ErrorCode[i] = 4711
			}
			c.ok(c.WSAEnumNetworkEvents(b, w.ev, &out))
			got |= out.NetworkEvents
			for i, code := range out.ErrorCode {
				if set := out.NetworkEvents&(1<<i) != 0; set && code != 0 || !set && code != 4711 {
					c.Errorf("events %#x with code %d at %d", out.NetworkEvents, code, i)
				}
			}
		}
		if c.isSet(w.ev) {
			c.Error("the event is still set")
		}
		w.nothing("the second time")

		// Without the event, it stays set.
		_, err := c.Recv(b, make([]byte, 1), spi.MSG_PEEK)
		c.ok(err)
		c.await(w.ev)
		var out spi.NetworkEvents
		c.ok(c.WSAEnumNetworkEvents(b, 0, &out))
		if out.NetworkEvents != spi.FD_READ || !c.isSet(w.ev) {
			c.Errorf("events %#x, the event is set: %v", out.NetworkEvents, c.isSet(w.ev))
		}
	})
}

func TestBehaviour092_FailingEnumLeavesTheRecord(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		w := c.selects(b, spi.FD_READ)
		c.send(a, "x")
		c.await(w.ev)
		out := spi.NetworkEvents{NetworkEvents: 4711}
		c.want(c.WSAEnumNetworkEvents(b, 0x4711, &out), spi.WSAEINVAL)
		c.want(c.WSAEnumNetworkEvents(b, w.ev, nil), spi.WSAEFAULT)
		w.expect(spi.FD_READ)
	})
}

func TestBehaviour093_AcceptedSocketsInherit(t *testing.T) {
	each(t, func(c *client) {
		l, name := c.listener()
		w := c.selects(l, spi.FD_ACCEPT|spi.FD_READ)
		a := c.tcp()
		c.ok(c.Connect(a, name))
		w.expect(spi.FD_ACCEPT)
		b, err := c.Accept(l, nil, nil)
		c.ok(err)
		inherited := &selection{c, b, w.ev}
		c.send(a, "x")
		inherited.expect(spi.FD_READ)
		c.receive(b, "x")
		_, err = c.Recv(b, make([]byte, 2), 0)
		c.want(err, spi.WSAEWOULDBLOCK)

		// Selecting anew is safe: nothing gets lost.
		c.send(a, "y")
		c.selects(b, spi.FD_READ).expect(spi.FD_READ)

		// The same with messages.
		wnd := c.window()
		c.ok(c.WSAAsyncSelect(l, wnd, message, spi.FD_ACCEPT|spi.FD_READ))
		a = c.tcp()
		c.ok(c.Connect(a, name))
		c.posted(wnd, l, spi.FD_ACCEPT, 0)
		b, err = c.Accept(l, nil, nil)
		c.ok(err)
		c.send(a, "z")
		c.posted(wnd, b, spi.FD_READ, 0)
	})
}

func TestBehaviour094_DeferredHeadSilencesTheQueue(t *testing.T) {
	each(t, func(c *client) {
		l, name := c.listener()
		w := c.selects(l, spi.FD_ACCEPT)
		c.ok(c.Connect(c.tcp(), name))
		w.expect(spi.FD_ACCEPT)
		_, err := c.WSAAccept(l, nil, nil, func([]byte, *spi.Buf, *spi.QOS, *spi.QOS, []byte, *spi.Buf, *spi.Group, uintptr) int32 {
			return spi.CF_DEFER
		}, 0)
		c.want(err, spi.WSATRY_AGAIN)
		c.readable(l) // select does not depend on it
		c.ok(c.Connect(c.tcp(), name))
		c.readable(l)
		w.nothing("while the head is deferred")
		_, err = c.Accept(l, nil, nil)
		c.ok(err)
		w.expect(spi.FD_ACCEPT)
	})
}
