package nonifs_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// chains runs a test over each kind of base provider through one passage and
// through two, on a bound thread.
func chains(t *testing.T, test func(t *testing.T, d *ws2.DLL, th *ws2.Thread)) {
	for _, base := range []string{"memory", "kernel"} {
		for depth := 1; depth <= 2; depth++ {
			t.Run(base+strings.Repeat("+passage", depth), func(t *testing.T) {
				d, th := startedOver(t, base, depth)
				test(t, d, th)
			})
		}
	}
}

func startedOver(t testing.TB, base string, depth int) (*ws2.DLL, *ws2.Thread) {
	t.Helper()
	layers := make([]catalog.Layer, depth)
	for i := range layers {
		layers[i].Name = "passage"
	}
	c, err := catalog.Compose(catalog.Default(), base, layers)
	ok(t, err)
	d := ws2.New(ws2.Config{Catalog: c, Log: func(m string) { t.Error(m) }})
	th := d.BindThread()
	t.Cleanup(th.Unbind)
	ok(t, th.WSAStartup(spi.Version22, new(ws2.WSAData)))
	t.Cleanup(func() {
		for th.WSACleanup() == nil {
		}
	})
	return d, th
}

// way is how the client learns that an operation has ended.
type way struct {
	name string
	t    testing.TB
	d    *ws2.DLL
	th   *ws2.Thread
	port ws2.Port
	ev   spi.Event
	// of the routine that ran last
	ran    int
	errno  spi.Errno
	n      uint32
	result *spi.Overlapped
}

// ways runs a test with each way to learn that an operation has ended, over
// every chain. The test gives its sockets to join before it starts operations.
func ways(t *testing.T, test func(t *testing.T, w *way)) {
	for _, name := range []string{"event", "routine", "port", "port and event", "port and tagged event", "result"} {
		t.Run(name, func(t *testing.T) {
			chains(t, func(t *testing.T, d *ws2.DLL, th *ws2.Thread) {
				w := &way{name: name, t: t, d: d, th: th}
				if w.has("port") {
					var err error
					w.port, err = d.CreateIoCompletionPort(1)
					ok(t, err)
					defer func() { ok(t, d.CloseCompletionPort(w.port)) }()
				}
				if w.has("event") {
					w.ev = newEvent(t, th)
				}
				test(t, w)
			})
		})
	}
}

func (w *way) has(what string) bool { return strings.Contains(w.name, what) }

// packets reports whether operations queue packets.
func (w *way) packets() bool { return w.has("port") && !w.has("tagged") }

// join makes the sockets ready for the way.
func (w *way) join(sockets ...spi.Socket) {
	w.t.Helper()
	if w.has("port") {
		for _, s := range sockets {
			ok(w.t, w.d.AssociateCompletionPort(s, w.port, uintptr(s)))
		}
	}
}

// overlapped returns a structure and a routine for an operation.
func (w *way) overlapped() (*spi.Overlapped, spi.CompletionRoutine) {
	ov := &spi.Overlapped{HEvent: w.ev}
	if w.has("tagged") {
		ov.HEvent |= 1
	}
	if !w.has("routine") {
		return ov, nil
	}
	return ov, func(errno spi.Errno, n uint32, ov *spi.Overlapped, flags uint32) {
		w.ran++
		w.errno, w.n, w.result = errno, n, ov
	}
}

// ended waits for the end of an operation on s in the client's way and returns
// its outcome. Behaviours 29, 32 to 34, 41, 42 and 54 are in it.
func (w *way) ended(s spi.Socket, ov *spi.Overlapped) (uint32, error) {
	w.t.Helper()
	var err error
	packet := ws2.Packet{Overlapped: ov}
	switch {
	case w.packets():
		packet, err = w.th.GetQueuedCompletionStatus(w.port, 10000)
		if packet.Overlapped != ov || packet.Key != uintptr(s) {
			w.t.Fatalf("packet %+v (%v), want one of %p with key %#x", packet, err, ov, s)
		}
	case w.has("routine"):
		before := w.ran
		for range 1000 {
			if w.ran > before {
				break
			}
			w.th.SleepEx(10, true)
		}
		if w.ran != before+1 || w.result != ov {
			w.t.Fatalf("the routine ran %d times, with %p, want %p", w.ran-before, w.result, ov)
		}
	}
	if w.has("event") {
		await(w.t, w.th, w.ev)
		if ov.InProgress() {
			w.t.Error("the event was set while the operation was in progress")
		}
	}
	n, flags := uint32(99), uint32(99)
	got := w.th.WSAGetOverlappedResult(s, ov, &n, w.name == "result", &flags)
	if w.packets() && (codeOf(got) != codeOf(err) || n != packet.Transferred && err == nil) {
		w.t.Errorf("packet of %d bytes with %v, but the result is %d bytes with %v", packet.Transferred, err, n, got)
	}
	if w.has("routine") && (codeOf(got) != w.errno || n != w.n && got == nil) {
		w.t.Errorf("routine with %d bytes and %v, but the result is %d bytes with %v", w.n, w.errno, n, got)
	}
	if got == nil && uint64(n) != ov.InternalHigh {
		w.t.Errorf("%d bytes, but InternalHigh is %d", n, ov.InternalHigh)
	}
	w.quiet()
	return n, got
}

// quiet sees that nothing more is indicated.
func (w *way) quiet() {
	w.t.Helper()
	if w.has("port") {
		if packet, err := w.th.GetQueuedCompletionStatus(w.port, 0); packet.Overlapped != nil || codeOf(err) != spi.WAIT_TIMEOUT {
			w.t.Errorf("one packet too many: %+v, %v", packet, err)
		}
	}
	if w.has("event") {
		ok(w.t, w.th.WSAResetEvent(w.ev))
	}
	before := w.ran
	if w.th.SleepEx(0, true); w.ran != before {
		w.t.Error("a routine ran too often")
	}
}

func codeOf(err error) spi.Errno {
	if err == nil {
		return 0
	}
	code, known := errors.AsType[spi.Errno](err)
	if !known {
		panic(fmt.Sprint("no code: ", err))
	}
	return code
}

// receive starts a receive.
func (w *way) receive(s spi.Socket, buf []byte) (*spi.Overlapped, error) {
	w.t.Helper()
	ov, routine := w.overlapped()
	n, flags := uint32(77), uint32(0)
	err := w.th.WSARecv(s, []spi.Buf{spi.NewBuf(buf)}, &n, &flags, ov, routine)
	if codeOf(err) == spi.WSA_IO_PENDING && (n != 77 || flags != 0) {
		w.t.Errorf("a pending call stored %d and %d", n, flags) // behaviour 115
	}
	return ov, err
}

func TestBehaviour029_OperationEndsThroughLayers(t *testing.T) {
	ways(t, func(t *testing.T, w *way) {
		client, server := pair(t, w.th)
		w.join(client, server)
		for i := range 20 {
			buf, text := make([]byte, 10), fmt.Sprint("text ", i)
			ov, err := w.receive(server, buf)
			is(t, err, spi.WSA_IO_PENDING)
			send(t, w.th, client, text)
			n, err := w.ended(server, ov)
			ok(t, err)
			if string(buf[:n]) != text {
				t.Fatalf("got %q, want %q", buf[:n], text)
			}
		}
	})
}

func TestBehaviour044_ImmediateSuccessIsIndicatedThroughLayers(t *testing.T) {
	ways(t, func(t *testing.T, w *way) {
		client, server := pair(t, w.th)
		w.join(client, server)
		for range 20 {
			ov, routine := w.overlapped()
			var n uint32
			err := w.th.WSASend(client, []spi.Buf{spi.NewBuf([]byte("there"))}, &n, 0, ov, routine)
			if err != nil || n != 5 {
				t.Fatalf("sent %d, %v", n, err)
			}
			if w.packets() {
				packet, err := w.th.GetQueuedCompletionStatus(w.port, 0)
				if err != nil || packet.Overlapped != ov || packet.Transferred != 5 {
					t.Errorf("packet %+v, %v", packet, err)
				}
			}
			if w.has("event") {
				if i, err := w.th.WSAWaitForMultipleEvents([]spi.Event{w.ev}, true, 0, false); err != nil || i != spi.WSA_WAIT_EVENT_0 {
					t.Errorf("the event is not set: %#x, %v", i, err)
				}
			}
			if w.has("routine") {
				w.th.SleepEx(0, true)
				if w.ran != 1 || w.n != 5 || w.errno != 0 {
					t.Errorf("the routine ran %d times, %d bytes, %v", w.ran, w.n, w.errno)
				}
				w.ran = 0
			}
			var flags uint32
			ok(t, w.th.WSAGetOverlappedResult(client, ov, &n, false, &flags))
			if n != 5 || ov.InProgress() {
				t.Errorf("result %d", n)
			}
			w.quiet()
			if got := recv(t, w.th, server); got != "there" {
				t.Errorf("got %q", got)
			}
		}
	})
}

func TestBehaviour045_FailedStartIsNotIndicatedThroughLayers(t *testing.T) {
	ways(t, func(t *testing.T, w *way) {
		s, err := w.th.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
		ok(t, err)
		w.join(s)
		for range 5 {
			ov, err := w.receive(s, make([]byte, 5))
			is(t, err, spi.WSAENOTCONN)
			if ov.InProgress() {
				t.Error("still in progress")
			}
			if w.has("event") {
				if i, _ := w.th.WSAWaitForMultipleEvents([]spi.Event{w.ev}, true, 0, false); i != spi.WSA_WAIT_TIMEOUT {
					t.Errorf("the event is set: %#x", i)
				}
			}
			w.quiet()
		}
	})
}

func TestBehaviour040_ResultOfWhatIsNotOverThroughLayers(t *testing.T) {
	ways(t, func(t *testing.T, w *way) {
		client, server := pair(t, w.th)
		w.join(server)
		buf := make([]byte, 10)
		ov, err := w.receive(server, buf)
		is(t, err, spi.WSA_IO_PENDING)
		n, flags := uint32(77), uint32(78)
		is(t, w.th.WSAGetOverlappedResult(server, ov, &n, false, &flags), spi.WSA_IO_INCOMPLETE)
		if n != 77 || flags != 78 {
			t.Errorf("stored %d and %d", n, flags)
		}
		send(t, w.th, client, "x")
		_, err = w.ended(server, ov)
		ok(t, err)
	})
}

func TestBehaviour042_CloseAbortsThroughLayers(t *testing.T) {
	ways(t, func(t *testing.T, w *way) {
		_, server := pair(t, w.th)
		w.join(server)
		ov, err := w.receive(server, make([]byte, 10))
		is(t, err, spi.WSA_IO_PENDING)
		ok(t, w.th.CloseSocket(server))
		if w.name == "result" { // there is nothing to ask any more
			for range 1000 {
				if !ov.InProgress() {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			if ov.InProgress() || spi.Errno(ov.OffsetHigh) != spi.WSA_OPERATION_ABORTED {
				t.Errorf("%+v", ov)
			}
			return
		}
		switch {
		case w.packets():
			packet, err := w.th.GetQueuedCompletionStatus(w.port, 10000)
			if codeOf(err) != spi.WSA_OPERATION_ABORTED || packet.Overlapped != ov || packet.Key != uintptr(server) {
				t.Errorf("packet %+v, %v", packet, err)
			}
		case w.has("routine"):
			for range 1000 {
				if w.th.SleepEx(10, true); w.ran > 0 {
					break
				}
			}
			if w.ran != 1 || w.errno != spi.WSA_OPERATION_ABORTED {
				t.Errorf("the routine ran %d times, %v", w.ran, w.errno)
			}
		}
		if w.has("event") {
			await(t, w.th, w.ev)
		}
		if ov.InProgress() || spi.Errno(ov.OffsetHigh) != spi.WSA_OPERATION_ABORTED {
			t.Errorf("%+v", ov)
		}
		w.quiet()
	})
}

func TestBehaviour035_FailureIsIndicatedThroughLayers(t *testing.T) {
	ways(t, func(t *testing.T, w *way) {
		client, server := pair(t, w.th)
		w.join(server)
		ov, err := w.receive(server, make([]byte, 10))
		is(t, err, spi.WSA_IO_PENDING)
		ok(t, w.th.SetSockOpt(client, spi.SOL_SOCKET, spi.SO_LINGER, []byte{1, 0, 0, 0}))
		ok(t, w.th.CloseSocket(client))
		if _, err = w.ended(server, ov); codeOf(err) != spi.WSAECONNRESET {
			t.Errorf("%v, want WSAECONNRESET", err)
		}
		if ov.Internal == 0 || ov.InProgress() {
			t.Errorf("Internal %#x", ov.Internal)
		}
	})
}

func TestBehaviour114_ArrayIsCapturedThroughLayers(t *testing.T) {
	ways(t, func(t *testing.T, w *way) {
		client, server := pair(t, w.th)
		w.join(server)
		a, b, other := make([]byte, 2), make([]byte, 3), make([]byte, 5)
		bufs := []spi.Buf{spi.NewBuf(a), spi.NewBuf(b)}
		ov, routine := w.overlapped()
		var n, flags uint32
		is(t, w.th.WSARecv(server, bufs, &n, &flags, ov, routine), spi.WSA_IO_PENDING)
		bufs[0], bufs[1] = spi.NewBuf(other), spi.Buf{}
		send(t, w.th, client, "hello")
		got, err := w.ended(server, ov)
		ok(t, err)
		if got != 5 || string(a)+string(b) != "hello" {
			t.Errorf("%d bytes: %q and %q, %q", got, a, b, other)
		}
	})
}

func TestCancelThroughLayers(t *testing.T) {
	ways(t, func(t *testing.T, w *way) {
		client, server := pair(t, w.th)
		w.join(server)
		is(t, w.th.CancelIoEx(server, nil), spi.ERROR_NOT_FOUND)
		is(t, w.th.CancelIoEx(server, &spi.Overlapped{}), spi.ERROR_NOT_FOUND)
		for _, cancel := range []func(*spi.Overlapped) error{
			func(ov *spi.Overlapped) error { return w.th.CancelIoEx(server, ov) },
			func(*spi.Overlapped) error { return w.th.CancelIoEx(server, nil) },
			func(*spi.Overlapped) error { return w.th.CancelIo(server) },
		} {
			ov, err := w.receive(server, make([]byte, 10))
			is(t, err, spi.WSA_IO_PENDING)
			ok(t, cancel(ov))
			if _, err := w.ended(server, ov); codeOf(err) != spi.WSA_OPERATION_ABORTED {
				t.Errorf("%v, want WSA_OPERATION_ABORTED", err)
			}
			is(t, w.th.CancelIoEx(server, ov), spi.ERROR_NOT_FOUND)
		}
		// One of two: the other goes on.
		first, second := make([]byte, 10), make([]byte, 10)
		cancelled, err := w.receive(server, first)
		is(t, err, spi.WSA_IO_PENDING)
		ok(t, w.th.CancelIoEx(server, cancelled))
		_, err = w.ended(server, cancelled)
		is(t, err, spi.WSA_OPERATION_ABORTED)
		ov, err := w.receive(server, second)
		is(t, err, spi.WSA_IO_PENDING)
		send(t, w.th, client, "on")
		n, err := w.ended(server, ov)
		ok(t, err)
		if string(second[:n]) != "on" || first[0] != 0 {
			t.Errorf("%q and %q", first, second[:n])
		}
	})
}

func TestBehaviour043_CleanupIndicatesNothingThroughLayers(t *testing.T) {
	for _, base := range []string{"memory", "kernel"} {
		for depth := 1; depth <= 2; depth++ {
			for _, name := range []string{"event", "routine", "port", "result"} {
				t.Run(fmt.Sprint(base, depth, name), func(t *testing.T) {
					d, th := startedOver(t, base, depth)
					w := &way{name: name, t: t, d: d, th: th}
					if w.has("port") {
						var err error
						w.port, err = d.CreateIoCompletionPort(1)
						ok(t, err)
					}
					if w.has("event") {
						w.ev = newEvent(t, th)
					}
					_, server := pair(t, th)
					_, closed := pair(t, th)
					w.join(server, closed)
					ov, err := w.receive(server, make([]byte, 10))
					is(t, err, spi.WSA_IO_PENDING)
					ok(t, th.WSACleanup())
					if ov.InProgress() || spi.Errno(ov.OffsetHigh) != spi.WSA_OPERATION_ABORTED {
						t.Errorf("%+v", ov)
					}
					if w.has("event") {
						if i, _ := th.WSAWaitForMultipleEvents([]spi.Event{w.ev}, true, 0, false); i != spi.WSA_WAIT_TIMEOUT {
							t.Errorf("the event is set: %#x", i)
						}
					}
					w.quiet()
					if w.ran > 0 {
						t.Error("the routine ran")
					}
					if w.has("port") {
						ok(t, d.CloseCompletionPort(w.port))
					}
				})
			}
		}
	}
}

// The packets of a closed port come to the layer on a goroutine of the DLL's,
// beside the cleanup.
func TestBehaviour043_CleanupAfterThePortIsClosedThroughLayers(t *testing.T) {
	chains(t, func(t *testing.T, d *ws2.DLL, th *ws2.Thread) {
		for range 100 {
			var ovs [32]spi.Overlapped
			port, err := d.CreateIoCompletionPort(1)
			ok(t, err)
			for i := range ovs {
				_, server := pair(t, th)
				ok(t, d.AssociateCompletionPort(server, port, 1))
				var n, flags uint32
				is(t, th.WSARecv(server, []spi.Buf{spi.NewBuf(make([]byte, 1))}, &n, &flags, &ovs[i], nil), spi.WSA_IO_PENDING)
			}
			ok(t, d.CloseCompletionPort(port))
			ok(t, th.WSACleanup())
			for i := range ovs {
				if ovs[i].InProgress() || spi.Errno(ovs[i].OffsetHigh) != spi.WSA_OPERATION_ABORTED {
					t.Fatalf("operation %d: %+v", i, &ovs[i])
				}
			}
			ok(t, th.WSAStartup(spi.Version22, new(ws2.WSAData)))
		}
	})
}

func TestBehaviour055_RoutineWithoutOverlappedThroughLayers(t *testing.T) {
	chains(t, func(t *testing.T, _ *ws2.DLL, th *ws2.Thread) {
		client, server := pair(t, th)
		var n, flags uint32
		never := func(spi.Errno, uint32, *spi.Overlapped, uint32) { t.Error("the routine ran") }
		ok(t, th.WSASend(client, []spi.Buf{spi.NewBuf([]byte("x"))}, &n, 0, nil, never))
		ok(t, th.WSARecv(server, []spi.Buf{spi.NewBuf(make([]byte, 5))}, &n, &flags, nil, never))
		th.SleepEx(0, true)
	})
}

func TestRoutineBesideAPortThroughLayers(t *testing.T) {
	chains(t, func(t *testing.T, d *ws2.DLL, th *ws2.Thread) {
		_, server := pair(t, th)
		p, err := d.CreateIoCompletionPort(1)
		ok(t, err)
		ok(t, d.AssociateCompletionPort(server, p, 1))
		var n, flags uint32
		is(t, th.WSARecv(server, []spi.Buf{spi.NewBuf(make([]byte, 5))}, &n, &flags, &spi.Overlapped{}, func(spi.Errno, uint32, *spi.Overlapped, uint32) {}), spi.WSAEINVAL)
		ok(t, d.CloseCompletionPort(p))
	})
}
