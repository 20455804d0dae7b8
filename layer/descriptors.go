package layer

import (
	"sync"
	"unsafe"

	"upcall.dev/spi"
)

// descriptors is what a layer sees as its next provider when that hands out
// IFS handles. It passes every function through and overrides those in which
// the layer's chain entry takes the place of the entry below: the functions
// that make a handle register it again for the chain entry, and the last
// caller of WPUModifyIFSHandle wins, so that calls reach the layer.
type descriptors struct {
	spi.Provider // the next provider
	module       *module
	run          *run
	group        *group
}

// DLL and Upcalls are what the latest start passed; ownHandles has them too.
func (d *descriptors) DLL() spi.DLL { return d.module.chains.Host().DLL }

func (d *descriptors) Upcalls() *spi.UpcallTable { return &d.module.chains.Host().Upcalls }

func (d *descriptors) WSPSocket(af, typ, protocol int32, info *spi.ProtocolInfo, g spi.Group, flags uint32) (spi.Socket, spi.Errno) {
	link, errno := d.module.chains.Find(info)
	if errno != 0 {
		return spi.InvalidSocket, errno
	}
	s, errno := d.Provider.WSPSocket(af, typ, protocol, link.Below(info), g, flags)
	return d.register(link, s, errno)
}

func (d *descriptors) WSPAccept(s spi.Socket, addr []byte, addrLen *int32, cond spi.ConditionFunc, callbackData uintptr) (spi.Socket, spi.Errno) {
	link, errno := d.linkOf(s)
	if errno != 0 {
		return spi.InvalidSocket, errno
	}
	accepted, errno := d.Provider.WSPAccept(s, addr, addrLen, cond, callbackData)
	return d.register(link, accepted, errno)
}

func (d *descriptors) WSPJoinLeaf(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS, flags uint32) (spi.Socket, spi.Errno) {
	link, errno := d.linkOf(s)
	if errno != 0 {
		return spi.InvalidSocket, errno
	}
	leaf, errno := d.Provider.WSPJoinLeaf(s, name, callerData, calleeData, sqos, gqos, flags)
	if leaf == s {
		return leaf, errno // a leaf that joins is no new handle
	}
	return d.register(link, leaf, errno)
}

// register passes on the outcome of a function below that makes a handle. When
// it was a success the handle becomes the layer's.
func (d *descriptors) register(link *Link, s spi.Socket, errno spi.Errno) (spi.Socket, spi.Errno) {
	if errno != 0 {
		return spi.InvalidSocket, errno
	}
	host := d.module.chains.Host()
	got, errno := host.Upcalls.WPUModifyIFSHandle(link.entry.CatalogEntryID, s)
	if errno == 0 && got != s {
		errno = spi.WSASYSCALLFAILURE // the providers below know it by s alone
	}
	if errno != 0 {
		d.Provider.WSPCloseSocket(s)
		return spi.InvalidSocket, errno
	}
	d.run.sockets.put(s, link)
	return s, 0
}

func (d *descriptors) WSPCloseSocket(s spi.Socket) spi.Errno {
	known := d.run.sockets.get(s)
	errno := d.Provider.WSPCloseSocket(s)
	if errno == 0 {
		d.run.sockets.remove(s, known)
	}
	return errno
}

// WSPGetSockOpt answers SO_PROTOCOL_INFOW with the layer's chain entry. The
// DLL asks with it whether a handle that it does not know is the layer's.
func (d *descriptors) WSPGetSockOpt(s spi.Socket, level, name int32, val []byte, valLen *int32) spi.Errno {
	if level != spi.SOL_SOCKET || name != spi.SO_PROTOCOL_INFOW {
		return d.Provider.WSPGetSockOpt(s, level, name, val, valLen)
	}
	if valLen == nil {
		return spi.WSAEFAULT
	}
	link, errno := d.ask(s)
	if errno != 0 {
		return errno
	}
	return storeInfo(&link.entry, val, valLen)
}

// WSPIoctl passes through, but for extension functions that the layer is
// without. Others are the base provider's, which the layer does not see, unless
// it wraps them.
func (d *descriptors) WSPIoctl(s spi.Socket, code uint32, in, out []byte, returned *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	if d.module.definition.without(code, in) {
		return spi.WSAEOPNOTSUPP
	}
	return d.Provider.WSPIoctl(s, code, in, out, returned, ov, routine, thread)
}

func (d *descriptors) WSPDuplicateSocket(s spi.Socket, pid uint32, info *spi.ProtocolInfo) spi.Errno {
	if info == nil {
		return spi.WSAEFAULT
	}
	link, errno := d.linkOf(s)
	if errno != 0 {
		return errno
	}
	return duplicate(link, d.Provider, s, pid, info)
}

func (d *descriptors) WSPAddressToString(addr []byte, info *spi.ProtocolInfo, buf []uint16, length *uint32) spi.Errno {
	return d.Provider.WSPAddressToString(addr, d.infoBelow(info), buf, length)
}

func (d *descriptors) WSPStringToAddress(str []uint16, af int32, info *spi.ProtocolInfo, addr []byte, addrLen *int32) spi.Errno {
	return d.Provider.WSPStringToAddress(str, af, d.infoBelow(info), addr, addrLen)
}

func (d *descriptors) infoBelow(info *spi.ProtocolInfo) *spi.ProtocolInfo {
	if info == nil {
		return nil
	}
	if link := d.run.link(info.CatalogEntryID); link != nil {
		return link.Below(info)
	}
	return info
}

// WSPCleanup undoes one start of the layer; a switchboard above counts by
// itself.
func (d *descriptors) WSPCleanup() spi.Errno {
	if len(d.run.groups) > 1 {
		return 0
	}
	return d.module.cleanup()
}

// linkOf returns the chain entry that s belongs to.
func (d *descriptors) linkOf(s spi.Socket) (*Link, spi.Errno) {
	if known := d.run.sockets.get(s); known != nil {
		return known.link, 0
	}
	return d.ask(s)
}

// infos are descriptions that next providers have written into.
var infos = sync.Pool{New: func() any { return new(spi.ProtocolInfo) }}

// ask finds the chain entry that s belongs to from what the next provider says
// the socket is, whoever made it. WSAENOTSOCK when the layer is not installed
// over that protocol.
func (d *descriptors) ask(s spi.Socket) (*Link, spi.Errno) {
	below := infos.Get().(*spi.ProtocolInfo)
	defer infos.Put(below)
	*below = spi.ProtocolInfo{}
	length := int32(unsafe.Sizeof(*below))
	if errno := d.Provider.WSPGetSockOpt(s, spi.SOL_SOCKET, spi.SO_PROTOCOL_INFOW, infoBytes(below), &length); errno != 0 {
		return nil, errno
	}
	known := d.run.sockets.get(s)
	if known != nil && known.link.leadsTo(below) {
		return known.link, 0
	}
	link := d.run.linkAbove(below, d.group)
	if link == nil {
		return nil, spi.WSAENOTSOCK
	}
	d.run.sockets.put(s, link)
	return link, 0
}

// linkAbove returns the chain entry of group g for a socket that the next
// provider calls below: the chain entry itself if the layer is in it, else the
// one over the same base entry, else over the same protocol; one whose top is
// this layer goes before others, then the catalog's order decides.
func (r *run) linkAbove(below *spi.ProtocolInfo, g *group) *Link {
	var best *Link
	rank := 0
	for _, l := range r.links {
		if l.group != g {
			continue
		}
		score := 0
		switch {
		case l.entry.CatalogEntryID == below.CatalogEntryID:
			score = 6
		case l.base == baseOf(below):
			score = 4
		case l.entry.AddressFamily == below.AddressFamily && l.entry.SocketType == below.SocketType && l.entry.Protocol == below.Protocol:
			score = 2
		default:
			continue
		}
		if l.position == 0 {
			score++
		}
		if score > rank {
			best, rank = l, score
		}
	}
	return best
}

func (l *Link) leadsTo(below *spi.ProtocolInfo) bool {
	return l.entry.CatalogEntryID == below.CatalogEntryID || l.base == baseOf(below)
}

func baseOf(info *spi.ProtocolInfo) uint32 {
	if chain := info.ProtocolChain.Entries(); len(chain) > 0 {
		return chain[len(chain)-1]
	}
	return info.CatalogEntryID
}

// duplicate is WSPDuplicateSocket of the socket s below link: info becomes the
// chain entry with the token of the provider that knows how to share s.
func duplicate(link *Link, next spi.Provider, s spi.Socket, pid uint32, info *spi.ProtocolInfo) spi.Errno {
	var below spi.ProtocolInfo
	if errno := next.WSPDuplicateSocket(s, pid, &below); errno != 0 {
		return errno
	}
	*info = link.entry
	info.ProviderReserved = below.ProviderReserved
	return 0
}

func infoBytes(info *spi.ProtocolInfo) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(info)), unsafe.Sizeof(*info))
}

func storeInfo(info *spi.ProtocolInfo, val []byte, valLen *int32) spi.Errno {
	*valLen = int32(unsafe.Sizeof(*info))
	if len(val) < int(unsafe.Sizeof(*info)) {
		return spi.WSAEFAULT
	}
	copy(val, infoBytes(info))
	return 0
}
