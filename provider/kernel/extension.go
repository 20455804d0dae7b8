//go:build linux

package kernel

import (
	"unsafe"

	"upcall.dev/spi"
)

// extensions is the functions that clients get pointers to, by
// SIO_GET_EXTENSION_FUNCTION_POINTER. They live as long as the provider.
type extensions struct {
	acceptEx        spi.AcceptExFunc
	acceptAddresses spi.GetAcceptExSockaddrsFunc
	connectEx       spi.ConnectExFunc
	disconnectEx    spi.DisconnectExFunc
	transmitFile    spi.TransmitFileFunc
	transmitPackets spi.TransmitPacketsFunc
	recvMsg         spi.WSARecvMsgFunc
	sendMsg         spi.WSASendMsgFunc
	poll            spi.WSAPollFunc
}

func (x *extensions) init(p *provider) {
	*x = extensions{
		acceptEx:        p.acceptEx,
		acceptAddresses: acceptAddresses,
		connectEx:       p.connectEx,
		disconnectEx:    p.disconnectEx,
		transmitFile:    p.transmitFile,
		transmitPackets: p.transmitPackets,
		recvMsg:         p.recvMsg,
		sendMsg:         p.sendMsg,
		poll:            p.poll,
	}
}

// extension stores the pointer to the function whose GUID in holds.
// WSAEFAULT (in or out is too small), WSAEINVAL (no such function).
func (p *provider) extension(in, out []byte) (int, spi.Errno) {
	var id spi.GUID
	if len(in) < int(unsafe.Sizeof(id)) {
		return 0, spi.WSAEFAULT
	}
	copy((*[unsafe.Sizeof(id)]byte)(unsafe.Pointer(&id))[:], in)
	var n uint32
	e := spi.WSAEINVAL
	switch x := &p.extensions; id {
	case spi.WSAID_ACCEPTEX:
		e = spi.StoreExtension(out, &n, &x.acceptEx)
	case spi.WSAID_GETACCEPTEXSOCKADDRS:
		e = spi.StoreExtension(out, &n, &x.acceptAddresses)
	case spi.WSAID_CONNECTEX:
		e = spi.StoreExtension(out, &n, &x.connectEx)
	case spi.WSAID_DISCONNECTEX:
		e = spi.StoreExtension(out, &n, &x.disconnectEx)
	case spi.WSAID_TRANSMITFILE:
		e = spi.StoreExtension(out, &n, &x.transmitFile)
	case spi.WSAID_TRANSMITPACKETS:
		e = spi.StoreExtension(out, &n, &x.transmitPackets)
	case spi.WSAID_WSARECVMSG:
		e = spi.StoreExtension(out, &n, &x.recvMsg)
	case spi.WSAID_WSASENDMSG:
		e = spi.StoreExtension(out, &n, &x.sendMsg)
	case spi.WSAID_WSAPOLL:
		e = spi.StoreExtension(out, &n, &x.poll)
	}
	return int(n), e
}
