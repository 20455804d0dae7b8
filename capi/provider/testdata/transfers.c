/*
 * Sends and receives in every way that Winsock has, over whatever chain the
 * catalog has first for TCP over IPv4: blocking, by events, completion routines,
 * a completion port, messages, and by Winsock 1.1 with a blocking hook.
 */
#include "check.h"

enum { TOTAL = 200000, PIECE = 5000, ROUNDS = 20, WM_SOCKET = WM_USER + 7 };

static char pattern(int at)
{
	return (char)((unsigned)at * 2654435761u >> 24);
}

static void fill(char *p, int at, int n)
{
	for (int i = 0; i < n; i++)
		p[i] = pattern(at + i);
}

static void compare(const char *p, int at, int n)
{
	for (int i = 0; i < n; i++)
		EQUAL(p[i], pattern(at + i));
}

/* Sends the pattern from at on, as a thread. */
static DWORD WINAPI upload(LPVOID argument)
{
	SOCKET s = *(SOCKET *)argument;
	char buf[PIECE];

	for (int at = 0; at < TOTAL; at += PIECE) {
		fill(buf, at, PIECE);
		EQUAL(send(s, buf, PIECE, 0), PIECE);
	}
	OK(shutdown(s, SD_SEND));
	return 0;
}

static void join(HANDLE thread)
{
	EQUAL(WaitForSingleObject(thread, INFINITE), WAIT_OBJECT_0);
	CHECK(CloseHandle(thread));
}

static HANDLE begin(LPTHREAD_START_ROUTINE function, void *argument)
{
	HANDLE thread = CreateThread(NULL, 0, function, argument, 0, NULL);

	CHECK(thread != NULL);
	return thread;
}

static void blocking(void)
{
	SOCKET one, other;
	HANDLE thread;
	char buf[PIECE];
	int at = 0, n;

	pair(&one, &other);
	thread = begin(upload, &one);
	while ((n = recv(other, buf, sizeof buf, 0)) > 0) {
		compare(buf, at, n);
		at += n;
	}
	EQUAL(n, 0);
	EQUAL(at, TOTAL);
	join(thread);
	OK(closesocket(one));
	OK(closesocket(other));
}

static void pending(int rc)
{
	if (rc != 0)
		EQUAL(WSAGetLastError(), WSA_IO_PENDING);
}

/* Each receive is there before what it gets is sent. */
static void by_event(void)
{
	SOCKET one, other;
	char out[PIECE], in[PIECE];
	WSAOVERLAPPED sent, received;

	pair(&one, &other);
	memset(&sent, 0, sizeof sent);
	memset(&received, 0, sizeof received);
	sent.hEvent = WSACreateEvent();
	received.hEvent = WSACreateEvent();
	for (int i = 0; i < ROUNDS; i++) {
		WSABUF to = {PIECE, out}, from = {PIECE, in};
		DWORD n = 0, flags = MSG_WAITALL;

		fill(out, i, PIECE);
		pending(WSARecv(other, &from, 1, NULL, &flags, &received, NULL));
		pending(WSASend(one, &to, 1, NULL, 0, &sent, NULL));
		EQUAL(WSAWaitForMultipleEvents(1, &received.hEvent, TRUE, 30000, FALSE), WSA_WAIT_EVENT_0);
		CHECK(WSAGetOverlappedResult(other, &received, &n, FALSE, &flags));
		EQUAL(n, PIECE);
		compare(in, i, PIECE);
		CHECK(WSAGetOverlappedResult(one, &sent, &n, TRUE, &flags));
		EQUAL(n, PIECE);
	}
	CHECK(WSACloseEvent(sent.hEvent) && WSACloseEvent(received.hEvent));
	OK(closesocket(one));
	OK(closesocket(other));
}

static int routines;
static DWORD expected; /* the thread that they are to run on */
static WSAOVERLAPPED of_receive, of_send;

static void CALLBACK routine(DWORD error, DWORD n, LPWSAOVERLAPPED overlapped, DWORD flags)
{
	(void)flags;
	CHECK(overlapped == &of_receive || overlapped == &of_send);
	EQUAL(error, 0);
	EQUAL(n, PIECE);
	EQUAL(GetCurrentThreadId(), expected);
	routines++;
}

static void by_routine(void)
{
	SOCKET one, other;
	char out[PIECE], in[PIECE];

	pair(&one, &other);
	expected = GetCurrentThreadId();
	for (int i = 0; i < ROUNDS; i++) {
		WSABUF to = {PIECE, out}, from = {PIECE, in};
		DWORD flags = MSG_WAITALL;

		memset(&of_receive, 0, sizeof of_receive);
		memset(&of_send, 0, sizeof of_send);
		fill(out, i, PIECE);
		pending(WSARecv(other, &from, 1, NULL, &flags, &of_receive, routine));
		pending(WSASend(one, &to, 1, NULL, 0, &of_send, routine));
		EQUAL(routines, 2 * i);
		while (routines < 2 * i + 2)
			EQUAL(SleepEx(30000, TRUE), WAIT_IO_COMPLETION);
		compare(in, i, PIECE);
	}
	OK(closesocket(one));
	OK(closesocket(other));
}

static void by_port(void)
{
	SOCKET one, other;
	HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
	char out[PIECE], in[PIECE];
	WSAOVERLAPPED received;

	pair(&one, &other);
	CHECK(CreateIoCompletionPort((HANDLE)other, port, 77, 0) == port);
	for (int i = 0; i < ROUNDS; i++) {
		WSABUF from = {PIECE, in};
		DWORD n = 0, flags = MSG_WAITALL;
		ULONG_PTR key = 0;
		LPOVERLAPPED done = NULL;

		memset(&received, 0, sizeof received);
		fill(out, i, PIECE);
		pending(WSARecv(other, &from, 1, NULL, &flags, &received, NULL));
		EQUAL(send(one, out, PIECE, 0), PIECE);
		CHECK(GetQueuedCompletionStatus(port, &n, &key, &done, 30000));
		CHECK(done == &received);
		EQUAL(key, 77);
		EQUAL(n, PIECE);
		compare(in, i, PIECE);
	}
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(CloseHandle(port));
}

/* A client and a server that are called by messages only. */
static struct {
	SOCKET listening, client, accepted;
	int sent, echoed, held, received, connects, accepts, closes;
	char hold[TOTAL];
} m;

static void message_send(void)
{
	char buf[PIECE];

	while (m.sent < TOTAL) {
		int n;

		fill(buf, m.sent, PIECE);
		n = send(m.client, buf, TOTAL - m.sent < PIECE ? TOTAL - m.sent : PIECE, 0);
		if (n < 0) {
			EQUAL(WSAGetLastError(), WSAEWOULDBLOCK);
			return;
		}
		m.sent += n;
		if (m.sent == TOTAL)
			OK(shutdown(m.client, SD_SEND));
	}
}

static void message_echo(void)
{
	while (m.echoed < m.held) {
		int n = send(m.accepted, m.hold + m.echoed, m.held - m.echoed, 0);

		if (n < 0) {
			EQUAL(WSAGetLastError(), WSAEWOULDBLOCK);
			return;
		}
		m.echoed += n;
		if (m.echoed == TOTAL)
			OK(shutdown(m.accepted, SD_SEND));
	}
}

/* Takes what is there; true at the end of the stream. */
static int message_receive(SOCKET s)
{
	char buf[PIECE];
	int n;

	while ((n = recv(s, buf, sizeof buf, 0)) > 0)
		if (s == m.client) {
			compare(buf, m.received, n);
			m.received += n;
		} else {
			CHECK(m.held + n <= TOTAL);
			memcpy(m.hold + m.held, buf, n);
			m.held += n;
		}
	if (n < 0)
		EQUAL(WSAGetLastError(), WSAEWOULDBLOCK);
	return n == 0;
}

static LRESULT CALLBACK on_message(HWND window, UINT message, WPARAM wParam, LPARAM lParam)
{
	SOCKET s = (SOCKET)wParam;

	if (message != WM_SOCKET)
		return DefWindowProcA(window, message, wParam, lParam);
	EQUAL(WSAGETSELECTERROR(lParam), 0);
	switch (WSAGETSELECTEVENT(lParam)) {
	case FD_CONNECT:
		CHECK(s == m.client);
		m.connects++;
		break;
	case FD_ACCEPT:
		CHECK(s == m.listening);
		m.accepts++;
		m.accepted = accept(s, NULL, NULL); /* with the selection of its listener */
		CHECK(m.accepted != INVALID_SOCKET);
		break;
	case FD_WRITE:
		s == m.client ? message_send() : message_echo();
		break;
	case FD_READ:
		message_receive(s);
		if (s == m.accepted)
			message_echo();
		break;
	case FD_CLOSE:
		CHECK(message_receive(s));
		if (s == m.accepted)
			message_echo();
		m.closes++;
		if (m.closes == 2)
			PostQuitMessage(0);
		break;
	default:
		CHECK(!"the event was asked for");
	}
	return 0;
}

static void by_message(void)
{
	WNDCLASSA class;
	HWND window;
	MSG message;
	struct sockaddr_in a;

	memset(&class, 0, sizeof class);
	class.lpfnWndProc = on_message;
	class.lpszClassName = "Transfers";
	CHECK(RegisterClassA(&class));
	window = CreateWindowExA(0, "Transfers", "", 0, 0, 0, 0, 0, HWND_MESSAGE, 0, 0, 0);
	CHECK(window != NULL);
	m.listening = listener();
	a = address_of(m.listening);
	OK(WSAAsyncSelect(m.listening, window, WM_SOCKET, FD_ACCEPT | FD_READ | FD_WRITE | FD_CLOSE));
	m.client = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(m.client != INVALID_SOCKET);
	OK(WSAAsyncSelect(m.client, window, WM_SOCKET, FD_CONNECT | FD_READ | FD_WRITE | FD_CLOSE));
	if (connect(m.client, (struct sockaddr *)&a, sizeof a) != 0)
		EQUAL(WSAGetLastError(), WSAEWOULDBLOCK);
	while (GetMessageA(&message, NULL, 0, 0) > 0)
		DispatchMessageA(&message);
	EQUAL(m.connects, 1);
	EQUAL(m.accepts, 1);
	EQUAL(m.received, TOTAL);
	OK(closesocket(m.accepted));
	OK(closesocket(m.client));
	OK(closesocket(m.listening));
	CHECK(DestroyWindow(window));
}

static int hooked;
static HANDLE waiting; /* set by the hook: the call blocks */

static BOOL CALLBACK release(void)
{
	CHECK(WSAIsBlocking());
	if (++hooked == 1)
		CHECK(SetEvent(waiting));
	return FALSE;
}

static BOOL CALLBACK cancel(void)
{
	if (++hooked == 3)
		OK(WSACancelBlockingCall());
	return hooked < 3;
}

/* Sends when the other side is known to block. */
static DWORD WINAPI late(LPVOID argument)
{
	EQUAL(WaitForSingleObject(waiting, INFINITE), WAIT_OBJECT_0);
	EQUAL(send(*(SOCKET *)argument, "x", 1, 0), 1);
	return 0;
}

static void hooks(void)
{
	SOCKET one, other;
	HANDLE thread;
	FARPROC before;
	char c = 0;

	start(MAKEWORD(1, 1));
	pair(&one, &other);
	waiting = CreateEventA(NULL, TRUE, FALSE, NULL);
	before = WSASetBlockingHook((FARPROC)release);
	CHECK(before != NULL);
	thread = begin(late, &one);
	EQUAL(recv(other, &c, 1, 0), 1);
	EQUAL(c, 'x');
	CHECK(hooked > 0);
	join(thread);
	hooked = 0;
	CHECK(WSASetBlockingHook((FARPROC)cancel) == (FARPROC)release);
	FAILS(recv(other, &c, 1, 0), WSAEINTR);
	EQUAL(hooked, 3);
	OK(WSAUnhookBlockingHook());
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(CloseHandle(waiting));
	OK(WSACleanup());
}

int main(void)
{
	start(MAKEWORD(2, 2));
	blocking();
	by_event();
	by_routine();
	by_port();
	by_message();
	OK(WSACleanup());
	hooks();
	puts("done");
	return 0;
}
