package nonifs

import (
	"unsafe"

	"upcall.dev/spi"
)

// The extension functions of a Layer that take messages or several sockets.

// message describes the transfer of a message.
func message(call string, s spi.Socket, receive bool, msg *spi.Msg) (t Transfer, fromLen *int32) {
	t = Transfer{Call: call, Socket: s, Receive: receive}
	if msg == nil {
		return t, nil
	}
	if msg.Buffers != nil {
		t.Bufs = unsafe.Slice(msg.Buffers, msg.BufferCount)
	}
	if msg.Name != nil && msg.NameLen > 0 {
		t.Address = unsafe.Slice(msg.Name, msg.NameLen)
		if receive {
			fromLen = &msg.NameLen
		}
	}
	return t, fromLen
}

func (l *Layer) recvMsg(s spi.Socket, msg *spi.Msg, received *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine) spi.Errno {
	h, errno := l.lookupFor(s, ov)
	if errno != 0 {
		return errno
	}
	m := h.Value
	f, errno := m.below.found.recvMsg.of(m, spi.WSAID_WSARECVMSG)
	if errno != 0 {
		return errno
	}
	t, fromLen := message("WSARecvMsg", s, true, msg)
	if ov == nil {
		return l.ended(t, received, fromLen, f(m.lower, msg, received, nil, nil))
	}
	op, errno := l.begin(h, ov, routine, nil)
	if errno != 0 {
		return errno
	}
	op.show(t, fromLen)
	return op.started(f(m.lower, msg, &op.n, &op.ov, nil), received, nil)
}

func (l *Layer) sendMsg(s spi.Socket, msg *spi.Msg, flags uint32, sent *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine) spi.Errno {
	h, errno := l.lookupFor(s, ov)
	if errno != 0 {
		return errno
	}
	m := h.Value
	f, errno := m.below.found.sendMsg.of(m, spi.WSAID_WSASENDMSG)
	if errno != 0 {
		return errno
	}
	t, _ := message("WSASendMsg", s, false, msg)
	if ov == nil {
		return l.ended(t, sent, nil, f(m.lower, msg, flags, sent, nil, nil))
	}
	op, errno := l.begin(h, ov, routine, nil)
	if errno != 0 {
		return errno
	}
	op.show(t, nil)
	return op.started(f(m.lower, msg, flags, &op.n, &op.ov, nil), sent, nil)
}

// poll asks the next provider about the lower sockets. A socket that is not this
// layer's is answered POLLNVAL, and so is one that has another next provider
// than the first.
func (l *Layer) poll(fds []spi.PollFD, timeout int32) (int32, spi.Errno) {
	var first *mapped
	asked := make([]spi.PollFD, len(fds))
	strangers := int32(0)
	for i := range fds {
		fds[i].Revents = 0
		asked[i] = fds[i]
		if fds[i].FD == spi.InvalidSocket {
			continue
		}
		h, errno := l.lookup(fds[i].FD)
		if errno == 0 && first == nil {
			first = h.Value
		}
		if errno != 0 || h.Value.next != first.next {
			asked[i].FD, fds[i].Revents = spi.InvalidSocket, spi.POLLNVAL
			strangers++
			continue
		}
		asked[i].FD = h.Value.lower
	}
	if first == nil {
		if strangers == 0 {
			return 0, spi.WSAEINVAL
		}
		return strangers, 0
	}
	if strangers > 0 {
		timeout = 0 // there is an answer already
	}
	f, errno := first.below.found.poll.of(first, spi.WSAID_WSAPOLL)
	if errno != 0 {
		return 0, errno
	}
	n, errno := f(asked, timeout)
	if errno != 0 {
		return n, errno
	}
	for i := range fds {
		if asked[i].FD != spi.InvalidSocket {
			fds[i].Revents = asked[i].Revents
		}
	}
	return n + strangers, 0
}
