//go:build linux

package kernel

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"upcall.dev/internal/netevents"
	"upcall.dev/spi"
)

// A receive that found nothing, or all there was, enables FD_READ without a look
// at the socket only if no event of epoll has come since before it.
func TestReceivedWithoutALook(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	file, err := conn.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, test := range []struct {
		what   string
		events uint32 // that come during the receive
		data   string // that comes during the receive, or is left by it
		n      int    // that it received
		e      spi.Errno
		raised bool
	}{
		{"nothing came", 0, "", 0, spi.WSAEWOULDBLOCK, false},
		{"data came after a receive that found none", unix.EPOLLIN | unix.EPOLLOUT, "x", 0, spi.WSAEWOULDBLOCK, true},
		{"data came after a receive of all", unix.EPOLLIN | unix.EPOLLOUT, "x", 3, 0, true},
		{"data will be told of", 0, "x", 3, 0, false},
		{"data is left", 0, "x", 4, 0, true},
		{"the buffer was just enough", 0, "", 4, 0, false},
		{"an event about room", unix.EPOLLOUT, "", 3, 0, false},
	} {
		raised := false
		p := &provider{}
		p.upcalls.Store(&spi.UpcallTable{WPUSetEvent: func(spi.Event) spi.Errno {
			raised = true
			return 0
		}})
		d := p.newDescriptor(int(file.Fd()), tcp4, 0, fConnected|fSelects)
		own := &selection{engine: netevents.New(&p.upcalls)}
		d.events.Store(own)
		own.engine.SelectEvent(4, spi.FD_READ|spi.FD_CLOSE, netevents.Ready{Bits: spi.FD_READ}) // raised, so disabled
		raised = false
		before := d.changes()
		if test.data != "" {
			if _, err := peer.Write([]byte(test.data)); err != nil {
				t.Fatal(err)
			}
			pollFor(t, d.fd)
		}
		if test.events != 0 && own.matters(d, test.events) {
			t.Errorf("%s: an event matters that is not enabled", test.what)
		}
		d.received(&receiving{in: []spi.Buf{spi.NewBuf(make([]byte, 4))}}, test.n, test.e, before)
		if raised != test.raised {
			t.Errorf("%s: raised %v, want %v", test.what, raised, test.raised)
		}
		if !raised && own.engine.Enabled()&spi.FD_READ == 0 {
			t.Errorf("%s: FD_READ is not enabled", test.what)
		}
		if test.data != "" {
			if n, err := unix.Read(d.fd, make([]byte, 4)); n != len(test.data) {
				t.Fatal(n, err)
			}
		}
	}
}

// The end of a stream that came with the last data is told when the data is read.
func TestEndMatters(t *testing.T) {
	for _, events := range []uint32{unix.EPOLLRDHUP | unix.EPOLLIN, unix.EPOLLHUP | unix.EPOLLERR, unix.EPOLLPRI} {
		p := &provider{}
		p.upcalls.Store(&spi.UpcallTable{})
		d := p.newDescriptor(-1, tcp4, 0, fConnected|fSelects)
		own := &selection{engine: netevents.New(&p.upcalls)}
		if !own.matters(d, events) || !own.unusual.Load() {
			t.Errorf("%#x does not matter", events)
		}
	}
}

// pollFor waits until there is something to receive.
func pollFor(t *testing.T, fd int) {
	t.Helper()
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10000); n != 1 {
		t.Fatal(n, err)
	}
}
