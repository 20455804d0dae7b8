#include <winsock2.h>

#include "_cgo_export.h"
#include "thread.h"

int WSAAPI WSASend(SOCKET s, LPWSABUF bufs, DWORD count, LPDWORD sent, DWORD flags, LPWSAOVERLAPPED overlapped,
	LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goWSASend(self(), s, bufs, count, sent, flags, overlapped, (uintptr_t)routine), SOCKET_ERROR);
	return 0;
}

int WSAAPI WSASendTo(SOCKET s, LPWSABUF bufs, DWORD count, LPDWORD sent, DWORD flags, const struct sockaddr *to, int to_length,
	LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goWSASendTo(self(), s, bufs, count, sent, flags, (void *)to, to_length, overlapped, (uintptr_t)routine), SOCKET_ERROR);
	return 0;
}

int WSAAPI WSASendMsg(SOCKET s, LPWSAMSG message, DWORD flags, LPDWORD sent, LPWSAOVERLAPPED overlapped,
	LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goWSASendMsg(self(), s, message, flags, sent, overlapped, (uintptr_t)routine), SOCKET_ERROR);
	return 0;
}

int WSAAPI WSARecv(SOCKET s, LPWSABUF bufs, DWORD count, LPDWORD received, LPDWORD flags, LPWSAOVERLAPPED overlapped,
	LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goWSARecv(self(), s, bufs, count, received, flags, overlapped, (uintptr_t)routine), SOCKET_ERROR);
	return 0;
}

int WSAAPI WSARecvFrom(SOCKET s, LPWSABUF bufs, DWORD count, LPDWORD received, LPDWORD flags, struct sockaddr *from,
	LPINT from_length, LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goWSARecvFrom(self(), s, bufs, count, received, flags, from, from_length, overlapped, (uintptr_t)routine), SOCKET_ERROR);
	return 0;
}

BOOL WSAAPI WSAGetOverlappedResult(SOCKET s, LPWSAOVERLAPPED overlapped, LPDWORD transferred, BOOL wait, LPDWORD flags)
{
	ALIVE(FALSE);
	FAIL_IF(goWSAGetOverlappedResult(self(), s, overlapped, transferred, wait != 0, flags), FALSE);
	return TRUE;
}
