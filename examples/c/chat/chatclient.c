/*
 * A chat client with events.
 *
 *	chatclient HOST PORT
 *
 * sends each line of its input to a chat server and prints what that sends, until
 * the input ends.
 *
 * The idea: the program waits in one place for two different things, the socket
 * and the keyboard. The socket has an event by WSAEventSelect; what is typed is
 * read by a thread of its own, which hands over each line by two events that reset
 * themselves.
 */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 256, UNSENT = 4096 };

/* The line belongs to the reading thread until line_ready is set, and to the main
 * one from then until it sets line_taken. */
static HANDLE line_ready, line_taken;
static char line[LINE];
static int input_ended;

static SOCKET s;
static WSAEVENT happened;
static char unsent[UNSENT];
static int waiting; /* bytes in unsent */

static void die(const char *what)
{
	fprintf(stderr, "chatclient: %s: error %d\n", what, WSAGetLastError());
	exit(1);
}

static DWORD WINAPI read_input(LPVOID unused)
{
	(void)unused;
	for (;;) {
		input_ended = !fgets(line, sizeof line, stdin);
		SetEvent(line_ready);
		if (input_ended)
			return 0;
		WaitForSingleObject(line_taken, INFINITE);
	}
}

static void connect_to(const char *host, const char *service)
{
	ADDRINFOA hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;

	if (getaddrinfo(host, service, &hints, &found) != 0)
		die(host);
	s = socket(found->ai_family, SOCK_STREAM, IPPROTO_TCP);
	if (s == INVALID_SOCKET || connect(s, found->ai_addr, (int)found->ai_addrlen) != 0)
		die("connect");
	freeaddrinfo(found);
	happened = WSACreateEvent();
	if (happened == WSA_INVALID_EVENT || WSAEventSelect(s, happened, FD_READ | FD_WRITE | FD_CLOSE) != 0)
		die("WSAEventSelect");
}

/* Sends what waits; FD_WRITE comes when the socket takes the rest. */
static void send_waiting(void)
{
	while (waiting > 0) {
		int n = send(s, unsent, waiting, 0);

		if (n == SOCKET_ERROR) {
			if (WSAGetLastError() != WSAEWOULDBLOCK)
				die("send");
			return;
		}
		waiting -= n;
		memmove(unsent, unsent + n, waiting);
	}
	/* Nothing comes after the last line: the server then closes the connection. */
	if (input_ended && shutdown(s, SD_SEND) != 0)
		die("shutdown");
}

static void take_line(void)
{
	int n = input_ended ? 0 : (int)strlen(line);

	memcpy(unsent + waiting, line, n);
	waiting += n;
	send_waiting();
}

/* Returns the bytes that came, 0 when the server has closed the connection, -1 when
 * there is nothing now. */
static int hear(void)
{
	char text[1024];
	int n = recv(s, text, sizeof text, 0);

	if (n == SOCKET_ERROR) {
		if (WSAGetLastError() != WSAEWOULDBLOCK)
			die("recv");
		return -1;
	}
	fwrite(text, 1, n, stdout);
	fflush(stdout);
	return n;
}

/* 0: the server has closed the connection. */
static int serve_socket(void)
{
	WSANETWORKEVENTS network;

	/* Tells what has happened since the last time, and resets the event. */
	if (WSAEnumNetworkEvents(s, happened, &network) != 0)
		die("WSAEnumNetworkEvents");
	if ((network.lNetworkEvents & FD_READ) && hear() == 0)
		return 0;
	if (network.lNetworkEvents & FD_WRITE)
		send_waiting();
	if (network.lNetworkEvents & FD_CLOSE) {
		while (hear() > 0)
			; /* what came before the end */
		return 0;
	}
	return 1;
}

int main(int argc, char **argv)
{
	HANDLE reader;
	WSADATA data;

	if (argc != 3) {
		fprintf(stderr, "usage: chatclient HOST PORT\n");
		return 2;
	}
	if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
		die("WSAStartup");
	connect_to(argv[1], argv[2]);
	line_ready = CreateEvent(NULL, FALSE, FALSE, NULL);
	line_taken = CreateEvent(NULL, FALSE, FALSE, NULL);
	reader = CreateThread(NULL, 0, read_input, NULL, 0, NULL);
	if (!line_ready || !line_taken || !reader)
		die("CreateThread");
	for (;;) {
		/* While the socket has not taken much of what was typed, no more is. */
		HANDLE both[2] = {happened, line_ready};
		DWORD which = WSAWaitForMultipleEvents(waiting + LINE <= UNSENT ? 2 : 1, both, FALSE, WSA_INFINITE, FALSE);

		if (which == WSA_WAIT_EVENT_0) {
			if (!serve_socket())
				break;
		} else if (which == WSA_WAIT_EVENT_0 + 1) {
			take_line();
			if (!input_ended)
				SetEvent(line_taken);
		} else {
			die("WSAWaitForMultipleEvents");
		}
	}
	/* The reading thread may sit in fgets; the end of the program ends it. */
	closesocket(s);
	WSACloseEvent(happened);
	WSACleanup();
	return 0;
}
