package ws2

import (
	"fmt"

	"upcall.dev/spi"
)

// made checks what a provider's function that makes a socket has returned: a
// handle without an error must be registered by then. One that is not is closed
// again.
func (d *DLL) made(s spi.Socket, e spi.Errno, p *provider, function string) (spi.Socket, spi.Errno) {
	if e != 0 {
		return spi.InvalidSocket, e
	}
	if d.handles.find(s) != nil {
		return s, 0
	}
	if s != spi.InvalidSocket {
		p.complain.once(d, fmt.Sprintf("provider %s: %s returned a handle that it has registered neither by WPUCreateSocketHandle nor by WPUModifyIFSHandle", p.name, function))
		p.WSPCloseSocket(s)
	}
	return spi.InvalidSocket, spi.WSASYSCALLFAILURE
}

// Socket makes an overlapped socket, or a non-overlapped one when the thread's
// SO_OPENTYPE asks for it. Errors as [Thread.WSASocket].
// Source: winsock2/nf-winsock2-socket.
func (t *Thread) Socket(af, typ, protocol int32) (spi.Socket, error) {
	flags := uint32(spi.WSA_FLAG_OVERLAPPED)
	if t.openType != 0 {
		flags = 0
	}
	return t.WSASocket(af, typ, protocol, nil, 0, flags)
}

// WSASocket makes a socket. With info the catalog entry is the one with info's
// id, and af, typ and protocol reach the provider as they are; without it, the
// catalog's first entry that matches the three. A provider is started when its
// first socket is made.
//
// WSAEINVAL (unknown id, or nothing given to choose by), WSAEAFNOSUPPORT,
// WSAESOCKTNOSUPPORT, WSAEPROTOTYPE, WSAEPROTONOSUPPORT (nothing matches), a
// [ProviderError] (the provider cannot be loaded or started), and the errors of
// WSPSocket. A provider that gives WSAEINPROGRESS is passed over for the next
// match.
// Source: winsock2/nf-winsock2-wsasocketw.
func (t *Thread) WSASocket(af, typ, protocol int32, info *spi.ProtocolInfo, g spi.Group, flags uint32) (spi.Socket, error) {
	r, e := t.enter()
	if e != 0 {
		return spi.InvalidSocket, t.fail(e)
	}
	var candidates []*entry
	if info != nil {
		var named *entry
		named, e = r.named(info)
		candidates = []*entry{named}
	} else {
		candidates, e = r.choose(af, typ, protocol)
	}
	if e != 0 {
		return spi.InvalidSocket, t.fail(e)
	}
	var s spi.Socket
	var err error
	for _, candidate := range candidates {
		s, err = t.dll.socketOf(candidate, af, typ, protocol, info, g, flags)
		if err == nil {
			return s, nil
		}
		if CodeOf(err) != spi.WSAEINPROGRESS {
			break
		}
	}
	return spi.InvalidSocket, t.failWith(err)
}

// socketOf makes a socket of one entry. given is the client's info, of which
// the provider's private field counts: a duplicate's token.
func (d *DLL) socketOf(e *entry, af, typ, protocol int32, given *spi.ProtocolInfo, g spi.Group, flags uint32) (spi.Socket, error) {
	if err := e.provider.start(e); err != nil {
		return spi.InvalidSocket, err
	}
	info := e.ProtocolInfo
	if given != nil {
		info.ProviderReserved = given.ProviderReserved
	}
	s, code := e.provider.WSPSocket(af, typ, protocol, &info, g, flags)
	s, code = d.made(s, code, e.provider, "WSPSocket")
	return s, reported(code).Err()
}

// Bind gives a socket its local address. WSAEFAULT (name too short), and the
// errors of WSPBind.
// Source: winsock/nf-winsock-bind.
func (t *Thread) Bind(s spi.Socket, name []byte) error {
	sock, e := t.lookup(s)
	if e != 0 {
		return t.fail(e)
	}
	if len(name) < shortestName(name) {
		return t.fail(spi.WSAEFAULT)
	}
	return t.result(sock.provider.WSPBind(s, name))
}

// shortestName is the least length of an address to bind to: that of struct
// sockaddr, but only the family for AF_UNIX, whose paths may be short.
func shortestName(name []byte) int {
	if spi.AddressFamily(name) == spi.AF_UNIX {
		return 2
	}
	return spi.SizeofSockaddrIn
}

// Listen makes a socket listen, with room for backlog connections that wait.
// Errors of WSPListen. Source: winsock2/nf-winsock2-listen.
func (t *Thread) Listen(s spi.Socket, backlog int32) error {
	sock, e := t.lookup(s)
	if e != 0 {
		return t.fail(e)
	}
	return t.result(sock.provider.WSPListen(s, backlog))
}

// Accept takes the first pending connection; addr and addrLen receive the
// peer's address unless nil. Errors of WSPAccept.
// Source: winsock2/nf-winsock2-accept.
func (t *Thread) Accept(s spi.Socket, addr []byte, addrLen *int32) (spi.Socket, error) {
	return t.WSAAccept(s, addr, addrLen, nil, 0)
}

// WSAAccept is [Thread.Accept] with a condition function, which decides on the
// calling thread about the connection. WSAECONNREFUSED (CF_REJECT), WSATRY_AGAIN
// (CF_DEFER), and the other errors of WSPAccept.
// Source: winsock2/nf-winsock2-wsaaccept.
func (t *Thread) WSAAccept(s spi.Socket, addr []byte, addrLen *int32, cond spi.ConditionFunc, data uintptr) (spi.Socket, error) {
	sock, e := t.lookup(s)
	if e != 0 {
		return spi.InvalidSocket, t.fail(e)
	}
	accepted, e := sock.provider.WSPAccept(s, addr, addrLen, cond, data)
	accepted, e = t.dll.made(accepted, e, sock.provider, "WSPAccept")
	return accepted, t.result(e)
}

// Connect connects a socket, or gives a datagram socket its default peer.
// Errors of WSPConnect. Source: winsock2/nf-winsock2-connect.
func (t *Thread) Connect(s spi.Socket, name []byte) error {
	return t.WSAConnect(s, name, nil, nil, nil, nil)
}

// WSAConnect is [Thread.Connect] with connect data and quality of service. For
// a version 1 client WSAEALREADY is WSAEINVAL.
// Source: winsock2/nf-winsock2-wsaconnect.
func (t *Thread) WSAConnect(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS) error {
	sock, e := t.lookup(s)
	if e != 0 {
		return t.fail(e)
	}
	e = sock.provider.WSPConnect(s, name, callerData, calleeData, sqos, gqos)
	if e == spi.WSAEALREADY && t.dll.effectiveVersion()&0xff == 1 {
		e = spi.WSAEINVAL
	}
	return t.result(e)
}

// WSAJoinLeaf joins a leaf to a multipoint session. Errors of WSPJoinLeaf.
// Source: winsock2/nf-winsock2-wsajoinleaf.
func (t *Thread) WSAJoinLeaf(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS, flags uint32) (spi.Socket, error) {
	sock, e := t.lookup(s)
	if e != 0 {
		return spi.InvalidSocket, t.fail(e)
	}
	leaf, e := sock.provider.WSPJoinLeaf(s, name, callerData, calleeData, sqos, gqos, flags)
	leaf, e = t.dll.made(leaf, e, sock.provider, "WSPJoinLeaf")
	return leaf, t.result(e)
}

// Shutdown ends reception (SD_RECEIVE), sending (SD_SEND) or both without
// closing the socket. Errors of WSPShutdown.
// Source: winsock/nf-winsock-shutdown.
func (t *Thread) Shutdown(s spi.Socket, how int32) error {
	sock, e := t.lookup(s)
	if e != 0 {
		return t.fail(e)
	}
	return t.result(sock.provider.WSPShutdown(s, how))
}

// CloseSocket closes a socket. On success the client's handle is gone, though a
// non-IFS provider may use it until its last operation is through. On failure
// (WSAEWOULDBLOCK: nonblocking with a linger time) it is still usable. While
// one call closes a socket another one fails with WSAENOTSOCK, so that no
// handle is closed twice.
// Source: winsock/nf-winsock-closesocket.
func (t *Thread) CloseSocket(s spi.Socket) error {
	sock, e := t.lookup(s)
	if e != 0 {
		return t.fail(e)
	}
	if !sock.state.CompareAndSwap(open, closing) {
		return t.fail(spi.WSAENOTSOCK)
	}
	if e := sock.provider.WSPCloseSocket(s); e != 0 {
		sock.state.CompareAndSwap(closing, open)
		return t.fail(e)
	}
	sock.state.Store(closed)
	t.dll.handles.drop(s, sock)
	t.dll.ports.forget(sock)
	return nil
}

// Knows reports whether a handle is one of a socket that the DLL has not
// forgotten, or not forgotten yet: while it is, a new operating-system handle with
// the same number passes for it. One that nobody has called a function on is not
// known.
func (d *DLL) Knows(s spi.Socket) bool { return d.handles.find(s) != nil }

// WSADuplicateSocket fills info with what [Thread.WSASocket] needs, in process
// pid and once, to make another handle for the same socket. WSAEFAULT (no
// info), and the errors of WSPDuplicateSocket.
// Source: winsock2/nf-winsock2-wsaduplicatesocketw.
func (t *Thread) WSADuplicateSocket(s spi.Socket, pid uint32, info *spi.ProtocolInfo) error {
	sock, e := t.lookup(s)
	if e != 0 {
		return t.fail(e)
	}
	if info == nil {
		return t.fail(spi.WSAEFAULT)
	}
	return t.result(sock.provider.WSPDuplicateSocket(s, pid, info))
}

// WSASendDisconnect ends sending, with disconnect data where the protocol has
// it. Errors of WSPSendDisconnect. Source: winsock2/nf-winsock2-wsasenddisconnect.
func (t *Thread) WSASendDisconnect(s spi.Socket, data *spi.Buf) error {
	sock, e := t.lookup(s)
	if e != 0 {
		return t.fail(e)
	}
	return t.result(sock.provider.WSPSendDisconnect(s, data))
}

// WSARecvDisconnect ends reception and returns disconnect data. Errors of
// WSPRecvDisconnect. Source: winsock2/nf-winsock2-wsarecvdisconnect.
func (t *Thread) WSARecvDisconnect(s spi.Socket, data *spi.Buf) error {
	sock, e := t.lookup(s)
	if e != 0 {
		return t.fail(e)
	}
	return t.result(sock.provider.WSPRecvDisconnect(s, data))
}
