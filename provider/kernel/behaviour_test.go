//go:build linux

package kernel_test

import (
	"errors"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/internal/freeport"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// hooked returns a thread of a DLL that has negotiated version 1.1, with a
// blocking hook.
func hooked(t *testing.T, hook func(th *ws2.Thread) bool) *ws2.Thread {
	t.Helper()
	d := start(t).DLL()
	th := d.BindThread()
	t.Cleanup(th.Unbind)
	ok(t, th.WSAStartup(0x0101, new(ws2.WSAData)))
	t.Cleanup(func() { th.WSACleanup() })
	_, err := th.WSASetBlockingHook(func() bool { return hook(th) })
	ok(t, err)
	return th
}

func TestBehaviour101_CancelInBlockingHook(t *testing.T) {
	for _, f := range streams {
		t.Run(f.name, func(t *testing.T) {
			calls := 0
			th := hooked(t, func(th *ws2.Thread) bool {
				calls++
				if calls < 3 {
					return false // no message was handled; wait on
				}
				ok(t, th.WSACancelBlockingCall())
				return false
			})
			l, _ := listen(t, th, f)
			_, err := th.Accept(l, nil, nil)
			want(t, err, spi.WSAEINTR)
			if calls != 3 {
				t.Errorf("the hook ran %d times, want 3", calls)
			}
			runtime.KeepAlive(l)
		})
	}
}

func TestBehaviour100_PollingSelectCallsNoHook(t *testing.T) {
	calls := 0
	th := hooked(t, func(*ws2.Thread) bool { calls++; return false })
	l, _ := listen(t, th, ipv4)
	n, err := th.Select(spi.NewFDSet(l), nil, nil, &spi.Timeval{})
	if n != 0 || err != nil {
		t.Errorf("select gives %d, %v", n, err)
	}
	nonblocking(t, th, l, 1)
	_, err = th.Accept(l, nil, nil)
	want(t, err, spi.WSAEWOULDBLOCK)
	if calls != 0 {
		t.Errorf("the hook ran %d times where nothing blocks", calls)
	}
	n, err = th.Select(spi.NewFDSet(l), nil, nil, &spi.Timeval{Usec: 30_000})
	if n != 0 || err != nil || calls == 0 {
		t.Errorf("select gives %d, %v after %d runs of the hook", n, err, calls)
	}
}

func TestBehaviour104_CallsInBlockingHook(t *testing.T) {
	for _, f := range streams {
		t.Run(f.name, func(t *testing.T) {
			var c, a spi.Socket
			calls := 0
			th := hooked(t, func(th *ws2.Thread) bool {
				calls++
				if calls > 1 {
					return false
				}
				if !th.WSAIsBlocking() {
					t.Error("WSAIsBlocking is FALSE inside the hook")
				}
				_, err := th.Send(c, []byte("x"), 0)
				want(t, err, spi.WSAEINPROGRESS)
				return false
			})
			c, a = pair(t, th, f)
			setInt(t, th, a, spi.SOL_SOCKET, spi.SO_RCVTIMEO, 50)
			_, err := th.Recv(a, make([]byte, 1), 0)
			want(t, err, spi.WSAETIMEDOUT)
			if calls == 0 {
				t.Error("the hook never ran")
			}
			want(t, th.WSACancelBlockingCall(), spi.WSAEINVAL)
		})
	}
}

func TestBehaviour105_CloseAndLinger(t *testing.T) {
	each(t, internet, func(t *testing.T, th *ws2.Thread, f family) {
		t.Run("graceful", func(t *testing.T) {
			c, a := pair(t, th, f)
			send(t, th, c, "last words")
			ok(t, th.CloseSocket(c))
			receive(t, th, a, "last words")
			n, err := th.Recv(a, make([]byte, 1), 0)
			if n != 0 || err != nil {
				t.Errorf("after a graceful close: %d, %v", n, err)
			}
		})
		t.Run("reset", func(t *testing.T) {
			c, a := pair(t, th, f)
			setLinger(t, th, c, spi.Linger{OnOff: 1})
			ok(t, th.CloseSocket(c))
			_, err := th.Recv(a, make([]byte, 1), 0)
			want(t, err, spi.WSAECONNRESET)
		})
		t.Run("nonblocking", func(t *testing.T) {
			c, a := pair(t, th, f)
			setLinger(t, th, c, spi.Linger{OnOff: 1, Linger: 5})
			nonblocking(t, th, c, 1)
			want(t, th.CloseSocket(c), spi.WSAEWOULDBLOCK)
			send(t, th, c, "still open")
			receive(t, th, a, "still open")
			nonblocking(t, th, c, 0)
			ok(t, th.CloseSocket(c))
		})
		t.Run("waits", func(t *testing.T) {
			c, a := pair(t, th, f)
			setLinger(t, th, c, spi.Linger{OnOff: 1, Linger: 60})
			sent := fill(t, th, c)
			closing := waiting(t, func() error { return th.CloseSocket(c) })
			for sent > 0 {
				n, err := th.Recv(a, make([]byte, 1<<16), 0)
				ok(t, err)
				if n == 0 {
					t.Fatalf("the stream ended %d bytes early", sent)
				}
				sent -= n
			}
			ok(t, <-closing)
		})
		t.Run("expires", func(t *testing.T) {
			c, a := pair(t, th, f)
			setLinger(t, th, c, spi.Linger{OnOff: 1, Linger: 1})
			fill(t, th, c)
			before := time.Now()
			ok(t, th.CloseSocket(c))
			if waited := time.Since(before); waited < time.Second {
				t.Errorf("waited %v, want 1 s", waited)
			}
			for {
				n, err := th.Recv(a, make([]byte, 1<<16), 0)
				if err != nil {
					want(t, err, spi.WSAECONNRESET)
					break
				}
				if n == 0 {
					t.Error("the connection ended gracefully, data was lost without a word")
					break
				}
			}
		})
	})
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		s := stream(t, th, f)
		dont := []byte{1, 0, 0, 0}
		setLinger(t, th, s, spi.Linger{OnOff: 1, Linger: 7})
		if v := getInt(t, th, s, spi.SOL_SOCKET, spi.SO_LINGER); v != 7<<16|1 {
			t.Errorf("SO_LINGER is %#x", v)
		}
		if v := getInt(t, th, s, spi.SOL_SOCKET, spi.SO_DONTLINGER); v != 0 {
			t.Errorf("SO_DONTLINGER is %d", v)
		}
		ok(t, th.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_DONTLINGER, dont))
		if v := getInt(t, th, s, spi.SOL_SOCKET, spi.SO_DONTLINGER); v != 1 {
			t.Errorf("SO_DONTLINGER is %d", v)
		}
	})
}

// fill sends until no more is taken and returns how much that was. The socket
// is blocking before and after.
func fill(t *testing.T, th *ws2.Thread, s spi.Socket) int {
	t.Helper()
	nonblocking(t, th, s, 1)
	defer nonblocking(t, th, s, 0)
	total := 0
	for quiet := 0; quiet < 3; {
		n, err := th.Send(s, make([]byte, 1<<16), 0)
		if errors.Is(err, spi.WSAEWOULDBLOCK) {
			quiet++
			time.Sleep(5 * time.Millisecond)
			continue
		}
		ok(t, err)
		total += n
	}
	return total
}

func TestBehaviour106_Shutdown(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		want(t, th.Shutdown(c, 3), spi.WSAEINVAL)
		want(t, th.Shutdown(c, -1), spi.WSAEINVAL)
		ok(t, th.Shutdown(c, spi.SD_SEND))
		_, err := th.Send(c, []byte("x"), 0)
		want(t, err, spi.WSAESHUTDOWN)
		send(t, th, a, "still here")
		receive(t, th, c, "still here")
		if n, err := th.Recv(a, make([]byte, 1), 0); n != 0 || err != nil {
			t.Errorf("the peer receives %d, %v", n, err)
		}

		fresh := stream(t, th, f)
		want(t, th.Shutdown(fresh, spi.SD_SEND), spi.WSAENOTCONN)
		_, name := listen(t, th, f)
		ok(t, th.Connect(fresh, name)) // and has not harmed it
		l, _ := listen(t, th, f)
		want(t, th.Shutdown(l, spi.SD_BOTH), spi.WSAENOTCONN)
		want(t, th.WSASendDisconnect(fresh, &spi.Buf{Len: 1, Buf: new(byte)}), spi.WSAENOPROTOOPT)
		ok(t, th.WSASendDisconnect(fresh, nil))
	})
}

func TestBehaviour107_ReceiveShutWithData(t *testing.T) {
	each(t, internet, func(t *testing.T, th *ws2.Thread, f family) {
		t.Run("queued", func(t *testing.T) {
			c, a := pair(t, th, f)
			send(t, th, c, "unread")
			ready(t, th, a, 'r')
			ok(t, th.Shutdown(a, spi.SD_RECEIVE))
			_, err := th.Recv(c, make([]byte, 1), 0)
			want(t, err, spi.WSAECONNRESET)
			_, err = th.Recv(a, make([]byte, 1), 0)
			want(t, err, spi.WSAECONNABORTED)
			_, err = th.Send(a, []byte("x"), 0)
			want(t, err, spi.WSAECONNABORTED)
		})
		t.Run("later", func(t *testing.T) {
			c, a := pair(t, th, f)
			ok(t, th.Shutdown(a, spi.SD_RECEIVE))
			_, err := th.Recv(a, make([]byte, 1), 0)
			want(t, err, spi.WSAESHUTDOWN)
			send(t, th, a, "sending goes on")
			receive(t, th, c, "sending goes on")
			send(t, th, c, "unwanted")
			_, err = th.Recv(c, make([]byte, 1), 0)
			want(t, err, spi.WSAECONNRESET)
		})
	})
}

func TestBehaviour108_Bind(t *testing.T) {
	bind := func(t *testing.T, th *ws2.Thread, f family, s spi.Socket) {
		ok(t, th.Bind(s, f.any(t)))
		want(t, th.Bind(s, f.any(t)), spi.WSAEINVAL)
		want(t, th.Bind(s, nil), spi.WSAEFAULT)
	}
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		bind(t, th, f, stream(t, th, f))
		s := stream(t, th, f)
		want(t, th.Bind(s, nil), spi.WSAEFAULT)
		other := addr("127.0.0.1:0")
		if f.af == spi.AF_INET {
			other = addr("[::1]:0")
		}
		want(t, th.Bind(s, other), spi.WSAEFAULT)
		taken, name := listen(t, th, f)
		want(t, th.Bind(s, name), spi.WSAEADDRINUSE)
		ok(t, th.CloseSocket(taken))
	})
	each(t, datagrams, func(t *testing.T, th *ws2.Thread, f family) {
		bind(t, th, f, socket(t, th, f, spi.SOCK_DGRAM))
		s, name := udp(t, th, f)
		want(t, th.Bind(socket(t, th, f, spi.SOCK_DGRAM), name), spi.WSAEADDRINUSE)
		_ = s
	})
	th := start(t)
	want(t, th.Bind(stream(t, th, ipv4), addr("192.0.2.1:0")), spi.WSAEADDRNOTAVAIL)
	missing, _ := spi.SockaddrUnix("/nonexistent/directory/socket")
	want(t, th.Bind(stream(t, th, path), missing), spi.WSAEADDRNOTAVAIL)
}

// A port whose old connections are in TIME_WAIT can be bound again, one that is
// in use cannot.
func TestBindOverTimeWait(t *testing.T) {
	each(t, internet, func(t *testing.T, th *ws2.Thread, f family) {
		any, _ := spi.AddrPortFrom(f.any(t))
		name := spi.SockaddrFrom(netip.AddrPortFrom(any.Addr(), uint16(freeport.Take(t))))
		l := stream(t, th, f)
		ok(t, th.Bind(l, name))
		ok(t, th.Listen(l, 1))
		c := stream(t, th, f)
		ok(t, th.Connect(c, name))
		a, err := th.Accept(l, nil, nil)
		ok(t, err)
		ok(t, th.CloseSocket(l))
		ok(t, th.CloseSocket(a)) // closes first: its side waits
		if n, err := th.Recv(c, make([]byte, 1), 0); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		ok(t, th.CloseSocket(c))

		l = stream(t, th, f)
		ok(t, th.Bind(l, name))
		second := stream(t, th, f)
		want(t, th.Bind(second, name), spi.WSAEADDRINUSE) // bound, not listening
		ok(t, th.Listen(l, 1))
		want(t, th.Bind(second, name), spi.WSAEADDRINUSE)
	})
}

func TestBehaviour109_Listen(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		want(t, th.Listen(stream(t, th, f), 1), spi.WSAEINVAL)
		c, _ := pair(t, th, f)
		want(t, th.Listen(c, 1), spi.WSAEISCONN)
		l, name := listen(t, th, f)
		for _, backlog := range []int32{spi.SOMAXCONN, 0, -200, -1 << 31} {
			ok(t, th.Listen(l, backlog))
		}
		want(t, th.Connect(l, name), spi.WSAEINVAL)
	})
	each(t, datagrams, func(t *testing.T, th *ws2.Thread, f family) {
		s, _ := udp(t, th, f)
		want(t, th.Listen(s, 1), spi.WSAEOPNOTSUPP)
		want(t, th.Listen(socket(t, th, f, spi.SOCK_DGRAM), 1), spi.WSAEOPNOTSUPP)
	})
}

func TestBehaviour110_Names(t *testing.T) {
	check := func(t *testing.T, th *ws2.Thread, f family, s spi.Socket) {
		name := make([]byte, spi.SizeofSockaddrStorage)
		n := int32(len(name))
		want(t, th.GetSockName(s, name, &n), spi.WSAEINVAL)
		want(t, th.GetPeerName(s, name, &n), spi.WSAENOTCONN)
		ok(t, th.Bind(s, f.any(t)))
		if got := spi.AddressFamily(sockName(t, th, s)); got != f.af {
			t.Errorf("the name is of family %d", got)
		}
		want(t, th.GetPeerName(s, name, &n), spi.WSAENOTCONN)
		want(t, th.GetSockName(s, name[:4], &n), spi.WSAEFAULT)
	}
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		check(t, th, f, stream(t, th, f))
		_, name := listen(t, th, f)
		c := stream(t, th, f)
		ok(t, th.Connect(c, name))
		peer := make([]byte, spi.SizeofSockaddrStorage)
		n := int32(len(peer))
		ok(t, th.GetPeerName(c, peer, &n))
		if got, want := spi.AddressString(peer[:n]), spi.AddressString(name); got != want {
			t.Errorf("the peer is %s, want %s", got, want)
		}
	})
	each(t, datagrams, func(t *testing.T, th *ws2.Thread, f family) {
		check(t, th, f, socket(t, th, f, spi.SOCK_DGRAM))
	})
}

func TestBehaviour111_DuplicateLivesOn(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		var info spi.ProtocolInfo
		want(t, th.WSADuplicateSocket(c, 1<<30, &info), spi.WSAEINVAL)
		ok(t, th.WSADuplicateSocket(c, uint32(os.Getpid()), &info))
		dup, err := th.WSASocket(0, 0, 0, &info, 0, 0)
		ok(t, err)
		if dup == c {
			t.Fatal("the duplicate has the same handle")
		}
		nonblocking(t, th, c, 1)
		_, err = th.Recv(dup, make([]byte, 1), 0)
		want(t, err, spi.WSAEWOULDBLOCK) // the mode is shared
		nonblocking(t, th, dup, 0)

		receiving := waiting(t, func() error { _, err := th.Recv(c, make([]byte, 1), 0); return err })
		ok(t, th.CloseSocket(c))
		want(t, <-receiving, spi.WSAEINTR)
		send(t, th, dup, "alive")
		receive(t, th, a, "alive")
		ok(t, th.CloseSocket(dup))
		if n, err := th.Recv(a, make([]byte, 1), 0); n != 0 || err != nil {
			t.Errorf("after the last close: %d, %v", n, err)
		}
	})
}

// A duplicate that nobody has opened keeps the socket open until the cleanup.
func TestBehaviour112_DuplicateOnce(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		var info, unused spi.ProtocolInfo
		ok(t, th.WSADuplicateSocket(c, uint32(os.Getpid()), &info))
		ok(t, th.WSADuplicateSocket(c, uint32(os.Getpid()), &unused))
		ok(t, th.CloseSocket(c))
		dup, err := th.WSASocket(spi.FROM_PROTOCOL_INFO, spi.FROM_PROTOCOL_INFO, spi.FROM_PROTOCOL_INFO, &info, 0, 0)
		ok(t, err)
		_, err = th.WSASocket(spi.FROM_PROTOCOL_INFO, spi.FROM_PROTOCOL_INFO, spi.FROM_PROTOCOL_INFO, &info, 0, 0)
		want(t, err, spi.WSAEINVAL)
		send(t, th, a, "x")
		receive(t, th, dup, "x")
	})
}

func TestBehaviour113_ShortBufferForDatagram(t *testing.T) {
	each(t, datagrams, func(t *testing.T, th *ws2.Thread, f family) {
		r, name := udp(t, th, f)
		s, from := udp(t, th, f)
		b := make([]byte, 4)
		for range 3 {
			_, err := th.SendTo(s, []byte("0123456789"), 0, name)
			ok(t, err)
		}
		_, err := th.Recv(r, b, 0)
		want(t, err, spi.WSAEMSGSIZE)
		if string(b) != "0123" {
			t.Errorf("the buffer has %q", b)
		}
		sender := make([]byte, 28)
		n := int32(len(sender))
		_, err = th.RecvFrom(r, b, 0, sender, &n)
		want(t, err, spi.WSAEMSGSIZE)
		if got, want := spi.AddressString(sender[:n]), spi.AddressString(from); string(b) != "0123" || got != want {
			t.Errorf("the buffer has %q from %s, want it from %s", b, got, want)
		}
		var received, flags uint32
		err = th.WSARecv(r, []spi.Buf{spi.NewBuf(b[:1]), spi.NewBuf(b[1:3])}, &received, &flags, nil, nil)
		want(t, err, spi.WSAEMSGSIZE)
		if received != 3 || flags != spi.MSG_PARTIAL {
			t.Errorf("received %d with flags %#x", received, flags)
		}
		_, err = th.SendTo(s, make([]byte, 66000), 0, name)
		want(t, err, spi.WSAEMSGSIZE)
		most := getInt(t, th, s, spi.SOL_SOCKET, spi.SO_MAX_MSG_SIZE)
		if _, err = th.SendTo(s, make([]byte, most+1), 0, name); err == nil {
			t.Errorf("a datagram longer than SO_MAX_MSG_SIZE, %d, was sent", most)
		}
		_, err = th.SendTo(s, make([]byte, most), 0, name)
		ok(t, err)
	})
}

func TestConditionFunction(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		l, name := listen(t, th, f)
		nonblocking(t, th, l, 1)
		first, second := stream(t, th, f), stream(t, th, f)
		ok(t, th.Connect(first, name))
		ok(t, th.Connect(second, name))
		send(t, th, first, "1")
		send(t, th, second, "2")
		answer := func(code int32) spi.ConditionFunc {
			return func(caller []byte, callerData *spi.Buf, _, _ *spi.QOS, callee []byte, _ *spi.Buf, g *spi.Group, data uintptr) int32 {
				if spi.AddressFamily(caller) != f.af || spi.AddressString(callee) != spi.AddressString(name) || g == nil || data != 42 {
					t.Errorf("the condition function gets %v, %v, %v, %d", caller, callee, g, data)
				}
				return code
			}
		}
		peer := make([]byte, spi.SizeofSockaddrStorage)
		for range 2 { // the deferred connection stays the first
			n := int32(len(peer))
			_, err := th.WSAAccept(l, peer, &n, answer(spi.CF_DEFER), 42)
			want(t, err, spi.WSATRY_AGAIN)
			ready(t, th, l, 'r')
		}
		_, err := th.WSAAccept(l, nil, nil, answer(99), 42)
		want(t, err, spi.WSAEINVAL)
		a, err := th.WSAAccept(l, nil, nil, answer(spi.CF_ACCEPT), 42)
		ok(t, err)
		nonblocking(t, th, a, 0)
		receive(t, th, a, "1")

		n := int32(len(peer))
		_, err = th.WSAAccept(l, peer, &n, answer(spi.CF_REJECT), 42)
		want(t, err, spi.WSAECONNREFUSED)
		if spi.AddressFamily(peer) != f.af {
			t.Error("the address of a refused peer was not stored")
		}
		_, err = th.Recv(second, make([]byte, 1), 0)
		want(t, err, spi.WSAECONNRESET)
		_, err = th.Accept(l, nil, nil)
		want(t, err, spi.WSAEWOULDBLOCK)

		// What was deferred and never accepted ends with the listening socket.
		third := stream(t, th, f)
		ok(t, th.Connect(third, name))
		send(t, th, third, "3")
		_, err = th.WSAAccept(l, nil, nil, answer(spi.CF_DEFER), 42)
		want(t, err, spi.WSATRY_AGAIN)
		ok(t, th.CloseSocket(l))
		_, err = th.Recv(third, make([]byte, 1), 0)
		want(t, err, spi.WSAECONNRESET)
	})
}

// A socket that the provider did not make, or that somebody closed behind its
// back, works.
func TestAdoption(t *testing.T) {
	th := start(t)
	for _, test := range []struct {
		domain, typ, protocol int
		entry                 string
	}{
		{unix.AF_INET, unix.SOCK_STREAM, 0, "Linux TCP/IPv4"},
		{unix.AF_INET6, unix.SOCK_STREAM, 0, "Linux TCP/IPv6"},
		{unix.AF_INET, unix.SOCK_DGRAM, 0, "Linux UDP/IPv4"},
		{unix.AF_INET6, unix.SOCK_DGRAM, 0, "Linux UDP/IPv6"},
		{unix.AF_UNIX, unix.SOCK_STREAM, 0, "Linux AF_UNIX"},
		{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP, "Linux TCP/IPv4"},
	} {
		fd, err := unix.Socket(test.domain, test.typ|unix.SOCK_CLOEXEC, test.protocol)
		if err != nil && test.protocol != 0 {
			t.Logf("no such sockets here: %v", err)
			continue
		}
		ok(t, err)
		info := protocolInfo(t, th, spi.Socket(fd))
		if info.Name() != test.entry || info.CatalogEntryID == 0 {
			t.Errorf("%v is of %q (%d), want %q", test, info.Name(), info.CatalogEntryID, test.entry)
		}
		unix.Close(fd) // not through the DLL: the next one has the same number
	}

	// A pair of descriptors from elsewhere, blocking.
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	ok(t, err)
	a, b := spi.Socket(fds[0]), spi.Socket(fds[1])
	send(t, th, a, "adopted")
	receive(t, th, b, "adopted")
	ok(t, unix.SetNonblock(fds[1], true))
	_, err = th.Recv(b, make([]byte, 1), 0)
	want(t, err, spi.WSAEWOULDBLOCK)
	ok(t, unix.SetNonblock(fds[1], false))
	receiving := waiting(t, func() error { _, err := th.Recv(b, make([]byte, 1), 0); return err })
	ok(t, th.CloseSocket(b))
	want(t, <-receiving, spi.WSAEINTR)
	ok(t, th.CloseSocket(a))
	if isOpen(a) || isOpen(b) {
		t.Error("closing an adopted socket has not closed its descriptor")
	}

	// What is not a socket of these protocols.
	r, w, err := os.Pipe()
	ok(t, err)
	defer r.Close()
	defer w.Close()
	_, err = th.Send(spi.Socket(w.Fd()), []byte("x"), 0)
	want(t, err, spi.WSAENOTSOCK)
	raw, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	ok(t, err)
	defer unix.Close(raw)
	_, err = th.Send(spi.Socket(raw), []byte("x"), 0)
	want(t, err, spi.WSAENOTSOCK)
}

// A number that was closed by close(2) and names a new socket: what belonged to
// the old one does not touch the new one.
func TestNumberUsedAgain(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		old := stream(t, th, f)
		ev := newEvent(t, th)
		ok(t, th.WSAEventSelect(old, ev, allEvents))
		ok(t, unix.Close(int(old)))
		s := stream(t, th, f)
		if s != old {
			t.Skip("another goroutine has taken the number")
		}
		_, name := listen(t, th, f)
		ok(t, th.Connect(s, name)) // blocking: the selection was the old one's
		quiet(t, th, s, "on a new socket")
		i, err := th.WSAWaitForMultipleEvents([]spi.Event{ev}, false, 0, false)
		ok(t, err)
		if i != spi.WSA_WAIT_TIMEOUT {
			t.Error("the old socket's event was set for the new one")
		}
	})
}

// The cleanup resets the sockets of the provider and leaves the others alone.
func TestCleanupSparesForeignSockets(t *testing.T) {
	th := start(t)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	ok(t, err)
	protocolInfo(t, th, spi.Socket(fd))
	own := stream(t, th, ipv4)
	ok(t, th.WSACleanup())
	if isOpen(own) {
		t.Error("the provider's own socket is still open")
	}
	if !isOpen(spi.Socket(fd)) {
		t.Error("an adopted socket was closed")
	}
	unix.Close(fd)
	ok(t, th.WSAStartup(spi.Version22, new(ws2.WSAData)))
}
