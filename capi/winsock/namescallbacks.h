/*
 * How Go calls a program's routines, and its name-space provider of version 2.
 * Pointers are uintptr_t, as in callbacks.h.
 */
#ifndef UPCALL_CAPI_NAMESCALLBACKS_H
#define UPCALL_CAPI_NAMESCALLBACKS_H

#include <winsock2.h>
#include <ws2spi.h>
#include <ws2tcpip.h>

#include "thread.h"

/*
 * Around a call of the program on one of Go's own threads: what it calls back is
 * not to make the thread the program's.
 */
static inline struct upcall_thread upcall_leave_go(void)
{
	struct upcall_thread before = upcall_thread;

	upcall_thread.depth++;
	upcall_thread.provider = 0;
	upcall_thread.function = 0;
	return before;
}

static inline void upcall_enter_go(struct upcall_thread before)
{
	upcall_thread.error = before.error;
	upcall_thread.depth = before.depth;
	upcall_thread.provider = before.provider;
	upcall_thread.function = before.function;
}

/* The error of a function that returns SOCKET_ERROR and leaves its code as the
 * last error; one that leaves none has failed all the same. */
static inline uint32_t upcall_error_of(int result)
{
	if (!result)
		return 0;
	return upcall_thread.error ? upcall_thread.error : WSASYSCALLFAILURE;
}

static inline void upcall_found(uintptr_t routine, uint32_t error, uint32_t bytes, uintptr_t overlapped)
{
	struct upcall_thread before = upcall_leave_go();

	((LPLOOKUPSERVICE_COMPLETION_ROUTINE)routine)(error, bytes, (LPWSAOVERLAPPED)overlapped);
	upcall_enter_go(before);
}

static inline void upcall_notified(uintptr_t routine, uint32_t error, uint32_t bytes, uintptr_t overlapped, uint32_t flags)
{
	((LPWSAOVERLAPPED_COMPLETION_ROUTINE)routine)(error, bytes, (LPWSAOVERLAPPED)overlapped, flags);
}

static inline int upcall_post(uintptr_t routine, uintptr_t window, uint32_t message, uintptr_t w, uintptr_t l)
{
	struct upcall_thread before = upcall_leave_go();
	BOOL posted = ((LPWPUPOSTMESSAGE)routine)((HWND)window, message, (WPARAM)w, (LPARAM)l);

	upcall_enter_go(before);
	return posted;
}

static inline uint32_t upcall_v2_startup(uintptr_t f, uintptr_t id, uintptr_t *session)
{
	struct upcall_thread before = upcall_leave_go();
	void *argument = 0;
	uint32_t e = upcall_error_of(((LPNSPV2STARTUP)f)((LPGUID)id, &argument));

	upcall_enter_go(before);
	*session = (uintptr_t)argument;
	return e;
}

static inline uint32_t upcall_v2_cleanup(uintptr_t f, uintptr_t id, uintptr_t session)
{
	struct upcall_thread before = upcall_leave_go();
	uint32_t e = upcall_error_of(((LPNSPV2CLEANUP)f)((LPGUID)id, (void *)session));

	upcall_enter_go(before);
	return e;
}

static inline uint32_t upcall_v2_begin(uintptr_t f, uintptr_t id, uintptr_t query, uint32_t flags, uintptr_t session, uintptr_t *lookup)
{
	struct upcall_thread before = upcall_leave_go();
	HANDLE handle = 0;
	uint32_t e = upcall_error_of(((LPNSPV2LOOKUPSERVICEBEGIN)f)((LPGUID)id, (LPWSAQUERYSET2W)query, flags, (void *)session, &handle));

	upcall_enter_go(before);
	*lookup = (uintptr_t)handle;
	return e;
}

static inline void upcall_v2_next(uintptr_t f, uintptr_t call, uintptr_t lookup, uint32_t flags, uintptr_t length, uintptr_t results)
{
	struct upcall_thread before = upcall_leave_go();

	((LPNSPV2LOOKUPSERVICENEXTEX)f)((HANDLE)call, (HANDLE)lookup, flags, (LPDWORD)length, (LPWSAQUERYSET2W)results);
	upcall_enter_go(before);
}

static inline uint32_t upcall_v2_end(uintptr_t f, uintptr_t lookup)
{
	struct upcall_thread before = upcall_leave_go();
	uint32_t e = upcall_error_of(((LPNSPV2LOOKUPSERVICEEND)f)((HANDLE)lookup));

	upcall_enter_go(before);
	return e;
}

static inline void upcall_v2_set(uintptr_t f, uintptr_t call, uintptr_t id, uintptr_t info, int32_t operation, uint32_t flags, uintptr_t session)
{
	struct upcall_thread before = upcall_leave_go();

	((LPNSPV2SETSERVICEEX)f)((HANDLE)call, (LPGUID)id, (LPWSAQUERYSET2W)info, (WSAESETSERVICEOP)operation, flags, (void *)session);
	upcall_enter_go(before);
}

static inline void upcall_v2_rundown(uintptr_t f, uintptr_t id, uintptr_t session)
{
	struct upcall_thread before = upcall_leave_go();

	((LPNSPV2CLIENTSESSIONRUNDOWN)f)((LPGUID)id, (void *)session);
	upcall_enter_go(before);
}

#endif
