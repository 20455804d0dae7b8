// Package memory is the base provider "memory": stream and datagram sockets
// over IPv4 and IPv6 addresses whose traffic never leaves the process. Each
// loaded provider has an address space of its own, which knows only the
// loopback addresses 127.0.0.0/8 and ::1. Its handles are non-IFS.
package memory

import (
	"upcall.dev/nonifs"
	"upcall.dev/spi"
)

// Name is the driver's name.
const Name = "memory"

// ProviderID is the id that the four entries are installed under.
var ProviderID = spi.MustParseGUID("6d656d6f-7279-4c1d-8e52-0f2a9b71c3d4")

const summary = "sockets inside the process, over loopback addresses"

func init() {
	spi.Register(spi.Driver{
		Name:       Name,
		Summary:    summary,
		ProviderID: ProviderID,
		Protocols:  protocols,
		Open: func(spi.Module) (spi.StartupFunc, error) {
			return newProvider().startup, nil
		},
	})
}

// longestDatagram is the most that UDP carries over IPv4.
const longestDatagram = 65507

func protocols() []spi.ProtocolInfo {
	const (
		stream   = spi.XP1_GUARANTEED_DELIVERY | spi.XP1_GUARANTEED_ORDER | spi.XP1_GRACEFUL_CLOSE
		datagram = spi.XP1_CONNECTIONLESS | spi.XP1_MESSAGE_ORIENTED
	)
	return []spi.ProtocolInfo{
		protocol("Memory stream, IPv4", stream, spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP, 0),
		protocol("Memory datagrams, IPv4", datagram, spi.AF_INET, spi.SOCK_DGRAM, spi.IPPROTO_UDP, longestDatagram),
		protocol("Memory stream, IPv6", stream, spi.AF_INET6, spi.SOCK_STREAM, spi.IPPROTO_TCP, 0),
		protocol("Memory datagrams, IPv6", datagram, spi.AF_INET6, spi.SOCK_DGRAM, spi.IPPROTO_UDP, longestDatagram),
	}
}

func protocol(name string, flags uint32, family, typ, number int32, messageSize uint32) spi.ProtocolInfo {
	size := int32(spi.SizeofSockaddrIn)
	if family == spi.AF_INET6 {
		size = spi.SizeofSockaddrIn6
	}
	p := spi.ProtocolInfo{
		ServiceFlags1: flags,
		ProviderFlags: spi.PFL_MATCHES_PROTOCOL_ZERO,
		ProviderID:    ProviderID,
		ProtocolChain: spi.ProtocolChain{ChainLen: spi.BaseProtocol},
		Version:       2,
		AddressFamily: family,
		MaxSockAddr:   size,
		MinSockAddr:   size,
		SocketType:    typ,
		Protocol:      number,
		MessageSize:   messageSize,
	}
	p.SetName(name)
	return p
}

// provider is one loaded memory provider.
type provider struct {
	nonifs.Base
	network *network
}

func newProvider() *provider {
	p := new(provider)
	p.network = newNetwork(&p.Base)
	p.Init(p.socket, nil)
	return p
}

func (p *provider) startup(requested uint16, data *spi.WSPData, info *spi.ProtocolInfo, upcalls spi.UpcallTable, dll spi.DLL) (spi.Provider, spi.Errno) {
	if errno := spi.NegotiateVersion(requested, data, summary); errno != 0 {
		return nil, errno
	}
	p.Start(upcalls, dll)
	return p, 0
}

func (p *provider) socket(info *spi.ProtocolInfo, af, typ, _ int32, flags uint32) (*nonifs.Endpoint, spi.Errno) {
	s := p.network.newSocket(af, typ)
	s.Init(&p.Base, s, info, typ, flags)
	return &s.Endpoint, 0
}
