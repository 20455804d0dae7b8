//go:build linux

package kernel

import "upcall.dev/spi"

func (p *provider) initExtensions() {
	p.extensions = spi.Extensions{
		AcceptEx:             p.acceptEx,
		GetAcceptExSockaddrs: acceptAddresses,
		ConnectEx:            p.connectEx,
		DisconnectEx:         p.disconnectEx,
		TransmitFile:         p.transmitFile,
		TransmitPackets:      p.transmitPackets,
		WSARecvMsg:           p.recvMsg,
		WSASendMsg:           p.sendMsg,
		WSAPoll:              p.poll,
	}
}
