/*
 * What ws2_32.dll exports beside its documented functions.
 *
 * None of it is documented anywhere, nor in any header of Windows: the types and
 * parameters here are this library's own, made up from the names. A program that
 * wants them includes this header and runs on Upcall alone; nothing else needs it.
 *
 * A function whose parameters the name does not tell takes none here. It fails
 * with ERROR_CALL_NOT_IMPLEMENTED as the last error.
 */
#ifndef UPCALL_WAH_H
#define UPCALL_WAH_H

#include <ws2spi.h>

#ifdef __cplusplus
extern "C" {
#endif

int WSPAPI WSCDeinstallProviderEx(void);
int WSPAPI WSCEnumProtocolsEx(void);
int WSPAPI WSCGetApplicationCategoryEx(void);
int WSPAPI WSCInstallNameSpaceEx2(void);
int WSPAPI WSCInstallProviderEx(void);
int WSPAPI WSCSetApplicationCategoryEx(void);
int WSPAPI WSCUnInstallNameSpaceEx2(void);
int WSPAPI WSCUpdateProviderEx(void);
/* These return the code itself. */
int WSPAPI WSCWriteProviderOrderEx(void);
DWORD WSPAPI WahWriteLSPEvent(void);

/* The upcall WPUGetProviderPath as an export. */
int WSPAPI WPUGetProviderPathEx(LPGUID lpProviderId, WCHAR *lpszProviderDllPath, LPINT lpProviderDllPathLen, LPINT lpErrno);

/*
 * Helpers of providers. Each that returns a DWORD returns 0 or the error.
 *
 * A helper is opened and closed around the use of those functions that take it;
 * each kind has its own, and the functions refuse another's.
 *
 * The APC helper runs routines on threads, as WPUOpenCurrentThread,
 * WPUCloseThread and WPUQueueApc do.
 */
DWORD WSPAPI WahOpenApcHelper(LPHANDLE lpHelper);
DWORD WSPAPI WahCloseApcHelper(HANDLE hHelper);
DWORD WSPAPI WahOpenCurrentThread(HANDLE hHelper, LPWSATHREADID lpThreadId);
DWORD WSPAPI WahCloseThread(HANDLE hHelper, LPWSATHREADID lpThreadId);
DWORD WSPAPI WahQueueUserApc(HANDLE hHelper, LPWSATHREADID lpThreadId, LPWSAUSERAPC lpfnUserApc, DWORD_PTR dwContext);

/*
 * The handle helper makes socket handles for a provider without IFS handles: as
 * WPUCreateSocketHandle for the first such entry of the catalog, WPUCloseSocketHandle
 * and WPUCompleteOverlappedRequest do. ERROR_NOT_SUPPORTED once support was
 * disabled, WSAEINVAL when the catalog has no such entry.
 */
DWORD WSPAPI WahOpenHandleHelper(LPHANDLE lpHelper);
DWORD WSPAPI WahCloseHandleHelper(HANDLE hHelper);
DWORD WSPAPI WahCreateSocketHandle(HANDLE hHelper, SOCKET *lpSocket);
DWORD WSPAPI WahCloseSocketHandle(HANDLE hHelper, SOCKET s);
DWORD WSPAPI WahCompleteRequest(HANDLE hHelper, SOCKET s, LPWSAOVERLAPPED lpOverlapped, DWORD dwError, DWORD cbTransferred);
/* For this process, enabled at first: whether WahOpenHandleHelper opens one. */
DWORD WSPAPI WahEnableNonIFSHandleSupport(void);
DWORD WSPAPI WahDisableNonIFSHandleSupport(void);

/*
 * The notification helper: whoever waits with a handle is told when somebody calls
 * WahNotifyAllProcesses, in any process of this user with the same catalog.
 * WahWaitForNotification is told of what comes after it: at once without lpOverlapped, by
 * waiting; with one WSA_IO_PENDING, and lpOverlapped's event is set, or the routine is
 * called as an APC of the calling thread. Closing the handle aborts a wait, with
 * WSA_OPERATION_ABORTED.
 */
DWORD WSPAPI WahOpenNotificationHandleHelper(LPHANDLE lpHelper);
DWORD WSPAPI WahCloseNotificationHandleHelper(HANDLE hHelper);
DWORD WSPAPI WahCreateNotificationHandle(HANDLE hHelper, LPHANDLE lpNotification);
DWORD WSPAPI WahWaitForNotification(HANDLE hHelper, HANDLE hNotification, LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine);
DWORD WSPAPI WahNotifyAllProcesses(HANDLE hHelper);

/*
 * A table of a provider's own structures by their handles. Each begins with this.
 * RefCount counts what holds the structure: the table, and each successful
 * WahReferenceContextByHandle. The provider counts down, and frees it at 0.
 */
typedef struct _UPCALL_HANDLE_CONTEXT {
	HANDLE Handle;
	LONG RefCount;
} UPCALL_HANDLE_CONTEXT, *LPUPCALL_HANDLE_CONTEXT;

typedef struct _UPCALL_HANDLE_TABLE *LPUPCALL_HANDLE_TABLE;

/* FALSE ends an enumeration. */
typedef BOOL (WSPAPI *LPUPCALL_HANDLE_ENUM)(LPVOID lpContext, LPUPCALL_HANDLE_CONTEXT lpHandleContext);

DWORD WSPAPI WahCreateHandleContextTable(LPUPCALL_HANDLE_TABLE *lpTable);
/* What is in the table stays as it is, and nobody may use the table any more. */
DWORD WSPAPI WahDestroyHandleContextTable(LPUPCALL_HANDLE_TABLE table);
/*
 * Puts a structure in, with a RefCount of one more. If the table has another one of
 * that handle, it is taken out and returned; otherwise the result is
 * lpHandleContext. NULL: no memory, and nothing has changed.
 */
LPUPCALL_HANDLE_CONTEXT WSPAPI WahInsertHandleContext(LPUPCALL_HANDLE_TABLE table, LPUPCALL_HANDLE_CONTEXT lpHandleContext);
/* The structure with that handle, with a RefCount of one more; NULL if there is none. */
LPUPCALL_HANDLE_CONTEXT WSPAPI WahReferenceContextByHandle(LPUPCALL_HANDLE_TABLE table, HANDLE h);
/* Takes out this very structure; WSAENOTSOCK if it is not there. RefCount stays. */
DWORD WSPAPI WahRemoveHandleContext(LPUPCALL_HANDLE_TABLE table, LPUPCALL_HANDLE_CONTEXT lpHandleContext);
/*
 * Calls fn with each structure that is there; fn must not use the table. TRUE unless fn
 * ended it.
 */
BOOL WSPAPI WahEnumerateHandleContexts(LPUPCALL_HANDLE_TABLE table, LPUPCALL_HANDLE_ENUM fn, LPVOID lpContext);

#ifdef __cplusplus
}
#endif

#endif
