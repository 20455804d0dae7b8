/* Blocking hooks, which only a client of version 1 has. */
#include <winsock2.h>

#include "_cgo_export.h"
#include "thread.h"

/* The thread's hook; 0: the default one, without which calls just block. */
static UPCALL_TLS FARPROC hook;

/* The message loop of the library; a program in Go may not have it. */
BOOL WINAPI PeekMessageA(LPMSG, HWND, UINT, UINT, UINT) __attribute__((weak));
LRESULT WINAPI DispatchMessageA(const MSG *) __attribute__((weak));

/* What the default hook would do if it were called. */
static BOOL CALLBACK take_message(void)
{
	MSG message;

	if (!PeekMessageA || !DispatchMessageA || !PeekMessageA(&message, 0, 0, 0, PM_REMOVE))
		return FALSE;
	DispatchMessageA(&message);
	return TRUE;
}

FARPROC WSAAPI WSASetBlockingHook(FARPROC function)
{
	FARPROC previous = hook;
	int is_default = function == (FARPROC)take_message;

	ALIVE(0);
	FAIL_IF(is_default ? goWSAUnhookBlockingHook(self()) : goWSASetBlockingHook(self(), (uintptr_t)function), 0);
	hook = is_default ? 0 : function;
	upcall_thread.hooked = hook != 0;
	return previous ? previous : (FARPROC)take_message;
}

int WSAAPI WSAUnhookBlockingHook(void)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goWSAUnhookBlockingHook(self()), SOCKET_ERROR);
	hook = 0;
	upcall_thread.hooked = 0;
	return 0;
}

BOOL WSAAPI WSAIsBlocking(void)
{
	struct goWSAIsBlocking_return r;

	ALIVE(FALSE);
	r = goWSAIsBlocking(self());
	FAIL_IF(r.r1, FALSE);
	return r.r0;
}

int WSAAPI WSACancelBlockingCall(void)
{
	ALIVE(SOCKET_ERROR);
	FAIL_IF(goWSACancelBlockingCall(self()), SOCKET_ERROR);
	return 0;
}
