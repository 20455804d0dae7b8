package memory_test

import (
	"testing"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

func polled(t testing.TB, th *ws2.Thread, fds ...spi.PollFD) []int16 {
	t.Helper()
	n, err := th.WSAPoll(fds, 0)
	ok(t, err)
	var found []int16
	answers := 0
	for _, f := range fds {
		found = append(found, f.Revents)
		if f.Revents != 0 {
			answers++
		}
	}
	if n != answers {
		t.Errorf("WSAPoll returns %d of %v", n, found)
	}
	return found
}

const inOut = spi.POLLRDNORM | spi.POLLWRNORM

func TestPoll(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		l, name := listen(t, th)
		client := tcp(t, th)
		ask := func(s spi.Socket, events, expect int16) {
			t.Helper()
			if got := polled(t, th, spi.PollFD{FD: s, Events: events}); got[0] != expect {
				t.Errorf("%#x, want %#x", got[0], expect)
			}
		}
		ask(client, inOut, 0)
		ask(l, inOut, 0)
		ok(t, th.Connect(client, name))
		ask(l, inOut, spi.POLLRDNORM)
		server, err := th.Accept(l, nil, nil)
		ok(t, err)
		ask(l, inOut, 0)
		ask(client, inOut, spi.POLLWRNORM)
		ask(client, spi.POLLRDNORM, 0)
		send(t, th, server, "x")
		ask(client, inOut, inOut)
		ok(t, th.Shutdown(server, spi.SD_SEND))
		ask(client, inOut, inOut)
		recv(t, th, client)
		ask(client, spi.POLLIN, spi.POLLHUP)
		setLinger(t, th, server, 1, 0)
		ok(t, th.CloseSocket(server))
		if got := polled(t, th, spi.PollFD{FD: client, Events: inOut})[0]; got&(spi.POLLERR|spi.POLLHUP) != spi.POLLERR|spi.POLLHUP {
			t.Errorf("%#x after a reset", got)
		}
		failed := tcp(t, th)
		nonblocking(t, th, failed)
		want(t, th.Connect(failed, addr("127.0.0.1:9")), spi.WSAEWOULDBLOCK)
		ask(failed, inOut, spi.POLLERR|spi.POLLHUP|spi.POLLWRNORM)
		got := polled(t, th, spi.PollFD{FD: spi.InvalidSocket, Events: inOut}, spi.PollFD{FD: 1 << 40, Events: inOut}, spi.PollFD{FD: l})
		if got[0] != 0 || got[1] != spi.POLLNVAL || got[2] != 0 {
			t.Errorf("%#x", got)
		}
		_, err = th.WSAPoll([]spi.PollFD{{FD: l, Events: spi.POLLPRI}}, 0)
		want(t, err, spi.WSAEINVAL)
		_, err = th.WSAPoll(nil, 0)
		want(t, err, spi.WSAEINVAL)
	})
}

// many returns datagram sockets that have nothing to read.
func many(t testing.TB, th *ws2.Thread, n int) []spi.Socket {
	t.Helper()
	sockets := make([]spi.Socket, n)
	for i := range sockets {
		sockets[i] = udp(t, th, "127.0.0.1:0")
	}
	return sockets
}

func TestPollAndSelectOverThousands(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		sockets := many(t, th, 5000)
		for _, i := range []int{0, 2500, 4999} {
			fds := make([]spi.PollFD, len(sockets))
			for j, s := range sockets {
				fds[j] = spi.PollFD{FD: s, Events: spi.POLLIN}
			}
			type answer struct {
				n   int
				err error
			}
			for _, call := range []struct {
				name  string
				wait  func() (int, error)
				ready func() bool
			}{
				{"WSAPoll", func() (int, error) { return th.WSAPoll(fds, 5000) }, func() bool { return fds[i].Revents == spi.POLLRDNORM }},
				{"select", nil, nil},
			} {
				if call.wait == nil {
					set := spi.NewFDSet(sockets...)
					call.wait = func() (int, error) { return th.Select(set, nil, nil, &spi.Timeval{Sec: 5}) }
					call.ready = func() bool { return set.Count == 1 && set.Sockets()[0] == sockets[i] }
				}
				waited := make(chan answer, 1)
				go func() { n, err := call.wait(); waited <- answer{n, err} }()
				_, err := th.SendTo(sockets[1], []byte("x"), 0, sockName(t, th, sockets[i]))
				ok(t, err)
				a := <-waited
				ok(t, a.err)
				if a.n != 1 || !call.ready() {
					t.Errorf("%s: %d ready", call.name, a.n)
				}
				recv(t, th, sockets[i])
			}
		}
	})
}

func TestCloseWakesPoll(t *testing.T) {
	th := newThread(t)
	_, server := pair(t, th)
	fds := []spi.PollFD{{FD: server, Events: spi.POLLIN}}
	waited := make(chan error, 1)
	go func() { _, err := th.WSAPoll(fds, -1); waited <- err }()
	ok(t, th.CloseSocket(server))
	ok(t, <-waited)
	if fds[0].Revents != spi.POLLNVAL {
		t.Errorf("%#x", fds[0].Revents)
	}
}
