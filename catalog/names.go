package catalog

import (
	"fmt"
	"strconv"
	"strings"

	"upcall.dev/spi"
)

// bitName is one flag's name in the file, without its prefix.
type bitName struct {
	bit  uint32
	name string
}

var serviceFlagNames = []bitName{
	{spi.XP1_CONNECTIONLESS, "CONNECTIONLESS"},
	{spi.XP1_GUARANTEED_DELIVERY, "GUARANTEED_DELIVERY"},
	{spi.XP1_GUARANTEED_ORDER, "GUARANTEED_ORDER"},
	{spi.XP1_MESSAGE_ORIENTED, "MESSAGE_ORIENTED"},
	{spi.XP1_PSEUDO_STREAM, "PSEUDO_STREAM"},
	{spi.XP1_GRACEFUL_CLOSE, "GRACEFUL_CLOSE"},
	{spi.XP1_EXPEDITED_DATA, "EXPEDITED_DATA"},
	{spi.XP1_CONNECT_DATA, "CONNECT_DATA"},
	{spi.XP1_DISCONNECT_DATA, "DISCONNECT_DATA"},
	{spi.XP1_SUPPORT_BROADCAST, "SUPPORT_BROADCAST"},
	{spi.XP1_SUPPORT_MULTIPOINT, "SUPPORT_MULTIPOINT"},
	{spi.XP1_MULTIPOINT_CONTROL_PLANE, "MULTIPOINT_CONTROL_PLANE"},
	{spi.XP1_MULTIPOINT_DATA_PLANE, "MULTIPOINT_DATA_PLANE"},
	{spi.XP1_QOS_SUPPORTED, "QOS_SUPPORTED"},
	{spi.XP1_INTERRUPT, "INTERRUPT"},
	{spi.XP1_UNI_SEND, "UNI_SEND"},
	{spi.XP1_UNI_RECV, "UNI_RECV"},
	{spi.XP1_IFS_HANDLES, "IFS_HANDLES"},
	{spi.XP1_PARTIAL_MESSAGE, "PARTIAL_MESSAGE"},
	{spi.XP1_SAN_SUPPORT_SDP, "SAN_SUPPORT_SDP"},
}

var providerFlagNames = []bitName{
	{spi.PFL_MULTIPLE_PROTO_ENTRIES, "MULTIPLE_PROTO_ENTRIES"},
	{spi.PFL_RECOMMENDED_PROTO_ENTRY, "RECOMMENDED_PROTO_ENTRY"},
	{spi.PFL_HIDDEN, "HIDDEN"},
	{spi.PFL_MATCHES_PROTOCOL_ZERO, "MATCHES_PROTOCOL_ZERO"},
	{spi.PFL_NETWORKDIRECT_PROVIDER, "NETWORKDIRECT_PROVIDER"},
}

var categoryNames = []bitName{
	{spi.LSP_SYSTEM, "SYSTEM"},
	{spi.LSP_INSPECTOR, "INSPECTOR"},
	{spi.LSP_REDIRECTOR, "REDIRECTOR"},
	{spi.LSP_PROXY, "PROXY"},
	{spi.LSP_FIREWALL, "FIREWALL"},
	{spi.LSP_INBOUND_MODIFY, "INBOUND_MODIFY"},
	{spi.LSP_OUTBOUND_MODIFY, "OUTBOUND_MODIFY"},
	{spi.LSP_CRYPTO_COMPRESS, "CRYPTO_COMPRESS"},
	{spi.LSP_LOCAL_CACHE, "LOCAL_CACHE"},
}

// CategoryNames returns the names of LSP_ bits without that prefix, as the
// catalog's file has them; bits without a name come as one hexadecimal number.
func CategoryNames(categories uint32) []string { return bitNames(categoryNames, categories) }

// ParseCategories is the inverse of [CategoryNames]; case does not matter. Its
// error lists the names.
func ParseCategories(names []string) (uint32, error) {
	var categories uint32
	for _, name := range names {
		bit, err := parseBit(categoryNames, strings.ToUpper(name))
		if err != nil {
			return 0, err
		}
		categories |= bit
	}
	return categories, nil
}

func bitNames(table []bitName, flags uint32) []string {
	var names []string
	for _, b := range table {
		if flags&b.bit != 0 {
			names = append(names, b.name)
			flags &^= b.bit
		}
	}
	if flags != 0 {
		names = append(names, fmt.Sprintf("%#x", flags))
	}
	return names
}

func parseBit(table []bitName, name string) (uint32, error) {
	for _, b := range table {
		if b.name == name {
			return b.bit, nil
		}
	}
	if number, err := strconv.ParseUint(name, 0, 32); err == nil {
		return uint32(number), nil
	}
	known := make([]string, len(table))
	for i, b := range table {
		known[i] = b.name
	}
	return 0, fmt.Errorf("%q is not a flag here: use a number or one of %s", name, strings.Join(known, ", "))
}

// number is the name of one value in the file.
type number struct {
	value int32
	name  string
}

var familyNames = []number{{spi.AF_UNIX, "UNIX"}, {spi.AF_INET, "INET"}, {spi.AF_INET6, "INET6"}}

var typeNames = []number{
	{spi.SOCK_STREAM, "STREAM"}, {spi.SOCK_DGRAM, "DGRAM"}, {spi.SOCK_RAW, "RAW"},
	{spi.SOCK_RDM, "RDM"}, {spi.SOCK_SEQPACKET, "SEQPACKET"},
}

var protocolNames = []number{{spi.IPPROTO_ICMP, "ICMP"}, {spi.IPPROTO_TCP, "TCP"}, {spi.IPPROTO_UDP, "UDP"}}

var namespaceNames = []number{
	{spi.NS_DNS, "DNS"}, {spi.NS_NETBT, "NETBT"}, {spi.NS_WINS, "WINS"}, {spi.NS_NLA, "NLA"}, {spi.NS_BTH, "BTH"},
	{spi.NS_NTDS, "NTDS"}, {spi.NS_EMAIL, "EMAIL"}, {spi.NS_PNRPNAME, "PNRPNAME"}, {spi.NS_PNRPCLOUD, "PNRPCLOUD"},
}

// NamespaceName returns a namespace's name without NS_, or its number.
func NamespaceName(nameSpace uint32) string { return numberName(namespaceNames, int32(nameSpace)) }

// FamilyName returns an address family's name without AF_, or its number.
func FamilyName(family int32) string { return numberName(familyNames, family) }

// SocketTypeName returns a socket type's name without SOCK_, or its number.
func SocketTypeName(socketType int32) string { return numberName(typeNames, socketType) }

// ProtocolName returns a protocol's name without IPPROTO_, or its number.
func ProtocolName(protocol int32) string { return numberName(protocolNames, protocol) }

func numberName(table []number, value int32) string {
	for _, n := range table {
		if n.value == value {
			return n.name
		}
	}
	return strconv.Itoa(int(value))
}

func parseNumber(table []number, name string) (int32, error) {
	known := make([]string, len(table))
	for i, n := range table {
		if n.name == name {
			return n.value, nil
		}
		known[i] = n.name
	}
	value, err := strconv.ParseInt(name, 0, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is not known here: use a number or one of %s", name, strings.Join(known, ", "))
	}
	return int32(value), nil
}
