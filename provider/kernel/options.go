//go:build linux

package kernel

import (
	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// optionKind is how an option's value is translated.
type optionKind uint8

const (
	optBool       optionKind = iota // a BOOL of one to four bytes
	optInt                          // an int, the same in the kernel
	optBuffer                       // a buffer size, which the kernel doubles
	optMillis                       // milliseconds, a timeval in the kernel
	optBytes                        // memory of the same layout
	optReadBool                     // read only
	optReadInt                      // read only
	optFragment                     // TRUE forbids fragmentation; the kernel has a discovery mode
	optFastOpen                     // TRUE; the kernel has a queue length
	optInterface4                   // an address, or an index in 0.0.0.0/8
	optMember4                      // ip_mreq, whose interface may be such an index
)

// applies tells which sockets have an option.
type applies uint8

const (
	anySocket applies = iota
	streams
	datagrams
	tcpOnly
	ipOnly
	ip6Only
)

func (a applies) to(k kind) bool {
	switch a {
	case streams:
		return k.stream()
	case datagrams:
		return !k.stream()
	case tcpOnly:
		return k.tcp()
	case ipOnly:
		return k != unixStream
	case ip6Only:
		return k.v6()
	}
	return true
}

type optionName struct{ level, name int32 }

// option is one that translates to an option of the kernel. Those that do not
// are in sockopt.go.
type option struct {
	kind        optionKind
	on          applies
	level, name int // the kernel's
}

// fastOpenQueue is the kernel's queue length for TCP_FASTOPEN TRUE.
const fastOpenQueue = 256

var options = map[optionName]option{
	{spi.SOL_SOCKET, spi.SO_DEBUG}:      {optBool, anySocket, unix.SOL_SOCKET, unix.SO_DEBUG},
	{spi.SOL_SOCKET, spi.SO_ACCEPTCONN}: {optReadBool, anySocket, unix.SOL_SOCKET, unix.SO_ACCEPTCONN},
	{spi.SOL_SOCKET, spi.SO_KEEPALIVE}:  {optBool, streams, unix.SOL_SOCKET, unix.SO_KEEPALIVE},
	{spi.SOL_SOCKET, spi.SO_DONTROUTE}:  {optBool, ipOnly, unix.SOL_SOCKET, unix.SO_DONTROUTE},
	{spi.SOL_SOCKET, spi.SO_BROADCAST}:  {optBool, datagrams, unix.SOL_SOCKET, unix.SO_BROADCAST},
	{spi.SOL_SOCKET, spi.SO_OOBINLINE}:  {optBool, tcpOnly, unix.SOL_SOCKET, unix.SO_OOBINLINE},
	{spi.SOL_SOCKET, spi.SO_SNDBUF}:     {optBuffer, anySocket, unix.SOL_SOCKET, unix.SO_SNDBUF},
	{spi.SOL_SOCKET, spi.SO_RCVBUF}:     {optBuffer, anySocket, unix.SOL_SOCKET, unix.SO_RCVBUF},
	{spi.SOL_SOCKET, spi.SO_SNDTIMEO}:   {optMillis, anySocket, unix.SOL_SOCKET, unix.SO_SNDTIMEO},
	{spi.SOL_SOCKET, spi.SO_RCVTIMEO}:   {optMillis, anySocket, unix.SOL_SOCKET, unix.SO_RCVTIMEO},

	{spi.IPPROTO_TCP, spi.TCP_NODELAY}:   {optBool, tcpOnly, unix.IPPROTO_TCP, unix.TCP_NODELAY},
	{spi.IPPROTO_TCP, spi.TCP_KEEPALIVE}: {optInt, tcpOnly, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
	{spi.IPPROTO_TCP, spi.TCP_KEEPINTVL}: {optInt, tcpOnly, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
	{spi.IPPROTO_TCP, spi.TCP_KEEPCNT}:   {optInt, tcpOnly, unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
	{spi.IPPROTO_TCP, spi.TCP_MAXSEG}:    {optReadInt, tcpOnly, unix.IPPROTO_TCP, unix.TCP_MAXSEG},
	{spi.IPPROTO_TCP, spi.TCP_FASTOPEN}:  {optFastOpen, tcpOnly, unix.IPPROTO_TCP, unix.TCP_FASTOPEN},

	{spi.IPPROTO_IP, spi.IP_OPTIONS}:         {optBytes, ipOnly, unix.IPPROTO_IP, unix.IP_OPTIONS},
	{spi.IPPROTO_IP, spi.IP_TOS}:             {optInt, ipOnly, unix.IPPROTO_IP, unix.IP_TOS},
	{spi.IPPROTO_IP, spi.IP_TTL}:             {optInt, ipOnly, unix.IPPROTO_IP, unix.IP_TTL},
	{spi.IPPROTO_IP, spi.IP_DONTFRAGMENT}:    {optFragment, ipOnly, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER},
	{spi.IPPROTO_IP, spi.IP_PKTINFO}:         {optBool, datagrams, unix.IPPROTO_IP, unix.IP_PKTINFO},
	{spi.IPPROTO_IP, spi.IP_RECVTTL}:         {optBool, datagrams, unix.IPPROTO_IP, unix.IP_RECVTTL},
	{spi.IPPROTO_IP, spi.IP_RECVTOS}:         {optBool, datagrams, unix.IPPROTO_IP, unix.IP_RECVTOS},
	{spi.IPPROTO_IP, spi.IP_MULTICAST_TTL}:   {optInt, datagrams, unix.IPPROTO_IP, unix.IP_MULTICAST_TTL},
	{spi.IPPROTO_IP, spi.IP_MULTICAST_LOOP}:  {optBool, datagrams, unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP},
	{spi.IPPROTO_IP, spi.IP_MULTICAST_IF}:    {optInterface4, datagrams, unix.IPPROTO_IP, unix.IP_MULTICAST_IF},
	{spi.IPPROTO_IP, spi.IP_ADD_MEMBERSHIP}:  {optMember4, datagrams, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP},
	{spi.IPPROTO_IP, spi.IP_DROP_MEMBERSHIP}: {optMember4, datagrams, unix.IPPROTO_IP, unix.IP_DROP_MEMBERSHIP},

	{spi.IPPROTO_IPV6, spi.IPV6_V6ONLY}:         {optBool, ip6Only, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY},
	{spi.IPPROTO_IPV6, spi.IPV6_UNICAST_HOPS}:   {optInt, ip6Only, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS},
	{spi.IPPROTO_IPV6, spi.IPV6_DONTFRAG}:       {optBool, ip6Only, unix.IPPROTO_IPV6, unix.IPV6_DONTFRAG},
	{spi.IPPROTO_IPV6, spi.IPV6_PKTINFO}:        {optBool, ip6Only, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO},
	{spi.IPPROTO_IPV6, spi.IPV6_HOPLIMIT}:       {optBool, ip6Only, unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT},
	{spi.IPPROTO_IPV6, spi.IPV6_RECVTCLASS}:     {optBool, ip6Only, unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS},
	{spi.IPPROTO_IPV6, spi.IPV6_TCLASS}:         {optInt, ip6Only, unix.IPPROTO_IPV6, unix.IPV6_TCLASS},
	{spi.IPPROTO_IPV6, spi.IPV6_MULTICAST_IF}:   {optInt, ip6Only, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF},
	{spi.IPPROTO_IPV6, spi.IPV6_MULTICAST_HOPS}: {optInt, ip6Only, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS},
	{spi.IPPROTO_IPV6, spi.IPV6_MULTICAST_LOOP}: {optBool, ip6Only, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP},
	{spi.IPPROTO_IPV6, spi.IPV6_JOIN_GROUP}:     {optBytes, ip6Only, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP},
	{spi.IPPROTO_IPV6, spi.IPV6_LEAVE_GROUP}:    {optBytes, ip6Only, unix.IPPROTO_IPV6, unix.IPV6_LEAVE_GROUP},
}

// find returns the option for a socket of kind k. WSAEINVAL for a level that
// there is not, WSAENOPROTOOPT for an option that the socket does not have.
func findOption(level, name int32, k kind) (option, spi.Errno) {
	switch level {
	case spi.SOL_SOCKET, spi.IPPROTO_TCP, spi.IPPROTO_UDP, spi.IPPROTO_IP, spi.IPPROTO_IPV6:
	default:
		return option{}, spi.WSAEINVAL
	}
	o, ok := options[optionName{level, name}]
	if !ok || !o.on.to(k) {
		return option{}, spi.WSAENOPROTOOPT
	}
	return o, 0
}
