package wsnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"upcall.dev/internal/pieces"
	"upcall.dev/spi"
)

// Conn is a connection over tcp or unix. Its methods may be called from
// several goroutines at once; Close ends those that wait.
type Conn struct {
	endpoint
	in  receiver
	out sender
}

func newConn(s *socket, p *protocol, local, remote net.Addr) *Conn {
	c := &Conn{endpoint: endpoint{socket: s, network: p.network, local: local, remote: remote}}
	c.in.init(s)
	c.out.init(s)
	return c
}

// Read receives up to len(b) bytes. io.EOF, bare, is the end of the stream.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.in.receive(b)
	return c.received(n, err, len(b))
}

// received is what Read returns for a receive of n bytes into room.
func (c *Conn) received(n int, err error, room int) (int, error) {
	switch {
	case err != nil && isCode(err, spi.WSAESHUTDOWN): // after CloseRead
		return 0, io.EOF
	case err != nil:
		return 0, c.opError("read", callError("recv", err))
	case n == 0 && room > 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write sends all of b, or fails with the number of bytes that were sent.
func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.out.send(b)
	if err != nil {
		err = c.opError("write", callError("send", err))
	}
	return n, err
}

// WriteTo writes to w what it receives, until the end of the stream or an error of
// either. It has a buffer only while there is something in it, so that an idle
// connection holds no memory for one.
func (c *Conn) WriteTo(w io.Writer) (written int64, err error) {
	for {
		lent, n, err := c.in.lend()
		end := err == nil && n == 0 || err != nil && isCode(err, spi.WSAESHUTDOWN) // the latter after CloseRead
		switch {
		case end:
			err = nil
		case err != nil:
			err = c.opError("read", callError("recv", err))
		default:
			var k int
			k, err = w.Write(lent.Bytes()[:n])
			written += int64(k)
		}
		c.in.giveBack(lent, n)
		if end || err != nil {
			return written, err
		}
	}
}

// CloseRead ends reception: WSPShutdown with SD_RECEIVE. Data that has not
// been read resets the connection.
func (c *Conn) CloseRead() error { return c.shutdown(spi.SD_RECEIVE) }

// CloseWrite ends sending: the peer reads the end of the stream. WSPShutdown
// with SD_SEND.
func (c *Conn) CloseWrite() error { return c.shutdown(spi.SD_SEND) }

func (c *Conn) shutdown(how int32) error {
	err := c.socket.use(func() error {
		err := c.socket.stack.thread.Shutdown(c.socket.handle, how)
		c.socket.waiter.retry()
		return err
	})
	return c.opError("close", callError("shutdown", err))
}

// receiver is the reading half of a connection.
type receiver struct {
	socket  *socket
	try     attempt // r.once, bound once
	tryLend attempt // r.lendOnce

	mu       sync.Mutex // serialises reads; held while one waits; guards what follows
	bufs     [1]spi.Buf
	received uint32
	flags    uint32
	err      error
	size     pieces.Size // of what is lent
	lent     *pieces.Piece
	emptied  bool // what was lent last had room for more
}

// maxChunk is the most that one provider call is given, in bytes.
const maxChunk = 1 << 30

func (r *receiver) init(s *socket) {
	r.socket = s
	r.try, r.tryLend = r.once, r.lendOnce
}

// lend receives into a buffer that is nobody's, once there is something. The
// caller gives it back.
func (r *receiver) lend() (*pieces.Piece, int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.received, r.err, r.lent = 0, nil, nil
	read := r.socket.waiter.read
	if r.emptied {
		read = r.socket.waiter.readNext
	}
	err := read(r.tryLend)
	lent := r.lent
	r.lent = nil
	r.emptied = lent != nil && err == nil && r.err == nil && r.received > 0 && int(r.received) < len(lent.Bytes())
	if err == nil {
		err = r.err
	}
	return lent, int(r.received), err
}

func (r *receiver) lendOnce(handle uintptr) bool {
	r.lent = r.size.Take()
	r.bufs[0] = spi.NewBuf(r.lent.Bytes())
	through := r.once(handle)
	r.bufs[0] = spi.Buf{}
	if !through {
		r.size.Give(r.lent, 0)
		r.lent = nil
	}
	return through
}

// giveBack takes back what lend has lent, if anything, with n bytes in it.
func (r *receiver) giveBack(lent *pieces.Piece, n int) {
	if lent != nil {
		r.mu.Lock()
		r.size.Give(lent, n)
		r.mu.Unlock()
	}
}

func (r *receiver) receive(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bufs[0] = spi.NewBuf(b[:min(len(b), maxChunk)])
	r.received, r.err, r.emptied = 0, nil, false
	err := r.socket.waiter.read(r.try)
	r.bufs[0] = spi.Buf{}
	if err == nil {
		err = r.err
	}
	return int(r.received), err
}

func (r *receiver) once(uintptr) bool {
	if r.bufs[0].Len == 0 {
		return true // not the end of the stream, and not a question to a provider
	}
	r.received, r.flags = 0, 0
	r.err = r.socket.stack.thread.WSARecv(r.socket.handle, r.bufs[:], &r.received, &r.flags, nil, nil)
	return !wouldBlock(r.err)
}

// sender is the writing half of a connection.
type sender struct {
	socket *socket
	try    attempt // s.once, bound once

	mu   sync.Mutex // serialises writes; held while one waits; guards what follows
	rest []byte
	bufs [1]spi.Buf
	sent uint32
	err  error
}

func (s *sender) init(sock *socket) {
	s.socket = sock
	s.try = s.once
}

func (s *sender) send(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rest, s.err = b, nil
	err := s.socket.waiter.write(s.try)
	n := len(b) - len(s.rest)
	s.rest, s.bufs[0] = nil, spi.Buf{}
	if err == nil {
		err = s.err
	}
	return n, err
}

func (s *sender) once(uintptr) bool {
	for len(s.rest) > 0 {
		s.bufs[0] = spi.NewBuf(s.rest[:min(len(s.rest), maxChunk)])
		s.sent = 0
		err := s.socket.stack.thread.WSASend(s.socket.handle, s.bufs[:], &s.sent, 0, nil, nil)
		switch {
		case wouldBlock(err):
			return false
		case err != nil:
			s.err = err
			return true
		case s.sent == 0 || int(s.sent) > len(s.rest):
			s.err = io.ErrShortWrite // a provider that does not keep to the contract
			return true
		}
		s.rest = s.rest[s.sent:]
	}
	return true
}

// endpoint is what connections and packet connections have in common.
type endpoint struct {
	socket        *socket
	network       string
	local, remote net.Addr
}

// Close closes the socket through the chain and ends every call that waits on
// it. It returns when no call is in a provider any more.
func (e *endpoint) Close() error { return e.opError("close", e.socket.close()) }

// LocalAddr returns a *net.TCPAddr, *net.UDPAddr or *net.UnixAddr.
func (e *endpoint) LocalAddr() net.Addr { return e.local }

// RemoteAddr returns the peer's address, nil without one.
func (e *endpoint) RemoteAddr() net.Addr { return e.remote }

// SetDeadline is SetReadDeadline and SetWriteDeadline.
func (e *endpoint) SetDeadline(t time.Time) error {
	return e.opError("set", e.socket.use(func() error {
		if err := e.socket.waiter.setReadDeadline(t); err != nil {
			return err
		}
		return e.socket.waiter.setWriteDeadline(t)
	}))
}

// SetReadDeadline sets when reading fails with os.ErrDeadlineExceeded, also a
// read that waits already. Zero means never.
func (e *endpoint) SetReadDeadline(t time.Time) error {
	return e.opError("set", e.socket.use(func() error { return e.socket.waiter.setReadDeadline(t) }))
}

// SetWriteDeadline is SetReadDeadline for writing. A write that fails may have
// sent a part.
func (e *endpoint) SetWriteDeadline(t time.Time) error {
	return e.opError("set", e.socket.use(func() error { return e.socket.waiter.setWriteDeadline(t) }))
}

// Control calls f with the socket, which stays open meanwhile, for calls that
// package net has no name for: they go through the thread of Stack.DLL().Unbound().
// f must not close it.
func (e *endpoint) Control(f func(s spi.Socket)) error {
	return e.opError("control", e.socket.control(f))
}

// SyscallConn gives access to the descriptor of an IFS handle; reading and
// writing it bypasses the chain. For a non-IFS handle it fails with
// WSAEOPNOTSUPP, because the system knows nothing of it.
func (e *endpoint) SyscallConn() (syscall.RawConn, error) {
	raw, err := e.socket.syscallConn()
	return raw, e.opError("raw-control", err)
}

func (e *endpoint) opError(op string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: e.network, Source: e.local, Addr: e.remote, Err: err}
}

// callError names the call that gave a provider's error, as package net does.
// The errors that the waiters make stay as they are.
func callError(call string, err error) error {
	switch err {
	case nil, net.ErrClosed, os.ErrDeadlineExceeded:
		return err
	}
	return os.NewSyscallError(call, err)
}
