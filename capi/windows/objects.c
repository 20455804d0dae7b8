#include "_cgo_export.h"
#include "calls.h"
#include "order.h"
#include "events.h"

BOOL WINAPI CloseHandle(HANDLE h)
{
	ALIVE(FALSE);
	if (h == THIS_THREAD)
		return TRUE;
	FAIL_IF(goCloseHandle(self(), (uintptr_t)h), FALSE);
	return TRUE;
}

static HANDLE create_event(const void *name, BOOL manual, BOOL set)
{
	struct goCreateEvent_return r;

	ALIVE(NULL);
	FAIL_IF(name ? ERROR_NOT_SUPPORTED : 0, NULL);
	r = goCreateEvent(self(), !!manual, !!set);
	FAIL_IF(r.r1, NULL);
	return (HANDLE)r.r0;
}

/* Others' processes cannot open these objects, so they have no names. */
HANDLE WINAPI CreateEventA(LPSECURITY_ATTRIBUTES security, BOOL manual, BOOL set, LPCSTR name)
{
	return create_event(name, manual, set);
}

HANDLE WINAPI CreateEventW(LPSECURITY_ATTRIBUTES security, BOOL manual, BOOL set, LPCWSTR name)
{
	return create_event(name, manual, set);
}

BOOL WINAPI SetEvent(HANDLE event)
{
	ALIVE(FALSE);
	RELEASE(ORDER(event));
	if (upcall_event_become((uintptr_t)event, UPCALL_EVENT_SIGNALLED))
		return TRUE;
	FAIL_IF(goSetEvent(self(), (uintptr_t)event), FALSE);
	return TRUE;
}

BOOL WINAPI ResetEvent(HANDLE event)
{
	ALIVE(FALSE);
	if (upcall_event_become((uintptr_t)event, UPCALL_EVENT_UNSET))
		return TRUE;
	FAIL_IF(goResetEvent(self(), (uintptr_t)event), FALSE);
	return TRUE;
}

static HANDLE create_semaphore(const void *name, LONG initial, LONG maximum)
{
	struct goCreateSemaphore_return r;

	ALIVE(NULL);
	FAIL_IF(name ? ERROR_NOT_SUPPORTED : 0, NULL);
	r = goCreateSemaphore(self(), initial, maximum);
	FAIL_IF(r.r1, NULL);
	return (HANDLE)r.r0;
}

HANDLE WINAPI CreateSemaphoreA(LPSECURITY_ATTRIBUTES security, LONG initial, LONG maximum, LPCSTR name)
{
	return create_semaphore(name, initial, maximum);
}

HANDLE WINAPI CreateSemaphoreW(LPSECURITY_ATTRIBUTES security, LONG initial, LONG maximum, LPCWSTR name)
{
	return create_semaphore(name, initial, maximum);
}

BOOL WINAPI ReleaseSemaphore(HANDLE semaphore, LONG n, LPLONG previous)
{
	struct goReleaseSemaphore_return r;

	ALIVE(FALSE);
	RELEASE(ORDER(semaphore));
	r = goReleaseSemaphore(self(), (uintptr_t)semaphore, n);
	FAIL_IF(r.r1, FALSE);
	if (previous)
		*previous = r.r0;
	return TRUE;
}
