//go:build linux

package kernel

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"upcall.dev/internal/freeport"
	"upcall.dev/spi"
)

// Nobody connects to a listening socket that is closed, and another one may have
// its address, although a call has still to leave it.
func TestClosedWhileACallIsInside(t *testing.T) {
	at := &unix.SockaddrInet4{Port: freeport.Take(t), Addr: [4]byte{127, 0, 0, 1}}
	address := (&net.TCPAddr{IP: net.IP(at.Addr[:]), Port: at.Port}).String()
	for _, listens := range []bool{true, false} {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		p := &provider{}
		d := p.newDescriptor(fd, tcp4, 0, fBound)
		if err := unix.Bind(fd, at); err != nil {
			t.Fatal(err)
		}
		if listens {
			if err := unix.Listen(fd, 8); err != nil {
				t.Fatal(err)
			}
		}
		if !d.enter() || !d.beginClose() {
			t.Fatal("the descriptor cannot be closed")
		}
		if c, err := net.Dial("tcp4", address); err == nil {
			c.Close()
			t.Errorf("listening %v: somebody has connected", listens)
		}
		if listens {
			if _, e := d.nextConnection(); e != spi.WSAEINTR {
				t.Errorf("the accept that is inside: %v", e)
			}
			if e := d.setNonblocking(true); e != 0 {
				t.Fatal(e)
			}
			if _, e := d.nextConnection(); e != spi.WSAENOTSOCK {
				t.Errorf("the nonblocking accept that is inside: %v", e)
			}
		}
		next, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		n := p.newDescriptor(next, tcp4, 0, 0)
		var name sockaddr
		if errno := localName(fd, &name); errno != 0 {
			t.Fatal(errno)
		}
		if errno := n.bindOverTimeWait(&name); errno != 0 {
			t.Errorf("listening %v: its address is not free: %v", listens, errno)
		}
		_ = unix.Close(next)
		d.release()
		d.release()
	}
}
