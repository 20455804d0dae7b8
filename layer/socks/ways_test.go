package socks_test

import (
	"errors"
	"testing"

	"upcall.dev/layer/internal/layertest"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// ways are how a client connects and learns of the end. Each returns the code
// that it is told.
var ways = []struct {
	name    string
	mixed   bool // waits for sockets of both halves together
	connect func(t *testing.T, dll *ws2.DLL, thread *ws2.Thread, s spi.Socket, name []byte) spi.Errno
}{
	{"blocking", false, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread, s spi.Socket, name []byte) spi.Errno {
		return code(thread.Connect(s, name))
	}},
	{"select", false, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread, s spi.Socket, name []byte) spi.Errno {
		begin(t, thread, s, name)
		w, x := spi.NewFDSet(s), spi.NewFDSet(s)
		n, err := thread.Select(nil, w, x, &spi.Timeval{Sec: 20})
		if err != nil || n != 1 {
			t.Fatalf("select found %d: %v", n, err)
		}
		failed := len(x.Sockets()) == 1
		e := soError(t, thread, s)
		if failed != (e != 0) || soError(t, thread, s) != 0 {
			t.Errorf("select says failed: %v, SO_ERROR %v", failed, e)
		}
		return e
	}},
	{"select among others", true, func(t *testing.T, dll *ws2.DLL, thread *ws2.Thread, s spi.Socket, name []byte) spi.Errno {
		idle := layertest.Socket(t, thread, spi.SOCK_STREAM)
		if err := thread.Bind(idle, layertest.Loopback()); err != nil {
			t.Fatal(err)
		}
		if err := thread.Listen(idle, 1); err != nil {
			t.Fatal(err)
		}
		datagram := layertest.Socket(t, thread, spi.SOCK_DGRAM)
		if err := thread.Bind(datagram, layertest.Loopback()); err != nil {
			t.Fatal(err)
		}
		begin(t, thread, s, name)
		r, w, x := spi.NewFDSet(idle, datagram), spi.NewFDSet(s), spi.NewFDSet(s)
		n, err := thread.Select(r, w, x, &spi.Timeval{Sec: 20})
		if err != nil || n != 1 || len(r.Sockets()) != 0 {
			t.Fatalf("select found %d: %v", n, err)
		}
		_ = thread.CloseSocket(idle)
		_ = thread.CloseSocket(datagram)
		return soError(t, thread, s)
	}},
	{"poll", true, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread, s spi.Socket, name []byte) spi.Errno {
		datagram := layertest.Socket(t, thread, spi.SOCK_DGRAM)
		defer thread.CloseSocket(datagram)
		begin(t, thread, s, name)
		fds := []spi.PollFD{{FD: s, Events: spi.POLLWRNORM}, {FD: spi.InvalidSocket}, {FD: datagram, Events: spi.POLLRDNORM}}
		n, err := thread.WSAPoll(fds, 20_000)
		if err != nil || n != 1 || fds[0].Revents&spi.POLLWRNORM == 0 {
			t.Fatalf("poll found %d: %+v %v", n, fds, err)
		}
		e := soError(t, thread, s)
		if failed := fds[0].Revents&spi.POLLERR != 0; failed != (e != 0) {
			t.Errorf("poll says failed: %v, SO_ERROR %v", failed, e)
		}
		return e
	}},
	{"events chosen before", false, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread, s spi.Socket, name []byte) spi.Errno {
		return byEvent(t, thread, s, name, true)
	}},
	{"events chosen after", false, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread, s spi.Socket, name []byte) spi.Errno {
		return byEvent(t, thread, s, name, false)
	}},
	{"ConnectEx", false, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread, s spi.Socket, name []byte) spi.Errno {
		return connectEx(t, thread, s, name, nil)
	}},
	{"ConnectEx with a port", false, func(t *testing.T, dll *ws2.DLL, thread *ws2.Thread, s spi.Socket, name []byte) spi.Errno {
		return connectEx(t, thread, s, name, dll)
	}},
}

func code(err error) spi.Errno {
	var e spi.Errno
	if err != nil && !errors.As(err, &e) {
		return spi.NoErrorCode
	}
	return e
}

// begin starts a nonblocking connect. Nothing may be seen of the connection with
// the proxy.
func begin(t *testing.T, thread *ws2.Thread, s spi.Socket, name []byte) {
	t.Helper()
	on := uint32(1)
	if err := thread.IoctlSocket(s, spi.FIONBIO, &on); err != nil {
		t.Fatal(err)
	}
	if err := thread.Connect(s, name); code(err) != spi.WSAEWOULDBLOCK {
		t.Fatalf("connect: %v", err)
	}
}

func soError(t *testing.T, thread *ws2.Thread, s spi.Socket) spi.Errno {
	t.Helper()
	var val [4]byte
	length := int32(4)
	if err := thread.GetSockOpt(s, spi.SOL_SOCKET, spi.SO_ERROR, val[:], &length); err != nil {
		t.Fatal(err)
	}
	return spi.Errno(uint32(val[0]) | uint32(val[1])<<8)
}

func byEvent(t *testing.T, thread *ws2.Thread, s spi.Socket, name []byte, before bool) spi.Errno {
	ev, err := thread.WSACreateEvent()
	if err != nil {
		t.Fatal(err)
	}
	defer thread.WSACloseEvent(ev)
	choose := func() {
		if err := thread.WSAEventSelect(s, ev, spi.FD_CONNECT|spi.FD_WRITE); err != nil {
			t.Fatal(err)
		}
	}
	if before {
		choose()
	}
	begin(t, thread, s, name)
	if !before {
		choose()
	}
	var all int32
	var e spi.Errno
	for all&spi.FD_CONNECT == 0 || e == 0 && all&spi.FD_WRITE == 0 {
		if which, err := thread.WSAWaitForMultipleEvents([]spi.Event{ev}, false, 20_000, false); err != nil || which != spi.WSA_WAIT_EVENT_0 {
			t.Fatalf("the event, after %#x: %d %v", all, which, err)
		}
		var out spi.NetworkEvents
		if err := thread.WSAEnumNetworkEvents(s, ev, &out); err != nil {
			t.Fatal(err)
		}
		all |= out.NetworkEvents
		if out.NetworkEvents&spi.FD_CONNECT != 0 {
			e = spi.Errno(out.ErrorCode[4])
		}
	}
	if e != 0 && all&spi.FD_WRITE != 0 {
		t.Errorf("events %#x with %v", all, e)
	}
	if err := thread.WSAEventSelect(s, 0, 0); err != nil {
		t.Error(err)
	}
	return e
}

func connectEx(t *testing.T, thread *ws2.Thread, s spi.Socket, name []byte, dll *ws2.DLL) spi.Errno {
	if err := thread.Bind(s, layertest.Loopback()); err != nil {
		t.Fatal(err)
	}
	ov := &spi.Overlapped{}
	if dll == nil {
		ev, err := thread.WSACreateEvent()
		if err != nil {
			t.Fatal(err)
		}
		defer thread.WSACloseEvent(ev)
		ov.HEvent = ev
		if err := thread.ConnectEx(s, name, nil, nil, ov); code(err) != spi.WSA_IO_PENDING {
			t.Fatal(err)
		}
	} else {
		port, err := dll.CreateIoCompletionPort(0)
		if err != nil {
			t.Fatal(err)
		}
		defer dll.CloseCompletionPort(port)
		if err := dll.AssociateCompletionPort(s, port, 7); err != nil {
			t.Fatal(err)
		}
		if err := thread.ConnectEx(s, name, nil, nil, ov); code(err) != spi.WSA_IO_PENDING {
			t.Fatal(err)
		}
		packet, err := thread.GetQueuedCompletionStatus(port, 20_000)
		if packet.Overlapped != ov || packet.Key != 7 {
			t.Fatalf("the packet is %+v: %v", packet, err)
		}
	}
	var n, flags uint32
	return code(thread.WSAGetOverlappedResult(s, ov, &n, true, &flags))
}
