/* Overlapped operations: events, completion routines, ports. */
#include "behaviour.h"

static OVERLAPPED with_event(WSAEVENT e)
{
	OVERLAPPED ov;

	memset(&ov, 0, sizeof ov);
	ov.hEvent = e;
	return ov;
}

/* Starts a receive that has to wait. */
static void receive(SOCKET s, void *p, size_t n, OVERLAPPED *ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
	DWORD got = 4711, flags = 0;
	WSABUF b = buffer(p, n);

	FAILS(WSARecv(s, &b, 1, &got, &flags, ov, routine), WSA_IO_PENDING);
	EQUAL(got, 4711);
	EQUAL(flags, 0);
	memset(&b, 0, sizeof b); /* the array has been copied */
}

BEHAVIOUR(29)
{
	SOCKET one, other;
	WSAEVENT e;
	OVERLAPPED ov;
	char buf[16];
	DWORD n, flags;

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	e = new_event();
	ov = with_event(e);
	receive(one, buf, sizeof buf, &ov, 0);
	CHECK(!is_set(e));
	say(other, "0123456789");
	await(e);
	CHECK(HasOverlappedIoCompleted(&ov));
	EQUAL(ov.InternalHigh, 10);
	CHECK(WSAGetOverlappedResult(one, &ov, &n, FALSE, &flags));
	EQUAL(n, 10);
	CHECK(!memcmp(buf, "0123456789", 10));
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(WSACloseEvent(e));
}

BEHAVIOUR(40)
{
	SOCKET one, other;
	WSAEVENT e;
	OVERLAPPED ov;
	char buf[16];
	DWORD n = 4711, flags = 0;

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	e = new_event();
	ov = with_event(e);
	receive(one, buf, sizeof buf, &ov, 0);
	FAILS(WSAGetOverlappedResult(one, &ov, &n, FALSE, &flags), WSA_IO_INCOMPLETE);
	EQUAL(n, 4711);
	say(other, "x");
	CHECK(WSAGetOverlappedResult(one, &ov, &n, TRUE, &flags));
	EQUAL(n, 1);
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(WSACloseEvent(e));
}

static void *later(void *s)
{
	say(*(SOCKET *)s, "late");
	return 0;
}

BEHAVIOUR(41)
{
	SOCKET one, other;
	WSAEVENT e;
	OVERLAPPED ov;
	char buf[16];
	DWORD n = 0, flags = 0;
	pthread_t t;

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	e = new_event();
	ov = with_event(e);
	receive(one, buf, sizeof buf, &ov, 0);
	OK(pthread_create(&t, 0, later, &other));
	CHECK(WSAGetOverlappedResult(one, &ov, &n, TRUE, &flags));
	EQUAL(n, 4);
	OK(pthread_join(t, 0));
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(WSACloseEvent(e));
}

BEHAVIOUR(42)
{
	SOCKET one, other;
	WSAEVENT e;
	OVERLAPPED ov;
	char buf[16];

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	e = new_event();
	ov = with_event(e);
	receive(one, buf, sizeof buf, &ov, 0);
	OK(closesocket(one));
	await(e);
	CHECK(HasOverlappedIoCompleted(&ov));
	EQUAL(ov.InternalHigh, 0);
	CHECK(ov.Internal != 0);
	OK(closesocket(other));
	CHECK(WSACloseEvent(e));
}

/* Success at once has been indicated when the call returns; true if it was so. */
static int indicated(int result, WSAEVENT e)
{
	if (result == 0) {
		CHECK(is_set(e));
		return 1;
	}
	EQUAL(WSAGetLastError(), WSA_IO_PENDING);
	await(e);
	return 0;
}

BEHAVIOUR(44)
{
	SOCKET one, other;
	WSAEVENT e;
	OVERLAPPED ov;
	char text[] = "at once";
	DWORD sent = 0, got = 0, flags = 0;
	WSABUF b = buffer(text, 7);

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	e = new_event();
	ov = with_event(e);
	if (indicated(WSASend(other, &b, 1, &sent, 0, &ov, 0), e))
		EQUAL(sent, 7);
	EQUAL(ov.InternalHigh, 7);
	readable(one);
	CHECK(WSAResetEvent(e));
	ov = with_event(e);
	if (indicated(WSARecv(one, &b, 1, &got, &flags, &ov, 0), e))
		EQUAL(got, 7);
	EQUAL(ov.InternalHigh, 7);
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(WSACloseEvent(e));
}

BEHAVIOUR(45)
{
	SOCKET s;
	WSAEVENT e;
	OVERLAPPED ov;
	char buf[4];
	DWORD n = 0, flags = 0;
	WSABUF b = buffer(buf, sizeof buf);

	start(MAKEWORD(2, 2));
	s = bound(SOCK_STREAM);
	e = new_event();
	ov = with_event(e);
	FAILS(WSARecv(s, &b, 1, &n, &flags, &ov, 0), WSAENOTCONN);
	CHECK(!is_set(e));
	FAILS(WSARecv(s, &b, 1, 0, &flags, 0, 0), WSAEFAULT);
	FAILS(WSARecv(s, 0, 1, &n, &flags, 0, 0), WSAEFAULT);
	FAILS(WSASend(s, 0, 1, &n, 0, 0, 0), WSAEFAULT);
	OK(closesocket(s));
	CHECK(WSACloseEvent(e));
}

static struct {
	int calls;
	DWORD error, n, flags;
	OVERLAPPED *ov;
	pthread_t thread;
} completed;

static void CALLBACK routine(DWORD error, DWORD n, LPWSAOVERLAPPED ov, DWORD flags)
{
	completed.calls++;
	completed.error = error;
	completed.n = n;
	completed.flags = flags;
	completed.ov = ov;
	completed.thread = pthread_self();
}

BEHAVIOUR(47)
{
	SOCKET one, other;
	WSAEVENT e;
	OVERLAPPED ov;
	char buf[16];

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	e = new_event();
	ov = with_event(0);
	receive(one, buf, sizeof buf, &ov, routine);
	say(other, "12345");
	EQUAL(completed.calls, 0);
	EQUAL(WSAWaitForMultipleEvents(1, &e, FALSE, PATIENCE, TRUE), WSA_WAIT_IO_COMPLETION);
	EQUAL(completed.calls, 1);
	EQUAL(completed.error, 0);
	EQUAL(completed.n, 5);
	CHECK(completed.ov == &ov);
	CHECK(pthread_equal(completed.thread, pthread_self()));
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(WSACloseEvent(e));
}

BEHAVIOUR(48)
{
	SOCKET one, other;
	WSAEVENT e;
	OVERLAPPED ov;
	char buf[16];

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	e = new_event();
	ov = with_event(0);
	receive(one, buf, sizeof buf, &ov, routine);
	OK(closesocket(other));
	EQUAL(WSAWaitForMultipleEvents(1, &e, FALSE, 20, FALSE), WSA_WAIT_TIMEOUT);
	EQUAL(completed.calls, 0);
	EQUAL(SleepEx(PATIENCE, TRUE), WAIT_IO_COMPLETION);
	EQUAL(completed.calls, 1);
	EQUAL(completed.error, 0);
	EQUAL(completed.n, 0);
	OK(closesocket(one));
	CHECK(WSACloseEvent(e));
}

static char order[8];

static void CALLBACK note(ULONG_PTR which)
{
	order[strlen(order)] = (char)which;
}

BEHAVIOUR(49)
{
	start(MAKEWORD(2, 2));
	CHECK(QueueUserAPC(note, GetCurrentThread(), 'a'));
	CHECK(QueueUserAPC(note, GetCurrentThread(), 'b'));
	CHECK(QueueUserAPC(note, GetCurrentThread(), 'c'));
	EQUAL(SleepEx(0, FALSE), 0);
	EQUAL(strlen(order), 0);
	EQUAL(SleepEx(PATIENCE, TRUE), WAIT_IO_COMPLETION);
	CHECK(!strcmp(order, "abc"));
}

BEHAVIOUR(54)
{
	SOCKET one, other;
	WSAEVENT e, never;
	OVERLAPPED ov;
	char buf[16];

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	e = new_event();
	never = new_event();
	ov = with_event(e);
	receive(one, buf, sizeof buf, &ov, routine);
	say(other, "x");
	EQUAL(WSAWaitForMultipleEvents(1, &never, FALSE, PATIENCE, TRUE), WSA_WAIT_IO_COMPLETION);
	EQUAL(completed.n, 1);
	CHECK(!is_set(e));
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(WSACloseEvent(e));
	CHECK(WSACloseEvent(never));
}

BEHAVIOUR(55)
{
	SOCKET one, other;
	char text[] = "x";
	DWORD n = 0, flags = 0;
	WSABUF b = buffer(text, 1);

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	OK(WSASend(one, &b, 1, &n, 0, 0, routine));
	OK(WSARecv(other, &b, 1, &n, &flags, 0, routine));
	EQUAL(SleepEx(20, TRUE), 0);
	EQUAL(completed.calls, 0);
	OK(closesocket(one));
	OK(closesocket(other));
}

BEHAVIOUR(114)
{
	SOCKET one, other;
	WSAEVENT e;
	OVERLAPPED ov;
	char buf[16] = "", wrong[16] = "";
	DWORD flags = 0;
	WSABUF b[2] = {buffer(buf, 2), buffer(buf + 2, sizeof buf - 2)};

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	e = new_event();
	ov = with_event(e);
	FAILS(WSARecv(one, b, 2, 0, &flags, &ov, 0), WSA_IO_PENDING);
	b[0] = b[1] = buffer(wrong, sizeof wrong);
	say(other, "scattered");
	await(e);
	EQUAL(ov.InternalHigh, 9);
	CHECK(!memcmp(buf, "scattered", 9));
	CHECK(!wrong[0]);
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(WSACloseEvent(e));
}

BEHAVIOUR(121)
{
	SOCKET one, other;
	WSAEVENT e;
	OVERLAPPED ov;
	char buf[4];
	int i;

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	e = new_event();
	for (i = 0; i < 200; i++) {
		pthread_t t;

		CHECK(WSAResetEvent(e));
		ov = with_event(e);
		receive(one, buf, sizeof buf, &ov, 0);
		OK(pthread_create(&t, 0, later, &other));
		await(e);
		CHECK(HasOverlappedIoCompleted(&ov));
		EQUAL(ov.InternalHigh, 4);
		OK(pthread_join(t, 0));
	}
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(WSACloseEvent(e));
}

static HANDLE new_port(void)
{
	HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, 0, 0, 0);

	CHECK(port != 0);
	return port;
}

BEHAVIOUR(32)
{
	SOCKET one, other;
	HANDLE port;
	OVERLAPPED ov = with_event(0), *got = 0;
	char buf[16];
	DWORD n = 0;
	ULONG_PTR key = 0;

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	port = new_port();
	CHECK(CreateIoCompletionPort((HANDLE)one, port, 4711, 0) == port);
	receive(one, buf, sizeof buf, &ov, 0);
	CHECK(!GetQueuedCompletionStatus(port, &n, &key, &got, 0));
	EQUAL(GetLastError(), WAIT_TIMEOUT);
	CHECK(!got);
	say(other, "abc");
	CHECK(GetQueuedCompletionStatus(port, &n, &key, &got, PATIENCE));
	EQUAL(n, 3);
	EQUAL(key, 4711);
	CHECK(got == &ov);
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(CloseHandle(port));
}

BEHAVIOUR(33)
{
	SOCKET one, other;
	HANDLE port;
	WSAEVENT e;
	OVERLAPPED ov, *got = 0;
	char buf[16];
	DWORD n = 0;
	ULONG_PTR key = 0;

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	port = new_port();
	e = new_event();
	CHECK(CreateIoCompletionPort((HANDLE)one, port, 1, 0) == port);
	ov = with_event((WSAEVENT)((ULONG_PTR)e | 1));
	receive(one, buf, sizeof buf, &ov, 0);
	say(other, "abc");
	while (!HasOverlappedIoCompleted(&ov))
		CHECK(!GetQueuedCompletionStatus(port, &n, &key, &got, 10));
	await(e);
	CHECK(!GetQueuedCompletionStatus(port, &n, &key, &got, 0));
	CHECK(!got);
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(WSACloseEvent(e));
	CHECK(CloseHandle(port));
}

BEHAVIOUR(35)
{
	SOCKET one, other;
	HANDLE port;
	OVERLAPPED ov = with_event(0), *got = 0;
	char buf[16];
	DWORD n = 0;
	ULONG_PTR key = 0;

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	port = new_port();
	CHECK(CreateIoCompletionPort((HANDLE)one, port, 9, 0) == port);
	receive(one, buf, sizeof buf, &ov, 0);
	OK(closesocket(one));
	SetLastError(0);
	CHECK(!GetQueuedCompletionStatus(port, &n, &key, &got, PATIENCE));
	EQUAL(GetLastError(), ERROR_OPERATION_ABORTED);
	CHECK(got == &ov);
	EQUAL(key, 9);
	OK(closesocket(other));
	CHECK(CloseHandle(port));
}

BEHAVIOUR(37)
{
	SOCKET one, other, third, fourth;
	HANDLE port;
	OVERLAPPED first = with_event(0), second = with_event(0), *got = 0;
	char buf[2][16];
	DWORD n = 0;
	ULONG_PTR key = 0;

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	pair(&third, &fourth);
	port = new_port();
	CHECK(CreateIoCompletionPort((HANDLE)one, port, 1, 0) == port);
	CHECK(CreateIoCompletionPort((HANDLE)third, port, 2, 0) == port);
	receive(one, buf[0], 16, &first, 0);
	receive(third, buf[1], 16, &second, 0);
	say(fourth, "later, but first");
	CHECK(GetQueuedCompletionStatus(port, &n, &key, &got, PATIENCE));
	CHECK(got == &second);
	EQUAL(key, 2);
	say(other, "x");
	CHECK(GetQueuedCompletionStatus(port, &n, &key, &got, PATIENCE));
	CHECK(got == &first);
	EQUAL(key, 1);
	OK(closesocket(one));
	OK(closesocket(other));
	OK(closesocket(third));
	OK(closesocket(fourth));
	CHECK(CloseHandle(port));
}

BEHAVIOUR(31)
{
	SOCKET one, other;
	OVERLAPPED ov = with_event(0);
	char buf[16];

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	receive(one, buf, sizeof buf, &ov, 0);
	say(other, "abc");
	while (!HasOverlappedIoCompleted(&ov))
		Sleep(1);
	EQUAL(ov.InternalHigh, 3);
	CHECK(!memcmp(buf, "abc", 3));
	OK(closesocket(one));
	OK(closesocket(other));
}

BEHAVIOUR(34)
{
	SOCKET one, other;
	HANDLE port;
	WSAEVENT e;
	OVERLAPPED ov, *got = 0;
	char buf[16];
	DWORD n = 0;
	ULONG_PTR key = 0;

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	port = new_port();
	e = new_event();
	CHECK(CreateIoCompletionPort((HANDLE)one, port, 5, 0) == port);
	ov = with_event(e);
	receive(one, buf, sizeof buf, &ov, 0);
	say(other, "abc");
	CHECK(GetQueuedCompletionStatus(port, &n, &key, &got, PATIENCE));
	CHECK(got == &ov);
	await(e);
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(WSACloseEvent(e));
	CHECK(CloseHandle(port));
}

BEHAVIOUR(43)
{
	SOCKET one, other;
	WSAEVENT e;
	OVERLAPPED ov;
	char buf[16];

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	e = new_event();
	ov = with_event(e);
	receive(one, buf, sizeof buf, &ov, 0);
	OK(WSACleanup());
	CHECK(HasOverlappedIoCompleted(&ov));
	CHECK(ov.Internal != 0 || ov.OffsetHigh == WSA_OPERATION_ABORTED);
	start(MAKEWORD(2, 2));
	EQUAL(WSAWaitForMultipleEvents(1, &e, FALSE, 10, TRUE), WSA_WAIT_TIMEOUT);
	CHECK(WSACloseEvent(e));
}
