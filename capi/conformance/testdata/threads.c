/* A provider's APCs, and its names of threads. */
#include "provider.h"

static struct fake *f;
static int error, ran;
static DWORD_PTR got;
static pthread_t on;

static void up(void)
{
	f = provider(0, tcp());
	start(MAKEWORD(2, 2));
	stream();
}

static void CALLBACK apc(DWORD_PTR context)
{
	ran++;
	got = context;
	on = pthread_self();
}

struct queueing {
	WSATHREADID *id;
	LPWSAUSERAPC apc;
	DWORD_PTR context;
};

static void *queueing(void *q)
{
	struct queueing *a = q;

	OK(f->upcalls.lpWPUQueueApc(a->id, a->apc, a->context, &error));
	return 0;
}

/* Queues an APC from a thread of its own. */
static void queue(WSATHREADID *id, DWORD_PTR context)
{
	struct queueing a = {id, apc, context};
	pthread_t thread;

	OK(pthread_create(&thread, 0, queueing, &a));
	OK(pthread_join(thread, 0));
}

BEHAVIOUR(46)
{
	WSATHREADID id;

	up();
	OK(f->upcalls.lpWPUOpenCurrentThread(&id, &error));
	queue(&id, 42);
	EQUAL(SleepEx(0, FALSE), 0);
	EQUAL(ran, 0);
	EQUAL(SleepEx(INFINITE, TRUE), WSA_WAIT_IO_COMPLETION);
	EQUAL(ran, 1);
	EQUAL(got, 42);
	CHECK(pthread_equal(on, pthread_self()));
	OK(f->upcalls.lpWPUCloseThread(&id, &error));
}

BEHAVIOUR(50)
{
	WSATHREADID closed, stale, bad[4] = {{0, 0}, {(HANDLE)4711, 1}, {(HANDLE)-1, 0}, {0, 0}};
	int i;

	up();
	OK(f->upcalls.lpWPUOpenCurrentThread(&closed, &error));
	stale = closed;
	OK(f->upcalls.lpWPUCloseThread(&closed, &error));
	bad[3].ThreadHandle = (HANDLE)f->upcalls.lpWPUCreateEvent(&error);
	REFUSES(f->upcalls.lpWPUQueueApc(0, apc, 0, &error), WSAEFAULT);
	REFUSES(f->upcalls.lpWPUQueueApc(&closed, apc, 0, &error), WSAEFAULT);
	REFUSES(f->upcalls.lpWPUQueueApc(&stale, apc, 0, &error), WSAEFAULT);
	for (i = 0; i < 4; i++)
		REFUSES(f->upcalls.lpWPUQueueApc(&bad[i], apc, 0, &error), WSAEFAULT);
	REFUSES(f->upcalls.lpWPUCloseThread(&stale, &error), WSAEFAULT);
	REFUSES(f->upcalls.lpWPUCloseThread(0, &error), WSAEFAULT);
	EQUAL(SleepEx(0, TRUE), 0);
	EQUAL(ran, 0);
}

BEHAVIOUR(51)
{
	WSATHREADID *id = malloc(sizeof *id);

	up();
	OK(f->upcalls.lpWPUOpenCurrentThread(id, &error));
	queue(id, 1);
	memset(id, 0xff, sizeof *id);
	free(id);
	EQUAL(SleepEx(INFINITE, TRUE), WSA_WAIT_IO_COMPLETION);
	EQUAL(ran, 1);
}

BEHAVIOUR(52)
{
	WSATHREADID id, another;

	up();
	OK(f->upcalls.lpWPUOpenCurrentThread(&id, &error));
	OK(WSACleanup());
	REFUSES(f->upcalls.lpWPUOpenCurrentThread(&another, &error), WSANOTINITIALISED);
	REFUSES(f->upcalls.lpWPUCloseThread(&id, &error), WSANOTINITIALISED);
}

static void *open_and_end(void *id)
{
	OK(f->upcalls.lpWPUOpenCurrentThread(id, &error));
	return 0;
}

BEHAVIOUR(53)
{
	WSATHREADID id;
	pthread_t thread;

	up();
	OK(pthread_create(&thread, 0, open_and_end, &id));
	OK(pthread_join(thread, 0));
	REFUSES(f->upcalls.lpWPUQueueApc(&id, apc, 0, &error), WSAEFAULT);
	OK(f->upcalls.lpWPUCloseThread(&id, &error));
	EQUAL(ran, 0);
}

BEHAVIOUR(122)
{
	WSATHREADID id;

	up();
	OK(f->upcalls.lpWPUOpenCurrentThread(&id, &error));
	queue(&id, 7);
	OK(f->upcalls.lpWPUCloseThread(&id, &error));
	EQUAL(ran, 0);
	EQUAL(SleepEx(INFINITE, TRUE), WSA_WAIT_IO_COMPLETION);
	EQUAL(ran, 1);
	EQUAL(got, 7);
}
