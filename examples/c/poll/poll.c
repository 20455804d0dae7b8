/*
 * A client of many connections: WSAPoll.
 *
 *	poll HOST PORT [CONNECTIONS]
 *
 * connects so often, sends a message on each connection, prints the answers of the
 * echo server as they come, and ends with 1 unless all were right.
 *
 * The idea: one array says for each socket what is awaited, and WSAPoll stores
 * beside it what has come. Unlike select it does not forget what was asked, and it
 * has no limit of 64.
 */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 32, MAX_CONNECTIONS = 1000, PATIENCE = 30000 /* milliseconds */ };

/* As many as in the array of WSAPOLLFDs, in the same order. */
struct connection {
	char question[SIZE], answer[SIZE];
	int length, sent, heard;
};

static WSAPOLLFD polled[MAX_CONNECTIONS];
static struct connection connections[MAX_CONNECTIONS];

static void die(const char *what)
{
	fprintf(stderr, "poll: %s: error %d\n", what, WSAGetLastError());
	exit(1);
}

/* Starts to connect: the socket does not block, and becomes writable when it is
 * connected, or ready with POLLERR when that failed. */
static void start(int i, const ADDRINFOA *to)
{
	u_long on = 1;
	SOCKET s = socket(to->ai_family, SOCK_STREAM, IPPROTO_TCP);

	if (s == INVALID_SOCKET || ioctlsocket(s, FIONBIO, &on) != 0)
		die("socket");
	if (connect(s, to->ai_addr, (int)to->ai_addrlen) != 0 && WSAGetLastError() != WSAEWOULDBLOCK)
		die("connect");
	polled[i].fd = s;
	polled[i].events = POLLOUT;
	connections[i].length = snprintf(connections[i].question, SIZE, "message of connection %d", i + 1);
}

/* Each of these goes as far as it can. -1: the connection has failed. */
static int send_rest(SOCKET s, struct connection *c)
{
	int n = send(s, c->question + c->sent, c->length - c->sent, 0);

	if (n == SOCKET_ERROR)
		return WSAGetLastError() == WSAEWOULDBLOCK ? 0 : -1;
	c->sent += n;
	return 0;
}

static int hear(SOCKET s, struct connection *c)
{
	int n = recv(s, c->answer + c->heard, SIZE - 1 - c->heard, 0);

	if (n == SOCKET_ERROR)
		return WSAGetLastError() == WSAEWOULDBLOCK ? 0 : -1;
	c->heard += n;
	return n == 0 ? -1 : 0; /* 0 bytes: the server has left */
}

/* Does what the connection is ready for. 1: it is done, -1: it has failed. */
static int serve(WSAPOLLFD *p, struct connection *c)
{
	if (p->revents & (POLLERR | POLLNVAL))
		return -1;
	if ((p->revents & POLLOUT) && send_rest(p->fd, c) != 0)
		return -1;
	if ((p->revents & (POLLIN | POLLHUP)) && hear(p->fd, c) != 0)
		return -1;
	p->events = c->sent < c->length ? POLLOUT : POLLIN;
	if (c->heard < c->length)
		return 0;
	printf("%s\n", c->answer);
	return strcmp(c->answer, c->question) == 0 ? 1 : -1;
}

int main(int argc, char **argv)
{
	ADDRINFOA hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
	int count = argc > 3 ? atoi(argv[3]) : 3, left = count, failed = 0;
	WSADATA data;

	if (argc < 3 || count < 1 || count > MAX_CONNECTIONS) {
		fprintf(stderr, "usage: poll HOST PORT [CONNECTIONS], from 1 to %d\n", MAX_CONNECTIONS);
		return 2;
	}
	if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
		die("WSAStartup");
	if (getaddrinfo(argv[1], argv[2], &hints, &found) != 0)
		die(argv[1]);
	for (int i = 0; i < count; i++)
		start(i, found);
	freeaddrinfo(found);
	while (left > 0) {
		int ready = WSAPoll(polled, count, PATIENCE);

		if (ready == SOCKET_ERROR)
			die("WSAPoll");
		if (ready == 0) {
			fprintf(stderr, "poll: the server has not answered for %d s\n", PATIENCE / 1000);
			return 1;
		}
		for (int i = 0; i < count && ready > 0; i++) {
			int done;

			if (polled[i].revents == 0)
				continue;
			ready--;
			done = serve(&polled[i], &connections[i]);
			if (done == 0)
				continue;
			if (done < 0) {
				fprintf(stderr, "poll: connection %d has failed\n", i + 1);
				failed = 1;
			}
			closesocket(polled[i].fd);
			polled[i].fd = INVALID_SOCKET; /* WSAPoll passes over it */
			left--;
		}
	}
	WSACleanup();
	return failed;
}
