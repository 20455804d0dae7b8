package ws2

import (
	"upcall.dev/internal/netdb"
	"upcall.dev/spi"
)

// The asynchronous database functions of version 1.1: each returns a handle at
// once and tells the end by a message, whose WParam is the handle, and whose
// LParam has the error in its high 16 bits (see [AsyncError]) and in the low
// ones the bytes needed ([AsyncBufLen]). buf then begins with the structure.
// With WSAENOBUFS it was too small. Their own errors: WSAEINVAL (no such
// window), WSAEWOULDBLOCK (too many requests), WSANOTINITIALISED.

// MAXGETHOSTSTRUCT is a size of buffer that is enough for most hosts.
const MAXGETHOSTSTRUCT = 1024

// AsyncError returns the error in a message's LParam, WSAGETASYNCERROR.
func AsyncError(lParam uintptr) spi.Errno { return spi.Errno(lParam >> 16 & 0xffff) }

// AsyncBufLen returns the bytes needed in a message's LParam, WSAGETASYNCBUFLEN.
func AsyncBufLen(lParam uintptr) int { return int(lParam & 0xffff) }

// WSAAsyncGetHostByName is [Thread.GetHostByName] with a [spi.Hostent] in buf.
// Source: wsipv6ok/nf-wsipv6ok-wsaasyncgethostbyname.
func (t *Thread) WSAAsyncGetHostByName(wnd spi.HWND, msg uint32, name string, buf []byte) (uintptr, error) {
	return t.async(wnd, msg, buf, func(r *running, c *canceller) (packer, error) {
		return packed(t.dll.hostByName(r, name, c))
	})
}

// WSAAsyncGetHostByAddr is [Thread.GetHostByAddr] with a [spi.Hostent] in buf.
// Source: wsipv6ok/nf-wsipv6ok-wsaasyncgethostbyaddr.
func (t *Thread) WSAAsyncGetHostByAddr(wnd spi.HWND, msg uint32, addr []byte, family int32, buf []byte) (uintptr, error) {
	addr = append([]byte(nil), addr...)
	return t.async(wnd, msg, buf, func(r *running, c *canceller) (packer, error) {
		return packed(t.dll.hostByAddr(r, addr, family, c))
	})
}

// WSAAsyncGetServByName is [Thread.GetServByName] with a [spi.Servent] in buf.
// Source: winsock2/nf-winsock2-wsaasyncgetservbyname.
func (t *Thread) WSAAsyncGetServByName(wnd spi.HWND, msg uint32, name, protocol string, buf []byte) (uintptr, error) {
	return t.async(wnd, msg, buf, func(*running, *canceller) (packer, error) {
		s, e := servByName(name, protocol)
		return packed(s, e.Err())
	})
}

// WSAAsyncGetServByPort is [Thread.GetServByPort] with a [spi.Servent] in buf.
// Source: winsock2/nf-winsock2-wsaasyncgetservbyport.
func (t *Thread) WSAAsyncGetServByPort(wnd spi.HWND, msg uint32, port uint16, protocol string, buf []byte) (uintptr, error) {
	return t.async(wnd, msg, buf, func(*running, *canceller) (packer, error) {
		s, e := servByPort(port, protocol)
		return packed(s, e.Err())
	})
}

// WSAAsyncGetProtoByName is [Thread.GetProtoByName] with a [spi.Protoent] in buf.
// Source: winsock2/nf-winsock2-wsaasyncgetprotobyname.
func (t *Thread) WSAAsyncGetProtoByName(wnd spi.HWND, msg uint32, name string, buf []byte) (uintptr, error) {
	return t.async(wnd, msg, buf, func(*running, *canceller) (packer, error) {
		p, e := protoOf(netdb.System.ProtocolByName(name))
		return packed(p, e.Err())
	})
}

// WSAAsyncGetProtoByNumber is [Thread.GetProtoByNumber] with a [spi.Protoent] in
// buf. Source: winsock2/nf-winsock2-wsaasyncgetprotobynumber.
func (t *Thread) WSAAsyncGetProtoByNumber(wnd spi.HWND, msg uint32, number int32, buf []byte) (uintptr, error) {
	return t.async(wnd, msg, buf, func(*running, *canceller) (packer, error) {
		p, e := protoOf(netdb.System.ProtocolByNumber(number))
		return packed(p, e.Err())
	})
}

// packer is what fills the buffer of a request.
type packer interface {
	Pack(memory []byte) (needed int, e spi.Errno)
}

// packed makes no packer of an error.
func packed(p packer, err error) (packer, error) {
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (t *Thread) async(wnd spi.HWND, msg uint32, buf []byte, find func(*running, *canceller) (packer, error)) (uintptr, error) {
	r, e := t.enter()
	if e == 0 && !t.dll.windows.reachable(wnd) {
		e = spi.WSAEINVAL
	}
	if e != 0 {
		return 0, t.fail(e)
	}
	d := t.dll
	a := &asyncRequest{database: true}
	handle, ok := d.names.async.Insert(a, 0)
	if !ok {
		return 0, t.fail(spi.WSAEWOULDBLOCK)
	}
	ran := d.names.run(func() {
		found, err := find(r, &a.canceller)
		a.tell(func() {
			code, needed := CodeOf(err), 0
			if err == nil {
				needed, code = found.Pack(buf)
				if code == spi.WSAEFAULT {
					code = spi.WSAENOBUFS
				}
			}
			d.names.async.Remove(handle)
			d.windows.post(wnd, msg, handle, uintptr(code)<<16|uintptr(min(needed, 0xffff)))
		})
	})
	if !ran {
		d.names.async.Remove(handle)
		return 0, t.fail(spi.WSANOTINITIALISED)
	}
	return handle, nil
}

// WSACancelAsyncRequest cancels a request of one of the asynchronous database
// functions: no message comes and the buffer is not touched any more.
// WSAEINVAL (no such request), WSAEALREADY (it has ended).
// Source: winsock2/nf-winsock2-wsacancelasyncrequest.
func (t *Thread) WSACancelAsyncRequest(handle uintptr) error {
	if _, e := t.enter(); e != 0 {
		return t.fail(e)
	}
	a := t.dll.names.async.Get(handle)
	switch {
	case a != nil && !a.database:
		return t.fail(spi.WSAEINVAL)
	case a == nil && t.dll.names.async.Removed(handle), a != nil && !a.tell(func() {}):
		return t.fail(spi.WSAEALREADY)
	case a == nil:
		return t.fail(spi.WSAEINVAL)
	}
	t.dll.names.async.Remove(handle)
	a.cancel()
	return nil
}
