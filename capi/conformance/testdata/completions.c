/* Completion by a provider, and calls that go down to it. */
#include "provider.h"

static struct fake *the;
static int error;
static SOCKET s;

static void up(void)
{
	if (!the)
		the = provider(0, tcp());
	start(MAKEWORD(2, 2));
	s = stream();
}

static void pending(OVERLAPPED *ov, WSAEVENT e)
{
	memset(ov, 0, sizeof *ov);
	ov->Internal = WSS_OPERATION_IN_PROGRESS;
	ov->hEvent = e;
}

enum { ROUNDS = 2000 };
static OVERLAPPED operations[ROUNDS];

static void *reader(void *nothing)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		while (__atomic_load_n(&operations[i].Internal, __ATOMIC_ACQUIRE) == WSS_OPERATION_IN_PROGRESS)
			sched_yield();
		EQUAL(operations[i].InternalHigh, i + 1);
	}
	return 0;
}

BEHAVIOUR(30)
{
	pthread_t thread;
	int i;

	up();
	for (i = 0; i < ROUNDS; i++)
		pending(&operations[i], 0);
	OK(pthread_create(&thread, 0, reader, 0));
	for (i = 0; i < ROUNDS; i++)
		OK(WPUCompleteOverlappedRequest(s, &operations[i], 0, i + 1, &error));
	OK(pthread_join(thread, 0));
}

BEHAVIOUR(36)
{
	OVERLAPPED ov;

	up();
	pending(&ov, new_event());
	ov.Offset = 0x12345678;
	ov.OffsetHigh = 0x9abcdef0;
	OK(WPUCompleteOverlappedRequest(s, &ov, WSAECONNRESET, 3, &error));
	EQUAL(ov.Offset, 0x12345678);
	EQUAL(ov.OffsetHigh, 0x9abcdef0);
}

BEHAVIOUR(38)
{
	OVERLAPPED ov, other;
	SOCKET t;
	HANDLE port;
	DWORD n;
	ULONG_PTR key;
	OVERLAPPED *found;

	up();
	t = stream();
	port = CreateIoCompletionPort((HANDLE)t, 0, 7, 0);
	CHECK(port != 0);
	pending(&ov, new_event());
	pending(&other, new_event());
	OK(WPUCompleteOverlappedRequest(s, &ov, 0, 1, &error));
	CHECK(is_set(ov.hEvent));
	CHECK(!is_set(other.hEvent));
	EQUAL(other.Internal, WSS_OPERATION_IN_PROGRESS);
	CHECK(!GetQueuedCompletionStatus(port, &n, &key, &found, 0));
	CHECK(found == 0);
	OK(WPUCompleteOverlappedRequest(t, &other, 0, 2, &error));
	CHECK(GetQueuedCompletionStatus(port, &n, &key, &found, 0));
	CHECK(found == &other && n == 2 && key == 7);
	CHECK(CloseHandle(port));
}

static BOOL WSPAPI result(SOCKET t, LPWSAOVERLAPPED ov, LPDWORD n, BOOL wait, LPDWORD flags, LPINT error)
{
	CHECK(t == s);
	if (ov->Internal == WSS_OPERATION_IN_PROGRESS) {
		*error = WSA_IO_INCOMPLETE;
		return FALSE;
	}
	*n = ov->InternalHigh + 100;
	*flags = ov->Offset;
	*error = ov->OffsetHigh;
	return ov->OffsetHigh == 0;
}

BEHAVIOUR(39)
{
	OVERLAPPED ov;
	DWORD n = 99, flags = 99;

	the = provider(0, tcp());
	the->table.lpWSPGetOverlappedResult = result;
	up();
	pending(&ov, 0);
	FAILS(WSAGetOverlappedResult(s, &ov, &n, FALSE, &flags), WSA_IO_INCOMPLETE);
	EQUAL(n, 99);
	ov.Offset = MSG_PARTIAL;
	OK(WPUCompleteOverlappedRequest(s, &ov, 0, 5, &error));
	CHECK(WSAGetOverlappedResult(s, &ov, &n, FALSE, &flags));
	EQUAL(n, 105);
	EQUAL(flags, MSG_PARTIAL);
	ov.OffsetHigh = WSAEDISCON;
	FAILS(WSAGetOverlappedResult(s, &ov, &n, FALSE, &flags), WSAEDISCON);
}

static int WSPAPI fail_silently(SOCKET t, int backlog, LPINT error)
{
	return SOCKET_ERROR;
}

static SOCKET WSPAPI accept_nothing(SOCKET t, struct sockaddr *name, LPINT length, LPCONDITIONPROC condition, DWORD_PTR data, LPINT error)
{
	return INVALID_SOCKET;
}

BEHAVIOUR(79)
{
	the = provider(0, tcp());
	the->table.lpWSPListen = fail_silently;
	the->table.lpWSPAccept = accept_nothing;
	up();
	FAILS(listen(s, 1), WSASYSCALLFAILURE);
	FAILS(accept(s, 0, 0), WSASYSCALLFAILURE);
}

static DWORD_PTR last_context;
static int last_query = -1, last_close = -1, last_event = -1, last_thread = -1;
static WSAEVENT event;
static WSATHREADID id;

static int WSPAPI last_cleanup(LPINT error)
{
	last_query = the->upcalls.lpWPUQuerySocketHandleContext(s, &last_context, error);
	last_close = the->upcalls.lpWPUCloseSocketHandle(s, error);
	last_event = the->upcalls.lpWPUCloseEvent(event, error);
	last_thread = the->upcalls.lpWPUCloseThread(&id, error);
	the->cleanups++;
	return 0;
}

BEHAVIOUR(123)
{
	the = provider(0, tcp());
	the->table.lpWSPCleanup = last_cleanup;
	up();
	event = the->upcalls.lpWPUCreateEvent(&error);
	OK(the->upcalls.lpWPUOpenCurrentThread(&id, &error));
	OK(WSACleanup());
	EQUAL(the->cleanups, 1);
	OK(last_query);
	CHECK((struct fake *)last_context == the);
	OK(last_close);
	EQUAL(last_event, TRUE);
	OK(last_thread);
	REFUSES(the->upcalls.lpWPUQuerySocketHandleContext(s, &last_context, &error), WSAENOTSOCK);
}

static pthread_barrier_t inside, leave;

static int WSPAPI stay(SOCKET t, int backlog, LPINT error)
{
	pthread_barrier_wait(&inside);
	pthread_barrier_wait(&leave);
	return 0;
}

static void *listening(void *nothing)
{
	OK(listen(s, 1));
	return 0;
}

BEHAVIOUR(124)
{
	pthread_t thread;
	DWORD_PTR context;
	SOCKET another;

	the = provider(0, tcp());
	the->table.lpWSPListen = stay;
	OK(pthread_barrier_init(&inside, 0, 2));
	OK(pthread_barrier_init(&leave, 0, 2));
	up();
	OK(pthread_create(&thread, 0, listening, 0));
	pthread_barrier_wait(&inside);
	OK(the->upcalls.lpWPUQuerySocketHandleContext(s, &context, &error));
	CHECK((struct fake *)context == the);
	another = the->upcalls.lpWPUCreateSocketHandle(the->ids[0], 1, &error);
	OK(the->upcalls.lpWPUCloseSocketHandle(another, &error));
	OK(closesocket(stream()));
	pthread_barrier_wait(&leave);
	OK(pthread_join(thread, 0));
}

/* The thread id of every transfer, by the thread that made the call. */
static __thread WSATHREADID seen;
static __thread int transfers;

static int noted(const WSATHREADID *thread)
{
	CHECK(thread != 0);
	if (transfers++ == 0)
		seen = *thread;
	EQUAL(thread->ThreadHandle, seen.ThreadHandle);
	EQUAL(thread->Reserved, seen.Reserved);
	return 0;
}

static int WSPAPI note_recv(SOCKET t, LPWSABUF bufs, DWORD count, LPDWORD n, LPDWORD flags, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error)
{
	return noted(thread);
}

static int WSPAPI note_send(SOCKET t, LPWSABUF bufs, DWORD count, LPDWORD n, DWORD flags, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error)
{
	return noted(thread);
}

static int WSPAPI note_recv_from(SOCKET t, LPWSABUF bufs, DWORD count, LPDWORD n, LPDWORD flags, struct sockaddr *from, LPINT length, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error)
{
	return noted(thread);
}

static int WSPAPI note_send_to(SOCKET t, LPWSABUF bufs, DWORD count, LPDWORD n, DWORD flags, const struct sockaddr *to, int length, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error)
{
	return noted(thread);
}

static void *transfer(void *out)
{
	struct sockaddr_in a = loopback(1);
	char c = 0;
	WSABUF b = buffer(&c, 1);
	DWORD n, flags = 0;
	OVERLAPPED ov;

	memset(&ov, 0, sizeof ov);
	send(s, &c, 1, 0);
	recv(s, &c, 1, 0);
	sendto(s, &c, 1, 0, (struct sockaddr *)&a, sizeof a);
	recvfrom(s, &c, 1, 0, 0, 0);
	WSASend(s, &b, 1, &n, 0, 0, 0);
	WSASend(s, &b, 1, &n, 0, &ov, 0);
	WSARecv(s, &b, 1, &n, &flags, &ov, 0);
	WSASendTo(s, &b, 1, &n, 0, (struct sockaddr *)&a, sizeof a, &ov, 0);
	WSARecvFrom(s, &b, 1, &n, &flags, 0, 0, &ov, 0);
	EQUAL(transfers, 9);
	*(WSATHREADID *)out = seen;
	return 0;
}

BEHAVIOUR(125)
{
	pthread_t thread;
	WSATHREADID mine, its;

	the = provider(0, tcp());
	the->table.lpWSPRecv = note_recv;
	the->table.lpWSPSend = note_send;
	the->table.lpWSPRecvFrom = note_recv_from;
	the->table.lpWSPSendTo = note_send_to;
	up();
	transfer(&mine);
	OK(pthread_create(&thread, 0, transfer, &its));
	OK(pthread_join(thread, 0));
	CHECK(mine.ThreadHandle != its.ThreadHandle || mine.Reserved != its.Reserved);
}

BEHAVIOUR(126)
{
	static const DWORD codes[] = {WSAECONNRESET, WSA_OPERATION_ABORTED};
	OVERLAPPED ov, *found;
	HANDLE port;
	DWORD n;
	ULONG_PTR key;
	int i;

	up();
	port = CreateIoCompletionPort((HANDLE)s, 0, 5, 0);
	CHECK(port != 0);
	for (i = 0; i < 2; i++) {
		pending(&ov, new_event());
		OK(WPUCompleteOverlappedRequest(s, &ov, codes[i], 0, &error));
		CHECK(is_set(ov.hEvent));
		FAILS(GetQueuedCompletionStatus(port, &n, &key, &found, 0), codes[i]);
		CHECK(found == &ov && key == 5);
		CHECK(WSACloseEvent(ov.hEvent));
	}
	CHECK(CloseHandle(port));
}
