/*
 * Loading, starting, ending and unloading again and again leaves no descriptor,
 * no mapping and no memory behind. What is not freed at all a leak sanitizer
 * tells at the end, in a build with one.
 */
#include "provider.h"

#include <dirent.h>

enum { ROUNDS = 1000, CYCLES = 300 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

struct usage {
	int descriptors, mappings, threads, resident; /* the last in KiB */
};

static struct usage usage(void)
{
	struct usage u = {0, 0, 0, 0};
	DIR *dir = opendir("/proc/self/fd");
	FILE *f;
	char line[4096];

	CHECK(dir != 0);
	while (readdir(dir))
		u.descriptors++;
	closedir(dir);
	CHECK((f = fopen("/proc/self/maps", "r")) != 0);
	while (fgets(line, sizeof line, f))
		u.mappings++;
	fclose(f);
	CHECK((f = fopen("/proc/self/status", "r")) != 0);
	while (fgets(line, sizeof line, f)) {
		sscanf(line, "VmRSS: %d kB", &u.resident);
		sscanf(line, "Threads: %d", &u.threads);
	}
	fclose(f);
	CHECK(u.resident > 0 && u.threads > 0);
	return u;
}

/* Go's heap breathes, and its threads come when they are needed, each with a stack,
 * an arena and their guards: hence the room. */
static void flat(struct usage before, struct usage after)
{
	int more = after.threads > before.threads ? after.threads - before.threads : 0;

	EQUAL(after.descriptors, before.descriptors);
	if (after.mappings > before.mappings + 24 + 4 * more)
		EQUAL(after.mappings, before.mappings);
	/* A sanitizer keeps what was freed, and notes about it. */
	if (!SANITIZED && after.resident > before.resident + 8192)
		EQUAL(after.resident, before.resident);
}

/* Does something many times, and measures between the first half and the end. */
static void repeat(int rounds, void (*once)(void))
{
	struct usage half = {0, 0, 0, 0};
	int i;

	for (i = 0; i < rounds; i++) {
		if (i == rounds / 2)
			half = usage();
		once();
	}
	flat(half, usage());
}

static void load(void)
{
	HMODULE m = LoadLibraryA(path_of(0));

	CHECK(m != 0);
	CHECK(GetProcAddress(m, "WSPStartup") != 0);
	CHECK(FreeLibrary(m));
}

BEHAVIOUR(libraries)
{
	repeat(ROUNDS, load);
}

/* The host loads the provider, and unloads it at the last cleanup. */
static void cycle(void)
{
	SOCKET s;

	start(MAKEWORD(2, 2));
	s = stream();
	OK(listen(s, 1));
	OK(closesocket(s));
	OK(WSACleanup());
}

BEHAVIOUR(provider)
{
	GUID id = id_of(0);
	WSAPROTOCOL_INFOW info = with_descriptors(tcp());
	char line[4096];
	FILE *f;
	int error;

	OK(WSCInstallProvider(&id, wide(path_of(0)), &info, 1, &error));
	repeat(ROUNDS, cycle);
	CHECK((f = fopen("/proc/self/maps", "r")) != 0);
	while (fgets(line, sizeof line, f))
		CHECK(!strstr(line, path_of(0)));
	fclose(f);
}

/* A provider whose start fails is unloaded, too. */
static void refused(void)
{
	start(MAKEWORD(2, 2));
	FAILS(socket(AF_INET, SOCK_STREAM, 0), WSAEINVALIDPROCTABLE);
	OK(WSACleanup());
}

BEHAVIOUR(refused)
{
	struct fake *f = provider(0, tcp());

	f->table.lpWSPBind = 0;
	repeat(ROUNDS, refused);
	EQUAL(f->starts, ROUNDS);
	EQUAL(f->cleanups, ROUNDS);
}

/* Sockets, events, completions, a thread: over whatever chain. */
static void *exchange(void *nothing)
{
	SOCKET one, other;
	OVERLAPPED ov;
	WSABUF b;
	char c = 0;
	DWORD n, flags = 0;

	memset(&ov, 0, sizeof ov);
	ov.hEvent = new_event();
	pair(&one, &other);
	b = buffer(&c, 1);
	FAILS(WSARecv(one, &b, 1, 0, &flags, &ov, 0), WSA_IO_PENDING);
	say(other, "x");
	await(ov.hEvent);
	CHECK(WSAGetOverlappedResult(one, &ov, &n, TRUE, &flags));
	EQUAL(n, 1);
	CHECK(WSACloseEvent(ov.hEvent));
	OK(closesocket(one));
	OK(closesocket(other));
	return 0;
}

static void chain(void)
{
	pthread_t thread;

	start(MAKEWORD(2, 2));
	exchange(0);
	OK(pthread_create(&thread, 0, exchange, 0));
	OK(pthread_join(thread, 0));
	OK(WSACleanup());
}

BEHAVIOUR(chain)
{
	repeat(CYCLES, chain);
}
