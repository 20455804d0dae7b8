package nonifs

import (
	"unsafe"

	"upcall.dev/spi"
)

// cancelIO is SIO_CANCEL_IO: it ends the overlapped operations of a descriptor
// that the request names. ERROR_NOT_FOUND, WSAEFAULT.
func cancelIO(h *Handle[Endpoint], in []byte) spi.Errno {
	var request spi.CancelRequest
	if len(in) < int(unsafe.Sizeof(request)) {
		return spi.WSAEFAULT
	}
	copy((*[unsafe.Sizeof(request)]byte)(unsafe.Pointer(&request))[:], in)
	var native uint64
	if request.Thread != 0 {
		native = currentThread()
	}
	found := h.Value.end(func(o *op) bool {
		r := &o.request
		return o.handle == &h.descriptor && r.overlapped() && r.startedBy(request.Thread, native) &&
			(request.Overlapped == 0 || request.Overlapped == uintptr(unsafe.Pointer(r.ov)))
	})
	if !found {
		return spi.ERROR_NOT_FOUND
	}
	return 0
}
