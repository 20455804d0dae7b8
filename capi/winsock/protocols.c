#include <winsock2.h>

#include "_cgo_export.h"
#include "thread.h"

int WSAAPI WSAEnumProtocolsA(LPINT protocols, LPWSAPROTOCOL_INFOA buffer, LPDWORD length)
{
	struct goWSAEnumProtocols_return r;

	ALIVE(SOCKET_ERROR);
	r = goWSAEnumProtocols(self(), protocols, buffer, length, 1);
	FAIL_IF(r.r1, SOCKET_ERROR);
	return r.r0;
}

int WSAAPI WSAEnumProtocolsW(LPINT protocols, LPWSAPROTOCOL_INFOW buffer, LPDWORD length)
{
	struct goWSAEnumProtocols_return r;

	ALIVE(SOCKET_ERROR);
	r = goWSAEnumProtocols(self(), protocols, buffer, length, 0);
	FAIL_IF(r.r1, SOCKET_ERROR);
	return r.r0;
}

int WSAAPI WSADuplicateSocketA(SOCKET s, DWORD process, LPWSAPROTOCOL_INFOA info)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goWSADuplicateSocket(self(), s, process, info, 1), SOCKET_ERROR);
	return 0;
}

int WSAAPI WSADuplicateSocketW(SOCKET s, DWORD process, LPWSAPROTOCOL_INFOW info)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goWSADuplicateSocket(self(), s, process, info, 0), SOCKET_ERROR);
	return 0;
}

INT WSAAPI WSAProviderConfigChange(LPHANDLE handle, LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goWSAProviderConfigChange(self(), handle, overlapped, (uintptr_t)routine), SOCKET_ERROR);
	return 0;
}
