#include <errno.h>
#include <sched.h>
#include <time.h>

#include "_cgo_export.h"
#include "calls.h"
#include "events.h"
#include "order.h"

char upcall_order[256];

/* All of the objects cannot be one object twice. */
static BOOL has_duplicates(const HANDLE *handles, DWORD n)
{
	for (DWORD i = 1; i < n; i++)
		for (DWORD j = 0; j < i; j++)
			if (handles[i] == handles[j])
				return TRUE;
	return FALSE;
}

DWORD WINAPI WaitForMultipleObjectsEx(DWORD n, const HANDLE *handles, BOOL all, DWORD milliseconds, BOOL alertable)
{
	struct goWait_return r;

	ALIVE(WAIT_FAILED);
	FAIL_IF(!handles || n == 0 || n > MAXIMUM_WAIT_OBJECTS || (all && has_duplicates(handles, n)) ? ERROR_INVALID_PARAMETER : 0, WAIT_FAILED);
	if (!all && !upcall_thread.hooked) {
		int i = upcall_event_signalled((const uint64_t *)handles, n);

		if (i >= 0) {
			ACQUIRE(ORDER(handles[i]));
			return WAIT_OBJECT_0 + i;
		}
	}
	r = goWait(self(), (void *)handles, n, !!all, milliseconds, !!alertable);
	FAIL_IF(r.r1, WAIT_FAILED);
	if (r.r0 != WAIT_TIMEOUT)
		for (DWORD i = 0; i < n; i++)
			ACQUIRE(ORDER(handles[i]));
	return r.r0;
}

DWORD WINAPI WaitForMultipleObjects(DWORD n, const HANDLE *handles, BOOL all, DWORD milliseconds)
{
	return WaitForMultipleObjectsEx(n, handles, all, milliseconds, FALSE);
}

DWORD WINAPI WaitForSingleObjectEx(HANDLE handle, DWORD milliseconds, BOOL alertable)
{
	return WaitForMultipleObjectsEx(1, &handle, FALSE, milliseconds, alertable);
}

DWORD WINAPI WaitForSingleObject(HANDLE handle, DWORD milliseconds)
{
	return WaitForMultipleObjectsEx(1, &handle, FALSE, milliseconds, FALSE);
}

DWORD WINAPI SleepEx(DWORD milliseconds, BOOL alertable)
{
	struct timespec rest = {milliseconds / 1000, milliseconds % 1000 * 1000000};

	if (alertable && !upcall_forked)
		return goSleep(self(), milliseconds);
	if (milliseconds == 0)
		sched_yield();
	else if (milliseconds == INFINITE)
		for (;;)
			nanosleep(&rest, NULL);
	else
		while (clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, &rest) == EINTR)
			;
	return 0;
}

VOID WINAPI Sleep(DWORD milliseconds)
{
	SleepEx(milliseconds, FALSE);
}
