#include <winsock2.h>
#include <ws2spi.h>

#include "_cgo_export.h"
#include "names.h"

INT WSPAPI WSAAdvertiseProvider(const GUID *id, LPCNSPV2_ROUTINE r)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(r ? 0 : WSAEINVAL, SOCKET_ERROR);
	FAIL_IF(r->cbSize < sizeof *r ? WSAEINVAL : 0, SOCKET_ERROR);
	return socket_error(goAdvertiseProvider(self(), (void *)id, r->cbSize, r->dwMajorVersion, r->dwMinorVersion,
		(uintptr_t)r->NSPv2Startup, (uintptr_t)r->NSPv2Cleanup, (uintptr_t)r->NSPv2LookupServiceBegin,
		(uintptr_t)r->NSPv2LookupServiceNextEx, (uintptr_t)r->NSPv2LookupServiceEnd, (uintptr_t)r->NSPv2SetServiceEx,
		(uintptr_t)r->NSPv2ClientSessionRundown));
}

INT WSPAPI WSAUnadvertiseProvider(const GUID *id)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goUnadvertiseProvider(self(), (void *)id));
}

INT WSPAPI WSAProviderCompleteAsyncCall(HANDLE call, INT code)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goProviderCompleteAsyncCall(self(), (uintptr_t)call, code));
}
