package socks

import (
	"slices"

	"upcall.dev/layer"
	"upcall.dev/spi"
)

// provider is the layer's functions: it hands each call to the half that the
// socket belongs to.
type provider struct {
	spi.Provider // streams, and what else is not carried
	module       *module
	extensions   layer.Extensions
}

// of returns the half that a socket belongs to.
func (p *provider) of(s spi.Socket) spi.Provider {
	if p.module.datagrams.has(s) {
		return &p.module.datagrams
	}
	return p.Provider
}

func (p *provider) WSPSocket(af, typ, protocol int32, info *spi.ProtocolInfo, g spi.Group, flags uint32) (spi.Socket, spi.Errno) {
	if info != nil && isDatagram(info) {
		return p.module.datagrams.WSPSocket(af, typ, protocol, info, g, flags)
	}
	return p.Provider.WSPSocket(af, typ, protocol, info, g, flags)
}

func (p *provider) WSPCleanup() spi.Errno {
	p.module.stop()
	errno := p.module.datagrams.WSPCleanup()
	if e := p.Provider.WSPCleanup(); errno == 0 {
		errno = e
	}
	if e := p.module.chains.Cleanup(); errno == 0 {
		errno = e
	}
	return errno
}

func (p *provider) WSPCancelBlockingCall() spi.Errno {
	if p.module.datagrams.WSPCancelBlockingCall() == 0 {
		return 0
	}
	return p.Provider.WSPCancelBlockingCall()
}

// WSPSelect may ask about sockets of both halves.
func (p *provider) WSPSelect(read, write, except *spi.FDSet, timeout *spi.Timeval) (int32, spi.Errno) {
	fds := [3]*spi.FDSet{read, write, except}
	datagrams, streams := &selecting{provider: &p.module.datagrams}, &selecting{provider: p.Provider}
	for i, set := range fds {
		for _, s := range set.Sockets() {
			half := streams
			if p.module.datagrams.has(s) {
				half = datagrams
			}
			half.asked[i] = append(half.asked[i], s)
		}
	}
	switch {
	case datagrams.asked.empty():
		return p.Provider.WSPSelect(read, write, except, timeout)
	case streams.asked.empty():
		return p.module.datagrams.WSPSelect(read, write, except, timeout)
	}
	return selectAmong(fds, timeout, datagrams, &datagrams.asked, &datagrams.found, streams)
}

// WSPIoctl gives out a WSAPoll that knows the sockets of both halves.
func (p *provider) WSPIoctl(s spi.Socket, code uint32, in, out []byte, returned *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	half := p.of(s)
	errno := half.WSPIoctl(s, code, in, out, returned, ov, routine, thread)
	if code != spi.SIO_GET_EXTENSION_FUNCTION_POINTER || errno != 0 {
		return errno
	}
	if id, ok := layer.ExtensionID(in); ok && id == spi.WSAID_WSAPOLL {
		errno = layer.WrapExtension(&p.extensions, id, out, returned, func(next spi.WSAPollFunc) spi.WSAPollFunc { return p.poll(s, next) })
	}
	return errno
}

// poll is WSAPoll over next, the one of a socket like s.
func (p *provider) poll(s spi.Socket, next spi.WSAPollFunc) spi.WSAPollFunc {
	mine := p.module.datagrams.has(s)
	other := func(f spi.PollFD) bool { return int(f.FD) >= 0 && p.module.datagrams.has(f.FD) != mine }
	return func(fds []spi.PollFD, timeout int32) (int32, spi.Errno) {
		i := slices.IndexFunc(fds, other)
		if i < 0 {
			return next(fds, timeout)
		}
		function, ok := extension[spi.WSAPollFunc](p.of(fds[i].FD), fds[i].FD, spi.WSAID_WSAPOLL)
		if !ok {
			return 0, spi.WSAEOPNOTSUPP
		}
		others := &polling{function: function}
		return pollAmong(fds, timeout, other, others, &others.fds, &polling{function: next})
	}
}

// The rest only finds the half.

func (p *provider) WSPAccept(s spi.Socket, addr []byte, addrLen *int32, cond spi.ConditionFunc, callbackData uintptr) (spi.Socket, spi.Errno) {
	return p.of(s).WSPAccept(s, addr, addrLen, cond, callbackData)
}

func (p *provider) WSPAsyncSelect(s spi.Socket, wnd spi.HWND, msg uint32, events int32) spi.Errno {
	return p.of(s).WSPAsyncSelect(s, wnd, msg, events)
}

func (p *provider) WSPBind(s spi.Socket, name []byte) spi.Errno { return p.of(s).WSPBind(s, name) }

func (p *provider) WSPCloseSocket(s spi.Socket) spi.Errno { return p.of(s).WSPCloseSocket(s) }

func (p *provider) WSPConnect(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS) spi.Errno {
	return p.of(s).WSPConnect(s, name, callerData, calleeData, sqos, gqos)
}

func (p *provider) WSPDuplicateSocket(s spi.Socket, pid uint32, info *spi.ProtocolInfo) spi.Errno {
	return p.of(s).WSPDuplicateSocket(s, pid, info)
}

func (p *provider) WSPEnumNetworkEvents(s spi.Socket, ev spi.Event, out *spi.NetworkEvents) spi.Errno {
	return p.of(s).WSPEnumNetworkEvents(s, ev, out)
}

func (p *provider) WSPEventSelect(s spi.Socket, ev spi.Event, events int32) spi.Errno {
	return p.of(s).WSPEventSelect(s, ev, events)
}

func (p *provider) WSPGetOverlappedResult(s spi.Socket, ov *spi.Overlapped, transferred *uint32, wait bool, flags *uint32) spi.Errno {
	return p.of(s).WSPGetOverlappedResult(s, ov, transferred, wait, flags)
}

func (p *provider) WSPGetPeerName(s spi.Socket, name []byte, nameLen *int32) spi.Errno {
	return p.of(s).WSPGetPeerName(s, name, nameLen)
}

func (p *provider) WSPGetQOSByName(s spi.Socket, name *spi.Buf, qos *spi.QOS) spi.Errno {
	return p.of(s).WSPGetQOSByName(s, name, qos)
}

func (p *provider) WSPGetSockName(s spi.Socket, name []byte, nameLen *int32) spi.Errno {
	return p.of(s).WSPGetSockName(s, name, nameLen)
}

func (p *provider) WSPGetSockOpt(s spi.Socket, level, name int32, val []byte, valLen *int32) spi.Errno {
	return p.of(s).WSPGetSockOpt(s, level, name, val, valLen)
}

func (p *provider) WSPJoinLeaf(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS, flags uint32) (spi.Socket, spi.Errno) {
	return p.of(s).WSPJoinLeaf(s, name, callerData, calleeData, sqos, gqos, flags)
}

func (p *provider) WSPListen(s spi.Socket, backlog int32) spi.Errno {
	return p.of(s).WSPListen(s, backlog)
}

func (p *provider) WSPRecv(s spi.Socket, bufs []spi.Buf, received, flags *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	return p.of(s).WSPRecv(s, bufs, received, flags, ov, routine, thread)
}

func (p *provider) WSPRecvDisconnect(s spi.Socket, data *spi.Buf) spi.Errno {
	return p.of(s).WSPRecvDisconnect(s, data)
}

func (p *provider) WSPRecvFrom(s spi.Socket, bufs []spi.Buf, received, flags *uint32, from []byte, fromLen *int32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	return p.of(s).WSPRecvFrom(s, bufs, received, flags, from, fromLen, ov, routine, thread)
}

func (p *provider) WSPSend(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	return p.of(s).WSPSend(s, bufs, sent, flags, ov, routine, thread)
}

func (p *provider) WSPSendDisconnect(s spi.Socket, data *spi.Buf) spi.Errno {
	return p.of(s).WSPSendDisconnect(s, data)
}

func (p *provider) WSPSendTo(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, to []byte, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	return p.of(s).WSPSendTo(s, bufs, sent, flags, to, ov, routine, thread)
}

func (p *provider) WSPSetSockOpt(s spi.Socket, level, name int32, val []byte) spi.Errno {
	return p.of(s).WSPSetSockOpt(s, level, name, val)
}

func (p *provider) WSPShutdown(s spi.Socket, how int32) spi.Errno { return p.of(s).WSPShutdown(s, how) }
