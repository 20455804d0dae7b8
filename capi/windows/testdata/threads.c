/* Threads, their handles, and APCs. */
#include <process.h>
#include <sys/syscall.h>

#include "check.h"

static DWORD WINAPI returns(LPVOID p)
{
	return (DWORD)(ULONG_PTR)p;
}

static DWORD WINAPI exits(LPVOID p)
{
	EQUAL(GetLastError(), 0);
	ExitThread(*(DWORD *)p);
}

static unsigned __stdcall ends(void *p)
{
	*(DWORD *)p = GetCurrentThreadId();
	_endthreadex(12);
	return 13;
}

static DWORD exit_code(HANDLE t)
{
	DWORD code = 0;

	CHECK(GetExitCodeThread(t, &code));
	return code;
}

static void lives(void)
{
	DWORD id = 0, code = 11, own;
	unsigned other = 0;
	HANDLE t[3];

	t[0] = CreateThread(NULL, 0, returns, (void *)10, 0, &id);
	t[1] = CreateThread(NULL, 65536, exits, &code, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
	t[2] = (HANDLE)_beginthreadex(NULL, 0, ends, &own, 0, &other);
	CHECK(t[0] && t[1] && t[2]);
	CHECK(id != 0 && id != GetCurrentThreadId());
	EQUAL(WaitForMultipleObjects(3, t, TRUE, INFINITE), WAIT_OBJECT_0);
	EQUAL(own, other);
	for (int i = 0; i < 3; i++) {
		EQUAL(exit_code(t[i]), 10 + i);
		EQUAL(WaitForSingleObject(t[i], 0), WAIT_OBJECT_0);
		FAILS(QueueUserAPC((PAPCFUNC)1, t[i], 0), ERROR_GEN_FAILURE);
		FAILS(SetEvent(t[i]), ERROR_INVALID_HANDLE);
		CHECK(CloseHandle(t[i]));
		FAILS(CloseHandle(t[i]), ERROR_INVALID_HANDLE);
		FAILS(GetExitCodeThread(t[i], &id), ERROR_INVALID_HANDLE);
	}
	FAILS((ULONG_PTR)CreateThread(NULL, 0, NULL, NULL, 0, NULL), ERROR_INVALID_PARAMETER);
	EQUAL(GetCurrentThreadId(), syscall(SYS_gettid));
	EQUAL(GetCurrentProcessId(), getpid());
	EQUAL(exit_code(GetCurrentThread()), STILL_ACTIVE);
}

static int order[8], orders;

static VOID CALLBACK note(ULONG_PTR n)
{
	order[orders++] = (int)n;
	if (n == 2) {
		CHECK(QueueUserAPC(note, GetCurrentThread(), 4));
	}
}

/* The main thread's own, in the order of their coming, in an alertable wait only. */
static void own_apcs(void)
{
	HANDLE e = CreateEventA(NULL, TRUE, TRUE, NULL), none = CreateEventA(NULL, TRUE, FALSE, NULL);

	for (int i = 1; i <= 3; i++)
		CHECK(QueueUserAPC(note, GetCurrentThread(), i));
	FAILS(QueueUserAPC(note, NULL, 0), ERROR_INVALID_HANDLE);
	FAILS(QueueUserAPC(NULL, GetCurrentThread(), 0), ERROR_INVALID_PARAMETER);
	EQUAL(WaitForSingleObject(none, 1), WAIT_TIMEOUT);
	EQUAL(SleepEx(1, FALSE), 0);
	EQUAL(WaitForSingleObjectEx(e, INFINITE, TRUE), WAIT_OBJECT_0);
	EQUAL(orders, 0);
	EQUAL(SleepEx(INFINITE, TRUE), WAIT_IO_COMPLETION);
	EQUAL(orders, 4);
	for (int i = 0; i < 4; i++)
		EQUAL(order[i], i + 1);
	CHECK(QueueUserAPC(note, GetCurrentThread(), 5));
	EQUAL(WaitForMultipleObjectsEx(1, &none, TRUE, INFINITE, TRUE), WAIT_IO_COMPLETION);
	EQUAL(order[4], 5);
	EQUAL(SleepEx(0, TRUE), 0);
	CHECK(CloseHandle(e) && CloseHandle(none));
}

#define APCS 200

struct worker {
	HANDLE ready;
	DWORD ran, id;
};

static __thread struct worker *here;

static VOID CALLBACK count(ULONG_PTR p)
{
	struct worker *w = (struct worker *)p;

	CHECK(here == w);
	EQUAL(GetCurrentThreadId(), w->id);
	w->ran++;
}

static DWORD WINAPI work(LPVOID p)
{
	struct worker *w = p;

	here = w;
	w->id = GetCurrentThreadId();
	CHECK(SetEvent(w->ready));
	while (w->ran < APCS)
		EQUAL(SleepEx(INFINITE, TRUE), WAIT_IO_COMPLETION);
	return w->ran;
}

/* Other threads', each of which sleeps alertably. */
static void others_apcs(void)
{
	struct worker w[3] = {0};
	HANDLE t[3];

	for (int i = 0; i < 3; i++) {
		w[i].ready = CreateEventA(NULL, FALSE, FALSE, NULL);
		t[i] = CreateThread(NULL, 0, work, &w[i], 0, NULL);
		EQUAL(WaitForSingleObject(w[i].ready, INFINITE), WAIT_OBJECT_0);
	}
	EQUAL(WaitForMultipleObjects(3, t, FALSE, 0), WAIT_TIMEOUT);
	for (int n = 0; n < APCS; n++)
		for (int i = 0; i < 3; i++)
			CHECK(QueueUserAPC(count, t[i], (ULONG_PTR)&w[i]));
	EQUAL(WaitForMultipleObjects(3, t, TRUE, INFINITE), WAIT_OBJECT_0);
	for (int i = 0; i < 3; i++) {
		EQUAL(exit_code(t[i]), APCS);
		CHECK(CloseHandle(w[i].ready) && CloseHandle(t[i]));
	}
}

static DWORD step;

static VOID CALLBACK first(ULONG_PTR n)
{
	EQUAL(step++, 0);
}

static DWORD WINAPI second(LPVOID p)
{
	EQUAL(step++, 1);
	return 0;
}

/* One that is created suspended runs nothing before ResumeThread, then its APCs. */
static void suspended(void)
{
	HANDLE t = CreateThread(NULL, 0, second, NULL, CREATE_SUSPENDED, NULL);

	CHECK(t);
	CHECK(QueueUserAPC(first, t, 0));
	EQUAL(WaitForSingleObject(t, 20), WAIT_TIMEOUT);
	EQUAL(step, 0);
	EQUAL(ResumeThread(t), 1);
	EQUAL(WaitForSingleObject(t, INFINITE), WAIT_OBJECT_0);
	EQUAL(step, 2);
	EQUAL(ResumeThread(t), 0);
	CHECK(CloseHandle(t));
	FAILS((int)ResumeThread(t), ERROR_INVALID_HANDLE);
}

/* A handle of the calling thread, for others. */
static void duplicate(void)
{
	HANDLE t = NULL, e = CreateEventA(NULL, TRUE, FALSE, NULL);

	CHECK(DuplicateHandle(GetCurrentProcess(), GetCurrentThread(), GetCurrentProcess(), &t, 0, FALSE, DUPLICATE_SAME_ACCESS));
	EQUAL(WaitForSingleObject(t, 0), WAIT_TIMEOUT);
	orders = 0;
	CHECK(QueueUserAPC(note, t, 1));
	EQUAL(SleepEx(INFINITE, TRUE), WAIT_IO_COMPLETION);
	EQUAL(orders, 1);
	CHECK(CloseHandle(t));
	FAILS(DuplicateHandle(GetCurrentProcess(), e, GetCurrentProcess(), &t, 0, FALSE, DUPLICATE_SAME_ACCESS), ERROR_NOT_SUPPORTED);
	CHECK(CloseHandle(e));
}

int main(void)
{
	lives();
	own_apcs();
	others_apcs();
	suspended();
	duplicate();
	return 0;
}
