/* The functions of Winsock 1.1, which Winsock 2 has unchanged. */
#ifndef UPCALL_DETAIL_FUNCTIONS_H
#define UPCALL_DETAIL_FUNCTIONS_H

#include "ioctlsocket.h"
#include "sockets.h"

#ifdef __cplusplus
extern "C" {
#endif

WINSOCK_API_LINKAGE SOCKET WSAAPI accept(SOCKET s, struct sockaddr *addr, int *addrlen) UPCALL_SYMBOL(accept);
WINSOCK_API_LINKAGE int WSAAPI bind(SOCKET s, const struct sockaddr *name, int namelen) UPCALL_SYMBOL(bind);
WINSOCK_API_LINKAGE int WSAAPI closesocket(SOCKET s);
WINSOCK_API_LINKAGE int WSAAPI connect(SOCKET s, const struct sockaddr *name, int namelen) UPCALL_SYMBOL(connect);
WINSOCK_API_LINKAGE int WSAAPI getpeername(SOCKET s, struct sockaddr *name, int *namelen) UPCALL_SYMBOL(getpeername);
WINSOCK_API_LINKAGE int WSAAPI getsockname(SOCKET s, struct sockaddr *name, int *namelen) UPCALL_SYMBOL(getsockname);
WINSOCK_API_LINKAGE int WSAAPI getsockopt(SOCKET s, int level, int optname, char *optval, int *optlen) UPCALL_SYMBOL(getsockopt);
WINSOCK_API_LINKAGE u_long WSAAPI htonl(u_long hostlong) UPCALL_SYMBOL(htonl);
WINSOCK_API_LINKAGE u_short WSAAPI htons(u_short hostshort) UPCALL_SYMBOL(htons);
WINSOCK_API_LINKAGE u_long WSAAPI inet_addr(const char *cp) UPCALL_SYMBOL(inet_addr);
WINSOCK_API_LINKAGE char *WSAAPI inet_ntoa(struct in_addr in) UPCALL_SYMBOL(inet_ntoa);
WINSOCK_API_LINKAGE int WSAAPI listen(SOCKET s, int backlog) UPCALL_SYMBOL(listen);
WINSOCK_API_LINKAGE u_long WSAAPI ntohl(u_long netlong) UPCALL_SYMBOL(ntohl);
WINSOCK_API_LINKAGE u_short WSAAPI ntohs(u_short netshort) UPCALL_SYMBOL(ntohs);
WINSOCK_API_LINKAGE int WSAAPI recv(SOCKET s, char *buf, int len, int flags) UPCALL_SYMBOL(recv);
WINSOCK_API_LINKAGE int WSAAPI recvfrom(SOCKET s, char *buf, int len, int flags, struct sockaddr *from, int *fromlen) UPCALL_SYMBOL(recvfrom);
WINSOCK_API_LINKAGE int WSAAPI select(int nfds, fd_set *readfds, fd_set *writefds, fd_set *exceptfds, const struct timeval *timeout);
WINSOCK_API_LINKAGE int WSAAPI send(SOCKET s, const char *buf, int len, int flags) UPCALL_SYMBOL(send);
WINSOCK_API_LINKAGE int WSAAPI sendto(SOCKET s, const char *buf, int len, int flags, const struct sockaddr *to, int tolen) UPCALL_SYMBOL(sendto);
WINSOCK_API_LINKAGE int WSAAPI setsockopt(SOCKET s, int level, int optname, const char *optval, int optlen) UPCALL_SYMBOL(setsockopt);
WINSOCK_API_LINKAGE int WSAAPI shutdown(SOCKET s, int how) UPCALL_SYMBOL(shutdown);
WINSOCK_API_LINKAGE SOCKET WSAAPI socket(int af, int type, int protocol) UPCALL_SYMBOL(socket);

WINSOCK_API_LINKAGE struct hostent *WSAAPI gethostbyaddr(const char *addr, int len, int type) UPCALL_SYMBOL(gethostbyaddr);
WINSOCK_API_LINKAGE struct hostent *WSAAPI gethostbyname(const char *name) UPCALL_SYMBOL(gethostbyname);
WINSOCK_API_LINKAGE int WSAAPI gethostname(char *name, int namelen);
WINSOCK_API_LINKAGE struct servent *WSAAPI getservbyport(int port, const char *proto) UPCALL_SYMBOL(getservbyport);
WINSOCK_API_LINKAGE struct servent *WSAAPI getservbyname(const char *name, const char *proto) UPCALL_SYMBOL(getservbyname);
WINSOCK_API_LINKAGE struct protoent *WSAAPI getprotobynumber(int number) UPCALL_SYMBOL(getprotobynumber);
WINSOCK_API_LINKAGE struct protoent *WSAAPI getprotobyname(const char *name) UPCALL_SYMBOL(getprotobyname);

WINSOCK_API_LINKAGE int WSAAPI WSAStartup(WORD wVersionRequested, LPWSADATA lpWSAData);
WINSOCK_API_LINKAGE int WSAAPI WSACleanup(void);
WINSOCK_API_LINKAGE void WSAAPI WSASetLastError(int iError);
WINSOCK_API_LINKAGE int WSAAPI WSAGetLastError(void);
WINSOCK_API_LINKAGE BOOL WSAAPI WSAIsBlocking(void);
WINSOCK_API_LINKAGE int WSAAPI WSAUnhookBlockingHook(void);
WINSOCK_API_LINKAGE FARPROC WSAAPI WSASetBlockingHook(FARPROC lpBlockFunc);
WINSOCK_API_LINKAGE int WSAAPI WSACancelBlockingCall(void);
WINSOCK_API_LINKAGE HANDLE WSAAPI WSAAsyncGetServByName(HWND hWnd, u_int wMsg, const char *name, const char *proto, char *buf, int buflen);
WINSOCK_API_LINKAGE HANDLE WSAAPI WSAAsyncGetServByPort(HWND hWnd, u_int wMsg, int port, const char *proto, char *buf, int buflen);
WINSOCK_API_LINKAGE HANDLE WSAAPI WSAAsyncGetProtoByName(HWND hWnd, u_int wMsg, const char *name, char *buf, int buflen);
WINSOCK_API_LINKAGE HANDLE WSAAPI WSAAsyncGetProtoByNumber(HWND hWnd, u_int wMsg, int number, char *buf, int buflen);
WINSOCK_API_LINKAGE HANDLE WSAAPI WSAAsyncGetHostByName(HWND hWnd, u_int wMsg, const char *name, char *buf, int buflen);
WINSOCK_API_LINKAGE HANDLE WSAAPI WSAAsyncGetHostByAddr(HWND hWnd, u_int wMsg, const char *addr, int len, int type, char *buf, int buflen);
WINSOCK_API_LINKAGE int WSAAPI WSACancelAsyncRequest(HANDLE hAsyncTaskHandle);
WINSOCK_API_LINKAGE int WSAAPI WSAAsyncSelect(SOCKET s, HWND hWnd, u_int wMsg, LONG lEvent);

#ifdef __cplusplus
}
#endif

#endif
