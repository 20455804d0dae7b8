package memory_test

import (
	"encoding/binary"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

func setLinger(t testing.TB, th *ws2.Thread, s spi.Socket, on, seconds uint16) {
	t.Helper()
	val := make([]byte, 4)
	binary.NativeEndian.PutUint16(val, on)
	binary.NativeEndian.PutUint16(val[2:], seconds)
	ok(t, th.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_LINGER, val))
}

func option(t testing.TB, th *ws2.Thread, s spi.Socket, name int32) int32 {
	t.Helper()
	val := make([]byte, 4)
	n := int32(4)
	ok(t, th.GetSockOpt(s, spi.SOL_SOCKET, name, val, &n))
	return int32(binary.NativeEndian.Uint32(val))
}

func TestBehaviour095_SelectRefusesBadArguments(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		s, _ := pair(t, th)
		_, err := th.Select(nil, nil, nil, nil)
		want(t, err, spi.WSAEINVAL)
		_, err = th.Select(spi.NewFDSet(), nil, nil, nil)
		want(t, err, spi.WSAEINVAL)
		for _, timeout := range []spi.Timeval{{Sec: -1}, {Usec: -1}} {
			_, err = th.Select(spi.NewFDSet(s), nil, nil, &timeout)
			want(t, err, spi.WSAEINVAL)
		}
		_, err = th.Select(spi.NewFDSet(s, 1<<40), nil, nil, &spi.Timeval{})
		want(t, err, spi.WSAENOTSOCK)
	})
}

func TestBehaviour096_SelectReducesTheSets(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		a1, a2 := pair(t, th)
		b1, b2 := pair(t, th)
		send(t, th, a1, "x")
		read, write, except := spi.NewFDSet(b2, a2), spi.NewFDSet(a1, b1), spi.NewFDSet(a1, b1)
		n, err := th.Select(read, write, except, &spi.Timeval{Sec: 5})
		ok(t, err)
		if n != 3 || read.Count != 1 || !read.IsSet(a2) || write.Count != 2 || except.Count != 0 {
			t.Errorf("%d ready: read %v write %v except %v", n, read.Sockets(), write.Sockets(), except.Sockets())
		}
		read = spi.NewFDSet(b1, b2)
		n, err = th.Select(read, nil, nil, &spi.Timeval{Usec: 1000})
		ok(t, err)
		if n != 0 || read.Count != 0 {
			t.Errorf("%d ready: %v", n, read.Sockets())
		}
	})
}

func TestSelectWakesUp(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		l, name := listen(t, th)
		for what, do := range map[string]func() error{
			"data": func() error { _, err := th.Send(client, []byte("x"), 0); return err },
			"connection": func() error {
				s, err := th.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
				ok(t, err)
				return th.Connect(s, name)
			},
		} {
			done := make(chan error, 1)
			go func() {
				time.Sleep(5 * time.Millisecond)
				done <- do()
			}()
			set := spi.NewFDSet(server, l)
			n, err := th.Select(set, nil, nil, &spi.Timeval{Sec: 5})
			ok(t, err)
			ok(t, <-done)
			if n != 1 {
				t.Errorf("%s: %d ready", what, n)
			}
			switch set.Sockets()[0] {
			case server:
				recv(t, th, server)
			case l:
				_, err := th.Accept(l, nil, nil)
				ok(t, err)
			}
		}
	})
}

func TestBehaviour098_SelectTakesMoreThan64(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		var sockets []spi.Socket
		for range 100 {
			s := udp(t, th, "127.0.0.1:0")
			sockets = append(sockets, s)
			_, err := th.SendTo(s, []byte("x"), 0, sockName(t, th, s))
			ok(t, err)
		}
		set := spi.NewFDSet(sockets...)
		n, err := th.Select(set, nil, nil, &spi.Timeval{Sec: 5})
		ok(t, err)
		if n != 100 || set.Count != 100 {
			t.Errorf("%d ready", n)
		}
	})
}

func TestBehaviour099_FailedConnectIsExceptional(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		s := tcp(t, th)
		nonblocking(t, th, s)
		want(t, th.Connect(s, addr("127.0.0.1:9")), spi.WSAEWOULDBLOCK)
		write, except := spi.NewFDSet(s), spi.NewFDSet(s)
		n, err := th.Select(nil, write, except, &spi.Timeval{Sec: 5})
		ok(t, err)
		if n != 1 || write.Count != 0 || except.Count != 1 {
			t.Errorf("%d ready: write %v except %v", n, write.Sockets(), except.Sockets())
		}
		if got := spi.Errno(option(t, th, s, spi.SO_ERROR)); got != spi.WSAECONNREFUSED {
			t.Errorf("SO_ERROR %v", got)
		}
		if got := option(t, th, s, spi.SO_ERROR); got != 0 {
			t.Errorf("SO_ERROR %d the second time", got)
		}
		_, name := listen(t, th)
		s = tcp(t, th)
		nonblocking(t, th, s)
		if err := th.Connect(s, name); err != nil {
			want(t, err, spi.WSAEWOULDBLOCK)
		}
		write, except = spi.NewFDSet(s), spi.NewFDSet(s)
		_, err = th.Select(nil, write, except, &spi.Timeval{Sec: 5})
		ok(t, err)
		if write.Count != 1 || except.Count != 0 {
			t.Errorf("write %v except %v", write.Sockets(), except.Sockets())
		}
	})
}

const version11 = 0x0101

func TestBehaviour101_TheBlockingHookCancels(t *testing.T) {
	for name, layers := range stacks {
		t.Run(name, func(t *testing.T) {
			th := startedOver(t, layers, version11).BindThread()
			defer th.Unbind()
			_, server := pair(t, th)
			calls := 0
			_, err := th.WSASetBlockingHook(func() bool {
				calls++
				if calls == 3 {
					ok(t, th.WSACancelBlockingCall())
				}
				return false
			})
			ok(t, err)
			_, err = th.Recv(server, make([]byte, 1), 0)
			want(t, err, spi.WSAEINTR)
			if calls < 3 {
				t.Errorf("%d calls of the hook", calls)
			}
		})
	}
}

func TestBehaviour100_PollingNeverCallsTheHook(t *testing.T) {
	th := startedOver(t, nil, version11).BindThread()
	defer th.Unbind()
	_, server := pair(t, th)
	_, err := th.WSASetBlockingHook(func() bool { t.Error("called"); return false })
	ok(t, err)
	n, err := th.Select(spi.NewFDSet(server), nil, nil, &spi.Timeval{})
	ok(t, err)
	if n != 0 {
		t.Errorf("%d ready", n)
	}
	nonblocking(t, th, server)
	_, err = th.Recv(server, make([]byte, 1), 0)
	want(t, err, spi.WSAEWOULDBLOCK)
}

func TestBehaviour104_OtherCallsDuringTheHookAreRefused(t *testing.T) {
	th := startedOver(t, nil, version11).BindThread()
	defer th.Unbind()
	client, server := pair(t, th)
	_, err := th.WSASetBlockingHook(func() bool {
		if !th.WSAIsBlocking() {
			t.Error("WSAIsBlocking is false")
		}
		_, err := th.Send(client, []byte("x"), 0)
		want(t, err, spi.WSAEINPROGRESS)
		ok(t, th.WSACancelBlockingCall())
		return false
	})
	ok(t, err)
	_, err = th.Recv(server, make([]byte, 1), 0)
	want(t, err, spi.WSAEINTR)
}

func TestBehaviour105_Linger(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		send(t, th, client, "last words")
		ok(t, th.CloseSocket(client)) // SO_DONTLINGER
		if got := recv(t, th, server) + recv(t, th, server); got != "last words" {
			t.Errorf("got %q", got)
		}

		client, server = pair(t, th)
		setLinger(t, th, client, 1, 0)
		send(t, th, client, "lost")
		ok(t, th.CloseSocket(client))
		_, err := th.Recv(server, make([]byte, 10), 0)
		want(t, err, spi.WSAECONNRESET)

		client, server = pair(t, th)
		setLinger(t, th, client, 1, 30)
		nonblocking(t, th, client)
		send(t, th, client, "unread")
		want(t, th.CloseSocket(client), spi.WSAEWOULDBLOCK)
		send(t, th, client, ", still open")
		off := uint32(0)
		ok(t, th.IoctlSocket(client, spi.FIONBIO, &off))
		var read atomic.Bool
		done := make(chan error, 1)
		go func() {
			time.Sleep(10 * time.Millisecond)
			read.Store(true)
			_, err := th.Recv(server, make([]byte, 100), 0)
			done <- err
		}()
		ok(t, th.CloseSocket(client))
		if !read.Load() {
			t.Error("closed before the peer had read")
		}
		ok(t, <-done)
	})
}

func TestBehaviour106_Shutdown(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		want(t, th.Shutdown(client, 3), spi.WSAEINVAL)
		want(t, th.Shutdown(tcp(t, th), spi.SD_SEND), spi.WSAENOTCONN)
		send(t, th, client, "before")
		ok(t, th.Shutdown(client, spi.SD_SEND))
		_, err := th.Send(client, []byte("after"), 0)
		want(t, err, spi.WSAESHUTDOWN)
		if got := recv(t, th, server) + recv(t, th, server); got != "before" {
			t.Errorf("got %q", got)
		}
		send(t, th, server, "still")
		if got := recv(t, th, client); got != "still" {
			t.Errorf("got %q", got)
		}
		ok(t, th.Shutdown(client, spi.SD_RECEIVE))
		_, err = th.Recv(client, make([]byte, 1), 0)
		want(t, err, spi.WSAESHUTDOWN)
	})
}

func TestBehaviour107_EndingReceptionOfUnreadDataResets(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		send(t, th, client, "unread")
		ok(t, th.Shutdown(server, spi.SD_RECEIVE))
		_, err := th.Recv(client, make([]byte, 1), 0)
		want(t, err, spi.WSAECONNRESET)
	})
}

func TestBehaviour108_BindOnceWithAWholeName(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		s := tcp(t, th)
		want(t, th.Bind(s, nil), spi.WSAEFAULT)
		ok(t, th.Bind(s, addr("127.0.0.1:0")))
		want(t, th.Bind(s, addr("127.0.0.1:0")), spi.WSAEINVAL)
	})
}

func TestBehaviour109_ListenNeedsABoundStream(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, _ := pair(t, th)
		want(t, th.Listen(tcp(t, th), 1), spi.WSAEINVAL)
		want(t, th.Listen(client, 1), spi.WSAEISCONN)
		want(t, th.Listen(udp(t, th, "127.0.0.1:0"), 1), spi.WSAEOPNOTSUPP)
		_, err := th.Accept(tcp(t, th), nil, nil)
		want(t, err, spi.WSAEINVAL)
	})
}

func TestBehaviour110_NamesThatAreNotThere(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		s, name, n := tcp(t, th), make([]byte, 16), int32(16)
		want(t, th.GetSockName(s, name, &n), spi.WSAEINVAL)
		want(t, th.GetPeerName(s, name, &n), spi.WSAENOTCONN)
		client, server := pair(t, th)
		peer := make([]byte, 16)
		n = 16
		ok(t, th.GetPeerName(client, peer, &n))
		if string(peer) != string(sockName(t, th, server)) {
			t.Errorf("%v is not %v", peer, sockName(t, th, server))
		}
		n = 15
		want(t, th.GetPeerName(client, peer[:15], &n), spi.WSAEFAULT)
	})
}

func duplicate(t testing.TB, th *ws2.Thread, s spi.Socket) *spi.ProtocolInfo {
	t.Helper()
	info := new(spi.ProtocolInfo)
	ok(t, th.WSADuplicateSocket(s, uint32(os.Getpid()), info))
	return info
}

func TestBehaviour111_DuplicateOutlivesTheOriginal(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		info := duplicate(t, th, client)
		twin, err := th.WSASocket(0, 0, 0, info, 0, spi.WSA_FLAG_OVERLAPPED)
		ok(t, err)
		if twin == client {
			t.Error("the same handle")
		}
		ok(t, th.CloseSocket(client))
		send(t, th, twin, "through the twin")
		if got := recv(t, th, server); got != "through the twin" {
			t.Errorf("got %q", got)
		}
		ok(t, th.CloseSocket(twin))
		if got := recv(t, th, server); got != "" {
			t.Errorf("got %q", got)
		}
		want(t, th.WSADuplicateSocket(server, uint32(os.Getpid())+1, info), spi.WSAEINVAL)
	})
}

func TestBehaviour112_DuplicateInfoWorksOnce(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, _ := pair(t, th)
		info := duplicate(t, th, client)
		_, err := th.WSASocket(0, 0, 0, info, 0, spi.WSA_FLAG_OVERLAPPED)
		ok(t, err)
		_, err = th.WSASocket(0, 0, 0, info, 0, spi.WSA_FLAG_OVERLAPPED)
		want(t, err, spi.WSAEINVAL)
		info = duplicate(t, th, client)
		*info, _ = *duplicate(t, th, tcp(t, th)), info
		l, _ := listen(t, th)
		info = duplicate(t, th, l)
		ok(t, th.CloseSocket(l))
		_, err = th.WSASocket(0, 0, 0, info, 0, spi.WSA_FLAG_OVERLAPPED)
		want(t, err, spi.WSAEINVAL)
	})
}

func TestBehaviour113_CutDatagram(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		s := udp(t, th, "127.0.0.1:0")
		name := sockName(t, th, s)
		for range 2 {
			_, err := th.SendTo(s, []byte("0123456789"), 0, name)
			ok(t, err)
		}
		buf := make([]byte, 4)
		_, err := th.Recv(s, buf, 0)
		want(t, err, spi.WSAEMSGSIZE)
		if string(buf) != "0123" {
			t.Errorf("got %q", buf)
		}
		from, n := make([]byte, 16), int32(16)
		_, err = th.RecvFrom(s, buf, 0, from, &n)
		want(t, err, spi.WSAEMSGSIZE)
		if string(from) != string(name) {
			t.Errorf("from %v", from)
		}
		nonblocking(t, th, s)
		_, err = th.Recv(s, buf, 0)
		want(t, err, spi.WSAEWOULDBLOCK)
	})
}

func TestTimeouts(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		ok(t, th.SetSockOpt(server, spi.SOL_SOCKET, spi.SO_RCVTIMEO, []byte{5, 0, 0, 0}))
		_, err := th.Recv(server, make([]byte, 1), 0)
		want(t, err, spi.WSAETIMEDOUT)
		ok(t, th.SetSockOpt(client, spi.SOL_SOCKET, spi.SO_SNDTIMEO, []byte{5, 0, 0, 0}))
		n, err := th.Send(client, make([]byte, 4<<20), 0)
		if err != nil || n == 0 || n >= 4<<20 {
			t.Errorf("sent %d, %v", n, err)
		}
		_, err = th.Send(client, make([]byte, 4<<20), 0)
		want(t, err, spi.WSAETIMEDOUT)
	})
}

func TestPeekAndWaitAll(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		send(t, th, client, "abc")
		buf := make([]byte, 6)
		for range 2 {
			n, err := th.Recv(server, buf, spi.MSG_PEEK)
			ok(t, err)
			if string(buf[:n]) != "abc" {
				t.Errorf("peeked %q", buf[:n])
			}
		}
		var pending uint32
		ok(t, th.IoctlSocket(server, spi.FIONREAD, &pending))
		if pending != 3 {
			t.Errorf("FIONREAD %d", pending)
		}
		got := make(chan string, 1)
		go func() {
			n, _ := th.Recv(server, buf, spi.MSG_WAITALL)
			got <- string(buf[:n])
		}()
		for _, part := range []string{"d", "ef"} {
			time.Sleep(2 * time.Millisecond)
			send(t, th, client, part)
		}
		if s := <-got; s != "abcdef" {
			t.Errorf("got %q", s)
		}
	})
}

func TestCloseWakesBlockedCalls(t *testing.T) {
	th := newThread(t)
	_, server := pair(t, th)
	l, _ := listen(t, th)
	failed := make(chan error, 2)
	go func() { _, err := th.Recv(server, make([]byte, 1), 0); failed <- err }()
	go func() { _, err := th.Accept(l, nil, nil); failed <- err }()
	time.Sleep(5 * time.Millisecond)
	ok(t, th.CloseSocket(server))
	ok(t, th.CloseSocket(l))
	for range 2 {
		select {
		case err := <-failed:
			if err == nil {
				t.Error("no error")
			}
		case <-time.After(time.Minute):
			t.Fatal("still blocked")
		}
	}
}

func TestCloseWakesSelect(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		_, server := pair(t, th)
		failed := make(chan error, 1)
		go func() { _, err := th.Select(spi.NewFDSet(server), nil, nil, nil); failed <- err }()
		time.Sleep(5 * time.Millisecond)
		ok(t, th.CloseSocket(server))
		select {
		case err := <-failed:
			want(t, err, spi.WSAENOTSOCK)
		case <-time.After(time.Minute):
			t.Fatal("still blocked")
		}
	})
}

func TestConditionFunction(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		l, name := listen(t, th)
		c := tcp(t, th)
		ok(t, th.Connect(c, name))
		answer := int32(spi.CF_DEFER)
		cond := func(caller []byte, _ *spi.Buf, _, _ *spi.QOS, callee []byte, _ *spi.Buf, _ *spi.Group, data uintptr) int32 {
			if string(caller) != string(sockName(t, th, c)) || string(callee) != string(name) || data != 42 {
				t.Errorf("asked about %v to %v with %d", caller, callee, data)
			}
			return answer
		}
		_, err := th.WSAAccept(l, nil, nil, cond, 42)
		want(t, err, spi.WSATRY_AGAIN)
		answer = 17
		_, err = th.WSAAccept(l, nil, nil, cond, 42)
		want(t, err, spi.WSAEINVAL)
		answer = spi.CF_REJECT
		from, n := make([]byte, 16), int32(16)
		_, err = th.WSAAccept(l, from, &n, cond, 42)
		want(t, err, spi.WSAECONNREFUSED)
		if string(from) != string(sockName(t, th, c)) {
			t.Errorf("rejected %v", from)
		}
		_, err = th.Recv(c, make([]byte, 1), 0)
		want(t, err, spi.WSAECONNRESET)
	})
}

func TestConditionalAccept(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		l, name := listen(t, th)
		ok(t, th.SetSockOpt(l, spi.SOL_SOCKET, spi.SO_CONDITIONAL_ACCEPT, []byte{1, 0, 0, 0}))
		for _, answer := range []int32{spi.CF_REJECT, spi.CF_ACCEPT} {
			c := tcp(t, th)
			connected := make(chan error, 1)
			go func() { connected <- th.Connect(c, name) }()
			s, err := th.WSAAccept(l, nil, nil, func([]byte, *spi.Buf, *spi.QOS, *spi.QOS, []byte, *spi.Buf, *spi.Group, uintptr) int32 {
				return answer
			}, 0)
			if answer == spi.CF_REJECT {
				want(t, err, spi.WSAECONNREFUSED)
				want(t, <-connected, spi.WSAECONNREFUSED)
				want(t, th.GetSockName(c, make([]byte, 16), new(int32)), spi.WSAEINVAL)
				continue
			}
			ok(t, err)
			ok(t, <-connected)
			send(t, th, c, "in")
			if got := recv(t, th, s); got != "in" {
				t.Errorf("got %q", got)
			}
		}
	})
}
