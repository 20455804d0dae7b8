/*
 * A layer over IFS handles that does what the environment variable FAULT says,
 * and otherwise nothing.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ws2spi.h>

#include "next.h"

static const GUID layer = {0x11111111, 0x2222, 0x3333, {1, 2, 3, 4, 5, 6, 7, 8}};
static WSPUPCALLTABLE upcalls;
static NEXT *next;
static volatile int zero;

static int is(const char *fault)
{
	const char *f = getenv("FAULT");

	return f != NULL && strcmp(f, fault) == 0;
}

static void *wild(void *nothing)
{
	*(volatile int *)nothing = 1;
	return NULL;
}

static int WSPAPI Listen(SOCKET s, int backlog, LPINT lpErrno)
{
	pthread_t thread;

	if (is("segv"))
		*(volatile int *)16 = 1;
	if (is("fpe"))
		zero = 100 / zero;
	if (is("ill"))
		__builtin_trap();
	if (is("bus")) /* a page that its file does not have */
		*(volatile int *)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memfd_create("empty", 0), 0) = 1;
	if (is("abort"))
		abort();
	if (is("thread") && pthread_create(&thread, NULL, wild, NULL) == 0)
		pthread_join(thread, NULL);
	if (is("silent"))
		return SOCKET_ERROR;
	return next->table.lpWSPListen(s, backlog, lpErrno);
}

static SOCKET WSPAPI Socket(int af, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP g, DWORD flags, LPINT lpErrno)
{
	SOCKET s = next->table.lpWSPSocket(af, type, protocol, &next->below, g, flags, lpErrno);

	return s == INVALID_SOCKET ? s : upcalls.lpWPUModifyIFSHandle(info->dwCatalogEntryId, s, lpErrno);
}

static int WSPAPI Cleanup(LPINT lpErrno)
{
	NextStop(next);
	next = NULL;
	Log("faulty", "cleanup");
	return 0;
}

__declspec(dllexport) int WSPAPI WSPStartup(WORD wVersionRequested, LPWSPDATA lpWSPData, LPWSAPROTOCOL_INFOW lpProtocolInfo, WSPUPCALLTABLE UpcallTable, LPWSPPROC_TABLE lpProcTable)
{
	int error = 0;

	if (wVersionRequested != MAKEWORD(2, 2))
		return WSAVERNOTSUPPORTED;
	if (is("refuse"))
		return WSASYSNOTREADY;
	upcalls = UpcallTable;
	next = NextStart(lpProtocolInfo, &layer, UpcallTable, &error);
	if (next == NULL)
		return error;
	*lpProcTable = next->table;
	lpProcTable->lpWSPCleanup = Cleanup;
	lpProcTable->lpWSPListen = is("null") ? NULL : Listen;
	lpProcTable->lpWSPSocket = Socket;
	lpWSPData->wVersion = lpWSPData->wHighVersion = is("version") ? MAKEWORD(2, 0) : MAKEWORD(2, 2);
	lpWSPData->szDescription[0] = 0;
	return 0;
}

__declspec(dllexport) BOOL WINAPI DllMain(HINSTANCE dll, DWORD reason, LPVOID reserved)
{
	(void)dll;
	(void)reserved;
	Log("faulty", reason == DLL_PROCESS_ATTACH ? "attach" : "detach");
	return !is("dllmain");
}
