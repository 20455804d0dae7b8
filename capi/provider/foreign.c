/* Calls of the upcalls of a layer in C that handed down functions of its own. */
#include "callbacks.h"
#include "calls.h"
#include "upcalls.h"

static int32_t failure(int error)
{
	return error ? error : NO_CODE;
}

#define UP(call_, failed_) \
	int error = 0; \
	return (call_) == (failed_) ? failure(error) : 0

#define UP_VALUE(call_, failed_) \
	int error = 0; \
	uint64_t value = (uint64_t)(call_); \
	return (struct upcall_up_result){value, value == (uint64_t)(failed_) ? failure(error) : 0}

int32_t upcall_up_close_event(const WSPUPCALLTABLE *t, uint64_t ev)
{
	UP(t->lpWPUCloseEvent((WSAEVENT)ev, &error), FALSE);
}

int32_t upcall_up_close_socket_handle(const WSPUPCALLTABLE *t, uint64_t s)
{
	UP(t->lpWPUCloseSocketHandle(s, &error), SOCKET_ERROR);
}

struct upcall_up_result upcall_up_create_event(const WSPUPCALLTABLE *t)
{
	UP_VALUE(t->lpWPUCreateEvent(&error), 0);
}

struct upcall_up_result upcall_up_create_socket_handle(const WSPUPCALLTABLE *t, uint32_t id, uint64_t context)
{
	UP_VALUE(t->lpWPUCreateSocketHandle(id, context, &error), INVALID_SOCKET);
}

int32_t upcall_up_fd_is_set(const WSPUPCALLTABLE *t, uint64_t s, uintptr_t set)
{
	return t->lpWPUFDIsSet(s, (fd_set *)set);
}

int32_t upcall_up_get_provider_path(const WSPUPCALLTABLE *t, uintptr_t id, uintptr_t path, uintptr_t length)
{
	UP(t->lpWPUGetProviderPath((LPGUID)id, (WCHAR *)path, (LPINT)length, &error), SOCKET_ERROR);
}

struct upcall_up_result upcall_up_modify_ifs_handle(const WSPUPCALLTABLE *t, uint32_t id, uint64_t s)
{
	UP_VALUE(t->lpWPUModifyIFSHandle(id, s, &error), INVALID_SOCKET);
}

int32_t upcall_up_post_message(const WSPUPCALLTABLE *t, uint64_t wnd, uint32_t msg, uint64_t wparam, uint64_t lparam)
{
	return t->lpWPUPostMessage((HWND)wnd, msg, wparam, lparam);
}

struct upcall_up_callback upcall_up_query_blocking_callback(const WSPUPCALLTABLE *t, uint32_t id)
{
	LPBLOCKINGCALLBACK callback = 0;
	DWORD_PTR context = 0;
	int error = 0;
	int rc = t->lpWPUQueryBlockingCallback(id, &callback, &context, &error);

	return (struct upcall_up_callback){(uint64_t)callback, context, rc == SOCKET_ERROR ? failure(error) : 0};
}

struct upcall_up_result upcall_up_query_socket_handle_context(const WSPUPCALLTABLE *t, uint64_t s)
{
	DWORD_PTR context = 0;
	int error = 0;
	int rc = t->lpWPUQuerySocketHandleContext(s, &context, &error);

	return (struct upcall_up_result){context, rc == SOCKET_ERROR ? failure(error) : 0};
}

int32_t upcall_up_queue_apc(const WSPUPCALLTABLE *t, uintptr_t thread, uintptr_t handle)
{
	UP(t->lpWPUQueueApc((LPWSATHREADID)thread, upcall_apc, handle, &error), SOCKET_ERROR);
}

int32_t upcall_up_reset_event(const WSPUPCALLTABLE *t, uint64_t ev)
{
	UP(t->lpWPUResetEvent((WSAEVENT)ev, &error), FALSE);
}

int32_t upcall_up_set_event(const WSPUPCALLTABLE *t, uint64_t ev)
{
	UP(t->lpWPUSetEvent((WSAEVENT)ev, &error), FALSE);
}

int32_t upcall_up_open_current_thread(const WSPUPCALLTABLE *t, uintptr_t thread)
{
	UP(t->lpWPUOpenCurrentThread((LPWSATHREADID)thread, &error), SOCKET_ERROR);
}

int32_t upcall_up_close_thread(const WSPUPCALLTABLE *t, uintptr_t thread)
{
	UP(t->lpWPUCloseThread((LPWSATHREADID)thread, &error), SOCKET_ERROR);
}
