#include "namespace.h"

#include <stdlib.h>
#include <string.h>

#include "_cgo_export.h"
#include "enter.h"
#include "modules.h"

/* A call of the provider: result is what it returns. The calling thread's last
 * error is the caller's again afterwards. */
#define CALL(l_, function_, result_) \
	do { \
		struct upcall_library *library_ = (l_); \
		struct upcall_entered entered_ = upcall_enter(library_, function_); \
		uint32_t before_ = upcall_thread.error, code_; \
		upcall_thread.error = 0; \
		code_ = (result_) == 0 ? 0 : upcall_thread.error ? upcall_thread.error : WSASYSCALLFAILURE; \
		upcall_thread.error = before_; \
		upcall_leave(library_, &entered_); \
		return code_; \
	} while (0)

int upcall_names_open(struct upcall_library *l, char *why, unsigned size)
{
	l->module = upcall_object_open(l->path, why, size);
	if (!l->module)
		return 0;
	if (upcall_object_symbol(l->module, "NSPStartup")) {
		upcall_library_keep(l);
		return 1;
	}
	strncpy(why, "it exports no NSPStartup", size);
	upcall_object_close(l->module);
	l->module = 0;
	return 0;
}

static uint32_t start(struct upcall_library *l, uintptr_t id, NSP_ROUTINE *table)
{
	LPNSPSTARTUP startup = (LPNSPSTARTUP)upcall_object_symbol(l->module, "NSPStartup");

	CALL(l, "NSPStartup", startup((LPGUID)id, table));
}

struct upcall_names *upcall_names_start(struct upcall_library *l, uintptr_t id, uint32_t *error)
{
	struct upcall_names *n = calloc(1, sizeof *n);

	if (!n)
		return 0;
	n->started.library = l;
	n->table.cbSize = sizeof n->table;
	*error = start(l, id, &n->table);
	return n;
}

void upcall_names_free(struct upcall_names *n)
{
	free(n);
}

void upcall_names_keep(struct upcall_names *n)
{
	n->started.next = n->started.library->started;
	n->started.library->started = &n->started;
}

uint32_t upcall_names_cleanup(struct upcall_names *n, uintptr_t id)
{
	CALL(n->started.library, "NSPCleanup", n->table.NSPCleanup((LPGUID)id));
}

uint32_t upcall_names_begin(struct upcall_names *n, uintptr_t id, uintptr_t query, uintptr_t class, uint32_t flags, uintptr_t *lookup)
{
	CALL(n->started.library, "NSPLookupServiceBegin", n->table.NSPLookupServiceBegin((LPGUID)id, (LPWSAQUERYSETW)query, (LPWSASERVICECLASSINFOW)class, flags, (LPHANDLE)lookup));
}

uint32_t upcall_names_next(struct upcall_names *n, uintptr_t lookup, uint32_t flags, uintptr_t length, uintptr_t results)
{
	CALL(n->started.library, "NSPLookupServiceNext", n->table.NSPLookupServiceNext((HANDLE)lookup, flags, (LPDWORD)length, (LPWSAQUERYSETW)results));
}

uint32_t upcall_names_end(struct upcall_names *n, uintptr_t lookup)
{
	CALL(n->started.library, "NSPLookupServiceEnd", n->table.NSPLookupServiceEnd((HANDLE)lookup));
}

uint32_t upcall_names_set(struct upcall_names *n, uintptr_t id, uintptr_t class, uintptr_t info, int32_t operation, uint32_t flags)
{
	CALL(n->started.library, "NSPSetService", n->table.NSPSetService((LPGUID)id, (LPWSASERVICECLASSINFOW)class, (LPWSAQUERYSETW)info, (WSAESETSERVICEOP)operation, flags));
}

uint32_t upcall_names_install_class(struct upcall_names *n, uintptr_t id, uintptr_t class)
{
	CALL(n->started.library, "NSPInstallServiceClass", n->table.NSPInstallServiceClass((LPGUID)id, (LPWSASERVICECLASSINFOW)class));
}

uint32_t upcall_names_remove_class(struct upcall_names *n, uintptr_t id, uintptr_t class_id)
{
	CALL(n->started.library, "NSPRemoveServiceClass", n->table.NSPRemoveServiceClass((LPGUID)id, (LPGUID)class_id));
}

uint32_t upcall_names_class_info(struct upcall_names *n, uintptr_t id, uintptr_t length, uintptr_t info)
{
	CALL(n->started.library, "NSPGetServiceClassInfo", n->table.NSPGetServiceClassInfo((LPGUID)id, (LPDWORD)length, (LPWSASERVICECLASSINFOW)info));
}

static void CALLBACK notified(DWORD error, DWORD transferred, LPWSAOVERLAPPED overlapped, DWORD flags)
{
	goNameNotified(error, transferred, (uintptr_t)overlapped, flags);
}

struct upcall_notification *upcall_notification_new(int32_t type, uint32_t message, uintptr_t overlapped, uintptr_t handle, uintptr_t context)
{
	struct upcall_notification *n = calloc(1, sizeof *n);
	WSACOMPLETION *c;

	if (!n)
		return 0;
	c = &n->completion;
	c->Type = (WSACOMPLETIONTYPE)type;
	switch (c->Type) {
	case NSP_NOTIFY_HWND:
		c->Parameters.WindowMessage.hWnd = (HWND)handle;
		c->Parameters.WindowMessage.uMsg = message;
		c->Parameters.WindowMessage.context = context;
		break;
	case NSP_NOTIFY_EVENT:
		c->Parameters.Event.lpOverlapped = (LPWSAOVERLAPPED)overlapped;
		break;
	case NSP_NOTIFY_APC:
		c->Parameters.Apc.lpOverlapped = (LPWSAOVERLAPPED)overlapped;
		c->Parameters.Apc.lpfnCompletionProc = notified;
		break;
	case NSP_NOTIFY_PORT:
		c->Parameters.Port.lpOverlapped = (LPWSAOVERLAPPED)overlapped;
		c->Parameters.Port.hPort = (HANDLE)handle;
		c->Parameters.Port.Key = context;
		break;
	default:
		break;
	}
	return n;
}

uint32_t upcall_names_ioctl(struct upcall_names *n, uintptr_t lookup, uint32_t code, uintptr_t in, uint32_t in_length,
	uintptr_t out, uint32_t out_length, uintptr_t returned, struct upcall_notification *completion, uintptr_t thread)
{
	if (completion && thread) {
		completion->thread = *(LPWSATHREADID)thread;
		thread = (uintptr_t)&completion->thread;
	}
	CALL(n->started.library, "NSPIoctl", n->table.NSPIoctl((HANDLE)lookup, code, (LPVOID)in, in_length, (LPVOID)out, out_length,
		(LPDWORD)returned, completion ? &completion->completion : 0, (LPWSATHREADID)thread));
}
