package trace

import (
	"encoding/binary"
	"strconv"
	"strings"
	"unsafe"

	"upcall.dev/spi"
)

var families = map[int32]string{
	spi.AF_UNSPEC: "AF_UNSPEC", spi.AF_UNIX: "AF_UNIX", spi.AF_INET: "AF_INET", spi.AF_INET6: "AF_INET6",
	spi.FROM_PROTOCOL_INFO: "FROM_PROTOCOL_INFO",
}

var types = map[int32]string{
	spi.SOCK_STREAM: "SOCK_STREAM", spi.SOCK_DGRAM: "SOCK_DGRAM", spi.SOCK_RAW: "SOCK_RAW", spi.SOCK_RDM: "SOCK_RDM",
	spi.SOCK_SEQPACKET: "SOCK_SEQPACKET", spi.FROM_PROTOCOL_INFO: "FROM_PROTOCOL_INFO",
}

var protocols = map[int32]string{
	spi.IPPROTO_TCP: "IPPROTO_TCP", spi.IPPROTO_UDP: "IPPROTO_UDP", spi.IPPROTO_ICMP: "IPPROTO_ICMP",
	spi.FROM_PROTOCOL_INFO: "FROM_PROTOCOL_INFO",
}

var levels = map[int32]string{
	spi.SOL_SOCKET: "SOL_SOCKET", spi.IPPROTO_IP: "IPPROTO_IP", spi.IPPROTO_IPV6: "IPPROTO_IPV6", spi.IPPROTO_TCP: "IPPROTO_TCP",
	spi.IPPROTO_UDP: "IPPROTO_UDP",
}

type option struct{ level, name int32 }

var optionNames = map[option]string{
	{spi.SOL_SOCKET, spi.SO_DEBUG}:                 "SO_DEBUG",
	{spi.SOL_SOCKET, spi.SO_ACCEPTCONN}:            "SO_ACCEPTCONN",
	{spi.SOL_SOCKET, spi.SO_REUSEADDR}:             "SO_REUSEADDR",
	{spi.SOL_SOCKET, spi.SO_EXCLUSIVEADDRUSE}:      "SO_EXCLUSIVEADDRUSE",
	{spi.SOL_SOCKET, spi.SO_KEEPALIVE}:             "SO_KEEPALIVE",
	{spi.SOL_SOCKET, spi.SO_DONTROUTE}:             "SO_DONTROUTE",
	{spi.SOL_SOCKET, spi.SO_BROADCAST}:             "SO_BROADCAST",
	{spi.SOL_SOCKET, spi.SO_LINGER}:                "SO_LINGER",
	{spi.SOL_SOCKET, spi.SO_DONTLINGER}:            "SO_DONTLINGER",
	{spi.SOL_SOCKET, spi.SO_OOBINLINE}:             "SO_OOBINLINE",
	{spi.SOL_SOCKET, spi.SO_SNDBUF}:                "SO_SNDBUF",
	{spi.SOL_SOCKET, spi.SO_RCVBUF}:                "SO_RCVBUF",
	{spi.SOL_SOCKET, spi.SO_SNDTIMEO}:              "SO_SNDTIMEO",
	{spi.SOL_SOCKET, spi.SO_RCVTIMEO}:              "SO_RCVTIMEO",
	{spi.SOL_SOCKET, spi.SO_ERROR}:                 "SO_ERROR",
	{spi.SOL_SOCKET, spi.SO_TYPE}:                  "SO_TYPE",
	{spi.SOL_SOCKET, spi.SO_MAX_MSG_SIZE}:          "SO_MAX_MSG_SIZE",
	{spi.SOL_SOCKET, spi.SO_PROTOCOL_INFOW}:        "SO_PROTOCOL_INFOW",
	{spi.SOL_SOCKET, spi.SO_CONDITIONAL_ACCEPT}:    "SO_CONDITIONAL_ACCEPT",
	{spi.SOL_SOCKET, spi.SO_UPDATE_ACCEPT_CONTEXT}: "SO_UPDATE_ACCEPT_CONTEXT",
	{spi.SOL_SOCKET, spi.SO_UPDATE_CONNECT_CTX}:    "SO_UPDATE_CONNECT_CONTEXT",
	{spi.SOL_SOCKET, spi.SO_CONNECT_TIME}:          "SO_CONNECT_TIME",
	{spi.IPPROTO_TCP, spi.TCP_NODELAY}:             "TCP_NODELAY",
	{spi.IPPROTO_TCP, spi.TCP_KEEPALIVE}:           "TCP_KEEPALIVE",
	{spi.IPPROTO_TCP, spi.TCP_KEEPCNT}:             "TCP_KEEPCNT",
	{spi.IPPROTO_TCP, spi.TCP_KEEPINTVL}:           "TCP_KEEPINTVL",
	{spi.IPPROTO_TCP, spi.TCP_MAXSEG}:              "TCP_MAXSEG",
	{spi.IPPROTO_TCP, spi.TCP_FASTOPEN}:            "TCP_FASTOPEN",
	{spi.IPPROTO_IP, spi.IP_TTL}:                   "IP_TTL",
	{spi.IPPROTO_IP, spi.IP_TOS}:                   "IP_TOS",
	{spi.IPPROTO_IP, spi.IP_MULTICAST_IF}:          "IP_MULTICAST_IF",
	{spi.IPPROTO_IP, spi.IP_MULTICAST_TTL}:         "IP_MULTICAST_TTL",
	{spi.IPPROTO_IP, spi.IP_MULTICAST_LOOP}:        "IP_MULTICAST_LOOP",
	{spi.IPPROTO_IP, spi.IP_ADD_MEMBERSHIP}:        "IP_ADD_MEMBERSHIP",
	{spi.IPPROTO_IP, spi.IP_DROP_MEMBERSHIP}:       "IP_DROP_MEMBERSHIP",
	{spi.IPPROTO_IPV6, spi.IPV6_V6ONLY}:            "IPV6_V6ONLY",
	{spi.IPPROTO_IPV6, spi.IPV6_UNICAST_HOPS}:      "IPV6_UNICAST_HOPS",
	{spi.IPPROTO_IPV6, spi.IPV6_MULTICAST_HOPS}:    "IPV6_MULTICAST_HOPS",
	{spi.IPPROTO_IPV6, spi.IPV6_MULTICAST_LOOP}:    "IPV6_MULTICAST_LOOP",
}

var controls = map[uint32]string{
	spi.FIONREAD: "FIONREAD", spi.FIONBIO: "FIONBIO", spi.SIOCATMARK: "SIOCATMARK",
	spi.SIO_CANCEL_IO:                      "SIO_CANCEL_IO",
	spi.SIO_GET_EXTENSION_FUNCTION_POINTER: "SIO_GET_EXTENSION_FUNCTION_POINTER", spi.SIO_BASE_HANDLE: "SIO_BASE_HANDLE",
	spi.SIO_KEEPALIVE_VALS: "SIO_KEEPALIVE_VALS", spi.SIO_UDP_CONNRESET: "SIO_UDP_CONNRESET",
	spi.SIO_ADDRESS_LIST_QUERY: "SIO_ADDRESS_LIST_QUERY", spi.SIO_ADDRESS_LIST_CHANGE: "SIO_ADDRESS_LIST_CHANGE",
	spi.SIO_ROUTING_INTERFACE_QUERY: "SIO_ROUTING_INTERFACE_QUERY", spi.SIO_ROUTING_INTERFACE_CHANGE: "SIO_ROUTING_INTERFACE_CHANGE",
}

var hows = map[int32]string{spi.SD_RECEIVE: "SD_RECEIVE", spi.SD_SEND: "SD_SEND", spi.SD_BOTH: "SD_BOTH"}

// events are the FD_ names, by bit number.
var events = []string{"FD_READ", "FD_WRITE", "FD_OOB", "FD_ACCEPT", "FD_CONNECT", "FD_CLOSE", "FD_QOS", "FD_GROUP_QOS",
	"FD_ROUTING_INTERFACE_CHANGE", "FD_ADDRESS_LIST_CHANGE"}

func nameOf(names map[int32]string, value int32) string {
	if name, ok := names[value]; ok {
		return name
	}
	return strconv.Itoa(int(value))
}

func optionName(level, name int32) string {
	if text, ok := optionNames[option{level, name}]; ok {
		return text
	}
	return nameOf(levels, level) + " " + strconv.Itoa(int(name))
}

func controlName(code uint32) string {
	if name, ok := controls[code]; ok {
		return name
	}
	return "0x" + strconv.FormatUint(uint64(code), 16)
}

func eventNames(mask int32) string {
	if mask == 0 {
		return "0"
	}
	var names []string
	for i, name := range events {
		if mask&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if rest := mask &^ spi.FD_ALL_EVENTS; rest != 0 {
		names = append(names, "0x"+strconv.FormatUint(uint64(uint32(rest)), 16))
	}
	return strings.Join(names, "|")
}

// optionValue writes the value of a socket option.
func optionValue(level, name int32, val []byte) string {
	switch {
	case level == spi.SOL_SOCKET && name == spi.SO_LINGER && len(val) >= 4:
		if binary.NativeEndian.Uint16(val) == 0 {
			return "off"
		}
		return strconv.Itoa(int(binary.NativeEndian.Uint16(val[2:]))) + "s"
	case level == spi.SOL_SOCKET && name == spi.SO_PROTOCOL_INFOW && len(val) == int(unsafe.Sizeof(spi.ProtocolInfo{})):
		var info spi.ProtocolInfo
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&info)), len(val)), val)
		return "entry " + strconv.FormatUint(uint64(info.CatalogEntryID), 10) + " " + strconv.Quote(info.Name())
	case level == spi.SOL_SOCKET && name == spi.SO_ERROR && len(val) == 4:
		if code := spi.Errno(binary.NativeEndian.Uint32(val)); code != 0 {
			return code.Name()
		}
		return "0"
	}
	return number(val)
}

// number writes four bytes as a signed number, others by their count.
func number(val []byte) string {
	if len(val) == 4 {
		return strconv.Itoa(int(int32(binary.NativeEndian.Uint32(val))))
	}
	return strconv.Itoa(len(val)) + " bytes"
}

// selectSets writes the members of the sets: r[3 4] w[5].
func selectSets(read, write, except *spi.FDSet) string {
	var b []byte
	for _, set := range []struct {
		name    byte
		sockets []spi.Socket
	}{{'r', read.Sockets()}, {'w', write.Sockets()}, {'e', except.Sockets()}} {
		if len(set.sockets) == 0 {
			continue
		}
		if len(b) > 0 {
			b = append(b, ' ')
		}
		b = append(b, set.name, '[')
		for i, s := range set.sockets {
			if i > 0 {
				b = append(b, ' ')
			}
			b = appendSocket(b, s)
		}
		b = append(b, ']')
	}
	return string(b)
}

func transmitFlags(flags uint32) string {
	if flags == 0 {
		return ""
	}
	return bitNames(flags, []bitName{{spi.TF_DISCONNECT, "TF_DISCONNECT"}, {spi.TF_REUSE_SOCKET, "TF_REUSE_SOCKET"},
		{spi.TF_WRITE_BEHIND, "TF_WRITE_BEHIND"}, {spi.TF_USE_SYSTEM_THREAD, "TF_USE_SYSTEM_THREAD"}, {spi.TF_USE_KERNEL_APC, "TF_USE_KERNEL_APC"}})
}

func messageFlags(flags uint32) string {
	return bitNames(flags, []bitName{{spi.MSG_OOB, "MSG_OOB"}, {spi.MSG_PEEK, "MSG_PEEK"}, {spi.MSG_DONTROUTE, "MSG_DONTROUTE"},
		{spi.MSG_WAITALL, "MSG_WAITALL"}, {spi.MSG_PARTIAL, "MSG_PARTIAL"}})
}

func pollEvents(events int16) string {
	return bitNames(uint32(uint16(events)), []bitName{{spi.POLLERR, "ERR"}, {spi.POLLHUP, "HUP"}, {spi.POLLNVAL, "NVAL"}, {spi.POLLIN, "IN"},
		{spi.POLLRDNORM, "RDNORM"}, {spi.POLLRDBAND, "RDBAND"}, {spi.POLLOUT, "OUT"}, {spi.POLLWRBAND, "WRBAND"}, {spi.POLLPRI, "PRI"}})
}

type bitName struct {
	bits uint32
	name string
}

// bitNames joins the names of what is set, and what has no name in hexadecimal.
func bitNames(set uint32, known []bitName) string {
	var names []string
	for _, k := range known {
		if set&k.bits == k.bits {
			names = append(names, k.name)
			set &^= k.bits
		}
	}
	if set != 0 {
		names = append(names, controlName(set))
	}
	return strings.Join(names, "|")
}

// pollSet writes the elements for which which gives something: [3:IN 4:OUT].
func pollSet(fds []spi.PollFD, which func(*spi.PollFD) int16) string {
	b := []byte{'['}
	for i := range fds {
		events := which(&fds[i])
		if events == 0 || fds[i].FD == spi.InvalidSocket {
			continue
		}
		if len(b) > 1 {
			b = append(b, ' ')
		}
		b = append(appendSocket(b, fds[i].FD), ':')
		b = append(b, pollEvents(events)...)
	}
	return string(append(b, ']'))
}

// networkEvents writes what WSPEnumNetworkEvents returned, with its errors.
func networkEvents(out *spi.NetworkEvents) string {
	text := eventNames(out.NetworkEvents)
	for i, code := range out.ErrorCode {
		if out.NetworkEvents&(1<<i) != 0 && code != 0 {
			text += " " + events[i] + ":" + spi.Errno(code).Name()
		}
	}
	return text
}
