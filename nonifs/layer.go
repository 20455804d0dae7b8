package nonifs

import (
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"upcall.dev/spi"
)

// Layer is the thirty functions of a layered provider that has handles of its
// own over the sockets of its next provider, IFS or not. It translates every
// handle, hands over operations and events, and otherwise passes each call
// through; a layer embeds it, or calls it as its next provider, and overrides
// what it changes. Make one with [NewLayer].
//
// An overlapped operation goes down with an overlapped structure of the
// Layer's; when it has completed, the client's is completed by
// WPUCompleteOverlappedRequest, or its routine queued by WPUQueueApc. A closed
// handle goes back to the DLL after the last such completion.
//
// How the Layer learns of the end depends on the client. If the handle has a
// completion port, and the operation neither event nor routine, the lower one
// has no event either: its packet comes to the Layer on the thread that
// dequeues from the client's port (CompleteWith). Otherwise the lower operation
// has an event of RegisterWait, and a goroutine of the Layer passes the outcome
// on.
//
// Lock order: a mapped socket's mutex, then those of Layer.
type Layer struct {
	Host
	handles *Handles[mapped]
	config  LayerConfig
	work    worker
	own     ownFunctions
	onLane  sync.Pool // *lowerOp without an event

	observer atomic.Pointer[func(*Transfer)]

	mu     sync.Mutex // guards what follows; a leaf lock
	belows map[LayerLink]*below
	closed map[*Handle[mapped]]struct{} // sockets with operations that are not over
}

// LayerLink is one chain entry as the layer sees it; layer.Link is one.
type LayerLink interface {
	// Entry returns the chain entry.
	Entry() *spi.ProtocolInfo
	// Next returns the started next provider.
	Next() spi.Provider
	// Below returns what the next provider is given in place of info.
	Below(info *spi.ProtocolInfo) *spi.ProtocolInfo
}

// LayerConfig says what is below a [Layer].
type LayerConfig struct {
	// Find returns the link of a chain entry, with its next provider started.
	Find func(info *spi.ProtocolInfo) (LayerLink, spi.Errno)
	// Cleanup, if not nil, undoes one start of the next providers. Each
	// WSPCleanup calls it, the last one after every socket is closed.
	Cleanup func() spi.Errno
	// Without are extension functions that the layer cannot support, such as
	// WSAID_TRANSMITFILE where it changes what is sent:
	// SIO_GET_EXTENSION_FUNCTION_POINTER gives WSAEOPNOTSUPP for them.
	Without []spi.GUID
}

// NewLayer returns a Layer. Call [Host.Start] with each WSPStartup.
func NewLayer(c LayerConfig) *Layer {
	l := &Layer{config: c}
	l.handles = NewHandles[mapped](&l.Host)
	l.work.layer = l
	l.onLane.New = func() any { return new(lowerOp) }
	l.own.init(l)
	return l
}

// mapped is one socket of a Layer.
type mapped struct {
	below *below
	next  spi.Provider // below.next
	lower spi.Socket
	// overlapped is the client's WSA_FLAG_OVERLAPPED; the lower socket always
	// has it.
	overlapped bool
	closing    atomic.Bool
	lane       atomic.Uint32

	mu          sync.Mutex // guards what follows
	first, last *lowerOp   // operations that somebody holds
	unfinished  bool       // listed in Layer.closed
	async       *asyncSelection
}

// below is a chain entry of a Layer, with what is known of its next provider.
type below struct {
	link  LayerLink
	next  spi.Provider
	found found
}

// Lower returns the next provider and its socket under the handle s, for a
// layer that wants to call below with arguments of its own. An overlapped
// operation that it starts there needs an event, tagged, or a routine: packets
// of that socket come to the Layer. WSAENOTSOCK.
func (l *Layer) Lower(s spi.Socket) (next spi.Provider, lower spi.Socket, errno spi.Errno) {
	h, errno := l.lookup(s)
	if errno != 0 {
		return nil, spi.InvalidSocket, errno
	}
	return h.Value.next, h.Value.lower, 0
}

// Sockets returns the number of open handles.
func (l *Layer) Sockets() int { return l.handles.Len() }

func (l *Layer) lookup(s spi.Socket) (*Handle[mapped], spi.Errno) {
	h, errno := l.handles.Lookup(s)
	if errno == 0 && h.Value.closing.Load() {
		return nil, spi.WSAENOTSOCK
	}
	return h, errno
}

// adopt makes a handle for a new lower socket, which it closes on failure.
func (l *Layer) adopt(link LayerLink, lower spi.Socket, overlapped bool) (*Handle[mapped], spi.Errno) {
	b := l.below(link)
	h, errno := l.handles.Create(link.Entry().CatalogEntryID, &mapped{below: b, next: b.next, lower: lower, overlapped: overlapped})
	if errno != 0 {
		b.next.WSPCloseSocket(lower)
		return nil, errno
	}
	return h, 0
}

// WSPSocket makes a lower socket and a handle over it. A duplicate takes
// overlapped operations whatever the flags: it shares a socket that has its own.
func (l *Layer) WSPSocket(af, typ, protocol int32, info *spi.ProtocolInfo, g spi.Group, flags uint32) (spi.Socket, spi.Errno) {
	link, errno := l.config.Find(info)
	if errno != 0 {
		return spi.InvalidSocket, errno
	}
	l.below(link) // for WSPCancelBlockingCall
	lower, errno := link.Next().WSPSocket(af, typ, protocol, link.Below(info), g, flags|spi.WSA_FLAG_OVERLAPPED)
	if errno != 0 {
		return spi.InvalidSocket, errno
	}
	overlapped := flags&spi.WSA_FLAG_OVERLAPPED != 0 || info != nil && info.ProviderReserved != 0
	h, errno := l.adopt(link, lower, overlapped)
	if errno != 0 {
		return spi.InvalidSocket, errno
	}
	return h.Socket(), 0
}

// below returns what the Layer keeps of a chain entry.
func (l *Layer) below(link LayerLink) *below {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.belows[link]
	if b == nil {
		b = &below{link: link, next: link.Next()}
		if l.belows == nil {
			l.belows = map[LayerLink]*below{}
		}
		l.belows[link] = b
	}
	return b
}

// nexts returns the next providers, for calls that name no socket.
func (l *Layer) nexts() (all []spi.Provider) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.belows {
		if !slices.Contains(all, b.next) {
			all = append(all, b.next)
		}
	}
	return all
}

// WSPAccept accepts below and makes a handle over the new socket.
func (l *Layer) WSPAccept(s spi.Socket, addr []byte, addrLen *int32, cond spi.ConditionFunc, callbackData uintptr) (spi.Socket, spi.Errno) {
	h, errno := l.lookup(s)
	if errno != 0 {
		return spi.InvalidSocket, errno
	}
	lower, errno := h.Value.next.WSPAccept(h.Value.lower, addr, addrLen, cond, callbackData)
	return l.inheriting(h, lower, errno)
}

// WSPJoinLeaf joins below. A leaf that joins is s itself.
func (l *Layer) WSPJoinLeaf(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS, flags uint32) (spi.Socket, spi.Errno) {
	h, errno := l.lookup(s)
	if errno != 0 {
		return spi.InvalidSocket, errno
	}
	lower, errno := h.Value.next.WSPJoinLeaf(h.Value.lower, name, callerData, calleeData, sqos, gqos, flags)
	if errno == 0 && lower == h.Value.lower {
		return s, 0
	}
	return l.inheriting(h, lower, errno)
}

func (l *Layer) inheriting(from *Handle[mapped], lower spi.Socket, errno spi.Errno) (spi.Socket, spi.Errno) {
	if errno != 0 {
		return spi.InvalidSocket, errno
	}
	h, errno := l.adopt(from.Value.below.link, lower, from.Value.overlapped)
	if errno != 0 {
		return spi.InvalidSocket, errno
	}
	l.inheritAsync(from, h)
	return h.Socket(), 0
}

// WSPDuplicateSocket offers the lower socket. info becomes the chain entry with
// the token of the provider that knows how to share.
func (l *Layer) WSPDuplicateSocket(s spi.Socket, pid uint32, info *spi.ProtocolInfo) spi.Errno {
	h, errno := l.lookup(s)
	if errno != 0 {
		return errno
	}
	if info == nil {
		return spi.WSAEFAULT
	}
	var below spi.ProtocolInfo
	if errno := h.Value.next.WSPDuplicateSocket(h.Value.lower, pid, &below); errno != 0 {
		return errno
	}
	*info = *h.Value.below.link.Entry()
	info.ProviderReserved = below.ProviderReserved
	return 0
}

// WSPCloseSocket closes the lower socket and then the handle, which the DLL
// gets back when the last overlapped operation has completed.
func (l *Layer) WSPCloseSocket(s spi.Socket) spi.Errno {
	h, errno := l.lookup(s)
	if errno != 0 {
		return errno
	}
	m := h.Value
	if !m.closing.CompareAndSwap(false, true) {
		return spi.WSAENOTSOCK
	}
	if errno = m.next.WSPCloseSocket(m.lower); errno != 0 {
		m.closing.Store(false)
		return errno
	}
	l.endAsync(m)
	errno = l.handles.Close(h)
	l.list(h)
	return errno
}

// WSPCleanup undoes one WSPStartup. The last one closes what is left, by a
// reset, and waits for the completions.
func (l *Layer) WSPCleanup() spi.Errno {
	last, errno := l.Stop()
	if errno != 0 {
		return errno
	}
	if last {
		for h := range l.handles.All() {
			l.reset(h)
		}
	}
	if l.config.Cleanup != nil {
		errno = l.config.Cleanup()
	}
	if last {
		l.work.stop()
		l.mu.Lock()
		l.belows = nil
		l.mu.Unlock()
	}
	return errno
}

func (l *Layer) reset(h *Handle[mapped]) {
	m := h.Value
	if !m.closing.CompareAndSwap(false, true) {
		return
	}
	hard := [4]byte{1, 0, 0, 0} // linger{1, 0}
	m.next.WSPSetSockOpt(m.lower, spi.SOL_SOCKET, spi.SO_LINGER, hard[:])
	m.next.WSPCloseSocket(m.lower)
	l.endAsync(m)
	l.handles.Close(h)
	l.list(h)
}

// WSPGetSockOpt answers SO_PROTOCOL_INFOW with the chain entry.
func (l *Layer) WSPGetSockOpt(s spi.Socket, level, name int32, val []byte, valLen *int32) spi.Errno {
	h, errno := l.lookup(s)
	if errno != 0 {
		return errno
	}
	if level != spi.SOL_SOCKET || name != spi.SO_PROTOCOL_INFOW {
		return h.Value.next.WSPGetSockOpt(h.Value.lower, level, name, val, valLen)
	}
	return storeInfo(h.Value.below.link.Entry(), val, valLen)
}

func storeInfo(info *spi.ProtocolInfo, val []byte, valLen *int32) spi.Errno {
	if valLen == nil || len(val) < int(unsafe.Sizeof(*info)) {
		return spi.WSAEFAULT
	}
	*valLen = int32(copy(val, unsafe.Slice((*byte)(unsafe.Pointer(info)), unsafe.Sizeof(*info))))
	return 0
}

// WSPSetSockOpt sets an option below; the listening handle that
// SO_UPDATE_ACCEPT_CONTEXT names is translated, and its selection of messages
// inherited.
func (l *Layer) WSPSetSockOpt(s spi.Socket, level, name int32, val []byte) spi.Errno {
	h, errno := l.lookup(s)
	if errno != 0 {
		return errno
	}
	var from *Handle[mapped]
	var lower spi.Socket
	if level == spi.SOL_SOCKET && name == spi.SO_UPDATE_ACCEPT_CONTEXT && len(val) == int(unsafe.Sizeof(lower)) {
		var listening spi.Socket
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&listening)), len(val)), val)
		if from, errno = l.lookup(listening); errno != 0 {
			return errno
		}
		lower = from.Value.lower
		val = unsafe.Slice((*byte)(unsafe.Pointer(&lower)), len(val))
	}
	errno = h.Value.next.WSPSetSockOpt(h.Value.lower, level, name, val)
	if errno == 0 && from != nil {
		l.inheritAsync(from, h)
	}
	return errno
}

// WSPCancelBlockingCall names no socket: the next provider in which the thread
// is blocked succeeds.
func (l *Layer) WSPCancelBlockingCall() spi.Errno {
	for _, next := range l.nexts() {
		if next.WSPCancelBlockingCall() == 0 {
			return 0
		}
	}
	return spi.WSAEINVAL
}

// WSPAddressToString asks the next provider of info's chain.
func (l *Layer) WSPAddressToString(addr []byte, info *spi.ProtocolInfo, buf []uint16, length *uint32) spi.Errno {
	link, errno := l.config.Find(info)
	if errno != 0 {
		return errno
	}
	return link.Next().WSPAddressToString(addr, link.Below(info), buf, length)
}

// WSPStringToAddress asks the next provider of info's chain.
func (l *Layer) WSPStringToAddress(str []uint16, af int32, info *spi.ProtocolInfo, addr []byte, addrLen *int32) spi.Errno {
	link, errno := l.config.Find(info)
	if errno != 0 {
		return errno
	}
	return link.Next().WSPStringToAddress(str, af, link.Below(info), addr, addrLen)
}
