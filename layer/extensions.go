package layer

import (
	"slices"
	"sync"
	"unsafe"

	"upcall.dev/spi"
)

// Extensions keeps the extension functions that a layer puts before those of
// its next provider. The zero value is ready; a layer has one for as long as
// clients may call them.
type Extensions struct {
	mu   sync.Mutex // guards kept; a leaf lock
	kept map[extension]any
}

// extension names a function of the provider below: its pointer too, for there
// may be different ones for different sockets.
type extension struct {
	id      spi.GUID
	pointer uintptr
}

// ExtensionID returns which function the input of
// SIO_GET_EXTENSION_FUNCTION_POINTER asks for. False when it is too short.
func ExtensionID(in []byte) (id spi.GUID, ok bool) {
	if len(in) < int(unsafe.Sizeof(id)) {
		return id, false
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&id)), unsafe.Sizeof(id)), in)
	return id, true
}

// WrapExtension replaces the pointer that the next provider has stored in out,
// as its answer to SIO_GET_EXTENSION_FUNCTION_POINTER for the function id, by
// one to what wrap makes of that function. wrap is called once for each
// different function. F is the type that belongs to id. WSAEFAULT.
//
//	func (l *mine) WSPIoctl(s spi.Socket, code uint32, in, out []byte, returned *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
//		errno := l.Provider.WSPIoctl(s, code, in, out, returned, ov, routine, thread)
//		if id, ok := layer.ExtensionID(in); errno == 0 && ok && code == spi.SIO_GET_EXTENSION_FUNCTION_POINTER && id == spi.WSAID_CONNECTEX {
//			errno = layer.WrapExtension(&l.extensions, id, out, returned, l.connectEx)
//		}
//		return errno
//	}
//
//	func (l *mine) connectEx(next spi.ConnectExFunc) spi.ConnectExFunc {
//		return func(s spi.Socket, name, data []byte, sent *uint32, ov *spi.Overlapped) spi.Errno {
//			log.Println("connecting to", spi.AddressString(name))
//			return next(s, name, data, sent, ov)
//		}
//	}
func WrapExtension[F any](x *Extensions, id spi.GUID, out []byte, returned *uint32, wrap func(next F) F) spi.Errno {
	next, ok := spi.LoadExtension[F](out)
	if !ok {
		return spi.WSAEFAULT
	}
	key := extension{id: id}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&key.pointer)), unsafe.Sizeof(key.pointer)), out)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.kept == nil {
		x.kept = map[extension]any{}
	}
	own, known := x.kept[key].(*F)
	if !known {
		wrapped := wrap(next)
		own = &wrapped
		x.kept[key] = own
	}
	return spi.StoreExtension(out, returned, own)
}

// without reports whether an ioctl asks for an extension function that the
// layer does not support.
func (d *Definition) without(code uint32, in []byte) bool {
	if code != spi.SIO_GET_EXTENSION_FUNCTION_POINTER || len(d.Without) == 0 {
		return false
	}
	id, ok := ExtensionID(in)
	return ok && slices.Contains(d.Without, id)
}
