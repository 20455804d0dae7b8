package spi

import "testing"

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
