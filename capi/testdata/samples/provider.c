/* The bones of a layered provider: it passes its next provider's functions on. */
#include <ws2spi.h>

#include <sporder.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C"
#endif
__declspec(dllexport) int WSPAPI WSPStartup(WORD wVersionRequested, LPWSPDATA lpWSPData, LPWSAPROTOCOL_INFOW lpProtocolInfo, WSPUPCALLTABLE UpcallTable, LPWSPPROC_TABLE lpProcTable);

static WSPUPCALLTABLE upcalls;
static WSPPROC_TABLE next;
static DWORD entry;

static SOCKET WSPAPI LayerSocket(int af, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP g, DWORD flags, LPINT lpErrno)
{
	SOCKET lower = next.lpWSPSocket(af, type, protocol, info, g, flags | WSA_FLAG_OVERLAPPED, lpErrno);

	return lower == INVALID_SOCKET ? lower : upcalls.lpWPUCreateSocketHandle(entry, (DWORD_PTR)lower, lpErrno);
}

static int WSPAPI LayerSelect(int nfds, fd_set FAR *r, fd_set FAR *w, fd_set FAR *e, const struct timeval FAR *timeout, LPINT lpErrno)
{
	return next.lpWSPSelect(nfds, r, w, e, timeout, lpErrno);
}

static void CALLBACK complete(DWORD_PTR context)
{
	free((void *)context);
}

static int WSPAPI LayerRecv(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD received, LPDWORD flags, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT lpErrno)
{
	DWORD_PTR lower;
	WSATHREADID own;

	if (upcalls.lpWPUQuerySocketHandleContext(s, &lower, lpErrno) == SOCKET_ERROR)
		return SOCKET_ERROR;
	if (ov != NULL) {
		ov->Internal = WSS_OPERATION_IN_PROGRESS;
		ov->OffsetHigh = WSAEOPNOTSUPP;
		if (routine == NULL)
			return WPUCompleteOverlappedRequest(s, ov, WSAEOPNOTSUPP, 0, lpErrno);
		if (thread == NULL && upcalls.lpWPUOpenCurrentThread(&own, lpErrno) == 0)
			thread = &own;
		return upcalls.lpWPUQueueApc(thread, complete, (DWORD_PTR)ov, lpErrno);
	}
	return next.lpWSPRecv((SOCKET)lower, buffers, count, received, flags, NULL, NULL, thread, lpErrno);
}

static LPWSPSTARTUP find(LPWSAPROTOCOL_INFOW info, LPWSAPROTOCOL_INFOW lower)
{
	WCHAR path[MAX_PATH], expanded[MAX_PATH];
	int length = MAX_PATH, error, i, n;
	DWORD bytes = 0;
	LPWSAPROTOCOL_INFOW all;
	HMODULE dll;
	LPWSPSTARTUP startup = NULL;

	WSCEnumProtocols(NULL, NULL, &bytes, &error);
	all = (LPWSAPROTOCOL_INFOW)HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, bytes);
	n = WSCEnumProtocols(NULL, all, &bytes, &error);
	for (i = 0; i < n && startup == NULL; i++) {
		if (all[i].dwCatalogEntryId != info->ProtocolChain.ChainEntries[1] || !(all[i].dwServiceFlags1 & XP1_IFS_HANDLES))
			continue;
		*lower = all[i];
		if (WSCGetProviderPath(&all[i].ProviderId, path, &length, &error) == SOCKET_ERROR ||
		    ExpandEnvironmentStringsW(path, expanded, MAX_PATH) == 0 || (dll = LoadLibraryW(expanded)) == NULL)
			break;
		startup = (LPWSPSTARTUP)GetProcAddress(dll, "WSPStartup");
	}
	HeapFree(GetProcessHeap(), 0, all);
	return startup;
}

int WSPAPI WSPStartup(WORD wVersionRequested, LPWSPDATA lpWSPData, LPWSAPROTOCOL_INFOW lpProtocolInfo, WSPUPCALLTABLE UpcallTable, LPWSPPROC_TABLE lpProcTable)
{
	WSAPROTOCOL_INFOW lower;
	LPWSPSTARTUP startup;
	int rc;

	upcalls = UpcallTable;
	memset(&lower, 0, sizeof lower);
	if ((startup = find(lpProtocolInfo, &lower)) == NULL)
		return WSAEPROVIDERFAILEDINIT;
	if ((rc = startup(wVersionRequested, lpWSPData, &lower, UpcallTable, &next)) != 0)
		return rc;
	entry = lpProtocolInfo->dwCatalogEntryId;
	*lpProcTable = next;
	lpProcTable->lpWSPSocket = LayerSocket;
	lpProcTable->lpWSPSelect = LayerSelect;
	lpProcTable->lpWSPRecv = LayerRecv;
	return 0;
}

BOOL WINAPI DllMain(HINSTANCE dll, DWORD reason, LPVOID reserved);
BOOL WINAPI DllMain(HINSTANCE dll, DWORD reason, LPVOID reserved)
{
	UNREFERENCED_PARAMETER(dll);
	UNREFERENCED_PARAMETER(reserved);
	if (reason == DLL_PROCESS_ATTACH)
		OutputDebugString(TEXT("attached\n"));
	return WSCWriteProviderOrder(&entry, 1) != WSAEFAULT;
}
