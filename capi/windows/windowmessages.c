#include <string.h>

#include "_cgo_export.h"
#include "calls.h"

/* Stores what Go has found. */
static void store(LPMSG m, struct goGetMessage_return r)
{
	memset(m, 0, sizeof *m);
	m->hwnd = (HWND)r.r0;
	m->message = r.r1;
	m->wParam = r.r2;
	m->lParam = r.r3;
	m->time = GetTickCount();
}

/* 0 for WM_QUIT, -1 for an error. */
BOOL WINAPI GetMessageA(LPMSG m, HWND h, UINT least, UINT most)
{
	struct goGetMessage_return r;

	ALIVE(-1);
	FAIL_IF(m ? 0 : ERROR_NOACCESS, -1);
	r = goGetMessage(self(), (uintptr_t)h, least, most);
	FAIL_IF(r.r4, -1);
	store(m, r);
	return m->message != WM_QUIT;
}

BOOL WINAPI GetMessageW(LPMSG m, HWND h, UINT least, UINT most)
{
	return GetMessageA(m, h, least, most);
}

BOOL WINAPI PeekMessageA(LPMSG m, HWND h, UINT least, UINT most, UINT flags)
{
	struct goPeekMessage_return r;

	ALIVE(FALSE);
	FAIL_IF(m ? 0 : ERROR_NOACCESS, FALSE);
	r = goPeekMessage(self(), (uintptr_t)h, least, most, !!(flags & PM_REMOVE));
	FAIL_IF(r.r4 > 0 ? r.r4 : 0, FALSE);
	if (r.r4 < 0)
		return FALSE;
	store(m, (struct goGetMessage_return){r.r0, r.r1, r.r2, r.r3, 0});
	return TRUE;
}

BOOL WINAPI PeekMessageW(LPMSG m, HWND h, UINT least, UINT most, UINT flags)
{
	return PeekMessageA(m, h, least, most, flags);
}

/* With no window to the calling thread. There is nobody to broadcast to. */
BOOL WINAPI PostMessageA(HWND h, UINT message, WPARAM wparam, LPARAM lparam)
{
	ALIVE(FALSE);
	if (!h) {
		goPeekMessage(self(), 0, 0, 0, 0); /* now the thread has a queue */
		return PostThreadMessageA(GetCurrentThreadId(), message, wparam, lparam);
	}
	FAIL_IF(goPostMessage(self(), (uintptr_t)h, message, wparam, lparam), FALSE);
	return TRUE;
}

BOOL WINAPI PostMessageW(HWND h, UINT message, WPARAM wparam, LPARAM lparam)
{
	return PostMessageA(h, message, wparam, lparam);
}

BOOL WINAPI PostThreadMessageA(DWORD thread, UINT message, WPARAM wparam, LPARAM lparam)
{
	ALIVE(FALSE);
	FAIL_IF(goPostThreadMessage(thread, message, wparam, lparam), FALSE);
	return TRUE;
}

BOOL WINAPI PostThreadMessageW(DWORD thread, UINT message, WPARAM wparam, LPARAM lparam)
{
	return PostThreadMessageA(thread, message, wparam, lparam);
}

/* There are no keys here whose messages it would translate. */
BOOL WINAPI TranslateMessage(const MSG *m)
{
	return FALSE;
}

VOID WINAPI PostQuitMessage(int code)
{
	if (!upcall_forked)
		goPostQuitMessage(self(), code);
}
