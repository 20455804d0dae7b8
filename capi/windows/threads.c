#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

#include <process.h>

#include "_cgo_export.h"
#include "calls.h"
#include "order.h"

/* Least stack of a thread, for calls into Go too. */
#define LEAST_RESERVED (256 << 10)
#define LEAST_COMMITTED (1 << 20)

/* A thread that was created suspended, until ResumeThread. */
struct suspended {
	HANDLE handle;
	sem_t resume;
	struct suspended *next;
};

static pthread_mutex_t suspending = PTHREAD_MUTEX_INITIALIZER; /* guards the list */
static struct suspended *suspended;

/* What CreateThread and the thread that it makes tell each other. */
struct birth {
	LPTHREAD_START_ROUTINE start;
	void *parameter;
	BOOL suspended;
	sem_t born;
	HANDLE handle;
	DWORD id;
	DWORD error;
};

static UPCALL_TLS HANDLE handle_of_this; /* CreateThread's, which may be closed */

/* The last step of a thread: what comes after is libc's and the library's. */
static void finish(DWORD code)
{
	RELEASE(ORDER(handle_of_this));
	goSetExitCode(self(), code);
}

static void await(sem_t *s)
{
	while (sem_wait(s) < 0 && errno == EINTR)
		;
}

static void *live(void *p)
{
	struct birth *b = p;
	LPTHREAD_START_ROUTINE start = b->start;
	void *parameter = b->parameter;
	struct goOpenThread_return r = goOpenThread(self());
	struct suspended s = {.handle = (HANDLE)r.r0};
	BOOL waits = b->suspended && r.r1 == 0;

	handle_of_this = s.handle;
	if (waits) {
		sem_init(&s.resume, 0, 0);
		pthread_mutex_lock(&suspending);
		s.next = suspended;
		suspended = &s;
		pthread_mutex_unlock(&suspending);
	}
	b->handle = s.handle;
	b->error = r.r1;
	b->id = GetCurrentThreadId();
	sem_post(&b->born); /* b is gone from here on */
	if (r.r1)
		return NULL;
	if (waits) {
		await(&s.resume);
		sem_destroy(&s.resume);
		SleepEx(0, TRUE); /* APCs that were queued meanwhile come first */
	}
	finish(start(parameter));
	return NULL;
}

static DWORD create(pthread_attr_t *attributes, struct birth *b)
{
	pthread_t thread;
	int e;

	pthread_attr_setdetachstate(attributes, PTHREAD_CREATE_DETACHED);
	e = pthread_create(&thread, attributes, live, b);
	if (e)
		return e == EAGAIN ? ERROR_MAX_THRDS_REACHED : ERROR_NOT_ENOUGH_MEMORY;
	await(&b->born);
	return b->error;
}

HANDLE WINAPI CreateThread(LPSECURITY_ATTRIBUTES security, SIZE_T stack, LPTHREAD_START_ROUTINE start, LPVOID parameter, DWORD flags, LPDWORD id)
{
	struct birth b = {.start = start, .parameter = parameter, .suspended = !!(flags & CREATE_SUSPENDED)};
	pthread_attr_t attributes;
	DWORD e;

	ALIVE(NULL);
	FAIL_IF(!start || (flags & ~(CREATE_SUSPENDED | STACK_SIZE_PARAM_IS_A_RESERVATION)) ? ERROR_INVALID_PARAMETER : 0, NULL);
	FAIL_IF(pthread_attr_init(&attributes) ? ERROR_NOT_ENOUGH_MEMORY : 0, NULL);
	if (stack) {
		SIZE_T least = flags & STACK_SIZE_PARAM_IS_A_RESERVATION ? LEAST_RESERVED : LEAST_COMMITTED;
		SIZE_T size = stack < least ? least : stack;

		if (pthread_attr_setstacksize(&attributes, (size + 4095) & ~(SIZE_T)4095)) {
			pthread_attr_destroy(&attributes);
			FAIL_IF(ERROR_INVALID_PARAMETER, NULL);
		}
	}
	sem_init(&b.born, 0, 0);
	e = create(&attributes, &b);
	sem_destroy(&b.born);
	pthread_attr_destroy(&attributes);
	FAIL_IF(e, NULL);
	if (id)
		*id = b.id;
	return b.handle;
}

uintptr_t __cdecl _beginthreadex(void *security, unsigned stack, unsigned (__stdcall *start)(void *), void *argument, unsigned flags, unsigned *id)
{
	HANDLE h = CreateThread(security, stack, start, argument, flags, id);

	if (!h)
		errno = GetLastError() == ERROR_INVALID_PARAMETER ? EINVAL : EAGAIN;
	return (uintptr_t)h;
}

/* A thread of _beginthread has its handle to itself, and closes it. */
struct beginning {
	void (*start)(void *);
	void *argument;
	HANDLE handle;
};

static UPCALL_TLS HANDLE begun;

static DWORD WINAPI begin(LPVOID p)
{
	struct beginning b = *(struct beginning *)p;

	free(p);
	begun = b.handle;
	b.start(b.argument);
	CloseHandle(b.handle);
	return 0;
}

uintptr_t __cdecl _beginthread(void (__cdecl *start)(void *), unsigned stack, void *argument)
{
	struct beginning *b = malloc(sizeof *b);
	HANDLE h;

	errno = !b ? ENOMEM : !start ? EINVAL : 0;
	if (errno) {
		free(b);
		return -1;
	}
	*b = (struct beginning){.start = start, .argument = argument};
	h = CreateThread(NULL, stack, begin, b, CREATE_SUSPENDED, NULL);
	if (!h) {
		free(b);
		errno = EAGAIN;
		return -1;
	}
	b->handle = h;
	ResumeThread(h);
	return (uintptr_t)h;
}

void __cdecl _endthread(void)
{
	if (begun)
		CloseHandle(begun);
	ExitThread(0);
}

DWORD WINAPI ResumeThread(HANDLE thread)
{
	struct suspended **p, *found;
	DWORD exit_code;

	ALIVE((DWORD)-1);
	pthread_mutex_lock(&suspending);
	for (p = &suspended; *p && (*p)->handle != thread; p = &(*p)->next)
		;
	found = *p;
	if (found) {
		*p = found->next;
		sem_post(&found->resume);
	}
	pthread_mutex_unlock(&suspending);
	if (found)
		return 1; /* the suspend count before */
	return GetExitCodeThread(thread, &exit_code) ? 0 : (DWORD)-1;
}

VOID WINAPI ExitThread(DWORD code)
{
	if (!upcall_forked)
		finish(code);
	pthread_exit(NULL);
}

void __cdecl _endthreadex(unsigned code)
{
	ExitThread(code);
}

BOOL WINAPI GetExitCodeThread(HANDLE thread, LPDWORD exit_code)
{
	struct goGetExitCodeThread_return r;

	ALIVE(FALSE);
	FAIL_IF(!exit_code ? ERROR_INVALID_PARAMETER : 0, FALSE);
	if (thread == THIS_THREAD) {
		*exit_code = STILL_ACTIVE;
		return TRUE;
	}
	r = goGetExitCodeThread((uintptr_t)thread);
	FAIL_IF(r.r1, FALSE);
	*exit_code = r.r0;
	return TRUE;
}

HANDLE WINAPI GetCurrentThread(void)
{
	return THIS_THREAD;
}

DWORD WINAPI GetCurrentThreadId(void)
{
	static UPCALL_TLS DWORD id;

	if (upcall_forked)
		return gettid();
	if (!id)
		id = gettid();
	return id;
}

HANDLE WINAPI GetCurrentProcess(void)
{
	return THIS_PROCESS;
}

DWORD WINAPI GetCurrentProcessId(void)
{
	return getpid();
}

BOOL WINAPI SwitchToThread(void)
{
	return sched_yield() == 0;
}

void windows_run_apc(void *routine, uintptr_t data)
{
	ACQUIRE(ORDER(routine));
	((PAPCFUNC)routine)(data);
}

DWORD WINAPI QueueUserAPC(PAPCFUNC routine, HANDLE thread, ULONG_PTR data)
{
	ALIVE(FALSE);
	FAIL_IF(!routine ? ERROR_INVALID_PARAMETER : 0, FALSE);
	RELEASE(ORDER(routine));
	if (thread == THIS_THREAD)
		FAIL_IF(goQueueOwnAPC(self(), (void *)routine, data), FALSE);
	else
		FAIL_IF(goQueueUserAPC((void *)routine, (uintptr_t)thread, data), FALSE);
	return TRUE;
}

/* Only a thread's own handle is duplicated: for others to have. */
BOOL WINAPI DuplicateHandle(HANDLE from, HANDLE h, HANDLE to, LPHANDLE duplicate, DWORD access, BOOL inherit, DWORD options)
{
	struct goOpenThread_return r;

	ALIVE(FALSE);
	FAIL_IF(!duplicate ? ERROR_INVALID_PARAMETER : 0, FALSE);
	FAIL_IF(from != THIS_PROCESS || to != THIS_PROCESS ? ERROR_INVALID_HANDLE : 0, FALSE);
	FAIL_IF(h != THIS_THREAD || inherit ? ERROR_NOT_SUPPORTED : 0, FALSE);
	r = goOpenThread(self());
	FAIL_IF(r.r1, FALSE);
	*duplicate = (HANDLE)r.r0;
	return TRUE;
}
