package ws2

import (
	"unsafe"

	"upcall.dev/spi"
)

// CancelIoEx cancels the overlapped operation of ov on a socket, or every one
// with a nil ov, whichever thread started it. A cancelled operation completes
// with WSA_OPERATION_ABORTED, and is indicated as it would have been; it may
// also complete otherwise at the same moment. ERROR_NOT_FOUND (there is no such
// operation). It stands for the system call of that name.
func (t *Thread) CancelIoEx(s spi.Socket, ov *spi.Overlapped) error {
	return t.cancel(s, spi.CancelRequest{Overlapped: uintptr(unsafe.Pointer(ov))})
}

// CancelIo is [Thread.CancelIoEx] for every operation that this thread has
// started on the socket. It succeeds when there are none.
func (t *Thread) CancelIo(s spi.Socket) error {
	err := t.cancel(s, spi.CancelRequest{Thread: t.id.ThreadHandle})
	if CodeOf(err) == spi.ERROR_NOT_FOUND {
		return nil
	}
	return err
}

func (t *Thread) cancel(s spi.Socket, request spi.CancelRequest) error {
	sock, e := t.lookup(s)
	if e != 0 {
		return t.fail(e)
	}
	var returned uint32
	return t.result(sock.provider.WSPIoctl(s, spi.SIO_CANCEL_IO, bytesOf(&request), nil, &returned, nil, nil, &t.id))
}

// cancelAll ends what the thread has started on any socket, as the end of a
// thread does; operations on a socket with a completion port go on.
func (t *Thread) cancelAll() {
	request := spi.CancelRequest{Thread: t.id.ThreadHandle}
	cancel := func(handle uintptr, sock *socket) bool {
		s := spi.Socket(handle)
		if sock.usable() && t.dll.Exports().CompletionPort(s) == nil {
			var returned uint32
			sock.provider.WSPIoctl(s, spi.SIO_CANCEL_IO, bytesOf(&request), nil, &returned, nil, nil, &t.id)
		}
		return true
	}
	t.dll.handles.ifs.All()(cancel)
	t.dll.handles.nonIFS.All()(cancel)
}
