package spi

import (
	"testing"
	"unsafe"
)

func TestExtensionPointer(t *testing.T) {
	calls := 0
	poll := WSAPollFunc(func(fds []PollFD, timeout int32) (int32, Errno) { calls++; return timeout, 0 })
	// An odd address: a client's buffer need not be aligned.
	room := make([]byte, 17)
	var n uint32
	if e := StoreExtension(room[1:5], &n, &poll); e != WSAEFAULT {
		t.Errorf("four bytes of room: %v", e)
	}
	if e := StoreExtension(room[1:], &n, &poll); e != 0 || n != 8 {
		t.Fatalf("stored %d bytes: %v", n, e)
	}
	f, ok := LoadExtension[WSAPollFunc](room[1:])
	if !ok {
		t.Fatal("not loaded")
	}
	if got, _ := f(nil, 7); got != 7 || calls != 1 {
		t.Errorf("got %d after %d calls", got, calls)
	}
	if _, ok := LoadExtension[WSAPollFunc](make([]byte, 8)); ok {
		t.Error("a nil pointer was loaded")
	}
}

func TestExtensionsAreFoundByGUID(t *testing.T) {
	var x Extensions
	ask := func(id GUID, out []byte) (uint32, Errno) {
		var n uint32
		return n, x.Store((*[16]byte)(unsafe.Pointer(&id))[:], out, &n)
	}
	for id, want := range map[GUID]unsafe.Pointer{
		WSAID_ACCEPTEX: unsafe.Pointer(&x.AcceptEx), WSAID_GETACCEPTEXSOCKADDRS: unsafe.Pointer(&x.GetAcceptExSockaddrs),
		WSAID_CONNECTEX: unsafe.Pointer(&x.ConnectEx), WSAID_DISCONNECTEX: unsafe.Pointer(&x.DisconnectEx),
		WSAID_TRANSMITFILE: unsafe.Pointer(&x.TransmitFile), WSAID_TRANSMITPACKETS: unsafe.Pointer(&x.TransmitPackets),
		WSAID_WSARECVMSG: unsafe.Pointer(&x.WSARecvMsg), WSAID_WSASENDMSG: unsafe.Pointer(&x.WSASendMsg), WSAID_WSAPOLL: unsafe.Pointer(&x.WSAPoll),
	} {
		var got unsafe.Pointer
		if _, e := ask(id, (*[8]byte)(unsafe.Pointer(&got))[:]); e != 0 || got != want {
			t.Errorf("%v: %p, %v; want %p", id, got, e, want)
		}
	}
	if _, e := ask(NewGUID(), make([]byte, 8)); e != WSAEINVAL {
		t.Errorf("another GUID: %v", e)
	}
	if _, e := ask(WSAID_WSAPOLL, make([]byte, 7)); e != WSAEFAULT {
		t.Errorf("seven bytes of room: %v", e)
	}
	if e := x.Store(make([]byte, 15), make([]byte, 8), new(uint32)); e != WSAEFAULT {
		t.Errorf("a short GUID: %v", e)
	}
}

func TestPacketElements(t *testing.T) {
	b := []byte("piece")
	e := MemoryElement(b, TP_ELEMENT_EOP)
	if got, ok := e.Memory(); !ok || string(got) != "piece" || e.ElFlags&TP_ELEMENT_EOP == 0 {
		t.Errorf("%q %v", got, ok)
	}
	if _, _, ok := e.File(); ok {
		t.Error("memory taken for a file")
	}
	e = FileElement(9, -1, 100, 0)
	if file, offset, ok := e.File(); !ok || file != 9 || offset != -1 || e.Length != 100 {
		t.Errorf("file %d offset %d", file, offset)
	}
	if _, ok := e.Memory(); ok {
		t.Error("a file taken for memory")
	}
}
