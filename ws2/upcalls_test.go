package ws2

import (
	"reflect"
	"testing"
	"unsafe"

	"upcall.dev/spi"
)

func TestBehaviour001_TableIsComplete(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	mustSocket(t, h.up())
	table := reflect.ValueOf(f.lastUpcalls())
	if table.NumField() != 15 {
		t.Fatalf("%d upcalls, want 15", table.NumField())
	}
	for i := range table.NumField() {
		if table.Field(i).IsNil() {
			t.Errorf("%s is missing", table.Type().Field(i).Name)
		}
		if got, want := table.Type().Field(i).Name, upcallRows[i].Name; got != want {
			t.Errorf("upcall %d is %s, want %s", i, got, want)
		}
	}
	if size := unsafe.Sizeof(spi.UpcallTable{}); size != 120 {
		t.Errorf("the table has %d bytes, want 120", size)
	}
}

func TestBehaviour002_CompletionIsExportedSeparately(t *testing.T) {
	if _, ok := reflect.TypeFor[spi.UpcallTable]().FieldByName("WPUCompleteOverlappedRequest"); ok {
		t.Error("the table has WPUCompleteOverlappedRequest")
	}
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	s := mustSocket(t, h.up())
	var ov spi.Overlapped
	ov.Start()
	want(t, f.dll.WPUCompleteOverlappedRequest(s, &ov, 0, 1), 0)
}

// The table of the latest WSPStartup counts: here the host starts the provider
// once for itself, and a layer above starts it again with a table of its own.
func TestBehaviour003_LatestTableCounts(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	thread := h.up()
	mustSocket(t, thread)
	second := f.lastUpcalls()
	created := 0
	create := second.WPUCreateSocketHandle
	second.WPUCreateSocketHandle = func(id uint32, context uintptr) (spi.Socket, spi.Errno) {
		created++
		return create(id, context)
	}
	startup, e := h.Exports().LoadProvider(f.id, f.path)
	want(t, e, 0)
	_, e = startup(spi.Version22, new(spi.WSPData), &spi.ProtocolInfo{}, second, h.Exports())
	want(t, e, 0)
	mustSocket(t, thread)
	if created != 1 {
		t.Errorf("the second table's WPUCreateSocketHandle was called %d times, want 1", created)
	}
}

func TestBehaviour004_EventsAreManualReset(t *testing.T) {
	h := newHost(t)
	u, thread := h.table, h.BindThread()
	defer thread.Unbind()
	ev, e := u.WPUCreateEvent()
	want(t, e, 0)
	if ev == spi.InvalidEvent {
		t.Fatal("no event")
	}
	wait := func(want uint32) {
		t.Helper()
		if got, err := thread.WSAWaitForMultipleEvents([]spi.Event{ev}, false, 0, false); got != want || err != nil {
			t.Fatalf("wait gives %#x, %v; want %#x", got, err, want)
		}
	}
	wait(spi.WSA_WAIT_TIMEOUT)
	want(t, u.WPUSetEvent(ev), 0)
	wait(spi.WSA_WAIT_EVENT_0)
	wait(spi.WSA_WAIT_EVENT_0)
	want(t, u.WPUResetEvent(ev), 0)
	wait(spi.WSA_WAIT_TIMEOUT)
}

func TestBehaviour005_SetIsIdempotent(t *testing.T) {
	u := newHost(t).table
	ev, _ := u.WPUCreateEvent()
	want(t, u.WPUSetEvent(ev), 0)
	want(t, u.WPUSetEvent(ev), 0)
	want(t, u.WPUSetEvent(ev|1), 0) // the tag does not count
	want(t, u.WPUResetEvent(ev), 0)
	want(t, u.WPUResetEvent(ev), 0)
}

func TestBehaviour006_CloseEventOnce(t *testing.T) {
	u := newHost(t).table
	ev, _ := u.WPUCreateEvent()
	want(t, u.WPUCloseEvent(ev), 0)
	want(t, u.WPUCloseEvent(ev), spi.WSA_INVALID_HANDLE)
}

func TestBehaviour007_BadEvents(t *testing.T) {
	h := newHost(t)
	h.nonIFS("echo", tcp())
	s := mustSocket(t, h.up())
	closedEvent, _ := h.table.WPUCreateEvent()
	want(t, h.table.WPUCloseEvent(closedEvent), 0)
	for _, ev := range []spi.Event{spi.InvalidEvent, 4, ^spi.Event(0), spi.Event(s), closedEvent} {
		want(t, h.table.WPUSetEvent(ev), spi.WSA_INVALID_HANDLE)
		want(t, h.table.WPUResetEvent(ev), spi.WSA_INVALID_HANDLE)
		want(t, h.table.WPUCloseEvent(ev), spi.WSA_INVALID_HANDLE)
	}
}

func TestBehaviour008_NoMemoryForEvents(t *testing.T) {
	h := newHost(t)
	h.events.SetLimit(1)
	if _, e := h.table.WPUCreateEvent(); e != 0 {
		t.Fatal(e)
	}
	ev, e := h.table.WPUCreateEvent()
	want(t, e, spi.WSA_NOT_ENOUGH_MEMORY)
	if ev != spi.InvalidEvent {
		t.Errorf("got event %#x", ev)
	}
}

func TestBehaviour009_EventsAreTheClients(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	var selected spi.Event
	f.LpWSPEventSelect = func(_ spi.Socket, ev spi.Event, _ int32) spi.Errno { selected = ev; return 0 }
	thread := h.up()
	s := mustSocket(t, thread)
	ev, _ := f.upcalls.WPUCreateEvent()
	wantCode(t, thread, thread.WSAEventSelect(s, ev, spi.FD_READ), 0)
	if selected != ev {
		t.Errorf("the provider got event %#x, want %#x", selected, ev)
	}
	want(t, f.upcalls.WPUSetEvent(selected), 0)
	if got, err := thread.WSAWaitForMultipleEvents([]spi.Event{ev}, true, 0, false); got != 0 || err != nil {
		t.Errorf("wait gives %#x, %v", got, err)
	}
	wantCode(t, thread, thread.WSACloseEvent(ev), 0)
	wantCode(t, thread, thread.WSAEventSelect(s, ev, spi.FD_READ), spi.WSAEINVAL)

	client, err := thread.WSACreateEvent()
	wantCode(t, thread, err, 0)
	want(t, f.upcalls.WPUSetEvent(client), 0)
	want(t, f.upcalls.WPUResetEvent(client), 0)
	want(t, f.upcalls.WPUCloseEvent(client), 0)
	wantCode(t, thread, thread.WSASetEvent(client), spi.WSA_INVALID_HANDLE)
	wantCode(t, thread, thread.WSAResetEvent(client), spi.WSA_INVALID_HANDLE)
}

func TestBehaviour010_HandlesAreDistinct(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	h.up()
	seen := map[spi.Socket]bool{}
	for i := range 2000 {
		s, e := h.table.WPUCreateSocketHandle(f.ids[0], uintptr(i))
		want(t, e, 0)
		if s == spi.InvalidSocket || isIFS(s) || seen[s] {
			t.Fatalf("handle %#x", s)
		}
		seen[s] = true
		if i%3 == 0 { // a closed handle's value does not come back either
			want(t, h.table.WPUCloseSocketHandle(s), 0)
		}
	}
}

func TestBehaviour011_ContextHas64Bits(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	h.up()
	for _, context := range []uintptr{0, 1, 0xfedcba9876543210, ^uintptr(0)} {
		s, e := h.table.WPUCreateSocketHandle(f.ids[0], context)
		want(t, e, 0)
		got, e := h.table.WPUQuerySocketHandleContext(s)
		want(t, e, 0)
		if got != context {
			t.Errorf("context %#x, want %#x", got, context)
		}
	}
}

func TestBehaviour012_QueryOnForeignHandle(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	g := h.ifs("real", udp())
	thread := h.up()
	ifs, err := thread.Socket(spi.AF_INET, spi.SOCK_DGRAM, 0)
	wantCode(t, thread, err, 0)
	defer thread.CloseSocket(ifs)
	gone, e := h.table.WPUCreateSocketHandle(f.ids[0], 1)
	want(t, e, 0)
	want(t, h.table.WPUCloseSocketHandle(gone), 0)
	ev, _ := h.table.WPUCreateEvent()
	for _, s := range []spi.Socket{gone, ifs, 0, 3, 1 << 32, 0x7eadbeef00000004, spi.InvalidSocket, spi.Socket(ev)} {
		context, e := h.table.WPUQuerySocketHandleContext(s)
		want(t, e, spi.WSAENOTSOCK)
		if context != 0 {
			t.Errorf("context %#x of %#x", context, s)
		}
	}
	if g.starts.Load() != 1 {
		t.Error("the IFS provider was not started")
	}
}

func TestBehaviour013_CloseHandleOnce(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	h.up()
	s, _ := h.table.WPUCreateSocketHandle(f.ids[0], 1)
	want(t, h.table.WPUCloseSocketHandle(s), 0)
	want(t, h.table.WPUCloseSocketHandle(s), spi.WSAENOTSOCK)
}

func TestBehaviour014_CloseHandleOnIFS(t *testing.T) {
	h := newHost(t)
	h.ifs("real", tcp())
	thread := h.up()
	s := mustSocket(t, thread)
	want(t, h.table.WPUCloseSocketHandle(s), spi.WSAENOTSOCK)
	wantCode(t, thread, thread.CloseSocket(s), 0) // it is still there
}

func TestBehaviour015_CompletionOnForeignHandle(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	h.ifs("real", udp())
	thread := h.up()
	ifs, err := thread.Socket(spi.AF_INET, spi.SOCK_DGRAM, 0)
	wantCode(t, thread, err, 0)
	defer thread.CloseSocket(ifs)
	gone, _ := h.table.WPUCreateSocketHandle(f.ids[0], 1)
	want(t, h.table.WPUCloseSocketHandle(gone), 0)
	for _, s := range []spi.Socket{ifs, gone, 0, spi.InvalidSocket} {
		var ov spi.Overlapped
		ov.Start()
		want(t, h.Exports().WPUCompleteOverlappedRequest(s, &ov, 0, 10), spi.WSAEINVAL)
		if !ov.InProgress() || ov.InternalHigh != 0 {
			t.Error("a refused completion changed the structure")
		}
	}
}

func TestBehaviour016_NoMoreHandles(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	thread := h.up()
	mustSocket(t, thread)
	h.handles.nonIFS.SetLimit(1)
	s, e := f.upcalls.WPUCreateSocketHandle(f.ids[0], 1)
	want(t, e, spi.WSAENOBUFS)
	if s != spi.InvalidSocket {
		t.Errorf("got %#x", s)
	}
	_, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, 0) // and the client sees it
	wantCode(t, thread, err, spi.WSAENOBUFS)
}

func TestBehaviour017_CreateWithUnknownID(t *testing.T) {
	h := newHost(t)
	h.nonIFS("echo", tcp())
	h.up()
	s, e := h.table.WPUCreateSocketHandle(4711, 1)
	want(t, e, spi.WSAEINVAL)
	if s != spi.InvalidSocket {
		t.Errorf("got %#x", s)
	}
}

func TestBehaviour018_CreatedHandleRoutes(t *testing.T) {
	h := newHost(t)
	one, two := h.nonIFS("one", tcp()), h.nonIFS("two", udp())
	thread := h.up()
	s := mustSocket(t, thread) // starts "one" only
	other, e := one.upcalls.WPUCreateSocketHandle(two.ids[0], 7)
	want(t, e, 0)
	wantCode(t, thread, thread.Listen(s, 1), 0)
	if one.called("WSPListen") != 1 || two.called("WSPListen") != 0 {
		t.Error("the first call went astray")
	}
	wantCode(t, thread, thread.Listen(other, 1), 0) // starts "two"
	if one.called("WSPListen") != 1 || two.called("WSPListen") != 1 || two.starts.Load() != 1 {
		t.Error("the second call went astray")
	}
}

func TestBehaviour019_ModifyRoutes(t *testing.T) {
	h := newHost(t)
	f := h.ifs("real", tcp())
	thread := h.up()
	proposed := descriptor(t)
	s, e := h.table.WPUModifyIFSHandle(f.ids[0], proposed)
	want(t, e, 0)
	if s != proposed {
		t.Errorf("got %#x, want the proposed handle", s)
	}
	wantCode(t, thread, thread.Listen(s, 1), 0)
	if f.called("WSPListen") != 1 {
		t.Error("the call did not reach the provider")
	}
}

func TestBehaviour020_ModifyInvalidSocket(t *testing.T) {
	h := newHost(t)
	f := h.ifs("real", tcp())
	h.up()
	for _, proposed := range []spi.Socket{spi.InvalidSocket, 1 << 32, 0xffffffff, 1 << 20 /* not open */} {
		s, e := h.table.WPUModifyIFSHandle(f.ids[0], proposed)
		want(t, e, spi.WSAEINVAL)
		if s != spi.InvalidSocket {
			t.Errorf("got %#x", s)
		}
	}
}

func TestBehaviour021_LayerTakesHandleOver(t *testing.T) {
	h := newHost(t)
	base := h.ifs("real", tcp())
	top := h.layer("filter", spi.XP1_IFS_HANDLES)
	var next spi.Provider
	top.LpWSPSocket = func(af, typ, protocol int32, info *spi.ProtocolInfo, g spi.Group, flags uint32) (spi.Socket, spi.Errno) {
		p, down, err := top.startNext(info)
		if err != nil {
			t.Error(err)
			return spi.InvalidSocket, spi.WSAEPROVIDERFAILEDINIT
		}
		next = p
		s, e := next.WSPSocket(af, typ, protocol, down, g, flags)
		if e != 0 {
			return s, e
		}
		again, e := top.upcalls.WPUModifyIFSHandle(top.ids[0], s)
		if again != s {
			t.Errorf("second registration gives %#x, want %#x", again, s)
		}
		return again, e
	}
	top.LpWSPCloseSocket = func(s spi.Socket) spi.Errno { return next.WSPCloseSocket(s) }
	thread := h.up()
	s := mustSocket(t, thread)
	wantCode(t, thread, thread.Listen(s, 1), 0)
	if top.called("WSPListen") != 1 || base.called("WSPListen") != 0 {
		t.Error("the call did not reach the layer")
	}
	wantCode(t, thread, thread.CloseSocket(s), 0)
	if base.called("WSPCloseSocket") != 1 {
		t.Error("the base did not close the socket")
	}
}

func TestBehaviour022_ModifyUnknownID(t *testing.T) {
	h := newHost(t)
	h.ifs("real", tcp())
	h.up()
	s, e := h.table.WPUModifyIFSHandle(4711, 1000)
	want(t, e, spi.WSAEINVAL)
	if s != spi.InvalidSocket {
		t.Errorf("got %#x", s)
	}
}

func TestBehaviour023_ModifyBeforeStartup(t *testing.T) {
	h := newHost(t)
	f := h.ifs("real", tcp())
	s, e := h.table.WPUModifyIFSHandle(f.ids[0], 1000)
	want(t, e, spi.WSANOTINITIALISED)
	if s != spi.InvalidSocket {
		t.Errorf("got %#x", s)
	}
}

func TestBehaviour024_CloseSocketOnce(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	thread := h.up()
	s := mustSocket(t, thread)
	wantCode(t, thread, thread.CloseSocket(s), 0)
	wantCode(t, thread, thread.CloseSocket(s), spi.WSAENOTSOCK)
	wantCode(t, thread, thread.Listen(s, 1), spi.WSAENOTSOCK)
	_, err := thread.Send(s, []byte("x"), 0)
	wantCode(t, thread, err, spi.WSAENOTSOCK)
	if n := f.called("WSPCloseSocket"); n != 1 {
		t.Errorf("WSPCloseSocket was called %d times", n)
	}
}

func TestBehaviour025_DeferredClose(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	f.LpWSPCloseSocket = func(spi.Socket) spi.Errno { return 0 }
	thread := h.up()
	s, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
	wantCode(t, thread, err, 0)
	wantCode(t, thread, thread.CloseSocket(s), 0)
	wantCode(t, thread, thread.Listen(s, 1), spi.WSAENOTSOCK) // the client's is gone
	if _, e := f.upcalls.WPUQuerySocketHandleContext(s); e != 0 {
		t.Error("the context is gone:", e)
	}
	ev, _ := f.upcalls.WPUCreateEvent()
	ov := spi.Overlapped{HEvent: ev}
	ov.Start()
	want(t, f.dll.WPUCompleteOverlappedRequest(s, &ov, spi.WSA_OPERATION_ABORTED, 0), 0)
	if f.dll.WaitForEvent(ev, 0) != spi.WSA_WAIT_EVENT_0 {
		t.Error("the completion did not set the event")
	}
	want(t, f.upcalls.WPUCloseSocketHandle(s), 0)
	if _, e := f.upcalls.WPUQuerySocketHandleContext(s); e != spi.WSAENOTSOCK {
		t.Error("the context is still there")
	}
}

func TestBehaviour026_CloseThatWouldBlock(t *testing.T) {
	for _, kind := range []string{"IFS", "non-IFS"} {
		t.Run(kind, func(t *testing.T) {
			h := newHost(t)
			f := h.nonIFS("lingering", tcp())
			if kind == "IFS" {
				h = newHost(t)
				f = h.ifs("lingering", tcp())
			}
			closing, refusing := f.LpWSPCloseSocket, true
			f.LpWSPCloseSocket = func(s spi.Socket) spi.Errno {
				if refusing {
					return spi.WSAEWOULDBLOCK
				}
				return closing(s)
			}
			thread := h.up()
			s := mustSocket(t, thread)
			wantCode(t, thread, thread.CloseSocket(s), spi.WSAEWOULDBLOCK)
			wantCode(t, thread, thread.Listen(s, 1), 0)
			refusing = false
			wantCode(t, thread, thread.CloseSocket(s), 0)
			wantCode(t, thread, thread.Listen(s, 1), spi.WSAENOTSOCK)
		})
	}
}
