/*
 * The functions that only exchange the handle for the one below.
 */
#include "nonifs.h"

/* Calls a function of the provider below with the socket that is there. */
#define PASS(result_, failed_, NAME, ...) \
	SOCK *sock = Acquire(s, lpErrno); \
	result_ rc; \
	if (sock == NULL) \
		return failed_; \
	rc = sock->below->table.lp##NAME(sock->lower, __VA_ARGS__, lpErrno); \
	Release(sock); \
	return rc

static int WSPAPI LayerBind(SOCKET s, const struct sockaddr *name, int length, LPINT lpErrno)
{
	PASS(int, SOCKET_ERROR, WSPBind, name, length);
}

static int WSPAPI LayerConnect(SOCKET s, const struct sockaddr *name, int length, LPWSABUF caller, LPWSABUF callee, LPQOS sqos, LPQOS gqos, LPINT lpErrno)
{
	PASS(int, SOCKET_ERROR, WSPConnect, name, length, caller, callee, sqos, gqos);
}

static int WSPAPI LayerEnumNetworkEvents(SOCKET s, WSAEVENT event, LPWSANETWORKEVENTS events, LPINT lpErrno)
{
	PASS(int, SOCKET_ERROR, WSPEnumNetworkEvents, event, events);
}

/* Events are the host's, so that the one of the client goes below. It replaces a
 * selection with messages. */
static int WSPAPI LayerEventSelect(SOCKET s, WSAEVENT event, LONG events, LPINT lpErrno)
{
	SOCK *sock = Acquire(s, lpErrno);
	int rc;

	if (sock == NULL)
		return SOCKET_ERROR;
	rc = sock->below->table.lpWSPEventSelect(sock->lower, event, events, lpErrno);
	if (rc == 0) {
		EnterCriticalSection(&lock);
		sock->window = NULL;
		LeaveCriticalSection(&lock);
	}
	Release(sock);
	return rc;
}

static int WSPAPI LayerGetPeerName(SOCKET s, struct sockaddr *name, LPINT length, LPINT lpErrno)
{
	PASS(int, SOCKET_ERROR, WSPGetPeerName, name, length);
}

static int WSPAPI LayerGetSockName(SOCKET s, struct sockaddr *name, LPINT length, LPINT lpErrno)
{
	PASS(int, SOCKET_ERROR, WSPGetSockName, name, length);
}

static BOOL WSPAPI LayerGetQOSByName(SOCKET s, LPWSABUF name, LPQOS qos, LPINT lpErrno)
{
	PASS(BOOL, FALSE, WSPGetQOSByName, name, qos);
}

static int WSPAPI LayerListen(SOCKET s, int backlog, LPINT lpErrno)
{
	PASS(int, SOCKET_ERROR, WSPListen, backlog);
}

static int WSPAPI LayerShutdown(SOCKET s, int how, LPINT lpErrno)
{
	PASS(int, SOCKET_ERROR, WSPShutdown, how);
}

static int WSPAPI LayerRecvDisconnect(SOCKET s, LPWSABUF data, LPINT lpErrno)
{
	PASS(int, SOCKET_ERROR, WSPRecvDisconnect, data);
}

static int WSPAPI LayerSendDisconnect(SOCKET s, LPWSABUF data, LPINT lpErrno)
{
	PASS(int, SOCKET_ERROR, WSPSendDisconnect, data);
}

/* The entry that a socket is of is the chain, not what the one below goes by. */
static int WSPAPI LayerGetSockOpt(SOCKET s, int level, int option, char *value, LPINT length, LPINT lpErrno)
{
	SOCK *sock = Acquire(s, lpErrno);
	int rc;

	if (sock == NULL)
		return SOCKET_ERROR;
	rc = sock->below->table.lpWSPGetSockOpt(sock->lower, level, option, value, length, lpErrno);
	if (rc == 0 && level == SOL_SOCKET && option == SO_PROTOCOL_INFOW)
		memcpy(value, &sock->below->entry, sizeof sock->below->entry);
	if (rc == 0 && level == SOL_SOCKET && option == SO_PROTOCOL_INFOA) {
		LPWSAPROTOCOL_INFOA info = (LPWSAPROTOCOL_INFOA)value;
		int i;

		/* The two forms differ in the name, at the end. */
		memcpy(info, &sock->below->entry, offsetof(WSAPROTOCOL_INFOA, szProtocol));
		for (i = 0; i <= WSAPROTOCOL_LEN; i++)
			info->szProtocol[i] = (CHAR)sock->below->entry.szProtocol[i];
	}
	Release(sock);
	return rc;
}

/* The value of some options is a socket. */
static int WSPAPI LayerSetSockOpt(SOCKET s, int level, int option, const char *value, int length, LPINT lpErrno)
{
	SOCK *sock = Acquire(s, lpErrno), *other = NULL;
	SOCKET named;
	int rc;

	if (sock == NULL)
		return SOCKET_ERROR;
	if (level == SOL_SOCKET && option == SO_UPDATE_ACCEPT_CONTEXT && value != NULL && length >= (int)sizeof named) {
		memcpy(&named, value, sizeof named);
		other = Acquire(named, lpErrno);
		if (other == NULL) {
			Release(sock);
			return SOCKET_ERROR;
		}
		value = (const char *)&other->lower;
	}
	rc = sock->below->table.lpWSPSetSockOpt(sock->lower, level, option, value, length, lpErrno);
	if (other != NULL)
		Release(other);
	Release(sock);
	return rc;
}

/* One of the sets of a select: the sockets of the client, and below. */
typedef struct SET {
	fd_set *client;
	fd_set *lower;
	SOCK **socks;
	SOCKET *uppers;
	u_int count;
} SET;

/* Makes the set of the sockets below. fd_count may be more than FD_SETSIZE. */
static BOOL Descend(SET *set, fd_set *client, NEXT **below, LPINT lpErrno)
{
	u_int i, n;

	memset(set, 0, sizeof *set);
	set->client = client;
	if (client == NULL)
		return TRUE;
	n = client->fd_count;
	set->lower = malloc(sizeof(fd_set) + n * sizeof(SOCKET));
	set->socks = calloc(n + 1, sizeof *set->socks);
	set->uppers = calloc(n + 1, sizeof *set->uppers);
	if (set->lower == NULL || set->socks == NULL || set->uppers == NULL) {
		*lpErrno = WSAENOBUFS;
		return FALSE;
	}
	set->lower->fd_count = n;
	for (i = 0; i < n; i++) {
		SOCK *sock = Acquire(client->fd_array[i], lpErrno);

		if (sock == NULL)
			return FALSE;
		set->socks[set->count] = sock;
		set->uppers[set->count++] = client->fd_array[i];
		set->lower->fd_array[i] = sock->lower;
		if (*below == NULL)
			*below = sock->below;
		/* One call can ask one provider only. */
		if (memcmp(&(*below)->table, &sock->below->table, sizeof sock->below->table) != 0) {
			*lpErrno = WSAEINVAL;
			return FALSE;
		}
	}
	return TRUE;
}

/* Leaves those in the client's set that are still in the one below. */
static void Ascend(SET *set)
{
	u_int i;

	if (set->client == NULL)
		return;
	set->client->fd_count = 0;
	for (i = 0; i < set->count; i++)
		if (upcalls.lpWPUFDIsSet(set->socks[i]->lower, set->lower))
			set->client->fd_array[set->client->fd_count++] = set->uppers[i];
}

static void Discard(SET *set)
{
	u_int i;

	for (i = 0; i < set->count; i++)
		Release(set->socks[i]);
	free(set->lower);
	free(set->socks);
	free(set->uppers);
}

static int WSPAPI LayerSelect(int nfds, fd_set *reads, fd_set *writes, fd_set *excepts, const struct timeval *timeout, LPINT lpErrno)
{
	SET r, w, e;
	NEXT *below = NULL;
	BOOL fits;
	int rc = SOCKET_ERROR;

	memset(&w, 0, sizeof w);
	memset(&e, 0, sizeof e);
	fits = Descend(&r, reads, &below, lpErrno) && Descend(&w, writes, &below, lpErrno) && Descend(&e, excepts, &below, lpErrno);
	if (fits && below == NULL) {
		fits = FALSE;
		*lpErrno = WSAEINVAL;
	}
	if (fits)
		rc = below->table.lpWSPSelect(nfds, r.lower, w.lower, e.lower, timeout, lpErrno);
	if (rc != SOCKET_ERROR) {
		Ascend(&r);
		Ascend(&w);
		Ascend(&e);
	}
	Discard(&r);
	Discard(&w);
	Discard(&e);
	return rc;
}

void FillCalls(LPWSPPROC_TABLE table)
{
	table->lpWSPBind = LayerBind;
	table->lpWSPConnect = LayerConnect;
	table->lpWSPEnumNetworkEvents = LayerEnumNetworkEvents;
	table->lpWSPEventSelect = LayerEventSelect;
	table->lpWSPGetPeerName = LayerGetPeerName;
	table->lpWSPGetQOSByName = LayerGetQOSByName;
	table->lpWSPGetSockName = LayerGetSockName;
	table->lpWSPGetSockOpt = LayerGetSockOpt;
	table->lpWSPListen = LayerListen;
	table->lpWSPRecvDisconnect = LayerRecvDisconnect;
	table->lpWSPSelect = LayerSelect;
	table->lpWSPSendDisconnect = LayerSendDisconnect;
	table->lpWSPSetSockOpt = LayerSetSockOpt;
	table->lpWSPShutdown = LayerShutdown;
}
