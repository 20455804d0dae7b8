package ws2

import (
	"fmt"
	"runtime/debug"

	"upcall.dev/spi"
)

// This file calls extension functions: each method gets the function's pointer
// from the socket's provider by WSAIoctl, as a client does, and then calls the
// provider without the DLL between. Errors besides those named: WSAEINVAL or
// WSAEOPNOTSUPP where the provider does not have the function, and the errors of
// every socket call.

// extension returns an extension function of a socket's provider.
func extension[F any](t *Thread, s spi.Socket, id spi.GUID) (f F, sock *socket, e spi.Errno) {
	sock, e = t.lookup(s)
	if e != 0 {
		return f, nil, e
	}
	var out [8]byte
	var n uint32
	if e = sock.provider.WSPIoctl(s, spi.SIO_GET_EXTENSION_FUNCTION_POINTER, bytesOf(&id), out[:], &n, nil, nil, &t.id); e != 0 {
		return f, nil, e
	}
	f, ok := spi.LoadExtension[F](out[:n])
	if !ok {
		return f, nil, spi.NoErrorCode
	}
	t.startsIO()
	return f, sock, 0
}

// extension calls an extension function; a panic in it becomes WSASYSCALLFAILURE.
func (p *provider) extension(name string, function func() spi.Errno) (e spi.Errno) {
	defer func() {
		if v := recover(); v != nil {
			e = spi.WSASYSCALLFAILURE
			p.complain.once(p.dll, fmt.Sprintf("provider %s panicked in %s: %v", p.name, name, v), string(debug.Stack()))
		}
	}()
	return function()
}

// AcceptEx accepts a connection of listen into accept, a socket that is neither
// bound nor connected, and receives the first receiveLen bytes into out; see
// [spi.AcceptExFunc]. It is always overlapped: WSA_IO_PENDING, also when a
// connection is there, of the providers and layers in this module.
// WSAEFAULT (no ov). Source: mswsock/nf-mswsock-acceptex.
func (t *Thread) AcceptEx(listen, accept spi.Socket, out []byte, receiveLen, localLen, remoteLen uint32, received *uint32, ov *spi.Overlapped) error {
	f, sock, e := extension[spi.AcceptExFunc](t, listen, spi.WSAID_ACCEPTEX)
	if e == 0 && ov == nil {
		e = spi.WSAEFAULT
	}
	if e != 0 {
		return t.fail(e)
	}
	if received == nil {
		received = new(uint32)
	}
	return t.result(sock.provider.extension("AcceptEx", func() spi.Errno {
		return f(listen, accept, out, receiveLen, localLen, remoteLen, received, ov)
	}))
}

// GetAcceptExSockaddrs finds the local and the remote address in what
// [Thread.AcceptEx] stored; the lengths are those of that call. s is the
// listening socket. WSAEFAULT when out has no addresses.
// Source: mswsock/nf-mswsock-getacceptexsockaddrs.
func (t *Thread) GetAcceptExSockaddrs(s spi.Socket, out []byte, receiveLen, localLen, remoteLen uint32) (local, remote []byte, err error) {
	f, sock, e := extension[spi.GetAcceptExSockaddrsFunc](t, s, spi.WSAID_GETACCEPTEXSOCKADDRS)
	if e == 0 {
		e = sock.provider.extension("GetAcceptExSockaddrs", func() spi.Errno {
			local, remote = f(out, receiveLen, localLen, remoteLen)
			if local == nil || remote == nil {
				return spi.WSAEFAULT
			}
			return 0
		})
	}
	if e != 0 {
		return nil, nil, t.fail(e)
	}
	return local, remote, nil
}

// ConnectEx connects a bound socket and then sends data; see
// [spi.ConnectExFunc]. WSAEFAULT (no ov).
// Source: mswsock/nc-mswsock-lpfn_connectex.
func (t *Thread) ConnectEx(s spi.Socket, name, data []byte, sent *uint32, ov *spi.Overlapped) error {
	f, sock, e := extension[spi.ConnectExFunc](t, s, spi.WSAID_CONNECTEX)
	if e == 0 && ov == nil {
		e = spi.WSAEFAULT
	}
	if e != 0 {
		return t.fail(e)
	}
	if sent == nil {
		sent = new(uint32)
	}
	return t.result(sock.provider.extension("ConnectEx", func() spi.Errno { return f(s, name, data, sent, ov) }))
}

// DisconnectEx ends a connection gracefully; with [spi.TF_REUSE_SOCKET] the
// socket can be connected again. A nil ov waits.
// Source: mswsock/nc-mswsock-lpfn_disconnectex.
func (t *Thread) DisconnectEx(s spi.Socket, ov *spi.Overlapped, flags uint32) error {
	f, sock, e := extension[spi.DisconnectExFunc](t, s, spi.WSAID_DISCONNECTEX)
	if e != 0 {
		return t.fail(e)
	}
	return t.result(sock.provider.extension("DisconnectEx", func() spi.Errno { return f(s, ov, flags) }))
}

// TransmitFile sends an open file, an operating-system handle, between a head
// and a tail; see [spi.TransmitFileFunc].
// Source: mswsock/nf-mswsock-transmitfile.
func (t *Thread) TransmitFile(s spi.Socket, file uintptr, toWrite, perSend uint32, ov *spi.Overlapped, around *spi.TransmitFileBuffers, flags uint32) error {
	f, sock, e := extension[spi.TransmitFileFunc](t, s, spi.WSAID_TRANSMITFILE)
	if e != 0 {
		return t.fail(e)
	}
	return t.result(sock.provider.extension("TransmitFile", func() spi.Errno {
		return f(s, file, toWrite, perSend, ov, around, flags)
	}))
}

// TransmitPackets sends pieces of memory and of files in order; see
// [spi.TransmitPacketsFunc]. Source: mswsock/nc-mswsock-lpfn_transmitpackets.
func (t *Thread) TransmitPackets(s spi.Socket, elements []spi.TransmitPacketsElement, perSend uint32, ov *spi.Overlapped, flags uint32) error {
	f, sock, e := extension[spi.TransmitPacketsFunc](t, s, spi.WSAID_TRANSMITPACKETS)
	if e != 0 {
		return t.fail(e)
	}
	return t.result(sock.provider.extension("TransmitPackets", func() spi.Errno {
		return f(s, elements, perSend, ov, flags)
	}))
}

// WSARecvMsg receives a datagram with its control information. Overlapped use
// as [Thread.WSASend]. WSAEFAULT (no msg).
// Source: mswsock/nc-mswsock-lpfn_wsarecvmsg.
func (t *Thread) WSARecvMsg(s spi.Socket, msg *spi.Msg, received *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine) error {
	f, sock, e := extension[spi.WSARecvMsgFunc](t, s, spi.WSAID_WSARECVMSG)
	if e == 0 {
		received, routine, e = t.overlapped(sock, received, ov, routine)
	}
	if e == 0 && msg == nil {
		e = spi.WSAEFAULT
	}
	if e != 0 {
		return t.fail(e)
	}
	return t.result(sock.provider.extension("WSARecvMsg", func() spi.Errno { return f(s, msg, received, ov, routine) }))
}

// WSASendMsg sends with control information; as [Thread.WSARecvMsg].
// Source: winsock2/nf-winsock2-wsasendmsg.
func (t *Thread) WSASendMsg(s spi.Socket, msg *spi.Msg, flags uint32, sent *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine) error {
	f, sock, e := extension[spi.WSASendMsgFunc](t, s, spi.WSAID_WSASENDMSG)
	if e == 0 {
		sent, routine, e = t.overlapped(sock, sent, ov, routine)
	}
	if e == 0 && msg == nil {
		e = spi.WSAEFAULT
	}
	if e != 0 {
		return t.fail(e)
	}
	return t.result(sock.provider.extension("WSASendMsg", func() spi.Errno { return f(s, msg, flags, sent, ov, routine) }))
}

// WSAPoll waits until something that fds ask for holds on one of the sockets,
// and returns the number of elements with an answer; see [spi.WSAPollFunc]. All
// sockets must be of one provider; what is no socket is answered POLLNVAL, and
// InvalidSocket is passed over. WSAEINVAL (no socket, or several providers).
// Source: winsock2/nf-winsock2-wsapoll.
func (t *Thread) WSAPoll(fds []spi.PollFD, timeout int32) (int, error) {
	var first *socket
	var poll spi.WSAPollFunc
	for i := range fds {
		if fds[i].FD == spi.InvalidSocket {
			continue
		}
		sock, e := t.lookup(fds[i].FD)
		switch {
		case e == spi.WSAENOTSOCK:
			continue
		case e != 0:
			return 0, t.fail(e)
		case first != nil && first.provider != sock.provider:
			return 0, t.fail(spi.WSAEINVAL)
		case first != nil:
			continue
		}
		if poll, first, e = extension[spi.WSAPollFunc](t, fds[i].FD, spi.WSAID_WSAPOLL); e != 0 {
			return 0, t.fail(e)
		}
	}
	if first == nil {
		return t.pollNothing(fds)
	}
	var n int32
	e := first.provider.extension("WSAPoll", func() (e spi.Errno) {
		n, e = poll(fds, timeout)
		return e
	})
	if e != 0 {
		return 0, t.fail(e)
	}
	return int(n), nil
}

// pollNothing answers a poll of no socket at all.
func (t *Thread) pollNothing(fds []spi.PollFD) (int, error) {
	if _, e := t.enter(); e != 0 {
		return 0, t.fail(e)
	}
	n := 0
	for i := range fds {
		fds[i].Revents = 0
		if fds[i].FD != spi.InvalidSocket {
			fds[i].Revents = spi.POLLNVAL
			n++
		}
	}
	if n == 0 {
		return 0, t.fail(spi.WSAEINVAL)
	}
	return n, nil
}
