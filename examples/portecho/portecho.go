// Package portecho is an echo server over a completion port: one thread serves
// every connection, over any chain of providers.
package portecho

import (
	"errors"
	"fmt"
	"unsafe"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// connection is one client. A packet leads back to it by its OVERLAPPED, which
// is its first field.
type connection struct {
	ov      spi.Overlapped
	s       spi.Socket
	sending bool
	buf     [4096]byte
	bufs    [1]spi.Buf
	flags   uint32
}

// Server serves the connections that are given to it by Add.
type Server struct {
	dll  *ws2.DLL
	port ws2.Port
}

// New makes a server with a port of its own. One thread is to call Run.
func New(dll *ws2.DLL) (*Server, error) {
	port, err := dll.CreateIoCompletionPort(1)
	if err != nil {
		return nil, fmt.Errorf("making a completion port: %w", err)
	}
	return &Server{dll: dll, port: port}, nil
}

// Add gives a connected socket to the server, from any thread.
func (e *Server) Add(t *ws2.Thread, s spi.Socket) error {
	if err := e.dll.AssociateCompletionPort(s, e.port, 0); err != nil {
		return fmt.Errorf("associating a socket with the port: %w", err)
	}
	return e.receive(t, &connection{s: s})
}

// Close ends Run, whose connections stay open until WSACleanup.
func (e *Server) Close() error { return e.dll.CloseCompletionPort(e.port) }

// Run serves until Close. It takes up to 64 packets at a time.
func (e *Server) Run(t *ws2.Thread) error {
	packets := make([]ws2.Packet, 64)
	for {
		n, err := t.GetQueuedCompletionStatusEx(e.port, packets, spi.WSA_INFINITE, false)
		if errors.Is(err, spi.ERROR_ABANDONED_WAIT_0) || errors.Is(err, spi.WSA_INVALID_HANDLE) {
			return nil // closed
		}
		if err != nil {
			return fmt.Errorf("waiting for a packet: %w", err)
		}
		for _, p := range packets[:n] {
			e.completed(t, (*connection)(unsafe.Pointer(p.Overlapped)), p)
		}
	}
}

func (e *Server) completed(t *ws2.Thread, c *connection, p ws2.Packet) {
	var err error
	switch {
	case p.Status != 0, p.Transferred == 0:
		err = t.CloseSocket(c.s)
	case c.sending:
		err = e.receive(t, c)
	default:
		err = e.send(t, c, int(p.Transferred))
	}
	if err != nil {
		t.CloseSocket(c.s)
	}
}

func (e *Server) receive(t *ws2.Thread, c *connection) error {
	c.ov, c.sending, c.flags = spi.Overlapped{}, false, 0
	c.bufs[0] = spi.NewBuf(c.buf[:])
	return started(t.WSARecv(c.s, c.bufs[:], nil, &c.flags, &c.ov, nil))
}

// send completes when all of the data is taken.
func (e *Server) send(t *ws2.Thread, c *connection, n int) error {
	c.ov, c.sending = spi.Overlapped{}, true
	c.bufs[0] = spi.NewBuf(c.buf[:n])
	return started(t.WSASend(c.s, c.bufs[:], nil, 0, &c.ov, nil))
}

// started is nil when a packet will come: after success, too.
func started(err error) error {
	if errors.Is(err, spi.WSA_IO_PENDING) {
		return nil
	}
	return err
}
