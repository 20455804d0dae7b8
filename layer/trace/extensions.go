package trace

import (
	"strconv"
	"strings"
	"time"
	"unsafe"

	"upcall.dev/layer"
	"upcall.dev/spi"
)

// extensionNames are the extension functions, in the order of their bits in
// config.calls, behind the thirty.
var extensionNames = []struct {
	id   spi.GUID
	name string
}{
	{spi.WSAID_ACCEPTEX, "AcceptEx"},
	{spi.WSAID_CONNECTEX, "ConnectEx"},
	{spi.WSAID_DISCONNECTEX, "DisconnectEx"},
	{spi.WSAID_GETACCEPTEXSOCKADDRS, "GetAcceptExSockaddrs"},
	{spi.WSAID_TRANSMITFILE, "TransmitFile"},
	{spi.WSAID_TRANSMITPACKETS, "TransmitPackets"},
	{spi.WSAID_WSAPOLL, "WSAPoll"},
	{spi.WSAID_WSARECVMSG, "WSARecvMsg"},
	{spi.WSAID_WSASENDMSG, "WSASendMsg"},
}

func extensionName(id spi.GUID) string {
	for _, x := range extensionNames {
		if x.id == id {
			return x.name
		}
	}
	return id.String()
}

var (
	fnAcceptEx             = of("AcceptEx")
	fnConnectEx            = of("ConnectEx")
	fnDisconnectEx         = of("DisconnectEx")
	fnGetAcceptExSockaddrs = of("GetAcceptExSockaddrs")
	fnTransmitFile         = of("TransmitFile")
	fnTransmitPackets      = of("TransmitPackets")
	fnPoll                 = of("WSAPoll")
	fnRecvMsg              = of("WSARecvMsg")
	fnSendMsg              = of("WSASendMsg")
)

// extension puts the tracer before the extension function whose pointer the
// next provider has stored.
func (t *tracer) extension(id spi.GUID, out []byte, returned *uint32) spi.Errno {
	x := &t.extensions
	switch id {
	case spi.WSAID_ACCEPTEX:
		return layer.WrapExtension(x, id, out, returned, t.acceptEx)
	case spi.WSAID_CONNECTEX:
		return layer.WrapExtension(x, id, out, returned, t.connectEx)
	case spi.WSAID_DISCONNECTEX:
		return layer.WrapExtension(x, id, out, returned, t.disconnectEx)
	case spi.WSAID_GETACCEPTEXSOCKADDRS:
		return layer.WrapExtension(x, id, out, returned, t.getAcceptExSockaddrs)
	case spi.WSAID_TRANSMITFILE:
		return layer.WrapExtension(x, id, out, returned, t.transmitFile)
	case spi.WSAID_TRANSMITPACKETS:
		return layer.WrapExtension(x, id, out, returned, t.transmitPackets)
	case spi.WSAID_WSAPOLL:
		return layer.WrapExtension(x, id, out, returned, t.poll)
	case spi.WSAID_WSARECVMSG:
		return layer.WrapExtension(x, id, out, returned, t.recvMsg)
	case spi.WSAID_WSASENDMSG:
		return layer.WrapExtension(x, id, out, returned, t.sendMsg)
	}
	return 0 // an unknown one goes on as it is
}

// sizes notes how many bytes a call offered, if any, and how many it moved at
// once.
func (l *line) sizes(asked int, moved *uint32, errno spi.Errno) {
	if asked > 0 {
		l.asked = asked
		if errno == 0 && moved != nil {
			l.moved = int(*moved)
		}
	}
}

func (t *tracer) acceptEx(next spi.AcceptExFunc) spi.AcceptExFunc {
	return func(listen, accept spi.Socket, out []byte, receiveLen, localLen, remoteLen uint32, received *uint32, ov *spi.Overlapped) spi.Errno {
		l := t.on(fnAcceptEx, listen)
		t.begins(l, ov, nil)
		errno := next(listen, accept, out, receiveLen, localLen, remoteLen, received, ov)
		if l != nil {
			l.args = "into " + string(appendSocket(nil, accept))
			l.sizes(int(receiveLen), received, errno)
			t.started(l, ov, errno)
		}
		return errno
	}
}

func (t *tracer) connectEx(next spi.ConnectExFunc) spi.ConnectExFunc {
	return func(s spi.Socket, name, data []byte, sent *uint32, ov *spi.Overlapped) spi.Errno {
		l := t.on(fnConnectEx, s)
		t.begins(l, ov, nil)
		errno := next(s, name, data, sent, ov)
		if l != nil {
			l.given(name)
			l.sizes(len(data), sent, errno)
			t.started(l, ov, errno)
		}
		return errno
	}
}

func (t *tracer) disconnectEx(next spi.DisconnectExFunc) spi.DisconnectExFunc {
	return func(s spi.Socket, ov *spi.Overlapped, flags uint32) spi.Errno {
		l := t.on(fnDisconnectEx, s)
		t.begins(l, ov, nil)
		errno := next(s, ov, flags)
		if l != nil {
			l.args = transmitFlags(flags)
			t.started(l, ov, errno)
		}
		return errno
	}
}

func (t *tracer) getAcceptExSockaddrs(next spi.GetAcceptExSockaddrsFunc) spi.GetAcceptExSockaddrsFunc {
	return func(out []byte, receiveLen, localLen, remoteLen uint32) (local, remote []byte) {
		l := t.begin(fnGetAcceptExSockaddrs)
		local, remote = next(out, receiveLen, localLen, remoteLen)
		if l != nil {
			l.value = "none"
			if local != nil && remote != nil {
				l.value = spi.AddressString(local) + " and " + spi.AddressString(remote)
			}
			t.end(l, 0)
		}
		return local, remote
	}
}

func (t *tracer) transmitFile(next spi.TransmitFileFunc) spi.TransmitFileFunc {
	return func(s spi.Socket, file uintptr, toWrite, perSend uint32, ov *spi.Overlapped, around *spi.TransmitFileBuffers, flags uint32) spi.Errno {
		l := t.on(fnTransmitFile, s)
		t.begins(l, ov, nil)
		errno := next(s, file, toWrite, perSend, ov, around, flags)
		if l != nil {
			l.args = "file " + strconv.FormatUint(uint64(file), 10)
			if flags != 0 {
				l.args += ", " + transmitFlags(flags)
			}
			l.sizes(int(toWrite), nil, errno)
			t.started(l, ov, errno)
		}
		return errno
	}
}

func (t *tracer) transmitPackets(next spi.TransmitPacketsFunc) spi.TransmitPacketsFunc {
	return func(s spi.Socket, elements []spi.TransmitPacketsElement, perSend uint32, ov *spi.Overlapped, flags uint32) spi.Errno {
		l := t.on(fnTransmitPackets, s)
		t.begins(l, ov, nil)
		errno := next(s, elements, perSend, ov, flags)
		if l != nil {
			l.args = strconv.Itoa(len(elements)) + " elements"
			if flags != 0 {
				l.args += ", " + transmitFlags(flags)
			}
			t.started(l, ov, errno)
		}
		return errno
	}
}

func (t *tracer) recvMsg(next spi.WSARecvMsgFunc) spi.WSARecvMsgFunc {
	return func(s spi.Socket, msg *spi.Msg, received *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine) spi.Errno {
		l := t.message(fnRecvMsg, s, msg, 0)
		room := nameOfMessage(msg)
		errno := next(s, msg, received, ov, t.begins(l, ov, routine))
		if l != nil {
			if errno == 0 && msg != nil {
				l.returned(room, &msg.NameLen)
			}
			t.moved(l, buffersOf(msg), received, ov, errno)
		}
		return errno
	}
}

func (t *tracer) sendMsg(next spi.WSASendMsgFunc) spi.WSASendMsgFunc {
	return func(s spi.Socket, msg *spi.Msg, flags uint32, sent *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine) spi.Errno {
		l := t.message(fnSendMsg, s, msg, flags)
		errno := next(s, msg, flags, sent, ov, t.begins(l, ov, routine))
		if l != nil {
			l.given(nameOfMessage(msg))
			t.moved(l, buffersOf(msg), sent, ov, errno)
		}
		return errno
	}
}

// message starts the line of a call with a message.
func (t *tracer) message(f function, s spi.Socket, msg *spi.Msg, flags uint32) *line {
	l := t.transfer(f, s, buffersOf(msg), flags)
	if l != nil && msg != nil && msg.Control.Len > 0 {
		l.args = strings.TrimPrefix(l.args+", control "+strconv.FormatUint(uint64(msg.Control.Len), 10), ", ")
	}
	return l
}

func (t *tracer) poll(next spi.WSAPollFunc) spi.WSAPollFunc {
	return func(fds []spi.PollFD, timeout int32) (int32, spi.Errno) {
		l := t.begin(fnPoll)
		if l == nil {
			return next(fds, timeout)
		}
		l.args = pollSet(fds, func(p *spi.PollFD) int16 { return p.Events })
		if timeout >= 0 {
			l.args += ", " + (time.Duration(timeout) * time.Millisecond).String()
		}
		n, errno := next(fds, timeout)
		if errno == 0 {
			l.value = strconv.Itoa(int(n))
			if n > 0 {
				l.value += " " + pollSet(fds, func(p *spi.PollFD) int16 { return p.Revents })
			}
		}
		return n, t.end(l, errno)
	}
}

func buffersOf(msg *spi.Msg) []spi.Buf {
	if msg == nil || msg.Buffers == nil {
		return nil
	}
	return unsafe.Slice(msg.Buffers, msg.BufferCount)
}

// nameOfMessage returns the address, or the room for one.
func nameOfMessage(msg *spi.Msg) []byte {
	if msg == nil || msg.Name == nil || msg.NameLen <= 0 {
		return nil
	}
	return unsafe.Slice(msg.Name, msg.NameLen)
}
