package filter

import (
	"log"
	"unsafe"

	"upcall.dev/layer"
	"upcall.dev/spi"
)

// WSPIoctl is where a client gets the extension functions, some of which carry
// addresses. The filter puts its own before those.
func (f *filter) WSPIoctl(s spi.Socket, code uint32, in, out []byte, returned *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	id, ok := layer.ExtensionID(in)
	if code != spi.SIO_GET_EXTENSION_FUNCTION_POINTER || !ok || f.relayed(s) {
		return f.on(s).WSPIoctl(s, code, in, out, returned, ov, routine, thread)
	}
	if errno := f.Provider.WSPIoctl(s, code, in, out, returned, ov, routine, thread); errno != 0 {
		return errno
	}
	switch id {
	case spi.WSAID_CONNECTEX:
		return layer.WrapExtension(&f.extensions, id, out, returned, f.connectEx)
	case spi.WSAID_ACCEPTEX:
		return layer.WrapExtension(&f.extensions, id, out, returned, f.acceptEx)
	case spi.WSAID_WSASENDMSG:
		return layer.WrapExtension(&f.extensions, id, out, returned, f.sendMsg)
	case spi.WSAID_WSARECVMSG:
		return layer.WrapExtension(&f.extensions, id, out, returned, f.recvMsg)
	}
	return 0
}

// extensionOf asks another chain's provider for an extension function.
func extensionOf[F any](p spi.Provider, s spi.Socket, id spi.GUID) (F, spi.Errno) {
	in := unsafe.Slice((*byte)(unsafe.Pointer(&id)), unsafe.Sizeof(id))
	var none F
	var out [unsafe.Sizeof(uintptr(0))]byte
	var returned uint32
	if errno := p.WSPIoctl(s, spi.SIO_GET_EXTENSION_FUNCTION_POINTER, in, out[:], &returned, nil, nil, nil); errno != 0 {
		return none, errno
	}
	function, ok := spi.LoadExtension[F](out[:])
	if !ok {
		return none, spi.WSAEOPNOTSUPP
	}
	return function, 0
}

func (f *filter) connectEx(next spi.ConnectExFunc) spi.ConnectExFunc {
	return func(s spi.Socket, name, data []byte, sent *uint32, ov *spi.Overlapped) spi.Errno {
		p, errno := f.ask(s, connect, name)
		if errno != 0 {
			return errno
		}
		function := next
		if p != f.Provider {
			if function, errno = extensionOf[spi.ConnectExFunc](p, s, spi.WSAID_CONNECTEX); errno != 0 {
				return errno
			}
		}
		errno = function(s, name, data, sent, ov)
		f.connecting(s, p, name)
		return errno
	}
}

// acceptEx cannot see the peer of a connection that the provider below
// completes by itself. Where peers are judged it is refused, rather than let
// past the rules.
func (f *filter) acceptEx(next spi.AcceptExFunc) spi.AcceptExFunc {
	return func(listen, accepted spi.Socket, out []byte, receiveLen, localLen, remoteLen uint32, received *uint32, ov *spi.Overlapped) spi.Errno {
		if f.current().judges(accept) {
			f.refusedAcceptEx.Do(func() {
				log.Print("layer filter: AcceptEx fails with WSAEOPNOTSUPP where rules are about peers: set the option handles=own, with which they are judged")
			})
			return spi.WSAEOPNOTSUPP
		}
		return next(listen, accepted, out, receiveLen, localLen, remoteLen, received, ov)
	}
}

func (f *filter) sendMsg(next spi.WSASendMsgFunc) spi.WSASendMsgFunc {
	return func(s spi.Socket, msg *spi.Msg, flags uint32, sent *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine) spi.Errno {
		p := f.on(s)
		if msg != nil && msg.Name != nil && msg.NameLen > 0 {
			var errno spi.Errno
			if p, errno = f.ask(s, send, unsafe.Slice(msg.Name, msg.NameLen)); errno != 0 {
				return errno
			}
		}
		function, errno := next, spi.Errno(0)
		if p != f.Provider {
			if function, errno = extensionOf[spi.WSASendMsgFunc](p, s, spi.WSAID_WSASENDMSG); errno != 0 {
				return errno
			}
		}
		return function(s, msg, flags, sent, ov, routine)
	}
}

func (f *filter) recvMsg(next spi.WSARecvMsgFunc) spi.WSARecvMsgFunc {
	return func(s spi.Socket, msg *spi.Msg, received *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine) spi.Errno {
		errno := next(s, msg, received, ov, routine)
		if errno != 0 || msg == nil || received == nil || f.observes || msg.Buffers == nil {
			return errno
		}
		known := f.resolvers.get(s) != nil
		if !known && msg.Name != nil && msg.NameLen > 0 {
			known = fromResolver(unsafe.Slice(msg.Name, msg.NameLen))
		}
		if known {
			learn(unsafe.Slice(msg.Buffers, msg.BufferCount), *received)
		}
		return errno
	}
}
