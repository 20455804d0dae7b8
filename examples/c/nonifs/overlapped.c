/*
 * Overlapped operations.
 *
 * The client may have tied its handle to a completion port, which the provider
 * below does not know of: its handle is another. So the layer does each of the
 * client's operations with an OVERLAPPED of its own below, whose completion
 * comes to a port of its own, and then tells the client:
 *
 *  - of an operation with a completion routine by WPUQueueApc, to the thread that
 *    has started it;
 *  - of any other by WPUCompleteOverlappedRequest, which signals the event of the
 *    OVERLAPPED and queues to the port of the handle, if there are such.
 *
 * On a socket without WSA_FLAG_OVERLAPPED operations just wait, whatever they
 * are given.
 *
 * The client's OVERLAPPED has four fields that the two agree on: Internal is
 * WSS_OPERATION_IN_PROGRESS until the end, InternalHigh has the bytes, Offset
 * the flags, OffsetHigh the error.
 */
#include "nonifs.h"

enum { STOP = 0, COMPLETION = 1 }; /* keys of the port */

static HANDLE port, worker;
static CONDITION_VARIABLE finished = CONDITION_VARIABLE_INIT;
static LONG outstanding; /* operations below; guarded by lock, as stopping is */
static BOOL stopping;

/* Stores Internal behind everything else: who sees it changed may read the rest. */
static void StoreInternal(LPWSAOVERLAPPED overlapped, ULONG_PTR value)
{
	__atomic_store_n(&overlapped->Internal, value, __ATOMIC_RELEASE);
}

static BOOL InProgress(const WSAOVERLAPPED *overlapped)
{
	return __atomic_load_n(&overlapped->Internal, __ATOMIC_ACQUIRE) == WSS_OPERATION_IN_PROGRESS;
}

/* Ties the lower socket to the layer's port, with the first operation. */
static BOOL Associate(SOCK *sock, LPINT lpErrno)
{
	BOOL associated;

	EnterCriticalSection(&lock);
	if (!sock->port)
		sock->port = CreateIoCompletionPort((HANDLE)sock->lower, port, COMPLETION, 0) != NULL;
	associated = sock->port;
	if (!associated)
		*lpErrno = GetLastError();
	LeaveCriticalSection(&lock);
	return associated;
}

OPERATION *Begin(SOCK *sock, LPWSAOVERLAPPED client, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT lpErrno)
{
	OPERATION *op = NULL;

	if (!Associate(sock, lpErrno)) {
		Release(sock);
		return NULL;
	}
	op = calloc(1, sizeof *op);
	if (op == NULL) {
		*lpErrno = WSAENOBUFS;
		Release(sock);
		return NULL;
	}
	op->sock = sock;
	op->client = client;
	op->routine = routine;
	if (routine != NULL && thread != NULL)
		op->thread = *thread; /* the structure, which is only valid now */
	if (routine != NULL && thread == NULL) {
		/* The client is another layer, which has not passed a thread on. */
		if (upcalls.lpWPUOpenCurrentThread(&op->thread, lpErrno) == SOCKET_ERROR)
			goto failed;
		op->opened = TRUE;
	}
	/* The low bits of an event only tell what else is to be done. */
	if (routine == NULL && client->hEvent != NULL &&
	    !upcalls.lpWPUResetEvent((WSAEVENT)((ULONG_PTR)client->hEvent & ~(ULONG_PTR)3), lpErrno))
		goto failed;
	client->Offset = client->OffsetHigh = 0;
	StoreInternal(client, WSS_OPERATION_IN_PROGRESS);
	EnterCriticalSection(&lock);
	op->next = sock->operations;
	op->link = &sock->operations;
	if (op->next != NULL)
		op->next->link = &op->next;
	sock->operations = op;
	outstanding++;
	LeaveCriticalSection(&lock);
	return op;
failed:
	free(op);
	Release(sock);
	return NULL;
}

/* Takes an operation that is over below off its socket. */
static void Unlink(OPERATION *op)
{
	EnterCriticalSection(&lock);
	*op->link = op->next;
	if (op->next != NULL)
		op->next->link = op->link;
	outstanding--;
	LeaveCriticalSection(&lock);
}

static void Free(OPERATION *op)
{
	int ignored;

	if (op->opened)
		upcalls.lpWPUCloseThread(&op->thread, &ignored);
	free(op);
}

int Begun(OPERATION *op, int rc, int error, LPINT lpErrno)
{
	SOCK *sock;

	if (rc != SOCKET_ERROR || error == WSA_IO_PENDING) {
		/* Its completion comes to the port in any case, and may have been there
		 * already: op is not ours any more. */
		*lpErrno = WSA_IO_PENDING;
		return SOCKET_ERROR;
	}
	sock = op->sock;
	op->client->OffsetHigh = error;
	StoreInternal(op->client, 0);
	Unlink(op);
	Free(op);
	Release(sock);
	*lpErrno = error;
	return SOCKET_ERROR;
}

/* The APC: runs the client's routine on the client's thread. */
static void CALLBACK Routine(DWORD_PTR context)
{
	OPERATION *op = (OPERATION *)context;
	LPWSAOVERLAPPED client = op->client;
	LPWSAOVERLAPPED_COMPLETION_ROUTINE routine = op->routine;

	Free(op);
	routine(client->OffsetHigh, (DWORD)client->InternalHigh, client, client->Offset);
}

/* Tells the client of an operation that has ended below. */
static void Finish(OPERATION *op, BOOL success, DWORD bytes)
{
	SOCK *sock = op->sock;
	LPWSAOVERLAPPED client = op->client;
	DWORD flags = 0;
	int error = 0, ignored;
	BOOL quiet, closed;

	EnterCriticalSection(&lock);
	closed = sock->closed;
	quiet = ending;
	LeaveCriticalSection(&lock);
	/* The port has a code of the system's; the provider has its own, and flags. */
	if (closed || (!sock->below->table.lpWSPGetOverlappedResult(sock->lower, &op->below, &bytes, FALSE, &flags, &error) && error == WSAENOTSOCK))
		error = success ? 0 : WSA_OPERATION_ABORTED;
	/* The last cleanup aborts them all, in whatever order their sockets go. */
	if (quiet && error != 0)
		error = WSA_OPERATION_ABORTED;
	Unlink(op);
	EnterCriticalSection(&lock);
	if (op->sends)
		sock->sent += bytes;
	else
		sock->received += bytes;
	LeaveCriticalSection(&lock);

	client->Offset = flags;
	client->OffsetHigh = error;
	if (quiet || op->routine != NULL) {
		client->InternalHigh = bytes;
		StoreInternal(client, 0);
		if (quiet || upcalls.lpWPUQueueApc(&op->thread, Routine, (DWORD_PTR)op, &ignored) == SOCKET_ERROR)
			Free(op); /* the client has gone, or its thread */
	} else {
		Free(op);
		/* After this the client may use its OVERLAPPED for something else. */
		WPUCompleteOverlappedRequest(sock->upper, client, error, bytes, &ignored);
	}
	EnterCriticalSection(&lock);
	WakeAllConditionVariable(&finished);
	LeaveCriticalSection(&lock);
	Release(sock);
}

static DWORD WINAPI Work(LPVOID unused)
{
	BOOL stop = FALSE;

	(void)unused;
	while (!stop) {
		LPOVERLAPPED below = NULL;
		ULONG_PTR key = STOP;
		DWORD bytes = 0;
		BOOL success = GetQueuedCompletionStatus(port, &bytes, &key, &below, INFINITE);

		if (below != NULL)
			Finish((OPERATION *)below, success, bytes);
		else if (!success)
			break;
		EnterCriticalSection(&lock);
		stop = stopping && outstanding == 0;
		LeaveCriticalSection(&lock);
	}
	return 0;
}

BOOL StartWorker(void)
{
	BOOL started;

	EnterCriticalSection(&lock);
	if (worker == NULL) {
		stopping = FALSE;
		port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
		worker = port != NULL ? CreateThread(NULL, 0, Work, NULL, 0, NULL) : NULL;
		if (worker == NULL && port != NULL)
			CloseHandle(port);
	}
	started = worker != NULL;
	LeaveCriticalSection(&lock);
	return started;
}

void StopWorker(void)
{
	EnterCriticalSection(&lock);
	stopping = TRUE;
	LeaveCriticalSection(&lock);
	PostQueuedCompletionStatus(port, 0, STOP, NULL);
	WaitForSingleObject(worker, INFINITE);
	CloseHandle(worker);
	CloseHandle(port);
	worker = NULL;
}

int Cancel(SOCK *sock, const void *in, DWORD size, LPINT lpErrno)
{
	CANCEL_REQUEST request;
	OPERATION *op;
	DWORD bytes;
	int rc = SOCKET_ERROR;

	if (in == NULL || size < sizeof request) {
		*lpErrno = WSAEFAULT;
		return SOCKET_ERROR;
	}
	memcpy(&request, in, sizeof request);
	if (request.Overlapped != 0) {
		/* The one below is named by the address of the layer's own. */
		EnterCriticalSection(&lock);
		for (op = sock->operations; op != NULL && op->client != (LPWSAOVERLAPPED)request.Overlapped; op = op->next)
			;
		request.Overlapped = (ULONG_PTR)op;
		LeaveCriticalSection(&lock);
		if (op == NULL) {
			*lpErrno = ERROR_NOT_FOUND;
			return SOCKET_ERROR;
		}
	}
	rc = sock->below->table.lpWSPIoctl(sock->lower, SIO_CANCEL_IO, &request, sizeof request, NULL, 0, &bytes, NULL, NULL, NULL, lpErrno);
	return rc;
}

static int WSPAPI LayerSend(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags, LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT lpErrno)
{
	SOCK *sock = Acquire(s, lpErrno);
	OPERATION *op;
	int rc, error = 0;

	if (sock == NULL)
		return SOCKET_ERROR;
	if (overlapped == NULL || !sock->overlapped) {
		rc = sock->below->table.lpWSPSend(sock->lower, buffers, count, sent, flags, NULL, NULL, thread, lpErrno);
		if (rc == 0 && sent != NULL)
			InterlockedExchangeAdd64(&sock->sent, *sent);
		Release(sock);
		return rc;
	}
	op = Begin(sock, overlapped, routine, thread, lpErrno);
	if (op == NULL)
		return SOCKET_ERROR;
	op->sends = TRUE;
	rc = sock->below->table.lpWSPSend(sock->lower, buffers, count, &op->entries[0], flags, &op->below, NULL, thread, &error);
	return Begun(op, rc, error, lpErrno);
}

static int WSPAPI LayerSendTo(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags, const struct sockaddr *to, int tolen, LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT lpErrno)
{
	SOCK *sock = Acquire(s, lpErrno);
	OPERATION *op;
	int rc, error = 0;

	if (sock == NULL)
		return SOCKET_ERROR;
	if (overlapped == NULL || !sock->overlapped) {
		rc = sock->below->table.lpWSPSendTo(sock->lower, buffers, count, sent, flags, to, tolen, NULL, NULL, thread, lpErrno);
		if (rc == 0 && sent != NULL)
			InterlockedExchangeAdd64(&sock->sent, *sent);
		Release(sock);
		return rc;
	}
	op = Begin(sock, overlapped, routine, thread, lpErrno);
	if (op == NULL)
		return SOCKET_ERROR;
	op->sends = TRUE;
	rc = sock->below->table.lpWSPSendTo(sock->lower, buffers, count, &op->entries[0], flags, to, tolen, &op->below, NULL, thread, &error);
	return Begun(op, rc, error, lpErrno);
}

static int WSPAPI LayerRecv(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD received, LPDWORD flags, LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT lpErrno)
{
	SOCK *sock = Acquire(s, lpErrno);
	OPERATION *op;
	int rc, error = 0;

	if (sock == NULL)
		return SOCKET_ERROR;
	if (overlapped == NULL || !sock->overlapped) {
		rc = sock->below->table.lpWSPRecv(sock->lower, buffers, count, received, flags, NULL, NULL, thread, lpErrno);
		if (rc == 0 && received != NULL)
			InterlockedExchangeAdd64(&sock->received, *received);
		Release(sock);
		return rc;
	}
	op = Begin(sock, overlapped, routine, thread, lpErrno);
	if (op == NULL)
		return SOCKET_ERROR;
	/* The client's count and flags are not to change while it is under way. */
	op->flags = flags != NULL ? *flags : 0;
	rc = sock->below->table.lpWSPRecv(sock->lower, buffers, count, &op->entries[0], &op->flags, &op->below, NULL, thread, &error);
	return Begun(op, rc, error, lpErrno);
}

static int WSPAPI LayerRecvFrom(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD received, LPDWORD flags, struct sockaddr *from, LPINT fromlen, LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT lpErrno)
{
	SOCK *sock = Acquire(s, lpErrno);
	OPERATION *op;
	int rc, error = 0;

	if (sock == NULL)
		return SOCKET_ERROR;
	if (overlapped == NULL || !sock->overlapped) {
		rc = sock->below->table.lpWSPRecvFrom(sock->lower, buffers, count, received, flags, from, fromlen, NULL, NULL, thread, lpErrno);
		if (rc == 0 && received != NULL)
			InterlockedExchangeAdd64(&sock->received, *received);
		Release(sock);
		return rc;
	}
	op = Begin(sock, overlapped, routine, thread, lpErrno);
	if (op == NULL)
		return SOCKET_ERROR;
	op->flags = flags != NULL ? *flags : 0;
	rc = sock->below->table.lpWSPRecvFrom(sock->lower, buffers, count, &op->entries[0], &op->flags, from, fromlen, &op->below, NULL, thread, &error);
	return Begun(op, rc, error, lpErrno);
}

static int WSPAPI LayerIoctl(SOCKET s, DWORD code, LPVOID in, DWORD insize, LPVOID out, DWORD outsize, LPDWORD returned, LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT lpErrno)
{
	SOCK *sock = Acquire(s, lpErrno);
	OPERATION *op;
	int rc, error = 0;

	if (sock == NULL)
		return SOCKET_ERROR;
	if (code == SIO_GET_EXTENSION_FUNCTION_POINTER || code == SIO_CANCEL_IO) {
		rc = code == SIO_CANCEL_IO ? Cancel(sock, in, insize, lpErrno) : Extension(sock, in, insize, out, outsize, returned, lpErrno);
		Release(sock);
		return rc;
	}
	if (overlapped == NULL || !sock->overlapped) {
		rc = sock->below->table.lpWSPIoctl(sock->lower, code, in, insize, out, outsize, returned, NULL, NULL, thread, lpErrno);
		Release(sock);
		return rc;
	}
	op = Begin(sock, overlapped, routine, thread, lpErrno);
	if (op == NULL)
		return SOCKET_ERROR;
	rc = sock->below->table.lpWSPIoctl(sock->lower, code, in, insize, out, outsize, &op->entries[0], &op->below, NULL, thread, &error);
	return Begun(op, rc, error, lpErrno);
}

static BOOL WSPAPI LayerGetOverlappedResult(SOCKET s, LPWSAOVERLAPPED overlapped, LPDWORD transferred, BOOL wait, LPDWORD flags, LPINT lpErrno)
{
	SOCK *sock = Acquire(s, lpErrno);

	if (sock == NULL)
		return FALSE;
	if (overlapped == NULL || transferred == NULL || flags == NULL) {
		*lpErrno = WSAEFAULT;
		Release(sock);
		return FALSE;
	}
	EnterCriticalSection(&lock);
	while (wait && InProgress(overlapped))
		SleepConditionVariableCS(&finished, &lock, INFINITE);
	LeaveCriticalSection(&lock);
	Release(sock);
	if (InProgress(overlapped)) {
		*lpErrno = WSA_IO_INCOMPLETE;
		return FALSE;
	}
	*transferred = (DWORD)overlapped->InternalHigh;
	*flags = overlapped->Offset;
	*lpErrno = overlapped->OffsetHigh;
	return overlapped->OffsetHigh == 0;
}

void FillOverlapped(LPWSPPROC_TABLE table)
{
	table->lpWSPGetOverlappedResult = LayerGetOverlappedResult;
	table->lpWSPIoctl = LayerIoctl;
	table->lpWSPRecv = LayerRecv;
	table->lpWSPRecvFrom = LayerRecvFrom;
	table->lpWSPSend = LayerSend;
	table->lpWSPSendTo = LayerSendTo;
}
