package nonifs_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

func datagrams(t testing.TB, th *ws2.Thread) (sockets [2]spi.Socket, names [2][]byte) {
	t.Helper()
	for i := range sockets {
		var err error
		sockets[i], err = th.Socket(spi.AF_INET, spi.SOCK_DGRAM, spi.IPPROTO_UDP)
		ok(t, err)
		ok(t, th.Bind(sockets[i], loopback))
		length := int32(16)
		names[i] = make([]byte, 16)
		ok(t, th.GetSockName(sockets[i], names[i], &length))
	}
	return sockets, names
}

func TestBehaviour113_DatagramsThroughLayers(t *testing.T) {
	ways(t, func(t *testing.T, w *way) {
		sockets, names := datagrams(t, w.th)
		w.join(sockets[:]...)
		for _, text := range []string{"word", "more than there is room for"} {
			buf, from, length := make([]byte, 10), make([]byte, 16), int32(16)
			ov, routine := w.overlapped()
			var n, flags uint32
			is(t, w.th.WSARecvFrom(sockets[1], []spi.Buf{spi.NewBuf(buf)}, &n, &flags, from, &length, ov, routine), spi.WSA_IO_PENDING)
			if _, err := w.th.SendTo(sockets[0], []byte(text), 0, names[1]); err != nil {
				t.Fatal(err)
			}
			n, err := w.ended(sockets[1], ov)
			want := spi.Errno(0)
			if len(text) > len(buf) {
				want = spi.WSAEMSGSIZE
			}
			if codeOf(err) != want || string(buf[:min(len(text), len(buf))]) != text[:min(len(text), len(buf))] || err == nil && int(n) != len(text) {
				t.Errorf("%d bytes, %q, %v", n, buf, err)
			}
			if length != 16 || !bytes.Equal(from[:8], names[0][:8]) {
				t.Errorf("from %s", spi.AddressString(from))
			}
		}
		ov, routine := w.overlapped()
		var n uint32
		if err := w.th.WSASendTo(sockets[0], []spi.Buf{spi.NewBuf([]byte("out"))}, &n, 0, names[1], ov, routine); err != nil {
			is(t, err, spi.WSA_IO_PENDING)
		}
		n, err := w.ended(sockets[0], ov)
		if err != nil || n != 3 {
			t.Errorf("sent %d, %v", n, err)
		}
	})
}

func TestOverlappedIoctlThroughLayers(t *testing.T) {
	ways(t, func(t *testing.T, w *way) {
		client, server := pair(t, w.th)
		w.join(server)
		send(t, w.th, client, "four")
		if n, err := w.th.WSAPoll([]spi.PollFD{{FD: server, Events: spi.POLLIN}}, 5000); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		ov, routine := w.overlapped()
		out, n := make([]byte, 4), uint32(0)
		if err := w.th.WSAIoctl(server, spi.FIONREAD, nil, out, &n, ov, routine); err != nil {
			is(t, err, spi.WSA_IO_PENDING)
		}
		n, err := w.ended(server, ov)
		if err != nil || n != 4 || out[0] != 4 {
			t.Errorf("%d bytes, %v, %v", n, out, err)
		}
	})
}

// Behaviour 30: whoever sees that the operation is over sees how much it moved.
func TestBehaviour030_ReaderOfInternalThroughLayers(t *testing.T) {
	ways(t, func(t *testing.T, w *way) {
		client, server := pair(t, w.th)
		w.join(server)
		for range 20 {
			ov, err := w.receive(server, make([]byte, 10))
			is(t, err, spi.WSA_IO_PENDING)
			var group sync.WaitGroup
			group.Go(func() {
				until(t, "the end", func() bool { return !ov.InProgress() })
				if ov.InternalHigh != 5 || ov.OffsetHigh != 0 {
					t.Errorf("%d bytes", ov.InternalHigh)
				}
			})
			send(t, w.th, client, "there")
			_, err = w.ended(server, ov)
			ok(t, err)
			group.Wait()
		}
	})
}

func TestBehaviour037_OrderOfCompletionThroughLayers(t *testing.T) {
	chains(t, func(t *testing.T, d *ws2.DLL, th *ws2.Thread) {
		port, err := d.CreateIoCompletionPort(1)
		ok(t, err)
		defer func() { ok(t, d.CloseCompletionPort(port)) }()
		var servers, clients [3]spi.Socket
		var ovs [3]spi.Overlapped
		for i := range servers {
			clients[i], servers[i] = pair(t, th)
			ok(t, d.AssociateCompletionPort(servers[i], port, uintptr(i)))
			var n, flags uint32
			is(t, th.WSARecv(servers[i], []spi.Buf{spi.NewBuf(make([]byte, 5))}, &n, &flags, &ovs[i], nil), spi.WSA_IO_PENDING)
		}
		for _, i := range []int{1, 2, 0} {
			send(t, th, clients[i], "now")
			packet, err := th.GetQueuedCompletionStatus(port, 10000)
			if err != nil || packet.Overlapped != &ovs[i] || packet.Key != uintptr(i) {
				t.Errorf("packet %+v, %v, want that of %d", packet, err, i)
			}
		}
	})
}

// A client may wait for the result of an operation while another thread takes
// its packet: both learn of it, and there is one packet.
func TestLayerWaiterAndWorker(t *testing.T) {
	chains(t, func(t *testing.T, d *ws2.DLL, th *ws2.Thread) {
		port, err := d.CreateIoCompletionPort(2)
		ok(t, err)
		defer func() { ok(t, d.CloseCompletionPort(port)) }()
		client, server := pair(t, th)
		ok(t, d.AssociateCompletionPort(server, port, 1))
		for i := range 50 {
			ov := &spi.Overlapped{}
			var n, flags uint32
			is(t, th.WSARecv(server, []spi.Buf{spi.NewBuf(make([]byte, 5))}, &n, &flags, ov, nil), spi.WSA_IO_PENDING)
			var group sync.WaitGroup
			for range 2 {
				group.Go(func() {
					var n, flags uint32
					err := d.Unbound().WSAGetOverlappedResult(server, ov, &n, true, &flags)
					if err != nil || n != 2 {
						t.Errorf("%d bytes, %v", n, err)
					}
				})
			}
			if i%2 == 0 {
				send(t, th, client, "ab")
			} else {
				group.Go(func() {
					if _, err := d.Unbound().Send(client, []byte("ab"), 0); err != nil {
						t.Error(err)
					}
				})
			}
			packet, err := th.GetQueuedCompletionStatus(port, 10000)
			if err != nil || packet.Overlapped != ov || packet.Transferred != 2 {
				t.Errorf("packet %+v, %v", packet, err)
			}
			group.Wait()
			if packet, err := th.GetQueuedCompletionStatus(port, 0); packet.Overlapped != nil || !errors.Is(err, spi.WAIT_TIMEOUT) {
				t.Errorf("one packet too many: %+v, %v", packet, err)
			}
		}
	})
}

// The end of a thread and CancelIo end what that thread has started, through
// layers too.
func TestLayerCancelsByThread(t *testing.T) {
	chains(t, func(t *testing.T, d *ws2.DLL, th *ws2.Thread) {
		_, server := pair(t, th)
		start := func(th *ws2.Thread) *spi.Overlapped {
			ov := &spi.Overlapped{HEvent: newEvent(t, th)}
			var n, flags uint32
			is(t, th.WSARecv(server, []spi.Buf{spi.NewBuf(make([]byte, 5))}, &n, &flags, ov, nil), spi.WSA_IO_PENDING)
			return ov
		}
		mine := start(th)
		var other *spi.Overlapped
		var group sync.WaitGroup
		group.Go(func() {
			th := d.BindThread()
			defer th.Unbind()
			other = start(th)
			third := start(th)
			if err := th.CancelIo(server); err != nil {
				t.Error(err)
			}
			await(t, th, third.HEvent)
			await(t, th, other.HEvent)
			other = start(th)
		})
		group.Wait()
		await(t, th, other.HEvent)
		if spi.Errno(other.OffsetHigh) != spi.WSA_OPERATION_ABORTED {
			t.Errorf("%+v", other)
		}
		if !mine.InProgress() {
			t.Error("another thread's operation has ended")
		}
		ok(t, th.CloseSocket(server))
		await(t, th, mine.HEvent)
	})
}
