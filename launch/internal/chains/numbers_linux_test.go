package chains

import (
	"testing"

	"golang.org/x/sys/unix"

	"upcall.dev/catalog"
	"upcall.dev/spi"
)

// A dup has no number that the DLL has not forgotten: here that of a socket of the
// chain that is closed already in the kernel.
func TestFreshNumber(t *testing.T) {
	h := open(t, func(*testing.T, *catalog.Catalog) {})
	c, err := h.For(func() string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	e := c.entries[tcp4]
	known, err := c.thread.WSASocket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP, &e.ProtocolInfo, 0, spi.WSA_FLAG_OVERLAPPED)
	if err != nil {
		t.Fatal(err)
	}
	program, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(program)
	cookie, _ := unix.GetsockoptUint64(program, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err := unix.Dup3(program, int(known), unix.O_CLOEXEC); err != nil { // closes the chain's
		t.Fatal(err)
	}

	dup, err := h.FreshNumber(int(known))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dup)
	if dup == int(known) || h.knows(dup) {
		t.Errorf("the dup has number %d, and the chain's socket %d", dup, known)
	}
	if after, _ := unix.GetsockoptUint64(dup, unix.SOL_SOCKET, unix.SO_COOKIE); after != cookie {
		t.Errorf("it is socket %d, not %d", after, cookie)
	}
	if flags, err := unix.FcntlInt(uintptr(dup), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("its flags are %d: %v", flags, err)
	}
	if _, err := unix.FcntlInt(uintptr(known), unix.F_GETFD, 0); err == nil {
		t.Errorf("number %d has not been given back", known)
	}
	if same, err := h.FreshNumber(dup); err != nil || same != dup {
		t.Errorf("a fresh number, %d, is exchanged for %d: %v", dup, same, err)
	}
}
