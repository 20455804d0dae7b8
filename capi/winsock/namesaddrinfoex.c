#include <stdlib.h>

#include <winsock2.h>
#include <ws2tcpip.h>

#include "_cgo_export.h"
#include "names.h"

#undef FreeAddrInfoEx

static int find(const void *node, const void *service, DWORD name_space, LPGUID provider, const void *hints, void **result,
	struct timeval *timeout, LPOVERLAPPED overlapped, LPLOOKUPSERVICE_COMPLETION_ROUTINE routine, LPHANDLE handle, int wide)
{
	ALIVE(WSANOTINITIALISED);
	if (!result)
		return told(WSAEFAULT);
	*result = 0;
	return told(goGetAddrInfoEx(self(), (void *)node, (void *)service, name_space, provider, (void *)hints, result, timeout,
		overlapped, (uintptr_t)routine, handle, wide));
}

INT WSAAPI GetAddrInfoExA(PCSTR name, PCSTR service, DWORD name_space, LPGUID provider, const ADDRINFOEXA *hints, PADDRINFOEXA *result, struct timeval *timeout, LPOVERLAPPED overlapped, LPLOOKUPSERVICE_COMPLETION_ROUTINE routine, LPHANDLE handle)
{
	return find(name, service, name_space, provider, hints, (void **)result, timeout, overlapped, routine, handle, 0);
}

INT WSAAPI GetAddrInfoExW(PCWSTR name, PCWSTR service, DWORD name_space, LPGUID provider, const ADDRINFOEXW *hints, PADDRINFOEXW *result, struct timeval *timeout, LPOVERLAPPED overlapped, LPLOOKUPSERVICE_COMPLETION_ROUTINE routine, LPHANDLE handle)
{
	return find(name, service, name_space, provider, hints, (void **)result, timeout, overlapped, routine, handle, 1);
}

INT WSAAPI GetAddrInfoExCancel(LPHANDLE handle)
{
	ALIVE(WSANOTINITIALISED);
	return told(goGetAddrInfoExCancel(self(), handle));
}

INT WSAAPI GetAddrInfoExOverlappedResult(LPOVERLAPPED overlapped)
{
	ALIVE(WSANOTINITIALISED);
	return told(goGetAddrInfoExOverlappedResult(self(), overlapped));
}

INT WSAAPI SetAddrInfoExA(PCSTR name, PCSTR service, SOCKET_ADDRESS *addresses, DWORD count, LPBLOB blob, DWORD flags, DWORD name_space, LPGUID provider, struct timeval *timeout, LPOVERLAPPED overlapped, LPLOOKUPSERVICE_COMPLETION_ROUTINE routine, LPHANDLE handle)
{
	ALIVE(WSANOTINITIALISED);
	return told(goSetAddrInfoEx(self(), (void *)name, (void *)service, addresses, count, blob, flags, name_space, provider,
		timeout, overlapped, (uintptr_t)routine, handle, 0));
}

INT WSAAPI SetAddrInfoExW(PCWSTR name, PCWSTR service, SOCKET_ADDRESS *addresses, DWORD count, LPBLOB blob, DWORD flags, DWORD name_space, LPGUID provider, struct timeval *timeout, LPOVERLAPPED overlapped, LPLOOKUPSERVICE_COMPLETION_ROUTINE routine, LPHANDLE handle)
{
	ALIVE(WSANOTINITIALISED);
	return told(goSetAddrInfoEx(self(), (void *)name, (void *)service, addresses, count, blob, flags, name_space, provider,
		timeout, overlapped, (uintptr_t)routine, handle, 1));
}

void WSAAPI FreeAddrInfoEx(PADDRINFOEXA list)
{
	PADDRINFOEXA next;

	for (; list; list = next) {
		next = list->ai_next;
		free(list);
	}
}

void WSAAPI FreeAddrInfoExW(PADDRINFOEXW list)
{
	PADDRINFOEXW next;

	for (; list; list = next) {
		next = list->ai_next;
		free(list);
	}
}
