#include "_cgo_export.h"
#include "calls.h"
#include "order.h"

HANDLE WINAPI CreateIoCompletionPort(HANDLE file, HANDLE port, ULONG_PTR key, DWORD threads)
{
	struct goCreateIoCompletionPort_return r;

	ALIVE(NULL);
	FAIL_IF(file == INVALID_HANDLE_VALUE && port ? ERROR_INVALID_PARAMETER : 0, NULL);
	r = goCreateIoCompletionPort((uintptr_t)file, (uintptr_t)port, key, threads);
	FAIL_IF(r.r1, NULL);
	return (HANDLE)r.r0;
}

BOOL WINAPI PostQueuedCompletionStatus(HANDLE port, DWORD bytes, ULONG_PTR key, LPOVERLAPPED overlapped)
{
	ALIVE(FALSE);
	RELEASE(ORDER(port));
	FAIL_IF(goPostQueuedCompletionStatus((uintptr_t)port, bytes, key, (uintptr_t)overlapped), FALSE);
	return TRUE;
}

/*
 * FALSE with an OVERLAPPED is a packet of an operation that failed, whose code
 * is the last error; without one no packet was taken.
 */
BOOL WINAPI GetQueuedCompletionStatus(HANDLE port, LPDWORD bytes, PULONG_PTR key, LPOVERLAPPED *overlapped, DWORD milliseconds)
{
	ALIVE(FALSE);
	FAIL_IF(!bytes || !key || !overlapped ? ERROR_INVALID_PARAMETER : 0, FALSE);
	FAIL_IF(goGetQueuedCompletionStatus(self(), (uintptr_t)port, bytes, key, overlapped, milliseconds), FALSE);
	ACQUIRE(ORDER(port));
	return TRUE;
}

BOOL WINAPI GetQueuedCompletionStatusEx(HANDLE port, LPOVERLAPPED_ENTRY entries, ULONG n, PULONG removed, DWORD milliseconds, BOOL alertable)
{
	ALIVE(FALSE);
	FAIL_IF(!entries || !removed || n == 0 ? ERROR_INVALID_PARAMETER : 0, FALSE);
	FAIL_IF(goGetQueuedCompletionStatusEx(self(), (uintptr_t)port, entries, n, removed, milliseconds, !!alertable), FALSE);
	ACQUIRE(ORDER(port));
	return TRUE;
}

BOOL WINAPI SetFileCompletionNotificationModes(HANDLE file, UCHAR flags)
{
	ALIVE(FALSE);
	FAIL_IF(goSetFileCompletionNotificationModes((uintptr_t)file, flags), FALSE);
	return TRUE;
}
