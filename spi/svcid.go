package spi

// Classes of services that every namespace of internet names knows. The name of
// the instance is what the comment says.
// Source: svcguid.h.
var (
	SVCID_HOSTNAME                  = svcid(0x0002a800, 0) // none: this machine
	SVCID_INET_HOSTADDRBYINETSTRING = svcid(0x0002a801, 0) // an address as text
	SVCID_INET_SERVICEBYNAME        = svcid(0x0002a802, 0) // service/protocol
	SVCID_INET_HOSTADDRBYNAME       = svcid(0x0002a803, 0) // a host's name

	SVCID_DNS_TYPE_A    = SVCID_DNS(0x01) // a host's name
	SVCID_DNS_TYPE_PTR  = SVCID_DNS(0x0c) // a name under in-addr.arpa or ip6.arpa
	SVCID_DNS_TYPE_AAAA = SVCID_DNS(0x1c) // a host's name
)

// SVCID_TCP is the class of the services on a TCP port.
func SVCID_TCP(port uint16) GUID { return svcid(0x00090000|uint32(port), 0) }

// SVCID_UDP is the class of the services on a UDP port.
func SVCID_UDP(port uint16) GUID { return svcid(0x000a0000|uint32(port), 0) }

// SVCID_DNS is the class of the DNS records of one type.
func SVCID_DNS(recordType uint16) GUID { return svcid(0x00090035, recordType) }

func svcid(class uint32, record uint16) GUID {
	return GUID{Data1: class, Data3: record, Data4: [8]byte{0: 0xc0, 7: 0x46}}
}

// PortOfSVCID returns the protocol (IPPROTO_TCP or IPPROTO_UDP) and the port of
// a class made by [SVCID_TCP] or [SVCID_UDP].
func PortOfSVCID(class GUID) (protocol int32, port uint16, ok bool) {
	port = uint16(class.Data1)
	switch class {
	case SVCID_TCP(port):
		return IPPROTO_TCP, port, true
	case SVCID_UDP(port):
		return IPPROTO_UDP, port, true
	}
	return 0, 0, false
}
