package socks

import (
	"unsafe"

	"upcall.dev/layer"
	"upcall.dev/spi"
)

// request is a ConnectEx that is under way.
type request struct {
	ov     *spi.Overlapped
	data   []byte
	sent   uint32
	thread uintptr // that started it
}

// extension returns an extension function of the next provider.
func extension[F any](next spi.Provider, s spi.Socket, id spi.GUID) (f F, ok bool) {
	var out [8]byte
	var n uint32
	in := unsafe.Slice((*byte)(unsafe.Pointer(&id)), unsafe.Sizeof(id))
	if next.WSPIoctl(s, spi.SIO_GET_EXTENSION_FUNCTION_POINTER, in, out[:], &n, nil, nil, nil) != 0 {
		return f, false
	}
	return spi.LoadExtension[F](out[:n])
}

// WSPIoctl puts the layer before the extension functions that connect, wait or
// send, and keeps the client's mode while a connect has its own.
func (t *streams) WSPIoctl(s spi.Socket, code uint32, in, out []byte, returned *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	switch code {
	case spi.FIONBIO:
		if len(in) >= 4 && ov == nil {
			return t.changeMode(s, in, returned)
		}
	case spi.SIO_CANCEL_IO:
		if errno, mine := t.cancel(s, in); mine {
			return errno
		}
	case spi.SIO_GET_EXTENSION_FUNCTION_POINTER:
		errno := t.Provider.WSPIoctl(s, code, in, out, returned, ov, routine, thread)
		if id, ok := layer.ExtensionID(in); errno == 0 && ok {
			errno = t.wrap(id, out, returned)
		}
		return errno
	}
	return t.Provider.WSPIoctl(s, code, in, out, returned, ov, routine, thread)
}

func (t *streams) changeMode(s spi.Socket, in []byte, returned *uint32) spi.Errno {
	on := [4]byte(in) != [4]byte{}
	c := t.conns.get(s)
	if c != nil {
		c.mu.Lock()
		c.handedOver()
		state, selected := c.state.Load(), c.selection.mask != 0
		if !on && selected && (state == connecting || state == failed) {
			c.mu.Unlock()
			return spi.WSAEINVAL
		}
		if state == connecting {
			c.nonblocking = on // the end of the attempt sets it below
			c.mu.Unlock()
			if returned != nil {
				*returned = 0
			}
			return 0
		}
		c.mu.Unlock()
	}
	errno := t.Provider.WSPIoctl(s, spi.FIONBIO, in, nil, returned, nil, nil, nil)
	if c := t.conns.get(s); errno == 0 && (c != nil || s >= 1<<32 && on) {
		c = t.conn(s)
		c.mu.Lock()
		c.nonblocking = on
		c.mu.Unlock()
	}
	return errno
}

func (t *streams) wrap(id spi.GUID, out []byte, returned *uint32) spi.Errno {
	switch id {
	case spi.WSAID_CONNECTEX:
		return layer.WrapExtension(&t.extensions, id, out, returned, func(spi.ConnectExFunc) spi.ConnectExFunc { return t.connectEx })
	case spi.WSAID_WSAPOLL:
		return layer.WrapExtension(&t.extensions, id, out, returned, t.poll)
	case spi.WSAID_DISCONNECTEX:
		return layer.WrapExtension(&t.extensions, id, out, returned, func(next spi.DisconnectExFunc) spi.DisconnectExFunc {
			return func(s spi.Socket, ov *spi.Overlapped, flags uint32) spi.Errno {
				if t.answers(s) != nil {
					return spi.WSAENOTCONN
				}
				return next(s, ov, flags)
			}
		})
	case spi.WSAID_TRANSMITFILE:
		return layer.WrapExtension(&t.extensions, id, out, returned, func(next spi.TransmitFileFunc) spi.TransmitFileFunc {
			return func(s spi.Socket, file uintptr, toWrite, perSend uint32, ov *spi.Overlapped, around *spi.TransmitFileBuffers, flags uint32) spi.Errno {
				if t.answers(s) != nil {
					return spi.WSAENOTCONN
				}
				return next(s, file, toWrite, perSend, ov, around, flags)
			}
		})
	case spi.WSAID_TRANSMITPACKETS:
		return layer.WrapExtension(&t.extensions, id, out, returned, func(next spi.TransmitPacketsFunc) spi.TransmitPacketsFunc {
			return func(s spi.Socket, elements []spi.TransmitPacketsElement, perSend uint32, ov *spi.Overlapped, flags uint32) spi.Errno {
				if t.answers(s) != nil {
					return spi.WSAENOTCONN
				}
				return next(s, elements, perSend, ov, flags)
			}
		})
	}
	return 0
}

// connectEx is ConnectEx.
func (t *streams) connectEx(s spi.Socket, name, data []byte, sent *uint32, ov *spi.Overlapped) spi.Errno {
	family := spi.AddressFamily(name)
	if !carries(family) {
		if next, ok := extension[spi.ConnectExFunc](t.Provider, s, spi.WSAID_CONNECTEX); ok {
			return next(s, name, data, sent, ov)
		}
		return spi.WSAEOPNOTSUPP
	}
	if ov == nil {
		return spi.WSAEFAULT
	}
	if errno := t.unconnected(s); errno != 0 {
		return errno
	}
	if !t.bound(s) {
		return spi.WSAEINVAL
	}
	a, errno := t.newAttempt(s, name)
	if errno != 0 {
		return errno
	}
	c := t.conn(s)
	nonblocking := isNonblocking(s, c)
	c.mu.Lock()
	c.nonblocking = nonblocking
	c.mu.Unlock()
	a.over = &request{ov: ov, data: data}
	upcalls := t.host.Upcalls()
	if ev := ov.HEvent.Untagged(); ev != spi.InvalidEvent && upcalls.WPUResetEvent(ev) != 0 {
		a.free()
		return spi.WSA_INVALID_HANDLE
	}
	var id spi.ThreadID
	if upcalls.WPUOpenCurrentThread(&id) == 0 {
		a.over.thread = id.ThreadHandle
		upcalls.WPUCloseThread(&id)
	}
	if errno := c.begin(a, name); errno != 0 {
		a.free()
		return errno
	}
	ov.Offset, ov.OffsetHigh = 0, 0
	ov.Start()
	t.requests.Store(ov, a)
	if errno := t.started(a, a.start(family)); errno != spi.WSAEWOULDBLOCK {
		t.requests.Delete(ov)
		ov.OffsetHigh = uint32(errno)
		ov.Complete(errno, 0)
		return errno
	}
	return spi.WSA_IO_PENDING
}

// bound reports whether a socket has a local address, as ConnectEx wants it.
func (t *streams) bound(s spi.Socket) bool {
	var name [spi.SizeofSockaddrStorage]byte
	length := int32(len(name))
	if t.WSPGetSockName(s, name[:], &length) != 0 {
		return false
	}
	addr, ok := spi.AddrPortFrom(name[:max(0, min(int(length), len(name)))])
	return ok && addr.Port() != 0
}

// complete tells the end of a ConnectEx. An IFS handle is none of the DLL's, so
// that what a base provider does is done here.
func (t *streams) complete(s spi.Socket, r *request, errno spi.Errno) {
	ov, dll := r.ov, t.host.DLL()
	t.requests.Delete(ov)
	ov.OffsetHigh = uint32(errno)
	if s >= 1<<32 {
		dll.WPUCompleteOverlappedRequest(s, ov, errno, r.sent)
		return
	}
	port, event := dll.CompletionPort(s), ov.HEvent
	ov.Complete(errno, r.sent)
	if event.Untagged() != spi.InvalidEvent {
		t.host.Upcalls().WPUSetEvent(event.Untagged())
	}
	if port != nil && !event.Tagged() {
		port.Post(spi.Completion{Overlapped: ov, Status: errno, Transferred: r.sent})
	}
}

// cancel is SIO_CANCEL_IO; mine is false when the request does not name a
// ConnectEx.
func (t *streams) cancel(s spi.Socket, in []byte) (errno spi.Errno, mine bool) {
	var asked spi.CancelRequest
	c := t.answers(s)
	if c == nil || len(in) < int(unsafe.Sizeof(asked)) {
		return 0, false
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&asked)), unsafe.Sizeof(asked)), in)
	c.mu.Lock()
	a := c.attempt
	c.mu.Unlock()
	if a == nil || a.over == nil ||
		asked.Overlapped != 0 && asked.Overlapped != uintptr(unsafe.Pointer(a.over.ov)) ||
		asked.Thread != 0 && asked.Thread != a.over.thread {
		return 0, false
	}
	a.cancel()
	return 0, true
}

// WSPGetOverlappedResult waits for a ConnectEx, which the next provider does not
// know.
func (t *streams) WSPGetOverlappedResult(s spi.Socket, ov *spi.Overlapped, transferred *uint32, wait bool, flags *uint32) spi.Errno {
	if v, ok := t.requests.Load(ov); ok && wait {
		if errno := t.module.datagrams.Await(v.(*attempt).done, 0, t.module.entry()); errno != 0 {
			return errno
		}
	}
	return t.Provider.WSPGetOverlappedResult(s, ov, transferred, wait, flags)
}
