/* Names, directions and ends of sockets. */
#include "behaviour.h"

BEHAVIOUR(24)
{
	SOCKET s;
	char c;

	start(MAKEWORD(2, 2));
	s = bound(SOCK_DGRAM);
	OK(closesocket(s));
	FAILS(closesocket(s), WSAENOTSOCK);
	FAILS(recv(s, &c, 1, 0), WSAENOTSOCK);
	FAILS(closesocket(INVALID_SOCKET), WSAENOTSOCK);
}

BEHAVIOUR(105)
{
	SOCKET one, other;
	struct linger hard = {1, 0};
	char c;
	int i;

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	say(one, "still comes");
	OK(closesocket(one));
	hear(other, "still comes");
	EQUAL(recv(other, &c, 1, 0), 0);
	OK(closesocket(other));

	pair(&one, &other);
	OK(setsockopt(one, SOL_SOCKET, SO_LINGER, (char *)&hard, sizeof hard));
	OK(closesocket(one));
	readable(other);
	FAILS(recv(other, &c, 1, 0), WSAECONNRESET);
	OK(closesocket(other));

	for (i = 0; i < 2; i++) { /* a time to linger that is not needed */
		struct linger wait = {1, 5};

		pair(&one, &other);
		OK(setsockopt(one, SOL_SOCKET, SO_LINGER, (char *)&wait, sizeof wait));
		say(one, "y");
		hear(other, "y");
		OK(closesocket(i ? one : other));
		OK(closesocket(i ? other : one));
	}
}

BEHAVIOUR(106)
{
	SOCKET one, other, s;
	char c;

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	FAILS(shutdown(one, 3), WSAEINVAL);
	OK(shutdown(one, SD_SEND));
	FAILS(send(one, "x", 1, 0), WSAESHUTDOWN);
	EQUAL(recv(other, &c, 1, 0), 0);
	say(other, "back");
	hear(one, "back");
	OK(closesocket(one));
	OK(closesocket(other));
	s = bound(SOCK_STREAM);
	FAILS(shutdown(s, SD_SEND), WSAENOTCONN);
	OK(closesocket(s));
}

BEHAVIOUR(108)
{
	SOCKET s;
	struct sockaddr_in a = loopback(0);

	start(MAKEWORD(2, 2));
	s = socket(AF_INET, SOCK_STREAM, 0);
	FAILS(bind(s, (struct sockaddr *)&a, 0), WSAEFAULT);
	FAILS(bind(s, (struct sockaddr *)&a, sizeof a - 1), WSAEFAULT);
	FAILS(bind(s, 0, sizeof a), WSAEFAULT);
	OK(bind(s, (struct sockaddr *)&a, sizeof a));
	FAILS(bind(s, (struct sockaddr *)&a, sizeof a), WSAEINVAL);
	OK(closesocket(s));
}

BEHAVIOUR(109)
{
	SOCKET one, other, s;

	start(MAKEWORD(2, 2));
	s = socket(AF_INET, SOCK_STREAM, 0);
	FAILS(listen(s, 1), WSAEINVAL);
	OK(closesocket(s));
	pair(&one, &other);
	FAILS(listen(one, 1), WSAEISCONN);
	OK(closesocket(one));
	OK(closesocket(other));
	s = bound(SOCK_DGRAM);
	FAILS(listen(s, 1), WSAEOPNOTSUPP);
	OK(closesocket(s));
}

BEHAVIOUR(110)
{
	SOCKET s;
	struct sockaddr_in a;
	int length = sizeof a, small = 4;

	start(MAKEWORD(2, 2));
	s = socket(AF_INET, SOCK_STREAM, 0);
	FAILS(getsockname(s, (struct sockaddr *)&a, &length), WSAEINVAL);
	FAILS(getpeername(s, (struct sockaddr *)&a, &length), WSAENOTCONN);
	OK(closesocket(s));
	s = bound(SOCK_STREAM);
	FAILS(getsockname(s, (struct sockaddr *)&a, &small), WSAEFAULT);
	FAILS(getsockname(s, (struct sockaddr *)&a, 0), WSAEFAULT);
	FAILS(getsockname(s, 0, &length), WSAEFAULT);
	FAILS(getpeername(s, (struct sockaddr *)&a, &length), WSAENOTCONN);
	OK(closesocket(s));
}

BEHAVIOUR(113)
{
	SOCKET to, from;
	struct sockaddr_in a, sender;
	char buf[4] = "....";
	int length = sizeof sender, flags = 0;

	start(MAKEWORD(2, 2));
	to = bound(SOCK_DGRAM);
	from = bound(SOCK_DGRAM);
	a = address_of(to);
	EQUAL(sendto(from, "abcdef", 6, 0, (struct sockaddr *)&a, sizeof a), 6);
	FAILS(recv(to, buf, 3, 0), WSAEMSGSIZE);
	CHECK(!memcmp(buf, "abc.", 4));
	EQUAL(sendto(from, "ghijkl", 6, 0, (struct sockaddr *)&a, sizeof a), 6);
	FAILS(recvfrom(to, buf, 4, 0, (struct sockaddr *)&sender, &length), WSAEMSGSIZE);
	CHECK(!memcmp(buf, "ghij", 4));
	EQUAL(sendto(from, "mnopqr", 6, 0, (struct sockaddr *)&a, sizeof a), 6);
	EQUAL(WSARecvEx(to, buf, 2, &flags), 2);
	EQUAL(flags, MSG_PARTIAL);
	CHECK(!memcmp(buf, "mn", 2));
	FAILS(sendto(from, 0, 2, 0, (struct sockaddr *)&a, sizeof a), WSAEFAULT);
	FAILS(sendto(from, "st", -1, 0, (struct sockaddr *)&a, sizeof a), WSAEFAULT);
	EQUAL(sendto(from, "st", 2, 0, (struct sockaddr *)&a, sizeof a), 2);
	FAILS(recv(to, 0, 4, 0), WSAEFAULT);
	FAILS(recv(to, buf, -1, 0), WSAEFAULT);
	length = sizeof sender;
	EQUAL(recvfrom(to, buf, 4, 0, (struct sockaddr *)&sender, &length), 2);
	a = address_of(from);
	EQUAL(length, sizeof sender);
	EQUAL(sender.sin_port, a.sin_port);
	OK(closesocket(to));
	OK(closesocket(from));
}

static void duplicated(int wide)
{
	WSAPROTOCOL_INFOW info;
	WSAPROTOCOL_INFOA narrow;
	SOCKET one, other, copy;

	pair(&one, &other);
	if (wide) {
		OK(WSADuplicateSocketW(one, GetCurrentProcessId(), &info));
		copy = WSASocketW(0, 0, 0, &info, 0, WSA_FLAG_OVERLAPPED);
	} else {
		OK(WSADuplicateSocketA(one, GetCurrentProcessId(), &narrow));
		copy = WSASocketA(0, 0, 0, &narrow, 0, WSA_FLAG_OVERLAPPED);
	}
	CHECK(copy != INVALID_SOCKET);
	CHECK(copy != one);
	OK(closesocket(one));
	say(copy, "from the copy");
	hear(other, "from the copy");
	say(other, "to the copy");
	hear(copy, "to the copy");
	OK(closesocket(copy));
	OK(closesocket(other));
}

BEHAVIOUR(111)
{
	start(MAKEWORD(2, 2));
	duplicated(1);
	duplicated(0);
}

BEHAVIOUR(112)
{
	WSAPROTOCOL_INFOW info;
	SOCKET s, copy;

	start(MAKEWORD(2, 2));
	s = bound(SOCK_STREAM);
	OK(WSADuplicateSocketW(s, GetCurrentProcessId(), &info));
	copy = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, 0);
	CHECK(copy != INVALID_SOCKET);
	FAILS(WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, 0) != INVALID_SOCKET, WSAEINVAL);
	OK(closesocket(copy));
	OK(closesocket(s));
}

BEHAVIOUR(107)
{
	SOCKET one, other;
	char c;
	int i, n = 0;

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	say(other, "never read");
	readable(one);
	OK(shutdown(one, SD_RECEIVE));
	readable(other);
	FAILS(recv(other, &c, 1, 0), WSAECONNRESET);
	for (i = 0; i < 2; i++)
		n += send(other, "x", 1, 0) < 0;
	CHECK(n > 0);
	OK(closesocket(one));
	OK(closesocket(other));
}
