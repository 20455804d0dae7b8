#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <winsock2.h>
#include <upcall_wah.h>

#include "_cgo_export.h"
#include "../provider/upcalls.h"
#include "names.h"

/* Helpers have nothing in them: a handle says of which kind, and that it is open. */
enum kind { APC = 1, SOCKETS, NOTIFICATION };

struct helper {
	struct helper *next;
	uintptr_t handle;
	enum kind kind;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards helpers and serial; a leaf lock */
static struct helper *helpers;
static uintptr_t serial;
static atomic_int disabled;

static DWORD open_helper(enum kind kind, HANDLE *handle)
{
	struct helper *h;

	if (upcall_forked)
		return WSANOTINITIALISED;
	if (!handle)
		return WSAEFAULT;
	h = malloc(sizeof *h);
	if (!h)
		return WSA_NOT_ENOUGH_MEMORY;
	pthread_mutex_lock(&lock);
	h->kind = kind;
	h->handle = ++serial << 4;
	h->next = helpers;
	helpers = h;
	*handle = (HANDLE)h->handle;
	pthread_mutex_unlock(&lock);
	return 0;
}

/* The place of a helper in the list, which is locked. */
static struct helper **find(enum kind kind, HANDLE handle)
{
	struct helper **at;

	for (at = &helpers; *at; at = &(*at)->next)
		if ((*at)->kind == kind && (*at)->handle == (uintptr_t)handle)
			return at;
	return 0;
}

static DWORD close_helper(enum kind kind, HANDLE handle)
{
	struct helper **at, *h = 0;

	if (upcall_forked)
		return WSANOTINITIALISED;
	pthread_mutex_lock(&lock);
	at = find(kind, handle);
	if (at) {
		h = *at;
		*at = h->next;
	}
	pthread_mutex_unlock(&lock);
	free(h);
	return h ? 0 : WSA_INVALID_HANDLE;
}

static DWORD check(enum kind kind, HANDLE handle)
{
	int open;

	if (upcall_forked)
		return WSANOTINITIALISED;
	pthread_mutex_lock(&lock);
	open = find(kind, handle) != 0;
	pthread_mutex_unlock(&lock);
	return open ? 0 : WSA_INVALID_HANDLE;
}

/* First line of a function that takes a helper. */
#define NEEDS(kind_, handle_) \
	do { \
		DWORD needs_ = check(kind_, handle_); \
		if (needs_) \
			return needs_; \
	} while (0)

/* How it ends that has called an upcall. */
#define ANSWER(failed_, e_) ((failed_) ? (DWORD)(e_) : 0)

DWORD WSPAPI WahOpenApcHelper(LPHANDLE helper)
{
	return open_helper(APC, helper);
}

DWORD WSPAPI WahCloseApcHelper(HANDLE helper)
{
	return close_helper(APC, helper);
}

DWORD WSPAPI WahOpenCurrentThread(HANDLE helper, LPWSATHREADID thread)
{
	int e = 0, r;

	NEEDS(APC, helper);
	r = upcall_table()->lpWPUOpenCurrentThread(thread, &e);
	return ANSWER(r, e);
}

DWORD WSPAPI WahCloseThread(HANDLE helper, LPWSATHREADID thread)
{
	int e = 0, r;

	NEEDS(APC, helper);
	r = upcall_table()->lpWPUCloseThread(thread, &e);
	return ANSWER(r, e);
}

DWORD WSPAPI WahQueueUserApc(HANDLE helper, LPWSATHREADID thread, LPWSAUSERAPC routine, DWORD_PTR context)
{
	int e = 0, r;

	NEEDS(APC, helper);
	r = upcall_table()->lpWPUQueueApc(thread, routine, context, &e);
	return ANSWER(r, e);
}

DWORD WSPAPI WahEnableNonIFSHandleSupport(void)
{
	atomic_store(&disabled, 0);
	return 0;
}

DWORD WSPAPI WahDisableNonIFSHandleSupport(void)
{
	atomic_store(&disabled, 1);
	return 0;
}

DWORD WSPAPI WahOpenHandleHelper(LPHANDLE helper)
{
	return atomic_load(&disabled) ? ERROR_NOT_SUPPORTED : open_helper(SOCKETS, helper);
}

DWORD WSPAPI WahCloseHandleHelper(HANDLE helper)
{
	return close_helper(SOCKETS, helper);
}

DWORD WSPAPI WahCreateSocketHandle(HANDLE helper, SOCKET *s)
{
	uint32_t entry;
	int e = 0;

	NEEDS(SOCKETS, helper);
	if (!s)
		return WSAEFAULT;
	entry = goNonIFSEntry();
	if (!entry)
		return WSAEINVAL;
	*s = upcall_table()->lpWPUCreateSocketHandle(entry, 0, &e);
	return ANSWER(*s == INVALID_SOCKET, e);
}

DWORD WSPAPI WahCloseSocketHandle(HANDLE helper, SOCKET s)
{
	int e = 0, r;

	NEEDS(SOCKETS, helper);
	r = upcall_table()->lpWPUCloseSocketHandle(s, &e);
	return ANSWER(r, e);
}

DWORD WSPAPI WahCompleteRequest(HANDLE helper, SOCKET s, LPWSAOVERLAPPED overlapped, DWORD error, DWORD transferred)
{
	int e = 0, r;

	NEEDS(SOCKETS, helper);
	r = WPUCompleteOverlappedRequest(s, overlapped, error, transferred, &e);
	return ANSWER(r, e);
}

DWORD WSPAPI WahOpenNotificationHandleHelper(LPHANDLE helper)
{
	return open_helper(NOTIFICATION, helper);
}

DWORD WSPAPI WahCloseNotificationHandleHelper(HANDLE helper)
{
	return close_helper(NOTIFICATION, helper);
}

DWORD WSPAPI WahCreateNotificationHandle(HANDLE helper, LPHANDLE notification)
{
	struct goCreateNotification_return r;

	NEEDS(NOTIFICATION, helper);
	if (!notification)
		return WSAEFAULT;
	r = goCreateNotification(self());
	if (!r.r1)
		*notification = (HANDLE)r.r0;
	return r.r1;
}

DWORD WSPAPI WahWaitForNotification(HANDLE helper, HANDLE notification, LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
	NEEDS(NOTIFICATION, helper);
	return goWaitForNotification(self(), (uintptr_t)notification, overlapped, (uintptr_t)routine);
}

DWORD WSPAPI WahNotifyAllProcesses(HANDLE helper)
{
	NEEDS(NOTIFICATION, helper);
	return goNotifyAllProcesses(self());
}
