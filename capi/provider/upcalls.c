#include "upcalls.h"

#include <stdatomic.h>
#include <string.h>

#include "_cgo_export.h"
#include "callbacks.h"
#include "events.h"
#include "modules.h"
#include "thread.h"

/*
 * The DLL's table of non-IFS handles as package slot has it: a handle's bits 2
 * to 31 number its slot; a segment has 1024.
 */
enum { INDEX_SHIFT = 2, SEGMENT_BITS = 10, SEGMENTS = 1 << 20 };

struct slot {
	_Atomic uint64_t handle;
	_Atomic uintptr_t context;
};

static _Atomic(struct slot *) segments[SEGMENTS];
static _Atomic int shared;

void upcall_share_segment(uint32_t index, uintptr_t slots)
{
	if (index < SEGMENTS)
		atomic_store_explicit(&segments[index], (struct slot *)slots, memory_order_release);
}

void upcall_share(void)
{
	atomic_store(&shared, 1);
}

/* Writes an error that is one, and returns failed then, else succeeded. */
#define ANSWER(error_, errno_, failed_, succeeded_) \
	do { \
		int answer_ = (error_); \
		if (answer_ == 0) \
			return succeeded_; \
		if (errno_) \
			*(errno_) = answer_; \
		return failed_; \
	} while (0)

/* First line of an upcall that enters Go. */
#define IN_PROCESS(errno_, failed_) \
	do { \
		if (__builtin_expect(upcall_forked, 0)) \
			ANSWER(WSANOTINITIALISED, errno_, failed_, failed_); \
	} while (0)

static BOOL WSPAPI close_event(WSAEVENT ev, LPINT error)
{
	IN_PROCESS(error, FALSE);
	ANSWER(goWPUCloseEvent((uint64_t)ev), error, FALSE, TRUE);
}

static int WSPAPI close_socket_handle(SOCKET s, LPINT error)
{
	IN_PROCESS(error, SOCKET_ERROR);
	ANSWER(goWPUCloseSocketHandle(s), error, SOCKET_ERROR, 0);
}

static WSAEVENT WSPAPI create_event(LPINT error)
{
	struct goWPUCreateEvent_return r;

	IN_PROCESS(error, WSA_INVALID_EVENT);
	r = goWPUCreateEvent();
	ANSWER(r.r1, error, WSA_INVALID_EVENT, (WSAEVENT)r.r0);
}

static SOCKET WSPAPI create_socket_handle(DWORD id, DWORD_PTR context, LPINT error)
{
	struct goWPUCreateSocketHandle_return r;

	IN_PROCESS(error, INVALID_SOCKET);
	r = goWPUCreateSocketHandle(id, context);
	ANSWER(r.r1, error, INVALID_SOCKET, r.r0);
}

static int WSPAPI fd_is_set(SOCKET s, fd_set *set)
{
	if (set)
		for (u_int i = 0; i < set->fd_count; i++)
			if (set->fd_array[i] == s)
				return 1;
	return 0;
}

static int WSPAPI get_provider_path(LPGUID id, WCHAR *path, LPINT length, LPINT error)
{
	IN_PROCESS(error, SOCKET_ERROR);
	ANSWER(goWPUGetProviderPath(id, path, length), error, SOCKET_ERROR, 0);
}

static SOCKET WSPAPI modify_ifs_handle(DWORD id, SOCKET s, LPINT error)
{
	struct goWPUModifyIFSHandle_return r;

	IN_PROCESS(error, INVALID_SOCKET);
	r = goWPUModifyIFSHandle(id, s);
	ANSWER(r.r1, error, INVALID_SOCKET, r.r0);
}

static BOOL WSPAPI post_message(HWND wnd, UINT msg, WPARAM wparam, LPARAM lparam)
{
	if (upcall_forked)
		return FALSE;
	return goWPUPostMessage((uint64_t)wnd, msg, wparam, lparam);
}

static int WSPAPI query_blocking_callback(DWORD id, LPBLOCKINGCALLBACK *callback, PDWORD_PTR context, LPINT error)
{
	struct goWPUQueryBlockingCallback_return r;

	IN_PROCESS(error, SOCKET_ERROR);
	if (!callback || !context)
		ANSWER(WSAEFAULT, error, SOCKET_ERROR, 0);
	*callback = 0;
	*context = 0;
	r = goWPUQueryBlockingCallback(id);
	if (r.r1 == 0 && r.r0) {
		*callback = upcall_blocking;
		*context = id;
	}
	ANSWER(r.r1, error, SOCKET_ERROR, 0);
}

/* A slot's handle before and after its context: a generation is never used twice. */
static int WSPAPI query_socket_handle_context(SOCKET s, PDWORD_PTR context, LPINT error)
{
	uint32_t number = (uint32_t)s >> INDEX_SHIFT;
	struct slot *segment = atomic_load_explicit(&segments[number >> SEGMENT_BITS], memory_order_acquire);

	if (__builtin_expect(context == 0, 0))
		ANSWER(WSAEFAULT, error, SOCKET_ERROR, 0);
	if (__builtin_expect(segment != 0, 1)) {
		struct slot *e = &segment[number & ((1 << SEGMENT_BITS) - 1)];

		if (atomic_load_explicit(&e->handle, memory_order_acquire) == s) {
			uintptr_t found = atomic_load_explicit(&e->context, memory_order_acquire);

			if (atomic_load_explicit(&e->handle, memory_order_relaxed) == s) {
				*context = found;
				return 0;
			}
		}
	}
	if (!atomic_load_explicit(&shared, memory_order_relaxed)) {
		struct goWPUQuerySocketHandleContext_return r;

		IN_PROCESS(error, SOCKET_ERROR);
		r = goWPUQuerySocketHandleContext(s);
		if (r.r1 == 0)
			*context = r.r0;
		ANSWER(r.r1, error, SOCKET_ERROR, 0);
	}
	ANSWER(WSAENOTSOCK, error, SOCKET_ERROR, 0);
}

static int WSPAPI queue_apc(LPWSATHREADID thread, LPWSAUSERAPC apc, DWORD_PTR context, LPINT error)
{
	IN_PROCESS(error, SOCKET_ERROR);
	ANSWER(goWPUQueueApc(thread, (uintptr_t)apc, upcall_object_loading((uintptr_t)apc), context), error, SOCKET_ERROR, 0);
}

static BOOL WSPAPI reset_event(WSAEVENT ev, LPINT error)
{
	IN_PROCESS(error, FALSE);
	if (upcall_event_become((uintptr_t)ev, UPCALL_EVENT_UNSET))
		return TRUE;
	ANSWER(goWPUResetEvent((uint64_t)ev), error, FALSE, TRUE);
}

static BOOL WSPAPI set_event(WSAEVENT ev, LPINT error)
{
	IN_PROCESS(error, FALSE);
	if (upcall_event_become((uintptr_t)ev, UPCALL_EVENT_SIGNALLED))
		return TRUE;
	ANSWER(goWPUSetEvent((uint64_t)ev), error, FALSE, TRUE);
}

static int WSPAPI open_current_thread(LPWSATHREADID thread, LPINT error)
{
	IN_PROCESS(error, SOCKET_ERROR);
	ANSWER(goWPUOpenCurrentThread(self(), thread), error, SOCKET_ERROR, 0);
}

static int WSPAPI close_thread(LPWSATHREADID thread, LPINT error)
{
	IN_PROCESS(error, SOCKET_ERROR);
	ANSWER(goWPUCloseThread(thread), error, SOCKET_ERROR, 0);
}

int WSPAPI WPUCompleteOverlappedRequest(SOCKET s, LPWSAOVERLAPPED ov, DWORD status, DWORD transferred, LPINT error)
{
	IN_PROCESS(error, SOCKET_ERROR);
	ANSWER(goWPUCompleteOverlappedRequest(s, ov, status, transferred), error, SOCKET_ERROR, 0);
}

static const WSPUPCALLTABLE table = {
	.lpWPUCloseEvent = close_event,
	.lpWPUCloseSocketHandle = close_socket_handle,
	.lpWPUCreateEvent = create_event,
	.lpWPUCreateSocketHandle = create_socket_handle,
	.lpWPUFDIsSet = fd_is_set,
	.lpWPUGetProviderPath = get_provider_path,
	.lpWPUModifyIFSHandle = modify_ifs_handle,
	.lpWPUPostMessage = post_message,
	.lpWPUQueryBlockingCallback = query_blocking_callback,
	.lpWPUQuerySocketHandleContext = query_socket_handle_context,
	.lpWPUQueueApc = queue_apc,
	.lpWPUResetEvent = reset_event,
	.lpWPUSetEvent = set_event,
	.lpWPUOpenCurrentThread = open_current_thread,
	.lpWPUCloseThread = close_thread,
};

const WSPUPCALLTABLE *upcall_table(void)
{
	return &table;
}

uint32_t upcall_table_foreign(const WSPUPCALLTABLE *t)
{
	uint32_t bits = 0;

	for (unsigned i = 0; i < sizeof table / sizeof(void *); i++)
		if (((void *const *)t)[i] != ((void *const *)&table)[i])
			bits |= 1u << i;
	return bits;
}
