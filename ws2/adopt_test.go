package ws2

import (
	"os"
	"slices"
	"testing"

	"upcall.dev/spi"
)

// answers makes the fake say that a handle is its socket, of the entry with
// that id.
func (f *fake) answers(s spi.Socket, id uint32) {
	f.LpWSPGetSockOpt = func(asked spi.Socket, level, name int32, val []byte, length *int32) spi.Errno {
		f.count("WSPGetSockOpt")
		if level != spi.SOL_SOCKET || name != spi.SO_PROTOCOL_INFOW || len(val) != 628 || *length != 628 {
			return spi.WSAEFAULT
		}
		if asked != s {
			return spi.WSAENOTSOCK
		}
		info := spi.ProtocolInfo{CatalogEntryID: id}
		copy(val, bytesOf(&info))
		return 0
	}
}

// foreign returns an open descriptor that no provider has registered.
func foreign(t *testing.T) spi.Socket {
	t.Helper()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return spi.Socket(f.Fd())
}

func TestBehaviour027_AdoptionAsksIFSProvidersInOrder(t *testing.T) {
	h := newHost(t)
	s := foreign(t)
	var order []string
	first, second, third := h.ifs("first", tcp()), h.ifs("second", tcp(), udp()), h.ifs("third", tcp())
	second.answers(s, second.ids[1])
	third.answers(s, third.ids[0])
	for _, f := range []*fake{first, second, third} {
		inner := f.LpWSPGetSockOpt
		f.LpWSPGetSockOpt = func(s spi.Socket, level, name int32, val []byte, length *int32) spi.Errno {
			order = append(order, f.path)
			return inner(s, level, name, val, length)
		}
	}
	thread := h.up()
	wantCode(t, thread, thread.Listen(s, 1), 0)
	if want := []string{first.path, second.path}; !slices.Equal(order, want) {
		t.Errorf("asked %v, want %v", order, want)
	}
	if second.called("WSPListen") != 1 {
		t.Error("the adopter did not get the call")
	}
	if got := h.handles.find(s).entry.CatalogEntryID; got != second.ids[1] {
		t.Errorf("adopted under entry %d, want %d", got, second.ids[1])
	}
	// Once adopted, nobody is asked again.
	wantCode(t, thread, thread.Listen(s, 1), 0)
	if len(order) != 2 {
		t.Errorf("asked again: %v", order)
	}
	// A handle that nobody knows, and those that cannot be a provider's.
	wantCode(t, thread, thread.Listen(s+1000, 1), spi.WSAENOTSOCK)
	if len(order) != 5 {
		t.Errorf("asked %v for an unknown handle", order[2:])
	}
	wantCode(t, thread, thread.Listen(spi.InvalidSocket, 1), spi.WSAENOTSOCK)
	wantCode(t, thread, thread.Listen(1<<33, 1), spi.WSAENOTSOCK)
	if len(order) != 5 {
		t.Errorf("asked %v for an impossible handle", order[5:])
	}
}

// A number that the client has closed may come back as a handle that nobody
// registers, and then it is a foreign one again.
func TestBehaviour027_NumberOfAClosedSocketIsAdoptedAnew(t *testing.T) {
	h := newHost(t)
	f := h.ifs("real", tcp(), udp())
	thread := h.up()
	s := mustSocket(t, thread)
	wantCode(t, thread, thread.CloseSocket(s), 0)
	wantCode(t, thread, thread.Listen(s, 1), spi.WSAENOTSOCK)
	if h.handles.find(s) != nil {
		t.Error("the table still has the closed socket")
	}
	f.answers(s, f.ids[1])
	wantCode(t, thread, thread.Listen(s, 1), 0)
	if got := h.handles.find(s).entry.CatalogEntryID; got != f.ids[1] {
		t.Errorf("adopted under entry %d, want %d", got, f.ids[1])
	}
}

func TestBehaviour028_NonIFSProvidersAreNotAsked(t *testing.T) {
	h := newHost(t)
	s := foreign(t)
	non := h.nonIFS("echo", tcp())
	ifs := h.ifs("real", udp())
	layer := h.layer("shape", 0) // a non-IFS chain over the IFS base
	for _, f := range []*fake{non, layer} {
		f.answers(s, f.ids[0])
	}
	thread := h.up()
	wantCode(t, thread, thread.Listen(s, 1), spi.WSAENOTSOCK)
	if ifs.called("WSPGetSockOpt") != 1 {
		t.Error("the IFS provider was not asked")
	}
	for _, f := range []*fake{non, layer} {
		if f.loads.Load() != 0 || f.called("WSPGetSockOpt") != 0 {
			t.Errorf("%s was loaded or asked", f.path)
		}
	}
}

// A layer that lets its base answer gets the handle nevertheless, under the
// chain entry over that base.
func TestAdoptionThroughALayer(t *testing.T) {
	h := newHost(t)
	s := foreign(t)
	base := h.ifs("real", tcp(), udp())
	layer := h.layer("filter", spi.XP1_IFS_HANDLES)
	layer.answers(s, base.ids[1])
	thread := h.up()
	wantCode(t, thread, thread.Listen(s, 1), 0)
	if layer.called("WSPListen") != 1 || base.called("WSPListen") != 0 {
		t.Error("the call did not reach the layer")
	}
	adopted := h.handles.find(s).entry
	if chain := adopted.ProtocolChain.Entries(); len(chain) != 2 || chain[1] != base.ids[1] {
		t.Errorf("adopted under chain %v, want the one over entry %d", chain, base.ids[1])
	}
}

// A provider that cannot be started does not keep others from adopting.
func TestAdoptionPastABrokenProvider(t *testing.T) {
	h := newHost(t)
	s := foreign(t)
	broken, good := h.ifs("broken", tcp()), h.ifs("good", tcp())
	broken.startCode = spi.WSASYSNOTREADY
	good.answers(s, good.ids[0])
	thread := h.up()
	wantCode(t, thread, thread.Listen(s, 1), 0)
	if len(h.logged()) != 1 {
		t.Errorf("logged %q, want one line about the broken provider", h.logged())
	}
}

// A handle of an earlier start-up is adopted anew, not sent to a provider that
// has ended.
func TestStaleHandleAfterRestart(t *testing.T) {
	h := newHost(t)
	s := foreign(t)
	f := h.ifs("real", tcp())
	f.answers(s, f.ids[0])
	thread := h.up()
	wantCode(t, thread, thread.Listen(s, 1), 0)
	wantCode(t, thread, thread.WSACleanup(), 0)
	wantCode(t, thread, thread.Listen(s, 1), spi.WSANOTINITIALISED)
	wantCode(t, thread, thread.WSAStartup(spi.Version22, new(WSAData)), 0)
	wantCode(t, thread, thread.Listen(s, 1), 0)
	if f.starts.Load() != 2 || f.called("WSPGetSockOpt") != 2 {
		t.Errorf("%d starts, %d questions; want 2 and 2", f.starts.Load(), f.called("WSPGetSockOpt"))
	}
}

// The number of a closed socket may be another's before the DLL forgets the
// first: the table drops only the object it has closed.
func TestHandleReusedWhileClosing(t *testing.T) {
	h := newHost(t)
	f := h.ifs("real", tcp())
	f.LpWSPCloseSocket = func(s spi.Socket) spi.Errno {
		_, e := f.upcalls.WPUModifyIFSHandle(f.ids[0], s) // another thread's accept got the same number
		return e
	}
	thread := h.up()
	_, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
	wantCode(t, thread, err, 0)
	s, e := h.table.WPUModifyIFSHandle(f.ids[0], descriptor(t))
	want(t, e, 0)
	wantCode(t, thread, thread.CloseSocket(s), 0)
	wantCode(t, thread, thread.Listen(s, 1), 0)
}
