/* Addresses and names of TCP/IP. */
#ifndef _WS2TCPIP_H_
#define _WS2TCPIP_H_

#include <winsock2.h>

#include <ws2ipdef.h>

#include <mstcpip.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Signed, as on Windows; see detail/system.h. */
#define socklen_t upcall_socklen_t
typedef int socklen_t;

#define SIO_GET_INTERFACE_LIST 0x4004747F
#define SIO_GET_INTERFACE_LIST_EX 0x4004747E
#define SIO_SET_MULTICAST_FILTER 0x8004747D
#define SIO_GET_MULTICAST_FILTER 0x8004747C

#define EAI_AGAIN WSATRY_AGAIN
#define EAI_BADFLAGS WSAEINVAL
#define EAI_FAIL WSANO_RECOVERY
#define EAI_FAMILY WSAEAFNOSUPPORT
#define EAI_MEMORY WSA_NOT_ENOUGH_MEMORY
#define EAI_NODATA WSANO_DATA
#define EAI_NONAME WSAHOST_NOT_FOUND
#define EAI_SERVICE WSATYPE_NOT_FOUND
#define EAI_SOCKTYPE WSAESOCKTNOSUPPORT

#define AI_PASSIVE 0x00000001
#define AI_CANONNAME 0x00000002
#define AI_NUMERICHOST 0x00000004
#define AI_NUMERICSERV 0x00000008
#define AI_DNS_ONLY 0x00000010
#define AI_ALL 0x00000100
#define AI_ADDRCONFIG 0x00000400
#define AI_V4MAPPED 0x00000800
#define AI_NON_AUTHORITATIVE 0x00004000
#define AI_SECURE 0x00008000
#define AI_RETURN_PREFERRED_NAMES 0x00010000
#define AI_FQDN 0x00020000
#define AI_FILESERVER 0x00040000
#define AI_DISABLE_IDN_ENCODING 0x00080000

#define NI_NOFQDN 0x01
#define NI_NUMERICHOST 0x02
#define NI_NAMEREQD 0x04
#define NI_NUMERICSERV 0x08
#define NI_DGRAM 0x10
#define NI_MAXHOST 1025
#define NI_MAXSERV 32

#define INET_ADDRSTRLEN 22
#define INET6_ADDRSTRLEN 65

typedef struct addrinfo {
	int ai_flags;
	int ai_family;
	int ai_socktype;
	int ai_protocol;
	size_t ai_addrlen;
	char *ai_canonname;
	struct sockaddr *ai_addr;
	struct addrinfo *ai_next;
} ADDRINFOA, *PADDRINFOA, ADDRINFO, *LPADDRINFO;

typedef struct addrinfoW {
	int ai_flags;
	int ai_family;
	int ai_socktype;
	int ai_protocol;
	size_t ai_addrlen;
	PWSTR ai_canonname;
	struct sockaddr *ai_addr;
	struct addrinfoW *ai_next;
} ADDRINFOW, *PADDRINFOW;

typedef UPCALL_AW(ADDRINFO) ADDRINFOT, *PADDRINFOT;

typedef struct addrinfoexA {
	int ai_flags;
	int ai_family;
	int ai_socktype;
	int ai_protocol;
	size_t ai_addrlen;
	char *ai_canonname;
	struct sockaddr *ai_addr;
	void *ai_blob;
	size_t ai_bloblen;
	LPGUID ai_provider;
	struct addrinfoexA *ai_next;
} ADDRINFOEXA, *PADDRINFOEXA, *LPADDRINFOEXA;

typedef struct addrinfoexW {
	int ai_flags;
	int ai_family;
	int ai_socktype;
	int ai_protocol;
	size_t ai_addrlen;
	PWSTR ai_canonname;
	struct sockaddr *ai_addr;
	void *ai_blob;
	size_t ai_bloblen;
	LPGUID ai_provider;
	struct addrinfoexW *ai_next;
} ADDRINFOEXW, *PADDRINFOEXW, *LPADDRINFOEXW;

typedef UPCALL_AW(ADDRINFOEX) ADDRINFOEX, *PADDRINFOEX;

typedef void (CALLBACK *LPLOOKUPSERVICE_COMPLETION_ROUTINE)(DWORD dwError, DWORD dwBytes, LPWSAOVERLAPPED lpOverlapped);

WINSOCK_API_LINKAGE INT WSAAPI getaddrinfo(PCSTR pNodeName, PCSTR pServiceName, const ADDRINFOA *pHints, PADDRINFOA *ppResult) UPCALL_SYMBOL(getaddrinfo);
WINSOCK_API_LINKAGE INT WSAAPI GetAddrInfoW(PCWSTR pNodeName, PCWSTR pServiceName, const ADDRINFOW *pHints, PADDRINFOW *ppResult);
WINSOCK_API_LINKAGE VOID WSAAPI freeaddrinfo(PADDRINFOA pAddrInfo) UPCALL_SYMBOL(freeaddrinfo);
WINSOCK_API_LINKAGE VOID WSAAPI FreeAddrInfoW(PADDRINFOW pAddrInfo);
WINSOCK_API_LINKAGE INT WSAAPI getnameinfo(const SOCKADDR *pSockaddr, socklen_t SockaddrLength, PCHAR pNodeBuffer, DWORD NodeBufferSize, PCHAR pServiceBuffer, DWORD ServiceBufferSize, INT Flags) UPCALL_SYMBOL(getnameinfo);
WINSOCK_API_LINKAGE INT WSAAPI GetNameInfoW(const SOCKADDR *pSockaddr, socklen_t SockaddrLength, PWCHAR pNodeBuffer, DWORD NodeBufferSize, PWCHAR pServiceBuffer, DWORD ServiceBufferSize, INT Flags);
#define GetAddrInfoA getaddrinfo
#define FreeAddrInfoA freeaddrinfo
#define GetNameInfoA getnameinfo
#define GetAddrInfo UPCALL_AW(GetAddrInfo)
#define FreeAddrInfo UPCALL_AW(FreeAddrInfo)
#define GetNameInfo UPCALL_AW(GetNameInfo)

WINSOCK_API_LINKAGE INT WSAAPI GetAddrInfoExA(PCSTR pName, PCSTR pServiceName, DWORD dwNameSpace, LPGUID lpNspId, const ADDRINFOEXA *hints, PADDRINFOEXA *ppResult, struct timeval *timeout, LPOVERLAPPED lpOverlapped, LPLOOKUPSERVICE_COMPLETION_ROUTINE lpCompletionRoutine, LPHANDLE lpNameHandle);
WINSOCK_API_LINKAGE INT WSAAPI GetAddrInfoExW(PCWSTR pName, PCWSTR pServiceName, DWORD dwNameSpace, LPGUID lpNspId, const ADDRINFOEXW *hints, PADDRINFOEXW *ppResult, struct timeval *timeout, LPOVERLAPPED lpOverlapped, LPLOOKUPSERVICE_COMPLETION_ROUTINE lpCompletionRoutine, LPHANDLE lpHandle);
WINSOCK_API_LINKAGE INT WSAAPI GetAddrInfoExCancel(LPHANDLE lpHandle);
WINSOCK_API_LINKAGE INT WSAAPI GetAddrInfoExOverlappedResult(LPOVERLAPPED lpOverlapped);
WINSOCK_API_LINKAGE INT WSAAPI SetAddrInfoExA(PCSTR pName, PCSTR pServiceName, SOCKET_ADDRESS *pAddresses, DWORD dwAddressCount, LPBLOB lpBlob, DWORD dwFlags, DWORD dwNameSpace, LPGUID lpNspId, struct timeval *timeout, LPOVERLAPPED lpOverlapped, LPLOOKUPSERVICE_COMPLETION_ROUTINE lpCompletionRoutine, LPHANDLE lpNameHandle);
WINSOCK_API_LINKAGE INT WSAAPI SetAddrInfoExW(PCWSTR pName, PCWSTR pServiceName, SOCKET_ADDRESS *pAddresses, DWORD dwAddressCount, LPBLOB lpBlob, DWORD dwFlags, DWORD dwNameSpace, LPGUID lpNspId, struct timeval *timeout, LPOVERLAPPED lpOverlapped, LPLOOKUPSERVICE_COMPLETION_ROUTINE lpCompletionRoutine, LPHANDLE lpNameHandle);
WINSOCK_API_LINKAGE void WSAAPI FreeAddrInfoEx(PADDRINFOEXA pAddrInfoEx);
WINSOCK_API_LINKAGE void WSAAPI FreeAddrInfoExW(PADDRINFOEXW pAddrInfoEx);
#define GetAddrInfoEx UPCALL_AW(GetAddrInfoEx)
#define SetAddrInfoEx UPCALL_AW(SetAddrInfoEx)
#define FreeAddrInfoExA FreeAddrInfoEx
#ifdef UNICODE
#define FreeAddrInfoEx FreeAddrInfoExW
#endif

WINSOCK_API_LINKAGE PCSTR WSAAPI inet_ntop(INT Family, const VOID *pAddr, PSTR pStringBuf, size_t StringBufSize) UPCALL_SYMBOL(inet_ntop);
WINSOCK_API_LINKAGE PCWSTR WSAAPI InetNtopW(INT Family, const VOID *pAddr, PWSTR pStringBuf, size_t StringBufSize);
WINSOCK_API_LINKAGE INT WSAAPI inet_pton(INT Family, PCSTR pszAddrString, PVOID pAddrBuf) UPCALL_SYMBOL(inet_pton);
WINSOCK_API_LINKAGE INT WSAAPI InetPtonW(INT Family, PCWSTR pszAddrString, PVOID pAddrBuf);
#define InetNtopA inet_ntop
#define InetPtonA inet_pton
#define InetNtop UPCALL_AW(InetNtop)
#define InetPton UPCALL_AW(InetPton)

/* The text of an error of getaddrinfo, in a buffer of the calling thread. */
#define GAI_STRERROR_BUFFER_SIZE 1024
WINSOCK_API_LINKAGE char *gai_strerrorA(int ecode);
WINSOCK_API_LINKAGE WCHAR *gai_strerrorW(int ecode);
#define gai_strerror UPCALL_AW(gai_strerror)

#if defined INCL_WINSOCK_API_TYPEDEFS && INCL_WINSOCK_API_TYPEDEFS
typedef __typeof__(&getaddrinfo) LPFN_GETADDRINFO;
typedef __typeof__(&GetAddrInfoW) LPFN_GETADDRINFOW;
typedef __typeof__(&freeaddrinfo) LPFN_FREEADDRINFO;
typedef __typeof__(&FreeAddrInfoW) LPFN_FREEADDRINFOW;
typedef __typeof__(&getnameinfo) LPFN_GETNAMEINFO;
typedef __typeof__(&GetNameInfoW) LPFN_GETNAMEINFOW;
typedef __typeof__(&GetAddrInfoExA) LPFN_GETADDRINFOEXA;
typedef __typeof__(&GetAddrInfoExW) LPFN_GETADDRINFOEXW;
typedef __typeof__(&GetAddrInfoExCancel) LPFN_GETADDRINFOEXCANCEL;
typedef __typeof__(&GetAddrInfoExOverlappedResult) LPFN_GETADDRINFOEXOVERLAPPEDRESULT;
typedef __typeof__(&SetAddrInfoExA) LPFN_SETADDRINFOEXA;
typedef __typeof__(&SetAddrInfoExW) LPFN_SETADDRINFOEXW;
typedef __typeof__(&FreeAddrInfoExW) LPFN_FREEADDRINFOEXW;
typedef __typeof__(&InetNtopW) LPFN_INET_NTOPW;
typedef __typeof__(&InetPtonW) LPFN_INET_PTONW;
#endif

extern const struct in6_addr in6addr_any UPCALL_SYMBOL(in6addr_any);
extern const struct in6_addr in6addr_loopback UPCALL_SYMBOL(in6addr_loopback);
#define IN6ADDR_ANY_INIT {{{0}}}
#define IN6ADDR_LOOPBACK_INIT {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}}

#define SS_PORT(ss) (((struct sockaddr_in *)(ss))->sin_port)

static __inline__ int IN6_ADDR_EQUAL(const struct in6_addr *a, const struct in6_addr *b)
{
	return !memcmp(a, b, sizeof *a);
}

/* Whether the first n bytes are 0. */
static __inline__ int upcall_in6_zero(const struct in6_addr *a, int n)
{
	while (n > 0 && a->s6_bytes[n - 1] == 0)
		n--;
	return n == 0;
}

static __inline__ int IN6_IS_ADDR_UNSPECIFIED(const struct in6_addr *a) { return upcall_in6_zero(a, 16); }
static __inline__ int IN6_IS_ADDR_LOOPBACK(const struct in6_addr *a) { return upcall_in6_zero(a, 15) && a->s6_bytes[15] == 1; }
static __inline__ int IN6_IS_ADDR_MULTICAST(const struct in6_addr *a) { return a->s6_bytes[0] == 0xff; }
static __inline__ int IN6_IS_ADDR_LINKLOCAL(const struct in6_addr *a) { return a->s6_bytes[0] == 0xfe && (a->s6_bytes[1] & 0xc0) == 0x80; }
static __inline__ int IN6_IS_ADDR_SITELOCAL(const struct in6_addr *a) { return a->s6_bytes[0] == 0xfe && (a->s6_bytes[1] & 0xc0) == 0xc0; }
static __inline__ int IN6_IS_ADDR_V4MAPPED(const struct in6_addr *a) { return upcall_in6_zero(a, 10) && a->s6_bytes[10] == 0xff && a->s6_bytes[11] == 0xff; }
static __inline__ int IN6_IS_ADDR_V4COMPAT(const struct in6_addr *a) { return upcall_in6_zero(a, 12) && !(upcall_in6_zero(a, 15) && a->s6_bytes[15] <= 1); }
static __inline__ int IN6_IS_ADDR_MC_NODELOCAL(const struct in6_addr *a) { return IN6_IS_ADDR_MULTICAST(a) && (a->s6_bytes[1] & 0xf) == 1; }
static __inline__ int IN6_IS_ADDR_MC_LINKLOCAL(const struct in6_addr *a) { return IN6_IS_ADDR_MULTICAST(a) && (a->s6_bytes[1] & 0xf) == 2; }
static __inline__ int IN6_IS_ADDR_MC_SITELOCAL(const struct in6_addr *a) { return IN6_IS_ADDR_MULTICAST(a) && (a->s6_bytes[1] & 0xf) == 5; }
static __inline__ int IN6_IS_ADDR_MC_ORGLOCAL(const struct in6_addr *a) { return IN6_IS_ADDR_MULTICAST(a) && (a->s6_bytes[1] & 0xf) == 8; }
static __inline__ int IN6_IS_ADDR_MC_GLOBAL(const struct in6_addr *a) { return IN6_IS_ADDR_MULTICAST(a) && (a->s6_bytes[1] & 0xf) == 0xe; }
static __inline__ int IN6ADDR_ISANY(const struct sockaddr_in6 *a) { return a->sin6_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->sin6_addr); }
static __inline__ int IN6ADDR_ISLOOPBACK(const struct sockaddr_in6 *a) { return a->sin6_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a->sin6_addr); }

static __inline__ void IN6ADDR_SETANY(struct sockaddr_in6 *a)
{
	memset(a, 0, sizeof *a);
	a->sin6_family = AF_INET6;
}

static __inline__ void IN6ADDR_SETLOOPBACK(struct sockaddr_in6 *a)
{
	IN6ADDR_SETANY(a);
	a->sin6_addr.s6_bytes[15] = 1;
}

/* Programs ask with #ifdef whether these exist. */
#define IN6_ADDR_EQUAL IN6_ADDR_EQUAL
#define IN6_ARE_ADDR_EQUAL IN6_ADDR_EQUAL
#define IN6_IS_ADDR_UNSPECIFIED IN6_IS_ADDR_UNSPECIFIED
#define IN6_IS_ADDR_LOOPBACK IN6_IS_ADDR_LOOPBACK
#define IN6_IS_ADDR_MULTICAST IN6_IS_ADDR_MULTICAST
#define IN6_IS_ADDR_LINKLOCAL IN6_IS_ADDR_LINKLOCAL
#define IN6_IS_ADDR_SITELOCAL IN6_IS_ADDR_SITELOCAL
#define IN6_IS_ADDR_V4MAPPED IN6_IS_ADDR_V4MAPPED
#define IN6_IS_ADDR_V4COMPAT IN6_IS_ADDR_V4COMPAT
#define IN6_IS_ADDR_MC_NODELOCAL IN6_IS_ADDR_MC_NODELOCAL
#define IN6_IS_ADDR_MC_LINKLOCAL IN6_IS_ADDR_MC_LINKLOCAL
#define IN6_IS_ADDR_MC_SITELOCAL IN6_IS_ADDR_MC_SITELOCAL
#define IN6_IS_ADDR_MC_ORGLOCAL IN6_IS_ADDR_MC_ORGLOCAL
#define IN6_IS_ADDR_MC_GLOBAL IN6_IS_ADDR_MC_GLOBAL

#ifdef __cplusplus
}
#endif

#endif
