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

int WSAAPI closesocket(SOCKET s)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goCloseSocket(self(), s), SOCKET_ERROR);
	return 0;
}

int WSAAPI connect(SOCKET s, const struct sockaddr *name, int length)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goConnect(self(), s, (void *)name, length), SOCKET_ERROR);
	return 0;
}
