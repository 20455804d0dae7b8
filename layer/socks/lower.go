package socks

import (
	"io"
	"time"

	"upcall.dev/spi"
)

// lower is a stream socket of the next provider while the layer talks on it. It
// implements transport. Without an event the socket is one of a client, in
// blocking mode, and the next provider waits.
type lower struct {
	next     spi.Provider
	s        spi.Socket
	deadline time.Time

	// What wakes a wait, of a socket with an event for everything.
	event  spi.Event
	wake   chan struct{}
	cancel <-chan struct{}
	ending <-chan struct{} // of the layer
}

// everything is the network events that a lower with an event waits for.
const everything = spi.FD_CONNECT | spi.FD_READ | spi.FD_WRITE | spi.FD_CLOSE

// errCancelled ends a talk on a socket that is being closed.
const errCancelled = spi.WSA_OPERATION_ABORTED

// watch makes l wait by an event, which makes the socket nonblocking.
func (l *lower) watch(dll spi.DLL, upcalls *spi.UpcallTable) error {
	l.wake = make(chan struct{}, 1)
	event, errno := dll.RegisterWait(func() {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	})
	if errno != 0 {
		return errno
	}
	if errno := l.next.WSPEventSelect(l.s, event, everything); errno != 0 {
		upcalls.WPUCloseEvent(event)
		return errno
	}
	l.event = event
	return nil
}

// unwatch ends that. The socket stays nonblocking.
func (l *lower) unwatch(upcalls *spi.UpcallTable) {
	if l.event == spi.InvalidEvent {
		return
	}
	l.next.WSPEventSelect(l.s, spi.InvalidEvent, 0)
	upcalls.WPUCloseEvent(l.event)
	l.event = spi.InvalidEvent
}

// wait returns when something may have changed.
func (l *lower) wait() error {
	left := time.Until(l.deadline)
	if left <= 0 {
		return spi.WSAETIMEDOUT
	}
	if l.event == spi.InvalidEvent { // the client has made it nonblocking meanwhile
		slice := min(left, 100*time.Millisecond)
		_, errno := l.next.WSPSelect(spi.NewFDSet(l.s), nil, nil, &spi.Timeval{Usec: int32(slice.Microseconds())})
		return asError(errno)
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-l.wake:
		return nil
	case <-l.cancel:
		return errCancelled
	case <-l.ending:
		return errCancelled
	case <-timer.C:
		return spi.WSAETIMEDOUT
	}
}

// asError returns an Errno as an error, nil for success.
func asError(errno spi.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

// connect connects a socket with an event.
func (l *lower) connect(name []byte) error {
	errno := l.next.WSPConnect(l.s, name, nil, nil, nil, nil)
	if errno != spi.WSAEWOULDBLOCK {
		return asError(errno)
	}
	return l.connected()
}

// connected waits for the end of a connect that was begun.
func (l *lower) connected() error {
	for {
		var events spi.NetworkEvents
		if errno := l.next.WSPEnumNetworkEvents(l.s, spi.InvalidEvent, &events); errno != 0 {
			return errno
		}
		if events.NetworkEvents&spi.FD_CONNECT != 0 {
			return asError(spi.Errno(events.ErrorCode[connectBit]))
		}
		if err := l.wait(); err != nil {
			return err
		}
	}
}

// connectBit is the place of FD_CONNECT among the error codes.
const connectBit = 4

// Write implements transport.
func (l *lower) Write(b []byte) (sent int, err error) {
	for sent < len(b) {
		bufs, n := [1]spi.Buf{spi.NewBuf(b[sent:])}, uint32(0)
		switch errno := l.next.WSPSend(l.s, bufs[:], &n, 0, nil, nil, nil); errno {
		case 0:
			sent += int(n)
		case spi.WSAEWOULDBLOCK:
			if err := l.wait(); err != nil {
				return sent, err
			}
		default:
			return sent, errno
		}
	}
	return sent, nil
}

// Read implements transport.
func (l *lower) Read(b []byte) (int, error) { return l.receive(b, 0) }

// Peek implements transport.
func (l *lower) Peek(b []byte) (int, error) { return l.receive(b, spi.MSG_PEEK) }

func (l *lower) receive(b []byte, how uint32) (int, error) {
	for {
		bufs, n, flags := [1]spi.Buf{spi.NewBuf(b)}, uint32(0), how
		switch errno := l.next.WSPRecv(l.s, bufs[:], &n, &flags, nil, nil, nil); {
		case errno == spi.WSAEWOULDBLOCK:
			if err := l.wait(); err != nil {
				return 0, err
			}
		case errno == spi.WSAETIMEDOUT && time.Now().Before(l.deadline): // by SO_RCVTIMEO, which is not about connecting
		case errno != 0:
			return 0, errno
		case n == 0:
			return 0, io.EOF
		default:
			return int(n), nil
		}
	}
}
