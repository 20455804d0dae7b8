/*
 * A chat server with events.
 *
 *	chatserver PORT [CLIENTS]
 *
 * passes each line on to everybody, with the number of who wrote it. PORT 0 lets
 * the system choose one; the server prints it. With CLIENTS it ends when so many
 * have come and gone.
 *
 * The idea: WSAEventSelect ties what happens to a socket to an event object, and
 * one call, WSAWaitForMultipleEvents, waits for up to 64 of them. As they are
 * ordinary objects, a program can wait in the same call for other things as well;
 * chatclient.c does.
 */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 256, BACKLOG = 8192 };

/* Two arrays in the same order: the call wants the events in one. The first is the
 * listening socket's. */
static WSAEVENT events[WSA_MAXIMUM_WAIT_EVENTS];
static struct client {
	SOCKET socket;
	int number;
	int line_length, waiting; /* bytes in line, and in what waits to be sent */
	char line[LINE], unsent[BACKLOG];
} *clients[WSA_MAXIMUM_WAIT_EVENTS];
static int count = 1, numbers, gone;

static void die(const char *what)
{
	fprintf(stderr, "chatserver: %s: error %d\n", what, WSAGetLastError());
	exit(1);
}

/*
 * Sends what waits, as far as the socket takes it. FD_WRITE comes when it takes
 * more: after the start, and after a send that failed with WSAEWOULDBLOCK.
 * 0: the client has left.
 */
static int send_waiting(struct client *c)
{
	while (c->waiting > 0) {
		int n = send(c->socket, c->unsent, c->waiting, 0);

		if (n == SOCKET_ERROR)
			return WSAGetLastError() == WSAEWOULDBLOCK;
		c->waiting -= n;
		memmove(c->unsent, c->unsent + n, c->waiting);
	}
	return 1;
}

/* Somebody who reads so slowly that the line has no room misses it. */
static void tell(struct client *c, const char *text, int length)
{
	if (c->waiting + length > BACKLOG)
		return;
	memcpy(c->unsent + c->waiting, text, length);
	c->waiting += length;
	send_waiting(c); /* a failure comes as FD_CLOSE too */
}

static void tell_all(int number, const char *text)
{
	char line[LINE + 32];
	int n = snprintf(line, sizeof line, "#%d %s\n", number, text);

	for (int i = 1; i < count; i++)
		tell(clients[i], line, n);
}

static void add(SOCKET s)
{
	struct client *c = calloc(1, sizeof *c);
	WSAEVENT event = WSACreateEvent();

	if (!c || event == WSA_INVALID_EVENT)
		die("WSACreateEvent");
	c->socket = s;
	c->number = ++numbers;
	/* It replaces what the socket has from the listening one. From here on the
	 * socket does not block. */
	if (WSAEventSelect(s, event, FD_READ | FD_WRITE | FD_CLOSE) != 0)
		die("WSAEventSelect");
	clients[count] = c;
	events[count++] = event;
	tell_all(c->number, "is here");
}

/* The last one takes the place of one that leaves. */
static void drop(int i)
{
	int number = clients[i]->number;

	closesocket(clients[i]->socket);
	WSACloseEvent(events[i]);
	free(clients[i]);
	count--;
	clients[i] = clients[count];
	events[i] = events[count];
	gone++;
	tell_all(number, "has left");
}

/*
 * One recv for each FD_READ: if it leaves something, FD_READ comes again. Returns
 * the bytes that came, 0 when the client has left, -1 when there is nothing now.
 */
static int hear(struct client *c)
{
	char text[LINE];
	int n = recv(c->socket, text, sizeof text, 0);

	if (n == SOCKET_ERROR)
		return WSAGetLastError() == WSAEWOULDBLOCK ? -1 : 0;
	for (int i = 0; i < n; i++) {
		if (text[i] != '\n' && c->line_length < LINE - 1) {
			c->line[c->line_length++] = text[i];
			continue;
		}
		c->line[c->line_length] = 0;
		c->line_length = 0;
		tell_all(c->number, c->line);
	}
	return n;
}

static void serve_listener(SOCKET listener)
{
	WSANETWORKEVENTS happened;
	SOCKET s;

	if (WSAEnumNetworkEvents(listener, events[0], &happened) != 0)
		die("WSAEnumNetworkEvents");
	if (!(happened.lNetworkEvents & FD_ACCEPT))
		return;
	s = accept(listener, NULL, NULL); /* FD_ACCEPT comes again if there are more */
	if (s == INVALID_SOCKET)
		return;
	if (count == WSA_MAXIMUM_WAIT_EVENTS)
		closesocket(s); /* no room */
	else
		add(s);
}

/* 0: the client has left. */
static int serve(int i)
{
	struct client *c = clients[i];
	WSANETWORKEVENTS happened;

	/* Tells what has happened since the last time, and resets the event. */
	if (WSAEnumNetworkEvents(c->socket, events[i], &happened) != 0)
		die("WSAEnumNetworkEvents");
	if ((happened.lNetworkEvents & FD_READ) && hear(c) == 0)
		return 0;
	if ((happened.lNetworkEvents & FD_WRITE) && !send_waiting(c))
		return 0;
	if (happened.lNetworkEvents & FD_CLOSE) {
		while (hear(c) > 0)
			; /* what came before the end may still be there */
		return 0;
	}
	return 1;
}

int main(int argc, char **argv)
{
	ADDRINFOA hints = {.ai_flags = AI_PASSIVE, .ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
	int limit = argc > 2 ? atoi(argv[2]) : 0;
	struct sockaddr_in at;
	int length = sizeof at;
	SOCKET listener;
	WSADATA data;

	if (argc < 2) {
		fprintf(stderr, "usage: chatserver PORT [CLIENTS]\n");
		return 2;
	}
	if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
		die("WSAStartup");
	if (getaddrinfo("127.0.0.1", argv[1], &hints, &found) != 0)
		die("getaddrinfo");
	listener = socket(found->ai_family, SOCK_STREAM, IPPROTO_TCP);
	events[0] = WSACreateEvent();
	if (listener == INVALID_SOCKET || bind(listener, found->ai_addr, (int)found->ai_addrlen) != 0 ||
	    WSAEventSelect(listener, events[0], FD_ACCEPT) != 0 || listen(listener, SOMAXCONN) != 0)
		die("listening");
	freeaddrinfo(found);
	if (getsockname(listener, (struct sockaddr *)&at, &length) != 0)
		die("getsockname");
	printf("listening at port %d\n", ntohs(at.sin_port));
	fflush(stdout);
	while (limit == 0 || gone < limit) {
		DWORD first = WSAWaitForMultipleEvents(count, events, FALSE, WSA_INFINITE, FALSE);

		if (first == WSA_WAIT_FAILED)
			die("WSAWaitForMultipleEvents");
		/* It names the first one that is signalled. Those behind it are looked at
		 * too, or a busy client at the front would keep the others waiting. */
		for (int i = count - 1; i >= (int)(first - WSA_WAIT_EVENT_0); i--) {
			if (WSAWaitForMultipleEvents(1, &events[i], FALSE, 0, FALSE) == WSA_WAIT_TIMEOUT)
				continue;
			if (i == 0)
				serve_listener(listener);
			else if (!serve(i))
				drop(i);
		}
	}
	while (count > 1)
		drop(count - 1);
	closesocket(listener);
	WSACloseEvent(events[0]);
	WSACleanup();
	printf("all have left\n");
	return 0;
}
