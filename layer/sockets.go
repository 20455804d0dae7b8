package layer

import (
	"sync"

	"upcall.dev/internal/slot"
	"upcall.dev/spi"
)

// socket is what the layer knows of one handle. Each has its own object, so
// that an entry is removed only while it still is the one that was closed.
type socket struct{ link *Link }

// sockets files the handles of one run: descriptors by their number, others in
// a map. A descriptor that was closed behind the DLL's back keeps its entry
// until the number is used again.
type sockets struct {
	descriptors slot.Direct[socket]
	others      sync.Map // spi.Socket → *socket
}

func (t *sockets) get(s spi.Socket) *socket {
	if s < slot.DirectSize {
		return t.descriptors.Load(uintptr(s))
	}
	if v, ok := t.others.Load(s); ok {
		return v.(*socket)
	}
	return nil
}

func (t *sockets) put(s spi.Socket, link *Link) {
	if s < slot.DirectSize {
		t.descriptors.Store(uintptr(s), &socket{link})
		return
	}
	t.others.Store(s, &socket{link})
}

func (t *sockets) remove(s spi.Socket, old *socket) {
	if old == nil {
		return
	}
	if s < slot.DirectSize {
		t.descriptors.CompareAndDelete(uintptr(s), old)
		return
	}
	t.others.CompareAndDelete(s, old)
}
