package nonifs

import (
	"unsafe"

	"upcall.dev/spi"
)

// msgBufs returns a message's array.
func msgBufs(msg *spi.Msg) ([]spi.Buf, bool) {
	if msg.Buffers == nil {
		return nil, msg.BufferCount == 0
	}
	return unsafe.Slice(msg.Buffers, msg.BufferCount), true
}

// recvMsg is WSARecvMsg. An Endpoint has no control information to tell, so
// that none is ever cut off either: the control buffer comes back empty.
func (b *Base) recvMsg(s spi.Socket, msg *spi.Msg, received *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine) spi.Errno {
	h, errno := b.handles.Lookup(s)
	if errno != 0 {
		return errno
	}
	if msg == nil {
		return spi.WSAEFAULT
	}
	bufs, ok := msgBufs(msg)
	if !ok {
		return spi.WSAEFAULT
	}
	if !h.Value.datagram {
		return spi.WSAEOPNOTSUPP
	}
	var from []byte
	var fromLen *int32
	if msg.Name != nil {
		if msg.NameLen < 0 {
			return spi.WSAEFAULT
		}
		from, fromLen = unsafe.Slice(msg.Name, msg.NameLen), &msg.NameLen
	}
	errno = b.receiveOn(h, bufs, received, &msg.Flags, from, fromLen, msg, ov, routine, nil)
	if ov == nil && (errno == 0 || errno == spi.WSAEMSGSIZE) {
		tellMsg(msg, errno)
	}
	return errno
}

// tellMsg stores in the client's message what a receive has found besides the
// data: that it was cut, and no control information.
func tellMsg(msg *spi.Msg, errno spi.Errno) {
	msg.Flags = 0
	if errno == spi.WSAEMSGSIZE {
		msg.Flags = spi.MSG_TRUNC
	}
	msg.Control.Len = 0
}

// sendMsg is WSASendMsg. Control information is refused, for no Endpoint knows
// any: WSAEINVAL when it is malformed, else WSAEOPNOTSUPP.
func (b *Base) sendMsg(s spi.Socket, msg *spi.Msg, flags uint32, sent *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine) spi.Errno {
	h, errno := b.handles.Lookup(s)
	if errno != 0 {
		return errno
	}
	if msg == nil {
		return spi.WSAEFAULT
	}
	bufs, ok := msgBufs(msg)
	if !ok || msg.NameLen < 0 {
		return spi.WSAEFAULT
	}
	if !h.Value.datagram {
		return spi.WSAEOPNOTSUPP
	}
	if errno := checkControl(msg.Control); errno != 0 {
		return errno
	}
	var to []byte
	if msg.Name != nil {
		to = unsafe.Slice(msg.Name, msg.NameLen)
	}
	return b.sendOn(h, bufs, sent, flags, to, spi.WSAENOTCONN, ov, routine, nil)
}

// checkControl refuses control information.
func checkControl(control spi.Buf) spi.Errno {
	if control.Len == 0 {
		return 0
	}
	var header spi.CmsgHdr
	if control.Buf == nil {
		return spi.WSAEFAULT
	}
	if control.Len < uint32(unsafe.Sizeof(header)) {
		return spi.WSAEINVAL
	}
	copy((*[unsafe.Sizeof(header)]byte)(unsafe.Pointer(&header))[:], control.Bytes())
	if header.Len < unsafe.Sizeof(header) || header.Len > uintptr(control.Len) {
		return spi.WSAEINVAL
	}
	return spi.WSAEOPNOTSUPP
}
