/* Which provider a socket is of, how it is loaded and started, where it is. */
#include "provider.h"

static int error;

BEHAVIOUR(56)
{
	WSAPROTOCOL_INFOW strict = tcp(), lax = udp();
	struct fake *f = provider(0, lax);

	strict.dwProviderFlags = 0;
	provider(1, strict);
	start(MAKEWORD(2, 2));
	FAILS(socket(AF_INET, SOCK_STREAM, 0), WSAEPROTONOSUPPORT);
	CHECK(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) != INVALID_SOCKET);
	CHECK(socket(AF_INET, SOCK_DGRAM, 0) != INVALID_SOCKET);
	EQUAL(f->sockets, 1);
}

BEHAVIOUR(58)
{
	WSAPROTOCOL_INFOW raw = entry(AF_INET, SOCK_RAW, 100);
	int n;

	raw.dwProviderFlags = 0;
	raw.iProtocolMaxOffset = 10;
	provider(0, raw);
	start(MAKEWORD(2, 2));
	for (n = 100; n <= 110; n++)
		CHECK(socket(AF_INET, SOCK_RAW, n) != INVALID_SOCKET);
	FAILS(socket(AF_INET, SOCK_RAW, 99), WSAEPROTONOSUPPORT);
	FAILS(socket(AF_INET, SOCK_RAW, 111), WSAEPROTONOSUPPORT);
}

BEHAVIOUR(59)
{
	struct fake *base = provider(0, with_descriptors(tcp())), *top = layer(1, XP1_IFS_HANDLES);
	DWORD order[3] = {top->ids[0], base->ids[0], top->ids[1]};
	WSAPROTOCOL_INFOW *all;
	int count;

	OK(WSCWriteProviderOrder(order, 3));
	start(MAKEWORD(2, 2));
	stream();
	EQUAL(top->starts, 0);
	EQUAL(base->sockets, 1);
	all = catalog(&count);
	EQUAL(all[0].ProtocolChain.ChainLen, LAYERED_PROTOCOL);
	FAILS(WSASocketW(0, 0, 0, &all[0], 0, 0), WSAEINVAL);
	free(all);
}

BEHAVIOUR(63)
{
	GUID id = id_of(3);
	WSAPROTOCOL_INFOW info = udp();
	struct fake *f = provider(0, tcp());

	OK(WSCInstallProvider(&id, wide("/nonexistent/provider.so"), &info, 1, &error));
	start(MAKEWORD(2, 2));
	FAILS(socket(AF_INET, SOCK_DGRAM, 0), WSAEPROVIDERFAILEDINIT);
	f->start_error = WSAEPROCLIM;
	FAILS(socket(AF_INET, SOCK_STREAM, 0), WSAEPROVIDERFAILEDINIT);
	EQUAL(f->starts, 1);
	EQUAL(f->cleanups, 0);
	f->start_error = 0;
	stream();
	EQUAL(f->starts, 2);
}

BEHAVIOUR(64)
{
	struct fake *f = provider(0, tcp());

	f->version = MAKEWORD(2, 0);
	start(MAKEWORD(2, 2));
	FAILS(socket(AF_INET, SOCK_STREAM, 0), WSAEINVALIDPROVIDER);
	EQUAL(f->requested[0], MAKEWORD(2, 2));
	EQUAL(f->starts, 1);
	EQUAL(f->cleanups, 1);
}

BEHAVIOUR(65)
{
	enum { FUNCTIONS = sizeof(WSPPROC_TABLE) / sizeof(void *) };
	struct fake *f = provider(0, tcp());
	void **table = (void **)&f->table, *whole;
	int i;

	EQUAL(FUNCTIONS, 30);
	start(MAKEWORD(2, 2));
	for (i = 0; i < FUNCTIONS; i++) {
		whole = table[i];
		table[i] = 0;
		FAILS(socket(AF_INET, SOCK_STREAM, 0), WSAEINVALIDPROCTABLE);
		table[i] = whole;
	}
	EQUAL(f->sockets, 0);
	stream();
}

BEHAVIOUR(66)
{
	struct fake *f = provider(0, tcp());

	start(MAKEWORD(1, 1));
	stream();
	EQUAL(f->requested[0], MAKEWORD(2, 2));
}

BEHAVIOUR(67)
{
	WSAPROTOCOL_INFOW both[2] = {tcp(), udp()};
	struct fake *f = installed(0, 2, both);

	start(MAKEWORD(2, 2));
	stream();
	CHECK(socket(AF_INET, SOCK_DGRAM, 0) != INVALID_SOCKET);
	stream();
	EQUAL(f->sockets, 3);
	EQUAL(f->starts, 1);
	OK(WSACleanup());
	EQUAL(f->cleanups, 1);
}

static int refusal = WSAEINPROGRESS;

static SOCKET WSPAPI busy(int af, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP g, DWORD flags, LPINT e)
{
	*e = refusal;
	return INVALID_SOCKET;
}

BEHAVIOUR(68)
{
	struct fake *first = provider(0, tcp()), *second = provider(1, tcp());
	WSAPROTOCOL_INFOW info = tcp();

	first->table.lpWSPSocket = busy;
	start(MAKEWORD(2, 2));
	WSASetLastError(77);
	stream();
	EQUAL(WSAGetLastError(), 77);
	EQUAL(second->sockets, 1);
	info.dwCatalogEntryId = first->ids[0];
	FAILS(WSASocketW(0, 0, 0, &info, 0, 0), WSAEINPROGRESS);
	refusal = WSAEMFILE;
	FAILS(socket(AF_INET, SOCK_STREAM, 0), WSAEMFILE);
	EQUAL(second->sockets, 1);
}

BEHAVIOUR(69)
{
	struct fake *base = provider(0, with_descriptors(tcp())), *top = layer(1, XP1_IFS_HANDLES);
	DWORD order[3] = {top->ids[1], top->ids[0], base->ids[0]};

	OK(WSCWriteProviderOrder(order, 3));
	start(MAKEWORD(2, 2));
	stream();
	EQUAL(top->starts, 1);
	EQUAL(top->entries[0].ProtocolChain.ChainLen, 2);
	EQUAL(top->entries[0].dwCatalogEntryId, top->ids[1]);
	EQUAL(top->entries[0].ProtocolChain.ChainEntries[1], base->ids[0]);
	EQUAL(top->socket_entry.dwCatalogEntryId, top->ids[1]);
	EQUAL(base->starts, 1);
	EQUAL(base->entries[0].dwCatalogEntryId, base->ids[0]);
	EQUAL(base->socket_entry.dwCatalogEntryId, base->ids[0]);
}

/* The path by the upcall, as text. */
static const char *provider_path(const struct fake *f, WCHAR *path, int *length)
{
	static char text[4096];
	int i;

	OK(f->upcalls.lpWPUGetProviderPath((GUID *)&f->id, path, length, &error));
	for (i = 0; i < *length; i++)
		text[i] = path[i];
	return text;
}

BEHAVIOUR(70)
{
	static const char unexpanded[] = "%NOWHERE%/provider.so";
	struct fake *f = provider(0, tcp()), other = {.id = id_of(3)};
	WSAPROTOCOL_INFOW info = udp();
	WCHAR path[4096];
	int length = 4096;

	OK(WSCInstallProvider(&other.id, wide(unexpanded), &info, 1, &error));
	start(MAKEWORD(2, 2));
	stream();
	CHECK(!strcmp(provider_path(f, path, &length), path_of(0)));
	EQUAL(length, strlen(path_of(0)) + 1);
	length = 4096;
	other.upcalls = f->upcalls;
	CHECK(!strcmp(provider_path(&other, path, &length), unexpanded));
	EQUAL(length, sizeof unexpanded);
	EQUAL(path[length - 1], 0);
}

BEHAVIOUR(71)
{
	struct fake *f = provider(0, tcp());
	GUID unknown = id_of(9);
	WCHAR path[4096];
	int needed = strlen(path_of(0)) + 1, length, size;

	start(MAKEWORD(2, 2));
	stream();
	for (size = 0; size < needed; size++) {
		length = size;
		path[size] = 0x1234;
		REFUSES(f->upcalls.lpWPUGetProviderPath(&f->id, path, &length, &error), WSAEFAULT);
		EQUAL(length, needed);
		EQUAL(path[size], 0x1234);
	}
	length = needed;
	OK(f->upcalls.lpWPUGetProviderPath(&f->id, path, &length, &error));
	length = 4096;
	REFUSES(f->upcalls.lpWPUGetProviderPath(&unknown, path, &length, &error), WSAEINVAL);
	REFUSES(f->upcalls.lpWPUGetProviderPath(0, path, &length, &error), WSAEFAULT);
	REFUSES(f->upcalls.lpWPUGetProviderPath(&f->id, path, 0, &error), WSAEFAULT);
}

static int selects;

static int WSPAPI all_ready(int n, fd_set *r, fd_set *w, fd_set *x, const struct timeval *timeout, LPINT e)
{
	selects++;
	return r->fd_count;
}

BEHAVIOUR(97)
{
	WSAPROTOCOL_INFOW both[2] = {tcp(), entry(AF_INET6, SOCK_STREAM, IPPROTO_TCP)};
	struct fake *f = installed(0, 2, both);
	fd_set r, w;
	SOCKET s, six, other;
	struct timeval now = {0, 0};

	provider(1, udp());
	f->table.lpWSPSelect = all_ready;
	start(MAKEWORD(2, 2));
	s = stream();
	six = socket(AF_INET6, SOCK_STREAM, 0);
	other = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(six != INVALID_SOCKET && other != INVALID_SOCKET);
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_SET(s, &r);
	FD_SET(other, &w);
	FAILS(select(0, &r, &w, 0, &now), WSAEINVAL);
	EQUAL(selects, 0);
	/* Sockets of two entries of one provider are no two providers'. */
	FD_ZERO(&r);
	FD_SET(s, &r);
	FD_SET(six, &r);
	EQUAL(select(0, &r, 0, 0, &now), 2);
	EQUAL(selects, 1);
}

BEHAVIOUR(117)
{
	struct fake *one = provider(0, tcp()), *two = provider(1, udp());
	GUID unknown = id_of(9);
	WSAPROTOCOL_INFOW info = tcp(), *all;
	DWORD ids[3] = {two->ids[0], one->ids[0], one->ids[0]};
	DWORD unknown_id[2] = {two->ids[0], 4711};
	int count;

	REFUSES(WSCInstallProvider(&one->id, wide(path_of(0)), &info, 1, &error), WSANO_RECOVERY);
	REFUSES(WSCDeinstallProvider(&unknown, &error), WSAEINVAL);
	EQUAL(WSCWriteProviderOrder(ids, 1), WSAEINVAL);
	EQUAL(WSCWriteProviderOrder(ids, 3), WSAEINVAL);
	EQUAL(WSCWriteProviderOrder(ids + 1, 2), WSAEINVAL);
	EQUAL(WSCWriteProviderOrder(unknown_id, 2), WSAEINVAL);
	EQUAL(WSCWriteProviderOrder(ids, 2), 0);
	all = catalog(&count);
	EQUAL(count, 2);
	EQUAL(all[0].dwCatalogEntryId, two->ids[0]);
	free(all);
	OK(WSCDeinstallProvider(&one->id, &error));
	REFUSES(WSCDeinstallProvider(&one->id, &error), WSAEINVAL);
}
