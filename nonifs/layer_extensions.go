package nonifs

import (
	"slices"
	"sync/atomic"
	"unsafe"

	"upcall.dev/spi"
)

// ownFunctions are the Layer's own extension functions, which clients have
// pointers to.
type ownFunctions struct {
	acceptEx        spi.AcceptExFunc
	connectEx       spi.ConnectExFunc
	disconnectEx    spi.DisconnectExFunc
	transmitFile    spi.TransmitFileFunc
	transmitPackets spi.TransmitPacketsFunc
	recvMsg         spi.WSARecvMsgFunc
	sendMsg         spi.WSASendMsgFunc
	poll            spi.WSAPollFunc
}

func (x *ownFunctions) init(l *Layer) {
	*x = ownFunctions{
		acceptEx: l.acceptEx, connectEx: l.connectEx, disconnectEx: l.disconnectEx,
		transmitFile: l.transmitFile, transmitPackets: l.transmitPackets,
		recvMsg: l.recvMsg, sendMsg: l.sendMsg, poll: l.poll,
	}
}

// found are the next provider's functions for the sockets of one chain entry,
// asked for when they are first needed.
type found struct {
	acceptEx        foundFunc[spi.AcceptExFunc]
	connectEx       foundFunc[spi.ConnectExFunc]
	disconnectEx    foundFunc[spi.DisconnectExFunc]
	transmitFile    foundFunc[spi.TransmitFileFunc]
	transmitPackets foundFunc[spi.TransmitPacketsFunc]
	recvMsg         foundFunc[spi.WSARecvMsgFunc]
	sendMsg         foundFunc[spi.WSASendMsgFunc]
	poll            foundFunc[spi.WSAPollFunc]
}

type foundFunc[F any] struct{ f atomic.Pointer[F] }

// of returns the function of the socket's next provider.
func (x *foundFunc[F]) of(m *mapped, id spi.GUID) (f F, errno spi.Errno) {
	if known := x.f.Load(); known != nil {
		return *known, 0
	}
	var out [8]byte
	var n uint32
	in := unsafe.Slice((*byte)(unsafe.Pointer(&id)), unsafe.Sizeof(id))
	if errno := m.next.WSPIoctl(m.lower, spi.SIO_GET_EXTENSION_FUNCTION_POINTER, in, out[:], &n, nil, nil, nil); errno != 0 {
		return f, errno
	}
	f, ok := spi.LoadExtension[F](out[:n])
	if !ok {
		return f, spi.WSAEOPNOTSUPP
	}
	x.f.Store(&f)
	return f, 0
}

// extension is SIO_GET_EXTENSION_FUNCTION_POINTER. WSAEINVAL (no such function
// is known), WSAEOPNOTSUPP (the layer is without it), WSAEFAULT, and the error
// of the next provider, when that does not have it.
func (l *Layer) extension(h *Handle[mapped], in, out []byte, returned *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	var id spi.GUID
	if len(in) < int(unsafe.Sizeof(id)) {
		return spi.WSAEFAULT
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&id)), unsafe.Sizeof(id)), in)
	if slices.Contains(l.config.Without, id) {
		return spi.WSAEOPNOTSUPP
	}
	if ov == nil {
		return l.pointer(h.Value, id, in, out, returned)
	}
	request, errno := l.BeginRequest(ov, routine, thread)
	if errno != 0 {
		return errno
	}
	var n uint32
	if errno := l.pointer(h.Value, id, in, out, &n); errno != 0 {
		l.Fail(&request, errno)
		return errno
	}
	l.Complete(h.Socket(), &request, 0, n, 0)
	if returned != nil {
		*returned = n
	}
	return 0
}

func (l *Layer) pointer(m *mapped, id spi.GUID, in, out []byte, returned *uint32) spi.Errno {
	own, below := &l.own, &m.below.found
	switch id {
	case spi.WSAID_ACCEPTEX:
		return give(m, id, &below.acceptEx, out, returned, &own.acceptEx)
	case spi.WSAID_CONNECTEX:
		return give(m, id, &below.connectEx, out, returned, &own.connectEx)
	case spi.WSAID_DISCONNECTEX:
		return give(m, id, &below.disconnectEx, out, returned, &own.disconnectEx)
	case spi.WSAID_TRANSMITFILE:
		return give(m, id, &below.transmitFile, out, returned, &own.transmitFile)
	case spi.WSAID_TRANSMITPACKETS:
		return give(m, id, &below.transmitPackets, out, returned, &own.transmitPackets)
	case spi.WSAID_WSARECVMSG:
		return give(m, id, &below.recvMsg, out, returned, &own.recvMsg)
	case spi.WSAID_WSASENDMSG:
		return give(m, id, &below.sendMsg, out, returned, &own.sendMsg)
	case spi.WSAID_WSAPOLL:
		return give(m, id, &below.poll, out, returned, &own.poll)
	case spi.WSAID_GETACCEPTEXSOCKADDRS: // takes no socket: the next provider's will do
		return m.next.WSPIoctl(m.lower, spi.SIO_GET_EXTENSION_FUNCTION_POINTER, in, out, returned, nil, nil, nil)
	}
	return spi.WSAEINVAL
}

func give[F any](m *mapped, id spi.GUID, below *foundFunc[F], out []byte, returned *uint32, own *F) spi.Errno {
	if _, errno := below.of(m, id); errno != 0 {
		return errno
	}
	return spi.StoreExtension(out, returned, own)
}

// acceptEx accepts below, into the lower socket of accept, which keeps its
// handle.
func (l *Layer) acceptEx(listen, accept spi.Socket, out []byte, receiveLen, localLen, remoteLen uint32, received *uint32, ov *spi.Overlapped) spi.Errno {
	if ov == nil {
		return spi.WSAEFAULT
	}
	h, errno := l.lookupFor(listen, ov)
	if errno != 0 {
		return errno
	}
	into, errno := l.lookup(accept)
	if errno != 0 {
		return errno
	}
	m := h.Value
	if into.Value.next != m.next {
		return spi.WSAEINVAL
	}
	f, errno := m.below.found.acceptEx.of(m, spi.WSAID_ACCEPTEX)
	if errno != 0 {
		return errno
	}
	op, errno := l.begin(h, ov, nil, nil)
	if errno != 0 {
		return errno
	}
	t := Transfer{Call: "AcceptEx", Socket: accept, Receive: true}
	if receiveLen > 0 && int(receiveLen) <= len(out) {
		t.Bufs = []spi.Buf{spi.NewBuf(out[:receiveLen])}
	}
	op.show(t, nil)
	return op.started(f(m.lower, into.Value.lower, out, receiveLen, localLen, remoteLen, &op.n, &op.ov), received, nil)
}

func (l *Layer) connectEx(s spi.Socket, name, data []byte, sent *uint32, ov *spi.Overlapped) spi.Errno {
	if ov == nil {
		return spi.WSAEFAULT
	}
	h, errno := l.lookupFor(s, ov)
	if errno != 0 {
		return errno
	}
	m := h.Value
	f, errno := m.below.found.connectEx.of(m, spi.WSAID_CONNECTEX)
	if errno != 0 {
		return errno
	}
	op, errno := l.begin(h, ov, nil, nil)
	if errno != 0 {
		return errno
	}
	t := Transfer{Call: "ConnectEx", Socket: s, Address: name}
	if len(data) > 0 {
		t.Bufs = []spi.Buf{spi.NewBuf(data)}
	}
	op.show(t, nil)
	return op.started(f(m.lower, name, data, &op.n, &op.ov), sent, nil)
}

func (l *Layer) disconnectEx(s spi.Socket, ov *spi.Overlapped, flags uint32) spi.Errno {
	h, errno := l.lookupFor(s, ov)
	if errno != 0 {
		return errno
	}
	m := h.Value
	f, errno := m.below.found.disconnectEx.of(m, spi.WSAID_DISCONNECTEX)
	if errno != 0 || ov == nil {
		if errno == 0 {
			errno = f(m.lower, nil, flags)
		}
		return errno
	}
	op, errno := l.begin(h, ov, nil, nil)
	if errno != 0 {
		return errno
	}
	op.show(Transfer{Call: "DisconnectEx", Socket: s}, nil)
	return op.startedUncounted(f(m.lower, &op.ov, flags))
}

// transmitFile sends from the place in the file that the client's structure
// tells, which goes down with the operation.
func (l *Layer) transmitFile(s spi.Socket, file uintptr, toWrite, perSend uint32, ov *spi.Overlapped, around *spi.TransmitFileBuffers, flags uint32) spi.Errno {
	h, errno := l.lookupFor(s, ov)
	if errno != 0 {
		return errno
	}
	m := h.Value
	f, errno := m.below.found.transmitFile.of(m, spi.WSAID_TRANSMITFILE)
	if errno != 0 {
		return errno
	}
	t := Transfer{Call: "TransmitFile", Socket: s}
	if ov == nil {
		return l.ended(t, nil, nil, f(m.lower, file, toWrite, perSend, nil, around, flags))
	}
	low, high := ov.Offset, ov.OffsetHigh
	op, errno := l.begin(h, ov, nil, nil)
	if errno != 0 {
		return errno
	}
	op.show(t, nil)
	op.ov.Offset, op.ov.OffsetHigh = low, high
	return op.startedUncounted(f(m.lower, file, toWrite, perSend, &op.ov, around, flags))
}

func (l *Layer) transmitPackets(s spi.Socket, elements []spi.TransmitPacketsElement, perSend uint32, ov *spi.Overlapped, flags uint32) spi.Errno {
	h, errno := l.lookupFor(s, ov)
	if errno != 0 {
		return errno
	}
	m := h.Value
	f, errno := m.below.found.transmitPackets.of(m, spi.WSAID_TRANSMITPACKETS)
	if errno != 0 {
		return errno
	}
	t := Transfer{Call: "TransmitPackets", Socket: s}
	if ov == nil {
		return l.ended(t, nil, nil, f(m.lower, elements, perSend, nil, flags))
	}
	op, errno := l.begin(h, ov, nil, nil)
	if errno != 0 {
		return errno
	}
	op.show(t, nil)
	return op.startedUncounted(f(m.lower, elements, perSend, &op.ov, flags))
}
