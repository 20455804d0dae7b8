/* Critical sections, slim locks, condition variables, what is done once, values by thread, heaps. */
#include <process.h>

#include "check.h"

#define THREADS 4
#define ROUNDS 5000

static CRITICAL_SECTION section;
static SRWLOCK slim = SRWLOCK_INIT;
static CONDITION_VARIABLE changed = CONDITION_VARIABLE_INIT;
static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
static long counter, twin, turns;
static LONG initialised;
static DWORD slot;

static BOOL CALLBACK initialise(PINIT_ONCE o, PVOID parameter, PVOID *context)
{
	InterlockedIncrement(&initialised);
	*context = parameter;
	return TRUE;
}

static unsigned __stdcall work(void *p)
{
	LONG_PTR me = (LONG_PTR)p;
	PVOID context = NULL;

	CHECK(InitOnceExecuteOnce(&once, initialise, (PVOID)64, &context));
	EQUAL((LONG_PTR)context, 64);
	CHECK(TlsGetValue(slot) == NULL && TlsSetValue(slot, p));
	for (int i = 0; i < ROUNDS; i++) {
		EnterCriticalSection(&section);
		CHECK(TryEnterCriticalSection(&section));
		counter++;
		LeaveCriticalSection(&section);
		LeaveCriticalSection(&section);
		if (i % 4) {
			AcquireSRWLockShared(&slim);
			EQUAL(twin % 2, 0);
			ReleaseSRWLockShared(&slim);
		} else {
			AcquireSRWLockExclusive(&slim);
			twin++;
			twin++;
			ReleaseSRWLockExclusive(&slim);
		}
	}
	for (int i = 0; i < 50; i++) { /* by turns */
		EnterCriticalSection(&section);
		while (turns % THREADS != me)
			CHECK(SleepConditionVariableCS(&changed, &section, INFINITE));
		turns++;
		LeaveCriticalSection(&section);
		WakeAllConditionVariable(&changed);
	}
	EQUAL((LONG_PTR)TlsGetValue(slot), me);
	return 0;
}

static void together(void)
{
	HANDLE t[THREADS];

	InitializeCriticalSection(&section);
	slot = TlsAlloc();
	CHECK(slot != TLS_OUT_OF_INDEXES);
	for (LONG_PTR i = 0; i < THREADS; i++)
		t[i] = (HANDLE)_beginthreadex(NULL, 0, work, (void *)i, 0, NULL);
	EQUAL(WaitForMultipleObjects(THREADS, t, TRUE, INFINITE), WAIT_OBJECT_0);
	for (int i = 0; i < THREADS; i++)
		CHECK(CloseHandle(t[i]));
	EQUAL(counter, THREADS * ROUNDS);
	EQUAL(twin, THREADS * ROUNDS / 2);
	EQUAL(turns, THREADS * 50);
	EQUAL(initialised, 1);
	CHECK(TlsFree(slot));
	FAILS(TlsFree(slot), ERROR_INVALID_PARAMETER);
	FAILS(TlsSetValue(TLS_OUT_OF_INDEXES, NULL), ERROR_INVALID_PARAMETER);
}

static void alone(void)
{
	CHECK(TryAcquireSRWLockExclusive(&slim));
	CHECK(!TryAcquireSRWLockExclusive(&slim) && !TryAcquireSRWLockShared(&slim));
	FAILS(SleepConditionVariableSRW(&changed, &slim, 5, 0), ERROR_TIMEOUT);
	ReleaseSRWLockExclusive(&slim);
	CHECK(TryAcquireSRWLockShared(&slim) && TryAcquireSRWLockShared(&slim) && !TryAcquireSRWLockExclusive(&slim));
	ReleaseSRWLockShared(&slim);
	ReleaseSRWLockShared(&slim);
	CHECK(slim.Ptr == NULL);
	EnterCriticalSection(&section);
	FAILS(SleepConditionVariableCS(&changed, &section, 5), ERROR_TIMEOUT);
	LeaveCriticalSection(&section);
	DeleteCriticalSection(&section);
}

static void heaps(void)
{
	HANDLE h = HeapCreate(0, 0, 0), all = GetProcessHeap();
	char *p, *q;

	p = HeapAlloc(all, HEAP_ZERO_MEMORY, 10);
	EQUAL(HeapSize(all, 0, p), 10);
	for (int i = 0; i < 10; i++)
		EQUAL(p[i], 0);
	memset(p, 1, 10);
	p = HeapReAlloc(all, HEAP_ZERO_MEMORY, p, 1000);
	CHECK(p && p[9] == 1 && p[10] == 0 && p[999] == 0);
	FAILS(HeapFree(h, 0, p), ERROR_INVALID_PARAMETER);
	CHECK(HeapFree(all, 0, p) && HeapFree(all, 0, NULL));
	FAILS(HeapDestroy(all), ERROR_INVALID_HANDLE);
	q = HeapAlloc(h, 0, 100);
	CHECK(HeapAlloc(h, 0, 200) && q);
	q = HeapReAlloc(h, 0, q, 10);
	CHECK(q && HeapFree(h, 0, q));
	CHECK(HeapDestroy(h)); /* with what is left */
	FAILS((ULONG_PTR)HeapAlloc(all, 0, (SIZE_T)-1), ERROR_NOT_ENOUGH_MEMORY);
	p = LocalAlloc(LPTR, 16);
	CHECK(p && p[15] == 0 && LocalFree(p) == NULL);
}

int main(void)
{
	SYSTEM_INFO info;

	together();
	alone();
	heaps();
	GetSystemInfo(&info);
	CHECK(info.dwNumberOfProcessors >= 1 && info.dwPageSize == (DWORD)sysconf(_SC_PAGESIZE));
	return 0;
}
