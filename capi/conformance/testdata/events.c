/* Network events, and waits for events. */
#include "behaviour.h"

BEHAVIOUR(4)
{
	WSAEVENT e;

	start(MAKEWORD(2, 2));
	e = new_event();
	CHECK(!is_set(e));
	CHECK(WSASetEvent(e));
	CHECK(is_set(e));
	CHECK(is_set(e));
	CHECK(WSAResetEvent(e));
	CHECK(!is_set(e));
	CHECK(WSACloseEvent(e));
}

BEHAVIOUR(6)
{
	WSAEVENT e;

	start(MAKEWORD(2, 2));
	e = new_event();
	CHECK(WSACloseEvent(e));
	FAILS(WSACloseEvent(e), WSA_INVALID_HANDLE);
	FAILS(WSASetEvent(e), WSA_INVALID_HANDLE);
	FAILS(WSAResetEvent(e), WSA_INVALID_HANDLE);
	FAILS(WSASetEvent(0), WSA_INVALID_HANDLE);
}

BEHAVIOUR(80)
{
	SOCKET one, other;
	WSAEVENT e;
	u_long off = 0;
	char c;

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	e = new_event();
	OK(WSAEventSelect(one, e, FD_READ));
	FAILS(recv(one, &c, 1, 0), WSAEWOULDBLOCK);
	FAILS(ioctlsocket(one, FIONBIO, &off), WSAEINVAL);
	OK(WSAEventSelect(one, 0, 0));
	FAILS(recv(one, &c, 1, 0), WSAEWOULDBLOCK);
	OK(ioctlsocket(one, FIONBIO, &off));
	say(other, "x");
	hear(one, "x");
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(WSACloseEvent(e));
}

BEHAVIOUR(82)
{
	SOCKET one, other;
	WSAEVENT e;
	WSANETWORKEVENTS found;
	char c;

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	e = new_event();
	OK(WSAEventSelect(one, e, FD_READ));
	say(other, "xyz");
	EQUAL(network_event(one, e, FD_READ_BIT), 0);
	say(other, "more");
	EQUAL(recv(one, &c, 1, 0), 1); /* data is left */
	EQUAL(network_event(one, e, FD_READ_BIT), 0);
	EQUAL(recv(one, &c, 1, MSG_PEEK), 1);
	EQUAL(network_event(one, e, FD_READ_BIT), 0);
	hear(one, "yzmore");
	FAILS(recv(one, &c, 1, 0), WSAEWOULDBLOCK);
	OK(WSAEnumNetworkEvents(one, e, &found));
	say(other, "again");
	EQUAL(network_event(one, e, FD_READ_BIT), 0);
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(WSACloseEvent(e));
}

BEHAVIOUR(86)
{
	SOCKET l, bad, s;
	struct sockaddr_in a, nobody;
	WSAEVENT e;

	start(MAKEWORD(2, 2));
	l = listener();
	a = address_of(l);
	bad = bound(SOCK_STREAM);
	nobody = address_of(bad);
	e = new_event();
	s = socket(AF_INET, SOCK_STREAM, 0);
	OK(WSAEventSelect(s, e, FD_CONNECT | FD_WRITE));
	if (connect(s, (struct sockaddr *)&a, sizeof a))
		EQUAL(WSAGetLastError(), WSAEWOULDBLOCK);
	EQUAL(network_event(s, e, FD_CONNECT_BIT), 0);
	OK(closesocket(s));
	CHECK(WSAResetEvent(e));
	s = socket(AF_INET, SOCK_STREAM, 0);
	OK(WSAEventSelect(s, e, FD_CONNECT));
	FAILS(connect(s, (struct sockaddr *)&nobody, sizeof nobody), WSAEWOULDBLOCK);
	EQUAL(network_event(s, e, FD_CONNECT_BIT), WSAECONNREFUSED);
	OK(closesocket(s));
	OK(closesocket(l));
	OK(closesocket(bad));
	CHECK(WSACloseEvent(e));
}

BEHAVIOUR(87)
{
	SOCKET one, other;
	WSAEVENT e;
	struct linger hard = {1, 0};
	char c;

	start(MAKEWORD(2, 2));
	e = new_event();
	pair(&one, &other);
	OK(WSAEventSelect(one, e, FD_CLOSE));
	say(other, "last");
	OK(closesocket(other));
	readable(one);
	hear(one, "last");
	EQUAL(network_event(one, e, FD_CLOSE_BIT), 0);
	EQUAL(recv(one, &c, 1, 0), 0);
	OK(closesocket(one));

	CHECK(WSAResetEvent(e));
	pair(&one, &other);
	OK(WSAEventSelect(one, e, FD_CLOSE));
	OK(setsockopt(other, SOL_SOCKET, SO_LINGER, (char *)&hard, sizeof hard));
	OK(closesocket(other));
	EQUAL(network_event(one, e, FD_CLOSE_BIT), WSAECONNRESET);
	OK(closesocket(one));
	CHECK(WSACloseEvent(e));
}

BEHAVIOUR(88)
{
	SOCKET one, other;
	WSAEVENT e;

	start(MAKEWORD(2, 2));
	e = new_event();
	pair(&one, &other);
	say(other, "early");
	readable(one);
	OK(WSAEventSelect(one, e, FD_READ | FD_WRITE));
	EQUAL(network_event(one, e, FD_READ_BIT), 0);
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(WSACloseEvent(e));
}

BEHAVIOUR(89)
{
	SOCKET one, other;
	WSAEVENT e, later;
	WSANETWORKEVENTS found;

	start(MAKEWORD(2, 2));
	e = new_event();
	later = new_event();
	pair(&one, &other);
	OK(WSAEventSelect(one, e, FD_READ));
	say(other, "x");
	await(e);
	OK(WSAEventSelect(one, later, FD_WRITE));
	await(later);
	OK(WSAEnumNetworkEvents(one, later, &found));
	EQUAL(found.lNetworkEvents, FD_WRITE);
	OK(WSAEventSelect(one, 0, 0));
	say(other, "y");
	readable(one);
	CHECK(!is_set(later));
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(WSACloseEvent(e));
	CHECK(WSACloseEvent(later));
}

BEHAVIOUR(91)
{
	SOCKET one, other;
	WSAEVENT e;
	WSANETWORKEVENTS found;

	start(MAKEWORD(2, 2));
	e = new_event();
	pair(&one, &other);
	OK(WSAEventSelect(one, e, FD_READ));
	say(other, "x");
	await(e);
	memset(&found, 0x55, sizeof found);
	OK(WSAEnumNetworkEvents(one, e, &found));
	EQUAL(found.lNetworkEvents, FD_READ);
	EQUAL(found.iErrorCode[FD_READ_BIT], 0);
	EQUAL(found.iErrorCode[FD_CLOSE_BIT], 0x55555555);
	CHECK(!is_set(e));
	OK(WSAEnumNetworkEvents(one, e, &found));
	EQUAL(found.lNetworkEvents, 0);
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(WSACloseEvent(e));
}

BEHAVIOUR(93)
{
	SOCKET l, s, accepted;
	struct sockaddr_in a;
	WSAEVENT e;
	char c;

	start(MAKEWORD(2, 2));
	e = new_event();
	l = listener();
	a = address_of(l);
	OK(WSAEventSelect(l, e, FD_ACCEPT | FD_READ));
	s = socket(AF_INET, SOCK_STREAM, 0);
	OK(connect(s, (struct sockaddr *)&a, sizeof a));
	EQUAL(network_event(l, e, FD_ACCEPT_BIT), 0);
	accepted = accept(l, 0, 0);
	CHECK(accepted != INVALID_SOCKET);
	FAILS(recv(accepted, &c, 1, 0), WSAEWOULDBLOCK);
	say(s, "x");
	EQUAL(network_event(accepted, e, FD_READ_BIT), 0);
	OK(closesocket(s));
	OK(closesocket(accepted));
	OK(closesocket(l));
	CHECK(WSACloseEvent(e));
}

BEHAVIOUR(118)
{
	WSAEVENT all[65];
	int i;

	start(MAKEWORD(2, 2));
	for (i = 0; i < 65; i++)
		all[i] = new_event();
	WSASetLastError(0);
	EQUAL(WSAWaitForMultipleEvents(0, all, FALSE, 0, FALSE), WSA_WAIT_FAILED);
	EQUAL(WSAGetLastError(), WSA_INVALID_PARAMETER);
	EQUAL(WSAWaitForMultipleEvents(65, all, FALSE, 0, FALSE), WSA_WAIT_FAILED);
	EQUAL(WSAGetLastError(), WSA_INVALID_PARAMETER);
	CHECK(WSASetEvent(all[63]));
	CHECK(WSASetEvent(all[40]));
	EQUAL(WSAWaitForMultipleEvents(64, all, FALSE, PATIENCE, FALSE), WSA_WAIT_EVENT_0 + 40);
	EQUAL(WSAWaitForMultipleEvents(64, all, TRUE, 0, FALSE), WSA_WAIT_TIMEOUT);
	CHECK(WSACloseEvent(all[3]));
	EQUAL(WSAWaitForMultipleEvents(64, all, FALSE, 0, FALSE), WSA_WAIT_FAILED);
	EQUAL(WSAGetLastError(), WSA_INVALID_HANDLE);
}

BEHAVIOUR(83)
{
	SOCKET one, other;
	WSAEVENT e;
	WSANETWORKEVENTS found;
	static char much[1 << 16];
	char drain[1 << 16];
	u_long waiting;
	int n, sent = 0;

	start(MAKEWORD(2, 2));
	e = new_event();
	pair(&one, &other);
	OK(WSAEventSelect(one, e, FD_WRITE));
	EQUAL(network_event(one, e, FD_WRITE_BIT), 0);
	while ((n = send(one, much, sizeof much, 0)) > 0)
		sent += n;
	EQUAL(WSAGetLastError(), WSAEWOULDBLOCK);
	OK(WSAEnumNetworkEvents(one, e, &found));
	EQUAL(found.lNetworkEvents, 0);
	while (sent > 0) {
		n = recv(other, drain, sizeof drain, 0);
		CHECK(n > 0);
		sent -= n;
	}
	EQUAL(network_event(one, e, FD_WRITE_BIT), 0);
	OK(ioctlsocket(other, FIONREAD, &waiting));
	EQUAL(waiting, 0);
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(WSACloseEvent(e));
}

/* What holds is told again after each call that asks, until it holds no more. */
BEHAVIOUR(84)
{
	SOCKET one, other, l, clients[3];
	struct sockaddr_in a;
	WSAEVENT e;
	WSANETWORKEVENTS found;
	int i;

	start(MAKEWORD(2, 2));
	e = new_event();
	pair(&one, &other);
	say(other, "abcdef");
	OK(WSAEventSelect(one, e, FD_READ));
	for (i = 0; i < 6; i++) {
		EQUAL(network_event(one, e, FD_READ_BIT), 0);
		hear(one, (char[2]){"abcdef"[i]});
	}
	OK(WSAEnumNetworkEvents(one, e, &found));
	EQUAL(found.lNetworkEvents, 0);

	l = listener();
	a = address_of(l);
	for (i = 0; i < 3; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM, 0);
		OK(connect(clients[i], (struct sockaddr *)&a, sizeof a));
	}
	OK(WSAEventSelect(l, e, FD_ACCEPT));
	for (i = 0; i < 3; i++) {
		SOCKET s;

		EQUAL(network_event(l, e, FD_ACCEPT_BIT), 0);
		s = accept(l, 0, 0);
		CHECK(s != INVALID_SOCKET);
		OK(closesocket(s));
		OK(closesocket(clients[i]));
	}
	OK(WSAEnumNetworkEvents(l, e, &found));
	EQUAL(found.lNetworkEvents, 0);

	/* Edges: nothing has changed yet. */
	OK(WSAEventSelect(one, e, FD_QOS | FD_ROUTING_INTERFACE_CHANGE | FD_ADDRESS_LIST_CHANGE));
	OK(WSAEnumNetworkEvents(one, e, &found));
	EQUAL(found.lNetworkEvents, 0);
	OK(closesocket(l));
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(WSACloseEvent(e));
}

BEHAVIOUR(85)
{
	SOCKET one, other;
	WSAEVENT e;
	WSANETWORKEVENTS found;

	start(MAKEWORD(2, 2));
	e = new_event();
	pair(&one, &other);
	OK(WSAEventSelect(one, e, FD_WRITE));
	EQUAL(network_event(one, e, FD_WRITE_BIT), 0);
	OK(WSAEnumNetworkEvents(one, e, &found));
	EQUAL(found.lNetworkEvents, 0);
	say(one, "x");
	OK(WSAEnumNetworkEvents(one, e, &found));
	EQUAL(found.lNetworkEvents, 0);
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(WSACloseEvent(e));
}

BEHAVIOUR(92)
{
	SOCKET one, other;
	WSAEVENT e;

	start(MAKEWORD(2, 2));
	e = new_event();
	pair(&one, &other);
	OK(WSAEventSelect(one, e, FD_READ));
	say(other, "x");
	await(e);
	FAILS(WSAEnumNetworkEvents(one, e, 0), WSAEFAULT);
	EQUAL(network_event(one, e, FD_READ_BIT), 0);
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(WSACloseEvent(e));
}
