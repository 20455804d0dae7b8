package layer

import "upcall.dev/spi"

// switchboard is the provider of a layer whose chains lead to several next
// providers: it hands each call to the author's provider over the right one.
// Sockets of different next providers cannot share a select.
type switchboard struct {
	module *module
	run    *run
}

// of returns the author's provider that s belongs to.
func (b *switchboard) of(s spi.Socket) (spi.Provider, spi.Errno) {
	if known := b.run.sockets.get(s); known != nil {
		return known.link.group.upper, 0
	}
	return nil, spi.WSAENOTSOCK
}

// over returns the author's provider for a chain entry, started if need be.
func (b *switchboard) over(info *spi.ProtocolInfo) (spi.Provider, *Link, spi.Errno) {
	link, errno := b.module.chains.Find(info)
	if errno != 0 {
		return nil, nil, errno
	}
	p, errno := b.module.provider(link)
	return p, link, errno
}

// made notes a new handle of the chain entry link, unless the layer's view of
// the next provider has done so.
func (b *switchboard) made(link *Link, s spi.Socket, errno spi.Errno) (spi.Socket, spi.Errno) {
	if errno == 0 && b.run.sockets.get(s) == nil {
		b.run.sockets.put(s, link)
	}
	return s, errno
}

func (b *switchboard) WSPSocket(af, typ, protocol int32, info *spi.ProtocolInfo, g spi.Group, flags uint32) (spi.Socket, spi.Errno) {
	p, link, errno := b.over(info)
	if errno != 0 {
		return spi.InvalidSocket, errno
	}
	s, errno := p.WSPSocket(af, typ, protocol, info, g, flags)
	return b.made(link, s, errno)
}

func (b *switchboard) WSPAccept(s spi.Socket, addr []byte, addrLen *int32, cond spi.ConditionFunc, callbackData uintptr) (spi.Socket, spi.Errno) {
	known := b.run.sockets.get(s)
	if known == nil {
		return spi.InvalidSocket, spi.WSAENOTSOCK
	}
	accepted, errno := known.link.group.upper.WSPAccept(s, addr, addrLen, cond, callbackData)
	return b.made(known.link, accepted, errno)
}

func (b *switchboard) WSPJoinLeaf(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS, flags uint32) (spi.Socket, spi.Errno) {
	known := b.run.sockets.get(s)
	if known == nil {
		return spi.InvalidSocket, spi.WSAENOTSOCK
	}
	leaf, errno := known.link.group.upper.WSPJoinLeaf(s, name, callerData, calleeData, sqos, gqos, flags)
	if leaf == s {
		return leaf, errno
	}
	return b.made(known.link, leaf, errno)
}

func (b *switchboard) WSPCloseSocket(s spi.Socket) spi.Errno {
	known := b.run.sockets.get(s)
	if known == nil {
		return spi.WSAENOTSOCK
	}
	errno := known.link.group.upper.WSPCloseSocket(s)
	if errno == 0 {
		b.run.sockets.remove(s, known)
	}
	return errno
}

// WSPGetSockOpt asks, for the SO_PROTOCOL_INFOW of a handle that the layer does
// not know, each next provider with IFS handles, in the catalog's order.
func (b *switchboard) WSPGetSockOpt(s spi.Socket, level, name int32, val []byte, valLen *int32) spi.Errno {
	p, errno := b.of(s)
	if errno == 0 {
		return p.WSPGetSockOpt(s, level, name, val, valLen)
	}
	if level != spi.SOL_SOCKET || name != spi.SO_PROTOCOL_INFOW {
		return errno
	}
	asked := map[*group]bool{}
	for _, link := range b.run.links {
		if !link.group.ifs || asked[link.group] {
			continue
		}
		p, _, startErrno := b.over(&link.entry)
		if startErrno != 0 {
			continue
		}
		asked[link.group] = true
		if p.WSPGetSockOpt(s, level, name, val, valLen) == 0 {
			return 0
		}
	}
	return errno
}

// WSPGetOverlappedResult of a handle that was closed with operations pending
// reads the outcome from the structure, where its completion has stored it.
func (b *switchboard) WSPGetOverlappedResult(s spi.Socket, ov *spi.Overlapped, transferred *uint32, wait bool, flags *uint32) spi.Errno {
	p, errno := b.of(s)
	if errno == 0 {
		return p.WSPGetOverlappedResult(s, ov, transferred, wait, flags)
	}
	if ov == nil || transferred == nil || flags == nil {
		return spi.WSAEFAULT
	}
	if ov.InProgress() {
		return errno
	}
	*transferred, *flags = uint32(ov.InternalHigh), ov.Offset
	return spi.Errno(ov.OffsetHigh)
}

// WSPSelect gives WSAEINVAL for sockets of different next providers, as the
// DLL does for those of different providers.
func (b *switchboard) WSPSelect(read, write, except *spi.FDSet, timeout *spi.Timeval) (int32, spi.Errno) {
	var one *group
	for _, set := range []*spi.FDSet{read, write, except} {
		for _, s := range set.Sockets() {
			known := b.run.sockets.get(s)
			switch {
			case known == nil:
				return -1, spi.WSAENOTSOCK
			case one == nil:
				one = known.link.group
			case one != known.link.group:
				return -1, spi.WSAEINVAL
			}
		}
	}
	if one == nil {
		return -1, spi.WSAEINVAL
	}
	return one.upper.WSPSelect(read, write, except, timeout)
}

func (b *switchboard) WSPAddressToString(addr []byte, info *spi.ProtocolInfo, buf []uint16, length *uint32) spi.Errno {
	p, _, errno := b.over(info)
	if errno != 0 {
		return errno
	}
	return p.WSPAddressToString(addr, info, buf, length)
}

func (b *switchboard) WSPStringToAddress(str []uint16, af int32, info *spi.ProtocolInfo, addr []byte, addrLen *int32) spi.Errno {
	p, _, errno := b.over(info)
	if errno != 0 {
		return errno
	}
	return p.WSPStringToAddress(str, af, info, addr, addrLen)
}

// WSPCancelBlockingCall names no socket: the one next provider in which the
// thread is blocked succeeds.
func (b *switchboard) WSPCancelBlockingCall() spi.Errno {
	for _, p := range b.started() {
		if p.WSPCancelBlockingCall() == 0 {
			return 0
		}
	}
	return spi.WSAEINVAL
}

func (b *switchboard) WSPCleanup() spi.Errno {
	if !b.module.chains.running(b.run) {
		return spi.WSANOTINITIALISED
	}
	var first spi.Errno
	for _, p := range b.started() {
		if errno := p.WSPCleanup(); errno != 0 && first == 0 {
			first = errno
		}
	}
	if errno := b.module.cleanup(); errno != 0 {
		return errno
	}
	return first
}

// started returns the author's providers that exist.
func (b *switchboard) started() []spi.Provider {
	var all []spi.Provider
	for _, g := range b.run.groups {
		if p := g.provider(); p != nil {
			all = append(all, p)
		}
	}
	return all
}

func (b *switchboard) WSPAsyncSelect(s spi.Socket, wnd spi.HWND, msg uint32, events int32) spi.Errno {
	p, errno := b.of(s)
	if errno != 0 {
		return errno
	}
	return p.WSPAsyncSelect(s, wnd, msg, events)
}

func (b *switchboard) WSPBind(s spi.Socket, name []byte) spi.Errno {
	p, errno := b.of(s)
	if errno != 0 {
		return errno
	}
	return p.WSPBind(s, name)
}

func (b *switchboard) WSPConnect(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS) spi.Errno {
	p, errno := b.of(s)
	if errno != 0 {
		return errno
	}
	return p.WSPConnect(s, name, callerData, calleeData, sqos, gqos)
}

func (b *switchboard) WSPDuplicateSocket(s spi.Socket, pid uint32, info *spi.ProtocolInfo) spi.Errno {
	p, errno := b.of(s)
	if errno != 0 {
		return errno
	}
	return p.WSPDuplicateSocket(s, pid, info)
}

func (b *switchboard) WSPEnumNetworkEvents(s spi.Socket, ev spi.Event, out *spi.NetworkEvents) spi.Errno {
	p, errno := b.of(s)
	if errno != 0 {
		return errno
	}
	return p.WSPEnumNetworkEvents(s, ev, out)
}

func (b *switchboard) WSPEventSelect(s spi.Socket, ev spi.Event, events int32) spi.Errno {
	p, errno := b.of(s)
	if errno != 0 {
		return errno
	}
	return p.WSPEventSelect(s, ev, events)
}

func (b *switchboard) WSPGetPeerName(s spi.Socket, name []byte, nameLen *int32) spi.Errno {
	p, errno := b.of(s)
	if errno != 0 {
		return errno
	}
	return p.WSPGetPeerName(s, name, nameLen)
}

func (b *switchboard) WSPGetSockName(s spi.Socket, name []byte, nameLen *int32) spi.Errno {
	p, errno := b.of(s)
	if errno != 0 {
		return errno
	}
	return p.WSPGetSockName(s, name, nameLen)
}

func (b *switchboard) WSPGetQOSByName(s spi.Socket, name *spi.Buf, qos *spi.QOS) spi.Errno {
	p, errno := b.of(s)
	if errno != 0 {
		return errno
	}
	return p.WSPGetQOSByName(s, name, qos)
}

func (b *switchboard) WSPIoctl(s spi.Socket, code uint32, in, out []byte, returned *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	p, errno := b.of(s)
	if errno != 0 {
		return errno
	}
	return p.WSPIoctl(s, code, in, out, returned, ov, routine, thread)
}

func (b *switchboard) WSPListen(s spi.Socket, backlog int32) spi.Errno {
	p, errno := b.of(s)
	if errno != 0 {
		return errno
	}
	return p.WSPListen(s, backlog)
}

func (b *switchboard) WSPRecv(s spi.Socket, bufs []spi.Buf, received, flags *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	p, errno := b.of(s)
	if errno != 0 {
		return errno
	}
	return p.WSPRecv(s, bufs, received, flags, ov, routine, thread)
}

func (b *switchboard) WSPRecvDisconnect(s spi.Socket, data *spi.Buf) spi.Errno {
	p, errno := b.of(s)
	if errno != 0 {
		return errno
	}
	return p.WSPRecvDisconnect(s, data)
}

func (b *switchboard) WSPRecvFrom(s spi.Socket, bufs []spi.Buf, received, flags *uint32, from []byte, fromLen *int32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	p, errno := b.of(s)
	if errno != 0 {
		return errno
	}
	return p.WSPRecvFrom(s, bufs, received, flags, from, fromLen, ov, routine, thread)
}

func (b *switchboard) WSPSend(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	p, errno := b.of(s)
	if errno != 0 {
		return errno
	}
	return p.WSPSend(s, bufs, sent, flags, ov, routine, thread)
}

func (b *switchboard) WSPSendDisconnect(s spi.Socket, data *spi.Buf) spi.Errno {
	p, errno := b.of(s)
	if errno != 0 {
		return errno
	}
	return p.WSPSendDisconnect(s, data)
}

func (b *switchboard) WSPSendTo(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, to []byte, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	p, errno := b.of(s)
	if errno != 0 {
		return errno
	}
	return p.WSPSendTo(s, bufs, sent, flags, to, ov, routine, thread)
}

func (b *switchboard) WSPSetSockOpt(s spi.Socket, level, name int32, val []byte) spi.Errno {
	p, errno := b.of(s)
	if errno != 0 {
		return errno
	}
	return p.WSPSetSockOpt(s, level, name, val)
}

func (b *switchboard) WSPShutdown(s spi.Socket, how int32) spi.Errno {
	p, errno := b.of(s)
	if errno != 0 {
		return errno
	}
	return p.WSPShutdown(s, how)
}
