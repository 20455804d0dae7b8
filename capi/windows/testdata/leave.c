/*
 * Threads and processes that end in a callback: a completion routine, an APC, a
 * condition function. Other threads go on, and WSACleanup works.
 */
#include "check.h"

#include <pthread.h>

enum { ROUTINE, APC, CONDITION, WAYS };
enum { THREADS = 20 };

static volatile int ending; /* the process, not the thread */

static void leave(void)
{
	if (ending)
		exit(3);
	pthread_exit(NULL);
}

static void CALLBACK routine(DWORD error, DWORD n, LPWSAOVERLAPPED ov, DWORD flags)
{
	leave();
}

static VOID CALLBACK apc(ULONG_PTR context)
{
	leave();
}

static int CALLBACK condition(LPWSABUF caller, LPWSABUF caller_data, LPQOS sqos, LPQOS gqos, LPWSABUF callee, LPWSABUF callee_data, GROUP *g, DWORD_PTR data)
{
	leave();
	return CF_REJECT;
}

struct sockets {
	int way;
	SOCKET listening, client, server;
	WSAOVERLAPPED ov;
	char byte;
};

static void *enter(void *context)
{
	struct sockets *s = context;
	WSABUF buffer = {1, &s->byte};
	DWORD flags = 0;

	switch (s->way) {
	case ROUTINE:
		CHECK(WSARecv(s->server, &buffer, 1, NULL, &flags, &s->ov, routine) == 0 || WSAGetLastError() == WSA_IO_PENDING);
		EQUAL(send(s->client, "x", 1, 0), 1);
		SleepEx(INFINITE, TRUE);
		break;
	case APC:
		CHECK(QueueUserAPC(apc, GetCurrentThread(), 0));
		SleepEx(INFINITE, TRUE);
		break;
	case CONDITION:
		WSAAccept(s->listening, NULL, NULL, condition, 0);
	}
	return s; /* a callback that returns: none here does */
}

static void make(struct sockets *s)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int length = sizeof name;

	s->listening = socket(AF_INET, SOCK_STREAM, 0);
	s->client = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(s->listening != INVALID_SOCKET && s->client != INVALID_SOCKET);
	OK(bind(s->listening, (struct sockaddr *)&name, length));
	OK(getsockname(s->listening, (struct sockaddr *)&name, &length));
	OK(listen(s->listening, 1));
	OK(connect(s->client, (struct sockaddr *)&name, length));
	s->server = s->way == CONDITION ? INVALID_SOCKET : accept(s->listening, NULL, NULL);
}

static void finish(struct sockets *s)
{
	if (s->server != INVALID_SOCKET)
		OK(closesocket(s->server));
	OK(closesocket(s->client));
	OK(closesocket(s->listening));
}

int main(int argc, char **argv)
{
	start(MAKEWORD(2, 2));
	if (argc > 1) { /* ends in the callback of that number, with 3 */
		struct sockets s = {.way = atoi(argv[1])};

		ending = 1;
		make(&s);
		enter(&s);
		return 1;
	}
	for (int i = 0; i < THREADS; i++)
		for (int way = 0; way < WAYS; way++) {
			struct sockets s = {.way = way};
			pthread_t t;
			void *result;

			make(&s);
			CHECK(pthread_create(&t, NULL, enter, &s) == 0 && pthread_join(t, &result) == 0);
			CHECK(result == NULL);
			finish(&s);
		}
	OK(WSACleanup());
	return 0;
}
