package soak

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"testing"
	"unsafe"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// at is how many connections there are at a time, and waiting how many
// operations wait to accept one.
const (
	at      = 200
	waiting = 32
	message = 64
	// room for one address in what AcceptEx stores.
	addressRoom = spi.SizeofSockaddrIn + 16
)

// operation is one overlapped operation: what its packet leads back to.
type operation struct {
	ov   spi.Overlapped // first, so that a pointer to it is one to the operation
	end  *end
	kind kind
	buf  [message + 2*addressRoom]byte
	bufs [1]spi.Buf
}

type kind uint8

const (
	accepts kind = iota
	connects
	receives
	sends
)

// end is one end of a connection; it has one operation at a time, but for the
// moment in which a receive is cancelled.
type end struct {
	s      spi.Socket
	client bool
	rounds int // left, of a client
	got    int // bytes of the message that a client waits for
	op     operation
}

// run is one soak: clients that connect, exchange messages and go, over one
// port that serves both ends of every connection.
type run struct {
	t      *testing.T
	dll    *ws2.DLL
	port   ws2.Port
	listen spi.Socket
	number int // the port that listens

	want, rounds int
	tenth        func()

	begun, made, alive, started, ended, aborted atomic.Int64
	stopping                                    atomic.Bool
}

func newRun(t *testing.T, dll *ws2.DLL, thread *ws2.Thread, want, operations int) (*run, error) {
	r := &run{t: t, dll: dll, want: max(want, at)}
	// A round is four operations, and a connection has two more.
	r.rounds = max(1, (operations/r.want-2)/4+1)
	var err error
	if r.port, err = dll.CreateIoCompletionPort(0); err != nil {
		return nil, err
	}
	if r.listen, err = thread.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP); err != nil {
		return nil, err
	}
	name := spi.SockaddrFrom(netip.MustParseAddrPort("0.0.0.0:0"))
	if err = errors.Join(thread.Bind(r.listen, name), thread.Listen(r.listen, 512), dll.AssociateCompletionPort(r.listen, r.port, 0)); err != nil {
		return nil, err
	}
	length := int32(len(name))
	if err = thread.GetSockName(r.listen, name, &length); err != nil {
		return nil, err
	}
	bound, _ := spi.AddrPortFrom(name)
	r.number = int(bound.Port())
	return r, nil
}

// begin starts the first operations; the workers start the others.
func (r *run) begin(thread *ws2.Thread) {
	for range waiting {
		r.accept(thread)
	}
	for range at {
		r.connect(thread)
	}
}

// work takes packets until every client is through.
func (r *run) work(thread *ws2.Thread) {
	packets := make([]ws2.Packet, 64)
	for {
		n, err := thread.GetQueuedCompletionStatusEx(r.port, packets, 30000, false)
		if err != nil {
			r.t.Errorf("no packet, with %d operations started, %d ended, %d connections alive: %v", r.started.Load(), r.ended.Load(), r.alive.Load(), err)
			return
		}
		for _, p := range packets[:n] {
			if p.Overlapped == nil { // the other workers' news
				r.dll.PostQueuedCompletionStatus(r.port, ws2.Packet{})
				return
			}
			r.ended.Add(1)
			r.handle(thread, (*operation)(unsafe.Pointer(p.Overlapped)), p)
		}
		if r.stopping.Load() && r.alive.Load() == 0 {
			r.dll.PostQueuedCompletionStatus(r.port, ws2.Packet{})
			return
		}
	}
}

func (r *run) handle(thread *ws2.Thread, op *operation, p ws2.Packet) {
	e := op.end
	if p.Status != 0 {
		r.aborted.Add(1)
		r.close(thread, e)
		return
	}
	n := int(p.Transferred)
	switch op.kind {
	case accepts:
		r.accepted(thread, e)
	case connects:
		if err := thread.SetSockOpt(e.s, spi.SOL_SOCKET, spi.SO_UPDATE_CONNECT_CTX, nil); err != nil {
			r.t.Errorf("SO_UPDATE_CONNECT_CONTEXT: %v", err)
		}
		e.got = 0
		r.receive(thread, e)
	case sends:
		e.got = 0
		r.receive(thread, e)
	case receives:
		switch {
		case n == 0:
			r.close(thread, e)
		case !e.client:
			r.send(thread, e, n)
		default:
			r.answered(thread, e, n)
		}
	}
}

// answered goes on with a client that has received n bytes.
func (r *run) answered(thread *ws2.Thread, e *end, n int) {
	for i, b := range e.op.buf[:n] {
		if b != byte(e.rounds)+byte(e.got+i) {
			r.t.Errorf("byte %d of an answer is %d", e.got+i, b)
			break
		}
	}
	e.got += n
	if e.got < message {
		r.receive(thread, e)
		return
	}
	e.rounds--
	switch {
	case e.rounds == 0:
		r.close(thread, e)
	case e.rounds == 1 && rand.IntN(8) == 0:
		r.leave(thread, e)
	default:
		fill(e)
		r.send(thread, e, message)
	}
}

// fill writes the message of a round.
func fill(e *end) {
	for i := range message {
		e.op.buf[i] = byte(e.rounds) + byte(i)
	}
}

// leave ends a client's connection with a receive pending, cancelled or not.
func (r *run) leave(thread *ws2.Thread, e *end) {
	s, cancel := e.s, rand.IntN(2) == 0
	r.receive(thread, e) // from here on e may be another worker's
	if cancel {
		if err := thread.CancelIoEx(s, &e.op.ov); err != nil {
			r.t.Errorf("CancelIoEx: %v", err)
		}
		return // its packet closes the socket
	}
	r.shut(thread, e)
}

func (r *run) socket(thread *ws2.Thread) spi.Socket {
	s, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
	if err != nil {
		r.t.Errorf("socket: %v", err)
	}
	return s
}

func (r *run) accept(thread *ws2.Thread) {
	e := &end{s: r.socket(thread)}
	e.op.end, e.op.kind = e, accepts
	r.alive.Add(1)
	r.started.Add(1)
	var n uint32
	r.pending(thread, e, "AcceptEx", thread.AcceptEx(r.listen, e.s, e.op.buf[:], 0, addressRoom, addressRoom, &n, &e.op.ov))
}

func (r *run) accepted(thread *ws2.Thread, e *end) {
	if !r.stopping.Load() {
		r.accept(thread)
	}
	listen := r.listen
	val := (*[8]byte)(unsafe.Pointer(&listen))[:]
	if err := thread.SetSockOpt(e.s, spi.SOL_SOCKET, spi.SO_UPDATE_ACCEPT_CONTEXT, val); err != nil {
		r.t.Errorf("SO_UPDATE_ACCEPT_CONTEXT: %v", err)
	}
	if err := r.dll.AssociateCompletionPort(e.s, r.port, 0); err != nil {
		r.t.Errorf("associating an accepted socket: %v", err)
	}
	r.receive(thread, e)
}

// connect starts a client, unless there were enough.
func (r *run) connect(thread *ws2.Thread) {
	n := int(r.begun.Add(1))
	if n > r.want {
		if r.made.Load() == int64(r.want) && r.stopping.CompareAndSwap(false, true) {
			r.stop(thread)
		}
		return
	}
	if n == max(r.want/10, at) {
		r.tenth()
	}
	e := &end{s: r.socket(thread), client: true, rounds: r.rounds}
	e.op.end, e.op.kind = e, connects
	// Other addresses and a reset at the end: no port stays behind in TIME_WAIT.
	hard := []byte{1, 0, 0, 0}
	own := spi.SockaddrFrom(netip.MustParseAddrPort("0.0.0.0:0"))
	if err := errors.Join(
		thread.SetSockOpt(e.s, spi.SOL_SOCKET, spi.SO_LINGER, hard),
		thread.Bind(e.s, own),
		r.dll.AssociateCompletionPort(e.s, r.port, 0),
	); err != nil {
		r.t.Errorf("a client: %v", err)
	}
	fill(e)
	to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, byte(n >> 8), byte(n)&0x7f + 1}), uint16(r.number))
	r.alive.Add(1)
	r.started.Add(1)
	var sent uint32
	r.pending(thread, e, "ConnectEx", thread.ConnectEx(e.s, spi.SockaddrFrom(to), e.op.buf[:message], &sent, &e.op.ov))
}

func (r *run) receive(thread *ws2.Thread, e *end) {
	op := &e.op
	op.kind, op.ov = receives, spi.Overlapped{}
	op.bufs[0] = spi.NewBuf(op.buf[:message])
	r.started.Add(1)
	var flags uint32
	r.pending(thread, e, "WSARecv", thread.WSARecv(e.s, op.bufs[:], nil, &flags, &op.ov, nil))
}

func (r *run) send(thread *ws2.Thread, e *end, n int) {
	op := &e.op
	op.kind, op.ov = sends, spi.Overlapped{}
	op.bufs[0] = spi.NewBuf(op.buf[:n])
	r.started.Add(1)
	r.pending(thread, e, "WSASend", thread.WSASend(e.s, op.bufs[:], nil, 0, &op.ov, nil))
}

// pending looks how the start of an operation ended; a refused one has no
// packet.
func (r *run) pending(thread *ws2.Thread, e *end, call string, err error) {
	var code spi.Errno
	errors.As(err, &code)
	switch code {
	case 0, spi.WSA_IO_PENDING:
		return
	case spi.WSAECONNRESET, spi.WSAECONNABORTED, spi.WSAENOTCONN: // the peer has left
	default:
		r.t.Errorf("%s: %v", call, err)
	}
	r.ended.Add(1)
	r.aborted.Add(1)
	r.close(thread, e)
}

// close ends one end; a client's makes way for the next.
func (r *run) close(thread *ws2.Thread, e *end) {
	if e.s != spi.InvalidSocket {
		r.shut(thread, e)
	}
	r.alive.Add(-1)
	if e.client {
		r.made.Add(1)
		r.connect(thread)
	}
}

// shut closes the socket, whose number is another's as soon as it is closed.
func (r *run) shut(thread *ws2.Thread, e *end) {
	s := e.s
	e.s = spi.InvalidSocket
	if err := thread.CloseSocket(s); err != nil {
		r.t.Errorf("closesocket: %v", err)
	}
}

// stop ends the operations that wait for connections.
func (r *run) stop(thread *ws2.Thread) {
	if err := thread.CloseSocket(r.listen); err != nil {
		r.t.Errorf("closing the listening socket: %v", err)
	}
}

// end looks that nothing is missing.
func (r *run) end(*ws2.Thread) error {
	if err := r.dll.CloseCompletionPort(r.port); err != nil {
		return err
	}
	if started, ended := r.started.Load(), r.ended.Load(); started != ended {
		return fmt.Errorf("%d operations were started and %d ended", started, ended)
	}
	if r.made.Load() != int64(r.want) || r.alive.Load() != 0 {
		return fmt.Errorf("%d of %d connections, %d ends still alive", r.made.Load(), r.want, r.alive.Load())
	}
	return nil
}
