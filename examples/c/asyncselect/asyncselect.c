/*
 * A client with a window: WSAAsyncSelect and a message loop.
 *
 *	asyncselect HOST PORT [MESSAGES]
 *
 * sends messages to an echo server and prints the answers.
 *
 * The idea: what happens to the socket comes as a message to a window, between
 * the messages of keys and the mouse, so that a program with a user interface
 * needs neither threads nor calls that block. This one has no interface but a
 * window that nobody sees.
 */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A program's own messages begin at WM_APP. */
enum { WM_SOCKET = WM_APP + 1, SIZE = 32 };

static SOCKET s;
static char question[SIZE], answer[SIZE];
static int length, sent, heard; /* of the question, and how far it and its answer are */
static int messages = 3, answered, failed;

static void die(const char *what)
{
	fprintf(stderr, "asyncselect: %s: error %d\n", what, WSAGetLastError());
	exit(1);
}

static void stop(const char *why, int error)
{
	if (why) {
		fprintf(stderr, "asyncselect: %s: error %d\n", why, error);
		failed = 1;
	}
	PostQuitMessage(0);
}

/*
 * Sends until all is sent or the socket takes no more. FD_WRITE comes when it takes
 * some again, and not before a send has failed with WSAEWOULDBLOCK.
 */
static void send_rest(void)
{
	while (sent < length) {
		int n = send(s, question + sent, length - sent, 0);

		if (n == SOCKET_ERROR) {
			if (WSAGetLastError() != WSAEWOULDBLOCK)
				stop("send", WSAGetLastError());
			return;
		}
		sent += n;
	}
}

static void ask(void)
{
	if (answered == messages) {
		stop(NULL, 0);
		return;
	}
	length = snprintf(question, SIZE, "message %d", answered + 1);
	sent = heard = 0;
	send_rest();
}

/*
 * FD_READ comes once for what has come, and again after a recv that leaves some:
 * one recv for each message is enough.
 */
static void hear(void)
{
	int n = recv(s, answer + heard, SIZE - 1 - heard, 0);

	if (n == SOCKET_ERROR) {
		if (WSAGetLastError() != WSAEWOULDBLOCK)
			stop("recv", WSAGetLastError());
		return;
	}
	heard += n;
	if (heard < length)
		return;
	answer[heard] = 0;
	printf("%s\n", answer);
	if (strcmp(answer, question) != 0) {
		stop("a wrong answer", 0);
		return;
	}
	answered++;
	ask();
}

static LRESULT CALLBACK procedure(HWND window, UINT message, WPARAM wparam, LPARAM lparam)
{
	int error;

	if (message != WM_SOCKET)
		return DefWindowProc(window, message, wparam, lparam);
	/* wparam is the socket. A message of one that is closed by now may still come. */
	if ((SOCKET)wparam != s)
		return 0;
	error = WSAGETSELECTERROR(lparam);
	switch (WSAGETSELECTEVENT(lparam)) {
	case FD_CONNECT:
		if (error != 0)
			stop("connect", error);
		else
			ask();
		break;
	case FD_WRITE:
		if (error == 0)
			send_rest();
		break;
	case FD_READ:
		hear();
		break;
	case FD_CLOSE:
		stop("the server has left", error);
	}
	return 0;
}

static HWND make_window(void)
{
	WNDCLASSA class = {.lpfnWndProc = procedure, .lpszClassName = "asyncselect"};
	HWND window;

	if (!RegisterClassA(&class))
		die("RegisterClass");
	/* A message-only window: it is there for messages, and for nothing else. */
	window = CreateWindowExA(0, "asyncselect", "", 0, 0, 0, 0, 0, HWND_MESSAGE, NULL, NULL, NULL);
	if (!window)
		die("CreateWindowEx");
	return window;
}

/* From WSAAsyncSelect on the socket does not block. */
static void connect_to(const char *host, const char *service, HWND window)
{
	ADDRINFOA hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;

	if (getaddrinfo(host, service, &hints, &found) != 0)
		die(host);
	s = socket(found->ai_family, SOCK_STREAM, IPPROTO_TCP);
	if (s == INVALID_SOCKET || WSAAsyncSelect(s, window, WM_SOCKET, FD_CONNECT | FD_READ | FD_WRITE | FD_CLOSE) != 0)
		die("WSAAsyncSelect");
	if (connect(s, found->ai_addr, (int)found->ai_addrlen) != 0 && WSAGetLastError() != WSAEWOULDBLOCK)
		die("connect");
	freeaddrinfo(found);
}

int main(int argc, char **argv)
{
	WSADATA data;
	HWND window;
	MSG message;

	if (argc < 3) {
		fprintf(stderr, "usage: asyncselect HOST PORT [MESSAGES]\n");
		return 2;
	}
	if (argc > 3)
		messages = atoi(argv[3]);
	if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
		die("WSAStartup");
	window = make_window();
	connect_to(argv[1], argv[2], window);
	while (GetMessageA(&message, NULL, 0, 0) > 0) {
		TranslateMessage(&message);
		DispatchMessageA(&message);
	}
	closesocket(s);
	DestroyWindow(window);
	WSACleanup();
	return failed;
}
