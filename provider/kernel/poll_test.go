//go:build linux

package kernel_test

import (
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

const pollAll = spi.POLLRDNORM | spi.POLLRDBAND | spi.POLLWRNORM

// polled is what WSAPoll answers of one socket, without waiting.
func polled(t testing.TB, th *ws2.Thread, s spi.Socket, events int16) int16 {
	t.Helper()
	fds := []spi.PollFD{{FD: s, Events: events, Revents: -1}}
	n, err := th.WSAPoll(fds, 0)
	ok(t, err)
	if (n == 1) != (fds[0].Revents != 0) || n > 1 {
		t.Errorf("WSAPoll counts %d, revents %#x", n, fds[0].Revents)
	}
	return fds[0].Revents
}

// pollFor waits until all of bits are answered.
func pollFor(t testing.TB, th *ws2.Thread, s spi.Socket, events, bits int16) {
	t.Helper()
	fds := []spi.PollFD{{FD: s, Events: events}}
	n, err := th.WSAPoll(fds, int32(wait.Milliseconds()))
	ok(t, err)
	if n != 1 || fds[0].Revents != bits {
		t.Errorf("WSAPoll counts %d, revents %#x, want %#x", n, fds[0].Revents, bits)
	}
}

func wantBits(t testing.TB, what string, got, bits int16) {
	t.Helper()
	if got != bits {
		t.Errorf("%s: revents %#x, want %#x", what, got, bits)
	}
}

func TestPollArguments(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		l, _ := listen(t, th, f)
		for _, bad := range []int16{spi.POLLERR, spi.POLLHUP, spi.POLLNVAL, spi.POLLPRI, spi.POLLWRBAND, -1} {
			_, err := th.WSAPoll([]spi.PollFD{{FD: l, Events: bad}}, 0)
			want(t, err, spi.WSAEINVAL)
		}
		_, err := th.WSAPoll(nil, 0)
		want(t, err, spi.WSAEINVAL)
		_, err = th.WSAPoll([]spi.PollFD{{FD: spi.InvalidSocket, Events: pollAll}}, -1)
		want(t, err, spi.WSAEINVAL)

		// One that is passed over may ask for anything; one that is no socket
		// answers at once, however long the others would wait.
		fds := []spi.PollFD{
			{FD: spi.InvalidSocket, Events: -1, Revents: 1},
			{FD: l, Events: pollAll, Revents: 1},
			{FD: 99999, Events: pollAll},
			{FD: ^spi.Socket(6), Events: pollAll, Revents: 1},
		}
		n, err := th.WSAPoll(fds, -1)
		ok(t, err)
		if n != 1 || fds[0].Revents != 0 || fds[1].Revents != 0 || fds[2].Revents != spi.POLLNVAL || fds[3].Revents != 0 {
			t.Errorf("WSAPoll counts %d: %v", n, fds)
		}
		n, err = th.WSAPoll(fds[1:2], 1)
		if n != 0 || err != nil {
			t.Errorf("after the timeout: %d, %v", n, err)
		}
	})
}

func TestPollStream(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		wantBits(t, "never connected", polled(t, th, stream(t, th, f), pollAll), 0)
		l, name := listen(t, th, f)
		wantBits(t, "listening", polled(t, th, l, pollAll), 0)
		c := stream(t, th, f)
		nonblocking(t, th, c, 1)
		if err := th.Connect(c, name); err != nil {
			want(t, err, spi.WSAEWOULDBLOCK)
		}
		pollFor(t, th, c, pollAll, spi.POLLWRNORM)
		pollFor(t, th, l, pollAll, spi.POLLRDNORM)
		a, err := th.Accept(l, nil, nil)
		ok(t, err)
		wantBits(t, "after accepting", polled(t, th, l, pollAll), 0)

		wantBits(t, "asked to read", polled(t, th, a, spi.POLLIN), 0)
		send(t, th, c, "x")
		pollFor(t, th, a, spi.POLLIN, spi.POLLRDNORM)
		wantBits(t, "asked for nothing", polled(t, th, a, 0), 0)
		ok(t, th.Shutdown(c, spi.SD_SEND))
		pollFor(t, th, a, 0, spi.POLLHUP)
		wantBits(t, "end after data", polled(t, th, a, pollAll), spi.POLLRDNORM|spi.POLLWRNORM|spi.POLLHUP)
		receive(t, th, a, "x")
		wantBits(t, "end of the stream", polled(t, th, a, pollAll), spi.POLLWRNORM|spi.POLLHUP)
		send(t, th, a, "y")
		receive(t, th, c, "y")
	})
}

func TestPollConnectFailure(t *testing.T) {
	each(t, internet, func(t *testing.T, th *ws2.Thread, f family) {
		_, name := silent(t, th, f)
		c := stream(t, th, f)
		nonblocking(t, th, c, 1)
		want(t, th.Connect(c, name), spi.WSAEWOULDBLOCK)
		pollFor(t, th, c, spi.POLLWRNORM, spi.POLLHUP|spi.POLLERR|spi.POLLWRNORM)
		wantBits(t, "asked for nothing", polled(t, th, c, 0), spi.POLLHUP|spi.POLLERR)
		if e := spi.Errno(getInt(t, th, c, spi.SOL_SOCKET, spi.SO_ERROR)); e != spi.WSAECONNREFUSED {
			t.Errorf("SO_ERROR is %v", e)
		}
	})
}

func TestPollReset(t *testing.T) {
	each(t, internet, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		setLinger(t, th, c, spi.Linger{OnOff: 1})
		ok(t, th.CloseSocket(c))
		pollFor(t, th, a, 0, spi.POLLHUP|spi.POLLERR)
		_, err := th.Recv(a, make([]byte, 1), 0)
		want(t, err, spi.WSAECONNRESET)
		wantBits(t, "the error has been told", polled(t, th, a, 0), spi.POLLHUP|spi.POLLERR)

		// Data for one that receives no more resets the connection.
		c, a = pair(t, th, f)
		send(t, th, c, "x")
		pollFor(t, th, a, spi.POLLIN, spi.POLLRDNORM)
		ok(t, th.Shutdown(a, spi.SD_RECEIVE))
		pollFor(t, th, a, spi.POLLIN, spi.POLLHUP|spi.POLLERR|spi.POLLRDNORM)
		ready(t, th, a, 'r')
		_, err = th.Recv(a, make([]byte, 1), 0)
		want(t, err, spi.WSAECONNABORTED)
	})
}

func TestPollUrgentData(t *testing.T) {
	each(t, internet, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		_, err := th.Send(c, []byte("!"), spi.MSG_OOB)
		ok(t, err)
		pollFor(t, th, a, spi.POLLRDBAND, spi.POLLRDBAND)
		_, err = th.Recv(a, make([]byte, 1), spi.MSG_OOB)
		ok(t, err)
		wantBits(t, "after it was received", polled(t, th, a, spi.POLLRDBAND), 0)
		setInt(t, th, a, spi.SOL_SOCKET, spi.SO_OOBINLINE, 1)
		_, err = th.Send(c, []byte("!"), spi.MSG_OOB)
		ok(t, err)
		pollFor(t, th, a, spi.POLLIN, spi.POLLRDNORM)
	})
}

func TestPollDatagram(t *testing.T) {
	each(t, datagrams, func(t *testing.T, th *ws2.Thread, f family) {
		r, name := udp(t, th, f)
		s, _ := udp(t, th, f)
		wantBits(t, "fresh", polled(t, th, r, pollAll), spi.POLLWRNORM)
		_, err := th.SendTo(s, nil, 0, name)
		ok(t, err)
		pollFor(t, th, r, spi.POLLIN, spi.POLLRDNORM)

		ok(t, th.CloseSocket(r))
		ok(t, th.Connect(s, name))
		send(t, th, s, "x") // for nobody
		pollFor(t, th, s, spi.POLLIN, spi.POLLERR|spi.POLLRDNORM)
		_, err = th.Recv(s, make([]byte, 1), 0)
		want(t, err, spi.WSAECONNRESET)
		wantBits(t, "the error has been told", polled(t, th, s, spi.POLLIN), 0)

		var n uint32
		ok(t, th.WSAIoctl(s, spi.SIO_UDP_CONNRESET, make([]byte, 4), nil, &n, nil, nil))
		send(t, th, s, "x")
		wantBits(t, "an error that is turned off", polled(t, th, s, spi.POLLIN), 0)
		wantBits(t, "an error that is turned off", polled(t, th, s, pollAll), spi.POLLWRNORM)
	})
}

// A deferred connection can be accepted.
func TestPollDeferred(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		l, name := listen(t, th, f)
		ok(t, th.Connect(stream(t, th, f), name))
		_, err := th.WSAAccept(l, nil, nil, func([]byte, *spi.Buf, *spi.QOS, *spi.QOS, []byte, *spi.Buf, *spi.Group, uintptr) int32 {
			return spi.CF_DEFER
		}, 0)
		want(t, err, spi.WSATRY_AGAIN)
		pollFor(t, th, l, spi.POLLIN, spi.POLLRDNORM)
	})
}

// A socket that is closed answers POLLNVAL; a cleanup ends the call.
func TestPollEnds(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		l, _ := listen(t, th, f)
		_, a := pair(t, th, f)
		fds := []spi.PollFD{{FD: l, Events: spi.POLLIN}, {FD: a, Events: spi.POLLIN}}
		result := waiting(t, func() error {
			n, err := th.WSAPoll(fds, -1)
			if n != 1 {
				return fmt.Errorf("WSAPoll counts %d: %w", n, err)
			}
			return err
		})
		ok(t, th.CloseSocket(a))
		ok(t, <-result)
		if fds[0].Revents != 0 || fds[1].Revents != spi.POLLNVAL {
			t.Errorf("answers %v", fds)
		}
		result = waiting(t, func() error { _, err := th.WSAPoll(fds[:1], -1); return err })
		ok(t, th.WSACleanup())
		want(t, <-result, spi.WSAEINTR)
		ok(t, th.WSAStartup(spi.Version22, new(ws2.WSAData)))
	})
}

// A blocking hook runs while WSAPoll waits, never when it only polls, and can
// cancel it.
func TestPollInBlockingHook(t *testing.T) {
	calls := 0
	th := hooked(t, func(th *ws2.Thread) bool {
		if calls++; calls == 3 {
			ok(t, th.WSACancelBlockingCall())
		}
		return false
	})
	l, _ := listen(t, th, ipv4)
	fds := []spi.PollFD{{FD: l, Events: spi.POLLIN}}
	if n, err := th.WSAPoll(fds, 0); n != 0 || err != nil || calls != 0 {
		t.Errorf("WSAPoll gives %d, %v after %d runs of the hook", n, err, calls)
	}
	_, err := th.WSAPoll(fds, -1)
	want(t, err, spi.WSAEINTR)
	if calls != 3 {
		t.Errorf("the hook ran %d times", calls)
	}
}

// What poll(2) says of the same descriptors, in random states: the bits that
// mean the same agree.
func TestPollLikePlainPoll(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		var all []spi.Socket
		for i := range 24 {
			c, a := pair(t, th, f)
			all = append(all, c, a)
			if i&1 != 0 {
				send(t, th, c, "x")
				pollFor(t, th, a, spi.POLLIN, spi.POLLRDNORM)
			}
			if i&2 != 0 {
				nonblocking(t, th, c, 1)
				for {
					if _, err := th.Send(c, make([]byte, 1<<16), 0); err != nil {
						break
					}
				}
			}
			if i&4 != 0 {
				ok(t, th.Shutdown(a, spi.SD_SEND))
				pollFor(t, th, c, 0, spi.POLLHUP)
			}
		}
		fds := make([]spi.PollFD, len(all))
		plain, after := make([]unix.PollFd, len(all)), make([]unix.PollFd, len(all))
		for i, s := range all {
			fds[i] = spi.PollFD{FD: s, Events: pollAll}
			plain[i] = unix.PollFd{Fd: int32(s), Events: unix.POLLIN | unix.POLLOUT | unix.POLLRDHUP}
		}
		copy(after, plain)
		var n int
		for range 1000 { // what is on its way settles
			_, err := unix.Poll(plain, 0)
			ok(t, err)
			n, err = th.WSAPoll(fds, 0)
			ok(t, err)
			_, err = unix.Poll(after, 0)
			ok(t, err)
			if slices.Equal(plain, after) {
				break
			}
		}
		count := 0
		for i := range fds {
			inq, err := unix.IoctlGetInt(int(all[i]), unix.TIOCINQ)
			ok(t, err)
			var bits int16
			if plain[i].Revents&unix.POLLIN != 0 && inq > 0 {
				bits |= spi.POLLRDNORM
			}
			if plain[i].Revents&unix.POLLOUT != 0 {
				bits |= spi.POLLWRNORM
			}
			if plain[i].Revents&unix.POLLRDHUP != 0 {
				bits |= spi.POLLHUP
			}
			if bits != 0 {
				count++
			}
			wantBits(t, fmt.Sprintf("socket %d, poll(2) %#x, %d bytes", i, plain[i].Revents, inq), fds[i].Revents, bits)
		}
		if n != count {
			t.Errorf("WSAPoll counts %d, want %d", n, count)
		}
	})
}
