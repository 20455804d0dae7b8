package ws2

import (
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// async is a fake IFS base provider's socket whose overlapped receives go on in
// the client's port.
type async struct {
	f    *fake
	s    spi.Socket
	port spi.CompletionPort

	mu       sync.Mutex
	watch    uintptr
	pending  []receive
	orphaned bool
}

type receive struct {
	ov     *spi.Overlapped
	buffer []byte
}

// asyncIFS installs a provider of such sockets.
func (h *host) asyncIFS(name string, infos ...spi.ProtocolInfo) (*fake, func(spi.Socket) *async) {
	f := h.ifs(name, infos...)
	var sockets sync.Map
	open, closeSocket := f.LpWSPSocket, f.LpWSPCloseSocket
	f.LpWSPSocket = func(af, typ, protocol int32, info *spi.ProtocolInfo, g spi.Group, flags uint32) (spi.Socket, spi.Errno) {
		s, e := open(af, typ, protocol, info, g, flags)
		if e == 0 {
			_ = syscall.SetNonblock(int(s), true)
			sockets.Store(s, &async{f: f, s: s})
		}
		return s, e
	}
	f.LpWSPCloseSocket = func(s spi.Socket) spi.Errno {
		if a, ok := sockets.LoadAndDelete(s); ok {
			a.(*async).unwatch()
		}
		return closeSocket(s)
	}
	f.LpWSPRecv = func(s spi.Socket, bufs []spi.Buf, received, _ *uint32, ov *spi.Overlapped, _ spi.CompletionRoutine, _ *spi.ThreadID) spi.Errno {
		a, ok := sockets.Load(s)
		if !ok || ov == nil {
			return spi.WSAENOTSOCK
		}
		return a.(*async).receive(bufs[0].Bytes(), received, ov)
	}
	return f, func(s spi.Socket) *async {
		a, _ := sockets.Load(s)
		return a.(*async)
	}
}

func (a *async) receive(buffer []byte, received *uint32, ov *spi.Overlapped) spi.Errno {
	a.mu.Lock()
	defer a.mu.Unlock()
	port := a.f.dll.CompletionPort(a.s)
	if port == nil {
		return spi.WSAEOPNOTSUPP
	}
	if a.port != port {
		var e spi.Errno
		if a.watch, e = port.Watch(uintptr(a.s), a); e != 0 {
			return e
		}
		a.port = port
	}
	ov.Start()
	if len(a.pending) == 0 {
		if n, err := syscall.Read(int(a.s), buffer); err == nil {
			*received = uint32(n)
			ov.Complete(0, uint32(n))
			if !port.SkipOnSuccess() {
				port.Post(spi.Completion{Overlapped: ov, Transferred: uint32(n)})
			}
			return 0
		}
	}
	a.pending = append(a.pending, receive{ov, buffer})
	return spi.WSA_IO_PENDING
}

func (a *async) Ready(_ uint32, done []spi.Completion) []spi.Completion {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.pending) > 0 {
		r := a.pending[0]
		n, err := syscall.Read(int(a.s), r.buffer)
		if errors.Is(err, syscall.EAGAIN) {
			break
		}
		a.pending = a.pending[1:]
		r.ov.Complete(0, uint32(n))
		done = append(done, spi.Completion{Overlapped: r.ov, Transferred: uint32(n)})
	}
	return done
}

func (a *async) Orphaned() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.orphaned = true
}

func (a *async) unwatch() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.port != nil {
		a.port.Unwatch(uintptr(a.s), a.watch)
	}
}

// receiveOn begins an overlapped receive that cannot end at once.
func receiveOn(t *testing.T, thread *Thread, s spi.Socket, buffer []byte) *spi.Overlapped {
	t.Helper()
	ov, flags := new(spi.Overlapped), uint32(0)
	if err := thread.WSARecv(s, []spi.Buf{spi.NewBuf(buffer)}, nil, &flags, ov, nil); CodeOf(err) != spi.WSA_IO_PENDING {
		t.Fatalf("receiving: %v", err)
	}
	return ov
}

func TestPortWatchesIFSHandles(t *testing.T) {
	h := newHost(t)
	f, async := h.asyncIFS("pair", tcp())
	thread := h.up()
	port := h.newPort(t, 0)
	s := mustSocket(t, thread)
	if f.dll.CompletionPort(s) != nil {
		t.Error("a port from the beginning")
	}
	if err := h.AssociateCompletionPort(s, port, 5); err != nil {
		t.Fatal(err)
	}
	if err := h.AssociateCompletionPort(s, port, 6); CodeOf(err) != spi.WSA_INVALID_PARAMETER {
		t.Errorf("a second time: %v", err)
	}
	buffer := make([]byte, 8)
	ov := receiveOn(t, thread, s, buffer)
	if _, err := thread.GetQueuedCompletionStatus(port, 0); CodeOf(err) != spi.WAIT_TIMEOUT {
		t.Errorf("nothing came: %v", err)
	}
	if _, err := thread.Send(s, []byte("abc"), 0); err != nil {
		t.Fatal(err)
	}
	if !ov.InProgress() {
		t.Error("the operation went on outside a dequeue")
	}
	packet, err := thread.GetQueuedCompletionStatus(port, spi.WSA_INFINITE)
	if wanted := (Packet{Transferred: 3, Key: 5, Overlapped: ov}); packet != wanted || err != nil || string(buffer[:3]) != "abc" {
		t.Errorf("%+v, %v, %q; want %+v", packet, err, buffer, wanted)
	}
	// The number of a closed socket, used again, has no port.
	wantCode(t, thread, thread.CloseSocket(s), 0)
	next := mustSocket(t, thread)
	if next != s {
		t.Skipf("the system gave %d, not %d again", next, s)
	}
	if f.dll.CompletionPort(next) != nil {
		t.Error("a new socket inherits the port of an old one")
	}
	if err := h.AssociateCompletionPort(next, port, 9); err != nil {
		t.Error(err)
	}
	receiveOn(t, thread, next, buffer)
	if err := h.CloseCompletionPort(port); err != nil {
		t.Error(err)
	}
	if !async(next).orphaned {
		t.Error("the provider does not know that the port is closed")
	}
	if f.dll.CompletionPort(next) != nil {
		t.Error("a closed port is told")
	}
}

// A number that was closed behind the DLL's back, by a layer for example, is
// registered anew by its base provider and by the layers above it.
func TestAssociationBelongsToTheSocket(t *testing.T) {
	h := newHost(t)
	f, _ := h.asyncIFS("pair", tcp())
	over := tcp()
	over.ServiceFlags1 = spi.XP1_IFS_HANDLES
	over.ProtocolChain = spi.ProtocolChain{ChainLen: 2, ChainEntries: [spi.MaxProtocolChain]uint32{0, f.ids[0]}}
	h.layer("layer", 0, over)
	thread := h.up()
	port := h.newPort(t, 0)
	base, _ := h.catalog.Lookup(f.ids[0])
	s, err := thread.WSASocket(0, 0, 0, &base.ProtocolInfo, 0, spi.WSA_FLAG_OVERLAPPED)
	wantCode(t, thread, err, 0)
	if err := h.AssociateCompletionPort(s, port, 5); err != nil {
		t.Fatal(err)
	}
	if err := h.SetFileCompletionNotificationModes(s, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS); err != nil {
		t.Fatal(err)
	}
	before := f.dll.CompletionPort(s)
	var above uint32
	for _, e := range h.catalog.Entries() {
		if e.ProtocolChain.ChainLen > 1 {
			above = e.CatalogEntryID
		}
	}
	_, e := h.table.WPUModifyIFSHandle(above, s)
	want(t, e, 0)
	if after := f.dll.CompletionPort(s); after == nil || after != before || !after.SkipOnSuccess() {
		t.Errorf("a layer's registration changed the port from %v to %v", before, after)
	}
	_, e = h.table.WPUModifyIFSHandle(f.ids[0], s)
	want(t, e, 0)
	if f.dll.CompletionPort(s) != nil {
		t.Error("the base provider's new socket has the port of the old")
	}
}

// One port serves IFS and non-IFS sockets.
func TestOnePortForBothKinds(t *testing.T) {
	h := newHost(t)
	h.asyncIFS("pair", tcp())
	f := h.nonIFS("echo", udp())
	thread := h.up()
	port := h.newPort(t, 0)
	ifs := mustSocket(t, thread)
	other, err := thread.Socket(spi.AF_INET, spi.SOCK_DGRAM, 0)
	wantCode(t, thread, err, 0)
	if isIFS(other) || !isIFS(ifs) {
		t.Fatal("wrong kinds")
	}
	for i, s := range []spi.Socket{ifs, other} {
		if err := h.AssociateCompletionPort(s, port, uintptr(i)); err != nil {
			t.Fatal(err)
		}
	}
	const rounds = 100
	var got [3]atomic.Int32
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			h.onThread(func(thread *Thread) {
				buffer := make([]byte, 1)
				for {
					packet, err := thread.GetQueuedCompletionStatus(port, spi.WSA_INFINITE)
					if CodeOf(err) == spi.ERROR_ABANDONED_WAIT_0 || CodeOf(err) == spi.WSA_INVALID_HANDLE {
						return
					}
					if err != nil {
						t.Error(err)
					}
					if packet.Key == 0 && got[0].Load() < rounds-1 {
						receiveOn(t, thread, ifs, buffer)
						if _, err := thread.Send(ifs, []byte("x"), 0); err != nil {
							t.Error(err)
						}
					}
					got[packet.Key].Add(1)
				}
			})
		})
	}
	receiveOn(t, thread, ifs, make([]byte, 1))
	if _, err := thread.Send(ifs, []byte("x"), 0); err != nil {
		t.Error(err)
	}
	for range rounds {
		want(t, f.dll.WPUCompleteOverlappedRequest(other, started(0), 0, 1), 0)
		if err := h.PostQueuedCompletionStatus(port, Packet{Key: 2}); err != nil {
			t.Error(err)
		}
	}
	for got[0].Load()+got[1].Load()+got[2].Load() != 3*rounds {
		unix.Nanosleep(&unix.Timespec{Nsec: 100_000}, nil)
	}
	if err := h.CloseCompletionPort(port); err != nil {
		t.Error(err)
	}
	workers.Wait()
}

func TestSkipOnSuccess(t *testing.T) {
	for _, before := range []bool{true, false} {
		h := newHost(t)
		h.asyncIFS("pair", tcp())
		h.nonIFS("echo", udp())
		thread := h.up()
		port := h.newPort(t, 0)
		s := mustSocket(t, thread)
		set := func(flags uint8, code spi.Errno) {
			t.Helper()
			if err := h.SetFileCompletionNotificationModes(s, flags); CodeOf(err) != code {
				t.Errorf("flags %d: %v, want %v", flags, err, code)
			}
		}
		set(4, spi.WSA_INVALID_PARAMETER)
		if before {
			set(FILE_SKIP_COMPLETION_PORT_ON_SUCCESS, 0)
		}
		if err := h.AssociateCompletionPort(s, port, 1); err != nil {
			t.Fatal(err)
		}
		receive := func() *spi.Overlapped {
			t.Helper()
			if _, err := thread.Send(s, []byte("x"), 0); err != nil {
				t.Fatal(err)
			}
			ov, n, flags := new(spi.Overlapped), uint32(0), uint32(0)
			if err := thread.WSARecv(s, []spi.Buf{spi.NewBuf(make([]byte, 1))}, &n, &flags, ov, nil); err != nil || n != 1 {
				t.Fatalf("%d bytes, %v", n, err)
			}
			return ov
		}
		if !before {
			ov := receive()
			if packet, err := thread.GetQueuedCompletionStatus(port, 0); packet.Overlapped != ov || err != nil {
				t.Errorf("%+v, %v", packet, err)
			}
			set(FILE_SKIP_COMPLETION_PORT_ON_SUCCESS|FILE_SKIP_SET_EVENT_ON_HANDLE, 0)
		}
		receive()
		if _, err := thread.GetQueuedCompletionStatus(port, 0); CodeOf(err) != spi.WAIT_TIMEOUT {
			t.Errorf("a packet for what succeeded at once: %v", err)
		}
		ov := receiveOn(t, thread, s, make([]byte, 1))
		if _, err := thread.Send(s, []byte("x"), 0); err != nil {
			t.Fatal(err)
		}
		if packet, err := thread.GetQueuedCompletionStatus(port, spi.WSA_INFINITE); packet.Overlapped != ov || err != nil {
			t.Errorf("%+v, %v", packet, err)
		}
		other, err := thread.Socket(spi.AF_INET, spi.SOCK_DGRAM, 0)
		wantCode(t, thread, err, 0)
		if err := h.SetFileCompletionNotificationModes(other, 1); CodeOf(err) != spi.WSAEOPNOTSUPP {
			t.Errorf("a non-IFS handle: %v", err)
		}
		if err := h.SetFileCompletionNotificationModes(1<<40, 1); CodeOf(err) != spi.WSAENOTSOCK {
			t.Errorf("no handle: %v", err)
		}
	}
}

// An APC wakes a thread that waits in epoll.
func TestAPCWhileDescriptorsAreWatched(t *testing.T) {
	h := newHost(t)
	h.asyncIFS("pair", tcp())
	thread := h.up()
	port := h.newPort(t, 0)
	s := mustSocket(t, thread)
	if err := h.AssociateCompletionPort(s, port, 1); err != nil {
		t.Fatal(err)
	}
	receiveOn(t, thread, s, make([]byte, 1))
	ids := make(chan spi.ThreadID)
	done := make(chan struct{})
	const rounds = 100
	go func() {
		defer close(done)
		h.onThread(func(thread *Thread) {
			for range rounds {
				ids <- thread.id
				if _, err := thread.GetQueuedCompletionStatusEx(port, make([]Packet, 1), spi.WSA_INFINITE, true); CodeOf(err) != spi.WAIT_IO_COMPLETION {
					t.Error(err)
				}
			}
		})
	}()
	var runs atomic.Int32
	for i := range rounds {
		id := <-ids
		if i%2 == 0 {
			h.untilWaiting(port, 1)
		}
		want(t, h.table.WPUQueueApc(&id, func(uintptr) { runs.Add(1) }, 0), 0)
	}
	<-done
	if runs.Load() != rounds {
		t.Errorf("%d APCs ran", runs.Load())
	}
	if err := h.CloseCompletionPort(port); err != nil {
		t.Error(err)
	}
}

// A provider that panics in Ready does not take the client's thread along.
func TestPanicInReady(t *testing.T) {
	h := newHost(t)
	f, _ := h.asyncIFS("pair", tcp())
	thread := h.up()
	port := h.newPort(t, 0)
	s := mustSocket(t, thread)
	if err := h.AssociateCompletionPort(s, port, 1); err != nil {
		t.Fatal(err)
	}
	if _, e := f.dll.CompletionPort(s).Watch(uintptr(s), panicking{}); e != 0 {
		t.Fatal(e)
	}
	if _, err := thread.GetQueuedCompletionStatus(port, 5); CodeOf(err) != spi.WAIT_TIMEOUT {
		t.Error(err)
	}
	if err := h.CloseCompletionPort(port); err != nil {
		t.Error(err)
	}
	if logs := h.logged(); len(logs) != 2 {
		t.Errorf("logged %q", logs)
	}
}

type panicking struct{}

func (panicking) Ready(uint32, []spi.Completion) []spi.Completion { panic("ready") }
func (panicking) Orphaned()                                       { panic("orphaned") }
