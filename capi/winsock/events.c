#include <winsock2.h>

#include "_cgo_export.h"
#include "events.h"
#include "thread.h"

WSAEVENT WSAAPI WSACreateEvent(void)
{
	struct goWSACreateEvent_return r;

	ALIVE(WSA_INVALID_EVENT);
	r = goWSACreateEvent(self());
	FAIL_IF(r.r1, WSA_INVALID_EVENT);
	return (WSAEVENT)r.r0;
}

BOOL WSAAPI WSACloseEvent(WSAEVENT event)
{
	ALIVE(FALSE);
	FAIL_IF(goWSACloseEvent(self(), (uintptr_t)event), FALSE);
	return TRUE;
}

BOOL WSAAPI WSASetEvent(WSAEVENT event)
{
	ALIVE(FALSE);
	if (upcall_event_become((uintptr_t)event, UPCALL_EVENT_SIGNALLED))
		return TRUE;
	FAIL_IF(goWSASetEvent(self(), (uintptr_t)event), FALSE);
	return TRUE;
}

BOOL WSAAPI WSAResetEvent(WSAEVENT event)
{
	ALIVE(FALSE);
	if (upcall_event_become((uintptr_t)event, UPCALL_EVENT_UNSET))
		return TRUE;
	FAIL_IF(goWSAResetEvent(self(), (uintptr_t)event), FALSE);
	return TRUE;
}

DWORD WSAAPI WSAWaitForMultipleEvents(DWORD count, const WSAEVENT *events, BOOL all, DWORD timeout, BOOL alertable)
{
	struct goWSAWaitForMultipleEvents_return r;

	ALIVE(WSA_WAIT_FAILED);
	if (!all && count <= WSA_MAXIMUM_WAIT_EVENTS && events && !upcall_thread.hooked) {
		int i = upcall_event_signalled((const uint64_t *)events, count);

		if (i >= 0)
			return WSA_WAIT_EVENT_0 + i;
	}
	r = goWSAWaitForMultipleEvents(self(), count, (void *)events, all != 0, timeout, alertable != 0);
	FAIL_IF(r.r1, WSA_WAIT_FAILED);
	return r.r0;
}

int WSAAPI WSAEventSelect(SOCKET s, WSAEVENT event, LONG mask)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goWSAEventSelect(self(), s, (uintptr_t)event, mask), SOCKET_ERROR);
	return 0;
}

int WSAAPI WSAEnumNetworkEvents(SOCKET s, WSAEVENT event, LPWSANETWORKEVENTS found)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goWSAEnumNetworkEvents(self(), s, (uintptr_t)event, found), SOCKET_ERROR);
	return 0;
}

int WSAAPI WSAAsyncSelect(SOCKET s, HWND window, u_int message, LONG mask)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goWSAAsyncSelect(self(), s, (uintptr_t)window, message, mask), SOCKET_ERROR);
	return 0;
}
