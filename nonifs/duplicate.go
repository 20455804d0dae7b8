package nonifs

import (
	"sync"

	"upcall.dev/spi"
)

// duplicates are the sockets that WSPDuplicateSocket has offered and WSPSocket
// has not yet taken up, by the token in dwProviderReserved.
type duplicates struct {
	mu      sync.Mutex // guards both fields; a leaf lock
	last    uint32
	pending map[uint32]*Endpoint
}

// offer makes a token for one more descriptor.
func (d *duplicates) offer(e *Endpoint) uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pending == nil {
		d.pending = map[uint32]*Endpoint{}
	}
	for {
		d.last++
		if _, taken := d.pending[d.last]; d.last != 0 && !taken {
			d.pending[d.last] = e
			return d.last
		}
	}
}

// take redeems a token, once.
func (d *duplicates) take(token uint32) (*Endpoint, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.pending[token]
	delete(d.pending, token)
	return e, ok
}

// forget withdraws the offers of a socket that is gone.
func (d *duplicates) forget(e *Endpoint) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for token, pending := range d.pending {
		if pending == e {
			delete(d.pending, token)
		}
	}
}

// WSPDuplicateSocket offers another descriptor of the socket to this process.
// WSAEINVAL for any other process, which cannot reach this one's memory.
func (b *Base) WSPDuplicateSocket(s spi.Socket, pid uint32, info *spi.ProtocolInfo) spi.Errno {
	h, errno := b.handles.Lookup(s)
	if errno != 0 {
		return errno
	}
	if info == nil {
		return spi.WSAEFAULT
	}
	if pid != b.pid {
		return spi.WSAEINVAL
	}
	*info = *h.Value.info
	info.ProviderReserved = b.duplicates.offer(h.Value)
	return 0
}
