//go:build linux

package kernel_test

import (
	"testing"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

func TestBehaviour095_SelectArguments(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		_, err := th.Select(nil, nil, nil, nil)
		want(t, err, spi.WSAEINVAL)
		_, err = th.Select(spi.NewFDSet(), spi.NewFDSet(), nil, nil)
		want(t, err, spi.WSAEINVAL)
		s := stream(t, th, f)
		for _, bad := range []spi.Timeval{{Sec: -1}, {Usec: -1}} {
			_, err = th.Select(spi.NewFDSet(s), nil, nil, &bad)
			want(t, err, spi.WSAEINVAL)
		}
		_, err = th.Select(spi.NewFDSet(s, spi.InvalidSocket), nil, nil, &spi.Timeval{})
		want(t, err, spi.WSAENOTSOCK)
		_, err = th.Select(spi.NewFDSet(s), nil, spi.NewFDSet(99999), &spi.Timeval{})
		want(t, err, spi.WSAENOTSOCK)
	})
}

func TestBehaviour096_SelectReducesSets(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		l, _ := listen(t, th, f)
		fresh := stream(t, th, f)
		send(t, th, c, "x")
		ready(t, th, a, 'r')

		read, write, except := spi.NewFDSet(l, a, c, fresh), spi.NewFDSet(fresh, c, l, a), spi.NewFDSet(a, c)
		n, err := th.Select(read, write, except, nil)
		ok(t, err)
		if n != 3 {
			t.Errorf("select counts %d, want 3", n)
		}
		expect(t, "read", read, a)
		expect(t, "write", write, c, a)
		expect(t, "except", except)

		read = spi.NewFDSet(l, c, fresh)
		n, err = th.Select(read, nil, nil, &spi.Timeval{Usec: 1000})
		ok(t, err)
		if n != 0 {
			t.Errorf("select counts %d after the timeout", n)
		}
		expect(t, "read", read)

		ok(t, th.CloseSocket(c))
		receive(t, th, a, "x")
		ready(t, th, a, 'r') // the end of the stream
	})
}

func expect(t *testing.T, name string, set *spi.FDSet, members ...spi.Socket) {
	t.Helper()
	if got := set.Sockets(); len(got) != len(members) {
		t.Errorf("the %s set has %v, want %v", name, got, members)
		return
	}
	for _, s := range members {
		if !set.IsSet(s) {
			t.Errorf("the %s set has no %v", name, s)
		}
	}
}

// A waiting select notices what happens to any of its sockets, also when others
// have conditions that poll(2) reports and select does not ask about.
func TestSelectWaits(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		l, name := listen(t, th, f)
		fresh := stream(t, th, f)
		found := waiting(t, func() []spi.Socket {
			set := spi.NewFDSet(fresh, l, a)
			if _, err := th.Select(set, spi.NewFDSet(fresh), nil, nil); err != nil {
				t.Error(err)
			}
			return append([]spi.Socket(nil), set.Sockets()...)
		})
		send(t, th, c, "x")
		if got := <-found; len(got) != 1 || got[0] != a {
			t.Errorf("found %v, want %v", got, a)
		}
		writable := waiting(t, func() int {
			n, err := th.Select(nil, spi.NewFDSet(fresh), nil, nil)
			if err != nil {
				t.Error(err)
			}
			return n
		})
		ok(t, th.Connect(fresh, name))
		if n := <-writable; n != 1 {
			t.Errorf("found %d", n)
		}
	})
}

func TestBehaviour098_SelectHundredSockets(t *testing.T) {
	each(t, datagrams, func(t *testing.T, th *ws2.Thread, f family) {
		var all []spi.Socket
		var last []byte
		for range 100 {
			s, name := udp(t, th, f)
			all, last = append(all, s), name
		}
		_, err := th.SendTo(all[0], []byte("x"), 0, last)
		ok(t, err)
		set := spi.NewFDSet(all...)
		n, err := th.Select(set, nil, nil, nil)
		ok(t, err)
		if n != 1 {
			t.Errorf("select counts %d", n)
		}
		expect(t, "read", set, all[99])
		set = spi.NewFDSet(all...)
		n, err = th.Select(nil, set, nil, nil)
		ok(t, err)
		if n != 100 || set.Count != 100 {
			t.Errorf("select counts %d of 100, %d in the set", n, set.Count)
		}
	})
}

func TestBehaviour099_ConnectInSelect(t *testing.T) {
	each(t, internet, func(t *testing.T, th *ws2.Thread, f family) {
		_, name := listen(t, th, f)
		c := stream(t, th, f)
		nonblocking(t, th, c, 1)
		want(t, th.Connect(c, name), spi.WSAEWOULDBLOCK)
		ready(t, th, c, 'w')
		want(t, th.Connect(c, name), spi.WSAEISCONN)
		if e := getInt(t, th, c, spi.SOL_SOCKET, spi.SO_ERROR); e != 0 {
			t.Errorf("SO_ERROR is %d after success", e)
		}

		l, silentName := silent(t, th, f)
		c = stream(t, th, f)
		nonblocking(t, th, c, 1)
		want(t, th.Connect(c, silentName), spi.WSAEWOULDBLOCK)
		read, write, except := spi.NewFDSet(c), spi.NewFDSet(c), spi.NewFDSet(c)
		n, err := th.Select(read, write, except, nil)
		ok(t, err)
		if n != 1 {
			t.Errorf("select counts %d, want 1", n)
		}
		expect(t, "read", read)
		expect(t, "write", write)
		expect(t, "except", except, c)
		if e := spi.Errno(getInt(t, th, c, spi.SOL_SOCKET, spi.SO_ERROR)); e != spi.WSAECONNREFUSED {
			t.Errorf("SO_ERROR is %v, want WSAECONNREFUSED", e)
		}

		// The socket can try again.
		ok(t, th.Listen(l, 1))
		want(t, th.Connect(c, silentName), spi.WSAEWOULDBLOCK)
		ready(t, th, c, 'w')
	})
}

// While an attempt is under way, connecting again gives WSAEALREADY. Nothing
// answers an address in 240/4 here, and connecting to it does not even start on
// some machines, so the backlog of a listener that does not accept is filled.
func TestConnectAlready(t *testing.T) {
	each(t, internet, func(t *testing.T, th *ws2.Thread, f family) {
		l := stream(t, th, f)
		ok(t, th.Bind(l, f.any(t)))
		ok(t, th.Listen(l, 1))
		name := sockName(t, th, l)
		for range 16 {
			c := stream(t, th, f)
			nonblocking(t, th, c, 1)
			want(t, th.Connect(c, name), spi.WSAEWOULDBLOCK)
			n, err := th.Select(nil, spi.NewFDSet(c), nil, &spi.Timeval{Sec: 1})
			ok(t, err)
			if n == 1 {
				continue
			}
			want(t, th.Connect(c, name), spi.WSAEALREADY)
			_, err = th.Send(c, []byte("x"), 0)
			want(t, err, spi.WSAENOTCONN)
			_, err = th.Recv(c, make([]byte, 1), 0)
			want(t, err, spi.WSAENOTCONN)

			// A blocking attempt waits here until the socket is closed.
			b := stream(t, th, f)
			connecting := waiting(t, func() error { return th.Connect(b, name) })
			ok(t, th.CloseSocket(b))
			want(t, <-connecting, spi.WSAEINTR)
			return
		}
		t.Skip("this kernel completes more connections than the backlog allows")
	})
}
