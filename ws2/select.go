package ws2

import (
	"upcall.dev/spi"
)

// Select waits until a socket of the sets is ready, reduces the sets to the
// ready ones and returns their number, zero after the timeout. A nil timeout
// waits for ever, a zero one polls. All sockets must be of one provider.
// WSAEINVAL (no socket in any set, a negative timeout, or several providers),
// WSAENOTSOCK (one of them is none), and the errors of WSPSelect.
// Source: winsock2/nf-winsock2-select.
func (t *Thread) Select(read, write, except *spi.FDSet, timeout *spi.Timeval) (int, error) {
	if _, e := t.enter(); e != 0 {
		return 0, t.fail(e)
	}
	if timeout != nil && (timeout.Sec < 0 || timeout.Usec < 0) {
		return 0, t.fail(spi.WSAEINVAL)
	}
	var p *provider
	for _, set := range [...]*spi.FDSet{read, write, except} {
		for _, s := range set.Sockets() {
			sock, e := t.lookup(s)
			if e != 0 {
				return 0, t.fail(e)
			}
			if p != nil && p != sock.provider {
				return 0, t.fail(spi.WSAEINVAL)
			}
			p = sock.provider
		}
	}
	if p == nil {
		return 0, t.fail(spi.WSAEINVAL)
	}
	n, e := p.WSPSelect(read, write, except, timeout)
	if e != 0 {
		return 0, t.fail(e)
	}
	return int(n), nil
}

// WSAEventSelect asks for the network events in mask (FD_ bits) to be recorded
// and ev to be set; it makes the socket nonblocking and replaces any earlier
// selection. Zero ends it. WSAEINVAL (ev is not an event), and the errors of
// WSPEventSelect. Source: winsock2/nf-winsock2-wsaeventselect.
func (t *Thread) WSAEventSelect(s spi.Socket, ev spi.Event, mask int32) error {
	sock, e := t.lookup(s)
	if e != 0 {
		return t.fail(e)
	}
	if mask != 0 && t.dll.event(ev) == nil {
		return t.fail(spi.WSAEINVAL)
	}
	return t.result(sock.provider.WSPEventSelect(s, ev, mask))
}

// WSAEnumNetworkEvents copies and clears the record of network events, and
// resets ev unless it is zero, in one step. WSAEFAULT (no out), and the errors
// of WSPEnumNetworkEvents. Source: winsock2/nf-winsock2-wsaenumnetworkevents.
func (t *Thread) WSAEnumNetworkEvents(s spi.Socket, ev spi.Event, out *spi.NetworkEvents) error {
	sock, e := t.lookup(s)
	if e != 0 {
		return t.fail(e)
	}
	if out == nil {
		return t.fail(spi.WSAEFAULT)
	}
	return t.result(sock.provider.WSPEnumNetworkEvents(s, ev, out))
}

// WSAAsyncSelect asks for msg to be posted to wnd when one of the network events
// in mask occurs: wParam is the socket, lParam the event with its error code in
// the high word. It makes the socket nonblocking and replaces any earlier
// selection. Zero ends it. WSAEINVAL (no such window), and the errors of
// WSPAsyncSelect. Source: winsock/nf-winsock-wsaasyncselect.
func (t *Thread) WSAAsyncSelect(s spi.Socket, wnd spi.HWND, msg uint32, mask int32) error {
	sock, e := t.lookup(s)
	if e != 0 {
		return t.fail(e)
	}
	if mask != 0 && !t.dll.windows.reachable(wnd) {
		return t.fail(spi.WSAEINVAL)
	}
	return t.result(sock.provider.WSPAsyncSelect(s, wnd, msg, mask))
}
