package ws2

import (
	"bytes"
	"sync"
	"testing"
	"unsafe"

	"upcall.dev/spi"
)

func TestWSADataLayout(t *testing.T) {
	var d WSAData
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"size", unsafe.Sizeof(d), 408},
		{"wVersion", unsafe.Offsetof(d.Version), 0},
		{"wHighVersion", unsafe.Offsetof(d.HighVersion), 2},
		{"iMaxSockets", unsafe.Offsetof(d.MaxSockets), 4},
		{"iMaxUdpDg", unsafe.Offsetof(d.MaxUDPDg), 6},
		{"lpVendorInfo", unsafe.Offsetof(d.VendorInfo), 8},
		{"szDescription", unsafe.Offsetof(d.Description), 16},
		{"szSystemStatus", unsafe.Offsetof(d.SystemStatus), 273},
	} {
		if c.got != c.want {
			t.Errorf("%s is %d, want %d", c.name, c.got, c.want)
		}
	}
}

func version(major, minor uint16) uint16 { return major | minor<<8 }

func TestBehaviour076_VersionTable(t *testing.T) {
	for _, c := range []struct {
		requested, version uint16
		want               spi.Errno
	}{
		{version(0, 0), version(2, 2), spi.WSAVERNOTSUPPORTED},
		{version(0, 255), version(2, 2), spi.WSAVERNOTSUPPORTED},
		{version(1, 0), version(1, 0), 0},
		{version(1, 1), version(1, 1), 0},
		{version(1, 2), version(1, 1), 0},
		{version(1, 255), version(1, 1), 0},
		{version(2, 0), version(2, 0), 0},
		{version(2, 1), version(2, 1), 0},
		{version(2, 2), version(2, 2), 0},
		{version(2, 3), version(2, 2), 0},
		{version(2, 255), version(2, 2), 0},
		{version(3, 0), version(2, 2), 0},
		{version(255, 255), version(2, 2), 0},
	} {
		h := newHost(t)
		thread := h.BindThread()
		thread.WSASetLastError(spi.WSAEINTR)
		data := WSAData{VendorInfo: 99}
		err := thread.WSAStartup(c.requested, &data)
		if CodeOf(err) != c.want || data.Version != c.version || data.HighVersion != version(2, 2) {
			t.Errorf("%#x: %v, version %#x, high %#x", c.requested, err, data.Version, data.HighVersion)
		}
		wantLast := spi.Errno(0)
		if c.want != 0 {
			wantLast = spi.WSANOTINITIALISED
		}
		if thread.WSAGetLastError() != wantLast {
			t.Errorf("%#x: last error %v", c.requested, thread.WSAGetLastError())
		}
		sockets, datagram := uint16(0), uint16(0)
		if c.version&0xff == 1 {
			sockets, datagram = 32767, 65467
		}
		if data.MaxSockets != sockets || data.MaxUDPDg != datagram || data.VendorInfo != 99 ||
			!bytes.HasPrefix(data.Description[:], []byte("WinSock 2.0\x00")) || !bytes.HasPrefix(data.SystemStatus[:], []byte("Running\x00")) {
			t.Errorf("%#x: data %+v", c.requested, data)
		}
		want := c.want
		if want == 0 {
			want = spi.WSAEFAULT
		}
		if err := thread.WSAStartup(c.requested, nil); CodeOf(err) != want {
			t.Errorf("%#x without data: %v", c.requested, err)
		}
		if c.want == 0 {
			wantCode(t, thread, thread.WSACleanup(), 0)
		}
		wantCode(t, thread, thread.WSACleanup(), spi.WSANOTINITIALISED)
		thread.Unbind()
	}
}

func TestBehaviour077_Counting(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	thread := h.up()
	wantCode(t, thread, thread.WSAStartup(spi.Version22, new(WSAData)), 0)
	s := mustSocket(t, thread)
	wantCode(t, thread, thread.WSACleanup(), 0)
	wantCode(t, thread, thread.Listen(s, 1), 0)
	if f.cleanups.Load() != 0 {
		t.Error("ended too early")
	}
	wantCode(t, thread, thread.WSACleanup(), 0)
	if f.cleanups.Load() != 1 {
		t.Errorf("WSPCleanup was called %d times", f.cleanups.Load())
	}
	wantCode(t, thread, thread.Listen(s, 1), spi.WSANOTINITIALISED)
	wantCode(t, thread, thread.WSACleanup(), spi.WSANOTINITIALISED)
}

func TestBehaviour078_LowestVersionCounts(t *testing.T) {
	h := newHost(t)
	thread := h.upAs(version(1, 1))
	wantCode(t, thread, thread.WSAStartup(version(2, 2), new(WSAData)), 0)
	if _, err := thread.WSASetBlockingHook(func() bool { return false }); err != nil {
		t.Error(err)
	}
	thread.WSASetLastError(0)
	if thread.WSAIsBlocking() || thread.WSAGetLastError() != 0 {
		t.Error("WSAIsBlocking does not work")
	}
	wantCode(t, thread, thread.WSAUnhookBlockingHook(), 0)

	thread = newHost(t).upAs(version(2, 2))
	_, err := thread.WSASetBlockingHook(func() bool { return false })
	wantCode(t, thread, err, spi.WSAEOPNOTSUPP)
	wantCode(t, thread, thread.WSAUnhookBlockingHook(), spi.WSAEOPNOTSUPP)
	thread.WSASetLastError(0)
	if thread.WSAIsBlocking() || thread.WSAGetLastError() != spi.WSAEOPNOTSUPP {
		t.Error("WSAIsBlocking works with version 2")
	}
	// A later client of version 1 brings them back.
	wantCode(t, thread, thread.WSAStartup(version(1, 0), new(WSAData)), 0)
	wantCode(t, thread, thread.WSAUnhookBlockingHook(), 0)
}

func TestBehaviour079_FailureWithoutACode(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("mute", tcp())
	f.LpWSPListen = func(spi.Socket, int32) spi.Errno { return spi.NoErrorCode }
	f.LpWSPAccept = func(spi.Socket, []byte, *int32, spi.ConditionFunc, uintptr) (spi.Socket, spi.Errno) {
		return spi.InvalidSocket, 0
	}
	thread := h.up()
	s := mustSocket(t, thread)
	wantCode(t, thread, thread.Listen(s, 1), spi.WSASYSCALLFAILURE)
	_, err := thread.Accept(s, nil, nil)
	wantCode(t, thread, err, spi.WSASYSCALLFAILURE)
}

func TestBehaviour119_BeforeStartup(t *testing.T) {
	h := newHost(t)
	thread := h.BindThread()
	defer thread.Unbind()
	var n int32
	var u uint32
	b := make([]byte, 16)
	_, socket := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
	_, accept := thread.Accept(5, nil, nil)
	_, send := thread.Send(5, b, 0)
	_, recv := thread.Recv(5, b, 0)
	_, sel := thread.Select(spi.NewFDSet(5), nil, nil, nil)
	_, enum := thread.WSAEnumProtocols(nil, nil, &u)
	_, hook := thread.WSASetBlockingHook(func() bool { return false })
	for i, err := range []error{
		socket, accept, send, recv, sel, enum, hook,
		thread.Bind(5, b), thread.Listen(5, 1), thread.Connect(5, b), thread.Shutdown(5, 0), thread.CloseSocket(5),
		thread.GetSockOpt(5, 0, 0, b, &n), thread.SetSockOpt(5, 0, 0, b), thread.SetSockOpt(spi.InvalidSocket, spi.SOL_SOCKET, spi.SO_OPENTYPE, b),
		thread.IoctlSocket(5, spi.FIONBIO, &u), thread.GetSockName(5, b, &n), thread.GetPeerName(5, b, &n),
		thread.WSAAddressToString(b, nil, nil, &u), thread.WSAStringToAddress(nil, spi.AF_INET, nil, b, &n),
		thread.WSACancelBlockingCall(), thread.WSACleanup(),
	} {
		if CodeOf(err) != spi.WSANOTINITIALISED {
			t.Errorf("call %d gives %v", i, err)
		}
	}
	if Htons(0x1234) != 0x3412 || InetAddr("127.0.0.1") != Htonl(0x7f000001) {
		t.Error("htons or inet_addr does not work")
	}
}

func TestBehaviour120_LastErrorAfterSuccess(t *testing.T) {
	h := newHost(t)
	h.nonIFS("echo", tcp())
	thread := h.up()
	if thread.WSAGetLastError() != 0 {
		t.Error("WSAStartup does not clear the last error")
	}
	thread.WSASetLastError(spi.WSAEINTR)
	s := mustSocket(t, thread)
	wantCode(t, thread, thread.Listen(s, 1), 0)
	_, err := thread.Send(s, []byte("x"), 0)
	wantCode(t, thread, err, 0)
	wantCode(t, thread, thread.CloseSocket(s), 0)
	if thread.WSAGetLastError() != spi.WSAEINTR {
		t.Errorf("last error %v after success, want WSAEINTR", thread.WSAGetLastError())
	}
	wantCode(t, thread, thread.WSAStartup(spi.Version22, new(WSAData)), 0)
	if thread.WSAGetLastError() != 0 {
		t.Error("WSAStartup does not clear the last error")
	}
}

func TestBehaviour123_CloseHandleInsideTheLastCleanup(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	thread := h.up()
	s := mustSocket(t, thread)
	var id spi.ThreadID
	want(t, f.upcalls.WPUOpenCurrentThread(&id), 0)
	ev, _ := f.upcalls.WPUCreateEvent()
	var query, closeHandle, closeThread, closeEvent spi.Errno = -1, -1, -1, -1
	f.LpWSPCleanup = func() spi.Errno {
		_, query = f.upcalls.WPUQuerySocketHandleContext(s)
		closeHandle = f.upcalls.WPUCloseSocketHandle(s)
		closeThread = f.upcalls.WPUCloseThread(&id)
		closeEvent = f.upcalls.WPUCloseEvent(ev)
		return 0
	}
	wantCode(t, thread, thread.WSACleanup(), 0)
	for _, e := range []spi.Errno{query, closeHandle, closeThread, closeEvent} {
		want(t, e, 0)
	}
	if _, e := h.table.WPUQuerySocketHandleContext(s); e != spi.WSAENOTSOCK {
		t.Error("the handle is still there")
	}
}

func TestStartupsAtTheSameTime(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			thread := h.Unbound()
			for range 50 {
				if err := thread.WSAStartup(spi.Version22, new(WSAData)); err != nil {
					t.Error(err)
					return
				}
				s, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
				if err != nil {
					t.Error(err)
				}
				if err := thread.CloseSocket(s); err != nil {
					t.Error(err)
				}
				if err := thread.WSACleanup(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if f.starts.Load() != f.cleanups.Load() {
		t.Errorf("%d starts, %d cleanups", f.starts.Load(), f.cleanups.Load())
	}
}
