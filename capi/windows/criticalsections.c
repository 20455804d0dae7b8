#include <pthread.h>
#include <stdlib.h>

#include "calls.h"

/*
 * A critical section is a recursive mutex of libc's, which DebugInfo points to:
 * tools that look for races and for wrong orders of locks know it.
 * RecursionCount and OwningThread are kept as on Windows.
 */
static pthread_mutex_t *mutex(LPCRITICAL_SECTION cs)
{
	return cs->DebugInfo;
}

BOOL WINAPI InitializeCriticalSectionAndSpinCount(LPCRITICAL_SECTION cs, DWORD spin)
{
	pthread_mutexattr_t recursive;
	pthread_mutex_t *m = malloc(sizeof *m);

	FAIL_IF(m ? 0 : ERROR_NOT_ENOUGH_MEMORY, FALSE);
	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(m, &recursive);
	pthread_mutexattr_destroy(&recursive);
	*cs = (CRITICAL_SECTION){.DebugInfo = m, .LockCount = -1, .SpinCount = spin & 0x00FFFFFF};
	return TRUE;
}

/* The flags only say what debuggers get. */
BOOL WINAPI InitializeCriticalSectionEx(LPCRITICAL_SECTION cs, DWORD spin, DWORD flags)
{
	return InitializeCriticalSectionAndSpinCount(cs, spin);
}

VOID WINAPI InitializeCriticalSection(LPCRITICAL_SECTION cs)
{
	if (!InitializeCriticalSectionAndSpinCount(cs, 0))
		abort();
}

static void entered(LPCRITICAL_SECTION cs)
{
	if (cs->RecursionCount++ == 0)
		cs->OwningThread = (HANDLE)(ULONG_PTR)GetCurrentThreadId();
}

VOID WINAPI EnterCriticalSection(LPCRITICAL_SECTION cs)
{
	pthread_mutex_lock(mutex(cs));
	entered(cs);
}

BOOL WINAPI TryEnterCriticalSection(LPCRITICAL_SECTION cs)
{
	if (pthread_mutex_trylock(mutex(cs)))
		return FALSE;
	entered(cs);
	return TRUE;
}

VOID WINAPI LeaveCriticalSection(LPCRITICAL_SECTION cs)
{
	if (--cs->RecursionCount == 0)
		cs->OwningThread = NULL;
	pthread_mutex_unlock(mutex(cs));
}

VOID WINAPI DeleteCriticalSection(LPCRITICAL_SECTION cs)
{
	pthread_mutex_t *m = mutex(cs);

	if (m)
		pthread_mutex_destroy(m);
	free(m);
	*cs = (CRITICAL_SECTION){0};
}
