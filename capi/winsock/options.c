#include <winsock2.h>

#include "_cgo_export.h"
#include "thread.h"

int WSAAPI getsockopt(SOCKET s, int level, int option, char *value, int *length)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goGetSockOpt(self(), s, level, option, value, length), SOCKET_ERROR);
	return 0;
}

int WSAAPI setsockopt(SOCKET s, int level, int option, const char *value, int length)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goSetSockOpt(self(), s, level, option, (void *)value, length), SOCKET_ERROR);
	return 0;
}

int WSAAPI (ioctlsocket)(SOCKET s, LONG command, u_long *argument)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goIoctlSocket(self(), s, command, argument), SOCKET_ERROR);
	return 0;
}
