package nonifs

import (
	"sync"
	"testing"

	"upcall.dev/internal/slot"
	"upcall.dev/spi"
)

// dll is the handle table of a DLL.
type dll struct {
	spi.DLL
	table  *slot.Table[int]
	mu     sync.Mutex
	closed map[spi.Socket]int
	waits  func(milliseconds uint32) uint32 // WaitForEvent
}

func (d *dll) WaitForEvent(_ spi.Event, milliseconds uint32) uint32 { return d.waits(milliseconds) }

func newHost() (*Host, *dll) {
	d := &dll{table: slot.New[int](1), closed: map[spi.Socket]int{}}
	h := new(Host)
	h.Start(spi.UpcallTable{
		WPUCreateSocketHandle: func(entry uint32, context uintptr) (spi.Socket, spi.Errno) {
			if entry == 0 {
				return spi.InvalidSocket, spi.WSAEINVAL
			}
			s, _ := d.table.Insert(new(int), context)
			return spi.Socket(s), 0
		},
		WPUCloseSocketHandle: func(s spi.Socket) spi.Errno {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.closed[s]++
			d.table.Remove(uintptr(s))
			return 0
		},
		WPUQuerySocketHandleContext: func(s spi.Socket) (uintptr, spi.Errno) {
			if context, ok := d.table.Context(uintptr(s)); ok {
				return context, 0
			}
			return 0, spi.WSAENOTSOCK
		},
	}, d)
	return h, d
}

func TestLookupRefusesForeignHandles(t *testing.T) {
	host, _ := newHost()
	mine, theirs := NewHandles[int](host), NewHandles[int](host)
	one := 1
	m, errno := mine.Create(7, &one)
	if errno != 0 || m.Entry() != 7 {
		t.Fatalf("%v, entry %d", errno, m.Entry())
	}
	other, _ := theirs.Create(7, &one)
	if got, errno := mine.Lookup(m.Socket()); errno != 0 || got != m {
		t.Errorf("own handle: %v", errno)
	}
	// Both have the same context, for both are the first of their tables.
	if _, errno := mine.Lookup(other.Socket()); errno != spi.WSAENOTSOCK {
		t.Errorf("foreign handle: %v", errno)
	}
	if _, errno := mine.Create(0, &one); errno != spi.WSAEINVAL || mine.Len() != 1 {
		t.Errorf("%v, %d handles", errno, mine.Len())
	}
}

func TestCloseIsDeferredToTheLastOperation(t *testing.T) {
	host, d := newHost()
	handles := NewHandles[int](host)
	h, _ := handles.Create(7, new(int))
	s := h.Socket()
	for range 2 {
		if !h.Begin() {
			t.Fatal("Begin")
		}
	}
	if errno := handles.Close(h); errno != 0 {
		t.Fatal(errno)
	}
	if errno := handles.Close(h); errno != spi.WSAENOTSOCK {
		t.Errorf("second close: %v", errno)
	}
	if _, errno := handles.Lookup(s); errno != spi.WSAENOTSOCK {
		t.Errorf("lookup: %v", errno)
	}
	if h.Begin() {
		t.Error("an operation began on a closed handle")
	}
	h.End()
	if d.closed[s] != 0 {
		t.Error("given back too early")
	}
	h.End()
	if d.closed[s] != 1 {
		t.Errorf("given back %d times", d.closed[s])
	}
	if h.Begin() {
		t.Error("an operation began on a handle that is gone")
	}
	if d.closed[s] != 1 {
		t.Errorf("given back %d times", d.closed[s])
	}
}

func TestCloseBesideOperations(t *testing.T) {
	host, d := newHost()
	handles := NewHandles[int](host)
	for range 300 {
		h, _ := handles.Create(7, new(int))
		s := h.Socket()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 1000 {
					if !h.Begin() {
						break
					}
					h.End()
				}
			})
		}
		all.Go(func() { handles.Close(h) })
		all.Wait()
		if d.closed[s] != 1 {
			t.Fatalf("given back %d times", d.closed[s])
		}
	}
}

func TestStopsAreCounted(t *testing.T) {
	host, _ := newHost()
	host.Start(*host.Upcalls(), nil)
	if last, errno := host.Stop(); last || errno != 0 {
		t.Errorf("%v, %v", last, errno)
	}
	if last, errno := host.Stop(); !last || errno != 0 {
		t.Errorf("%v, %v", last, errno)
	}
	if _, errno := host.Stop(); errno != spi.WSANOTINITIALISED {
		t.Errorf("%v", errno)
	}
}

// The last cleanup ends an operation and sets no event, so a wait for its
// outcome may not depend on one.
func TestBehaviour043_CleanupEndsAWaitForTheOutcome(t *testing.T) {
	h, d := newHost()
	h.Upcalls().WPUResetEvent = func(spi.Event) spi.Errno { return 0 }
	ov := &spi.Overlapped{HEvent: 4}
	r, errno := h.BeginRequest(ov, nil, nil)
	if errno != 0 {
		t.Fatal(errno)
	}
	waits := 0
	d.waits = func(milliseconds uint32) uint32 {
		if milliseconds == spi.WSA_INFINITE {
			t.Fatal("waits for ever for an event that nobody sets")
		}
		waits++
		if waits == 3 {
			if last, errno := h.Stop(); !last || errno != 0 {
				t.Error(last, errno)
			}
			h.Complete(1<<32, &r, spi.WSAECONNRESET, 0, 0)
		}
		return spi.WSA_WAIT_TIMEOUT
	}
	var n, flags uint32
	if errno := h.OverlappedResult(ov, &n, true, &flags); errno != spi.WSA_OPERATION_ABORTED || waits != 3 {
		t.Errorf("%v after %d waits", errno, waits)
	}

	// A closed event, and one that somebody else has set.
	ov.Start()
	for answer, want := range map[uint32]spi.Errno{spi.WSA_WAIT_FAILED: spi.WSA_INVALID_HANDLE, spi.WSA_WAIT_EVENT_0: spi.WSA_IO_PENDING} {
		d.waits = func(uint32) uint32 { return answer }
		if errno := h.OverlappedResult(ov, &n, true, &flags); errno != want {
			t.Errorf("the event wait answers %#x: %v, want %v", answer, errno, want)
		}
	}
}
