#include <winsock2.h>

#include "_cgo_export.h"
#include "names.h"

static int begin(void *query, DWORD flags, HANDLE *lookup, int wide)
{
	struct goLookupBegin_return r;

	ALIVE(SOCKET_ERROR);
	FAIL_IF(lookup ? 0 : WSAEFAULT, SOCKET_ERROR);
	r = goLookupBegin(self(), query, flags, wide);
	FAIL_IF(r.r1, SOCKET_ERROR);
	*lookup = (HANDLE)r.r0;
	return 0;
}

INT WSAAPI WSALookupServiceBeginA(LPWSAQUERYSETA query, DWORD flags, LPHANDLE lookup)
{
	return begin(query, flags, lookup, 0);
}

INT WSAAPI WSALookupServiceBeginW(LPWSAQUERYSETW query, DWORD flags, LPHANDLE lookup)
{
	return begin(query, flags, lookup, 1);
}

INT WSAAPI WSALookupServiceNextA(HANDLE lookup, DWORD flags, LPDWORD length, LPWSAQUERYSETA results)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goLookupNext(self(), (uintptr_t)lookup, flags, length, results, 0));
}

INT WSAAPI WSALookupServiceNextW(HANDLE lookup, DWORD flags, LPDWORD length, LPWSAQUERYSETW results)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goLookupNext(self(), (uintptr_t)lookup, flags, length, results, 1));
}

INT WSAAPI WSALookupServiceEnd(HANDLE lookup)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goLookupEnd(self(), (uintptr_t)lookup));
}

INT WSAAPI WSANSPIoctl(HANDLE lookup, DWORD code, LPVOID in, DWORD in_length, LPVOID out, DWORD out_length, LPDWORD returned, LPWSACOMPLETION c)
{
	DWORD message = 0;
	void *overlapped = 0;
	uintptr_t routine = 0, object = 0, context = 0;

	ALIVE(SOCKET_ERROR);
	if (c)
		switch (c->Type) {
		case NSP_NOTIFY_HWND:
			object = (uintptr_t)c->Parameters.WindowMessage.hWnd;
			message = c->Parameters.WindowMessage.uMsg;
			context = c->Parameters.WindowMessage.context;
			break;
		case NSP_NOTIFY_EVENT:
			overlapped = c->Parameters.Event.lpOverlapped;
			break;
		case NSP_NOTIFY_APC:
			overlapped = c->Parameters.Apc.lpOverlapped;
			routine = (uintptr_t)c->Parameters.Apc.lpfnCompletionProc;
			break;
		case NSP_NOTIFY_PORT:
			overlapped = c->Parameters.Port.lpOverlapped;
			object = (uintptr_t)c->Parameters.Port.hPort;
			context = c->Parameters.Port.Key;
			break;
		default:
			break;
		}
	return socket_error(goNSPIoctl(self(), (uintptr_t)lookup, code, in, in_length, out, out_length, returned,
		c ? (int)c->Type & 0x7fffffff : -1, message, overlapped, routine, object, context));
}

INT WSAAPI WSASetServiceA(LPWSAQUERYSETA info, WSAESETSERVICEOP operation, DWORD flags)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goSetService(self(), info, operation, flags, 0));
}

INT WSAAPI WSASetServiceW(LPWSAQUERYSETW info, WSAESETSERVICEOP operation, DWORD flags)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goSetService(self(), info, operation, flags, 1));
}
