/*
 * An echo server with select, for one thread.
 *
 *	select PORT [CONNECTIONS]
 *
 * sends back what each client sends. PORT 0 lets the system choose one; the
 * server prints it. With CONNECTIONS it ends when it has served so many.
 *
 * The idea: select gets sets of sockets that the program would like to read from,
 * or write to, and leaves in them those that are ready. An fd_set is an array of
 * at most FD_SETSIZE sockets, 64 unless the program defines another number before
 * it includes winsock2.h; it is not a mask of bits, and a socket may have any
 * value.
 */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER = 4096, MAX_CLIENTS = FD_SETSIZE - 1 /* and the listening socket */ };

/* A client is read from while it has been sent everything, and written to while it
 * has not: so one that does not read its answers is not read from either. */
struct client {
	SOCKET socket;
	int start, end; /* of what is to be sent, in buffer */
	char buffer[BUFFER];
};

static struct client *clients[MAX_CLIENTS];
static int count, served;

static void die(const char *what)
{
	fprintf(stderr, "select: %s: error %d\n", what, WSAGetLastError());
	exit(1);
}

static void accept_one(SOCKET listener)
{
	u_long on = 1;
	struct client *c;
	SOCKET s = accept(listener, NULL, NULL);

	if (s == INVALID_SOCKET) {
		/* The client may have left again. */
		if (WSAGetLastError() == WSAEWOULDBLOCK || WSAGetLastError() == WSAECONNRESET)
			return;
		die("accept");
	}
	c = calloc(1, sizeof *c);
	if (!c || ioctlsocket(s, FIONBIO, &on) != 0)
		die("ioctlsocket");
	c->socket = s;
	clients[count++] = c;
}

/* The last one takes the place of one that leaves. */
static void drop(int i)
{
	closesocket(clients[i]->socket);
	free(clients[i]);
	clients[i] = clients[--count];
	served++;
}

/* These return 0 when the client has left. */
static int hear(struct client *c)
{
	int n = recv(c->socket, c->buffer, BUFFER, 0);

	if (n == SOCKET_ERROR)
		return WSAGetLastError() == WSAEWOULDBLOCK;
	c->start = 0;
	c->end = n;
	return n > 0;
}

static int answer(struct client *c)
{
	int n = send(c->socket, c->buffer + c->start, c->end - c->start, 0);

	if (n == SOCKET_ERROR)
		return WSAGetLastError() == WSAEWOULDBLOCK;
	c->start += n;
	return 1;
}

static void serve(SOCKET listener, int limit)
{
	while (limit == 0 || served < limit) {
		fd_set readable, writable;

		/* select changes the sets: they are filled again each time. */
		FD_ZERO(&readable);
		FD_ZERO(&writable);
		if (count < MAX_CLIENTS)
			FD_SET(listener, &readable);
		for (int i = 0; i < count; i++) {
			struct client *c = clients[i];

			if (c->start < c->end)
				FD_SET(c->socket, &writable);
			else
				FD_SET(c->socket, &readable);
		}
		/* The first argument means nothing to Windows. No timeout: for ever. */
		if (select(0, &readable, &writable, NULL, NULL) == SOCKET_ERROR)
			die("select");
		/* From the last to the first: drop moves only those that were served. */
		for (int i = count - 1; i >= 0; i--) {
			struct client *c = clients[i];
			int here = 1;

			if (FD_ISSET(c->socket, &readable))
				here = hear(c);
			if (here && c->start < c->end)
				here = answer(c);
			if (!here)
				drop(i);
		}
		if (FD_ISSET(listener, &readable))
			accept_one(listener);
	}
}

int main(int argc, char **argv)
{
	ADDRINFOA hints = {.ai_flags = AI_PASSIVE, .ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
	struct sockaddr_in at;
	int length = sizeof at;
	u_long on = 1;
	SOCKET listener;
	WSADATA data;

	if (argc < 2) {
		fprintf(stderr, "usage: select PORT [CONNECTIONS]\n");
		return 2;
	}
	if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
		die("WSAStartup");
	if (getaddrinfo("127.0.0.1", argv[1], &hints, &found) != 0)
		die("getaddrinfo");
	listener = socket(found->ai_family, SOCK_STREAM, IPPROTO_TCP);
	if (listener == INVALID_SOCKET || bind(listener, found->ai_addr, (int)found->ai_addrlen) != 0 || listen(listener, SOMAXCONN) != 0)
		die("listening");
	freeaddrinfo(found);
	/* It does not block either: a client may leave between select and accept. */
	if (ioctlsocket(listener, FIONBIO, &on) != 0 || getsockname(listener, (struct sockaddr *)&at, &length) != 0)
		die("getsockname");
	printf("listening at port %d\n", ntohs(at.sin_port));
	fflush(stdout);
	serve(listener, argc > 2 ? atoi(argv[2]) : 0);
	while (count > 0)
		drop(count - 1);
	closesocket(listener);
	WSACleanup();
	printf("served all\n");
	return 0;
}
