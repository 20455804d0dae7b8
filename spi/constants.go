package spi

// Service flags, XP1_ in ProtocolInfo.ServiceFlags1.
const (
	XP1_CONNECTIONLESS           = 0x00001
	XP1_GUARANTEED_DELIVERY      = 0x00002
	XP1_GUARANTEED_ORDER         = 0x00004
	XP1_MESSAGE_ORIENTED         = 0x00008
	XP1_PSEUDO_STREAM            = 0x00010
	XP1_GRACEFUL_CLOSE           = 0x00020
	XP1_EXPEDITED_DATA           = 0x00040
	XP1_CONNECT_DATA             = 0x00080
	XP1_DISCONNECT_DATA          = 0x00100
	XP1_SUPPORT_BROADCAST        = 0x00200
	XP1_SUPPORT_MULTIPOINT       = 0x00400
	XP1_MULTIPOINT_CONTROL_PLANE = 0x00800
	XP1_MULTIPOINT_DATA_PLANE    = 0x01000
	XP1_QOS_SUPPORTED            = 0x02000
	XP1_INTERRUPT                = 0x04000
	XP1_UNI_SEND                 = 0x08000
	XP1_UNI_RECV                 = 0x10000
	XP1_IFS_HANDLES              = 0x20000
	XP1_PARTIAL_MESSAGE          = 0x40000
	XP1_SAN_SUPPORT_SDP          = 0x80000
)

// Provider flags, PFL_ in ProtocolInfo.ProviderFlags.
const (
	PFL_MULTIPLE_PROTO_ENTRIES  = 0x01
	PFL_RECOMMENDED_PROTO_ENTRY = 0x02
	PFL_HIDDEN                  = 0x04
	PFL_MATCHES_PROTOCOL_ZERO   = 0x08
	PFL_NETWORKDIRECT_PROVIDER  = 0x10
)

// Categories of layered providers and applications, LSP_.
const (
	LSP_SYSTEM          = 0x80000000
	LSP_INSPECTOR       = 0x00000001
	LSP_REDIRECTOR      = 0x00000002
	LSP_PROXY           = 0x00000004
	LSP_FIREWALL        = 0x00000008
	LSP_INBOUND_MODIFY  = 0x00000010
	LSP_OUTBOUND_MODIFY = 0x00000020
	LSP_CRYPTO_COMPRESS = 0x00000040
	LSP_LOCAL_CACHE     = 0x00000080
)

// FROM_PROTOCOL_INFO asks WSPSocket to take a value from its protocol info.
const FROM_PROTOCOL_INFO = -1

// Address families.
const (
	AF_UNSPEC = 0
	AF_UNIX   = 1
	AF_INET   = 2
	AF_INET6  = 23
)

// Socket types.
const (
	SOCK_STREAM    = 1
	SOCK_DGRAM     = 2
	SOCK_RAW       = 3
	SOCK_RDM       = 4
	SOCK_SEQPACKET = 5
)

// Protocols.
const (
	IPPROTO_IP   = 0
	IPPROTO_ICMP = 1
	IPPROTO_TCP  = 6
	IPPROTO_UDP  = 17
	IPPROTO_IPV6 = 41
)

// WSASocket flags.
const (
	WSA_FLAG_OVERLAPPED        = 0x01
	WSA_FLAG_MULTIPOINT_C_ROOT = 0x02
	WSA_FLAG_MULTIPOINT_C_LEAF = 0x04
	WSA_FLAG_MULTIPOINT_D_ROOT = 0x08
	WSA_FLAG_MULTIPOINT_D_LEAF = 0x10
	WSA_FLAG_NO_HANDLE_INHERIT = 0x80
	WSA_FLAG_REGISTERED_IO     = 0x100
)

// Network events, FD_; the bit's number is its index in NetworkEvents.ErrorCode.
const (
	FD_READ                     = 0x001
	FD_WRITE                    = 0x002
	FD_OOB                      = 0x004
	FD_ACCEPT                   = 0x008
	FD_CONNECT                  = 0x010
	FD_CLOSE                    = 0x020
	FD_QOS                      = 0x040
	FD_GROUP_QOS                = 0x080
	FD_ROUTING_INTERFACE_CHANGE = 0x100
	FD_ADDRESS_LIST_CHANGE      = 0x200
	FD_ALL_EVENTS               = 0x3ff
)

// Results of a [ConditionFunc].
const (
	CF_ACCEPT = 0
	CF_REJECT = 1
	CF_DEFER  = 2
)

// WSPShutdown's how.
const (
	SD_RECEIVE = 0
	SD_SEND    = 1
	SD_BOTH    = 2
)

// Message flags.
const (
	MSG_OOB            = 0x0001
	MSG_PEEK           = 0x0002
	MSG_DONTROUTE      = 0x0004
	MSG_WAITALL        = 0x0008
	MSG_PUSH_IMMEDIATE = 0x0020
	MSG_TRUNC          = 0x0100
	MSG_CTRUNC         = 0x0200
	MSG_BCAST          = 0x0400
	MSG_MCAST          = 0x0800
	MSG_PARTIAL        = 0x8000
)

// SOMAXCONN asks WSPListen for the provider's longest queue.
const SOMAXCONN = 0x7fffffff

// Waits.
const (
	WSA_MAXIMUM_WAIT_EVENTS = 64
	WSA_INFINITE            = 0xffffffff
	WSA_WAIT_EVENT_0        = 0
	WSA_WAIT_IO_COMPLETION  = 0xc0
	WSA_WAIT_TIMEOUT        = 0x102
	WSA_WAIT_FAILED         = 0xffffffff
)

// SOL_SOCKET and its options.
const (
	SOL_SOCKET               = 0xffff
	SO_DEBUG                 = 0x0001
	SO_ACCEPTCONN            = 0x0002
	SO_REUSEADDR             = 0x0004
	SO_EXCLUSIVEADDRUSE      = ^0x0004
	SO_KEEPALIVE             = 0x0008
	SO_DONTROUTE             = 0x0010
	SO_BROADCAST             = 0x0020
	SO_USELOOPBACK           = 0x0040
	SO_LINGER                = 0x0080
	SO_DONTLINGER            = ^0x0080
	SO_OOBINLINE             = 0x0100
	SO_SNDBUF                = 0x1001
	SO_RCVBUF                = 0x1002
	SO_SNDLOWAT              = 0x1003
	SO_RCVLOWAT              = 0x1004
	SO_SNDTIMEO              = 0x1005 // milliseconds
	SO_RCVTIMEO              = 0x1006 // milliseconds
	SO_ERROR                 = 0x1007
	SO_TYPE                  = 0x1008
	SO_BSP_STATE             = 0x1009
	SO_GROUP_ID              = 0x2001
	SO_GROUP_PRIORITY        = 0x2002
	SO_MAX_MSG_SIZE          = 0x2003
	SO_PROTOCOL_INFOA        = 0x2004
	SO_PROTOCOL_INFOW        = 0x2005
	SO_CONDITIONAL_ACCEPT    = 0x3002
	SO_OPENTYPE              = 0x7008
	SO_UPDATE_ACCEPT_CONTEXT = 0x700b
	SO_CONNECT_TIME          = 0x700c // seconds
	SO_UPDATE_CONNECT_CTX    = 0x7010
)

// Options of IPPROTO_TCP.
const (
	TCP_NODELAY   = 0x01
	TCP_KEEPALIVE = 0x03 // seconds
	TCP_MAXSEG    = 0x04
	TCP_FASTOPEN  = 0x0f
	TCP_KEEPCNT   = 0x10
	TCP_KEEPINTVL = 0x11 // seconds
)

// Options of IPPROTO_IP.
const (
	IP_OPTIONS         = 1
	IP_HDRINCL         = 2
	IP_TOS             = 3
	IP_TTL             = 4
	IP_MULTICAST_IF    = 9
	IP_MULTICAST_TTL   = 10
	IP_MULTICAST_LOOP  = 11
	IP_ADD_MEMBERSHIP  = 12
	IP_DROP_MEMBERSHIP = 13
	IP_DONTFRAGMENT    = 14
	IP_PKTINFO         = 19
	IP_RECVTTL         = 21 // a CmsgHdr of type IP_TTL with each datagram
	IP_RECVTOS         = 40 // a CmsgHdr of type IP_TOS with each datagram
)

// Options of IPPROTO_IPV6.
const (
	IPV6_UNICAST_HOPS   = 4
	IPV6_MULTICAST_IF   = 9
	IPV6_MULTICAST_HOPS = 10
	IPV6_MULTICAST_LOOP = 11
	IPV6_JOIN_GROUP     = 12
	IPV6_LEAVE_GROUP    = 13
	IPV6_DONTFRAG       = 14
	IPV6_PKTINFO        = 19
	IPV6_HOPLIMIT       = 21 // a CmsgHdr of the same type with each datagram
	IPV6_V6ONLY         = 27
	IPV6_TCLASS         = 39
	IPV6_RECVTCLASS     = 40 // a CmsgHdr of type IPV6_TCLASS with each datagram
)

// Control codes of ioctlsocket and WSAIoctl.
const (
	FIONREAD                           = 0x4004667f
	FIONBIO                            = 0x8004667e
	FIOASYNC                           = 0x8004667d
	SIOCATMARK                         = 0x40047307
	SIO_ASSOCIATE_HANDLE               = 0x88000001
	SIO_ENABLE_CIRCULAR_QUEUEING       = 0x28000002
	SIO_FIND_ROUTE                     = 0x48000003
	SIO_FLUSH                          = 0x28000004
	SIO_GET_BROADCAST_ADDRESS          = 0x48000005
	SIO_GET_EXTENSION_FUNCTION_POINTER = 0xc8000006
	SIO_GET_QOS                        = 0xc8000007
	SIO_GET_GROUP_QOS                  = 0xc8000008
	SIO_MULTIPOINT_LOOPBACK            = 0x88000009
	SIO_MULTICAST_SCOPE                = 0x8800000a
	SIO_SET_QOS                        = 0x8800000b
	SIO_SET_GROUP_QOS                  = 0x8800000c
	SIO_TRANSLATE_HANDLE               = 0xc800000d
	SIO_ROUTING_INTERFACE_QUERY        = 0xc8000014
	SIO_ROUTING_INTERFACE_CHANGE       = 0x88000015
	SIO_ADDRESS_LIST_QUERY             = 0x48000016
	SIO_ADDRESS_LIST_CHANGE            = 0x28000017
	SIO_QUERY_TARGET_PNP_HANDLE        = 0x48000018
	SIO_ADDRESS_LIST_SORT              = 0xc8000019
	SIO_BSP_HANDLE                     = 0x4800001b
	SIO_BSP_HANDLE_SELECT              = 0x4800001c
	SIO_BSP_HANDLE_POLL                = 0x4800001d
	SIO_BASE_HANDLE                    = 0x48000022
	SIO_UDP_CONNRESET                  = 0x9800000c
	SIO_KEEPALIVE_VALS                 = 0x98000004
	SIO_NSP_NOTIFY_CHANGE              = 0x88000019
)
