/*
 * A layered provider over IFS handles, which counts what goes through it.
 *
 * An IFS handle is one of the operating system's: ReadFile and WriteFile work on
 * it without any provider. So a layer over IFS handles has no handles of its
 * own. It lets the provider below make the socket, and then says with
 * WPUModifyIFSHandle that calls on it come here from now on.
 *
 * What that means:
 *
 *  - Overlapped operations are completed by the system. The layer passes
 *    OVERLAPPED structures down as they are, and does not see completions.
 *  - Whoever reads or writes the handle by itself passes the layer by, and so do
 *    calls of extension functions: those of the provider below know the handle,
 *    and the layer gives no others.
 *  - Functions that the layer does not change are the ones of the provider
 *    below: the table that WSPStartup returns is that provider's, with a few
 *    entries replaced.
 *
 * Build:  gcc -shared -fPIC -O2 $(pkg-config --cflags upcall) -I../next -o ifs.so ifs.c ../next/next.c $(pkg-config --libs upcall)
 * Log:    LAYER_LOG=/tmp/log
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ws2spi.h>

#include "next.h"

/* The id that the installer, ../install, gives the layer; a copy of the layer
 * that is to be in the same chain has another. */
#ifndef LAYER_ID
#define LAYER_ID {0x6f2b1c4e, 0x93d7, 0x4a0f, {0x8c, 0x15, 0x2e, 0x7a, 0xb0, 0x44, 0x91, 0x02}}
#endif
static const GUID layer = LAYER_ID;

static CRITICAL_SECTION lock; /* guards the four below */
static int startups;
static WSPUPCALLTABLE upcalls;
static NEXT *nexts; /* one for each chain that sockets were made of */
static NEXT *first; /* the first of them, which stays until the last cleanup */

static LONG64 sockets, connects, sends, receives, sent, received;

/*
 * The provider below in a chain. The layer's table has the functions of one
 * provider in it, so that all chains must have the same one below the layer.
 */
static NEXT *FindNext(LPWSAPROTOCOL_INFOW info, LPINT lpErrno)
{
	NEXT *n;

	EnterCriticalSection(&lock);
	for (n = nexts; n != NULL; n = n->next)
		if (n->entry.dwCatalogEntryId == info->dwCatalogEntryId)
			break;
	if (n == NULL && (n = NextStart(info, &layer, upcalls, lpErrno)) != NULL) {
		if (first != NULL && memcmp(&n->table, &first->table, sizeof n->table) != 0) {
			Log("ifs", "chain %u has another provider below: install the layer over one base provider", info->dwCatalogEntryId);
			NextStop(n);
			n = NULL;
			*lpErrno = WSAEPROVIDERFAILEDINIT;
		} else {
			n->next = nexts;
			nexts = n;
			if (first == NULL)
				first = n;
		}
	}
	LeaveCriticalSection(&lock);
	return n;
}

/*
 * What the provider below is told of a socket: its own entry, but with the mark
 * by which it knows a socket that WSPDuplicateSocket has described.
 */
static WSAPROTOCOL_INFOW Below(const NEXT *n, const WSAPROTOCOL_INFOW *info)
{
	WSAPROTOCOL_INFOW below = n->below;

	below.dwProviderReserved = info->dwProviderReserved;
	return below;
}

/* Takes a socket of the provider below over. */
static SOCKET Take(DWORD entry, SOCKET s, LPINT lpErrno)
{
	SOCKET taken;
	int ignored;

	if (s == INVALID_SOCKET)
		return s;
	taken = upcalls.lpWPUModifyIFSHandle(entry, s, lpErrno);
	if (taken == INVALID_SOCKET)
		first->table.lpWSPCloseSocket(s, &ignored);
	return taken;
}

/* Puts the chain in the place of the entry that the provider below goes by. */
static void Rise(LPWSAPROTOCOL_INFOW info)
{
	DWORD mark = info->dwProviderReserved;
	NEXT *n;

	EnterCriticalSection(&lock);
	for (n = nexts; n != NULL; n = n->next)
		if (n->below.dwCatalogEntryId == info->dwCatalogEntryId) {
			*info = n->entry;
			info->dwProviderReserved = mark;
			break;
		}
	LeaveCriticalSection(&lock);
}

/* The chain entry that a socket is of: what the provider below says, risen. */
static DWORD EntryOf(SOCKET s)
{
	WSAPROTOCOL_INFOW info;
	int length = sizeof info, ignored;

	if (first->table.lpWSPGetSockOpt(s, SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)&info, &length, &ignored) == SOCKET_ERROR)
		return first->entry.dwCatalogEntryId;
	Rise(&info);
	return info.dwCatalogEntryId;
}

static SOCKET WSPAPI LayerSocket(int af, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP g, DWORD flags, LPINT lpErrno)
{
	WSAPROTOCOL_INFOW below;
	NEXT *n = FindNext(info, lpErrno);

	if (n == NULL)
		return INVALID_SOCKET;
	below = Below(n, info);
	InterlockedIncrement64(&sockets);
	return Take(info->dwCatalogEntryId, n->table.lpWSPSocket(af, type, protocol, &below, g, flags, lpErrno), lpErrno);
}

static SOCKET WSPAPI LayerAccept(SOCKET s, struct sockaddr *addr, LPINT addrlen, LPCONDITIONPROC condition, DWORD_PTR data, LPINT lpErrno)
{
	DWORD entry = EntryOf(s);
	SOCKET accepted = first->table.lpWSPAccept(s, addr, addrlen, condition, data, lpErrno);

	if (accepted != INVALID_SOCKET)
		InterlockedIncrement64(&sockets);
	return Take(entry, accepted, lpErrno);
}

static SOCKET WSPAPI LayerJoinLeaf(SOCKET s, const struct sockaddr *name, int length, LPWSABUF caller, LPWSABUF callee, LPQOS sqos, LPQOS gqos, DWORD flags, LPINT lpErrno)
{
	DWORD entry = EntryOf(s);
	SOCKET leaf = first->table.lpWSPJoinLeaf(s, name, length, caller, callee, sqos, gqos, flags, lpErrno);

	/* A leaf of a non-rooted session is the socket itself, which is taken. */
	return leaf == s ? leaf : Take(entry, leaf, lpErrno);
}

/* The description names the chain again, so that the host asks this layer. */
static int WSPAPI LayerDuplicateSocket(SOCKET s, DWORD process, LPWSAPROTOCOL_INFOW info, LPINT lpErrno)
{
	if (first->table.lpWSPDuplicateSocket(s, process, info, lpErrno) == SOCKET_ERROR)
		return SOCKET_ERROR;
	Rise(info);
	return 0;
}

/* The host asks whose socket a handle is that nobody has registered. */
static int WSPAPI LayerGetSockOpt(SOCKET s, int level, int option, char *value, LPINT length, LPINT lpErrno)
{
	if (first->table.lpWSPGetSockOpt(s, level, option, value, length, lpErrno) == SOCKET_ERROR)
		return SOCKET_ERROR;
	if (level == SOL_SOCKET && option == SO_PROTOCOL_INFOW)
		Rise((LPWSAPROTOCOL_INFOW)value);
	return 0;
}

static int WSPAPI LayerConnect(SOCKET s, const struct sockaddr *name, int length, LPWSABUF caller, LPWSABUF callee, LPQOS sqos, LPQOS gqos, LPINT lpErrno)
{
	InterlockedIncrement64(&connects);
	return first->table.lpWSPConnect(s, name, length, caller, callee, sqos, gqos, lpErrno);
}

static int WSPAPI LayerSend(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD bytes, DWORD flags, LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT lpErrno)
{
	int rc = first->table.lpWSPSend(s, buffers, count, bytes, flags, overlapped, routine, thread, lpErrno);

	InterlockedIncrement64(&sends);
	if (rc == 0 && bytes != NULL)
		InterlockedExchangeAdd64(&sent, *bytes);
	return rc;
}

static int WSPAPI LayerRecv(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD bytes, LPDWORD flags, LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT lpErrno)
{
	int rc = first->table.lpWSPRecv(s, buffers, count, bytes, flags, overlapped, routine, thread, lpErrno);

	InterlockedIncrement64(&receives);
	if (rc == 0 && bytes != NULL)
		InterlockedExchangeAdd64(&received, *bytes);
	return rc;
}

/* The last one ends what is below. */
static int WSPAPI LayerCleanup(LPINT lpErrno)
{
	NEXT *n;

	EnterCriticalSection(&lock);
	if (startups == 0) {
		LeaveCriticalSection(&lock);
		*lpErrno = WSANOTINITIALISED;
		return SOCKET_ERROR;
	}
	if (--startups == 0) {
		Log("ifs", "sockets %lld connects %lld sends %lld (%lld bytes) receives %lld (%lld bytes)",
		    (long long)sockets, (long long)connects, (long long)sends, (long long)sent, (long long)receives, (long long)received);
		while ((n = nexts) != NULL) {
			nexts = n->next;
			NextStop(n);
		}
		first = NULL;
	}
	LeaveCriticalSection(&lock);
	return 0;
}

__declspec(dllexport) int WSPAPI WSPStartup(WORD wVersionRequested, LPWSPDATA lpWSPData, LPWSAPROTOCOL_INFOW lpProtocolInfo, WSPUPCALLTABLE UpcallTable, LPWSPPROC_TABLE lpProcTable)
{
	static const char description[] = "Counting layer";
	NEXT *n;
	int error = 0, i;

	/* A provider takes any version that is not below its lowest one. */
	if (LOBYTE(wVersionRequested) < 2 || (LOBYTE(wVersionRequested) == 2 && HIBYTE(wVersionRequested) < 2))
		return WSAVERNOTSUPPORTED;
	EnterCriticalSection(&lock);
	upcalls = UpcallTable; /* the latest one counts */
	LeaveCriticalSection(&lock);
	n = FindNext(lpProtocolInfo, &error);
	if (n == NULL) {
		Log("ifs", "the provider below does not start: %d", error);
		return error;
	}
	*lpProcTable = n->table;
	lpProcTable->lpWSPAccept = LayerAccept;
	lpProcTable->lpWSPCleanup = LayerCleanup;
	lpProcTable->lpWSPConnect = LayerConnect;
	lpProcTable->lpWSPDuplicateSocket = LayerDuplicateSocket;
	lpProcTable->lpWSPGetSockOpt = LayerGetSockOpt;
	lpProcTable->lpWSPJoinLeaf = LayerJoinLeaf;
	lpProcTable->lpWSPRecv = LayerRecv;
	lpProcTable->lpWSPSend = LayerSend;
	lpProcTable->lpWSPSocket = LayerSocket;

	lpWSPData->wVersion = lpWSPData->wHighVersion = MAKEWORD(2, 2);
	for (i = 0; i < (int)sizeof description; i++)
		lpWSPData->szDescription[i] = description[i];
	EnterCriticalSection(&lock);
	startups++;
	LeaveCriticalSection(&lock);
	return 0;
}

__declspec(dllexport) BOOL WINAPI DllMain(HINSTANCE dll, DWORD reason, LPVOID reserved)
{
	(void)dll;
	(void)reserved;
	if (reason == DLL_PROCESS_ATTACH)
		InitializeCriticalSection(&lock);
	if (reason == DLL_PROCESS_DETACH)
		DeleteCriticalSection(&lock);
	return TRUE;
}
