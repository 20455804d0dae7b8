package namespace

import (
	"encoding/binary"

	"upcall.dev/internal/netdb"
	"upcall.dev/spi"
)

var classNames = map[spi.GUID]string{
	spi.SVCID_HOSTNAME:                  "Hostname",
	spi.SVCID_INET_HOSTADDRBYINETSTRING: "HostAddressByInetString",
	spi.SVCID_INET_HOSTADDRBYNAME:       "HostAddressByName",
	spi.SVCID_DNS_TYPE_A:                "DNS A",
	spi.SVCID_DNS_TYPE_AAAA:             "DNS AAAA",
	spi.SVCID_DNS_TYPE_PTR:              "DNS PTR",
}

// regDword is REG_DWORD, the type of a port in a class.
const regDword = 4

// NSPGetServiceClassInfo tells the name of the classes that this package serves,
// and the port of a class of TCP or UDP services, whose name is that of the
// service on the port. WSATYPE_NOT_FOUND.
func (p *Provider) NSPGetServiceClassInfo(_, class *spi.GUID, length *uint32, info []byte) spi.Errno {
	if class == nil {
		return spi.WSAEINVAL
	}
	known := spi.ServiceClassInfo{ServiceClassID: class}
	if name, ok := classNames[*class]; ok {
		known.ServiceClassName = spi.UTF16Ptr(name)
		return known.Pack(info, length)
	}
	protocol, port, ok := spi.PortOfSVCID(*class)
	if !ok {
		return spi.WSATYPE_NOT_FOUND
	}
	protocolName, valueName := "tcp", "TcpPort"
	if protocol == spi.IPPROTO_UDP {
		protocolName, valueName = "udp", "UdpPort"
	}
	service, ok := netdb.System.ServiceByPort(port, protocolName)
	if !ok {
		return spi.WSATYPE_NOT_FOUND
	}
	number := make([]byte, 4)
	binary.NativeEndian.PutUint32(number, uint32(port))
	known.ServiceClassName = spi.UTF16Ptr(service.Name)
	known.Count = 1
	known.ClassInfos = &spi.NSClassInfo{
		Name: spi.UTF16Ptr(valueName), NameSpace: p.nameSpace, ValueType: regDword, ValueSize: uint32(len(number)), Value: &number[0],
	}
	return known.Pack(info, length)
}
