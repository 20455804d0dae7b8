package ws2

import (
	"slices"
	"sync"
	"unsafe"

	"upcall.dev/spi"
)

// adopt finds the provider of an operating-system handle that nobody has
// registered: one inherited, duplicated, or opened in another way. It asks each
// IFS provider once, in catalog order, for the handle's SO_PROTOCOL_INFOW; the
// first that answers gets the handle. Non-IFS providers are neither asked nor
// loaded, for their handles mean nothing outside the table. stale is what the
// table has under the handle, nil or a socket of an earlier start-up.
func (d *DLL) adopt(r *running, s spi.Socket, stale *socket) (*socket, spi.Errno) {
	if !isIFS(s) {
		return nil, spi.WSAENOTSOCK
	}
	var asked []*provider
	info := infos.Get().(*spi.ProtocolInfo)
	defer infos.Put(info)
	for _, e := range r.entries {
		if !e.usable || !e.IFS() || slices.Contains(asked, e.provider) {
			continue
		}
		if !d.protocolOf(s, e, info) {
			asked = append(asked, e.provider)
			continue
		}
		sock := &socket{provider: e.provider, entry: r.adopter(e, info)}
		if d.handles.ifs.CompareAndSwap(uintptr(s), stale, sock) {
			return sock, 0
		}
		// Another thread adopted it, or the provider registered it itself.
		if sock = d.handles.find(s); sock != nil && sock.usable() {
			return sock, 0
		}
		return nil, spi.WSAENOTSOCK
	}
	return nil, spi.WSAENOTSOCK
}

// infos are descriptions that providers have written into.
var infos = sync.Pool{New: func() any { return new(spi.ProtocolInfo) }}

// protocolOf asks the provider of e whether the handle is one of its sockets, and
// for what kind. A provider that cannot be started is passed over: it says so in the
// log.
func (d *DLL) protocolOf(s spi.Socket, e *entry, info *spi.ProtocolInfo) (its bool) {
	if e.provider.startForCode(e) != 0 {
		return false
	}
	*info = spi.ProtocolInfo{}
	length := int32(unsafe.Sizeof(*info))
	return e.provider.WSPGetSockOpt(s, spi.SOL_SOCKET, spi.SO_PROTOCOL_INFOW, bytesOf(info), &length) == 0
}

// adopter returns the entry of e's provider that the answer names: the very
// entry, or, where a layer lets its base answer, the provider's chain over that
// base; failing both, e.
func (r *running) adopter(e *entry, answer *spi.ProtocolInfo) *entry {
	if named := r.byID[answer.CatalogEntryID]; named != nil && named.provider == e.provider {
		return named
	}
	for _, other := range r.entries {
		if other.provider != e.provider || !other.usable || !other.IFS() {
			continue
		}
		if base := r.base(other); base != nil && base.CatalogEntryID == answer.CatalogEntryID {
			return other
		}
	}
	return e
}

// bytesOf returns the memory of an option's value.
func bytesOf[T any](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}
