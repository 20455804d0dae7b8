package trace

import (
	"strings"
	"testing"
	"unsafe"

	"upcall.dev/layer"
	"upcall.dev/spi"
)

// extended is a next provider that answers for its extension functions.
type extended struct {
	spi.Provider
	acceptEx     spi.AcceptExFunc
	addresses    spi.GetAcceptExSockaddrsFunc
	connectEx    spi.ConnectExFunc
	disconnectEx spi.DisconnectExFunc
	file         spi.TransmitFileFunc
	packets      spi.TransmitPacketsFunc
	recvMsg      spi.WSARecvMsgFunc
	sendMsg      spi.WSASendMsgFunc
	poll         spi.WSAPollFunc
}

func newExtended() *extended {
	return &extended{
		Provider: answering(0),
		acceptEx: func(_, _ spi.Socket, _ []byte, _, _, _ uint32, _ *uint32, ov *spi.Overlapped) spi.Errno {
			ov.Start()
			return spi.WSA_IO_PENDING
		},
		addresses: func([]byte, uint32, uint32, uint32) (local, remote []byte) { return server, server },
		connectEx: func(_ spi.Socket, _, data []byte, sent *uint32, _ *spi.Overlapped) spi.Errno {
			*sent = uint32(len(data))
			return 0
		},
		disconnectEx: func(spi.Socket, *spi.Overlapped, uint32) spi.Errno { return spi.WSAENOTCONN },
		file: func(spi.Socket, uintptr, uint32, uint32, *spi.Overlapped, *spi.TransmitFileBuffers, uint32) spi.Errno {
			return 0
		},
		packets: func(spi.Socket, []spi.TransmitPacketsElement, uint32, *spi.Overlapped, uint32) spi.Errno { return 0 },
		recvMsg: func(_ spi.Socket, msg *spi.Msg, received *uint32, _ *spi.Overlapped, _ spi.CompletionRoutine) spi.Errno {
			*received = 3
			return spi.StoreAddress(server, nameOfMessage(msg), &msg.NameLen)
		},
		sendMsg: func(_ spi.Socket, msg *spi.Msg, _ uint32, sent *uint32, _ *spi.Overlapped, _ spi.CompletionRoutine) spi.Errno {
			*sent = uint32(spi.BufsLen(buffersOf(msg)))
			return 0
		},
		poll: func(fds []spi.PollFD, _ int32) (int32, spi.Errno) {
			fds[1].Revents = spi.POLLRDNORM | spi.POLLHUP
			return 1, 0
		},
	}
}

func (x *extended) WSPIoctl(_ spi.Socket, code uint32, in, out []byte, returned *uint32, _ *spi.Overlapped, _ spi.CompletionRoutine, _ *spi.ThreadID) spi.Errno {
	id, ok := layer.ExtensionID(in)
	if !ok || code != spi.SIO_GET_EXTENSION_FUNCTION_POINTER {
		return spi.WSAEOPNOTSUPP
	}
	switch id {
	case spi.WSAID_ACCEPTEX:
		return spi.StoreExtension(out, returned, &x.acceptEx)
	case spi.WSAID_GETACCEPTEXSOCKADDRS:
		return spi.StoreExtension(out, returned, &x.addresses)
	case spi.WSAID_CONNECTEX:
		return spi.StoreExtension(out, returned, &x.connectEx)
	case spi.WSAID_DISCONNECTEX:
		return spi.StoreExtension(out, returned, &x.disconnectEx)
	case spi.WSAID_TRANSMITFILE:
		return spi.StoreExtension(out, returned, &x.file)
	case spi.WSAID_TRANSMITPACKETS:
		return spi.StoreExtension(out, returned, &x.packets)
	case spi.WSAID_WSARECVMSG:
		return spi.StoreExtension(out, returned, &x.recvMsg)
	case spi.WSAID_WSASENDMSG:
		return spi.StoreExtension(out, returned, &x.sendMsg)
	case spi.WSAID_WSAPOLL:
		return spi.StoreExtension(out, returned, &x.poll)
	}
	return spi.WSAEINVAL
}

// get asks a provider for an extension function.
func get[F any](t *testing.T, p spi.Provider, id spi.GUID) F {
	t.Helper()
	in, out, n := unsafe.Slice((*byte)(unsafe.Pointer(&id)), unsafe.Sizeof(id)), make([]byte, 8), uint32(0)
	if errno := p.WSPIoctl(7, spi.SIO_GET_EXTENSION_FUNCTION_POINTER, in, out, &n, nil, nil, nil); errno != 0 || n != 8 {
		t.Fatal(errno, n)
	}
	f, ok := spi.LoadExtension[F](out)
	if !ok {
		t.Fatal("no function")
	}
	return f
}

func TestExtensionLines(t *testing.T) {
	p, out := traced(t, newExtended(), nil)
	var n uint32
	ov := &spi.Overlapped{}
	data := []spi.Buf{spi.NewBuf([]byte("hello"))}
	msg := &spi.Msg{Buffers: &data[0], BufferCount: 1, Name: &append([]byte(nil), server...)[0], NameLen: int32(len(server)), Control: spi.NewBuf(make([]byte, 24))}
	for _, test := range []struct {
		call func()
		want string
	}{
		{func() { get[spi.AcceptExFunc](t, p, spi.WSAID_ACCEPTEX)(7, 9, make([]byte, 96), 32, 32, 32, &n, ov) },
			"AcceptEx(7, into 9, 32 bytes) = pending"},
		{func() { get[spi.AcceptExFunc](t, p, spi.WSAID_ACCEPTEX)(7, 0x500000004, nil, 0, 32, 32, &n, ov) },
			"AcceptEx(7, into 0x500000004) = pending"},
		{func() {
			get[spi.GetAcceptExSockaddrsFunc](t, p, spi.WSAID_GETACCEPTEXSOCKADDRS)(nil, 0, 32, 32)
		}, "GetAcceptExSockaddrs() = 127.0.0.1:8080 and 127.0.0.1:8080"},
		{func() { get[spi.ConnectExFunc](t, p, spi.WSAID_CONNECTEX)(7, server, []byte("hello"), &n, ov) },
			"ConnectEx(7, 5 bytes, 127.0.0.1:8080) = 5 bytes"},
		{func() { get[spi.ConnectExFunc](t, p, spi.WSAID_CONNECTEX)(7, server, nil, &n, ov) },
			"ConnectEx(7, 127.0.0.1:8080) = ok"},
		{func() { get[spi.DisconnectExFunc](t, p, spi.WSAID_DISCONNECTEX)(7, nil, spi.TF_REUSE_SOCKET) },
			"DisconnectEx(7, TF_REUSE_SOCKET) = WSAENOTCONN"},
		{func() { get[spi.TransmitFileFunc](t, p, spi.WSAID_TRANSMITFILE)(7, 5, 0, 0, nil, nil, 0) },
			"TransmitFile(7, file 5) = ok"},
		{func() {
			get[spi.TransmitFileFunc](t, p, spi.WSAID_TRANSMITFILE)(7, 5, 4096, 0, nil, nil, spi.TF_DISCONNECT)
		}, "TransmitFile(7, file 5, TF_DISCONNECT, 4096 bytes) = ok"},
		{func() {
			get[spi.TransmitPacketsFunc](t, p, spi.WSAID_TRANSMITPACKETS)(7, make([]spi.TransmitPacketsElement, 3), 0, nil, 0x40)
		}, "TransmitPackets(7, 3 elements, 0x40) = ok"},
		{func() { get[spi.WSARecvMsgFunc](t, p, spi.WSAID_WSARECVMSG)(7, msg, &n, nil, nil) },
			"WSARecvMsg(7, control 24, 5 bytes) = 3 bytes from 127.0.0.1:8080"},
		{func() { get[spi.WSASendMsgFunc](t, p, spi.WSAID_WSASENDMSG)(7, msg, spi.MSG_OOB, &n, nil, nil) },
			"WSASendMsg(7, MSG_OOB, control 24, 5 bytes, 127.0.0.1:8080) = 5 bytes"},
		{func() {
			get[spi.WSAPollFunc](t, p, spi.WSAID_WSAPOLL)([]spi.PollFD{{FD: 3, Events: spi.POLLOUT}, {FD: 4, Events: spi.POLLIN}, {FD: spi.InvalidSocket}}, 1500)
		}, "WSAPoll([3:OUT 4:IN], 1.5s) = 1 [4:HUP|RDNORM]"},
	} {
		out.Reset()
		test.call()
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "WSPIoctl(7, SIO_GET_EXTENSION_FUNCTION_POINTER, "+test.want[:strings.IndexByte(test.want, '(')]) {
			t.Errorf("lines %q", lines)
			continue
		}
		if line := strings.TrimSuffix(lines[1][len("09:41:07.000000 "):], " <1ms>"); line != test.want {
			t.Errorf("got  %s\nwant %s", line, test.want)
		}
	}
}
