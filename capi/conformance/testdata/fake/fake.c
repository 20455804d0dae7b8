/*
 * The provider of fake.h. Its sockets can be made, can listen and can be closed;
 * everything else is WSAEOPNOTSUPP until a test replaces it.
 */
#include "fake.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "next.h"

static struct fake fake;
static NEXT *next;

#define REFUSE(type, name, failed, ...) \
	static type WSPAPI name(__VA_ARGS__, LPINT error) \
	{ \
		*error = WSAEOPNOTSUPP; \
		return failed; \
	}

#pragma GCC diagnostic ignored "-Wunused-parameter"

REFUSE(SOCKET, accept_, INVALID_SOCKET, SOCKET s, struct sockaddr *name, LPINT length, LPCONDITIONPROC condition, DWORD_PTR data)
REFUSE(INT, address_to_string, SOCKET_ERROR, LPSOCKADDR name, DWORD length, LPWSAPROTOCOL_INFOW info, LPWSTR text, LPDWORD size)
REFUSE(int, async_select, SOCKET_ERROR, SOCKET s, HWND wnd, unsigned int msg, LONG mask)
REFUSE(int, bind_, SOCKET_ERROR, SOCKET s, const struct sockaddr *name, int length)
REFUSE(int, connect_, SOCKET_ERROR, SOCKET s, const struct sockaddr *name, int length, LPWSABUF caller, LPWSABUF callee, LPQOS sqos, LPQOS gqos)
REFUSE(int, duplicate, SOCKET_ERROR, SOCKET s, DWORD process, LPWSAPROTOCOL_INFOW info)
REFUSE(int, enum_network_events, SOCKET_ERROR, SOCKET s, WSAEVENT e, LPWSANETWORKEVENTS found)
REFUSE(int, event_select, SOCKET_ERROR, SOCKET s, WSAEVENT e, LONG mask)
REFUSE(BOOL, get_overlapped_result, FALSE, SOCKET s, LPWSAOVERLAPPED ov, LPDWORD n, BOOL wait, LPDWORD flags)
REFUSE(int, get_peer_name, SOCKET_ERROR, SOCKET s, struct sockaddr *name, LPINT length)
REFUSE(int, get_sock_name, SOCKET_ERROR, SOCKET s, struct sockaddr *name, LPINT length)
REFUSE(BOOL, get_qos_by_name, FALSE, SOCKET s, LPWSABUF name, LPQOS qos)
REFUSE(int, ioctl_, SOCKET_ERROR, SOCKET s, DWORD code, LPVOID in, DWORD size, LPVOID out, DWORD room, LPDWORD n, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread)
REFUSE(SOCKET, join_leaf, INVALID_SOCKET, SOCKET s, const struct sockaddr *name, int length, LPWSABUF caller, LPWSABUF callee, LPQOS sqos, LPQOS gqos, DWORD flags)
REFUSE(int, recv_, SOCKET_ERROR, SOCKET s, LPWSABUF bufs, DWORD count, LPDWORD n, LPDWORD flags, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread)
REFUSE(int, recv_disconnect, SOCKET_ERROR, SOCKET s, LPWSABUF data)
REFUSE(int, recv_from, SOCKET_ERROR, SOCKET s, LPWSABUF bufs, DWORD count, LPDWORD n, LPDWORD flags, struct sockaddr *from, LPINT length, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread)
REFUSE(int, select_, SOCKET_ERROR, int n, fd_set *r, fd_set *w, fd_set *x, const struct timeval *timeout)
REFUSE(int, send_, SOCKET_ERROR, SOCKET s, LPWSABUF bufs, DWORD count, LPDWORD n, DWORD flags, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread)
REFUSE(int, send_disconnect, SOCKET_ERROR, SOCKET s, LPWSABUF data)
REFUSE(int, send_to, SOCKET_ERROR, SOCKET s, LPWSABUF bufs, DWORD count, LPDWORD n, DWORD flags, const struct sockaddr *to, int length, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread)
REFUSE(int, set_sock_opt, SOCKET_ERROR, SOCKET s, int level, int name, const char *value, int length)
REFUSE(int, shutdown_, SOCKET_ERROR, SOCKET s, int how)
REFUSE(INT, string_to_address, SOCKET_ERROR, LPWSTR text, INT family, LPWSAPROTOCOL_INFOW info, LPSOCKADDR name, LPINT length)

static int WSPAPI cancel(LPINT error)
{
	*error = WSAEINVAL;
	return SOCKET_ERROR;
}

static int WSPAPI get_sock_opt(SOCKET s, int level, int name, char *value, LPINT length, LPINT error)
{
	fake.questions++;
	*error = WSAENOTSOCK;
	return SOCKET_ERROR;
}

static int WSPAPI listen_(SOCKET s, int backlog, LPINT error)
{
	fake.listens++;
	return 0;
}

/* A layer's sockets are those of the provider below; a base provider's are
 * descriptors or handles of its own, as its entry says. */
static SOCKET WSPAPI socket_(int af, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP g, DWORD flags, LPINT error)
{
	SOCKET s;

	fake.sockets++;
	fake.socket_entry = *info;
	if (next) {
		s = fake.next.lpWSPSocket(af, type, protocol, &next->below, g, flags, error);
		return s == INVALID_SOCKET ? s : fake.upcalls.lpWPUModifyIFSHandle(fake.ids[0], s, error);
	}
	if (!(info->dwServiceFlags1 & XP1_IFS_HANDLES))
		return fake.upcalls.lpWPUCreateSocketHandle(info->dwCatalogEntryId, (DWORD_PTR)&fake, error);
	return fake.upcalls.lpWPUModifyIFSHandle(info->dwCatalogEntryId, open("/dev/null", O_RDWR | O_CLOEXEC), error);
}

static int WSPAPI close_socket(SOCKET s, LPINT error)
{
	fake.closes++;
	if (next)
		return fake.next.lpWSPCloseSocket(s, error);
	if (s >> 32)
		return fake.upcalls.lpWPUCloseSocketHandle(s, error);
	return close((int)s);
}

static int WSPAPI cleanup(LPINT error)
{
	fake.cleanups++;
	if (next)
		NextStop(next);
	next = NULL;
	return 0;
}

__declspec(dllexport) struct fake *Fake(void)
{
	return &fake;
}

__declspec(dllexport) int WSPAPI WSPStartup(WORD version, LPWSPDATA data, LPWSAPROTOCOL_INFOW info, WSPUPCALLTABLE upcalls, LPWSPPROC_TABLE table)
{
	int error = 0;

	if (fake.starts < FAKE_STARTS) {
		fake.requested[fake.starts] = version;
		fake.entries[fake.starts] = *info;
	}
	fake.starts++;
	fake.upcalls = upcalls;
	if (fake.start_error)
		return fake.start_error;
	if (info->ProtocolChain.ChainLen > 1) {
		next = NextStart(info, &fake.id, upcalls, &error);
		if (!next)
			return error;
		fake.next = next->table;
	}
	data->wVersion = data->wHighVersion = fake.version;
	data->szDescription[0] = 0;
	*table = fake.table;
	return 0;
}

__attribute__((constructor)) static void loaded(void)
{
	fake.version = MAKEWORD(2, 2);
	fake.table = (WSPPROC_TABLE){
		accept_, address_to_string, async_select, bind_, cancel, cleanup, close_socket, connect_,
		duplicate, enum_network_events, event_select, get_overlapped_result, get_peer_name,
		get_sock_name, get_sock_opt, get_qos_by_name, ioctl_, join_leaf, listen_, recv_,
		recv_disconnect, recv_from, select_, send_, send_disconnect, send_to, set_sock_opt,
		shutdown_, socket_, string_to_address,
	};
}
