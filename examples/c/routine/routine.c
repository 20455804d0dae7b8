/*
 * A client with completion routines.
 *
 *	routine HOST PORT [MESSAGES]
 *
 * sends messages to an echo server and prints the answers.
 *
 * The idea: the end of an operation is a call of a function of the program, a
 * completion routine. It comes on the thread that started the operation, and only
 * while that thread waits alertably, here in SleepEx; so the routines need no
 * locks, and neither does the rest of the program.
 */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 32 };

/* What a routine gets is the OVERLAPPED. It is the first field here, so that its
 * address leads to the rest. */
struct operation {
	WSAOVERLAPPED overlapped;
	WSABUF rest;
	char text[SIZE];
};

static SOCKET s;
static struct operation sending, receiving;
static int messages = 3, answered, failed;

static void die(const char *what)
{
	fprintf(stderr, "routine: %s: error %d\n", what, WSAGetLastError());
	exit(1);
}

static void CALLBACK sent(DWORD error, DWORD bytes, LPWSAOVERLAPPED overlapped, DWORD flags);
static void CALLBACK received(DWORD error, DWORD bytes, LPWSAOVERLAPPED overlapped, DWORD flags);

/*
 * Whether the call returns 0 or WSA_IO_PENDING the routine runs, and in both cases
 * not before the next alertable wait.
 */
static void started(int result, const char *what)
{
	if (result != 0 && WSAGetLastError() != WSA_IO_PENDING)
		die(what);
}

static void send_rest(void)
{
	memset(&sending.overlapped, 0, sizeof sending.overlapped);
	started(WSASend(s, &sending.rest, 1, NULL, 0, &sending.overlapped, sent), "WSASend");
}

static void receive_rest(void)
{
	DWORD flags = 0;

	memset(&receiving.overlapped, 0, sizeof receiving.overlapped);
	started(WSARecv(s, &receiving.rest, 1, NULL, &flags, &receiving.overlapped, received), "WSARecv");
}

/* Sends the next message and receives as many bytes: both are under way at once,
 * each with an OVERLAPPED and a buffer of its own. */
static void next(void)
{
	int n = snprintf(sending.text, SIZE, "message %d", answered + 1);

	sending.rest.buf = sending.text;
	receiving.rest.buf = receiving.text;
	sending.rest.len = receiving.rest.len = n;
	send_rest();
	receive_rest();
}

static void CALLBACK sent(DWORD error, DWORD bytes, LPWSAOVERLAPPED overlapped, DWORD flags)
{
	(void)overlapped, (void)flags;
	if (error != 0) {
		fprintf(stderr, "routine: sending failed: error %lu\n", (unsigned long)error);
		failed = 1;
		return;
	}
	sending.rest.buf += bytes;
	sending.rest.len -= bytes;
	if (sending.rest.len > 0)
		send_rest();
}

static void CALLBACK received(DWORD error, DWORD bytes, LPWSAOVERLAPPED overlapped, DWORD flags)
{
	struct operation *o = (struct operation *)overlapped;

	(void)flags;
	if (error != 0 || bytes == 0) {
		fprintf(stderr, "routine: the server has left: error %lu\n", (unsigned long)error);
		failed = 1;
		return;
	}
	o->rest.buf += bytes;
	o->rest.len -= bytes;
	if (o->rest.len > 0) {
		receive_rest();
		return;
	}
	*o->rest.buf = 0;
	printf("%s\n", o->text);
	if (strcmp(o->text, sending.text) != 0) {
		fprintf(stderr, "routine: the answer to %s is %s\n", sending.text, o->text);
		failed = 1;
		return;
	}
	answered++;
	if (answered < messages)
		next();
}

static void connect_to(const char *host, const char *service)
{
	ADDRINFOA hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;

	if (getaddrinfo(host, service, &hints, &found) != 0)
		die(host);
	s = WSASocketW(found->ai_family, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED);
	if (s == INVALID_SOCKET || connect(s, found->ai_addr, (int)found->ai_addrlen) != 0)
		die("connect");
	freeaddrinfo(found);
}

int main(int argc, char **argv)
{
	WSADATA data;

	if (argc < 3) {
		fprintf(stderr, "usage: routine HOST PORT [MESSAGES]\n");
		return 2;
	}
	if (argc > 3)
		messages = atoi(argv[3]);
	if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
		die("WSAStartup");
	connect_to(argv[1], argv[2]);
	if (messages > 0)
		next();
	/* All that happens from here on happens inside SleepEx. */
	while (answered < messages && !failed)
		SleepEx(INFINITE, TRUE);
	closesocket(s);
	WSACleanup();
	return failed;
}
