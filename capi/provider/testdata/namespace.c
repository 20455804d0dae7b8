/*
 * A name-space provider: names with one address each, which programs register by
 * WSASetService, and one class of services. It lives in the memory of a process.
 */
#include <winsock2.h>
#include <ws2spi.h>

#include <upcall_wah.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 16, LONGEST = 64 };

struct name {
	WCHAR text[LONGEST];
	struct sockaddr_storage address;
	int length; /* 0: nothing is registered here */
};

struct lookup {
	WCHAR text[LONGEST];
	int done;
	unsigned seen; /* changes before the lookup */
	LPWSACOMPLETION completion;
	WSATHREADID thread;
	struct lookup *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct name names[MOST];
static unsigned changes;
static struct lookup *lookups;
static GUID class_id;
static WCHAR class_name[LONGEST];
static HANDLE apcs;

static INT failed(int e)
{
	WSASetLastError(e);
	return SOCKET_ERROR;
}

static int copy(WCHAR *to, const WCHAR *from)
{
	int n = 0;

	if (!from)
		return 0;
	while (from[n] && n < LONGEST - 1) {
		to[n] = from[n];
		n++;
	}
	to[n] = 0;
	return !from[n];
}

static int same(const WCHAR *a, const WCHAR *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static int size(const WCHAR *text)
{
	int n = 0;

	while (text[n++])
		;
	return n * sizeof *text;
}

static INT WSAAPI cleanup(LPGUID provider)
{
	WahCloseApcHelper(apcs);
	return 0;
}

static INT WSAAPI begin(LPGUID provider, LPWSAQUERYSETW query, LPWSASERVICECLASSINFOW class, DWORD flags, LPHANDLE handle)
{
	struct lookup *l = calloc(1, sizeof *l);

	if (!l)
		return failed(WSA_NOT_ENOUGH_MEMORY);
	if (!copy(l->text, query->lpszServiceInstanceName)) {
		free(l);
		return failed(WSAEINVAL);
	}
	pthread_mutex_lock(&lock);
	l->seen = changes;
	l->next = lookups;
	lookups = l;
	pthread_mutex_unlock(&lock);
	*handle = l;
	return 0;
}

static const struct name *find(const WCHAR *text)
{
	for (int i = 0; i < MOST; i++)
		if (names[i].length && same(names[i].text, text))
			return &names[i];
	return 0;
}

/* Where the next thing of a result goes. */
static char *place(char *buf, DWORD *used, DWORD length)
{
	char *at = buf + *used;

	*used += (length + 7) & ~7u;
	return at;
}

static INT store(const struct name *n, DWORD *length, LPWSAQUERYSETW result)
{
	DWORD used = sizeof *result, needed = sizeof *result + sizeof(CSADDR_INFO) + sizeof n->address + LONGEST * sizeof(WCHAR);
	char *buf = (char *)result;

	if (*length < needed) {
		*length = needed;
		return failed(WSAEFAULT);
	}
	memset(result, 0, sizeof *result);
	result->dwSize = sizeof *result;
	result->lpszServiceInstanceName = memcpy(place(buf, &used, size(n->text)), n->text, size(n->text));
	result->dwNumberOfCsAddrs = 1;
	result->lpcsaBuffer = memset(place(buf, &used, sizeof *result->lpcsaBuffer), 0, sizeof *result->lpcsaBuffer);
	result->lpcsaBuffer->RemoteAddr.iSockaddrLength = n->length;
	result->lpcsaBuffer->RemoteAddr.lpSockaddr = memcpy(place(buf, &used, n->length), &n->address, n->length);
	return 0;
}

static INT WSAAPI next(HANDLE handle, DWORD flags, LPDWORD length, LPWSAQUERYSETW result)
{
	struct lookup *l = handle;
	const struct name *n;
	INT r;

	if (l->done || flags & LUP_FLUSHPREVIOUS)
		return failed(WSA_E_NO_MORE);
	pthread_mutex_lock(&lock);
	n = find(l->text);
	r = n ? store(n, length, result) : failed(WSAHOST_NOT_FOUND);
	pthread_mutex_unlock(&lock);
	l->done = r == 0;
	return r;
}

static void CALLBACK run(DWORD_PTR context)
{
	LPWSACOMPLETION c = (LPWSACOMPLETION)context;

	c->Parameters.Apc.lpfnCompletionProc((DWORD)c->Parameters.Apc.lpOverlapped->Internal, 0, c->Parameters.Apc.lpOverlapped, 0);
}

/* Tells how a pending notification ends. */
static void notify(struct lookup *l, DWORD status)
{
	LPWSACOMPLETION c = l->completion;

	l->completion = 0;
	switch (c->Type) {
	case NSP_NOTIFY_EVENT:
		c->Parameters.Event.lpOverlapped->Internal = status;
		WSASetEvent(c->Parameters.Event.lpOverlapped->hEvent);
		break;
	case NSP_NOTIFY_APC:
		c->Parameters.Apc.lpOverlapped->Internal = status;
		WahQueueUserApc(apcs, &l->thread, run, (DWORD_PTR)c);
		break;
	default:
		break;
	}
}

static INT WSAAPI end(HANDLE handle)
{
	struct lookup *l = handle, **at;

	pthread_mutex_lock(&lock);
	for (at = &lookups; *at && *at != l; at = &(*at)->next)
		;
	if (!*at) {
		pthread_mutex_unlock(&lock);
		return failed(WSA_INVALID_HANDLE);
	}
	*at = l->next;
	if (l->completion && l->completion->Type == NSP_NOTIFY_EVENT)
		notify(l, WSA_OPERATION_ABORTED);
	pthread_mutex_unlock(&lock);
	free(l);
	return 0;
}

static INT WSAAPI set(LPGUID provider, LPWSASERVICECLASSINFOW class, LPWSAQUERYSETW info, WSAESETSERVICEOP operation, DWORD flags)
{
	struct name *n;
	INT r = 0;

	pthread_mutex_lock(&lock);
	n = (struct name *)find(info->lpszServiceInstanceName);
	if (operation == RNRSERVICE_REGISTER) {
		for (int i = 0; !n && i < MOST; i++)
			if (!names[i].length)
				n = &names[i];
		if (!n || !info->dwNumberOfCsAddrs || !copy(n->text, info->lpszServiceInstanceName))
			r = failed(WSAEINVAL);
		else
			memcpy(&n->address, info->lpcsaBuffer->RemoteAddr.lpSockaddr, n->length = info->lpcsaBuffer->RemoteAddr.iSockaddrLength);
	} else if (n)
		n->length = 0;
	else
		r = failed(WSASERVICE_NOT_FOUND);
	if (!r) {
		changes++;
		for (struct lookup *l = lookups; l; l = l->next)
			if (l->completion)
				notify(l, 0);
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static INT WSAAPI install_class(LPGUID provider, LPWSASERVICECLASSINFOW class)
{
	if (class_name[0])
		return failed(WSAEALREADY);
	class_id = *class->lpServiceClassId;
	return copy(class_name, class->lpszServiceClassName) ? 0 : failed(WSAEINVAL);
}

static INT WSAAPI remove_class(LPGUID provider, LPGUID id)
{
	if (!class_name[0] || memcmp(id, &class_id, sizeof class_id))
		return failed(WSATYPE_NOT_FOUND);
	class_name[0] = 0;
	return 0;
}

/* Which class, the structure says that the answer goes to. */
static INT WSAAPI class_info(LPGUID provider, LPDWORD length, LPWSASERVICECLASSINFOW info)
{
	DWORD used = sizeof *info, needed = sizeof *info + sizeof class_id + sizeof class_name;
	char *buf = (char *)info;

	if (!class_name[0] || memcmp(info->lpServiceClassId, &class_id, sizeof class_id))
		return failed(WSATYPE_NOT_FOUND);
	if (*length < needed) {
		*length = needed;
		return failed(WSAEFAULT);
	}
	memset(info, 0, sizeof *info);
	info->lpServiceClassId = memcpy(place(buf, &used, sizeof class_id), &class_id, sizeof class_id);
	info->lpszServiceClassName = memcpy(place(buf, &used, size(class_name)), class_name, size(class_name));
	return 0;
}

static INT WSAAPI ioctl_(HANDLE handle, DWORD code, LPVOID in, DWORD in_length, LPVOID out, DWORD out_length, LPDWORD returned, LPWSACOMPLETION completion, LPWSATHREADID thread)
{
	struct lookup *l = handle;
	int e;

	if (code != SIO_NSP_NOTIFY_CHANGE)
		return failed(WSAEOPNOTSUPP);
	pthread_mutex_lock(&lock);
	if (l->seen != changes)
		e = 0;
	else if (!completion)
		e = WSAEWOULDBLOCK;
	else if (completion->Type != NSP_NOTIFY_EVENT && completion->Type != NSP_NOTIFY_APC)
		e = WSAEOPNOTSUPP;
	else {
		l->completion = completion;
		l->thread = *thread;
		e = WSA_IO_PENDING;
	}
	pthread_mutex_unlock(&lock);
	return e ? failed(e) : 0;
}

__declspec(dllexport) INT WSAAPI NSPStartup(LPGUID provider, LPNSP_ROUTINE r)
{
	static const NSP_ROUTINE routines = {sizeof routines, 1, 0, cleanup, begin, next, end, set, install_class, remove_class, class_info, ioctl_};

	if (getenv("TEST_NAMES_REFUSE"))
		return failed(WSASYSNOTREADY);
	*r = routines;
	if (getenv("TEST_NAMES_INCOMPLETE"))
		r->NSPLookupServiceNext = 0;
	return WahOpenApcHelper(&apcs) ? failed(WSASYSNOTREADY) : 0;
}
