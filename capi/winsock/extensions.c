/*
 * Extension functions. A client gets pointers to these entries, and to no
 * provider's own function: each asks the provider of the socket that it is
 * called with. mswsock exports some of them by name, too.
 */
#define _GNU_SOURCE
#include <mswsock.h>

#include <dlfcn.h>

#include "_cgo_export.h"
#include "thread.h"

BOOL WINAPI AcceptEx(SOCKET listening, SOCKET accepting, PVOID out, DWORD receive, DWORD local, DWORD remote, LPDWORD received,
	LPOVERLAPPED overlapped)
{
	ALIVE(FALSE);
	FAIL_IF(goAcceptEx(self(), listening, accepting, out, receive, local, remote, received, overlapped), FALSE);
	return TRUE;
}

/*
 * Every provider stores an address at the beginning of its room, and its length
 * in the room's last four bytes.
 */
static void find_address(char *room, DWORD size, struct sockaddr **name, LPINT length)
{
	uint32_t n = 0;

	if (room && size >= 16)
		memcpy(&n, room + size - sizeof n, sizeof n);
	if (n < sizeof name[0]->sa_family || n > size - sizeof n)
		room = 0, n = 0;
	if (name)
		*name = (struct sockaddr *)room;
	if (length)
		*length = n;
}

VOID WINAPI GetAcceptExSockaddrs(PVOID out, DWORD receive, DWORD local, DWORD remote, struct sockaddr **local_name, LPINT local_length,
	struct sockaddr **remote_name, LPINT remote_length)
{
	char *rooms = out ? (char *)out + receive : 0;

	find_address(rooms, local, local_name, local_length);
	find_address(rooms ? rooms + local : 0, remote, remote_name, remote_length);
}

static BOOL WINAPI connect_ex(SOCKET s, const struct sockaddr *name, int length, PVOID data, DWORD data_length, LPDWORD sent,
	LPOVERLAPPED overlapped)
{
	ALIVE(FALSE);
	FAIL_IF(goConnectEx(self(), s, (void *)name, length, data, data_length, sent, overlapped), FALSE);
	return TRUE;
}

static BOOL WINAPI disconnect_ex(SOCKET s, LPOVERLAPPED overlapped, DWORD flags, DWORD reserved)
{
	ALIVE(FALSE);
	FAIL_IF(reserved ? WSAEINVAL : goDisconnectEx(self(), s, overlapped, flags), FALSE);
	return TRUE;
}

BOOL WINAPI TransmitFile(SOCKET s, HANDLE file, DWORD length, DWORD per_send, LPOVERLAPPED overlapped, LPTRANSMIT_FILE_BUFFERS around,
	DWORD flags)
{
	ALIVE(FALSE);
	FAIL_IF(goTransmitFile(self(), s, (uintptr_t)file, length, per_send, overlapped, around, flags), FALSE);
	return TRUE;
}

static BOOL WINAPI transmit_packets(SOCKET s, LPTRANSMIT_PACKETS_ELEMENT elements, DWORD count, DWORD per_send, LPOVERLAPPED overlapped,
	DWORD flags)
{
	ALIVE(FALSE);
	FAIL_IF(goTransmitPackets(self(), s, elements, count, per_send, overlapped, flags), FALSE);
	return TRUE;
}

static INT WSAAPI recv_msg(SOCKET s, LPWSAMSG message, LPDWORD received, LPWSAOVERLAPPED overlapped,
	LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goWSARecvMsg(self(), s, message, received, overlapped, (uintptr_t)routine), SOCKET_ERROR);
	return 0;
}

int WINAPI WSARecvEx(SOCKET s, char *buf, int length, int *flags)
{
	struct goWSARecvEx_return r;

	ALIVE(SOCKET_ERROR);
	r = goWSARecvEx(self(), s, buf, length, flags);
	FAIL_IF(r.r1, SOCKET_ERROR);
	return r.r0;
}

static const struct {
	GUID id;
	void *function;
} extensions[] = {
	{WSAID_ACCEPTEX, AcceptEx},
	{WSAID_CONNECTEX, connect_ex},
	{WSAID_DISCONNECTEX, disconnect_ex},
	{WSAID_GETACCEPTEXSOCKADDRS, GetAcceptExSockaddrs},
	{WSAID_TRANSMITFILE, TransmitFile},
	{WSAID_TRANSMITPACKETS, transmit_packets},
	{WSAID_WSAPOLL, WSAPoll},
	{WSAID_WSARECVMSG, recv_msg},
	{WSAID_WSASENDMSG, WSASendMsg},
};

/*
 * What a client gets where its provider gave function for an extension: the
 * entry here, or, for one of the provider's own making, the provider's function
 * if it is in C. 0: a C program cannot call it.
 */
uintptr_t upcall_extension(const void *id, uintptr_t function)
{
	Dl_info image, own;
	size_t i;

	for (i = 0; i < sizeof extensions / sizeof *extensions; i++)
		if (!memcmp(&extensions[i].id, id, sizeof(GUID)))
			return (uintptr_t)extensions[i].function;
	if (!dladdr((void *)function, &image) || !dladdr((void *)upcall_extension, &own) || image.dli_fbase == own.dli_fbase)
		return 0;
	return function;
}

int WSAAPI WSAIoctl(SOCKET s, DWORD code, LPVOID in, DWORD in_length, LPVOID out, DWORD out_length, LPDWORD returned,
	LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goWSAIoctl(self(), s, code, in, in_length, out, out_length, returned, overlapped, (uintptr_t)routine), SOCKET_ERROR);
	return 0;
}
