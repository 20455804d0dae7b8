package filter

import "upcall.dev/spi"

// What carries no address goes to the chain that the socket is in.

func (f *filter) WSPAsyncSelect(s spi.Socket, wnd spi.HWND, msg uint32, events int32) spi.Errno {
	return f.on(s).WSPAsyncSelect(s, wnd, msg, events)
}

func (f *filter) WSPDuplicateSocket(s spi.Socket, pid uint32, info *spi.ProtocolInfo) spi.Errno {
	return f.on(s).WSPDuplicateSocket(s, pid, info)
}

func (f *filter) WSPEnumNetworkEvents(s spi.Socket, ev spi.Event, out *spi.NetworkEvents) spi.Errno {
	return f.on(s).WSPEnumNetworkEvents(s, ev, out)
}

func (f *filter) WSPEventSelect(s spi.Socket, ev spi.Event, events int32) spi.Errno {
	return f.on(s).WSPEventSelect(s, ev, events)
}

func (f *filter) WSPGetOverlappedResult(s spi.Socket, ov *spi.Overlapped, transferred *uint32, wait bool, flags *uint32) spi.Errno {
	return f.on(s).WSPGetOverlappedResult(s, ov, transferred, wait, flags)
}

func (f *filter) WSPGetPeerName(s spi.Socket, name []byte, nameLen *int32) spi.Errno {
	return f.on(s).WSPGetPeerName(s, name, nameLen)
}

func (f *filter) WSPGetSockName(s spi.Socket, name []byte, nameLen *int32) spi.Errno {
	return f.on(s).WSPGetSockName(s, name, nameLen)
}

// WSPGetSockOpt answers SO_PROTOCOL_INFOW with the chain that this layer is in,
// for that is where the handle is registered.
func (f *filter) WSPGetSockOpt(s spi.Socket, level, name int32, val []byte, valLen *int32) spi.Errno {
	if level == spi.SOL_SOCKET && name == spi.SO_PROTOCOL_INFOW && !f.relayed(s) {
		return f.Provider.WSPGetSockOpt(s, level, name, val, valLen)
	}
	return f.on(s).WSPGetSockOpt(s, level, name, val, valLen)
}

func (f *filter) WSPGetQOSByName(s spi.Socket, name *spi.Buf, qos *spi.QOS) spi.Errno {
	return f.on(s).WSPGetQOSByName(s, name, qos)
}

func (f *filter) WSPRecvDisconnect(s spi.Socket, data *spi.Buf) spi.Errno {
	return f.on(s).WSPRecvDisconnect(s, data)
}

func (f *filter) WSPSend(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	return f.on(s).WSPSend(s, bufs, sent, flags, ov, routine, thread)
}

func (f *filter) WSPSendDisconnect(s spi.Socket, data *spi.Buf) spi.Errno {
	return f.on(s).WSPSendDisconnect(s, data)
}

func (f *filter) WSPSetSockOpt(s spi.Socket, level, name int32, val []byte) spi.Errno {
	return f.on(s).WSPSetSockOpt(s, level, name, val)
}

func (f *filter) WSPShutdown(s spi.Socket, how int32) spi.Errno {
	return f.on(s).WSPShutdown(s, how)
}

// WSPSelect goes to the chain that all the sockets are in. For sockets of
// several chains, which are descriptors of one base provider, the next provider
// answers. WSAEINVAL for such sockets together with some of the relay, as for
// those of different providers.
func (f *filter) WSPSelect(read, write, except *spi.FDSet, timeout *spi.Timeval) (int32, spi.Errno) {
	p := f.Provider
	if f.routes.n.Load() > 0 {
		first, same, relayed := spi.Provider(nil), true, false
		for _, set := range []*spi.FDSet{read, write, except} {
			for _, s := range set.Sockets() {
				own := f.on(s)
				same = same && (first == nil || own == first)
				first, relayed = own, relayed || f.relayed(s)
			}
		}
		switch {
		case same && first != nil:
			p = first
		case relayed:
			return -1, spi.WSAEINVAL
		}
	}
	return p.WSPSelect(read, write, except, timeout)
}

// WSPCancelBlockingCall names no socket: the provider in which the thread is
// blocked succeeds.
func (f *filter) WSPCancelBlockingCall() spi.Errno {
	errno := f.Provider.WSPCancelBlockingCall()
	if errno == 0 || f.routes.n.Load() == 0 {
		return errno
	}
	for _, t := range f.started() {
		if t.provider().WSPCancelBlockingCall() == 0 {
			return 0
		}
	}
	return errno
}

// started returns the chains that have a provider.
func (s *shared) started() (all []*target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.targets {
		if t.next.Load() != nil {
			all = append(all, t)
		}
	}
	return all
}
