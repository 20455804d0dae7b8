package nonifs

import (
	"sync/atomic"

	"upcall.dev/spi"
)

// LowerSocket lets the goroutines of a pump use a socket of the next provider
// as if it blocked: it is nonblocking, with a selection of FD_ events that wakes
// whoever waits. One goroutine may receive (or accept) while another one sends
// (or connects).
type LowerSocket struct {
	host   *Host
	next   spi.Provider
	socket spi.Socket
	event  spi.Event

	readable, writable chan struct{} // capacity 1
	closed             chan struct{} // closed by Stop
	stopped            atomic.Bool
}

// NewLowerSocket takes over a socket of the next provider.
func NewLowerSocket(host *Host, next spi.Provider, s spi.Socket) (*LowerSocket, spi.Errno) {
	l := &LowerSocket{
		host: host, next: next, socket: s,
		readable: make(chan struct{}, 1), writable: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	ev, errno := host.DLL().RegisterWait(func() {
		for _, c := range []chan struct{}{l.readable, l.writable} {
			select {
			case c <- struct{}{}:
			default:
			}
		}
	})
	if errno != 0 {
		return nil, errno
	}
	l.event = ev
	const events = spi.FD_READ | spi.FD_WRITE | spi.FD_ACCEPT | spi.FD_CONNECT | spi.FD_CLOSE
	if errno := next.WSPEventSelect(s, ev, events); errno != 0 {
		host.Upcalls().WPUCloseEvent(ev)
		return nil, errno
	}
	return l, 0
}

// Provider returns the next provider.
func (l *LowerSocket) Provider() spi.Provider { return l.next }

// Socket returns the next provider's handle.
func (l *LowerSocket) Socket() spi.Socket { return l.socket }

// wait sleeps until wake receives, or Stop is called: WSAENOTSOCK.
func (l *LowerSocket) wait(wake <-chan struct{}) spi.Errno {
	select {
	case <-wake:
		return 0
	case <-l.closed:
		return spi.WSAENOTSOCK
	}
}

// Read receives at least one byte, or none at the end of the stream.
func (l *LowerSocket) Read(p []byte) (int, spi.Errno) { return l.ReadFrom(p, nil, nil) }

// ReadFrom receives a datagram and stores its sender.
func (l *LowerSocket) ReadFrom(p, from []byte, fromLen *int32) (int, spi.Errno) {
	bufs := []spi.Buf{spi.NewBuf(p)}
	for {
		if l.stopped.Load() {
			return 0, spi.WSAENOTSOCK
		}
		var n, flags uint32
		var errno spi.Errno
		if from == nil {
			errno = l.next.WSPRecv(l.socket, bufs, &n, &flags, nil, nil, nil)
		} else {
			*fromLen = int32(len(from))
			errno = l.next.WSPRecvFrom(l.socket, bufs, &n, &flags, from, fromLen, nil, nil, nil)
		}
		if errno != spi.WSAEWOULDBLOCK {
			return int(n), errno
		}
		if errno := l.wait(l.readable); errno != 0 {
			return 0, errno
		}
	}
}

// Write sends all of p.
func (l *LowerSocket) Write(p []byte) spi.Errno {
	for len(p) > 0 {
		if l.stopped.Load() {
			return spi.WSAENOTSOCK
		}
		var n uint32
		errno := l.next.WSPSend(l.socket, []spi.Buf{spi.NewBuf(p)}, &n, 0, nil, nil, nil)
		switch errno {
		case 0:
			p = p[n:]
		case spi.WSAEWOULDBLOCK:
			if errno := l.wait(l.writable); errno != 0 {
				return errno
			}
		default:
			return errno
		}
	}
	return 0
}

// WriteTo sends a datagram to an address, or to the peer when it is empty.
func (l *LowerSocket) WriteTo(p, to []byte) spi.Errno {
	bufs := []spi.Buf{spi.NewBuf(p)}
	for {
		if l.stopped.Load() {
			return spi.WSAENOTSOCK
		}
		var n uint32
		var errno spi.Errno
		if len(to) == 0 {
			errno = l.next.WSPSend(l.socket, bufs, &n, 0, nil, nil, nil)
		} else {
			errno = l.next.WSPSendTo(l.socket, bufs, &n, 0, to, nil, nil, nil)
		}
		if errno != spi.WSAEWOULDBLOCK {
			return errno
		}
		if errno := l.wait(l.writable); errno != 0 {
			return errno
		}
	}
}

// Connect connects and waits for the outcome.
func (l *LowerSocket) Connect(name []byte) spi.Errno {
	errno := l.next.WSPConnect(l.socket, name, nil, nil, nil, nil)
	for errno == spi.WSAEWOULDBLOCK {
		if closed := l.wait(l.writable); closed != 0 {
			return closed
		}
		var out spi.NetworkEvents
		if failed := l.next.WSPEnumNetworkEvents(l.socket, spi.InvalidEvent, &out); failed != 0 {
			return failed
		}
		if out.NetworkEvents&spi.FD_CONNECT != 0 {
			errno = spi.Errno(out.ErrorCode[4])
		}
	}
	return errno
}

// Accept waits for a connection. The new socket has inherited this one's
// selection, which [NewLowerSocket] replaces.
func (l *LowerSocket) Accept() (spi.Socket, spi.Errno) {
	for {
		if l.stopped.Load() {
			return spi.InvalidSocket, spi.WSAENOTSOCK
		}
		s, errno := l.next.WSPAccept(l.socket, nil, nil, nil, 0)
		if errno != spi.WSAEWOULDBLOCK {
			return s, errno
		}
		if errno := l.wait(l.readable); errno != 0 {
			return spi.InvalidSocket, errno
		}
	}
}

// Stop ends the use of the socket: whoever waits, and every later call, gets
// WSAENOTSOCK. Stopping again does nothing.
func (l *LowerSocket) Stop() {
	if l.stopped.CompareAndSwap(false, true) {
		close(l.closed)
	}
}

// Close stops and closes the socket, with a reset when abort is set. No other
// goroutine may be in a call on it any more: after Stop, the owner waits for
// them first, for the handle may soon be another socket's.
func (l *LowerSocket) Close(abort bool) spi.Errno {
	l.Stop()
	if abort {
		hard := [4]byte{1, 0, 0, 0} // linger{1, 0}
		l.next.WSPSetSockOpt(l.socket, spi.SOL_SOCKET, spi.SO_LINGER, hard[:])
	}
	errno := l.next.WSPCloseSocket(l.socket)
	l.host.Upcalls().WPUCloseEvent(l.event)
	return errno
}
