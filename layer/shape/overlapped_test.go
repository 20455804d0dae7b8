package shape

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"upcall.dev/layer/internal/layertest"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// done waits for an operation that has started and returns its bytes.
func done(t testing.TB, thread *ws2.Thread, s spi.Socket, ov *spi.Overlapped, err error) int {
	t.Helper()
	if err != nil && err != spi.WSA_IO_PENDING.Err() {
		t.Fatal(err)
	}
	i, err := thread.WSAWaitForMultipleEvents([]spi.Event{ov.HEvent}, true, 10_000, false)
	if err != nil || i != spi.WSA_WAIT_EVENT_0 {
		t.Fatalf("wait: %#x, %v", i, err)
	}
	var n, flags uint32
	if err := thread.WSAGetOverlappedResult(s, ov, &n, false, &flags); err != nil {
		t.Fatal(err)
	}
	return int(n)
}

func overlapped(t testing.TB, thread *ws2.Thread) *spi.Overlapped {
	t.Helper()
	ev, err := thread.WSACreateEvent()
	if err != nil {
		t.Fatal(err)
	}
	return &spi.Overlapped{HEvent: ev}
}

func TestOverlappedBySeveralWays(t *testing.T) {
	everywhere(t, func(t *testing.T, dll *ws2.DLL, thread *ws2.Thread) {
		client, server := layertest.Pair(t, thread)
		port, err := dll.CreateIoCompletionPort(0)
		if err != nil {
			t.Fatal(err)
		}
		if err := dll.AssociateCompletionPort(server, port, 7); err != nil {
			t.Fatal(err)
		}
		buf, ov := make([]byte, 100), overlapped(t, thread)
		var flags uint32
		receiving := thread.WSARecv(server, []spi.Buf{spi.NewBuf(buf)}, nil, &flags, ov, nil)
		sending := overlapped(t, thread)
		message := []byte("through the line")
		if n := done(t, thread, client, sending, thread.WSASend(client, []spi.Buf{spi.NewBuf(message)}, nil, 0, sending, nil)); n != len(message) {
			t.Errorf("%d bytes sent", n)
		}
		if n := done(t, thread, server, ov, receiving); !bytes.Equal(buf[:n], message) {
			t.Errorf("received %q", buf[:n])
		}
		if p, err := thread.GetQueuedCompletionStatus(port, 5000); err != nil || p.Overlapped != ov || int(p.Transferred) != len(message) || p.Key != 7 {
			t.Errorf("packet %+v, %v", p, err)
		}
		_ = thread.WSARecv(server, []spi.Buf{spi.NewBuf(buf)}, nil, &flags, ov, nil)
		if err := thread.CancelIoEx(server, ov); err != nil {
			t.Error(err)
		}
		if p, err := thread.GetQueuedCompletionStatus(port, 5000); p.Overlapped != ov || p.Status != spi.WSA_OPERATION_ABORTED {
			t.Errorf("packet %+v, %v", p, err)
		}
		if err := dll.CloseCompletionPort(port); err != nil {
			t.Error(err)
		}
	})
}

// TestExtensionFunctions accepts, connects and disconnects the same two sockets
// again and again, and sends a file between.
func TestExtensionFunctions(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 10_000)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	const room = spi.SizeofSockaddrIn + 16
	everywhere(t, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread) {
		l, address := layertest.Listen(t, thread)
		server := layertest.Socket(t, thread, spi.SOCK_STREAM)
		client := layertest.Socket(t, thread, spi.SOCK_STREAM)
		if err := thread.Bind(client, layertest.Loopback()); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			accepting, connecting, sending := overlapped(t, thread), overlapped(t, thread), overlapped(t, thread)
			out := make([]byte, 100+2*room)
			accept := thread.AcceptEx(l, server, out, 100, room, room, nil, accepting)
			connect := thread.ConnectEx(client, address, []byte("first"), nil, connecting)
			if n := done(t, thread, client, connecting, connect); n != 5 {
				t.Errorf("%d bytes sent", n)
			}
			if n := done(t, thread, l, accepting, accept); string(out[:n]) != "first" {
				t.Errorf("received %q", out[:n])
			}
			handle := make([]byte, 8)
			binary.NativeEndian.PutUint64(handle, uint64(l))
			if err := thread.SetSockOpt(server, spi.SOL_SOCKET, spi.SO_UPDATE_ACCEPT_CONTEXT, handle); err != nil {
				t.Error(err)
			}
			_, remote, err := thread.GetAcceptExSockaddrs(l, out, 100, room, room)
			if err != nil || !bytes.Equal(remote, layertest.Name(t, thread, client)) {
				t.Errorf("accepted from %v, %v", remote, err)
			}
			transmit := thread.TransmitFile(client, file.Fd(), 0, 0, sending, nil, spi.TF_DISCONNECT|spi.TF_REUSE_SOCKET)
			got, err := readAll(thread, server, make([]byte, 30_000))
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d of %d bytes arrived, %v", len(got), len(content), err)
			}
			if n := done(t, thread, client, sending, transmit); n != len(content) {
				t.Errorf("%d bytes transmitted", n)
			}
			if err := thread.DisconnectEx(server, nil, spi.TF_REUSE_SOCKET); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestIdleConnectionsAreCheap opens many connections: they have no goroutines of
// their own, and no buffers.
func TestIdleConnectionsAreCheap(t *testing.T) {
	_, thread := layertest.Start(t, "memory", shape(spi.Options{"delay": "1ms"}))
	layertest.Pair(t, thread)
	const connections = 500
	var before, after runtime.MemStats
	goroutines := runtime.NumGoroutine()
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range connections {
		client, server := layertest.Pair(t, thread)
		if _, err := thread.Send(client, []byte("hello"), 0); err != nil {
			t.Fatal(err)
		}
		if n, err := thread.Recv(server, make([]byte, 10), 0); err != nil || n != 5 {
			t.Fatal(n, err)
		}
	}
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	size := int(after.HeapAlloc-before.HeapAlloc) / connections
	more := runtime.NumGoroutine() - goroutines
	t.Logf("%d bytes for a connection with both its ends, %d goroutines for %d connections", size, more, connections)
	if size > 12<<10 || more > 2*runtime.GOMAXPROCS(0)+4 {
		t.Error("that is too much")
	}
}

// TestTransfersAllocateNothing echoes through the layer.
func TestTransfersAllocateNothing(t *testing.T) {
	_, thread := layertest.Start(t, "memory", shape(spi.Options{"rate": "1G"}))
	client, server := layertest.Pair(t, thread)
	buf := make([]byte, 1000)
	echo := func() {
		if _, err := thread.Send(client, buf, 0); err != nil {
			t.Fatal(err)
		}
		for got := 0; got < len(buf); {
			n, err := thread.Recv(server, buf[got:], 0)
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
	}
	if n := testing.AllocsPerRun(300, echo); n > 2 && !raceEnabled {
		t.Errorf("%v allocations", n)
	}
}
