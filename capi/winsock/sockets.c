#include <winsock2.h>

#include "_cgo_export.h"
#include "thread.h"

SOCKET WSAAPI socket(int af, int type, int protocol)
{
	struct goSocket_return r;

	ALIVE(INVALID_SOCKET);
	r = goSocket(self(), af, type, protocol);
	FAIL_IF(r.r1, INVALID_SOCKET);
	return r.r0;
}

SOCKET WSAAPI WSASocketW(int af, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP g, DWORD flags)
{
	struct goWSASocket_return r;

	ALIVE(INVALID_SOCKET);
	r = goWSASocket(self(), af, type, protocol, info, g, flags, 0);
	FAIL_IF(r.r1, INVALID_SOCKET);
	return r.r0;
}

SOCKET WSAAPI WSASocketA(int af, int type, int protocol, LPWSAPROTOCOL_INFOA info, GROUP g, DWORD flags)
{
	struct goWSASocket_return r;

	ALIVE(INVALID_SOCKET);
	r = goWSASocket(self(), af, type, protocol, info, g, flags, 1);
	FAIL_IF(r.r1, INVALID_SOCKET);
	return r.r0;
}

int WSAAPI closesocket(SOCKET s)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goCloseSocket(self(), s), SOCKET_ERROR);
	return 0;
}

int WSAAPI bind(SOCKET s, const struct sockaddr *name, int length)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goBind(self(), s, (void *)name, length), SOCKET_ERROR);
	return 0;
}

int WSAAPI listen(SOCKET s, int backlog)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goListen(self(), s, backlog), SOCKET_ERROR);
	return 0;
}

int WSAAPI connect(SOCKET s, const struct sockaddr *name, int length)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goConnect(self(), s, (void *)name, length), SOCKET_ERROR);
	return 0;
}

int WSAAPI shutdown(SOCKET s, int how)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goShutdown(self(), s, how), SOCKET_ERROR);
	return 0;
}

int WSAAPI getsockname(SOCKET s, struct sockaddr *name, int *length)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goGetSockName(self(), s, name, length), SOCKET_ERROR);
	return 0;
}

int WSAAPI getpeername(SOCKET s, struct sockaddr *name, int *length)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goGetPeerName(self(), s, name, length), SOCKET_ERROR);
	return 0;
}
