#include <errno.h>
#include <limits.h>

#include "calls.h"
#include "futex.h"
#include "order.h"

/*
 * Slim reader/writer locks, condition variables and what is done once: one
 * pointer-wide word each, whose lower half threads sleep on. They have no end
 * of life, so nothing can be allocated for them.
 *
 * A lock's word is the number of readers, or OWNED by a writer, and CONTENDED
 * when somebody may sleep. A writer that waits keeps new readers out by PENDING.
 */
#define OWNED 0x80000000u
#define CONTENDED 0x40000000u
#define PENDING 0x20000000u
#define READERS 0x1FFFFFFFu

static uint32_t *word(PVOID p)
{
	return p;
}

#define load(w) __atomic_load_n(w, __ATOMIC_SEQ_CST)
#define swap_if(w, old, new) __atomic_compare_exchange_n(w, &(old), new, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

VOID WINAPI InitializeSRWLock(PSRWLOCK lock)
{
	lock->Ptr = NULL;
}

BOOLEAN WINAPI TryAcquireSRWLockExclusive(PSRWLOCK lock)
{
	uint32_t *w = word(lock), old = load(w);

	while (!(old & (OWNED | READERS)))
		if (swap_if(w, old, (old & CONTENDED) | OWNED)) {
			ACQUIRE(lock);
			return TRUE;
		}
	return FALSE;
}

VOID WINAPI AcquireSRWLockExclusive(PSRWLOCK lock)
{
	uint32_t *w = word(lock), old;

	while (!TryAcquireSRWLockExclusive(lock)) {
		old = load(w);
		if (!(old & (OWNED | READERS)))
			continue;
		if (swap_if(w, old, old | CONTENDED | PENDING))
			futex_wait(w, old | CONTENDED | PENDING, NULL);
	}
}

static BOOLEAN try_shared(PSRWLOCK lock, BOOL polite)
{
	uint32_t *w = word(lock), old = load(w);

	while (!(old & OWNED) && !(polite && (old & PENDING) && (old & READERS)))
		if (swap_if(w, old, old + 1)) {
			ACQUIRE(lock);
			return TRUE;
		}
	return FALSE;
}

BOOLEAN WINAPI TryAcquireSRWLockShared(PSRWLOCK lock)
{
	return try_shared(lock, TRUE);
}

VOID WINAPI AcquireSRWLockShared(PSRWLOCK lock)
{
	uint32_t *w = word(lock), old;

	while (!try_shared(lock, TRUE)) {
		old = load(w);
		if (!(old & (OWNED | READERS)))
			continue;
		if (swap_if(w, old, old | CONTENDED))
			futex_wait(w, old | CONTENDED, NULL);
	}
}

VOID WINAPI ReleaseSRWLockExclusive(PSRWLOCK lock)
{
	uint32_t *w = word(lock);

	RELEASE(lock);
	if (__atomic_exchange_n(w, 0, __ATOMIC_SEQ_CST) & CONTENDED)
		futex_wake(w, INT_MAX);
}

VOID WINAPI ReleaseSRWLockShared(PSRWLOCK lock)
{
	uint32_t *w = word(lock), old = load(w), new;

	RELEASE(lock);
	do
		new = (old & READERS) == 1 ? 0 : old - 1;
	while (!swap_if(w, old, new));
	if (new == 0 && (old & CONTENDED))
		futex_wake(w, INT_MAX);
}

VOID WINAPI InitializeConditionVariable(PCONDITION_VARIABLE condition)
{
	condition->Ptr = NULL;
}

/* A condition variable counts its wakes: one between the reading and the sleep ends the sleep at once. */
static BOOL sleep_on(PCONDITION_VARIABLE condition, uint32_t seen, DWORD milliseconds)
{
	struct timespec deadline;

	if (milliseconds == INFINITE) {
		futex_wait(word(condition), seen, NULL);
		return TRUE;
	}
	deadline = deadline_in(milliseconds);
	return futex_wait(word(condition), seen, &deadline) == 0 || errno != ETIMEDOUT;
}

BOOL WINAPI SleepConditionVariableCS(PCONDITION_VARIABLE condition, PCRITICAL_SECTION cs, DWORD milliseconds)
{
	uint32_t seen = load(word(condition));
	BOOL woken;

	LeaveCriticalSection(cs);
	woken = sleep_on(condition, seen, milliseconds);
	EnterCriticalSection(cs);
	FAIL_IF(woken ? 0 : ERROR_TIMEOUT, FALSE);
	return TRUE;
}

BOOL WINAPI SleepConditionVariableSRW(PCONDITION_VARIABLE condition, PSRWLOCK lock, DWORD milliseconds, ULONG flags)
{
	uint32_t seen = load(word(condition));
	BOOL shared = flags & CONDITION_VARIABLE_LOCKMODE_SHARED, woken;

	FAIL_IF(flags & ~CONDITION_VARIABLE_LOCKMODE_SHARED ? ERROR_INVALID_PARAMETER : 0, FALSE);
	if (shared)
		ReleaseSRWLockShared(lock);
	else
		ReleaseSRWLockExclusive(lock);
	woken = sleep_on(condition, seen, milliseconds);
	if (shared)
		AcquireSRWLockShared(lock);
	else
		AcquireSRWLockExclusive(lock);
	FAIL_IF(woken ? 0 : ERROR_TIMEOUT, FALSE);
	return TRUE;
}

static void wake(PCONDITION_VARIABLE condition, int n)
{
	__atomic_fetch_add(word(condition), 1, __ATOMIC_SEQ_CST);
	futex_wake(word(condition), n);
}

VOID WINAPI WakeConditionVariable(PCONDITION_VARIABLE condition)
{
	wake(condition, 1);
}

VOID WINAPI WakeAllConditionVariable(PCONDITION_VARIABLE condition)
{
	wake(condition, INT_MAX);
}

/* The word of INIT_ONCE: 0, RUNNING, or DONE with the context above it, whose low bits are 0 as on Windows. */
#define RUNNING 1
#define DONE 2

BOOL WINAPI InitOnceExecuteOnce(PINIT_ONCE once, PINIT_ONCE_FN routine, PVOID parameter, LPVOID *context)
{
	uintptr_t *w = (uintptr_t *)once, state;
	PVOID result = NULL;

	while ((state = load(w), (state & 3) != DONE)) {
		if (state == RUNNING) {
			futex_wait(word(once), RUNNING, NULL);
			continue;
		}
		if (!swap_if(w, state, (uintptr_t)RUNNING))
			continue;
		if (!routine(once, parameter, &result)) {
			__atomic_store_n(w, 0, __ATOMIC_SEQ_CST);
			futex_wake(word(once), INT_MAX);
			return FALSE;
		}
		RELEASE(once);
		state = ((uintptr_t)result & ~(uintptr_t)3) | DONE;
		__atomic_store_n(w, state, __ATOMIC_SEQ_CST);
		futex_wake(word(once), INT_MAX);
		break;
	}
	ACQUIRE(once);
	if (context)
		*context = (PVOID)(state & ~(uintptr_t)3);
	return TRUE;
}
