/*
 * A source here has behaviours, each of which is one run of its program: the
 * number is the program's argument.
 *
 *	BEHAVIOUR(76)
 *	{
 *		...
 *	}
 */
#ifndef UPCALL_CONFORMANCE_BEHAVIOUR_H
#define UPCALL_CONFORMANCE_BEHAVIOUR_H

#include "check.h"

#include <mswsock.h>
#include <pthread.h>

struct behaviour {
	const char *name;
	void (*run)(void);
	struct behaviour *next;
};

static struct behaviour *behaviours;

#define BEHAVIOUR(number) \
	static void behaviour_##number(void); \
	static struct behaviour entry_##number = {#number, behaviour_##number, 0}; \
	__attribute__((constructor)) static void add_##number(void) \
	{ \
		entry_##number.next = behaviours; \
		behaviours = &entry_##number; \
	} \
	static void behaviour_##number(void)

int main(int count, char **arguments)
{
	struct behaviour *b;

	for (b = behaviours; b; b = b->next)
		if (count > 1 && !strcmp(b->name, arguments[1])) {
			b->run();
			return 0;
		}
	fprintf(stderr, "%s: there is no behaviour %s here\n", arguments[0], count > 1 ? arguments[1] : "");
	return 2;
}

/* How long a test waits for what must come, in milliseconds. */
enum { PATIENCE = 30000 };

/* Whether the sockets of the chain are the provider's own, not descriptors. */
static inline int non_ifs(void)
{
	return getenv("UPCALL_TEST_NONIFS") != 0;
}

static inline WSAEVENT new_event(void)
{
	WSAEVENT e = WSACreateEvent();

	CHECK(e != WSA_INVALID_EVENT);
	return e;
}

static inline int is_set(WSAEVENT e)
{
	DWORD r = WSAWaitForMultipleEvents(1, &e, FALSE, 0, FALSE);

	CHECK(r == WSA_WAIT_EVENT_0 || r == WSA_WAIT_TIMEOUT);
	return r == WSA_WAIT_EVENT_0;
}

static inline void await(WSAEVENT e)
{
	EQUAL(WSAWaitForMultipleEvents(1, &e, FALSE, PATIENCE, FALSE), WSA_WAIT_EVENT_0);
}

static inline WSABUF buffer(void *p, size_t n)
{
	WSABUF b = {(ULONG)n, (CHAR *)p};

	return b;
}

/* Sends text as a whole. */
static inline void say(SOCKET s, const char *text)
{
	EQUAL(send(s, text, (int)strlen(text), 0), strlen(text));
}

/* Receives just this. */
static inline void hear(SOCKET s, const char *text)
{
	char buf[256];
	int n, at = 0, length = (int)strlen(text);

	while (at < length) {
		n = recv(s, buf + at, length - at, 0);
		CHECK(n > 0);
		at += n;
	}
	CHECK(!memcmp(buf, text, length));
}

static inline void nonblocking(SOCKET s)
{
	u_long on = 1;

	OK(ioctlsocket(s, FIONBIO, &on));
}

/* Waits until s can be read from, by select. */
static inline void readable(SOCKET s)
{
	fd_set set;
	struct timeval patience = {PATIENCE / 1000, 0};

	FD_ZERO(&set);
	FD_SET(s, &set);
	EQUAL(select(0, &set, 0, 0, &patience), 1);
	CHECK(FD_ISSET(s, &set));
}

/* Waits until one of the events has happened, and returns its error. */
static inline int network_event(SOCKET s, WSAEVENT e, int bit)
{
	WSANETWORKEVENTS found;
	int tries;

	for (tries = 0; tries < 100; tries++) {
		await(e);
		OK(WSAEnumNetworkEvents(s, e, &found));
		if (found.lNetworkEvents & 1 << bit)
			return found.iErrorCode[bit];
	}
	CHECK(!"the event comes");
	return -1;
}

#endif
