package nonifs

import "upcall.dev/spi"

func (b *Base) initExtensions() {
	b.extensions = spi.Extensions{
		AcceptEx:             b.acceptEx,
		GetAcceptExSockaddrs: acceptAddresses,
		ConnectEx:            b.connectEx,
		DisconnectEx:         b.disconnectEx,
		TransmitFile:         b.transmitFile,
		TransmitPackets:      b.transmitPackets,
		WSARecvMsg:           b.recvMsg,
		WSASendMsg:           b.sendMsg,
		WSAPoll:              b.poll,
	}
}
