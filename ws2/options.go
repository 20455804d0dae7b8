package ws2

import (
	"unsafe"

	"upcall.dev/spi"
)

// GetSockOpt stores an option's value and its length. WSAEFAULT (no length, or
// val too short), and the errors of WSPGetSockOpt. SO_OPENTYPE is the thread's
// and needs no socket.
// Source: winsock/nf-winsock-getsockopt.
func (t *Thread) GetSockOpt(s spi.Socket, level, name int32, val []byte, valLen *int32) error {
	if level == spi.SOL_SOCKET && name == spi.SO_OPENTYPE {
		return t.getOpenType(val, valLen)
	}
	sock, e := t.lookup(s)
	if e != 0 {
		return t.fail(e)
	}
	if valLen == nil {
		return t.fail(spi.WSAEFAULT)
	}
	if level == spi.SOL_SOCKET && name == spi.SO_PROTOCOL_INFOA {
		return t.result(protocolInfoA(sock, s, val, valLen))
	}
	return t.result(sock.provider.WSPGetSockOpt(s, level, name, val, valLen))
}

// SetSockOpt sets an option. Errors of WSPSetSockOpt. SO_OPENTYPE is kept for
// the thread and decides what [Thread.Socket] makes: zero an overlapped socket,
// anything else one that is not; the unbound thread cannot have it
// (WSAEOPNOTSUPP).
// Source: winsock/nf-winsock-setsockopt.
func (t *Thread) SetSockOpt(s spi.Socket, level, name int32, val []byte) error {
	if level == spi.SOL_SOCKET && name == spi.SO_OPENTYPE {
		return t.setOpenType(val)
	}
	sock, e := t.lookup(s)
	if e != 0 {
		return t.fail(e)
	}
	return t.result(sock.provider.WSPSetSockOpt(s, level, name, val))
}

func (t *Thread) getOpenType(val []byte, valLen *int32) error {
	if _, e := t.enter(); e != 0 {
		return t.fail(e)
	}
	if valLen == nil || len(val) < int(unsafe.Sizeof(t.openType)) {
		return t.fail(spi.WSAEFAULT)
	}
	*valLen = int32(copy(val, bytesOf(&t.openType)))
	return nil
}

func (t *Thread) setOpenType(val []byte) error {
	if _, e := t.enter(); e != 0 {
		return t.fail(e)
	}
	if !t.bound {
		return t.fail(spi.WSAEOPNOTSUPP)
	}
	if len(val) < int(unsafe.Sizeof(t.openType)) {
		return t.fail(spi.WSAEFAULT)
	}
	copy(bytesOf(&t.openType), val)
	return nil
}

// SizeofProtocolInfoA is the size of WSAPROTOCOL_INFOA, the value of
// SO_PROTOCOL_INFOA: the fields of [spi.ProtocolInfo] with a name of bytes.
const SizeofProtocolInfoA = 372

// protocolInfoA answers SO_PROTOCOL_INFOA from the provider's SO_PROTOCOL_INFOW.
func protocolInfoA(sock *socket, s spi.Socket, val []byte, valLen *int32) spi.Errno {
	var wide spi.ProtocolInfo
	length := int32(unsafe.Sizeof(wide))
	if e := sock.provider.WSPGetSockOpt(s, spi.SOL_SOCKET, spi.SO_PROTOCOL_INFOW, bytesOf(&wide), &length); e != 0 {
		return e
	}
	*valLen = SizeofProtocolInfoA
	if len(val) < SizeofProtocolInfoA {
		return spi.WSAEFAULT
	}
	clear(val[:SizeofProtocolInfoA])
	n := copy(val, bytesOf(&wide)[:unsafe.Offsetof(wide.ProtocolName)])
	copy(val[n:SizeofProtocolInfoA-1], wide.Name())
	return 0
}

// IoctlSocket controls a socket: FIONBIO, FIONREAD, SIOCATMARK. arg is in/out.
// WSAEFAULT (no arg), and the errors of WSPIoctl.
// Source: winsock/nf-winsock-ioctlsocket.
func (t *Thread) IoctlSocket(s spi.Socket, cmd uint32, arg *uint32) error {
	sock, e := t.lookup(s)
	if e != 0 {
		return t.fail(e)
	}
	if arg == nil {
		return t.fail(spi.WSAEFAULT)
	}
	var returned uint32
	return t.result(sock.provider.WSPIoctl(s, cmd, bytesOf(arg), bytesOf(arg), &returned, nil, nil, &t.id))
}

// WSAIoctl controls a socket; returned receives the bytes stored in out.
// Overlapped use as [Thread.WSASend]. WSAEOPNOTSUPP (unknown code), and the
// other errors of WSPIoctl. Source: winsock2/nf-winsock2-wsaioctl.
func (t *Thread) WSAIoctl(s spi.Socket, code uint32, in, out []byte, returned *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine) error {
	sock, e := t.lookup(s)
	if e == 0 {
		returned, routine, e = t.overlapped(sock, returned, ov, routine)
	}
	if e != 0 {
		return t.fail(e)
	}
	return t.result(sock.provider.WSPIoctl(s, code, in, out, returned, ov, routine, &t.id))
}

// WSAGetQOSByName looks up a quality-of-service template. Errors of
// WSPGetQOSByName. Source: winsock2/nf-winsock2-wsagetqosbyname.
func (t *Thread) WSAGetQOSByName(s spi.Socket, name *spi.Buf, qos *spi.QOS) error {
	sock, e := t.lookup(s)
	if e != 0 {
		return t.fail(e)
	}
	if qos == nil {
		return t.fail(spi.WSAEFAULT)
	}
	return t.result(sock.provider.WSPGetQOSByName(s, name, qos))
}
