#define _GNU_SOURCE
#include <winsock2.h>

#include <signal.h>

#include "_cgo_export.h"
#include "thread.h"

/*
 * Lets the program's signal handlers run on the thread's alternate stack, which
 * Go gives to each thread that calls it: where Go code runs meanwhile there is
 * little stack. Handlers that were there when the library was loaded have it by
 * Go's runtime.
 */
static void alternate_stack(void)
{
	struct sigaction action;
	int number;

	for (number = 1; number < NSIG; number++) {
		if (sigaction(number, 0, &action) || action.sa_flags & SA_ONSTACK)
			continue;
		if (!(action.sa_flags & SA_SIGINFO) && (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN))
			continue;
		action.sa_flags |= SA_ONSTACK;
		sigaction(number, &action, 0);
	}
}

int WSAAPI WSAStartup(WORD version, LPWSADATA data)
{
	int e;

	if (upcall_forked)
		return WSANOTINITIALISED;
	alternate_stack();
	e = goWSAStartup(self(), version, data);
	upcall_thread.error = e == WSAVERNOTSUPPORTED ? WSANOTINITIALISED : e;
	return e;
}

int WSAAPI WSACleanup(void)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goWSACleanup(self()), SOCKET_ERROR);
	return 0;
}

int WSAAPI WSAGetLastError(void)
{
	return upcall_thread.error;
}

void WSAAPI WSASetLastError(int error)
{
	upcall_thread.error = error;
}
