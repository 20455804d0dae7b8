#include "behaviour.h"

static void negotiates(WORD asked, WORD version, int first)
{
	WSADATA data;

	memset(&data, 0xee, sizeof data);
	OK(WSAStartup(asked, &data));
	EQUAL(data.wVersion, version);
	EQUAL(data.wHighVersion, MAKEWORD(2, 2));
	EQUAL(data.iMaxSockets, first ? 32767 : 0);
	EQUAL(data.iMaxUdpDg, first ? 65467 : 0);
	CHECK(!strcmp(data.szDescription, "WinSock 2.0"));
	CHECK(!strcmp(data.szSystemStatus, "Running"));
	CHECK(((unsigned char *)&data.lpVendorInfo)[0] == 0xee);
	OK(WSACleanup());
}

BEHAVIOUR(76)
{
	WSADATA data;

	EQUAL(WSAStartup(MAKEWORD(0, 1), &data), WSAVERNOTSUPPORTED);
	EQUAL(data.wVersion, MAKEWORD(2, 2));
	EQUAL(data.wHighVersion, MAKEWORD(2, 2));
	EQUAL(WSAGetLastError(), WSANOTINITIALISED);
	negotiates(MAKEWORD(1, 0), MAKEWORD(1, 0), 1);
	negotiates(MAKEWORD(1, 1), MAKEWORD(1, 1), 1);
	negotiates(MAKEWORD(1, 2), MAKEWORD(1, 1), 1);
	negotiates(MAKEWORD(1, 255), MAKEWORD(1, 1), 1);
	negotiates(MAKEWORD(2, 0), MAKEWORD(2, 0), 0);
	negotiates(MAKEWORD(2, 1), MAKEWORD(2, 1), 0);
	negotiates(MAKEWORD(2, 2), MAKEWORD(2, 2), 0);
	negotiates(MAKEWORD(2, 3), MAKEWORD(2, 2), 0);
	negotiates(MAKEWORD(3, 0), MAKEWORD(2, 2), 0);
	EQUAL(WSAStartup(MAKEWORD(2, 2), 0), WSAEFAULT);
	EQUAL(WSAStartup(MAKEWORD(0, 0), 0), WSAVERNOTSUPPORTED);
}

BEHAVIOUR(77)
{
	start(MAKEWORD(2, 2));
	start(MAKEWORD(2, 2));
	OK(WSACleanup());
	OK(closesocket(bound(SOCK_STREAM)));
	OK(WSACleanup());
	FAILS(socket(AF_INET, SOCK_STREAM, 0) == INVALID_SOCKET ? SOCKET_ERROR : 1, WSANOTINITIALISED);
	FAILS(WSACleanup(), WSANOTINITIALISED);
}

BEHAVIOUR(78)
{
	start(MAKEWORD(2, 2));
	FAILS(WSAIsBlocking(), WSAEOPNOTSUPP);
	FAILS(WSASetBlockingHook((FARPROC)WSACleanup) != 0, WSAEOPNOTSUPP);
	FAILS(WSAUnhookBlockingHook(), WSAEOPNOTSUPP);
	start(MAKEWORD(1, 1));
	start(MAKEWORD(2, 2));
	WSASetLastError(7);
	CHECK(!WSAIsBlocking());
	EQUAL(WSAGetLastError(), 7);
	CHECK(WSASetBlockingHook((FARPROC)WSACleanup) != 0);
	OK(WSAUnhookBlockingHook());
}

BEHAVIOUR(103)
{
	start(MAKEWORD(2, 2));
	FAILS(WSACancelBlockingCall(), WSAEOPNOTSUPP);
	start(MAKEWORD(1, 1));
	FAILS(WSACancelBlockingCall(), WSAEINVAL);
}

BEHAVIOUR(119)
{
	struct sockaddr_in a = loopback(0);
	char buf[8];
	int length = sizeof a, option = 0, option_length = sizeof option;
	u_long value = 0;
	fd_set set;
	DWORD n = 0, flags = 0;
	WSABUF b = buffer(buf, sizeof buf);
	GUID id = WSAID_ACCEPTEX;
	void *function;

	FD_ZERO(&set);
	FD_SET(3, &set);
	FAILS(socket(AF_INET, SOCK_STREAM, 0) != INVALID_SOCKET, WSANOTINITIALISED);
	FAILS(WSASocketW(AF_INET, SOCK_STREAM, 0, 0, 0, 0) != INVALID_SOCKET, WSANOTINITIALISED);
	FAILS(WSASocketA(AF_INET, SOCK_STREAM, 0, 0, 0, 0) != INVALID_SOCKET, WSANOTINITIALISED);
	FAILS(closesocket(3), WSANOTINITIALISED);
	FAILS(bind(3, (struct sockaddr *)&a, sizeof a), WSANOTINITIALISED);
	FAILS(listen(3, 1), WSANOTINITIALISED);
	FAILS(accept(3, 0, 0) != INVALID_SOCKET, WSANOTINITIALISED);
	FAILS(WSAAccept(3, 0, 0, 0, 0) != INVALID_SOCKET, WSANOTINITIALISED);
	FAILS(connect(3, (struct sockaddr *)&a, sizeof a), WSANOTINITIALISED);
	FAILS(WSAConnect(3, (struct sockaddr *)&a, sizeof a, 0, 0, 0, 0), WSANOTINITIALISED);
	FAILS(shutdown(3, SD_SEND), WSANOTINITIALISED);
	FAILS(send(3, buf, 1, 0), WSANOTINITIALISED);
	FAILS(recv(3, buf, 1, 0), WSANOTINITIALISED);
	FAILS(sendto(3, buf, 1, 0, (struct sockaddr *)&a, sizeof a), WSANOTINITIALISED);
	FAILS(recvfrom(3, buf, 1, 0, (struct sockaddr *)&a, &length), WSANOTINITIALISED);
	FAILS(WSASend(3, &b, 1, &n, 0, 0, 0), WSANOTINITIALISED);
	FAILS(WSARecv(3, &b, 1, &n, &flags, 0, 0), WSANOTINITIALISED);
	FAILS(select(0, &set, 0, 0, 0), WSANOTINITIALISED);
	FAILS(ioctlsocket(3, FIONREAD, &value), WSANOTINITIALISED);
	FAILS(WSAIoctl(3, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, &function, sizeof function, &n, 0, 0), WSANOTINITIALISED);
	FAILS(getsockname(3, (struct sockaddr *)&a, &length), WSANOTINITIALISED);
	FAILS(getpeername(3, (struct sockaddr *)&a, &length), WSANOTINITIALISED);
	FAILS(getsockopt(3, SOL_SOCKET, SO_TYPE, (char *)&option, &option_length), WSANOTINITIALISED);
	FAILS(setsockopt(3, SOL_SOCKET, SO_KEEPALIVE, (char *)&option, sizeof option), WSANOTINITIALISED);
	FAILS(WSAEventSelect(3, 0, 0), WSANOTINITIALISED);
	FAILS(WSAEnumProtocolsW(0, 0, &n), WSANOTINITIALISED);
	FAILS(WSAEnumProtocolsA(0, 0, &n), WSANOTINITIALISED);
	FAILS(WSAIsBlocking(), WSANOTINITIALISED);
	FAILS(WSACleanup(), WSANOTINITIALISED);

	WSASetLastError(77);
	EQUAL(htons(0x1234), 0x3412);
	EQUAL(ntohs(0x1234), 0x3412);
	EQUAL(htonl(0x12345678), 0x78563412);
	EQUAL(ntohl(0x12345678), 0x78563412);
	EQUAL(inet_addr("127.0.0.1"), htonl(0x7f000001));
	EQUAL(inet_addr("127.1"), htonl(0x7f000001));
	EQUAL(inet_addr("0x7f.0.01"), htonl(0x7f000001));
	EQUAL(inet_addr("2130706433"), htonl(0x7f000001));
	EQUAL(inet_addr("1.2.3.4 "), htonl(0x01020304));
	EQUAL(inet_addr(" "), 0);
	EQUAL(inet_addr(""), INADDR_NONE);
	EQUAL(inet_addr("1.2.3.256"), INADDR_NONE);
	EQUAL(inet_addr("1.2.3.4.5"), INADDR_NONE);
	EQUAL(inet_addr("1.2.3.4x"), INADDR_NONE);
	EQUAL(inet_addr("4294967296"), INADDR_NONE);
	EQUAL(inet_addr("08"), INADDR_NONE);
	a.sin_addr.s_addr = htonl(0xc0a80001);
	CHECK(!strcmp(inet_ntoa(a.sin_addr), "192.168.0.1"));
	EQUAL(WSAGetLastError(), 77);
}

BEHAVIOUR(120)
{
	SOCKET one, other;
	struct sockaddr_in a;
	int length = sizeof a, on = 1;
	WSADATA data;

	WSASetLastError(1234);
	OK(WSAStartup(MAKEWORD(2, 2), &data));
	EQUAL(WSAGetLastError(), 0);
	WSASetLastError(1234);
	pair(&one, &other);
	say(one, "x");
	hear(other, "x");
	OK(getpeername(one, (struct sockaddr *)&a, &length));
	OK(setsockopt(one, SOL_SOCKET, SO_KEEPALIVE, (char *)&on, sizeof on));
	OK(shutdown(one, SD_SEND));
	EQUAL(recv(other, (char *)&a, sizeof a, 0), 0);
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(WSACloseEvent(new_event()));
	EQUAL(WSAGetLastError(), 1234);
}
