#include <winsock2.h>

#include "_cgo_export.h"
#include "names.h"

HANDLE WSAAPI WSAAsyncGetHostByName(HWND window, u_int message, const char *name, char *buf, int length)
{
	struct goAsyncGetHostByName_return r;

	ALIVE(0);
	r = goAsyncGetHostByName(self(), (uintptr_t)window, message, (void *)name, buf, length);
	FAIL_IF(r.r1, 0);
	return (HANDLE)r.r0;
}

HANDLE WSAAPI WSAAsyncGetHostByAddr(HWND window, u_int message, const char *addr, int addr_length, int type, char *buf, int length)
{
	struct goAsyncGetHostByAddr_return r;

	ALIVE(0);
	r = goAsyncGetHostByAddr(self(), (uintptr_t)window, message, (void *)addr, addr_length, type, buf, length);
	FAIL_IF(r.r1, 0);
	return (HANDLE)r.r0;
}

HANDLE WSAAPI WSAAsyncGetServByName(HWND window, u_int message, const char *name, const char *protocol, char *buf, int length)
{
	struct goAsyncGetServByName_return r;

	ALIVE(0);
	FAIL_IF(name ? 0 : WSAEFAULT, 0);
	r = goAsyncGetServByName(self(), (uintptr_t)window, message, (void *)name, (void *)protocol, buf, length);
	FAIL_IF(r.r1, 0);
	return (HANDLE)r.r0;
}

HANDLE WSAAPI WSAAsyncGetServByPort(HWND window, u_int message, int port, const char *protocol, char *buf, int length)
{
	struct goAsyncGetServByPort_return r;

	ALIVE(0);
	r = goAsyncGetServByPort(self(), (uintptr_t)window, message, port, (void *)protocol, buf, length);
	FAIL_IF(r.r1, 0);
	return (HANDLE)r.r0;
}

HANDLE WSAAPI WSAAsyncGetProtoByName(HWND window, u_int message, const char *name, char *buf, int length)
{
	struct goAsyncGetProtoByName_return r;

	ALIVE(0);
	FAIL_IF(name ? 0 : WSAEFAULT, 0);
	r = goAsyncGetProtoByName(self(), (uintptr_t)window, message, (void *)name, buf, length);
	FAIL_IF(r.r1, 0);
	return (HANDLE)r.r0;
}

HANDLE WSAAPI WSAAsyncGetProtoByNumber(HWND window, u_int message, int number, char *buf, int length)
{
	struct goAsyncGetProtoByNumber_return r;

	ALIVE(0);
	r = goAsyncGetProtoByNumber(self(), (uintptr_t)window, message, number, buf, length);
	FAIL_IF(r.r1, 0);
	return (HANDLE)r.r0;
}

int WSAAPI WSACancelAsyncRequest(HANDLE handle)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goCancelAsyncRequest(self(), (uintptr_t)handle));
}
