#include <winsock2.h>

#include "_cgo_export.h"
#include "thread.h"

int WSAAPI WSAConnect(SOCKET s, const struct sockaddr *name, int length, LPWSABUF caller, LPWSABUF callee, LPQOS sqos, LPQOS gqos)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goWSAConnect(self(), s, (void *)name, length, caller, callee, sqos, gqos), SOCKET_ERROR);
	return 0;
}

SOCKET WSAAPI WSAJoinLeaf(SOCKET s, const struct sockaddr *name, int length, LPWSABUF caller, LPWSABUF callee, LPQOS sqos, LPQOS gqos,
	DWORD flags)
{
	struct goWSAJoinLeaf_return r;

	ALIVE(INVALID_SOCKET);
	r = goWSAJoinLeaf(self(), s, (void *)name, length, caller, callee, sqos, gqos, flags);
	FAIL_IF(r.r1, INVALID_SOCKET);
	return r.r0;
}

static BOOL by_name(SOCKET s, const void *node, const void *service, int wide, LPDWORD local_length, LPSOCKADDR local,
	LPDWORD remote_length, LPSOCKADDR remote, const struct timeval *timeout, LPWSAOVERLAPPED reserved)
{
	ALIVE(FALSE);
	FAIL_IF(reserved ? WSAEINVAL : goWSAConnectByName(self(), s, (void *)node, (void *)service, wide, local_length, local, remote_length,
		remote, (void *)timeout), FALSE);
	return TRUE;
}

BOOL WSAAPI WSAConnectByNameA(SOCKET s, LPCSTR node, LPCSTR service, LPDWORD local_length, LPSOCKADDR local, LPDWORD remote_length,
	LPSOCKADDR remote, const struct timeval *timeout, LPWSAOVERLAPPED reserved)
{
	return by_name(s, node, service, 0, local_length, local, remote_length, remote, timeout, reserved);
}

BOOL WSAAPI WSAConnectByNameW(SOCKET s, LPWSTR node, LPWSTR service, LPDWORD local_length, LPSOCKADDR local, LPDWORD remote_length,
	LPSOCKADDR remote, const struct timeval *timeout, LPWSAOVERLAPPED reserved)
{
	return by_name(s, node, service, 1, local_length, local, remote_length, remote, timeout, reserved);
}

BOOL WSAAPI WSAConnectByList(SOCKET s, PSOCKET_ADDRESS_LIST list, LPDWORD local_length, LPSOCKADDR local, LPDWORD remote_length,
	LPSOCKADDR remote, const struct timeval *timeout, LPWSAOVERLAPPED reserved)
{
	ALIVE(FALSE);
	FAIL_IF(reserved || (list && list->iAddressCount < 0) ? WSAEINVAL : !list ? WSAEFAULT : 0, FALSE);
	FAIL_IF(goWSAConnectByList(self(), s, list->Address, list->iAddressCount, local_length, local, remote_length, remote, (void *)timeout),
		FALSE);
	return TRUE;
}

int WSAAPI WSASendDisconnect(SOCKET s, LPWSABUF data)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goWSASendDisconnect(self(), s, data), SOCKET_ERROR);
	return 0;
}

int WSAAPI WSARecvDisconnect(SOCKET s, LPWSABUF data)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goWSARecvDisconnect(self(), s, data), SOCKET_ERROR);
	return 0;
}

BOOL WSAAPI WSAGetQOSByName(SOCKET s, LPWSABUF name, LPQOS qos)
{
	ALIVE(FALSE);
	FAIL_IF(goWSAGetQOSByName(self(), s, name, qos), FALSE);
	return TRUE;
}
