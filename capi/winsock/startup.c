#include <winsock2.h>

#include "_cgo_export.h"
#include "thread.h"

int WSAAPI WSAStartup(WORD version, LPWSADATA data)
{
	int e;

	if (upcall_forked)
		return WSANOTINITIALISED;
	e = goWSAStartup(self(), version, data);
	upcall_thread.error = e == WSAVERNOTSUPPORTED ? WSANOTINITIALISED : e;
	return e;
}

int WSAAPI WSACleanup(void)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goWSACleanup(self()), SOCKET_ERROR);
	return 0;
}

int WSAAPI WSAGetLastError(void)
{
	return upcall_thread.error;
}

void WSAAPI WSASetLastError(int error)
{
	upcall_thread.error = error;
}
