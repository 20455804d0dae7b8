package ws2

import (
	"bytes"
	"os"
	"sync"
	"testing"
	"unsafe"

	"upcall.dev/spi"
)

func TestBehaviour118_WaitForMultipleEvents(t *testing.T) {
	h := newHost(t)
	for _, thread := range []*Thread{h.up(), h.Unbound()} {
		events := make([]spi.Event, 65)
		for i := range events {
			events[i], _ = h.table.WPUCreateEvent()
		}
		refused := func(events []spi.Event, want spi.Errno) {
			t.Helper()
			code, err := thread.WSAWaitForMultipleEvents(events, false, 0, false)
			wantCode(t, thread, err, want)
			if code != 0xffffffff {
				t.Errorf("code %#x", code)
			}
		}
		refused(nil, 87)
		refused(events, 87)
		refused([]spi.Event{events[0], 4711}, 6)
		refused([]spi.Event{0}, 6)

		gives := func(want uint32, all bool) {
			t.Helper()
			if got, err := thread.WSAWaitForMultipleEvents(events[:64], all, 0, false); got != want || err != nil {
				t.Errorf("wait gives %#x, %v; want %#x", got, err, want)
			}
		}
		gives(spi.WSA_WAIT_TIMEOUT, false)
		want(t, h.table.WPUSetEvent(events[63]), 0)
		gives(63, false)
		want(t, h.table.WPUSetEvent(events[7]), 0)
		gives(7, false)
		gives(spi.WSA_WAIT_TIMEOUT, true)
		for _, ev := range events[:64] {
			want(t, h.table.WPUSetEvent(ev), 0)
		}
		gives(0, true)
		// Closing an event ends a wait for it.
		go h.table.WPUCloseEvent(events[64])
		code, err := thread.WSAWaitForMultipleEvents(events[64:], false, spi.WSA_INFINITE, false)
		if code != spi.WSA_WAIT_FAILED || CodeOf(err) != spi.WSA_INVALID_HANDLE {
			t.Errorf("wait gives %#x, %v", code, err)
		}
	}
}

func TestBehaviour124_QueryWhileAnotherCallIsInTheProvider(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	inside, release := make(chan struct{}), make(chan struct{})
	f.LpWSPListen = func(spi.Socket, int32) spi.Errno { close(inside); <-release; return 0 }
	thread := h.up()
	s := mustSocket(t, thread)
	done := make(chan error)
	go func() { done <- h.Unbound().Listen(s, 1) }()
	<-inside
	if _, e := f.upcalls.WPUQuerySocketHandleContext(s); e != 0 {
		t.Error(e)
	}
	another, e := f.upcalls.WPUCreateSocketHandle(f.ids[0], 1)
	want(t, e, 0)
	want(t, f.upcalls.WPUCloseSocketHandle(another), 0)
	mustSocket(t, thread)
	close(release)
	wantCode(t, h.Unbound(), <-done, 0)
}

// The socket duplicates of a fake: each one is made once, by its token.
func (f *fake) duplicates() {
	tokens := map[uint32]uintptr{}
	refs := map[uintptr]int{}
	socket := f.LpWSPSocket
	f.LpWSPDuplicateSocket = func(s spi.Socket, pid uint32, info *spi.ProtocolInfo) spi.Errno {
		context, e := f.upcalls.WPUQuerySocketHandleContext(s)
		if e != 0 {
			return e
		}
		if pid != uint32(os.Getpid()) {
			return spi.WSAEINVAL
		}
		*info = f.infos[0]
		info.ProviderReserved = uint32(len(tokens) + 1)
		tokens[info.ProviderReserved] = context
		refs[context] += 1
		return 0
	}
	f.LpWSPSocket = func(af, typ, protocol int32, info *spi.ProtocolInfo, g spi.Group, flags uint32) (spi.Socket, spi.Errno) {
		if info.ProviderReserved == 0 {
			return socket(af, typ, protocol, info, g, flags)
		}
		context, ok := tokens[info.ProviderReserved]
		if !ok {
			return spi.InvalidSocket, spi.WSAEINVAL
		}
		delete(tokens, info.ProviderReserved)
		return f.upcalls.WPUCreateSocketHandle(info.CatalogEntryID, context)
	}
	f.LpWSPCloseSocket = func(s spi.Socket) spi.Errno { return f.upcalls.WPUCloseSocketHandle(s) }
}

func TestBehaviour111_DuplicateInTheProcess(t *testing.T) {
	h := newHost(t)
	h.nonIFS("echo", tcp()).duplicates()
	thread := h.up()
	s := mustSocket(t, thread)
	var info spi.ProtocolInfo
	wantCode(t, thread, thread.WSADuplicateSocket(s, uint32(os.Getpid()), nil), spi.WSAEFAULT)
	wantCode(t, thread, thread.WSADuplicateSocket(s, uint32(os.Getpid()), &info), 0)
	dup, err := thread.WSASocket(0, 0, 0, &info, 0, 0)
	wantCode(t, thread, err, 0)
	if dup == s {
		t.Error("the duplicate has the same handle")
	}
	_, err = thread.Send(s, []byte("shared"), 0)
	wantCode(t, thread, err, 0)
	wantCode(t, thread, thread.CloseSocket(s), 0)
	b := make([]byte, 10)
	n, err := thread.Recv(dup, b, 0)
	wantCode(t, thread, err, 0)
	if string(b[:n]) != "shared" {
		t.Errorf("received %q", b[:n])
	}
}

func TestBehaviour112_DuplicateInfoIsUsedOnce(t *testing.T) {
	h := newHost(t)
	h.nonIFS("echo", tcp()).duplicates()
	thread := h.up()
	s := mustSocket(t, thread)
	var info spi.ProtocolInfo
	wantCode(t, thread, thread.WSADuplicateSocket(s, uint32(os.Getpid()), &info), 0)
	_, err := thread.WSASocket(-1, -1, -1, &info, 0, 0)
	wantCode(t, thread, err, 0)
	_, err = thread.WSASocket(-1, -1, -1, &info, 0, 0)
	wantCode(t, thread, err, spi.WSAEINVAL)
}

func TestBehaviour095_SelectRefusals(t *testing.T) {
	h := newHost(t)
	h.nonIFS("echo", tcp())
	thread := h.up()
	s := mustSocket(t, thread)
	none := spi.NewFDSet()
	for _, c := range []struct {
		read, write, except *spi.FDSet
		timeout             *spi.Timeval
		want                spi.Errno
	}{
		{nil, nil, nil, nil, spi.WSAEINVAL},
		{none, none, none, nil, spi.WSAEINVAL},
		{spi.NewFDSet(s), nil, nil, &spi.Timeval{Sec: -1}, spi.WSAEINVAL},
		{spi.NewFDSet(s), nil, nil, &spi.Timeval{Usec: -1}, spi.WSAEINVAL},
		{spi.NewFDSet(s), spi.NewFDSet(4711), nil, nil, spi.WSAENOTSOCK},
		{nil, nil, spi.NewFDSet(spi.InvalidSocket), nil, spi.WSAENOTSOCK},
	} {
		_, err := thread.Select(c.read, c.write, c.except, c.timeout)
		wantCode(t, thread, err, c.want)
	}
}

func TestBehaviour097_SelectWithTwoProviders(t *testing.T) {
	h := newHost(t)
	one := h.nonIFS("one", tcp(), entryOf("six", spi.AF_INET6, spi.SOCK_STREAM, spi.IPPROTO_TCP, spi.PFL_MATCHES_PROTOCOL_ZERO))
	h.nonIFS("two", udp())
	one.LpWSPSelect = func(r, w, e *spi.FDSet, timeout *spi.Timeval) (int32, spi.Errno) {
		return r.Keep(func(spi.Socket) bool { return true }) + w.Keep(func(spi.Socket) bool { return false }), 0
	}
	thread := h.up()
	s := mustSocket(t, thread)
	six, err := thread.Socket(spi.AF_INET6, spi.SOCK_STREAM, 0)
	wantCode(t, thread, err, 0)
	other, err := thread.Socket(spi.AF_INET, spi.SOCK_DGRAM, 0)
	wantCode(t, thread, err, 0)
	_, err = thread.Select(spi.NewFDSet(s), spi.NewFDSet(other), nil, nil)
	wantCode(t, thread, err, spi.WSAEINVAL)
	// Entries of one provider may be mixed.
	n, err := thread.Select(spi.NewFDSet(s, six), spi.NewFDSet(s), nil, &spi.Timeval{})
	if n != 2 || err != nil {
		t.Error(n, err)
	}
}

func TestBehaviour098_FDIsSetBeyond64(t *testing.T) {
	h := newHost(t)
	members := make([]spi.Socket, 100)
	for i := range members {
		members[i] = spi.Socket(1000 + i)
	}
	set := spi.NewFDSet(members...)
	for _, s := range members {
		if !h.table.WPUFDIsSet(s, set) {
			t.Errorf("%d is not in the set", s)
		}
	}
	set.Count = 70
	if h.table.WPUFDIsSet(1070, set) || !h.table.WPUFDIsSet(1069, set) || h.table.WPUFDIsSet(1, set) || h.table.WPUFDIsSet(1, nil) {
		t.Error("membership does not end at fd_count")
	}
}

func TestBindChecksTheName(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	thread := h.up()
	s := mustSocket(t, thread)
	for _, name := range [][]byte{nil, {}, make([]byte, 15), {1}} {
		wantCode(t, thread, thread.Bind(s, name), spi.WSAEFAULT)
	}
	short, _ := spi.SockaddrUnix("/a")
	for _, name := range [][]byte{make([]byte, 16), short} {
		wantCode(t, thread, thread.Bind(s, name), 0)
	}
	if f.called("WSPBind") != 2 {
		t.Errorf("%d calls reached the provider", f.called("WSPBind"))
	}
}

func TestConnectOfVersion1(t *testing.T) {
	for _, c := range []struct {
		version uint16
		want    spi.Errno
	}{{version(1, 1), spi.WSAEINVAL}, {version(2, 2), spi.WSAEALREADY}} {
		h := newHost(t)
		f := h.nonIFS("echo", tcp())
		f.LpWSPConnect = func(spi.Socket, []byte, *spi.Buf, *spi.Buf, *spi.QOS, *spi.QOS) spi.Errno { return spi.WSAEALREADY }
		thread := h.upAs(c.version)
		wantCode(t, thread, thread.Connect(mustSocket(t, thread), make([]byte, 16)), c.want)
	}
}

// A message that does not fit is cut: the client gets WSAEMSGSIZE and what fits.
func TestPartialMessage(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("messages", udp())
	partial := func(bufs []spi.Buf, received, flags *uint32) spi.Errno {
		*received = uint32(copy(bufs[0].Bytes(), "longer"))
		*flags |= spi.MSG_PARTIAL
		return 0
	}
	f.LpWSPRecv = func(_ spi.Socket, bufs []spi.Buf, received, flags *uint32, _ *spi.Overlapped, _ spi.CompletionRoutine, _ *spi.ThreadID) spi.Errno {
		return partial(bufs, received, flags)
	}
	f.LpWSPRecvFrom = func(_ spi.Socket, bufs []spi.Buf, received, flags *uint32, _ []byte, _ *int32, _ *spi.Overlapped, _ spi.CompletionRoutine, _ *spi.ThreadID) spi.Errno {
		return partial(bufs, received, flags)
	}
	thread := h.up()
	s, err := thread.Socket(spi.AF_INET, spi.SOCK_DGRAM, 0)
	wantCode(t, thread, err, 0)
	b := make([]byte, 4)
	n, err := thread.Recv(s, b, 0)
	wantCode(t, thread, err, spi.WSAEMSGSIZE)
	if n != 4 || string(b) != "long" {
		t.Errorf("%d bytes, %q", n, b)
	}
	n, err = thread.RecvFrom(s, b, 0, nil, nil)
	wantCode(t, thread, err, spi.WSAEMSGSIZE)
	if n != 4 {
		t.Errorf("%d bytes", n)
	}
}

func TestOpenType(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	var got uint32
	socket := f.LpWSPSocket
	f.LpWSPSocket = func(af, typ, protocol int32, info *spi.ProtocolInfo, g spi.Group, flags uint32) (spi.Socket, spi.Errno) {
		got = flags
		return socket(af, typ, protocol, info, g, flags)
	}
	thread := h.up()
	mustSocket(t, thread)
	if got != spi.WSA_FLAG_OVERLAPPED {
		t.Errorf("flags %#x", got)
	}
	synchronous := int32(0x20)
	wantCode(t, thread, thread.SetSockOpt(spi.InvalidSocket, spi.SOL_SOCKET, spi.SO_OPENTYPE, bytesOf(&synchronous)), 0)
	mustSocket(t, thread)
	if got != 0 {
		t.Errorf("flags %#x", got)
	}
	var value, length int32
	wantCode(t, thread, thread.GetSockOpt(spi.InvalidSocket, spi.SOL_SOCKET, spi.SO_OPENTYPE, bytesOf(&value), &length), 0)
	if value != 0x20 || length != 4 {
		t.Error(value, length)
	}
	h.onThread(func(other *Thread) {
		mustSocket(t, other)
		if got != spi.WSA_FLAG_OVERLAPPED {
			t.Error("another thread has the open type")
		}
	})
	wantCode(t, h.Unbound(), h.Unbound().SetSockOpt(0, spi.SOL_SOCKET, spi.SO_OPENTYPE, bytesOf(&value)), spi.WSAEOPNOTSUPP)
	wantCode(t, thread, thread.SetSockOpt(0, spi.SOL_SOCKET, spi.SO_OPENTYPE, nil), spi.WSAEFAULT)
}

func TestProtocolInfoA(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	f.LpWSPGetSockOpt = func(_ spi.Socket, _, name int32, val []byte, length *int32) spi.Errno {
		if name != spi.SO_PROTOCOL_INFOW {
			t.Errorf("option %#x reached the provider", name)
		}
		copy(val, bytesOf(&f.infos[0]))
		return 0
	}
	thread := h.up()
	s := mustSocket(t, thread)
	val := bytes.Repeat([]byte{0xff}, 400)
	length := int32(len(val))
	wantCode(t, thread, thread.GetSockOpt(s, spi.SOL_SOCKET, spi.SO_PROTOCOL_INFOA, val, &length), 0)
	if length != 372 || !bytes.Equal(val[:116], bytesOf(&f.infos[0])[:116]) || !bytes.HasPrefix(val[116:], []byte("TCP\x00")) || val[371] != 0 || val[372] != 0xff {
		t.Errorf("length %d, value %v", length, val)
	}
	wantCode(t, thread, thread.GetSockOpt(s, spi.SOL_SOCKET, spi.SO_PROTOCOL_INFOA, val[:371], &length), spi.WSAEFAULT)
}

func TestAddressTranslation(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp(), entryOf("six", spi.AF_INET6, spi.SOCK_STREAM, spi.IPPROTO_TCP, 0))
	var got uint32
	f.LpWSPAddressToString = func(addr []byte, info *spi.ProtocolInfo, buf []uint16, length *uint32) spi.Errno {
		got = info.CatalogEntryID
		return spi.CopyUTF16(spi.AddressString(addr), buf, length)
	}
	f.LpWSPStringToAddress = func(str []uint16, af int32, info *spi.ProtocolInfo, addr []byte, length *int32) spi.Errno {
		got = info.CatalogEntryID
		return 0
	}
	thread := h.up()
	name := make([]byte, 28)
	name[0] = spi.AF_INET6
	buf, length, addrLen := make([]uint16, 50), uint32(50), int32(28)
	wantCode(t, thread, thread.WSAAddressToString(name, nil, buf, &length), 0)
	if got != f.ids[1] || spi.UTF16ToString(buf) != "[::]:0" {
		t.Errorf("entry %d gives %q", got, spi.UTF16ToString(buf))
	}
	info := spi.ProtocolInfo{CatalogEntryID: f.ids[0]}
	wantCode(t, thread, thread.WSAStringToAddress(buf, spi.AF_INET6, &info, name, &addrLen), 0)
	if got != f.ids[0] {
		t.Errorf("entry %d", got)
	}
	name[0] = 99
	wantCode(t, thread, thread.WSAAddressToString(name, nil, buf, &length), spi.WSAEINVAL)
	wantCode(t, thread, thread.WSAAddressToString(nil, nil, buf, &length), spi.WSAEFAULT)
	wantCode(t, thread, thread.WSAStringToAddress(buf, 99, nil, name, &addrLen), spi.WSAEINVAL)
	wantCode(t, thread, thread.WSAStringToAddress(buf, spi.AF_INET, nil, name, nil), spi.WSAEFAULT)
}

func TestEnumProtocols(t *testing.T) {
	h := newHost(t)
	h.nonIFS("echo", tcp(), udp())
	h.layer("shape", 0, tcp()) // one bare entry, one chain
	thread := h.up()
	var length uint32
	_, err := thread.WSAEnumProtocols(nil, nil, &length)
	wantCode(t, thread, err, spi.WSAENOBUFS)
	if length != 3*628 {
		t.Errorf("length %d, want that of three entries", length)
	}
	infos := make([]spi.ProtocolInfo, 3)
	n, err := thread.WSAEnumProtocols(nil, infos, &length)
	if n != 3 || err != nil {
		t.Error(n, err)
	}
	if all := h.Exports().WSCEnumProtocols(); len(all) != 4 {
		t.Errorf("WSCEnumProtocols gives %d entries, want 4", len(all))
	}
	if unsafe.Sizeof(infos[0]) != 628 {
		t.Error("the size of an entry")
	}
}

// Calls, closes and completions on the same handles from many goroutines.
func TestDispatchUnderLoad(t *testing.T) {
	h := newHost(t)
	h.nonIFS("echo", tcp())
	h.ifs("real", udp())
	h.up()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			u := h.Unbound()
			for i := range 200 {
				typ := int32(spi.SOCK_STREAM + i%2)
				s, err := u.Socket(spi.AF_INET, typ, 0)
				if err != nil {
					t.Error(err)
					return
				}
				b := []byte("ping")
				if n, err := u.Send(s, b, 0); n != 4 || err != nil {
					t.Error(n, err)
				}
				if n, err := u.Recv(s, b, 0); n != 4 || err != nil {
					t.Error(n, err)
				}
				if typ == spi.SOCK_DGRAM { // a descriptor's number may be another's at once
					if err := u.CloseSocket(s); err != nil {
						t.Error(err)
					}
					continue
				}
				won := make(chan bool, 2)
				for range 2 {
					go func() { won <- u.CloseSocket(s) == nil }()
				}
				if first, second := <-won, <-won; first == second {
					t.Error("not closed once")
				}
			}
		})
	}
	wg.Wait()
}

// While one thread closes a socket, another one's attempt does not reach the
// provider: the number may be somebody else's handle by then.
func TestSocketIsClosedOnce(t *testing.T) {
	h := newHost(t)
	f := h.ifs("real", tcp())
	thread := h.up()
	s := mustSocket(t, thread)
	inner := f.LpWSPCloseSocket
	f.LpWSPCloseSocket = func(s spi.Socket) spi.Errno {
		f.LpWSPCloseSocket = inner
		h.onThread(func(other *Thread) {
			wantCode(t, other, other.CloseSocket(s), spi.WSAENOTSOCK)
		})
		return inner(s)
	}
	wantCode(t, thread, thread.CloseSocket(s), 0)
	if n := f.called("WSPCloseSocket"); n != 1 {
		t.Errorf("the provider closed it %d times", n)
	}
	wantCode(t, thread, thread.CloseSocket(s), spi.WSAENOTSOCK)
}
