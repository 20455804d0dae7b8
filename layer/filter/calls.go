package filter

import (
	"encoding/binary"

	"upcall.dev/spi"
)

// ask decides about a call on a socket that carries an address, and returns the
// provider that may have it.
func (f *filter) ask(s spi.Socket, d direction, name []byte) (spi.Provider, spi.Errno) {
	if f.relayed(s) {
		return f.relay, 0 // which decides by itself
	}
	p := f.current()
	if !p.judges(d) && f.log.Load() == nil {
		if d&(connect|bind) != 0 {
			f.leave(s)
		}
		return f.on(s), 0
	}
	o, ok := newOperation(d, f.kindOf(s, name), name)
	if !ok {
		return f.on(s), 0 // the provider says what is wrong with it
	}
	r := p.decide(&o)
	f.log.Load().write(&o, r)
	switch {
	case r.action == deny:
		return nil, r.errno
	case r.action == via:
		return f.enter(s, &o, r)
	case d&(connect|bind) != 0:
		f.leave(s)
	case d == send:
		return f.Provider, 0
	}
	return f.on(s), 0
}

// kindOf returns what a socket is, for a call that carries name.
func (f *filter) kindOf(s spi.Socket, name []byte) protocol {
	var value [4]byte
	length := int32(len(value))
	if f.on(s).WSPGetSockOpt(s, spi.SOL_SOCKET, spi.SO_TYPE, value[:], &length) != 0 {
		return otherProtocol
	}
	return protocolOfType(int32(binary.NativeEndian.Uint32(value[:])), spi.AddressFamily(name))
}

func protocolOfType(typ, family int32) protocol {
	switch {
	case family == spi.AF_UNIX:
		return local
	case typ == spi.SOCK_STREAM:
		return tcp
	case typ == spi.SOCK_DGRAM:
		return udp
	}
	return otherProtocol
}

func (f *filter) WSPSocket(af, typ, protocol int32, info *spi.ProtocolInfo, g spi.Group, flags uint32) (spi.Socket, spi.Errno) {
	if f.relay != nil && info != nil && f.owns(info) {
		s, errno := f.relay.WSPSocket(af, typ, protocol, info, g, flags)
		if errno == 0 {
			f.routes.set(s, &f.relay.here)
		}
		return s, errno
	}
	s, errno := f.Provider.WSPSocket(af, typ, protocol, info, g, flags)
	if errno == 0 {
		f.leave(s) // the number may have been another socket's
	}
	return s, errno
}

func (f *filter) WSPConnect(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS) spi.Errno {
	p, errno := f.ask(s, connect, name)
	if errno != 0 {
		return errno
	}
	errno = p.WSPConnect(s, name, callerData, calleeData, sqos, gqos)
	f.connecting(s, p, name)
	return errno
}

// connecting notes what a connect has changed.
func (f *filter) connecting(s spi.Socket, p spi.Provider, name []byte) {
	if f.relayed(s) {
		return
	}
	if p != f.Provider {
		f.keep(s, p)
	}
	if to, ok := spi.AddrPortFrom(name); ok && to.Port() == dnsPort && f.kindOf(s, name) == udp {
		f.resolvers.set(s, &struct{}{})
	}
}

func (f *filter) WSPJoinLeaf(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS, flags uint32) (spi.Socket, spi.Errno) {
	p, errno := f.ask(s, connect, name)
	if errno != 0 {
		return spi.InvalidSocket, errno
	}
	leaf, errno := p.WSPJoinLeaf(s, name, callerData, calleeData, sqos, gqos, flags)
	return f.made(s, leaf, errno)
}

// made notes a socket that came from another one.
func (f *filter) made(from, s spi.Socket, errno spi.Errno) (spi.Socket, spi.Errno) {
	if errno != 0 || s == from {
		return s, errno
	}
	t := f.routes.get(from)
	f.leave(s)
	if t == nil {
		return s, 0
	}
	f.routes.set(s, t)
	f.keep(s, t.provider())
	return s, 0
}

func (f *filter) WSPBind(s spi.Socket, name []byte) spi.Errno {
	p, errno := f.ask(s, bind, name)
	if errno != 0 {
		return errno
	}
	errno = p.WSPBind(s, name)
	if p != f.Provider && !f.relayed(s) {
		f.keep(s, p)
	}
	return errno
}

func (f *filter) WSPListen(s spi.Socket, backlog int32) spi.Errno {
	p := f.on(s)
	if errno := f.mayListen(p, s); errno != 0 {
		return errno
	}
	return p.WSPListen(s, backlog)
}

// mayListen decides by the address that the socket is bound to. One that has
// none is left to the provider.
func (f *filter) mayListen(p spi.Provider, s spi.Socket) spi.Errno {
	if !f.current().judges(listen) && f.log.Load() == nil {
		return 0
	}
	name := make([]byte, spi.SizeofSockaddrStorage)
	length := int32(len(name))
	if p.WSPGetSockName(s, name, &length) != 0 {
		return 0
	}
	_, errno := f.ask(s, listen, name[:max(0, min(int(length), len(name)))])
	return errno
}

// WSPAccept passes over peers that the rules deny: they are reset, and the call
// goes on with the next one. The client's condition function does not see them.
func (f *filter) WSPAccept(s spi.Socket, addr []byte, addrLen *int32, cond spi.ConditionFunc, callbackData uintptr) (spi.Socket, spi.Errno) {
	p := f.on(s)
	if !f.current().judges(accept) && f.log.Load() == nil {
		a, errno := p.WSPAccept(s, addr, addrLen, cond, callbackData)
		return f.made(s, a, errno)
	}
	var room int32
	if addrLen != nil {
		room = *addrLen
	}
	denied := false
	judge := func(callerID []byte, callerData *spi.Buf, sqos, gqos *spi.QOS, calleeID []byte, calleeData *spi.Buf, group *spi.Group, data uintptr) int32 {
		if denied = f.refusesPeer(s, callerID); denied {
			return spi.CF_REJECT
		}
		if cond == nil {
			return spi.CF_ACCEPT
		}
		return cond(callerID, callerData, sqos, gqos, calleeID, calleeData, group, data)
	}
	for {
		denied = false
		a, errno := p.WSPAccept(s, addr, addrLen, judge, callbackData)
		if !denied {
			return f.made(s, a, errno)
		}
		if errno == 0 {
			p.WSPCloseSocket(a)
		}
		if addrLen != nil {
			*addrLen = room
		}
	}
}

// refusesPeer decides about one that connects.
func (f *filter) refusesPeer(s spi.Socket, peer []byte) bool {
	o, ok := newOperation(accept, f.kindOf(s, peer), peer)
	if !ok {
		return false
	}
	r := f.current().decide(&o)
	f.log.Load().write(&o, r)
	return r.action == deny
}

func (f *filter) WSPSendTo(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, to []byte, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	p := f.on(s)
	if len(to) > 0 {
		var errno spi.Errno
		if p, errno = f.ask(s, send, to); errno != 0 {
			return errno
		}
	}
	return p.WSPSendTo(s, bufs, sent, flags, to, ov, routine, thread)
}

func (f *filter) WSPRecvFrom(s spi.Socket, bufs []spi.Buf, received, flags *uint32, from []byte, fromLen *int32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	errno := f.on(s).WSPRecvFrom(s, bufs, received, flags, from, fromLen, ov, routine, thread)
	if errno == 0 && received != nil && !f.observes && !f.relayed(s) {
		switch {
		case f.resolvers.get(s) != nil:
			learn(bufs, *received)
		case fromLen != nil && *fromLen > 0 && int(*fromLen) <= len(from) && fromResolver(from[:*fromLen]):
			learn(bufs, *received)
		}
	}
	return errno
}

func (f *filter) WSPRecv(s spi.Socket, bufs []spi.Buf, received, flags *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	errno := f.on(s).WSPRecv(s, bufs, received, flags, ov, routine, thread)
	if errno == 0 && received != nil && !f.observes && f.resolvers.get(s) != nil {
		learn(bufs, *received)
	}
	return errno
}

// WSPCloseSocket forgets the socket before its number can be another one's.
func (f *filter) WSPCloseSocket(s spi.Socket) spi.Errno {
	t, resolver := f.routes.get(s), f.resolvers.get(s)
	p := f.on(s)
	f.leave(s)
	errno := p.WSPCloseSocket(s)
	if errno == spi.WSAEWOULDBLOCK { // it lingers, and is still open
		f.routes.set(s, t)
		f.resolvers.set(s, resolver)
	}
	return errno
}
