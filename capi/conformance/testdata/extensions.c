/* Extension functions, and what else has no number. */
#include "behaviour.h"

#include <fcntl.h>

static void *function(SOCKET s, GUID id)
{
	void *p = 0;
	DWORD n = 0;

	OK(WSAIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, &p, sizeof p, &n, 0, 0));
	EQUAL(n, sizeof p);
	CHECK(p != 0);
	return p;
}
#define FUNCTION(s, type, id) ((type)function(s, (GUID)id))

static OVERLAPPED with_event(WSAEVENT e)
{
	OVERLAPPED ov;

	memset(&ov, 0, sizeof ov);
	ov.hEvent = e;
	return ov;
}

static DWORD result(SOCKET s, OVERLAPPED *ov)
{
	DWORD n, flags;

	CHECK(WSAGetOverlappedResult(s, ov, &n, TRUE, &flags));
	return n;
}

enum { ROOM = sizeof(struct sockaddr_in) + 16 };

/* Connects by AcceptEx and ConnectEx, sending "hello" with the connection. */
static void connected(SOCKET *one, SOCKET *other)
{
	SOCKET l = listener();
	struct sockaddr_in a = address_of(l), own, *local, *remote;
	LPFN_ACCEPTEX accept_ex = FUNCTION(l, LPFN_ACCEPTEX, WSAID_ACCEPTEX);
	LPFN_GETACCEPTEXSOCKADDRS addresses = FUNCTION(l, LPFN_GETACCEPTEXSOCKADDRS, WSAID_GETACCEPTEXSOCKADDRS);
	LPFN_CONNECTEX connect_ex;
	WSAEVENT e = new_event(), f = new_event();
	OVERLAPPED accepting = with_event(e), connecting = with_event(f);
	char out[64 + 2 * ROOM], text[] = "hello";
	int local_length = 0, remote_length = 0;

	*other = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(*other != INVALID_SOCKET);
	FAILS(accept_ex(l, *other, out, 64, ROOM, ROOM, 0, &accepting), WSA_IO_PENDING);
	*one = bound(SOCK_STREAM);
	connect_ex = FUNCTION(*one, LPFN_CONNECTEX, WSAID_CONNECTEX);
	if (!connect_ex(*one, (struct sockaddr *)&a, sizeof a, text, 5, 0, &connecting))
		EQUAL(WSAGetLastError(), WSA_IO_PENDING);
	EQUAL(result(*one, &connecting), 5);
	EQUAL(result(l, &accepting), 5);
	CHECK(!memcmp(out, "hello", 5));
	OK(setsockopt(*one, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, 0, 0));
	OK(setsockopt(*other, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (char *)&l, sizeof l));
	addresses(out, 64, ROOM, ROOM, (struct sockaddr **)&local, &local_length, (struct sockaddr **)&remote, &remote_length);
	EQUAL(local_length, sizeof *local);
	EQUAL(remote_length, sizeof *remote);
	EQUAL(local->sin_port, a.sin_port);
	own = address_of(*one);
	EQUAL(remote->sin_port, own.sin_port);
	OK(closesocket(l));
	CHECK(WSACloseEvent(e));
	CHECK(WSACloseEvent(f));
}

BEHAVIOUR(connect)
{
	SOCKET one, other;
	LPFN_DISCONNECTEX disconnect_ex;
	char c;

	start(MAKEWORD(2, 2));
	connected(&one, &other);
	say(other, "answer");
	hear(one, "answer");
	disconnect_ex = FUNCTION(one, LPFN_DISCONNECTEX, WSAID_DISCONNECTEX);
	FAILS(disconnect_ex(one, 0, 0, 1), WSAEINVAL);
	CHECK(disconnect_ex(one, 0, 0, 0));
	EQUAL(recv(other, &c, 1, 0), 0);
	OK(closesocket(one));
	OK(closesocket(other));
}

BEHAVIOUR(transmit)
{
	SOCKET one, other;
	LPFN_TRANSMITPACKETS transmit;
	TRANSMIT_FILE_BUFFERS around = {(void *)"<<", 2, (void *)">>", 2};
	TRANSMIT_PACKETS_ELEMENT elements[3];
	int fd;

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	fd = open("transmitted", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0);
	EQUAL(write(fd, "0123456789", 10), 10);
	EQUAL(lseek(fd, 0, SEEK_SET), 0);
	CHECK(TransmitFile(one, (HANDLE)(intptr_t)fd, 0, 0, 0, &around, 0));
	hear(other, "<<0123456789>>");

	memset(elements, 0, sizeof elements);
	elements[0].dwElFlags = TP_ELEMENT_MEMORY;
	elements[0].pBuffer = (void *)"begin";
	elements[0].cLength = 5;
	elements[1].dwElFlags = TP_ELEMENT_FILE;
	elements[1].hFile = (HANDLE)(intptr_t)fd;
	elements[1].nFileOffset.QuadPart = 3;
	elements[1].cLength = 4;
	elements[2].dwElFlags = TP_ELEMENT_MEMORY;
	elements[2].pBuffer = (void *)"end";
	elements[2].cLength = 3;
	transmit = FUNCTION(one, LPFN_TRANSMITPACKETS, WSAID_TRANSMITPACKETS);
	CHECK(transmit(one, elements, 3, 0, 0, 0));
	hear(other, "begin3456end");
	elements[1].dwElFlags = 0;
	FAILS(transmit(one, elements, 3, 0, 0, 0), WSAEINVAL);
	FAILS(transmit(one, 0, 3, 0, 0, 0), WSAEFAULT);
	close(fd);
	OK(closesocket(one));
	OK(closesocket(other));
}

BEHAVIOUR(messages)
{
	SOCKET to, from;
	struct sockaddr_in a, sender;
	LPFN_WSARECVMSG receive;
	LPFN_WSASENDMSG transmit;
	WSABUF b[2];
	WSAMSG m;
	char buf[8];
	DWORD n = 0;

	start(MAKEWORD(2, 2));
	to = bound(SOCK_DGRAM);
	from = bound(SOCK_DGRAM);
	a = address_of(to);
	receive = FUNCTION(to, LPFN_WSARECVMSG, WSAID_WSARECVMSG);
	transmit = FUNCTION(from, LPFN_WSASENDMSG, WSAID_WSASENDMSG);
	memset(&m, 0, sizeof m);
	m.name = (struct sockaddr *)&a;
	m.namelen = sizeof a;
	b[0] = buffer((void *)"ab", 2);
	b[1] = buffer((void *)"cd", 2);
	m.lpBuffers = b;
	m.dwBufferCount = 2;
	OK(transmit(from, &m, 0, &n, 0, 0));
	EQUAL(n, 4);
	OK(WSASendMsg(from, &m, 0, &n, 0, 0));
	memset(&m, 0, sizeof m);
	m.name = (struct sockaddr *)&sender;
	m.namelen = sizeof sender;
	b[0] = buffer(buf, sizeof buf);
	m.lpBuffers = b;
	m.dwBufferCount = 1;
	OK(receive(to, &m, &n, 0, 0));
	EQUAL(n, 4);
	CHECK(!memcmp(buf, "abcd", 4));
	a = address_of(from);
	EQUAL(sender.sin_port, a.sin_port);
	m.namelen = sizeof sender;
	OK(receive(to, &m, &n, 0, 0));
	OK(closesocket(to));
	OK(closesocket(from));
}

BEHAVIOUR(unknown)
{
	GUID id = {1, 2, 3, {4, 5, 6, 7, 8, 9, 10, 11}};
	void *p = 0;
	DWORD n = 0;
	SOCKET s;

	start(MAKEWORD(2, 2));
	s = bound(SOCK_STREAM);
	CHECK(WSAIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, &p, sizeof p, &n, 0, 0) == SOCKET_ERROR);
	CHECK(WSAGetLastError() == WSAEINVAL || WSAGetLastError() == WSAEOPNOTSUPP);
	CHECK(!p);
	OK(closesocket(s));
}

BEHAVIOUR(poll)
{
	SOCKET one, other;
	WSAPOLLFD fds[3];
	LPFN_WSAPOLL poll;

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	memset(fds, 0, sizeof fds);
	fds[0].fd = one;
	fds[0].events = POLLRDNORM;
	fds[1].fd = other;
	fds[1].events = POLLWRNORM;
	fds[2].fd = INVALID_SOCKET;
	fds[2].events = POLLRDNORM;
	EQUAL(WSAPoll(fds, 3, PATIENCE), 1);
	EQUAL(fds[0].revents, 0);
	EQUAL(fds[1].revents, POLLWRNORM);
	say(other, "x");
	poll = FUNCTION(one, LPFN_WSAPOLL, WSAID_WSAPOLL);
	EQUAL(poll(fds, 1, PATIENCE), 1);
	EQUAL(fds[0].revents, POLLRDNORM);
	hear(one, "x");
	EQUAL(WSAPoll(fds, 1, 1), 0);
	FAILS(WSAPoll(0, 1, 1), WSAEFAULT);
	FAILS(WSAPoll(fds, 0, 1), WSAEINVAL);
	OK(closesocket(one));
	OK(closesocket(other));
}

BEHAVIOUR(bylist)
{
	SOCKET l, s;
	struct sockaddr_in good, bad, local, remote;
	DWORD local_length = sizeof local, remote_length = sizeof remote;
	SOCKET closed;
	struct {
		INT count;
		SOCKET_ADDRESS list[2];
	} addresses;
	struct timeval patience = {PATIENCE / 1000, 0};

	start(MAKEWORD(2, 2));
	l = listener();
	good = address_of(l);
	closed = bound(SOCK_STREAM);
	bad = address_of(closed);
	addresses.count = 2;
	addresses.list[0].lpSockaddr = (struct sockaddr *)&bad;
	addresses.list[0].iSockaddrLength = sizeof bad;
	addresses.list[1].lpSockaddr = (struct sockaddr *)&good;
	addresses.list[1].iSockaddrLength = sizeof good;
	s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(WSAConnectByList(s, (PSOCKET_ADDRESS_LIST)&addresses, &local_length, (struct sockaddr *)&local, &remote_length,
		(struct sockaddr *)&remote, &patience, 0));
	EQUAL(remote.sin_port, good.sin_port);
	EQUAL(local.sin_port, address_of(s).sin_port);
	FAILS(WSAConnectByList(s, 0, 0, 0, 0, 0, 0, 0), WSAEFAULT);
	addresses.count = -1;
	FAILS(WSAConnectByList(s, (PSOCKET_ADDRESS_LIST)&addresses, 0, 0, 0, 0, 0, 0), WSAEINVAL);
	OK(closesocket(s));
	s = socket(AF_INET, SOCK_STREAM, 0);
	{
		char port[8];

		snprintf(port, sizeof port, "%d", ntohs(good.sin_port));
		CHECK(WSAConnectByNameA(s, "127.0.0.1", port, 0, 0, &remote_length, (struct sockaddr *)&remote, &patience, 0));
		EQUAL(remote.sin_port, good.sin_port);
	}
	FAILS(WSAConnectByNameA(s, 0, 0, 0, 0, 0, 0, 0, 0), WSAEINVAL);
	OK(closesocket(s));
	OK(closesocket(closed));
	OK(closesocket(l));
}

BEHAVIOUR(byteorder)
{
	SOCKET s;
	u_long l = 0;
	u_short h = 0;

	start(MAKEWORD(2, 2));
	s = bound(SOCK_STREAM);
	OK(WSAHtonl(s, 0x12345678, &l));
	EQUAL(l, 0x78563412);
	OK(WSANtohl(s, 0x12345678, &l));
	EQUAL(l, 0x78563412);
	OK(WSAHtons(s, 0x1234, &h));
	EQUAL(h, 0x3412);
	OK(WSANtohs(s, 0x1234, &h));
	EQUAL(h, 0x3412);
	FAILS(WSAHtonl(s, 1, 0), WSAEFAULT);
	FAILS(WSAHtons(INVALID_SOCKET, 1, &h), WSAENOTSOCK);
	OK(closesocket(s));
}

BEHAVIOUR(opentype)
{
	SOCKET s;
	int type = SO_SYNCHRONOUS_NONALERT, got = 0, length = sizeof got;

	start(MAKEWORD(2, 2));
	OK(setsockopt(INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE, (char *)&type, sizeof type));
	OK(getsockopt(INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE, (char *)&got, &length));
	EQUAL(got, type);
	s = bound(SOCK_STREAM);
	OK(closesocket(s));
}

/* A descriptor tells of a readable socket once it is so. */
BEHAVIOUR(notifications)
{
	SOCKET one, other;
	HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, 0, 0, 0);
	SOCK_NOTIFY_REGISTRATION r;
	OVERLAPPED_ENTRY entry;
	UINT32 n = 7;

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	memset(&r, 0, sizeof r);
	r.socket = one;
	r.completionKey = (void *)0x1234;
	r.eventFilter = SOCK_NOTIFY_REGISTER_EVENT_IN;
	r.operation = SOCK_NOTIFY_OP_ENABLE;
	r.triggerFlags = SOCK_NOTIFY_TRIGGER_LEVEL | SOCK_NOTIFY_TRIGGER_ONESHOT;
	EQUAL(ProcessSocketNotifications(port, 1, 0, 0, 0, 0, 0), WSAEINVAL);
	OK(ProcessSocketNotifications(port, 1, &r, 0, 0, 0, 0));
	if (non_ifs()) {
		EQUAL(r.registrationResult, WSAEOPNOTSUPP);
		return;
	}
	EQUAL(r.registrationResult, 0);
	EQUAL(ProcessSocketNotifications(port, 0, 0, 1, 1, &entry, &n), WAIT_TIMEOUT);
	EQUAL(n, 0);
	say(other, "x");
	OK(ProcessSocketNotifications(port, 0, 0, PATIENCE, 1, &entry, &n));
	EQUAL(n, 1);
	EQUAL(entry.lpCompletionKey, 0x1234);
	CHECK(SocketNotificationRetrieveEvents(&entry) & SOCK_NOTIFY_EVENT_IN);
	OK(closesocket(one));
	OK(closesocket(other));
	CHECK(CloseHandle(port));
}
