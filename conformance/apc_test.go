//go:build linux

package conformance

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// outcome is what a completion routine gets.
type outcome struct {
	status spi.Errno
	n      uint32
	ov     *spi.Overlapped
	flags  uint32
}

// routines collects what completion routines get.
type routines struct {
	ran     []outcome
	threads []int
}

func (r *routines) routine(status spi.Errno, n uint32, ov *spi.Overlapped, flags uint32) {
	r.ran = append(r.ran, outcome{status, n, ov, flags})
	r.threads = append(r.threads, unix.Gettid())
}

// asked begins a receive that ends in a routine.
func (c *client) asked(s spi.Socket, size int, routine spi.CompletionRoutine) *operation {
	c.Helper()
	op, err := c.startReceive(s, size, 0, routine)
	c.want(err, spi.WSA_IO_PENDING)
	return op
}

func TestBehaviour046_RoutineRunsOnTheThreadThatAsked(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		var got routines
		op := c.asked(b, 8, got.routine)
		c.elsewhere(func(c *client) { c.send(a, "abc") })
		for len(got.ran) == 0 {
			if code := c.SleepEx(patienceMS, true); code != spi.WSA_WAIT_IO_COMPLETION {
				c.Fatalf("the alertable wait gives %#x", code)
			}
		}
		if len(got.ran) != 1 || got.threads[0] != unix.Gettid() {
			c.Errorf("%d runs, on threads %v; want one on %d", len(got.ran), got.threads, unix.Gettid())
		}
		c.completed(op, "abc")
	})
}

func TestBehaviour047_AlertableWait(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		ev := c.event()
		var got routines
		c.asked(b, 8, got.routine)
		c.elsewhere(func(c *client) { c.send(a, "abc") })
		code, err := c.WSAWaitForMultipleEvents([]spi.Event{ev}, false, patienceMS, true)
		if code != spi.WSA_WAIT_IO_COMPLETION || err != nil || len(got.ran) != 1 {
			c.Errorf("the wait gives %#x, %v after %d runs", code, err, len(got.ran))
		}
	})
}

func TestBehaviour048_NonAlertableWait(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		ev := c.event()
		var got routines
		op := c.asked(b, 8, got.routine)
		c.send(a, "abc")
		c.eventually("the completion", func() bool { return !op.InProgress() })
		code, err := c.WSAWaitForMultipleEvents([]spi.Event{ev}, false, 1, false)
		if code != spi.WSA_WAIT_TIMEOUT || err != nil {
			c.Errorf("the wait gives %#x, %v", code, err)
		}
		if code := c.SleepEx(1, false); code != 0 || len(got.ran) != 0 {
			c.Errorf("SleepEx gives %#x after %d runs", code, len(got.ran))
		}
		if code := c.SleepEx(patienceMS, true); code != spi.WSA_WAIT_IO_COMPLETION || len(got.ran) != 1 {
			c.Errorf("the alertable SleepEx gives %#x after %d runs", code, len(got.ran))
		}
	})
}

func TestBehaviour049_RoutinesRunInTheOrderOfCompletion(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		var got routines
		var ops []*spi.Overlapped
		for range 5 {
			ops = append(ops, &c.asked(b, 2, got.routine).Overlapped)
		}
		c.send(a, "1122334455")
		for len(got.ran) < len(ops) {
			if code := c.SleepEx(patienceMS, true); code != spi.WSA_WAIT_IO_COMPLETION {
				c.Fatalf("the alertable wait gives %#x", code)
			}
		}
		var order []*spi.Overlapped
		for _, o := range got.ran {
			order = append(order, o.ov)
		}
		if !slices.Equal(order, ops) {
			c.Errorf("the routines ran for %v, want %v", order, ops)
		}
	})
}

// What a thread has begun is cancelled when it ends. Its routine does not run.
func TestBehaviour053_ThreadThatHasEnded(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		var op *operation
		c.elsewhere(func(c *client) {
			op = c.asked(b, 8, func(spi.Errno, uint32, *spi.Overlapped, uint32) { c.Error("the routine ran") })
		})()
		c.eventually("the cancellation", func() bool { return !op.InProgress() })
		c.aborted(op)
		c.send(a, "for others")
		c.receive(b, "for others")
		if code := c.SleepEx(0, true); code != 0 {
			c.Errorf("the alertable wait gives %#x", code)
		}
	})
}

func TestBehaviour054_RoutineInPlaceOfEvent(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		ev := c.event()
		var got routines
		op, err := c.startReceive(b, 8, ev, got.routine)
		c.want(err, spi.WSA_IO_PENDING)
		c.send(a, "abc")
		if code := c.SleepEx(patienceMS, true); code != spi.WSA_WAIT_IO_COMPLETION {
			c.Fatalf("the alertable wait gives %#x", code)
		}
		if want := []outcome{{0, 3, &op.Overlapped, 0}}; !slices.Equal(got.ran, want) {
			c.Errorf("the routine got %+v, want %+v", got.ran, want)
		}
		if c.isSet(ev) {
			c.Error("the event is set")
		}

		// hEvent is the program's own: it need not be an event.
		op, err = c.startReceive(b, 8, 4711, got.routine)
		c.want(err, spi.WSA_IO_PENDING)
		c.reset(a)
		if code := c.SleepEx(patienceMS, true); code != spi.WSA_WAIT_IO_COMPLETION {
			c.Fatalf("the alertable wait gives %#x", code)
		}
		if want := (outcome{spi.WSAECONNRESET, 0, &op.Overlapped, 0}); len(got.ran) != 2 || got.ran[1] != want {
			c.Errorf("the routine got %+v, want %+v", got.ran, want)
		}
		if op.HEvent != 4711 {
			c.Errorf("hEvent is %#x", op.HEvent)
		}
	})
}

func TestBehaviour055_RoutineWithoutOverlapped(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		never := func(spi.Errno, uint32, *spi.Overlapped, uint32) { c.Error("the routine ran") }
		text, b8 := []byte("abc"), make([]byte, 8)
		var n, flags uint32
		c.ok(c.WSASend(a, []spi.Buf{spi.NewBuf(text)}, &n, 0, nil, never))
		if n != 3 {
			c.Errorf("sent %d", n)
		}
		c.ok(c.WSARecv(b, []spi.Buf{spi.NewBuf(b8)}, &n, &flags, nil, never)) // blocks
		if string(b8[:n]) != "abc" {
			c.Errorf("received %q", b8[:n])
		}
		if code := c.SleepEx(0, true); code != 0 {
			c.Errorf("the alertable wait gives %#x", code)
		}
	})
}
