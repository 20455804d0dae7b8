package filter

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"upcall.dev/internal/slot"
	"upcall.dev/spi"
)

// sockets keeps something for a few of the sockets. The zero value is empty.
type sockets[T any] struct {
	n           atomic.Int64 // how many there are
	descriptors slot.Direct[T]
	others      sync.Map // spi.Socket → *T
}

func (t *sockets[T]) get(s spi.Socket) *T {
	if t.n.Load() == 0 {
		return nil
	}
	if s < slot.DirectSize {
		return t.descriptors.Load(uintptr(s))
	}
	if v, ok := t.others.Load(s); ok {
		return v.(*T)
	}
	return nil
}

// set keeps v for the socket, or nothing when v is nil.
func (t *sockets[T]) set(s spi.Socket, v *T) {
	if v == nil && t.n.Load() == 0 {
		return
	}
	var old *T
	switch {
	case s < slot.DirectSize:
		old, _ = t.descriptors.Swap(uintptr(s), v)
	case v == nil:
		if was, ok := t.others.LoadAndDelete(s); ok {
			old = was.(*T)
		}
	default:
		if was, ok := t.others.Swap(s, v); ok {
			old = was.(*T)
		}
	}
	switch {
	case old == nil && v != nil:
		t.n.Add(1)
	case old != nil && v == nil:
		t.n.Add(-1)
	}
}

// routes are the sockets that go through another chain.
type routes struct{ sockets[target] }

// on returns the provider that the calls on a socket go to: that of the chain
// that a rule sent it to, else the next one.
func (f *filter) on(s spi.Socket) spi.Provider {
	if t := f.routes.get(s); t != nil {
		return t.provider()
	}
	return f.Provider
}

// relayed reports whether the socket is one of the half for datagrams.
func (f *filter) relayed(s spi.Socket) bool {
	t := f.routes.get(s)
	return t != nil && t.relayed
}

// leave makes the socket's calls go to the next provider again.
func (f *filter) leave(s spi.Socket) {
	f.routes.set(s, nil)
	f.resolvers.set(s, nil)
}

// enter makes the chain of a rule take the socket, and returns its provider.
// The socket is one descriptor for all chains: the other chain's layers adopt
// it, as they adopt one that was inherited, and the handle stays registered for
// the chain that this layer is in, whose upper layers see every call.
// WSAENETDOWN when the chain cannot be started, does not take the socket, or
// cannot know the address.
func (f *filter) enter(s spi.Socket, o *operation, r *rule) (spi.Provider, spi.Errno) {
	own, errno := protocolOf(f.Provider, s)
	if errno != 0 {
		return nil, errno
	}
	t, err := f.chain(r, own)
	if err == nil {
		err = t.reaches(o, r)
	}
	if err != nil {
		f.complain(err)
		return nil, spi.WSAENETDOWN
	}
	if f.routes.get(s) == t {
		return t.provider(), 0
	}
	if _, errno := protocolOf(t.provider(), s); errno != 0 {
		f.complain(&refusal{r.where, t.entry.Name(), errno})
		return nil, spi.WSAENETDOWN
	}
	f.routes.set(s, t)
	return t.provider(), 0
}

// keep registers a handle for the chain of this layer again, should the other
// chain have taken it over, unless the socket has been closed meanwhile.
func (f *filter) keep(s spi.Socket, p spi.Provider) {
	if f.on(s) != p {
		return
	}
	if own, errno := protocolOf(f.Provider, s); errno == 0 {
		_, _ = f.host.Upcalls().WPUModifyIFSHandle(own.CatalogEntryID, s)
	}
}

// protocolOf asks a provider for the catalog entry of a socket, which makes one
// that does not know the socket adopt it.
func protocolOf(p spi.Provider, s spi.Socket) (*spi.ProtocolInfo, spi.Errno) {
	info := new(spi.ProtocolInfo)
	length := int32(unsafe.Sizeof(*info))
	errno := p.WSPGetSockOpt(s, spi.SOL_SOCKET, spi.SO_PROTOCOL_INFOW, unsafe.Slice((*byte)(unsafe.Pointer(info)), length), &length)
	return info, errno
}
