/* Functions of the program that the library calls. */
#include "behaviour.h"

static int hooked;
static SOCKET inside;

static BOOL CALLBACK three_times(void)
{
	CHECK(WSAIsBlocking());
	FAILS(send(inside, "x", 1, 0), WSAEINPROGRESS);
	if (++hooked == 3)
		OK(WSACancelBlockingCall());
	return hooked < 3;
}

BEHAVIOUR(101)
{
	SOCKET s;
	char c;
	FARPROC before;

	start(MAKEWORD(1, 1));
	s = inside = bound(SOCK_DGRAM);
	before = WSASetBlockingHook((FARPROC)three_times);
	CHECK(before != 0);
	FAILS(recv(s, &c, 1, 0), WSAEINTR);
	EQUAL(hooked, 3);
	CHECK(!WSAIsBlocking());
	CHECK(WSASetBlockingHook(before) == (FARPROC)three_times);
	OK(WSAUnhookBlockingHook());
	OK(closesocket(s));
}

static BOOL CALLBACK once(void)
{
	hooked++;
	return FALSE;
}

BEHAVIOUR(104)
{
	struct sockaddr_in a;
	SOCKET s, from;
	char c;

	start(MAKEWORD(1, 1));
	s = bound(SOCK_DGRAM);
	from = bound(SOCK_DGRAM);
	a = address_of(s);
	CHECK(WSASetBlockingHook((FARPROC)once) != 0);
	EQUAL(sendto(from, "x", 1, 0, (struct sockaddr *)&a, sizeof a), 1);
	readable(s);
	hooked = 0;
	EQUAL(recv(s, &c, 1, 0), 1); /* it need not block */
	EQUAL(hooked, 0);
	inside = s;
	CHECK(WSASetBlockingHook((FARPROC)three_times) == (FARPROC)once);
	FAILS(recv(s, &c, 1, 0), WSAEINTR);
	OK(closesocket(s));
	OK(closesocket(from));
}

struct decision {
	int answer, calls;
	struct sockaddr_in caller, callee;
};

static int CALLBACK decide(LPWSABUF caller, LPWSABUF caller_data, LPQOS sqos, LPQOS gqos, LPWSABUF callee, LPWSABUF callee_data,
	GROUP *group, DWORD_PTR data)
{
	struct decision *d = (struct decision *)data;

	d->calls++;
	EQUAL(caller->len, sizeof d->caller);
	EQUAL(callee->len, sizeof d->callee);
	memcpy(&d->caller, caller->buf, sizeof d->caller);
	memcpy(&d->callee, callee->buf, sizeof d->callee);
	return d->answer;
}

BEHAVIOUR(94)
{
	struct decision defer = {CF_DEFER, 0, {0}, {0}}, accept_it = {CF_ACCEPT, 0, {0}, {0}}, reject = {CF_REJECT, 0, {0}, {0}};
	SOCKET l, s, accepted;
	struct sockaddr_in a, own;
	WSAEVENT e;
	int length = sizeof a;

	start(MAKEWORD(2, 2));
	l = listener();
	a = address_of(l);
	e = new_event();
	OK(WSAEventSelect(l, e, FD_ACCEPT));
	s = socket(AF_INET, SOCK_STREAM, 0);
	OK(connect(s, (struct sockaddr *)&a, sizeof a));
	own = address_of(s);
	EQUAL(network_event(l, e, FD_ACCEPT_BIT), 0);
	FAILS(WSAAccept(l, 0, 0, decide, (DWORD_PTR)&defer) != INVALID_SOCKET, WSATRY_AGAIN);
	EQUAL(defer.calls, 1);
	EQUAL(defer.caller.sin_port, own.sin_port);
	EQUAL(defer.callee.sin_port, a.sin_port);
	CHECK(!is_set(e));
	accepted = WSAAccept(l, (struct sockaddr *)&a, &length, decide, (DWORD_PTR)&accept_it);
	CHECK(accepted != INVALID_SOCKET);
	EQUAL(a.sin_port, own.sin_port);
	OK(closesocket(accepted));
	OK(closesocket(s));

	a = address_of(l);
	s = socket(AF_INET, SOCK_STREAM, 0);
	OK(connect(s, (struct sockaddr *)&a, sizeof a));
	EQUAL(network_event(l, e, FD_ACCEPT_BIT), 0);
	FAILS(WSAAccept(l, 0, 0, decide, (DWORD_PTR)&reject) != INVALID_SOCKET, WSAECONNREFUSED);
	EQUAL(reject.calls, 1);
	OK(closesocket(s));
	OK(closesocket(l));
	CHECK(WSACloseEvent(e));
}
