#include <stdlib.h>

#include <winsock2.h>
#include <ws2tcpip.h>

#include "_cgo_export.h"
#include "names.h"

/* Both forms: only the text is different, and Go knows of that. */
static int find(const void *node, const void *service, const void *hints, void **result, int wide)
{
	struct goGetAddrInfo_return r;

	ALIVE(WSANOTINITIALISED);
	if (!result)
		return told(WSAEFAULT);
	*result = 0;
	r = goGetAddrInfo(self(), (void *)node, (void *)service, (void *)hints, wide);
	*result = (void *)r.r0;
	return told(r.r1);
}

INT WSAAPI getaddrinfo(PCSTR node, PCSTR service, const ADDRINFOA *hints, PADDRINFOA *result)
{
	return find(node, service, hints, (void **)result, 0);
}

INT WSAAPI GetAddrInfoW(PCWSTR node, PCWSTR service, const ADDRINFOW *hints, PADDRINFOW *result)
{
	return find(node, service, hints, (void **)result, 1);
}

VOID WSAAPI freeaddrinfo(PADDRINFOA list)
{
	PADDRINFOA next;

	for (; list; list = next) {
		next = list->ai_next;
		free(list);
	}
}

VOID WSAAPI FreeAddrInfoW(PADDRINFOW list)
{
	PADDRINFOW next;

	for (; list; list = next) {
		next = list->ai_next;
		free(list);
	}
}

INT WSAAPI getnameinfo(const SOCKADDR *addr, socklen_t length, PCHAR host, DWORD host_size, PCHAR service, DWORD service_size, INT flags)
{
	ALIVE(WSANOTINITIALISED);
	return told(goGetNameInfo(self(), (void *)addr, length, host, host_size, service, service_size, flags, 0));
}

INT WSAAPI GetNameInfoW(const SOCKADDR *addr, socklen_t length, PWCHAR host, DWORD host_size, PWCHAR service, DWORD service_size, INT flags)
{
	ALIVE(WSANOTINITIALISED);
	return told(goGetNameInfo(self(), (void *)addr, length, host, host_size, service, service_size, flags, 1));
}
