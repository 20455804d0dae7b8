#include <pthread.h>
#include <stdlib.h>

#include <winsock2.h>

#include "_cgo_export.h"
#include "names.h"

/* The latest structures that a thread was given. They last until its next call of
 * the kind, or its end. */
struct latest {
	void *host;
	void *service;
	void *protocol;
};

static __thread struct latest latest;
static pthread_key_t ending;

static void drop(void *l)
{
	struct latest *of = l;

	free(of->host);
	free(of->service);
	free(of->protocol);
	of->host = of->service = of->protocol = 0;
}

__attribute__((constructor)) static void prepare(void)
{
	pthread_key_create(&ending, drop);
}

static void *keep(void **kind, uintptr_t memory)
{
	pthread_setspecific(ending, &latest);
	free(*kind);
	*kind = (void *)memory;
	return *kind;
}

struct hostent *WSAAPI gethostbyname(const char *name)
{
	struct goGetHostByName_return r;

	ALIVE(0);
	r = goGetHostByName(self(), (void *)name);
	FAIL_IF(r.r1, 0);
	return keep(&latest.host, r.r0);
}

struct hostent *WSAAPI gethostbyaddr(const char *addr, int length, int type)
{
	struct goGetHostByAddr_return r;

	ALIVE(0);
	r = goGetHostByAddr(self(), (void *)addr, length, type);
	FAIL_IF(r.r1, 0);
	return keep(&latest.host, r.r0);
}

struct servent *WSAAPI getservbyname(const char *name, const char *protocol)
{
	struct goGetServByName_return r;

	ALIVE(0);
	FAIL_IF(name ? 0 : WSAEFAULT, 0);
	r = goGetServByName(self(), (void *)name, (void *)protocol);
	FAIL_IF(r.r1, 0);
	return keep(&latest.service, r.r0);
}

struct servent *WSAAPI getservbyport(int port, const char *protocol)
{
	struct goGetServByPort_return r;

	ALIVE(0);
	r = goGetServByPort(self(), port, (void *)protocol);
	FAIL_IF(r.r1, 0);
	return keep(&latest.service, r.r0);
}

struct protoent *WSAAPI getprotobyname(const char *name)
{
	struct goGetProtoByName_return r;

	ALIVE(0);
	FAIL_IF(name ? 0 : WSAEFAULT, 0);
	r = goGetProtoByName(self(), (void *)name);
	FAIL_IF(r.r1, 0);
	return keep(&latest.protocol, r.r0);
}

struct protoent *WSAAPI getprotobynumber(int number)
{
	struct goGetProtoByNumber_return r;

	ALIVE(0);
	r = goGetProtoByNumber(self(), number);
	FAIL_IF(r.r1, 0);
	return keep(&latest.protocol, r.r0);
}

int WSAAPI gethostname(char *name, int length)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goGetHostName(self(), name, length, 0));
}

int WSAAPI GetHostNameW(PWSTR name, int length)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goGetHostName(self(), name, length, 1));
}
