/* calls WHAT: calls of Winsock, and upcalls as a provider in C makes them, that
 * no system call is part of. The upcall table is the one that provider.c, the
 * catalog's first provider, has got from the library. */
#include <winsock2.h>
#include <windows.h>
#include <ws2spi.h>

#include <pthread.h>
#include <string.h>

#include "figure.h"

enum { BATCH = 1000 };

/* provider.c's WSPStartup stores here what it gets. */
WSPUPCALLTABLE bench_upcalls;
DWORD bench_entry;

static WSAEVENT events[WSA_MAXIMUM_WAIT_EVENTS];
static SOCKET sockets[BATCH];

static WSAEVENT new_event(void)
{
	WSAEVENT event = WSACreateEvent();

	if (event == WSA_INVALID_EVENT)
		fail("WSACreateEvent");
	return event;
}

/* An event that a thread has waited for is Go's to change; as it is not set, the
 * call looks its handle up and returns. */
static void prepare_entry(void)
{
	events[0] = new_event();
	if (WSAWaitForMultipleEvents(1, events, FALSE, 1, FALSE) != WSA_WAIT_TIMEOUT)
		fail("WSAWaitForMultipleEvents");
}

static void entry(void)
{
	for (int i = 0; i < BATCH; i++)
		if (!WSAResetEvent(events[0]))
			fail("WSAResetEvent");
}

static void prepare_event(void) { events[0] = new_event(); }

static void set_and_reset(void)
{
	for (int i = 0; i < BATCH / 2; i++)
		if (!WSASetEvent(events[0]) || !WSAResetEvent(events[0]))
			fail("WSASetEvent, WSAResetEvent");
}

/* The last one is signalled, so that each has to be looked at. */
static void prepare_wait(void)
{
	for (int i = 0; i < WSA_MAXIMUM_WAIT_EVENTS; i++)
		events[i] = new_event();
	WSASetEvent(events[WSA_MAXIMUM_WAIT_EVENTS - 1]);
}

static void wait_any(void)
{
	for (int i = 0; i < BATCH; i++)
		if (WSAWaitForMultipleEvents(WSA_MAXIMUM_WAIT_EVENTS, events, FALSE, WSA_INFINITE, FALSE) !=
		    WSA_WAIT_EVENT_0 + WSA_MAXIMUM_WAIT_EVENTS - 1)
			fail("WSAWaitForMultipleEvents");
}

/* The program has no socket of the provider: its start fails when it has the
 * table. */
static void start_provider(void)
{
	if (socket(AF_INET, SOCK_RDM, 201) != INVALID_SOCKET || !bench_upcalls.lpWPUQuerySocketHandleContext)
		fail("provider.c was not started");
}

static void prepare_table_event(void)
{
	start_provider();
	prepare_event();
}

static void table_set_and_reset(void)
{
	INT error;

	for (int i = 0; i < BATCH / 2; i++)
		if (!bench_upcalls.lpWPUSetEvent(events[0], &error) || !bench_upcalls.lpWPUResetEvent(events[0], &error))
			fail("WPUSetEvent, WPUResetEvent");
}

static void prepare_query(void)
{
	INT error;

	start_provider();
	for (int i = 0; i < BATCH; i++) {
		sockets[i] = bench_upcalls.lpWPUCreateSocketHandle(bench_entry, i, &error);
		if (sockets[i] == INVALID_SOCKET)
			fail("WPUCreateSocketHandle");
	}
	for (int i = BATCH - 1; i > 0; i--) {
		int j = rand() % (i + 1);
		SOCKET s = sockets[i];

		sockets[i] = sockets[j];
		sockets[j] = s;
	}
}

static void query(void)
{
	DWORD_PTR context, sum = 0;
	INT error;

	for (int i = 0; i < BATCH; i++) {
		if (bench_upcalls.lpWPUQuerySocketHandleContext(sockets[i], &context, &error) != 0)
			fail("WPUQuerySocketHandleContext");
		sum += context;
	}
	if (sum != (DWORD_PTR)BATCH * (BATCH - 1) / 2)
		fail("the contexts are others");
}

struct one { int milliseconds; double figure; };

static void *query_thread(void *p)
{
	struct one *o = p;

	o->figure = per_call(o->milliseconds, CLOCK_THREAD_CPUTIME_ID, query, BATCH);
	return NULL;
}

/* As measure does, with two threads at once. */
static int measure_two(void)
{
	int milliseconds;

	while (next_line(&milliseconds)) {
		struct one here = { milliseconds, 0 }, there = here;
		pthread_t thread;

		if (pthread_create(&thread, NULL, query_thread, &there) != 0)
			fail("pthread_create");
		query_thread(&here);
		pthread_join(thread, NULL);
		print_figure((here.figure + there.figure) / 2);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*prepare)(void), (*batch)(void);
	} all[] = {
		{ "entry", prepare_entry, entry },
		{ "event", prepare_event, set_and_reset },
		{ "wait", prepare_wait, wait_any },
		{ "table-event", prepare_table_event, table_set_and_reset },
		{ "query", prepare_query, query },
		{ "query-two", prepare_query, NULL },
	};
	WSADATA data;

	if (argc != 2 || WSAStartup(MAKEWORD(2, 2), &data) != 0)
		fail("usage: calls WHAT");
	for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++)
		if (strcmp(all[i].name, argv[1]) == 0) {
			all[i].prepare();
			return all[i].batch ? measure(all[i].batch, BATCH) : measure_two();
		}
	fail("calls: no such WHAT");
}
