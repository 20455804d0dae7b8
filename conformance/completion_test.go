//go:build linux

package conformance

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

func TestBehaviour029_CompletionByEvent(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		ev := c.event()
		c.ok(c.WSASetEvent(ev)) // the start resets it
		op := c.pending(b, 20, ev)
		if c.isSet(ev) || !op.InProgress() {
			c.Error("complete before anything came")
		}
		c.send(a, "0123456789")
		c.await(ev)
		c.completed(op, "0123456789")
		if n, err := c.result(op, false); n != 10 || err != nil {
			c.Errorf("the result is %d, %v", n, err)
		}
	})
}

func TestBehaviour030_ReaderSeesBytesAfterStatus(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		ev := c.event()
		for i := range 50 {
			size := 1 + i%7
			op := c.pending(b, 8, ev)
			seen := make(chan uint64)
			go func() {
				for op.InProgress() {
					runtime.Gosched()
				}
				seen <- op.InternalHigh
			}()
			c.send(a, "0123456"[:size])
			if got := <-seen; got != uint64(size) {
				c.Fatalf("the reader sees %d bytes, want %d", got, size)
			}
		}
	})
}

func TestBehaviour031_CompletionWithoutIndication(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		op := c.pending(b, 8, 0)
		c.send(a, "abc")
		c.eventually("the completion", func() bool { return !op.InProgress() })
		c.completed(op, "abc")
		if n, err := c.result(op, true); n != 3 || err != nil {
			c.Errorf("the result is %d, %v", n, err)
		}
	})
}

func TestBehaviour032_CompletionByPort(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		p := c.port(a, b)
		op := c.pending(b, 20, 0)
		c.noPacket(p)
		c.send(a, "0123456789")
		c.packet(p, op, 0, 10)
		c.completed(op, "0123456789")
		c.noPacket(p)
		out := &operation{s: a, buf: []byte("out")}
		if err := c.WSASend(a, []spi.Buf{spi.NewBuf(out.buf)}, nil, 0, &out.Overlapped, nil); err != nil {
			c.want(err, spi.WSA_IO_PENDING)
		}
		c.packet(p, out, 0, 3)
		c.receive(b, "out")
		c.noPacket(p)
	})
}

// A packet too many would come before that of the next operation.
func TestBehaviour033_TaggedEventSuppressesPacket(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		p, ev := c.port(b), c.event()
		tagged := c.pending(b, 8, ev|1)
		c.send(a, "one")
		c.await(ev)
		c.completed(tagged, "one")
		plain := c.pending(b, 8, 0)
		c.send(a, "two")
		c.packet(p, plain, 0, 3)
		c.noPacket(p)
	})
}

func TestBehaviour034_EventAndPacket(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		p, ev := c.port(b), c.event()
		op := c.pending(b, 8, ev)
		c.send(a, "both")
		c.await(ev)
		c.completed(op, "both")
		c.packet(p, op, 0, 4)

		op = c.pending(b, 8, ev)
		c.send(a, "again")
		c.packet(p, op, 0, 5)
		c.await(ev)
	})
}

func TestBehaviour035_FailureInThePacket(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		p := c.port(b)
		op := c.pending(b, 8, 0)
		c.reset(a)
		c.packet(p, op, spi.WSAECONNRESET, 0)
		if op.Internal == 0 || op.InProgress() {
			c.Errorf("Internal is %#x", op.Internal)
		}
		if n, err := c.result(op, false); !errors.Is(err, spi.WSAECONNRESET) {
			c.Errorf("the result is %d, %v", n, err)
		}
	})
}

// A socket may be tied to a port while operations are under way: the port tells
// of them as well.
func TestPortAssociatedMeanwhile(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		ev, tagged := c.event(), c.event()
		plain, both, alone := c.pending(b, 2, 0), c.pending(b, 2, ev), c.pending(b, 2, tagged|1)
		p := c.port(b)
		c.send(a, "11")
		c.packet(p, plain, 0, 2)
		c.send(a, "22")
		c.packet(p, both, 0, 2)
		c.await(ev)
		c.send(a, "33")
		c.await(tagged)
		c.completed(alone, "33")
		c.noPacket(p)

		_, b = c.pair()
		op := c.pending(b, 2, 0)
		p = c.port(b)
		c.ok(c.CloseSocket(b))
		c.packet(p, op, spi.WSA_OPERATION_ABORTED, 0)
	})
}

// A port and a completion routine exclude each other.
func TestNoRoutineBesideAPort(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		p := c.port(b)
		routine := func(spi.Errno, uint32, *spi.Overlapped, uint32) { c.Error("the routine ran") }
		op, err := c.startReceive(b, 4, 0, routine)
		c.want(err, spi.WSAEINVAL)
		if op.InProgress() {
			c.Errorf("the operation has %+v", op.Overlapped)
		}
		c.send(a, "text")
		c.receive(b, "text")
		if code := c.SleepEx(0, true); code != 0 {
			c.Errorf("the alertable wait gives %#x", code)
		}
		c.noPacket(p)
	})
}

// The error and the flags that the provider stores come to the client.
func TestBehaviour036_ErrorAndFlagsAreTheProviders(t *testing.T) {
	each(t, func(c *client) {
		s, name := c.udp()
		p := c.port(s)
		op := c.pending(s, 4, 0)
		_, err := c.SendTo(s, []byte("0123456789"), 0, name)
		c.ok(err)
		c.packet(p, op, spi.WSAEMSGSIZE, 4)
		if spi.Errno(op.OffsetHigh) != spi.WSAEMSGSIZE || string(op.buf) != "0123" {
			c.Errorf("the operation has %+v, %q", op.Overlapped, op.buf)
		}
		var n, flags uint32
		c.want(c.WSAGetOverlappedResult(s, &op.Overlapped, &n, false, &flags), spi.WSAEMSGSIZE)
		if n != 4 || flags != spi.MSG_PARTIAL || flags != op.Offset {
			c.Errorf("the result is %d bytes, flags %#x, of %+v", n, flags, op.Overlapped)
		}
	})
}

func TestBehaviour037_PacketsComeInTheOrderOfCompletion(t *testing.T) {
	each(t, func(c *client) {
		a1, b1 := c.pair()
		a2, b2 := c.pair()
		p := c.port(b1, b2)
		first := c.pending(b1, 8, 0)
		second := c.pending(b2, 8, 0)
		c.send(a2, "two")
		c.packet(p, second, 0, 3)
		// On one socket: a send that begins after a receive ends before it.
		out := &operation{s: b1, buf: []byte("out")}
		if err := c.WSASend(b1, []spi.Buf{spi.NewBuf(out.buf)}, nil, 0, &out.Overlapped, nil); err != nil {
			c.want(err, spi.WSA_IO_PENDING)
		}
		c.packet(p, out, 0, 3)
		c.send(a1, "one")
		c.packet(p, first, 0, 3)
		c.noPacket(p)

		// Receives of one socket are served in the order of their start.
		ops := []*operation{c.pending(b1, 2, 0), c.pending(b1, 2, 0), c.pending(b1, 2, 0)}
		c.send(a1, "112233")
		for i, op := range ops {
			c.packet(p, op, 0, 2)
			c.completed(op, []string{"11", "22", "33"}[i])
		}
	})
}

func TestBehaviour038_HandlesDoNotDisturbEachOther(t *testing.T) {
	each(t, func(c *client) {
		a1, b1 := c.pair()
		a2, b2 := c.pair()
		p1, p2 := c.port(b1), c.port(b2)
		quietEvent, event := c.event(), c.event()
		quiet, op := c.pending(b1, 8, quietEvent), c.pending(b2, 8, event)
		c.send(a2, "x")
		c.packet(p2, op, 0, 1)
		c.await(event)
		c.noPacket(p1)
		if !quiet.InProgress() || c.isSet(quietEvent) {
			c.Error("the other operation has changed")
		}
		c.ok(c.CloseSocket(b2))
		c.send(a1, "y")
		c.packet(p1, quiet, 0, 1)
	})
}

func TestBehaviour040_IncompleteResultLeavesTheCount(t *testing.T) {
	each(t, func(c *client) {
		_, b := c.pair()
		op := c.pending(b, 8, c.event())
		n, flags := uint32(4711), uint32(0)
		c.want(c.WSAGetOverlappedResult(b, &op.Overlapped, &n, false, &flags), spi.WSA_IO_INCOMPLETE)
		if n != 4711 {
			c.Errorf("the count is %d", n)
		}
	})
}

func TestBehaviour041_ResultWaits(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		op := c.pending(b, 8, c.event())
		c.elsewhere(func(c *client) { c.send(a, "late") })
		n, err := c.result(op, true)
		c.ok(err)
		if n != 4 {
			c.Errorf("%d bytes", n)
		}
		c.completed(op, "late")
	})
}

// The event is set before the wait for the result is over: a client that uses it
// for the next operation never finds it set by the one before.
func TestResultComesAfterTheEvent(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		ev := c.event()
		turn := make(chan bool)
		c.elsewhere(func(c *client) {
			for range turn {
				time.Sleep(time.Millisecond) // the other thread waits by now
				c.send(a, "x")
			}
		})
		defer close(turn)
		for range 100 {
			op := c.pending(b, 8, ev)
			turn <- true
			if n, err := c.result(op, true); n != 1 || err != nil || !c.isSet(ev) {
				c.Fatalf("the result is %d, %v; the event is set: %v", n, err, c.isSet(ev))
			}
		}
	})
}

func TestBehaviour042_CloseAbortsWithIndication(t *testing.T) {
	each(t, func(c *client) {
		_, b := c.pair()
		ev := c.event()
		op := c.pending(b, 8, ev)
		c.ok(c.CloseSocket(b))
		c.await(ev)
		c.aborted(op)

		_, b = c.pair()
		p := c.port(b)
		op = c.pending(b, 8, 0)
		c.ok(c.CloseSocket(b))
		c.packet(p, op, spi.WSA_OPERATION_ABORTED, 0)
		c.aborted(op)

		_, b = c.pair()
		var status []spi.Errno
		op, err := c.startReceive(b, 8, 0, func(e spi.Errno, _ uint32, _ *spi.Overlapped, _ uint32) {
			status = append(status, e)
		})
		c.want(err, spi.WSA_IO_PENDING)
		c.ok(c.CloseSocket(b))
		if code := c.SleepEx(patienceMS, true); code != spi.WSA_WAIT_IO_COMPLETION {
			c.Fatalf("the alertable wait gives %#x", code)
		}
		if len(status) != 1 || status[0] != spi.WSA_OPERATION_ABORTED {
			c.Errorf("the routine got %v", status)
		}
		c.aborted(op)
	})
}

// The result of an operation that was cancelled, on a socket that is still open.
func TestBehaviour042_ResultOfAnAbortedOperation(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		ev := c.event()
		op, other := c.pending(b, 8, ev), c.pending(b, 8, c.event())
		c.ok(c.CancelIoEx(b, &op.Overlapped))
		c.await(ev)
		c.aborted(op)
		if n, err := c.result(op, false); n != 0 || !errors.Is(err, spi.WSA_OPERATION_ABORTED) {
			c.Errorf("the result is %d, %v", n, err)
		}
		c.want(c.CancelIoEx(b, &op.Overlapped), spi.ERROR_NOT_FOUND)
		c.send(a, "for the other")
		c.await(other.HEvent)
		c.completed(other, "for the ")
	})
}

func TestBehaviour043_CleanupAbortsWithoutIndication(t *testing.T) {
	each(t, func(c *client) {
		_, b1 := c.pair()
		_, b2 := c.pair()
		_, b3 := c.pair()
		ev, p := c.event(), c.port(b2)
		ran := false
		ops := []*operation{c.pending(b1, 8, ev), c.pending(b2, 8, 0)}
		op, err := c.startReceive(b3, 8, 0, func(spi.Errno, uint32, *spi.Overlapped, uint32) { ran = true })
		c.want(err, spi.WSA_IO_PENDING)
		ops = append(ops, op)
		c.ok(c.WSAStartup(spi.Version22, new(ws2.WSAData)))
		c.ok(c.WSACleanup()) // not the last
		for _, op := range ops {
			if !op.InProgress() {
				c.Error("ended by a cleanup that was not the last")
			}
		}
		c.ok(c.WSACleanup())
		for _, op := range ops {
			c.aborted(op)
		}
		if c.isSet(ev) {
			c.Error("the event is set")
		}
		if code := c.SleepEx(0, true); code != 0 || ran {
			c.Errorf("the alertable wait gives %#x; the routine ran: %v", code, ran)
		}
		c.noPacket(p)
		c.restart()
		a, b := c.pair()
		c.send(a, "again")
		c.receive(b, "again")
	})
}

// When the call returns success, the indication is there already.
func TestBehaviour044_ImmediateSuccessHasBeenIndicated(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		immediate := 0
		arrive := func() {
			c.send(a, "here")
			c.readable(b)
		}
		ev := c.event()
		arrive()
		op, err := c.startReceive(b, 8, ev, nil)
		if err == nil {
			immediate++
			if !c.isSet(ev) {
				c.Error("the event is not set")
			}
		} else {
			c.want(err, spi.WSA_IO_PENDING)
			c.await(ev)
		}
		c.completed(op, "here")

		arrive()
		runs := 0
		op, err = c.startReceive(b, 8, 0, func(spi.Errno, uint32, *spi.Overlapped, uint32) { runs++ })
		milliseconds := uint32(0)
		if err == nil {
			immediate++
		} else {
			c.want(err, spi.WSA_IO_PENDING)
			milliseconds = patienceMS
		}
		if runs != 0 {
			c.Error("the routine ran inside the call")
		}
		if code := c.SleepEx(milliseconds, true); code != spi.WSA_WAIT_IO_COMPLETION || runs != 1 {
			c.Errorf("the alertable wait gives %#x, after %d runs of the routine", code, runs)
		}
		c.completed(op, "here")

		p := c.port(b)
		arrive()
		op, err = c.startReceive(b, 8, 0, nil)
		if err == nil {
			immediate++
			got, err := c.GetQueuedCompletionStatus(p, 0)
			if got.Overlapped != &op.Overlapped || err != nil {
				c.Errorf("the packet is %+v, %v", got, err)
			}
		} else {
			c.want(err, spi.WSA_IO_PENDING)
			c.packet(p, op, 0, 4)
		}
		c.completed(op, "here")
		c.noPacket(p)
		if immediate == 0 {
			c.Skip("no operation ends inside its call")
		}
	})
}

func TestBehaviour045_FailedStartIsNeverIndicated(t *testing.T) {
	each(t, func(c *client) {
		s := c.tcp()
		ev := c.event()
		op, err := c.startReceive(s, 8, ev, nil)
		c.want(err, spi.WSAENOTCONN)
		if c.isSet(ev) || op.InProgress() {
			c.Errorf("the operation has %+v, its event is set: %v", op.Overlapped, c.isSet(ev))
		}
		_, err = c.startReceive(s, 8, 0, func(spi.Errno, uint32, *spi.Overlapped, uint32) { c.Error("the routine ran") })
		c.want(err, spi.WSAENOTCONN)
		if code := c.SleepEx(0, true); code != 0 {
			c.Errorf("the alertable wait gives %#x", code)
		}

		a, b := c.pair()
		p := c.port(s, b)
		_, err = c.startReceive(s, 8, 0, nil)
		c.want(err, spi.WSAENOTCONN)
		op = c.pending(b, 8, 0)
		c.send(a, "x")
		c.packet(p, op, 0, 1) // a packet too many would come before it
		c.noPacket(p)

		// What fails at once is not indicated, what fails later is.
		u, name := c.udp()
		c.ok(c.DLL().AssociateCompletionPort(u, p, uintptr(u)))
		_, err = c.SendTo(u, []byte("too long"), 0, name)
		c.ok(err)
		c.readable(u)
		ev = c.event()
		op, err = c.startReceive(u, 3, ev, nil)
		if errors.Is(err, spi.WSA_IO_PENDING) {
			c.packet(p, op, spi.WSAEMSGSIZE, 3)
			c.await(ev)
			return
		}
		c.want(err, spi.WSAEMSGSIZE)
		if op.InProgress() || c.isSet(ev) {
			c.Errorf("the operation has %+v, its event is set: %v", op.Overlapped, c.isSet(ev))
		}
		c.noPacket(p)
	})
}

func TestBehaviour121_EventComesAfterStatus(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		const rounds = 100
		ev := c.event()
		turn := make(chan bool)
		c.elsewhere(func(c *client) {
			for range turn {
				c.send(a, "x")
			}
		})
		defer close(turn)
		for range rounds {
			op := c.pending(b, 8, ev)
			turn <- true
			c.await(ev)
			if op.InProgress() || op.InternalHigh != 1 {
				c.Fatalf("woken with %+v", op.Overlapped)
			}
		}
	})
}

func TestBehaviour126_FailureIsIndicated(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		p, ev := c.port(b), c.event()
		op := c.pending(b, 8, ev)
		c.reset(a)
		c.await(ev)
		c.packet(p, op, spi.WSAECONNRESET, 0)
		if n, err := c.result(op, true); !errors.Is(err, spi.WSAECONNRESET) {
			c.Errorf("the result is %d, %v", n, err)
		}
	})
}
