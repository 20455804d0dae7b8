package ws2

import (
	"upcall.dev/spi"
)

// Every client call that takes a socket goes the same way: look the handle up,
// call the provider's function with the same arguments, keep its error as the
// thread's last error. Success leaves the last error alone.

// usable reports whether client calls on the socket may reach its provider.
func (s *socket) usable() bool {
	return s.state.Load() != closed && s.provider.state.Load() == ready
}

// lookup returns the socket of a handle. WSAENOTSOCK, WSANOTINITIALISED,
// WSAEINPROGRESS (the thread is inside a blocking call's hook), or the code of a
// provider that cannot be started.
func (t *Thread) lookup(s spi.Socket) (*socket, spi.Errno) {
	if sock := t.dll.handles.find(s); sock != nil && sock.usable() && !t.blocking {
		return sock, 0
	}
	return t.lookupSlowly(s)
}

func (t *Thread) lookupSlowly(s spi.Socket) (*socket, spi.Errno) {
	r, e := t.enter()
	if e != 0 {
		return nil, e
	}
	sock := t.dll.handles.find(s)
	if sock == nil {
		return t.dll.adopt(r, s, nil)
	}
	if sock.state.Load() == closed {
		return nil, spi.WSAENOTSOCK
	}
	if sock.provider.state.Load() == retired {
		return t.dll.adopt(r, s, sock)
	}
	// A layer has started this provider for itself, the host not yet.
	if e := sock.provider.startForCode(sock.entry); e != 0 {
		return nil, e
	}
	return sock, 0
}

// enter begins a client call that takes no socket. WSANOTINITIALISED,
// WSAEINPROGRESS.
func (t *Thread) enter() (*running, spi.Errno) {
	if t.blocking {
		return nil, spi.WSAEINPROGRESS
	}
	r := t.dll.client.Load()
	if r == nil {
		return nil, spi.WSANOTINITIALISED
	}
	return r, 0
}

// result ends a client call: nil for zero, else the error, which becomes the
// thread's last error.
func (t *Thread) result(e spi.Errno) error {
	if e == 0 {
		return nil
	}
	return t.fail(e)
}

func (t *Thread) fail(e spi.Errno) error {
	e = reported(e)
	t.setLastError(e)
	return e.Err()
}

// reported is what the client sees of a provider's code: WSASYSCALLFAILURE for a
// failure without one.
func reported(e spi.Errno) spi.Errno {
	if e == spi.NoErrorCode {
		return spi.WSASYSCALLFAILURE
	}
	return e
}

// failWith is fail for an error that says more than its code.
func (t *Thread) failWith(err error) error {
	t.setLastError(CodeOf(err))
	return err
}
