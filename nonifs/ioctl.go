package nonifs

import (
	"encoding/binary"

	"upcall.dev/spi"
)

// WSPIoctl controls the socket. With ov its completion is indicated like any
// other.
func (b *Base) WSPIoctl(s spi.Socket, code uint32, in, out []byte, returned *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	h, errno := b.handles.Lookup(s)
	if errno != 0 {
		return errno
	}
	if returned == nil && ov == nil {
		return spi.WSAEFAULT
	}
	o, errno := b.begin(h, ov, routine, thread)
	if errno != 0 {
		return errno
	}
	var n uint32
	errno = b.control(h, code, in, out, &n)
	return b.atOnce(o, n, returned, nil, errno)
}

func (b *Base) control(h *Handle[Endpoint], code uint32, in, out []byte, returned *uint32) spi.Errno {
	switch code {
	case spi.SIO_CANCEL_IO:
		return cancelIO(h, in)
	case spi.SIO_GET_EXTENSION_FUNCTION_POINTER:
		return b.extensions.Store(in, out, returned)
	}
	return h.Value.ioctl(h.Socket(), code, in, out, returned)
}

func (e *Endpoint) ioctl(s spi.Socket, code uint32, in, out []byte, returned *uint32) spi.Errno {
	*returned = 0
	switch code {
	case spi.FIONBIO:
		if len(in) < 4 {
			return spi.WSAEFAULT
		}
		return e.setNonblocking(binary.NativeEndian.Uint32(in) != 0)
	case spi.FIONREAD:
		var n uint32
		if q := e.rx.Load(); q != nil {
			q.mu.Lock()
			n = q.available()
			q.mu.Unlock()
		}
		return putUint32(n, out, returned)
	case spi.SIOCATMARK: // no urgent data is ever ahead
		return putUint32(1, out, returned)
	case spi.SIO_BASE_HANDLE, spi.SIO_BSP_HANDLE, spi.SIO_BSP_HANDLE_SELECT, spi.SIO_BSP_HANDLE_POLL:
		if len(e.info.ProtocolChain.Entries()) > 0 {
			break // a layer lets the base answer
		}
		if len(out) < 8 {
			return spi.WSAEFAULT
		}
		binary.NativeEndian.PutUint64(out, uint64(s))
		*returned = 8
		return 0
	}
	return e.lower.Ioctl(code, in, out, returned)
}

func putUint32(v uint32, out []byte, returned *uint32) spi.Errno {
	if len(out) < 4 {
		return spi.WSAEFAULT
	}
	binary.NativeEndian.PutUint32(out, v)
	*returned = 4
	return 0
}

// setNonblocking is FIONBIO. WSAEINVAL while FD_ events are selected, which
// need a nonblocking socket.
func (e *Endpoint) setNonblocking(on bool) spi.Errno {
	if w := e.watch.Load(); w != nil && !on && w.engine.Active() {
		return spi.WSAEINVAL
	}
	e.nonblocking.Store(on)
	return 0
}
