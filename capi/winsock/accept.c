#include <winsock2.h>

#include "_cgo_export.h"
#include "thread.h"

SOCKET WSAAPI accept(SOCKET s, struct sockaddr *name, int *length)
{
	struct goAccept_return r;

	ALIVE(INVALID_SOCKET);
	r = goAccept(self(), s, name, length);
	FAIL_IF(r.r1, INVALID_SOCKET);
	return r.r0;
}

SOCKET WSAAPI WSAAccept(SOCKET s, struct sockaddr *name, LPINT length, LPCONDITIONPROC condition, DWORD_PTR data)
{
	struct goWSAAccept_return r;

	ALIVE(INVALID_SOCKET);
	r = goWSAAccept(self(), s, name, length, (uintptr_t)condition, data);
	FAIL_IF(r.r1, INVALID_SOCKET);
	return r.r0;
}
