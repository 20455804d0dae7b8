#include <winsock2.h>

#include "_cgo_export.h"
#include "thread.h"

int WSAAPI __WSAFDIsSet(SOCKET s, fd_set *set)
{
	u_int i;

	for (i = 0; set && i < set->fd_count; i++)
		if (set->fd_array[i] == s)
			return 1;
	return 0;
}

int WSAAPI select(int unused, fd_set *read, fd_set *write, fd_set *except, const struct timeval *timeout)
{
	struct goSelect_return r;

	ALIVE(SOCKET_ERROR);
	r = goSelect(self(), read, write, except, (void *)timeout);
	FAIL_IF(r.r1, SOCKET_ERROR);
	return r.r0;
}

int WSAAPI WSAPoll(LPWSAPOLLFD sockets, ULONG count, INT timeout)
{
	struct goWSAPoll_return r;

	ALIVE(SOCKET_ERROR);
	r = goWSAPoll(self(), sockets, count, timeout);
	FAIL_IF(r.r1, SOCKET_ERROR);
	return r.r0;
}

DWORD WSAAPI ProcessSocketNotifications(HANDLE port, UINT32 registration_count, SOCK_NOTIFY_REGISTRATION *registrations, UINT32 timeout,
	ULONG entry_count, OVERLAPPED_ENTRY *entries, UINT32 *received)
{
	struct goProcessSocketNotifications_return r;

	if (upcall_forked)
		return WSANOTINITIALISED;
	if ((registration_count && !registrations) || (entry_count && (!entries || !received)))
		return WSAEINVAL;
	r = goProcessSocketNotifications(self(), (uintptr_t)port, registration_count, registrations, timeout, entry_count, entries);
	if (received)
		*received = r.r0;
	return r.r1;
}
