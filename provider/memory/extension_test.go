package memory_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

const addressRoom = spi.SizeofSockaddrIn + 16

// acceptance is an AcceptEx of a test.
type acceptance struct {
	asked
	socket  spi.Socket
	receive uint32
}

func startAccept(t testing.TB, th *ws2.Thread, l spi.Socket, receive uint32) (*acceptance, error) {
	t.Helper()
	a := &acceptance{socket: tcp(t, th), receive: receive}
	ev, err := th.WSACreateEvent()
	ok(t, err)
	t.Cleanup(func() { _ = th.WSACloseEvent(ev) })
	a.HEvent = ev
	a.buf = make([]byte, receive+2*addressRoom)
	return a, th.AcceptEx(l, a.socket, a.buf, receive, addressRoom, addressRoom, nil, &a.Overlapped)
}

func updateAccept(t testing.TB, th *ws2.Thread, s, listening spi.Socket) {
	t.Helper()
	val := make([]byte, 8)
	binary.NativeEndian.PutUint64(val, uint64(listening))
	ok(t, th.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_UPDATE_ACCEPT_CONTEXT, val))
}

func TestAcceptEx(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		l, name := listen(t, th)
		early, err := startAccept(t, th, l, 0)
		want(t, err, spi.WSA_IO_PENDING)
		client := tcp(t, th)
		ok(t, th.Connect(client, name))
		awaitEvent(t, th, early.HEvent)
		if _, err := result(t, th, l, &early.Overlapped, true); err != nil {
			t.Fatal(err)
		}
		updateAccept(t, th, early.socket, l)
		local, remote, err := th.GetAcceptExSockaddrs(l, early.buf, 0, addressRoom, addressRoom)
		ok(t, err)
		if !bytes.Equal(local, name) || !bytes.Equal(remote, sockName(t, th, client)) {
			t.Errorf("accepted %v from %v", local, remote)
		}
		peer, n := make([]byte, 16), int32(16)
		ok(t, th.GetPeerName(early.socket, peer, &n))
		if !bytes.Equal(peer, remote) {
			t.Errorf("peer %v", peer)
		}
		send(t, th, client, "in")
		if got := recv(t, th, early.socket); got != "in" {
			t.Errorf("got %q", got)
		}
		send(t, th, early.socket, "out")
		if got := recv(t, th, client); got != "out" {
			t.Errorf("got %q", got)
		}

		// A connection that was there first.
		client = tcp(t, th)
		ok(t, th.Connect(client, name))
		late, err := startAccept(t, th, l, 0)
		want(t, err, spi.WSA_IO_PENDING)
		awaitEvent(t, th, late.HEvent)
		updateAccept(t, th, late.socket, l)
		ok(t, th.CloseSocket(client))
		if got := recv(t, th, late.socket); got != "" {
			t.Errorf("got %q", got)
		}
	})
}

func TestAcceptExReceivesTheFirstData(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		l, name := listen(t, th)
		a, err := startAccept(t, th, l, 10)
		want(t, err, spi.WSA_IO_PENDING)
		client := tcp(t, th)
		ok(t, th.Connect(client, name))
		if isSet(t, th, a.HEvent) {
			t.Error("complete without data")
		}
		send(t, th, client, "hello")
		awaitEvent(t, th, a.HEvent)
		n, err := result(t, th, l, &a.Overlapped, true)
		ok(t, err)
		if string(a.buf[:n]) != "hello" {
			t.Errorf("%d bytes, %q", n, a.buf[:10])
		}
		_, remote, err := th.GetAcceptExSockaddrs(l, a.buf, 10, addressRoom, addressRoom)
		ok(t, err)
		if !bytes.Equal(remote, sockName(t, th, client)) {
			t.Errorf("from %v", remote)
		}
		// The end of the stream is data enough.
		a, err = startAccept(t, th, l, 10)
		want(t, err, spi.WSA_IO_PENDING)
		client = tcp(t, th)
		ok(t, th.Connect(client, name))
		ok(t, th.CloseSocket(client))
		awaitEvent(t, th, a.HEvent)
		if n, err := result(t, th, l, &a.Overlapped, true); err != nil || n != 0 {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
}

func TestAcceptExIsServedInOrder(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		l, name := listen(t, th)
		var pending []*acceptance
		for range 5 {
			a, err := startAccept(t, th, l, 0)
			want(t, err, spi.WSA_IO_PENDING)
			pending = append(pending, a)
		}
		for _, a := range pending {
			client := tcp(t, th)
			ok(t, th.Connect(client, name))
			awaitEvent(t, th, a.HEvent)
			_, remote, err := th.GetAcceptExSockaddrs(l, a.buf, 0, addressRoom, addressRoom)
			ok(t, err)
			if !bytes.Equal(remote, sockName(t, th, client)) {
				t.Errorf("%v has the place of %v", remote, sockName(t, th, client))
			}
		}
	})
}

func TestAcceptExRefusals(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		l, _ := listen(t, th)
		client, _ := pair(t, th)
		out, ov := make([]byte, 100), newOverlapped(t, th)
		s := tcp(t, th)
		want(t, th.AcceptEx(l, s, out, 0, addressRoom-1, addressRoom, nil, ov), spi.WSAEFAULT)
		want(t, th.AcceptEx(l, s, out[:50], 0, addressRoom, addressRoom, nil, ov), spi.WSAEFAULT)
		want(t, th.AcceptEx(s, tcp(t, th), out, 0, addressRoom, addressRoom, nil, ov), spi.WSAEINVAL)
		want(t, th.AcceptEx(l, client, out, 0, addressRoom, addressRoom, nil, ov), spi.WSAEINVAL)
		want(t, th.AcceptEx(l, 1<<40, out, 0, addressRoom, addressRoom, nil, ov), spi.WSAENOTSOCK)
		bound := tcp(t, th)
		ok(t, th.Bind(bound, addr("127.0.0.1:0")))
		want(t, th.AcceptEx(l, bound, out, 0, addressRoom, addressRoom, nil, ov), spi.WSAEINVAL)
		if ov.InProgress() {
			t.Error("in progress")
		}
		want(t, th.AcceptEx(l, s, out, 0, addressRoom, addressRoom, nil, ov), spi.WSA_IO_PENDING)
		want(t, th.AcceptEx(l, s, out, 0, addressRoom, addressRoom, nil, new(spi.Overlapped)), spi.WSAEINVAL)
		ok(t, th.CancelIoEx(l, ov))
		awaitEvent(t, th, ov.HEvent)
	})
}

// Closing either socket, and cancelling, ends an AcceptEx at both its stages.
func TestBehaviour042_AcceptExIsAborted(t *testing.T) {
	ends := map[string]func(t *testing.T, th *ws2.Thread, l spi.Socket, a *acceptance){
		"listening socket closed": func(t *testing.T, th *ws2.Thread, l spi.Socket, a *acceptance) { ok(t, th.CloseSocket(l)) },
		"accepting socket closed": func(t *testing.T, th *ws2.Thread, l spi.Socket, a *acceptance) { ok(t, th.CloseSocket(a.socket)) },
		"cancelled": func(t *testing.T, th *ws2.Thread, l spi.Socket, a *acceptance) {
			ok(t, th.CancelIoEx(l, &a.Overlapped))
		},
	}
	for name, end := range ends {
		for _, connected := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				each(t, func(t *testing.T, th *ws2.Thread) {
					l, name := listen(t, th)
					a, err := startAccept(t, th, l, 10)
					want(t, err, spi.WSA_IO_PENDING)
					if connected {
						ok(t, th.Connect(tcp(t, th), name))
					}
					end(t, th, l, a)
					awaitEvent(t, th, a.HEvent)
					if got := spi.Errno(a.OffsetHigh); a.InProgress() || got != spi.WSA_OPERATION_ABORTED {
						t.Errorf("%v", got)
					}
				})
			})
		}
	}
}

func newOverlapped(t testing.TB, th *ws2.Thread) *spi.Overlapped {
	t.Helper()
	ev, err := th.WSACreateEvent()
	ok(t, err)
	t.Cleanup(func() { _ = th.WSACloseEvent(ev) })
	return &spi.Overlapped{HEvent: ev}
}

// settled waits for an operation that has started, and returns its outcome.
func settled(t testing.TB, th *ws2.Thread, s spi.Socket, ov *spi.Overlapped, err error) (uint32, error) {
	t.Helper()
	if err != nil && err != spi.WSA_IO_PENDING.Err() {
		return 0, err
	}
	awaitEvent(t, th, ov.HEvent)
	return result(t, th, s, ov, true)
}

func bound(t testing.TB, th *ws2.Thread) spi.Socket {
	t.Helper()
	s := tcp(t, th)
	ok(t, th.Bind(s, addr("127.0.0.1:0")))
	return s
}

func TestConnectEx(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		l, name := listen(t, th)
		s, ov := bound(t, th), newOverlapped(t, th)
		n, err := settled(t, th, s, ov, th.ConnectEx(s, name, []byte("first"), nil, ov))
		ok(t, err)
		if n != 5 {
			t.Errorf("%d bytes sent", n)
		}
		ok(t, th.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_UPDATE_CONNECT_CTX, nil))
		server, err := th.Accept(l, nil, nil)
		ok(t, err)
		if got := recv(t, th, server); got != "first" {
			t.Errorf("got %q", got)
		}
		want(t, th.ConnectEx(s, name, nil, nil, ov), spi.WSAEISCONN)
		want(t, th.ConnectEx(tcp(t, th), name, nil, nil, ov), spi.WSAEINVAL)
		refused := bound(t, th)
		ov = newOverlapped(t, th)
		_, err = settled(t, th, refused, ov, th.ConnectEx(refused, addr("127.0.0.1:9"), []byte("x"), nil, ov))
		want(t, err, spi.WSAECONNREFUSED)
		want(t, th.ConnectEx(bound(t, th), addr("[::1]:9"), nil, nil, ov), spi.WSAEAFNOSUPPORT)
	})
}

func TestDisconnectExAndReuse(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		l, name := listen(t, th)
		client, server := bound(t, th), tcp(t, th)
		buf := make([]byte, 2*addressRoom)
		for round := range 3 {
			ov := newOverlapped(t, th)
			accepting := th.AcceptEx(l, server, buf, 0, addressRoom, addressRoom, nil, ov)
			connecting := newOverlapped(t, th)
			_, err := settled(t, th, client, connecting, th.ConnectEx(client, name, nil, nil, connecting))
			ok(t, err)
			_, err = settled(t, th, l, ov, accepting)
			ok(t, err)
			updateAccept(t, th, server, l)
			send(t, th, client, "bye")
			ov = newOverlapped(t, th)
			if round == 2 {
				ok(t, th.DisconnectEx(client, nil, spi.TF_REUSE_SOCKET))
			} else {
				_, err = settled(t, th, client, ov, th.DisconnectEx(client, ov, spi.TF_REUSE_SOCKET))
				ok(t, err)
			}
			if got := recv(t, th, server); got != "bye" {
				t.Errorf("got %q", got)
			}
			if got := recv(t, th, server); got != "" {
				t.Errorf("got %q at the end", got)
			}
			ok(t, th.DisconnectEx(server, nil, spi.TF_REUSE_SOCKET))
			_, err = th.Recv(server, buf, 0)
			want(t, err, spi.WSAENOTCONN)
			want(t, th.GetPeerName(client, buf, new(int32)), spi.WSAENOTCONN)
		}
		want(t, th.DisconnectEx(client, nil, 0), spi.WSAENOTCONN)
		want(t, th.DisconnectEx(client, nil, spi.TF_DISCONNECT), spi.WSAEINVAL)
	})
}

// Without TF_REUSE_SOCKET the connection ends, and what was sent arrives, even
// what waited for room.
func TestDisconnectExComesAfterWhatWasSent(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		sending, ending := newOverlapped(t, th), newOverlapped(t, th)
		want(t, th.WSASend(client, []spi.Buf{spi.NewBuf(data)}, nil, 0, sending, nil), spi.WSA_IO_PENDING)
		want(t, th.DisconnectEx(client, ending, 0), spi.WSA_IO_PENDING)
		if got := readAll(t, th, server); !bytes.Equal(got, data) {
			t.Errorf("%d of %d bytes arrived", len(got), len(data))
		}
		n, err := settled(t, th, client, sending, nil)
		ok(t, err)
		if int(n) != len(data) {
			t.Errorf("sent %d", n)
		}
		_, err = settled(t, th, client, ending, nil)
		ok(t, err)
		_, err = th.Send(client, []byte("x"), 0)
		want(t, err, spi.WSAESHUTDOWN)
	})
}

func readAll(t testing.TB, th *ws2.Thread, s spi.Socket) (all []byte) {
	t.Helper()
	buf := make([]byte, 50_000)
	for {
		n, err := th.Recv(s, buf, 0)
		ok(t, err)
		if n == 0 {
			return all
		}
		all = append(all, buf[:n]...)
	}
}

// testFile returns an open file and what is in it.
func testFile(t testing.TB, size int) (*os.File, []byte) {
	t.Helper()
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i>>8 ^ i)
	}
	path := filepath.Join(t.TempDir(), "file")
	ok(t, os.WriteFile(path, data, 0o600))
	f, err := os.Open(path)
	ok(t, err)
	t.Cleanup(func() { f.Close() })
	return f, data
}

func TestTransmitFile(t *testing.T) {
	const size = 1_000_003
	head, tail := []byte("head"), []byte("tail")
	around := &spi.TransmitFileBuffers{Head: &head[0], HeadLength: 4, Tail: &tail[0], TailLength: 4}
	each(t, func(t *testing.T, th *ws2.Thread) {
		f, data := testFile(t, size)
		for _, overlapped := range []bool{false, true} {
			client, server := pair(t, th)
			var ov *spi.Overlapped
			if overlapped {
				ov = newOverlapped(t, th)
				ov.Offset = 1000
			} else if _, err := f.Seek(1000, 0); err != nil {
				t.Fatal(err)
			}
			sent := make(chan error, 1)
			go func() {
				err := th.TransmitFile(client, f.Fd(), 500_000, 10_000, ov, around, spi.TF_DISCONNECT)
				if overlapped {
					// What is sent later stays behind the file, or is too late.
					_ = th.WSASend(client, []spi.Buf{spi.NewBuf([]byte("behind"))}, nil, 0, new(spi.Overlapped), nil)
				}
				sent <- err
			}()
			got := readAll(t, th, server)
			err := <-sent
			if overlapped {
				want(t, err, spi.WSA_IO_PENDING)
				n, err := settled(t, th, client, ov, err)
				ok(t, err)
				if n != 500_008 {
					t.Errorf("%d bytes", n)
				}
				got = bytes.TrimSuffix(got, []byte("behind"))
			} else {
				ok(t, err)
			}
			if !bytes.Equal(got, append(append(append([]byte(nil), head...), data[1000:501_000]...), tail...)) {
				t.Errorf("%d bytes arrived", len(got))
			}
		}
		client, server := pair(t, th)
		ov := newOverlapped(t, th)
		want(t, th.TransmitFile(client, f.Fd(), 0, 0, ov, nil, 0), spi.WSA_IO_PENDING)
		got := make([]byte, 0, size)
		for len(got) < size {
			got = append(got, recv(t, th, server)...)
		}
		n, err := settled(t, th, client, ov, nil)
		ok(t, err)
		if n != size || !bytes.Equal(got, data) {
			t.Errorf("%d bytes sent", n)
		}
		want(t, th.TransmitFile(client, f.Fd(), 0, 0, nil, nil, spi.TF_REUSE_SOCKET), spi.WSAEINVAL)
		want(t, th.TransmitFile(tcp(t, th), f.Fd(), 0, 0, nil, nil, 0), spi.WSAENOTCONN)
		want(t, th.TransmitFile(client, 999_999, 0, 0, nil, nil, 0), spi.WSAEBADF)
	})
}

func TestTransmitFileIsAborted(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		f, _ := testFile(t, 3<<20)
		for _, end := range []string{"close", "cancel", "reset"} {
			client, server := pair(t, th)
			ov := newOverlapped(t, th)
			want(t, th.TransmitFile(client, f.Fd(), 0, 0, ov, nil, 0), spi.WSA_IO_PENDING)
			recv(t, th, server)
			expect := spi.WSA_OPERATION_ABORTED
			switch end {
			case "close":
				ok(t, th.CloseSocket(client))
			case "cancel":
				ok(t, th.CancelIoEx(client, ov))
			case "reset":
				setLinger(t, th, server, 1, 0)
				ok(t, th.CloseSocket(server))
				expect = spi.WSAECONNRESET
			}
			awaitEvent(t, th, ov.HEvent)
			if got := spi.Errno(ov.OffsetHigh); got != expect {
				t.Errorf("%s: %v", end, got)
			}
		}
	})
}

func TestTransmitPackets(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		f, data := testFile(t, 5000)
		elements := []spi.TransmitPacketsElement{
			spi.MemoryElement([]byte("one"), 0),
			spi.FileElement(f.Fd(), 100, 50, spi.TP_ELEMENT_EOP),
			spi.MemoryElement([]byte("two"), spi.TP_ELEMENT_EOP),
			spi.FileElement(f.Fd(), 4000, 0, 0),
		}
		first := append([]byte("one"), data[100:150]...)
		last := data[4000:]
		client, server := pair(t, th)
		for _, ov := range []*spi.Overlapped{nil, newOverlapped(t, th)} {
			err := th.TransmitPackets(client, elements, 0, ov, 0)
			if ov != nil {
				n, err := settled(t, th, client, ov, err)
				ok(t, err)
				if int(n) != len(first)+3+len(last) {
					t.Errorf("%d bytes", n)
				}
			} else {
				ok(t, err)
			}
			whole := bytes.Join([][]byte{first, []byte("two"), last}, nil)
			got := make([]byte, len(whole))
			n, err := th.Recv(server, got, spi.MSG_WAITALL)
			ok(t, err)
			if !bytes.Equal(got[:n], whole) {
				t.Errorf("%d bytes arrived", n)
			}
		}
		a, b := udp(t, th, "127.0.0.1:0"), udp(t, th, "127.0.0.1:0")
		ok(t, th.Connect(a, sockName(t, th, b)))
		for _, ov := range []*spi.Overlapped{nil, newOverlapped(t, th)} {
			err := th.TransmitPackets(a, elements, 0, ov, 0)
			if ov != nil {
				_, err = settled(t, th, a, ov, err)
			}
			ok(t, err)
			for _, datagram := range [][]byte{first, []byte("two"), last} {
				if got := recv(t, th, b); got != string(datagram) {
					t.Errorf("%d bytes, want %d", len(got), len(datagram))
				}
			}
		}
		want(t, th.TransmitPackets(udp(t, th, ""), elements, 0, nil, 0), spi.WSAENOTCONN)
		want(t, th.TransmitPackets(client, []spi.TransmitPacketsElement{{ElFlags: 64}}, 0, nil, 0), spi.WSAEINVAL)
	})
}

func TestMessages(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		a, b := udp(t, th, "127.0.0.1:0"), udp(t, th, "127.0.0.1:0")
		to := sockName(t, th, b)
		parts := []spi.Buf{spi.NewBuf([]byte("he")), spi.NewBuf([]byte("llo"))}
		out := spi.Msg{Name: &to[0], NameLen: int32(len(to)), Buffers: &parts[0], BufferCount: 2}
		for _, overlapped := range []bool{false, true} {
			for _, room := range []int{10, 3} {
				buf, from, control := make([]byte, room), make([]byte, 28), make([]byte, 64)
				in := []spi.Buf{spi.NewBuf(buf)}
				msg := spi.Msg{Name: &from[0], NameLen: 28, Buffers: &in[0], BufferCount: 1, Control: spi.NewBuf(control)}
				var ov *spi.Overlapped
				var n uint32
				if overlapped {
					ov = newOverlapped(t, th)
					want(t, th.WSARecvMsg(b, &msg, nil, ov, nil), spi.WSA_IO_PENDING)
				}
				var sent uint32
				ok(t, th.WSASendMsg(a, &out, 0, &sent, nil, nil))
				if sent != 5 {
					t.Errorf("sent %d", sent)
				}
				var err error
				if overlapped {
					n, err = settled(t, th, b, ov, nil)
				} else {
					err = th.WSARecvMsg(b, &msg, &n, nil, nil)
				}
				flags := uint32(0)
				if room < 5 {
					want(t, err, spi.WSAEMSGSIZE)
					flags = spi.MSG_TRUNC
				} else {
					ok(t, err)
				}
				if int(n) != min(5, room) || string(buf[:n]) != "hello"[:n] || msg.Flags != flags || msg.Control.Len != 0 ||
					!bytes.Equal(from[:msg.NameLen], sockName(t, th, a)) {
					t.Errorf("overlapped %v: %d bytes, flags %#x, control %d, from %v", overlapped, n, msg.Flags, msg.Control.Len, from[:msg.NameLen])
				}
			}
		}
		header := make([]byte, 24)
		binary.NativeEndian.PutUint64(header, 20)
		out.Control = spi.NewBuf(header)
		want(t, th.WSASendMsg(a, &out, 0, new(uint32), nil, nil), spi.WSAEOPNOTSUPP)
		binary.NativeEndian.PutUint64(header, 99)
		want(t, th.WSASendMsg(a, &out, 0, new(uint32), nil, nil), spi.WSAEINVAL)
		client, _ := pair(t, th)
		want(t, th.WSASendMsg(client, &out, 0, new(uint32), nil, nil), spi.WSAEOPNOTSUPP)
		want(t, th.WSARecvMsg(client, &out, new(uint32), nil, nil), spi.WSAEOPNOTSUPP)
	})
}

// What AcceptEx has accepted has the listening socket's options, mode and
// selection from SO_UPDATE_ACCEPT_CONTEXT on.
func TestUpdateAcceptContext(t *testing.T) {
	each(t, func(t *testing.T, th *ws2.Thread) {
		l, name := listen(t, th)
		ok(t, th.SetSockOpt(l, spi.SOL_SOCKET, spi.SO_RCVTIMEO, []byte{7, 0, 0, 0}))
		a, err := startAccept(t, th, l, 0)
		want(t, err, spi.WSA_IO_PENDING)
		handle := make([]byte, 8)
		binary.NativeEndian.PutUint64(handle, uint64(l))
		want(t, th.SetSockOpt(a.socket, spi.SOL_SOCKET, spi.SO_UPDATE_ACCEPT_CONTEXT, handle), spi.WSAENOTCONN)
		client := tcp(t, th)
		ok(t, th.Connect(client, name))
		awaitEvent(t, th, a.HEvent)
		if got := option(t, th, a.socket, spi.SO_RCVTIMEO); got != 0 {
			t.Errorf("SO_RCVTIMEO %d before", got)
		}
		updateAccept(t, th, a.socket, l)
		if got := option(t, th, a.socket, spi.SO_RCVTIMEO); got != 7 {
			t.Errorf("SO_RCVTIMEO %d after", got)
		}
		ev, err := th.WSACreateEvent()
		ok(t, err)
		ok(t, th.WSAEventSelect(l, ev, spi.FD_ACCEPT|spi.FD_READ))
		updateAccept(t, th, a.socket, l)
		send(t, th, client, "x")
		awaitEvent(t, th, ev)
		var events spi.NetworkEvents
		ok(t, th.WSAEnumNetworkEvents(a.socket, ev, &events))
		if events.NetworkEvents != spi.FD_READ {
			t.Errorf("events %#x", events.NetworkEvents)
		}
		want(t, th.SetSockOpt(a.socket, spi.SOL_SOCKET, spi.SO_UPDATE_ACCEPT_CONTEXT, handle[:4]), spi.WSAEFAULT)
		binary.NativeEndian.PutUint64(handle, uint64(client))
		want(t, th.SetSockOpt(a.socket, spi.SOL_SOCKET, spi.SO_UPDATE_ACCEPT_CONTEXT, handle), spi.WSAEINVAL)
		want(t, th.SetSockOpt(tcp(t, th), spi.SOL_SOCKET, spi.SO_UPDATE_CONNECT_CTX, nil), spi.WSAENOTCONN)
	})
}
