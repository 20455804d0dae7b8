package wsnet

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"

	"upcall.dev/spi"
)

// socket is one SOCKET and the right to use it: a handle may be closed, and
// its value reused by the system, only when no call on it is running.
//
//	state            enter    leave                       close
//	n users          n+1      n-1                         closed, waits until n is 0
//	closed, n users  fails    n-1; the last lets close go fails
type socket struct {
	stack  *Stack
	handle spi.Socket
	family int32 // AF_
	waiter waiter

	state   atomic.Int64 // closedBit and the number of users
	drained chan struct{}
	lingers atomic.Bool // SetLinger asked close to wait
}

const closedBit = 1 << 62

// newSocket takes over a handle, and the place that [Stack.begin] reserved,
// and makes the handle nonblocking. On failure both are gone.
func newSocket(stack *Stack, handle spi.Socket, family int32) (*socket, error) {
	s := &socket{stack: stack, handle: handle, family: family, drained: make(chan struct{})}
	on := uint32(1)
	if err := stack.thread.IoctlSocket(handle, spi.FIONBIO, &on); err != nil {
		s.discard()
		return nil, os.NewSyscallError("ioctl", err)
	}
	return s, nil
}

// socket makes a socket of the protocol in one address family, which is not
// ready yet. info names a catalog entry; nil lets the DLL choose.
func (s *Stack) socket(p *protocol, family int32, info *spi.ProtocolInfo) (*socket, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	handle, err := s.thread.WSASocket(family, p.typ, p.number, info, 0, spi.WSA_FLAG_OVERLAPPED|spi.WSA_FLAG_NO_HANDLE_INHERIT)
	if err != nil {
		s.end()
		return nil, os.NewSyscallError("socket", err)
	}
	return newSocket(s, handle, family)
}

// localAddr returns nil when the provider does not say.
func (s *socket) localAddr(p *protocol) net.Addr {
	return s.addrOf(p, s.stack.thread.GetSockName)
}

// remoteAddr returns the peer's address, or what was dialled when the provider
// does not say.
func (s *socket) remoteAddr(p *protocol, dialled net.Addr) net.Addr {
	if addr := s.addrOf(p, s.stack.thread.GetPeerName); addr != nil {
		return addr
	}
	return dialled
}

func (s *socket) addrOf(p *protocol, ask func(spi.Socket, []byte, *int32) error) net.Addr {
	var name [spi.SizeofSockaddrStorage]byte
	length := int32(len(name))
	if err := ask(s.handle, name[:], &length); err != nil {
		return nil
	}
	return p.netAddr(name[:max(0, min(int(length), len(name)))])
}

// ready gives the socket its waiter and enters it in the stack. On failure the
// socket is closed.
func (s *socket) ready() (err error) {
	if s.waiter, err = newWaiter(s); err != nil {
		s.discard()
		return err
	}
	if err := s.stack.add(s); err != nil {
		s.close()
		return err
	}
	return nil
}

// discard closes a socket that has not become ready.
func (s *socket) discard() {
	s.stack.thread.CloseSocket(s.handle)
	s.stack.end()
}

// enter keeps the handle open until leave. net.ErrClosed after close.
func (s *socket) enter() error {
	for {
		state := s.state.Load()
		if state&closedBit != 0 {
			return net.ErrClosed
		}
		if s.state.CompareAndSwap(state, state+1) {
			return nil
		}
	}
}

func (s *socket) leave() {
	if s.state.Add(-1) == closedBit {
		close(s.drained)
	}
}

// close ends everything that waits on the socket, waits for the calls that
// run, and closes the handle. net.ErrClosed when it is closed already.
func (s *socket) close() error {
	if err := s.enter(); err != nil {
		return err
	}
	for {
		state := s.state.Load()
		if state&closedBit != 0 { // another close was faster
			s.leave()
			return net.ErrClosed
		}
		if s.state.CompareAndSwap(state, state|closedBit) {
			break
		}
	}
	s.stack.remove(s)
	s.waiter.evict()
	s.leave()
	<-s.drained
	err := s.closeHandle()
	s.waiter.release()
	s.stack.end()
	return err
}

// closeHandle closes the handle even when that has to wait: a nonblocking
// socket with a linger time refuses with WSAEWOULDBLOCK and stays open.
func (s *socket) closeHandle() error {
	if s.lingers.Load() {
		s.makeBlocking()
	}
	err := s.stack.thread.CloseSocket(s.handle)
	if errors.Is(err, spi.WSAEWOULDBLOCK) {
		s.makeBlocking()
		err = s.stack.thread.CloseSocket(s.handle)
	}
	return os.NewSyscallError("closesocket", err)
}

func (s *socket) makeBlocking() {
	// A socket with an event selection cannot become blocking.
	s.stack.thread.WSAEventSelect(s.handle, spi.InvalidEvent, 0)
	s.stack.thread.IoctlSocket(s.handle, spi.FIONBIO, new(uint32))
}

// use calls f while the handle is sure to be open.
func (s *socket) use(f func() error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	return f()
}

func (s *socket) control(f func(spi.Socket)) error {
	return s.use(func() error {
		f(s.handle)
		return nil
	})
}

func (s *socket) syscallConn() (raw syscall.RawConn, err error) {
	err = s.use(func() error {
		d, ok := s.waiter.(interface{ rawConn() syscall.RawConn })
		if !ok {
			return spi.WSAEOPNOTSUPP
		}
		raw = d.rawConn()
		return nil
	})
	return raw, err
}

// connect connects a socket that is not ready yet, and waits for the outcome.
func (s *socket) connect(ctx context.Context, name []byte) error {
	t := s.stack.thread
	err := t.Connect(s.handle, name)
	if !wouldBlock(err) {
		return os.NewSyscallError("connect", err)
	}
	wake := make(chan struct{}, 1)
	event, errno := s.stack.exports.RegisterWait(func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	})
	if errno != 0 {
		return os.NewSyscallError("event", errno)
	}
	defer t.WSACloseEvent(event)
	if err := t.WSAEventSelect(s.handle, event, spi.FD_CONNECT); err != nil {
		return os.NewSyscallError("eventselect", err)
	}
	defer t.WSAEventSelect(s.handle, spi.InvalidEvent, 0)
	for {
		select {
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.stack.closing:
			return net.ErrClosed
		}
		var events spi.NetworkEvents
		if err := t.WSAEnumNetworkEvents(s.handle, spi.InvalidEvent, &events); err != nil {
			return os.NewSyscallError("enumnetworkevents", err)
		}
		if events.NetworkEvents&spi.FD_CONNECT == 0 {
			continue
		}
		const connectBit = 4
		return os.NewSyscallError("connect", spi.Errno(events.ErrorCode[connectBit]).Err())
	}
}

func (s *socket) setInt(level, name int32, value int32) error {
	err := s.use(func() error {
		return s.stack.thread.SetSockOpt(s.handle, level, name, binary.NativeEndian.AppendUint32(nil, uint32(value)))
	})
	return callError("setsockopt", err)
}

// wouldBlock reports whether a nonblocking call found nothing to do yet.
func wouldBlock(err error) bool {
	return err != nil && isCode(err, spi.WSAEWOULDBLOCK)
}

func isCode(err error, code spi.Errno) bool {
	if e, ok := err.(spi.Errno); ok {
		return e == code
	}
	return errors.Is(err, code)
}
