/*
 * Build:  gcc -shared -fPIC -O2 $(pkg-config --cflags upcall) -I../next -o nonifs.so *.c ../next/next.c $(pkg-config --libs upcall)
 * Log:    LAYER_LOG=/tmp/log
 *
 * A non-IFS handle is made by the host, with WPUCreateSocketHandle, and stands
 * for nothing in the operating system: what it means only the layer knows. So
 * every function of the layer begins by asking for the context that it gave,
 * WPUQuerySocketHandleContext, and calls the provider below with the socket that
 * it finds there.
 */
#include "nonifs.h"

/* The id that the installer, ../install, gives the layer; a copy of the layer
 * that is to be in the same chain has another. */
#ifndef LAYER_ID
#define LAYER_ID {0xb3a80d51, 0x27e6, 0x4c79, {0x9d, 0x02, 0x51, 0xcf, 0x88, 0x13, 0x6e, 0x0a}}
#endif
static const GUID layer = LAYER_ID;

CRITICAL_SECTION lock;
WSPUPCALLTABLE upcalls;
SOCK *socks;
BOOL ending;
HINSTANCE module;

static int startups;
static NEXT *nexts;

NEXT *FindNext(LPWSAPROTOCOL_INFOW info, LPINT lpErrno)
{
	NEXT *n;

	/* Held while the provider below starts, so that it is started once. It makes
	 * no call of this layer. */
	EnterCriticalSection(&lock);
	for (n = nexts; n != NULL; n = n->next)
		if (n->entry.dwCatalogEntryId == info->dwCatalogEntryId)
			break;
	if (n == NULL && (n = NextStart(info, &layer, upcalls, lpErrno)) != NULL) {
		n->next = nexts;
		nexts = n;
	}
	LeaveCriticalSection(&lock);
	return n;
}

SOCK *Acquire(SOCKET s, LPINT lpErrno)
{
	DWORD_PTR context;
	SOCK *sock = NULL;

	/* Under the lock, so that the context is not freed meanwhile. The upcall calls
	 * nobody. */
	EnterCriticalSection(&lock);
	if (upcalls.lpWPUQuerySocketHandleContext(s, &context, lpErrno) == 0) {
		sock = (SOCK *)context;
		if (sock->closed) {
			sock = NULL;
			*lpErrno = WSAENOTSOCK;
		} else {
			sock->refs++;
		}
	}
	LeaveCriticalSection(&lock);
	return sock;
}

SOCK *AcquireLower(SOCKET lower)
{
	SOCK *sock;

	EnterCriticalSection(&lock);
	for (sock = socks; sock != NULL; sock = sock->next)
		if (sock->lower == lower && !sock->closed) {
			sock->refs++;
			break;
		}
	LeaveCriticalSection(&lock);
	return sock;
}

void Release(SOCK *sock)
{
	int ignored;

	EnterCriticalSection(&lock);
	if (--sock->refs == 0) {
		*sock->link = sock->next;
		if (sock->next != NULL)
			sock->next->link = sock->link;
		/*
		 * Only now: until here operations could still complete on the handle,
		 * though the client has closed it.
		 */
		upcalls.lpWPUCloseSocketHandle(sock->upper, &ignored);
		Log("nonifs", "closed %llx: sent %lld received %lld", (unsigned long long)sock->upper, (long long)sock->sent, (long long)sock->received);
		free(sock);
	}
	LeaveCriticalSection(&lock);
}

SOCKET Register(NEXT *below, SOCKET lower, const SOCK *parent, BOOL overlapped, LPINT lpErrno)
{
	SOCK *sock;
	SOCKET upper;
	int ignored;

	if (lower == INVALID_SOCKET)
		return INVALID_SOCKET;
	sock = calloc(1, sizeof *sock);
	if (sock == NULL) {
		*lpErrno = WSAENOBUFS;
		below->table.lpWSPCloseSocket(lower, &ignored);
		return INVALID_SOCKET;
	}
	sock->refs = 1; /* the client's, until WSPCloseSocket */
	sock->below = below;
	sock->lower = lower;
	sock->overlapped = overlapped;
	if (parent != NULL) { /* an accepted socket has its listener's selection */
		sock->window = parent->window;
		sock->message = parent->message;
	}
	/*
	 * From before WPUCreateSocketHandle returns calls may come on the handle, so
	 * the context is complete, but for the handle, and the lock keeps them out.
	 */
	EnterCriticalSection(&lock);
	upper = upcalls.lpWPUCreateSocketHandle(below->entry.dwCatalogEntryId, (DWORD_PTR)sock, lpErrno);
	if (upper == INVALID_SOCKET) {
		LeaveCriticalSection(&lock);
		below->table.lpWSPCloseSocket(lower, &ignored);
		free(sock);
		return INVALID_SOCKET;
	}
	sock->upper = upper;
	sock->next = socks;
	sock->link = &socks;
	if (socks != NULL)
		socks->link = &sock->next;
	socks = sock;
	sock->refs++;
	LeaveCriticalSection(&lock);
	Log("nonifs", "socket %llx over %llx", (unsigned long long)upper, (unsigned long long)lower);
	DeliverEarly(sock);
	Release(sock);
	return upper;
}

static SOCKET WSPAPI LayerSocket(int af, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP g, DWORD flags, LPINT lpErrno)
{
	NEXT *n = FindNext(info, lpErrno);
	WSAPROTOCOL_INFOW below;
	BOOL overlapped;

	if (n == NULL)
		return INVALID_SOCKET;
	/* What WSPDuplicateSocket has described may have had any flags. */
	overlapped = (flags & WSA_FLAG_OVERLAPPED) || info->dwProviderReserved != 0;
	below = n->below;
	/* The mark of a socket that WSPDuplicateSocket has described goes through. */
	below.dwProviderReserved = info->dwProviderReserved;
	/* Overlapped in any case: it is how the layer does the client's operations. */
	return Register(n, n->table.lpWSPSocket(af, type, protocol, &below, g, flags | WSA_FLAG_OVERLAPPED, lpErrno), NULL, overlapped, lpErrno);
}

static SOCKET WSPAPI LayerAccept(SOCKET s, struct sockaddr *addr, LPINT addrlen, LPCONDITIONPROC condition, DWORD_PTR data, LPINT lpErrno)
{
	SOCK *sock = Acquire(s, lpErrno);
	SOCKET accepted;

	if (sock == NULL)
		return INVALID_SOCKET;
	accepted = sock->below->table.lpWSPAccept(sock->lower, addr, addrlen, condition, data, lpErrno);
	accepted = Register(sock->below, accepted, sock, sock->overlapped, lpErrno);
	Release(sock);
	return accepted;
}

static SOCKET WSPAPI LayerJoinLeaf(SOCKET s, const struct sockaddr *name, int length, LPWSABUF caller, LPWSABUF callee, LPQOS sqos, LPQOS gqos, DWORD flags, LPINT lpErrno)
{
	SOCK *sock = Acquire(s, lpErrno);
	SOCKET leaf;

	if (sock == NULL)
		return INVALID_SOCKET;
	leaf = sock->below->table.lpWSPJoinLeaf(sock->lower, name, length, caller, callee, sqos, gqos, flags, lpErrno);
	/* The leaf of a non-rooted session is the socket itself. */
	leaf = leaf == sock->lower ? s : Register(sock->below, leaf, sock, sock->overlapped, lpErrno);
	Release(sock);
	return leaf;
}

static int WSPAPI LayerDuplicateSocket(SOCKET s, DWORD process, LPWSAPROTOCOL_INFOW info, LPINT lpErrno)
{
	SOCK *sock = Acquire(s, lpErrno);
	int rc;

	if (sock == NULL)
		return SOCKET_ERROR;
	rc = sock->below->table.lpWSPDuplicateSocket(sock->lower, process, info, lpErrno);
	if (rc == 0) {
		/* The other process is to ask this layer, which asks the one below. */
		DWORD mark = info->dwProviderReserved;

		*info = sock->below->entry;
		info->dwProviderReserved = mark;
	}
	Release(sock);
	return rc;
}

static int WSPAPI LayerCloseSocket(SOCKET s, LPINT lpErrno)
{
	SOCK *sock = Acquire(s, lpErrno);
	int rc;

	if (sock == NULL)
		return SOCKET_ERROR;
	/* WSAEWOULDBLOCK leaves it open: a linger time on a nonblocking socket. */
	rc = sock->below->table.lpWSPCloseSocket(sock->lower, lpErrno);
	if (rc == 0) {
		BOOL mine;

		EnterCriticalSection(&lock);
		mine = !sock->closed;
		sock->closed = TRUE;
		LeaveCriticalSection(&lock);
		if (mine)
			Release(sock);
	}
	Release(sock);
	return rc;
}

/* Closes what the client has left open: at once, and without its data. */
static void CloseAll(void)
{
	struct linger hard = {1, 0};
	SOCK *sock;
	int ignored;

	for (;;) {
		EnterCriticalSection(&lock);
		for (sock = socks; sock != NULL && sock->closed; sock = sock->next)
			;
		if (sock != NULL)
			sock->closed = TRUE;
		LeaveCriticalSection(&lock);
		if (sock == NULL)
			return;
		sock->below->table.lpWSPSetSockOpt(sock->lower, SOL_SOCKET, SO_LINGER, (char *)&hard, sizeof hard, &ignored);
		sock->below->table.lpWSPCloseSocket(sock->lower, &ignored);
		Release(sock);
	}
}

static void StopNexts(void)
{
	NEXT *n;

	while ((n = nexts) != NULL) {
		nexts = n->next;
		NextStop(n);
	}
}

static int WSPAPI LayerCleanup(LPINT lpErrno)
{
	BOOL last;

	EnterCriticalSection(&lock);
	if (startups == 0) {
		LeaveCriticalSection(&lock);
		*lpErrno = WSANOTINITIALISED;
		return SOCKET_ERROR;
	}
	last = --startups == 0;
	if (last)
		ending = TRUE;
	LeaveCriticalSection(&lock);
	if (!last)
		return 0;
	CloseAll();
	StopMessages();
	StopWorker();
	StopNexts();
	ending = FALSE;
	return 0;
}

/* The providers below; each stays in the list until the last cleanup. */
static NEXT *Nexts(void)
{
	NEXT *n;

	EnterCriticalSection(&lock);
	n = nexts;
	LeaveCriticalSection(&lock);
	return n;
}

static int WSPAPI LayerCancelBlockingCall(LPINT lpErrno)
{
	NEXT *n;
	int rc = SOCKET_ERROR;

	*lpErrno = WSAEINVAL;
	for (n = Nexts(); n != NULL && rc == SOCKET_ERROR; n = n->next)
		rc = n->table.lpWSPCancelBlockingCall(lpErrno);
	return rc;
}

static INT WSPAPI LayerAddressToString(LPSOCKADDR address, DWORD length, LPWSAPROTOCOL_INFOW info, LPWSTR text, LPDWORD size, LPINT lpErrno)
{
	NEXT *n = info != NULL ? FindNext(info, lpErrno) : Nexts();

	return n == NULL ? SOCKET_ERROR : n->table.lpWSPAddressToString(address, length, info != NULL ? &n->below : NULL, text, size, lpErrno);
}

static INT WSPAPI LayerStringToAddress(LPWSTR text, INT af, LPWSAPROTOCOL_INFOW info, LPSOCKADDR address, LPINT length, LPINT lpErrno)
{
	NEXT *n = info != NULL ? FindNext(info, lpErrno) : Nexts();

	return n == NULL ? SOCKET_ERROR : n->table.lpWSPStringToAddress(text, af, info != NULL ? &n->below : NULL, address, length, lpErrno);
}

__declspec(dllexport) int WSPAPI WSPStartup(WORD wVersionRequested, LPWSPDATA lpWSPData, LPWSAPROTOCOL_INFOW lpProtocolInfo, WSPUPCALLTABLE UpcallTable, LPWSPPROC_TABLE lpProcTable)
{
	static const char description[] = "Layer with handles of its own";
	int error = 0, i;

	/* A provider takes any version that is not below its lowest one. */
	if (LOBYTE(wVersionRequested) < 2 || (LOBYTE(wVersionRequested) == 2 && HIBYTE(wVersionRequested) < 2))
		return WSAVERNOTSUPPORTED;
	EnterCriticalSection(&lock);
	upcalls = UpcallTable; /* the latest one counts */
	LeaveCriticalSection(&lock);
	/* At once, so that whoever starts the chain learns whether it works. */
	if (FindNext(lpProtocolInfo, &error) == NULL)
		return error;
	if (!StartWorker()) {
		if (startups == 0)
			StopNexts(); /* no WSPCleanup follows a start that has failed */
		return WSAEPROVIDERFAILEDINIT;
	}
	FillCalls(lpProcTable);
	FillOverlapped(lpProcTable);
	lpProcTable->lpWSPAccept = LayerAccept;
	lpProcTable->lpWSPAddressToString = LayerAddressToString;
	lpProcTable->lpWSPAsyncSelect = LayerAsyncSelect;
	lpProcTable->lpWSPCancelBlockingCall = LayerCancelBlockingCall;
	lpProcTable->lpWSPCleanup = LayerCleanup;
	lpProcTable->lpWSPCloseSocket = LayerCloseSocket;
	lpProcTable->lpWSPDuplicateSocket = LayerDuplicateSocket;
	lpProcTable->lpWSPJoinLeaf = LayerJoinLeaf;
	lpProcTable->lpWSPSocket = LayerSocket;
	lpProcTable->lpWSPStringToAddress = LayerStringToAddress;

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
	(void)reserved;
	if (reason == DLL_PROCESS_ATTACH) {
		module = dll;
		InitializeCriticalSection(&lock);
	}
	if (reason == DLL_PROCESS_DETACH)
		DeleteCriticalSection(&lock);
	return TRUE;
}
