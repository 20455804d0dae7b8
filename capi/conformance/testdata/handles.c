/* Socket handles: a provider's own, and descriptors. */
#include "provider.h"

#include <fcntl.h>

static int error;

BEHAVIOUR(10)
{
	enum { MANY = 2000 };
	struct fake *f = provider(0, tcp());
	static SOCKET made[MANY];
	int i, j;

	start(MAKEWORD(2, 2));
	stream();
	for (i = 0; i < MANY; i++) {
		made[i] = f->upcalls.lpWPUCreateSocketHandle(f->ids[0], i, &error);
		CHECK(made[i] != INVALID_SOCKET);
		for (j = 0; j < i; j++)
			CHECK(made[i] != made[j]);
		if (i % 3 == 0)
			OK(f->upcalls.lpWPUCloseSocketHandle(made[i], &error));
	}
}

BEHAVIOUR(11)
{
	static const DWORD_PTR contexts[] = {0, 1, 0xfedcba9876543210, ~(DWORD_PTR)0};
	struct fake *f = provider(0, tcp());
	DWORD_PTR found;
	SOCKET s;
	unsigned i;

	start(MAKEWORD(2, 2));
	stream();
	for (i = 0; i < sizeof contexts / sizeof contexts[0]; i++) {
		s = f->upcalls.lpWPUCreateSocketHandle(f->ids[0], contexts[i], &error);
		found = 2;
		OK(f->upcalls.lpWPUQuerySocketHandleContext(s, &found, &error));
		CHECK(found == contexts[i]);
	}
}

/* A handle that was closed, and a descriptor that is a socket. */
static SOCKET closed, descriptor;

static struct fake *with_both(void)
{
	struct fake *f = provider(0, tcp());
	struct fake *g = provider(1, with_descriptors(udp()));

	start(MAKEWORD(2, 2));
	stream();
	descriptor = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(descriptor >> 32 == 0 && g->sockets == 1);
	closed = f->upcalls.lpWPUCreateSocketHandle(f->ids[0], 1, &error);
	OK(f->upcalls.lpWPUCloseSocketHandle(closed, &error));
	return f;
}

BEHAVIOUR(12)
{
	struct fake *f = with_both();
	SOCKET bad[] = {closed, descriptor, 0, 3, (SOCKET)1 << 32, 0x7eadbeef00000004, INVALID_SOCKET,
		(SOCKET)f->upcalls.lpWPUCreateEvent(&error)};
	DWORD_PTR context;
	unsigned i;

	for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
		REFUSES(f->upcalls.lpWPUQuerySocketHandleContext(bad[i], &context, &error), WSAENOTSOCK);
	REFUSES(f->upcalls.lpWPUQuerySocketHandleContext(stream(), 0, &error), WSAEFAULT);
}

BEHAVIOUR(13)
{
	struct fake *f = provider(0, tcp());
	SOCKET s;

	start(MAKEWORD(2, 2));
	stream();
	s = f->upcalls.lpWPUCreateSocketHandle(f->ids[0], 1, &error);
	OK(f->upcalls.lpWPUCloseSocketHandle(s, &error));
	REFUSES(f->upcalls.lpWPUCloseSocketHandle(s, &error), WSAENOTSOCK);
}

BEHAVIOUR(14)
{
	struct fake *f = with_both();

	REFUSES(f->upcalls.lpWPUCloseSocketHandle(descriptor, &error), WSAENOTSOCK);
	OK(listen(descriptor, 1));
	OK(closesocket(descriptor));
}

BEHAVIOUR(15)
{
	SOCKET bad[4];
	OVERLAPPED ov;
	int i;

	with_both();
	bad[0] = closed;
	bad[1] = descriptor;
	bad[2] = 0;
	bad[3] = INVALID_SOCKET;
	for (i = 0; i < 4; i++) {
		memset(&ov, 0, sizeof ov);
		ov.Internal = WSS_OPERATION_IN_PROGRESS;
		REFUSES(WPUCompleteOverlappedRequest(bad[i], &ov, 0, 10, &error), WSAEINVAL);
		EQUAL(ov.Internal, WSS_OPERATION_IN_PROGRESS);
		EQUAL(ov.InternalHigh, 0);
	}
}

BEHAVIOUR(17)
{
	struct fake *f = provider(0, tcp());

	start(MAKEWORD(2, 2));
	stream();
	REFUSES(f->upcalls.lpWPUCreateSocketHandle(4711, 1, &error), WSAEINVAL);
}

BEHAVIOUR(18)
{
	struct fake *one = provider(0, tcp()), *two = provider(1, udp());
	SOCKET other;

	start(MAKEWORD(2, 2));
	OK(listen(stream(), 1));
	EQUAL(one->listens, 1);
	other = one->upcalls.lpWPUCreateSocketHandle(two->ids[0], 7, &error);
	CHECK(other != INVALID_SOCKET);
	OK(listen(other, 1));
	EQUAL(one->listens, 1);
	EQUAL(two->listens, 1);
	EQUAL(two->starts, 1);
}

static struct fake *of_descriptors(void)
{
	struct fake *f = provider(0, with_descriptors(tcp()));

	start(MAKEWORD(2, 2));
	stream();
	return f;
}

static SOCKET opened(void)
{
	int fd = open("/dev/null", O_RDWR);

	CHECK(fd >= 0);
	return fd;
}

BEHAVIOUR(19)
{
	struct fake *f = of_descriptors();
	SOCKET s = opened();

	EQUAL(f->upcalls.lpWPUModifyIFSHandle(f->ids[0], s, &error), s);
	OK(listen(s, 1));
	EQUAL(f->listens, 1);
	EQUAL(f->questions, 0);
}

BEHAVIOUR(20)
{
	struct fake *f = of_descriptors();
	SOCKET bad[] = {INVALID_SOCKET, (SOCKET)1 << 32, 0xffffffff, 1 << 20};
	int i;

	for (i = 0; i < 4; i++)
		REFUSES(f->upcalls.lpWPUModifyIFSHandle(f->ids[0], bad[i], &error), WSAEINVAL);
}

BEHAVIOUR(21)
{
	struct fake *base = provider(0, with_descriptors(tcp())), *top = layer(1, XP1_IFS_HANDLES);
	SOCKET s;

	start(MAKEWORD(2, 2));
	s = stream();
	EQUAL(base->sockets, 1);
	OK(listen(s, 1));
	EQUAL(top->listens, 1);
	EQUAL(base->listens, 0);
	OK(closesocket(s));
	EQUAL(top->closes, 1);
	EQUAL(base->closes, 1);
}

BEHAVIOUR(22)
{
	struct fake *f = of_descriptors();

	REFUSES(f->upcalls.lpWPUModifyIFSHandle(4711, opened(), &error), WSAEINVAL);
}

BEHAVIOUR(23)
{
	struct fake *f = of_descriptors();

	OK(WSACleanup());
	REFUSES(f->upcalls.lpWPUModifyIFSHandle(f->ids[0], opened(), &error), WSANOTINITIALISED);
}

static struct fake *the;

BEHAVIOUR(24)
{
	SOCKET s;

	the = provider(0, tcp());
	start(MAKEWORD(2, 2));
	s = stream();
	OK(closesocket(s));
	EQUAL(the->closes, 1);
	FAILS(closesocket(s), WSAENOTSOCK);
	FAILS(listen(s, 1), WSAENOTSOCK);
	EQUAL(the->closes, 1);
	EQUAL(the->listens, 0);
}

static int WSPAPI keep(SOCKET s, LPINT error)
{
	the->closes++;
	return 0;
}

BEHAVIOUR(25)
{
	SOCKET s;
	DWORD_PTR context;
	OVERLAPPED ov;

	the = provider(0, tcp());
	the->table.lpWSPCloseSocket = keep;
	start(MAKEWORD(2, 2));
	s = stream();
	OK(closesocket(s));
	FAILS(listen(s, 1), WSAENOTSOCK);
	OK(the->upcalls.lpWPUQuerySocketHandleContext(s, &context, &error));
	CHECK((struct fake *)context == the);
	memset(&ov, 0, sizeof ov);
	ov.Internal = WSS_OPERATION_IN_PROGRESS;
	ov.hEvent = new_event();
	OK(WPUCompleteOverlappedRequest(s, &ov, WSA_OPERATION_ABORTED, 0, &error));
	CHECK(is_set(ov.hEvent));
	CHECK(HasOverlappedIoCompleted(&ov));
	OK(the->upcalls.lpWPUCloseSocketHandle(s, &error));
	REFUSES(the->upcalls.lpWPUQuerySocketHandleContext(s, &context, &error), WSAENOTSOCK);
	EQUAL(the->closes, 1);
}

static LPWSPCLOSESOCKET closing;
static int lingers = 1;

static int WSPAPI linger_once(SOCKET s, LPINT error)
{
	if (lingers-- > 0) {
		*error = WSAEWOULDBLOCK;
		return SOCKET_ERROR;
	}
	return closing(s, error);
}

BEHAVIOUR(26)
{
	int types[2] = {SOCK_STREAM, SOCK_DGRAM}, i;
	struct fake *kinds[2];
	SOCKET s;

	kinds[0] = provider(0, tcp());
	kinds[1] = provider(1, with_descriptors(udp()));
	for (i = 0; i < 2; i++) {
		closing = kinds[i]->table.lpWSPCloseSocket;
		kinds[i]->table.lpWSPCloseSocket = linger_once;
	}
	start(MAKEWORD(2, 2));
	for (i = 0; i < 2; i++) {
		lingers = 1;
		s = socket(AF_INET, types[i], 0);
		CHECK(s != INVALID_SOCKET);
		FAILS(closesocket(s), WSAEWOULDBLOCK);
		OK(listen(s, 1));
		closing = i == 0 ? kinds[0]->upcalls.lpWPUCloseSocketHandle : keep;
		the = kinds[i];
		OK(closesocket(s));
		FAILS(listen(s, 1), WSAENOTSOCK);
	}
}

/* Providers that are asked note it, and one knows the handle. */
static int asked[3], knows = -1;
static SOCKET foreign;
static DWORD known_id;

static int question(int n, SOCKET s, int level, int name, char *value, int length, LPINT error)
{
	asked[n]++;
	if (level == SOL_SOCKET && name == SO_PROTOCOL_INFOW && length >= (int)sizeof(WSAPROTOCOL_INFOW) && n >= knows && s == foreign) {
		WSAPROTOCOL_INFOW info = tcp();

		info.dwCatalogEntryId = known_id;
		memcpy(value, &info, sizeof info);
		return 0;
	}
	*error = WSAENOTSOCK;
	return SOCKET_ERROR;
}

static int WSPAPI ask0(SOCKET s, int level, int name, char *value, LPINT length, LPINT error) { return question(0, s, level, name, value, *length, error); }
static int WSPAPI ask1(SOCKET s, int level, int name, char *value, LPINT length, LPINT error) { return question(1, s, level, name, value, *length, error); }
static int WSPAPI ask2(SOCKET s, int level, int name, char *value, LPINT length, LPINT error) { return question(2, s, level, name, value, *length, error); }

BEHAVIOUR(27)
{
	struct fake *f[3];
	LPWSPGETSOCKOPT asks[3] = {ask0, ask1, ask2};
	int i;

	for (i = 0; i < 3; i++) {
		f[i] = provider(i, with_descriptors(tcp()));
		f[i]->table.lpWSPGetSockOpt = asks[i];
	}
	foreign = opened();
	knows = 1;
	known_id = f[1]->ids[0];
	start(MAKEWORD(2, 2));
	OK(listen(foreign, 1));
	EQUAL(f[1]->listens, 1);
	OK(listen(foreign, 1));
	EQUAL(f[1]->listens, 2);
	EQUAL(asked[0], 1);
	EQUAL(asked[1], 1);
	EQUAL(asked[2], 0);
	FAILS(listen(opened(), 1), WSAENOTSOCK);
	for (i = 0; i < 3; i++)
		EQUAL(asked[i], i < 2 ? 2 : 1);
	FAILS(listen(INVALID_SOCKET, 1), WSAENOTSOCK);
	EQUAL(asked[0], 2);
}

BEHAVIOUR(28)
{
	struct fake *own = provider(0, tcp()), *descriptors = provider(1, with_descriptors(udp()));

	own->table.lpWSPGetSockOpt = ask0;
	knows = 0;
	foreign = opened();
	known_id = own->ids[0];
	start(MAKEWORD(2, 2));
	FAILS(listen(foreign, 1), WSAENOTSOCK);
	EQUAL(descriptors->questions, 1);
	EQUAL(asked[0], 0);
	EQUAL(own->starts, 0);
}
