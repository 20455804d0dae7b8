package nonifs

import (
	"os"
	"sync"

	"upcall.dev/spi"
)

// Base is the thirty functions of a provider whose sockets are [Endpoint]s. A
// provider embeds it, calls [Base.Init] once and [Host.Start] in its
// WSPStartup, and supplies the sockets.
type Base struct {
	Host
	handles    *Handles[Endpoint]
	duplicates duplicates
	newSocket  func(info *spi.ProtocolInfo, af, typ, protocol int32, flags uint32) (*Endpoint, spi.Errno)
	cleanup    func()
	pid        uint32
	extensions spi.Extensions
	transfers  sync.WaitGroup // files on their way

	mu      sync.Mutex // guards entries; a leaf lock
	entries map[uint32]*spi.ProtocolInfo
}

// Init prepares the Base. newSocket makes the socket that WSPSocket was asked
// for, its three numbers already taken from info where the client left them
// open. cleanup, which may be nil, is called at the end of the last WSPCleanup,
// when every socket is closed, and returns when every goroutine of the provider
// has ended.
func (b *Base) Init(newSocket func(info *spi.ProtocolInfo, af, typ, protocol int32, flags uint32) (*Endpoint, spi.Errno), cleanup func()) {
	b.handles = NewHandles[Endpoint](&b.Host)
	b.newSocket, b.cleanup = newSocket, cleanup
	b.pid = uint32(os.Getpid())
	b.entries = map[uint32]*spi.ProtocolInfo{}
	b.initExtensions()
}

// entry returns the one copy of a catalog entry that its sockets share.
func (b *Base) entry(info *spi.ProtocolInfo) *spi.ProtocolInfo {
	b.mu.Lock()
	defer b.mu.Unlock()
	if known := b.entries[info.CatalogEntryID]; known != nil {
		return known
	}
	copied := *info
	copied.ProviderReserved = 0
	b.entries[info.CatalogEntryID] = &copied
	return &copied
}

// WSPSocket makes a socket, or another descriptor when info came from
// WSPDuplicateSocket. WSAEINVAL, WSAEAFNOSUPPORT, WSAESOCKTNOSUPPORT,
// WSAEPROTONOSUPPORT, WSAENOBUFS.
func (b *Base) WSPSocket(af, typ, protocol int32, info *spi.ProtocolInfo, g spi.Group, flags uint32) (spi.Socket, spi.Errno) {
	if info == nil {
		return spi.InvalidSocket, spi.WSAEFAULT
	}
	if info.ProviderReserved != 0 {
		e, ok := b.duplicates.take(info.ProviderReserved)
		if !ok {
			return spi.InvalidSocket, spi.WSAEINVAL
		}
		return b.attach(info.CatalogEntryID, e)
	}
	if g != 0 || flags&^(spi.WSA_FLAG_OVERLAPPED|spi.WSA_FLAG_NO_HANDLE_INHERIT) != 0 {
		return spi.InvalidSocket, spi.WSAEINVAL
	}
	entry := b.entry(info)
	if af, typ, protocol = open(af, entry.AddressFamily), open(typ, entry.SocketType), open(protocol, entry.Protocol); af != entry.AddressFamily {
		return spi.InvalidSocket, spi.WSAEAFNOSUPPORT
	}
	if typ != entry.SocketType {
		return spi.InvalidSocket, spi.WSAESOCKTNOSUPPORT
	}
	if protocol < entry.Protocol || protocol > entry.Protocol+entry.ProtocolMaxOffset {
		return spi.InvalidSocket, spi.WSAEPROTONOSUPPORT
	}
	e, errno := b.newSocket(entry, af, typ, protocol, flags)
	if errno != 0 {
		return spi.InvalidSocket, errno
	}
	s, errno := b.attach(entry.CatalogEntryID, e)
	if errno != 0 {
		e.drop(errno)
	}
	return s, errno
}

// open replaces a number that the client left open.
func open(asked, entry int32) int32 {
	if asked == 0 || asked == spi.FROM_PROTOCOL_INFO {
		return entry
	}
	return asked
}

// attach makes a descriptor for an endpoint.
func (b *Base) attach(entryID uint32, e *Endpoint) (spi.Socket, spi.Errno) {
	e.mu.Lock()
	if e.state == stateClosed {
		e.mu.Unlock()
		return spi.InvalidSocket, spi.WSAEINVAL
	}
	e.descs++
	e.mu.Unlock()
	h, errno := b.handles.Create(entryID, e)
	if errno != 0 {
		e.mu.Lock()
		e.descs--
		e.mu.Unlock()
		return spi.InvalidSocket, errno
	}
	return h.Socket(), 0
}

// WSPCleanup undoes one WSPStartup; the last one resets every socket.
func (b *Base) WSPCleanup() spi.Errno {
	last, errno := b.Stop()
	if errno != 0 || !last {
		return errno
	}
	for h := range b.handles.All() {
		if w := h.Value.watch.Load(); w != nil {
			w.engine.Close()
		}
		if b.handles.Close(h) != 0 {
			continue
		}
		h.Value.abortOf(&h.descriptor)
		h.Value.detach(true)
	}
	b.transfers.Wait()
	if b.cleanup != nil {
		b.cleanup()
	}
	b.mu.Lock()
	b.entries = map[uint32]*spi.ProtocolInfo{} // the catalog may change before the next start
	b.mu.Unlock()
	return 0
}

// WSPCancelBlockingCall cancels the calling thread's blocked call.
func (b *Base) WSPCancelBlockingCall() spi.Errno { return b.CancelBlockingCall() }

// WSPBind gives the socket its local address.
func (b *Base) WSPBind(s spi.Socket, name []byte) spi.Errno {
	h, errno := b.handles.Lookup(s)
	if errno != 0 {
		return errno
	}
	return h.Value.lower.Bind(name)
}

// WSPGetSockName stores the local address.
func (b *Base) WSPGetSockName(s spi.Socket, name []byte, nameLen *int32) spi.Errno {
	return b.name(s, Lower.SockName, name, nameLen)
}

// WSPGetPeerName stores the peer's address.
func (b *Base) WSPGetPeerName(s spi.Socket, name []byte, nameLen *int32) spi.Errno {
	return b.name(s, Lower.PeerName, name, nameLen)
}

func (b *Base) name(s spi.Socket, which func(Lower) ([]byte, spi.Errno), name []byte, nameLen *int32) spi.Errno {
	h, errno := b.handles.Lookup(s)
	if errno != 0 {
		return errno
	}
	if nameLen == nil {
		return spi.WSAEFAULT
	}
	address, errno := which(h.Value.lower)
	if errno != 0 {
		return errno
	}
	return spi.StoreAddress(address, name, nameLen)
}

// WSPGetQOSByName finds no template: no Endpoint has quality of service.
func (b *Base) WSPGetQOSByName(s spi.Socket, _ *spi.Buf, _ *spi.QOS) spi.Errno {
	if _, errno := b.handles.Lookup(s); errno != 0 {
		return errno
	}
	return spi.WSAEINVAL
}

// WSPAddressToString writes the text form of an IPv4 or IPv6 address.
func (b *Base) WSPAddressToString(addr []byte, _ *spi.ProtocolInfo, buf []uint16, length *uint32) spi.Errno {
	return AddressToString(addr, buf, length)
}

// WSPStringToAddress parses the text form of an IPv4 or IPv6 address.
func (b *Base) WSPStringToAddress(str []uint16, af int32, _ *spi.ProtocolInfo, addr []byte, addrLen *int32) spi.Errno {
	return StringToAddress(str, af, addr, addrLen)
}
