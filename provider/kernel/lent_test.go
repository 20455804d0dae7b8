//go:build linux

package kernel_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"upcall.dev/internal/lent"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// What is told of a lent socket is what the provider would have found out, and
// closing it does not wait.
func TestLentSocket(t *testing.T) {
	each(t, internet, func(t *testing.T, th *ws2.Thread, f family) {
		_, name := listen(t, th, f)
		at, _ := spi.AddrPortFrom(name)
		domain := unix.AF_INET
		if f.af == spi.AF_INET6 {
			domain = unix.AF_INET6
		}
		for _, nonblocking := range []bool{false, true} {
			own, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			ok(t, err)
			t.Cleanup(func() { _ = unix.Close(own) })
			ok(t, unix.SetNonblock(own, nonblocking))
			ok(t, unix.SetsockoptLinger(own, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 100}))
			cookie, err := unix.GetsockoptUint64(own, unix.SOL_SOCKET, unix.SO_COOKIE)
			ok(t, err)
			dup, err := unix.FcntlInt(uintptr(own), unix.F_DUPFD_CLOEXEC, 0)
			ok(t, err)
			known := &lent.Socket{Domain: domain, Protocol: unix.IPPROTO_TCP, Cookie: cookie, Nonblocking: nonblocking}
			lent.Lend(dup, known)
			defer lent.Return(dup, known)

			s := spi.Socket(dup)
			if err := th.Connect(s, name); nonblocking {
				want(t, err, spi.WSAEWOULDBLOCK)
				if n, err := unix.Poll([]unix.PollFd{{Fd: int32(own), Events: unix.POLLOUT}}, 10_000); n != 1 {
					t.Fatal(n, err)
				}
			} else if ok(t, err); !known.Taken() {
				t.Error("nobody has taken it")
			} else if to, connected := known.Connected(); !connected || to != at {
				t.Errorf("connected to %v (%v), want %v", to, connected, at)
			}
			want(t, th.Connect(s, name), spi.WSAEISCONN)
			if flags, err := unix.FcntlInt(uintptr(own), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 != nonblocking {
				t.Errorf("the flags are %#x: %v", flags, err)
			}
			if _, err := unix.Write(own, []byte("sent")); err != nil {
				t.Error(err)
			}
			ok(t, th.CloseSocket(s)) // WSAEWOULDBLOCK, or a long wait, for its last descriptor
			if _, err := unix.Getpeername(own); err != nil {
				t.Errorf("after the close: %v", err)
			}
		}
	})
}
