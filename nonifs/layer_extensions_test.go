package nonifs_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unsafe"

	"upcall.dev/nonifs"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

func stream(t testing.TB, th *ws2.Thread) spi.Socket {
	t.Helper()
	s, err := th.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
	ok(t, err)
	return s
}

// room is what AcceptEx needs for an address.
const room = 128 + 16

// connectEx connects a new socket and returns it when it is connected.
func (w *way) connectEx(address, data []byte) spi.Socket {
	w.t.Helper()
	s := stream(w.t, w.th)
	ok(w.t, w.th.Bind(s, loopback))
	w.join(s)
	ov, _ := w.overlapped()
	var sent uint32
	if err := w.th.ConnectEx(s, address, data, &sent, ov); err != nil {
		is(w.t, err, spi.WSA_IO_PENDING)
	}
	n, err := w.ended(s, ov)
	ok(w.t, err)
	if int(n) != len(data) {
		w.t.Errorf("ConnectEx has sent %d bytes, want %d", n, len(data))
	}
	ok(w.t, w.th.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_UPDATE_CONNECT_CTX, nil))
	return s
}

// extended is ways without routines, which these functions do not take.
func extended(t *testing.T, test func(t *testing.T, w *way)) {
	ways(t, func(t *testing.T, w *way) {
		if !w.has("routine") {
			test(t, w)
		}
	})
}

func TestLayerAcceptsAndConnectsByExtension(t *testing.T) {
	extended(t, func(t *testing.T, w *way) {
		th := w.th
		l, name := listen(t, th)
		w.join(l)
		var sockets []spi.Socket
		for _, text := range []string{"", "first", "words"} {
			accepted := stream(t, th)
			out := make([]byte, len(text)+2*room)
			ov, _ := w.overlapped()
			var received uint32
			is(t, th.AcceptEx(l, accepted, out, uint32(len(text)), room, room, &received, ov), spi.WSA_IO_PENDING)

			other := *w // has its own event, for that of w is in use
			if w.ev != 0 {
				other.ev = newEvent(t, th)
			}
			client := stream(t, th)
			ok(t, th.Bind(client, loopback))
			connecting, _ := other.overlapped()
			var sent uint32
			if err := th.ConnectEx(client, name, []byte(text), &sent, connecting); err != nil {
				is(t, err, spi.WSA_IO_PENDING)
			}
			n, err := w.ended(l, ov)
			ok(t, err)
			if string(out[:n]) != text {
				t.Errorf("received %q, want %q", out[:n], text)
			}
			other.name, other.port = "result", 0
			if n, err = other.ended(client, connecting); err != nil || int(n) != len(text) {
				t.Errorf("connected: %d, %v", n, err)
			}
			ok(t, th.SetSockOpt(client, spi.SOL_SOCKET, spi.SO_UPDATE_CONNECT_CTX, nil))
			ok(t, th.SetSockOpt(accepted, spi.SOL_SOCKET, spi.SO_UPDATE_ACCEPT_CONTEXT, unsafe.Slice((*byte)(unsafe.Pointer(&l)), unsafe.Sizeof(l))))

			local, remote, err := th.GetAcceptExSockaddrs(l, out, uint32(len(text)), room, room)
			ok(t, err)
			mine, length := make([]byte, 128), int32(128)
			ok(t, th.GetSockName(client, mine, &length))
			if !bytes.Equal(local[:8], name[:8]) || !bytes.Equal(remote[:8], mine[:8]) {
				t.Errorf("addresses %s and %s, want %s and %s", spi.AddressString(local), spi.AddressString(remote), spi.AddressString(name), spi.AddressString(mine))
			}
			length = 128
			ok(t, th.GetPeerName(accepted, mine, &length))
			send(t, th, accepted, "back")
			if got := recv(t, th, client); got != "back" {
				t.Errorf("got %q", got)
			}
			sockets = append(sockets, client, accepted)
		}
		for _, s := range append(sockets, l) {
			ok(t, th.CloseSocket(s))
		}
	})
}

func TestLayerInheritsSelectionByAcceptContext(t *testing.T) {
	chains(t, func(t *testing.T, _ *ws2.DLL, th *ws2.Thread) {
		l, name := listen(t, th)
		wnd, err := th.CreateWindow()
		ok(t, err)
		accepted, out := stream(t, th), make([]byte, 2*room)
		ov := &spi.Overlapped{HEvent: newEvent(t, th)}
		var n uint32
		is(t, th.AcceptEx(l, accepted, out, 0, room, room, &n, ov), spi.WSA_IO_PENDING)
		client := stream(t, th)
		ok(t, th.Connect(client, name))
		await(t, th, ov.HEvent)
		ok(t, th.WSAAsyncSelect(l, wnd, 0x400, spi.FD_READ|spi.FD_ACCEPT))
		ok(t, th.SetSockOpt(accepted, spi.SOL_SOCKET, spi.SO_UPDATE_ACCEPT_CONTEXT, unsafe.Slice((*byte)(unsafe.Pointer(&l)), unsafe.Sizeof(l))))
		send(t, th, client, "x")
		m, err := th.GetMessage(wnd, 5000)
		ok(t, err)
		if m.WParam != uintptr(accepted) || m.LParam != spi.FD_READ {
			t.Errorf("message for %#x with %#x, want %#x with FD_READ", m.WParam, m.LParam, accepted)
		}
	})
}

func TestLayerAbortsAcceptEx(t *testing.T) {
	extended(t, func(t *testing.T, w *way) {
		l, _ := listen(t, w.th)
		w.join(l)
		var n uint32
		ov, _ := w.overlapped()
		is(t, w.th.AcceptEx(l, stream(t, w.th), make([]byte, 2*room), 0, room, room, &n, ov), spi.WSA_IO_PENDING)
		ok(t, w.th.CancelIoEx(l, ov))
		if _, err := w.ended(l, ov); codeOf(err) != spi.WSA_OPERATION_ABORTED {
			t.Errorf("%v, want WSA_OPERATION_ABORTED", err)
		}
		is(t, w.th.AcceptEx(l, 0x123456789, nil, 0, room, room, &n, ov), spi.WSAENOTSOCK)
	})
}

func TestLayerTransmits(t *testing.T) {
	text := bytes.Repeat([]byte("0123456789"), 30)
	path := filepath.Join(t.TempDir(), "file")
	ok(t, os.WriteFile(path, text, 0o600))
	file, err := os.Open(path)
	ok(t, err)
	defer func() { ok(t, file.Close()) }()
	extended(t, func(t *testing.T, w *way) {
		client, server := pair(t, w.th)
		w.join(client)
		all := func(n int) string {
			t.Helper()
			var got []byte
			for len(got) < n {
				got = append(got, recv(t, w.th, server)...)
			}
			return string(got)
		}
		head, tail := []byte("head"), []byte("tail")
		around := &spi.TransmitFileBuffers{Head: &head[0], HeadLength: 4, Tail: &tail[0], TailLength: 4}
		ov, _ := w.overlapped()
		ov.Offset = 290
		if err := w.th.TransmitFile(client, file.Fd(), 0, 0, ov, around, 0); err != nil {
			is(t, err, spi.WSA_IO_PENDING)
		}
		n, err := w.ended(client, ov)
		ok(t, err)
		if got := all(18); n != 18 || got != "head0123456789tail" {
			t.Errorf("%d bytes, %q", n, got)
		}
		_, err = file.Seek(2, 0)
		ok(t, err)
		ok(t, w.th.TransmitFile(client, file.Fd(), 5, 0, nil, nil, 0))
		if got := all(5); got != "23456" {
			t.Errorf("got %q", got)
		}

		elements := []spi.TransmitPacketsElement{spi.MemoryElement(head, 0), spi.FileElement(file.Fd(), 3, 4, 0), spi.MemoryElement(tail, 0)}
		ov, _ = w.overlapped()
		if err := w.th.TransmitPackets(client, elements, 0, ov, 0); err != nil {
			is(t, err, spi.WSA_IO_PENDING)
		}
		n, err = w.ended(client, ov)
		ok(t, err)
		if got := all(12); n != 12 || got != "head3456tail" {
			t.Errorf("%d bytes, %q", n, got)
		}
	})
}

func TestLayerDisconnectsAndConnectsAgain(t *testing.T) {
	extended(t, func(t *testing.T, w *way) {
		l, name := listen(t, w.th)
		client := w.connectEx(name, nil)
		for range 2 {
			server, err := w.th.Accept(l, nil, nil)
			ok(t, err)
			ov, _ := w.overlapped()
			if err := w.th.DisconnectEx(client, ov, spi.TF_REUSE_SOCKET); err != nil {
				is(t, err, spi.WSA_IO_PENDING)
			}
			if got := recv(t, w.th, server); got != "" {
				t.Errorf("got %q", got)
			}
			ok(t, w.th.CloseSocket(server))
			_, err = w.ended(client, ov)
			ok(t, err)
			ov, _ = w.overlapped()
			var sent uint32
			if err := w.th.ConnectEx(client, name, nil, &sent, ov); err != nil {
				is(t, err, spi.WSA_IO_PENDING)
			}
			_, err = w.ended(client, ov)
			ok(t, err)
		}
	})
}

func TestLayerPassesMessages(t *testing.T) {
	ways(t, func(t *testing.T, w *way) {
		var sockets [2]spi.Socket
		var names [2][]byte
		for i := range sockets {
			var err error
			sockets[i], err = w.th.Socket(spi.AF_INET, spi.SOCK_DGRAM, spi.IPPROTO_UDP)
			ok(t, err)
			ok(t, w.th.Bind(sockets[i], loopback))
			length := int32(16)
			names[i] = make([]byte, 16)
			ok(t, w.th.GetSockName(sockets[i], names[i], &length))
		}
		w.join(sockets[1])
		for range 3 {
			in, from := []spi.Buf{spi.NewBuf(make([]byte, 3)), spi.NewBuf(make([]byte, 30))}, make([]byte, 16)
			got := &spi.Msg{Name: &from[0], NameLen: 16, Buffers: &in[0], BufferCount: 2}
			ov, routine := w.overlapped()
			var n uint32
			is(t, w.th.WSARecvMsg(sockets[1], got, &n, ov, routine), spi.WSA_IO_PENDING)
			out := []spi.Buf{spi.NewBuf([]byte("hel")), spi.NewBuf([]byte("lo"))}
			ok(t, w.th.WSASendMsg(sockets[0], &spi.Msg{Name: &names[1][0], NameLen: 16, Buffers: &out[0], BufferCount: 2}, 0, &n, nil, nil))
			n, err := w.ended(sockets[1], ov)
			ok(t, err)
			if text := string(in[0].Bytes()) + string(in[1].Bytes()[:2]); n != 5 || text != "hello" || got.NameLen != 16 || !bytes.Equal(from[:8], names[0][:8]) {
				t.Errorf("%d bytes, %q, from %s", n, text, spi.AddressString(from))
			}
		}
	})
}

func TestLayerPolls(t *testing.T) {
	chains(t, func(t *testing.T, _ *ws2.DLL, th *ws2.Thread) {
		client, server := pair(t, th)
		fds := []spi.PollFD{{FD: client, Events: spi.POLLIN}, {FD: spi.InvalidSocket, Revents: 9}, {FD: server, Events: spi.POLLIN | spi.POLLOUT}}
		n, err := th.WSAPoll(fds, 0)
		if err != nil || n != 1 || fds[0].Revents != 0 || fds[1].Revents != 0 || fds[2].Revents != spi.POLLOUT {
			t.Errorf("%d, %v: %+v", n, err, fds)
		}
		send(t, th, server, "x")
		n, err = th.WSAPoll(fds[:1], 5000)
		if err != nil || n != 1 || fds[0].Revents != spi.POLLRDNORM {
			t.Errorf("%d, %v: %+v", n, err, fds[0])
		}
		other := append(fds[:1:1], spi.PollFD{FD: 0x777777777, Events: spi.POLLIN})
		recv(t, th, client)
		n, err = th.WSAPoll(other, -1)
		if err != nil || n != 1 || other[0].Revents != 0 || other[1].Revents != spi.POLLNVAL {
			t.Errorf("%d, %v: %+v", n, err, other)
		}
	})
}

func TestLayerDoesWithoutExtensions(t *testing.T) {
	chains(t, func(t *testing.T, _ *ws2.DLL, th *ws2.Thread) {
		client, _ := pair(t, th)
		ask := func(id spi.GUID, out []byte) (uint32, error) {
			var n uint32
			return n, th.WSAIoctl(client, spi.SIO_GET_EXTENSION_FUNCTION_POINTER, unsafe.Slice((*byte)(unsafe.Pointer(&id)), 16), out, &n, nil, nil)
		}
		_, err := ask(spi.NewGUID(), make([]byte, 8))
		is(t, err, spi.WSAEINVAL)
		_, err = ask(spi.WSAID_CONNECTEX, make([]byte, 7))
		is(t, err, spi.WSAEFAULT)
		_, err = ask(spi.WSAID_CONNECTEX, make([]byte, 8))
		ok(t, err)
		without.Store(&[]spi.GUID{spi.WSAID_CONNECTEX})
		defer without.Store(nil)
		d, again := startedOver(t, "memory", 1)
		_ = d
		s := stream(t, again)
		id, out, n := spi.WSAID_CONNECTEX, make([]byte, 8), uint32(0)
		is(t, again.WSAIoctl(s, spi.SIO_GET_EXTENSION_FUNCTION_POINTER, unsafe.Slice((*byte)(unsafe.Pointer(&id)), 16), out, &n, nil, nil), spi.WSAEOPNOTSUPP)
	})
}

func TestLayerShowsExtensions(t *testing.T) {
	overBoth(t, func(t *testing.T, th *ws2.Thread) {
		var shown []string
		l, name := listen(t, th)
		accepted, client := stream(t, th), stream(t, th)
		ok(t, th.Bind(client, loopback))
		done := make(chan string, 10)
		current.Lock()
		current.layer.Observe(func(x *nonifs.Transfer) {
			text := x.Call
			for _, b := range x.Bufs {
				text += " " + string(b.Bytes()[:x.N])
			}
			if x.Receive && x.Socket != accepted || !x.Receive && x.Socket != client || x.Errno != 0 {
				t.Errorf("%+v", x)
			}
			done <- text
		})
		current.Unlock()
		ov, connecting := &spi.Overlapped{HEvent: newEvent(t, th)}, &spi.Overlapped{HEvent: newEvent(t, th)}
		var n uint32
		is(t, th.AcceptEx(l, accepted, make([]byte, 5+2*room), 5, room, room, &n, ov), spi.WSA_IO_PENDING)
		if err := th.ConnectEx(client, name, []byte("hello"), &n, connecting); err != nil {
			is(t, err, spi.WSA_IO_PENDING)
		}
		await(t, th, ov.HEvent)
		await(t, th, connecting.HEvent)
		for range 2 {
			shown = append(shown, <-done)
		}
		slices.Sort(shown)
		if !slices.Equal(shown, []string{"AcceptEx hello", "ConnectEx hello"}) {
			t.Errorf("shown %q", shown)
		}
	})
}
