//go:build linux

package kernel_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"upcall.dev/internal/lent"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// borrow returns a socket and a dup of it that is lent.
func borrow(t testing.TB, domain int, nonblocking bool) (own int, s spi.Socket, known *lent.Socket) {
	t.Helper()
	own, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	ok(t, err)
	t.Cleanup(func() { _ = unix.Close(own) })
	ok(t, unix.SetNonblock(own, nonblocking))
	cookie, err := unix.GetsockoptUint64(own, unix.SOL_SOCKET, unix.SO_COOKIE)
	ok(t, err)
	dup, err := unix.FcntlInt(uintptr(own), unix.F_DUPFD_CLOEXEC, 0)
	ok(t, err)
	known = &lent.Socket{Domain: domain, Protocol: unix.IPPROTO_TCP, Cookie: cookie, Nonblocking: nonblocking}
	lent.Lend(dup, known)
	t.Cleanup(func() { lent.Return(dup, known) })
	return own, spi.Socket(dup), known
}

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
			own, s, known := borrow(t, domain, nonblocking)
			ok(t, unix.SetsockoptLinger(own, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 100}))

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

// A receive on a lent socket waits in the kernel, until there is something, whatever
// the socket's owner does to its mode, and not longer than SO_RCVTIMEO; closing the
// socket ends it and the connection.
func TestLentReceive(t *testing.T) {
	type outcome struct {
		text string
		err  error
	}
	const peek, all = spi.MSG_PEEK, spi.MSG_WAITALL
	for _, test := range []struct {
		name  string
		flags int32
		owner func(t *testing.T, own int)                                     // before the receive
		then  func(t *testing.T, th *ws2.Thread, own int, s, peer spi.Socket) // while it waits
		want  string
		err   spi.Errno
		polls bool
	}{
		{name: "something comes", want: "some", then: func(t *testing.T, th *ws2.Thread, _ int, _, peer spi.Socket) {
			send(t, th, peer, "some")
		}},
		{name: "something comes in pieces", flags: all, want: "something", then: func(t *testing.T, th *ws2.Thread, _ int, _, peer spi.Socket) {
			send(t, th, peer, "some")
			send(t, th, peer, "thing")
		}},
		{name: "a look", flags: peek, want: "some", then: func(t *testing.T, th *ws2.Thread, _ int, _, peer spi.Socket) {
			send(t, th, peer, "some")
		}},
		{name: "the end comes", then: func(t *testing.T, th *ws2.Thread, _ int, _, peer spi.Socket) {
			ok(t, th.Shutdown(peer, spi.SD_SEND))
		}},
		{name: "a reset comes", err: spi.WSAECONNRESET, then: func(t *testing.T, th *ws2.Thread, _ int, _, peer spi.Socket) {
			setLinger(t, th, peer, spi.Linger{OnOff: 1})
			ok(t, th.CloseSocket(peer))
		}},
		{name: "it is closed", err: spi.WSAEINTR, then: func(t *testing.T, th *ws2.Thread, own int, s, peer spi.Socket) {
			ok(t, th.CloseSocket(s))
			if n, err := th.Recv(peer, make([]byte, 1), 0); n != 0 || err != nil {
				t.Errorf("the peer receives %d bytes: %v", n, err)
			}
		}},
		{name: "it is shut down", err: spi.WSAESHUTDOWN, then: func(t *testing.T, th *ws2.Thread, _ int, s, _ spi.Socket) {
			ok(t, th.Shutdown(s, spi.SD_BOTH))
		}},
		{name: "SO_RCVTIMEO", err: spi.WSAETIMEDOUT, owner: func(t *testing.T, own int) {
			ok(t, unix.SetsockoptTimeval(own, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000}))
		}},
		{name: "nonblocking meanwhile", want: "some", polls: true, owner: func(t *testing.T, own int) {
			ok(t, unix.SetNonblock(own, true))
		}, then: func(t *testing.T, th *ws2.Thread, _ int, _, peer spi.Socket) {
			send(t, th, peer, "some")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			th := start(t)
			l, name := listen(t, th, internet[0])
			defer th.CloseSocket(l)
			own, s, _ := borrow(t, unix.AF_INET, false)
			ok(t, th.Connect(s, name))
			defer th.CloseSocket(s)
			peer, err := th.Accept(l, nil, nil)
			ok(t, err)
			defer th.CloseSocket(peer)
			if test.owner != nil {
				test.owner(t, own)
			}
			receive := func() outcome {
				b := make([]byte, 9)
				n, err := th.Recv(s, b, test.flags)
				return outcome{string(b[:max(n, 0)]), err}
			}
			var got outcome
			if test.then == nil {
				got = receive()
			} else {
				in := threadsReceiving
				if test.polls {
					in = threadsPolling
				}
				result := waitingIn(t, in, receive)
				test.then(t, th, own, s, peer)
				got = <-result
			}
			if want(t, got.err, test.err); test.err == 0 && got.text != test.want {
				t.Errorf("received %q, want %q", got.text, test.want)
			}
		})
	}
}
