package nonifs

import (
	"unsafe"

	"upcall.dev/spi"
)

// extensions are the variables behind the pointers that
// SIO_GET_EXTENSION_FUNCTION_POINTER hands out.
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

func (b *Base) initExtensions() {
	b.extensions = extensions{
		acceptEx:        b.acceptEx,
		acceptAddresses: acceptAddresses,
		connectEx:       b.connectEx,
		disconnectEx:    b.disconnectEx,
		transmitFile:    b.transmitFile,
		transmitPackets: b.transmitPackets,
		recvMsg:         b.recvMsg,
		sendMsg:         b.sendMsg,
		poll:            b.poll,
	}
}

// extension answers SIO_GET_EXTENSION_FUNCTION_POINTER. WSAEFAULT,
// WSAEOPNOTSUPP (an unknown function).
func (b *Base) extension(in, out []byte, returned *uint32) spi.Errno {
	var id spi.GUID
	if len(in) < int(unsafe.Sizeof(id)) {
		return spi.WSAEFAULT
	}
	copy((*[unsafe.Sizeof(id)]byte)(unsafe.Pointer(&id))[:], in)
	x := &b.extensions
	switch id {
	case spi.WSAID_ACCEPTEX:
		return spi.StoreExtension(out, returned, &x.acceptEx)
	case spi.WSAID_GETACCEPTEXSOCKADDRS:
		return spi.StoreExtension(out, returned, &x.acceptAddresses)
	case spi.WSAID_CONNECTEX:
		return spi.StoreExtension(out, returned, &x.connectEx)
	case spi.WSAID_DISCONNECTEX:
		return spi.StoreExtension(out, returned, &x.disconnectEx)
	case spi.WSAID_TRANSMITFILE:
		return spi.StoreExtension(out, returned, &x.transmitFile)
	case spi.WSAID_TRANSMITPACKETS:
		return spi.StoreExtension(out, returned, &x.transmitPackets)
	case spi.WSAID_WSARECVMSG:
		return spi.StoreExtension(out, returned, &x.recvMsg)
	case spi.WSAID_WSASENDMSG:
		return spi.StoreExtension(out, returned, &x.sendMsg)
	case spi.WSAID_WSAPOLL:
		return spi.StoreExtension(out, returned, &x.poll)
	}
	return spi.WSAEOPNOTSUPP
}
