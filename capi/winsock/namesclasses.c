#include <winsock2.h>

#include "_cgo_export.h"
#include "names.h"

INT WSAAPI WSAInstallServiceClassA(LPWSASERVICECLASSINFOA class)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goInstallServiceClass(self(), class, 0));
}

INT WSAAPI WSAInstallServiceClassW(LPWSASERVICECLASSINFOW class)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goInstallServiceClass(self(), class, 1));
}

INT WSAAPI WSARemoveServiceClass(LPGUID class)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goRemoveServiceClass(self(), class));
}

INT WSAAPI WSAGetServiceClassInfoA(LPGUID provider, LPGUID class, LPDWORD length, LPWSASERVICECLASSINFOA info)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goGetServiceClassInfo(self(), provider, class, length, info, 0));
}

INT WSAAPI WSAGetServiceClassInfoW(LPGUID provider, LPGUID class, LPDWORD length, LPWSASERVICECLASSINFOW info)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goGetServiceClassInfo(self(), provider, class, length, info, 1));
}

INT WSAAPI WSAGetServiceClassNameByClassIdA(LPGUID class, LPSTR name, LPDWORD length)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goGetServiceClassName(self(), class, name, length, 0));
}

INT WSAAPI WSAGetServiceClassNameByClassIdW(LPGUID class, LPWSTR name, LPDWORD length)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goGetServiceClassName(self(), class, name, length, 1));
}

static int enumerated(int n)
{
	if (n >= 0)
		return n;
	upcall_thread.error = -n;
	return SOCKET_ERROR;
}

INT WSAAPI WSAEnumNameSpaceProvidersA(LPDWORD length, LPWSANAMESPACE_INFOA buf)
{
	ALIVE(SOCKET_ERROR);
	return enumerated(goEnumNameSpaceProviders(self(), length, buf, 0, 0));
}

INT WSAAPI WSAEnumNameSpaceProvidersW(LPDWORD length, LPWSANAMESPACE_INFOW buf)
{
	ALIVE(SOCKET_ERROR);
	return enumerated(goEnumNameSpaceProviders(self(), length, buf, 0, 1));
}

INT WSAAPI WSAEnumNameSpaceProvidersExA(LPDWORD length, LPWSANAMESPACE_INFOEXA buf)
{
	ALIVE(SOCKET_ERROR);
	return enumerated(goEnumNameSpaceProviders(self(), length, buf, 1, 0));
}

INT WSAAPI WSAEnumNameSpaceProvidersExW(LPDWORD length, LPWSANAMESPACE_INFOEXW buf)
{
	ALIVE(SOCKET_ERROR);
	return enumerated(goEnumNameSpaceProviders(self(), length, buf, 1, 1));
}
