package winsock

import (
	"runtime"
	"testing"
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/catalog"
	"upcall.dev/spi"
	_ "upcall.dev/standard"
	"upcall.dev/ws2"
)

// TestHotCallsAllocateNothing calls the Go halves as C does.
func TestHotCallsAllocateNothing(t *testing.T) {
	chain, err := catalog.Compose(catalog.Default(), "kernel", nil)
	if err != nil {
		t.Fatal(err)
	}
	d := process.New(ws2.Config{Catalog: chain})
	if !process.Use(d) {
		t.Fatal("the process has a DLL already")
	}
	thread := d.BindThread()
	defer thread.Unbind()
	self := unsafe.Pointer(thread)
	if e := goWSAStartup(self, spi.Version22, unsafe.Pointer(new(ws2.WSAData))); e != 0 {
		t.Fatal(spi.Errno(e))
	}
	defer goWSACleanup(self)
	s, e := goSocket(self, spi.AF_INET, spi.SOCK_DGRAM, 0)
	if e != 0 {
		t.Fatal(spi.Errno(e))
	}
	defer goCloseSocket(self, s)
	// Variables of C.
	call := &struct {
		name           [16]byte
		length         int32
		data           [64]byte
		bufs           [1]spi.Buf
		moved, flags   uint32
		nonblocking    uint32
		optval, optlen int32
		ov             spi.Overlapped
	}{name: [16]byte{spi.AF_INET, 0, 0, 0, 127, 0, 0, 1}, length: 16, nonblocking: 1, optlen: 4}
	pin := new(runtime.Pinner)
	defer pin.Unpin()
	pin.Pin(call)
	call.bufs[0] = spi.NewBuf(call.data[:])
	name, data, bufs := unsafe.Pointer(&call.name), unsafe.Pointer(&call.data), unsafe.Pointer(&call.bufs)
	moved, flags := unsafe.Pointer(&call.moved), unsafe.Pointer(&call.flags)
	for _, e := range []int32{
		goBind(self, s, name, 16),
		goGetSockName(self, s, name, unsafe.Pointer(&call.length)),
		goConnect(self, s, name, 16), // to itself
		goIoctlSocket(self, s, spi.FIONBIO, unsafe.Pointer(&call.nonblocking)),
	} {
		if e != 0 {
			t.Fatal(spi.Errno(e))
		}
	}
	ev, e := goWSACreateEvent(self)
	if e != 0 {
		t.Fatal(spi.Errno(e))
	}
	defer goWSACloseEvent(self, ev)
	const bad = 0x1234567890123
	for _, hot := range []struct {
		name string
		want int32
		call func() int32
	}{
		{"send and recv", 64, func() int32 { goSend(self, s, data, 64, 0); return goRecv(self, s, data, 64, 0) }},
		{"recv with nothing there", -int32(spi.WSAEWOULDBLOCK), func() int32 { return goRecv(self, s, data, 64, 0) }},
		{"WSASend and WSARecv", 0, func() int32 {
			goWSASend(self, s, bufs, 1, moved, 0, nil, 0)
			return goWSARecv(self, s, bufs, 1, moved, flags, nil, 0)
		}},
		{"WSARecv with nothing there", int32(spi.WSAEWOULDBLOCK), func() int32 { return goWSARecv(self, s, bufs, 1, moved, flags, nil, 0) }},
		{"getsockopt", 0, func() int32 {
			return goGetSockOpt(self, s, spi.SOL_SOCKET, spi.SO_TYPE, unsafe.Pointer(&call.optval), unsafe.Pointer(&call.optlen))
		}},
		{"closesocket of no socket", int32(spi.WSAENOTSOCK), func() int32 { return goCloseSocket(self, bad) }},
		{"send on no socket", -int32(spi.WSAENOTSOCK), func() int32 { return goSend(self, bad, data, 64, 0) }},
		{"WSASetEvent", 0, func() int32 { return goWSASetEvent(self, ev) }},
		{"WSAResetEvent", 0, func() int32 { return goWSAResetEvent(self, ev) }},
		{"WSAWaitForMultipleEvents", 0, func() int32 {
			_, e := goWSAWaitForMultipleEvents(self, 1, unsafe.Pointer(&ev), false, 0, false)
			return e
		}},
	} {
		if got := hot.call(); got != hot.want {
			t.Errorf("%s: %d, want %d", hot.name, got, hot.want)
		}
		if n := testing.AllocsPerRun(100, func() { hot.call() }); n != 0 {
			t.Errorf("%s: %v allocations", hot.name, n)
		}
	}
}
