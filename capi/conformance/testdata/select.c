#undef FD_SETSIZE
#define FD_SETSIZE 100
#include "behaviour.h"

BEHAVIOUR(95)
{
	fd_set set;
	struct timeval bad = {0, -1}, none = {0, 0};
	SOCKET s;

	start(MAKEWORD(2, 2));
	FD_ZERO(&set);
	FAILS(select(0, 0, 0, 0, &none), WSAEINVAL);
	FAILS(select(0, &set, &set, &set, &none), WSAEINVAL);
	s = bound(SOCK_DGRAM);
	FD_SET(s, &set);
	FAILS(select(0, &set, 0, 0, &bad), WSAEINVAL);
	FD_SET(0x7ffffffffff0, &set);
	FAILS(select(0, &set, 0, 0, &none), WSAENOTSOCK);
	OK(closesocket(s));
}

BEHAVIOUR(96)
{
	fd_set read, write, except;
	struct timeval patience = {PATIENCE / 1000, 0}, shortly = {0, 1000};
	SOCKET one, other;

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	say(one, "x");
	readable(other);
	FD_ZERO(&read);
	FD_ZERO(&write);
	FD_ZERO(&except);
	FD_SET(one, &read);
	FD_SET(other, &read);
	FD_SET(one, &write);
	FD_SET(other, &write);
	FD_SET(one, &except);
	EQUAL(select(0, &read, &write, &except, &patience), 3);
	EQUAL(read.fd_count, 1);
	EQUAL(read.fd_array[0], other);
	EQUAL(write.fd_count, 2);
	EQUAL(except.fd_count, 0);
	hear(other, "x");
	EQUAL(select(0, &read, 0, 0, &shortly), 0);
	EQUAL(read.fd_count, 0);
	FD_SET(one, &write);
	EQUAL(select(0, 0, &write, 0, 0), 2);
	OK(closesocket(one));
	OK(closesocket(other));
}

BEHAVIOUR(98)
{
	static SOCKET all[FD_SETSIZE];
	fd_set set;
	struct timeval patience = {PATIENCE / 1000, 0};
	struct sockaddr_in a;
	int i;

	start(MAKEWORD(2, 2));
	FD_ZERO(&set);
	for (i = 0; i < FD_SETSIZE; i++) {
		all[i] = bound(SOCK_DGRAM);
		FD_SET(all[i], &set);
	}
	EQUAL(set.fd_count, 100);
	a = address_of(all[99]);
	EQUAL(sendto(all[0], "x", 1, 0, (struct sockaddr *)&a, sizeof a), 1);
	EQUAL(select(0, &set, 0, 0, &patience), 1);
	CHECK(FD_ISSET(all[99], &set));
	for (i = 0; i < FD_SETSIZE; i++)
		OK(closesocket(all[i]));
}

/* Starts connecting s and waits; returns where select found it: w or x. */
static char connecting(SOCKET s, const struct sockaddr_in *to)
{
	fd_set write, except;
	struct timeval patience = {PATIENCE / 1000, 0};

	nonblocking(s);
	if (connect(s, (const struct sockaddr *)to, sizeof *to) == 0)
		return 'w';
	EQUAL(WSAGetLastError(), WSAEWOULDBLOCK);
	FD_ZERO(&write);
	FD_ZERO(&except);
	FD_SET(s, &write);
	FD_SET(s, &except);
	EQUAL(select(0, 0, &write, &except, &patience), 1);
	return FD_ISSET(s, &write) ? 'w' : 'x';
}

BEHAVIOUR(99)
{
	SOCKET s, l, bad;
	struct sockaddr_in a, nobody;
	int error = 0, length = sizeof error;

	start(MAKEWORD(2, 2));
	l = listener();
	a = address_of(l);
	bad = bound(SOCK_STREAM); /* nobody listens there */
	nobody = address_of(bad);
	s = socket(AF_INET, SOCK_STREAM, 0);
	EQUAL(connecting(s, &a), 'w');
	OK(closesocket(s));
	s = socket(AF_INET, SOCK_STREAM, 0);
	EQUAL(connecting(s, &nobody), 'x');
	OK(getsockopt(s, SOL_SOCKET, SO_ERROR, (char *)&error, &length));
	EQUAL(error, WSAECONNREFUSED);
	OK(closesocket(s));
	OK(closesocket(bad));
	OK(closesocket(l));
}

BEHAVIOUR(100)
{
	fd_set set;
	struct timeval none = {0, 0};
	SOCKET s;

	start(MAKEWORD(1, 1));
	s = bound(SOCK_DGRAM);
	CHECK(WSASetBlockingHook((FARPROC)abort) != 0);
	FD_ZERO(&set);
	FD_SET(s, &set);
	EQUAL(select(0, &set, 0, 0, &none), 0);
	OK(WSAUnhookBlockingHook());
	OK(closesocket(s));
}
