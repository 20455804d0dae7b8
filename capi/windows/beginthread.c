#include <errno.h>
#include <stdlib.h>

#include <process.h>

#include "calls.h"

/* A thread of _beginthread closes its own handle when it ends. */
struct begun {
	void (*start)(void *);
	void *argument;
	HANDLE thread;
};

static UPCALL_TLS HANDLE own;

static DWORD WINAPI begin(LPVOID p)
{
	struct begun b = *(struct begun *)p;

	free(p);
	own = b.thread;
	b.start(b.argument);
	CloseHandle(own);
	return 0;
}

uintptr_t __cdecl _beginthread(void (__cdecl *start)(void *), unsigned stack, void *argument)
{
	struct begun *b = start ? malloc(sizeof *b) : NULL;
	HANDLE thread;

	if (!b) {
		errno = start ? ENOMEM : EINVAL;
		return (uintptr_t)-1;
	}
	b->start = start;
	b->argument = argument;
	/* Suspended, so that it knows its handle when it begins. */
	thread = CreateThread(NULL, stack, begin, b, CREATE_SUSPENDED, NULL);
	if (!thread) {
		errno = GetLastError() == ERROR_INVALID_PARAMETER ? EINVAL : EAGAIN;
		free(b);
		return (uintptr_t)-1;
	}
	b->thread = thread;
	ResumeThread(thread);
	return (uintptr_t)thread;
}

DECLSPEC_NORETURN void __cdecl _endthread(void)
{
	if (own)
		CloseHandle(own);
	ExitThread(0);
}
