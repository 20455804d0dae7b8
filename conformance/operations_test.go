//go:build linux

package conformance

import (
	"errors"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// operation is one overlapped receive or send.
type operation struct {
	spi.Overlapped
	s   spi.Socket
	buf []byte
}

func (c *client) event() spi.Event {
	c.Helper()
	ev, err := c.WSACreateEvent()
	c.ok(err)
	return ev
}

func (c *client) isSet(ev spi.Event) bool {
	c.Helper()
	i, err := c.WSAWaitForMultipleEvents([]spi.Event{ev}, false, 0, false)
	c.ok(err)
	return i == spi.WSA_WAIT_EVENT_0
}

// await waits until the event is set.
func (c *client) await(ev spi.Event) {
	c.Helper()
	i, err := c.WSAWaitForMultipleEvents([]spi.Event{ev}, false, patienceMS, false)
	c.ok(err)
	if i != spi.WSA_WAIT_EVENT_0 {
		c.Fatalf("the wait for the event gives %#x", i)
	}
}

// startReceive begins a receive of size bytes.
func (c *client) startReceive(s spi.Socket, size int, ev spi.Event, routine spi.CompletionRoutine) (*operation, error) {
	op := &operation{s: s, buf: make([]byte, size)}
	op.HEvent = ev
	var flags uint32
	err := c.WSARecv(s, []spi.Buf{spi.NewBuf(op.buf)}, nil, &flags, &op.Overlapped, routine)
	return op, err
}

// pending begins a receive for which nothing is there yet.
func (c *client) pending(s spi.Socket, size int, ev spi.Event) *operation {
	c.Helper()
	op, err := c.startReceive(s, size, ev, nil)
	if !errors.Is(err, spi.WSA_IO_PENDING) {
		c.Fatalf("the receive gives %v, want %v", err, spi.WSA_IO_PENDING)
	}
	return op
}

// result is WSAGetOverlappedResult.
func (c *client) result(op *operation, wait bool) (n uint32, err error) {
	var flags uint32
	err = c.WSAGetOverlappedResult(op.s, &op.Overlapped, &n, wait, &flags)
	return n, err
}

// completed fails the test unless the operation has ended well with text.
func (c *client) completed(op *operation, text string) {
	c.Helper()
	switch {
	case op.InProgress():
		c.Error("the operation is in progress")
	case op.Internal != 0 || op.InternalHigh != uint64(len(text)) || string(op.buf[:len(text)]) != text:
		c.Errorf("the operation ended with %#x, %d bytes, %q; want %q", op.Internal, op.InternalHigh, op.buf[:min(uint64(len(op.buf)), op.InternalHigh)], text)
	}
}

// aborted fails the test unless the operation has been cancelled.
func (c *client) aborted(op *operation) {
	c.Helper()
	if op.InProgress() || op.Internal == 0 || spi.Errno(op.OffsetHigh) != spi.WSA_OPERATION_ABORTED {
		c.Errorf("the operation is not aborted: %+v", op.Overlapped)
	}
}

// port makes a completion port and ties sockets to it, each with its handle as
// the key.
func (c *client) port(sockets ...spi.Socket) ws2.Port {
	c.Helper()
	p, err := c.DLL().CreateIoCompletionPort(0)
	c.ok(err)
	c.Cleanup(func() { _ = c.DLL().CloseCompletionPort(p) })
	for _, s := range sockets {
		c.ok(c.DLL().AssociateCompletionPort(s, p, uintptr(s)))
	}
	return p
}

// packet takes the next packet of a port and fails the test unless it is that
// of op, with its socket's key and this outcome.
func (c *client) packet(p ws2.Port, op *operation, status spi.Errno, transferred uint32) {
	c.Helper()
	got, err := c.GetQueuedCompletionStatus(p, patienceMS)
	want := ws2.Packet{Transferred: transferred, Status: status, Key: uintptr(op.s), Overlapped: &op.Overlapped}
	if got != want {
		c.Fatalf("packet %+v, %v; want %+v", got, err, want)
	}
	if status == 0 {
		c.ok(err)
	} else {
		c.want(err, status)
	}
}

// noPacket fails the test if the port has a packet.
func (c *client) noPacket(p ws2.Port) {
	c.Helper()
	got, err := c.GetQueuedCompletionStatus(p, 0)
	if got.Overlapped != nil || !errors.Is(err, spi.WAIT_TIMEOUT) {
		c.Errorf("packet %+v, %v; want none", got, err)
	}
}
