/* The echo server as a program of Winsock has it: one worker at a completion port,
 * which takes up to 128 packets at a time and starts the next operation of a
 * connection at once when one ends at once. AcceptEx brings the connections. */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER = 16384, ACCEPTS = 64, PACKETS = 128 };

struct operation {
	OVERLAPPED overlapped;
	struct connection *connection;
};

struct connection {
	struct operation receive, send;
	SOCKET socket;
	int accepting;
	WSABUF buf;
	char buffer[BUFFER];
};

static HANDLE port;
static SOCKET listener;
static LPFN_ACCEPTEX accept_ex;

static void die(const char *what)
{
	fprintf(stderr, "%s: %d\n", what, WSAGetLastError());
	exit(1);
}

/* 1: ended well, without a packet; 0: a packet will come; -1: it failed. */
static int begun(int result)
{
	if (result == 0)
		return 1;
	return WSAGetLastError() == WSA_IO_PENDING ? 0 : -1;
}

static int start_receive(struct connection *c, DWORD *n)
{
	DWORD flags = 0;

	c->buf.buf = c->buffer;
	c->buf.len = BUFFER;
	return begun(WSARecv(c->socket, &c->buf, 1, n, &flags, &c->receive.overlapped, NULL));
}

static int start_send(struct connection *c, DWORD *n)
{
	c->buf.buf = c->buffer;
	c->buf.len = *n;
	return begun(WSASend(c->socket, &c->buf, 1, n, 0, &c->send.overlapped, NULL));
}

/* Goes on after an operation until a packet is to come. */
static void go_on(struct connection *c, int receiving, DWORD n)
{
	for (;;) {
		int went;

		if (receiving && n == 0)
			break;
		went = receiving ? start_send(c, &n) : start_receive(c, &n);
		if (went == 0)
			return;
		if (went < 0)
			break;
		receiving = !receiving;
	}
	closesocket(c->socket);
	free(c);
}

static void start_accept(void)
{
	struct connection *c = calloc(1, sizeof *c);
	DWORD none;

	if (!c)
		die("calloc");
	c->receive.connection = c->send.connection = c;
	c->accepting = 1;
	c->socket = WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED);
	if (c->socket == INVALID_SOCKET)
		die("WSASocket");
	if (begun(accept_ex(listener, c->socket, c->buffer, 0, 32, 32, &none, &c->receive.overlapped) ? 0 : -1) < 0)
		die("AcceptEx");
}

static void accepted(struct connection *c)
{
	c->accepting = 0;
	setsockopt(c->socket, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (char *)&listener, sizeof listener);
	if (!CreateIoCompletionPort((HANDLE)c->socket, port, 0, 0) ||
	    !SetFileCompletionNotificationModes((HANDLE)c->socket, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS))
		die("CreateIoCompletionPort");
	start_accept();
	go_on(c, 0, 0);
}

static DWORD WINAPI work(LPVOID unused)
{
	static OVERLAPPED_ENTRY entries[PACKETS];
	ULONG n;

	(void)unused;
	for (;;) {
		if (!GetQueuedCompletionStatusEx(port, entries, PACKETS, &n, INFINITE, FALSE))
			die("GetQueuedCompletionStatusEx");
		for (ULONG i = 0; i < n; i++) {
			struct operation *o = (struct operation *)entries[i].lpOverlapped;
			struct connection *c = o->connection;

			if (entries[i].Internal != 0) {
				closesocket(c->socket);
				free(c);
			} else if (c->accepting) {
				accepted(c);
			} else {
				go_on(c, o == &c->receive, entries[i].dwNumberOfBytesTransferred);
			}
		}
	}
}

int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int length = sizeof a;
	GUID id = WSAID_ACCEPTEX;
	DWORD bytes;
	WSADATA data;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
		die("WSAStartup");
	port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
	listener = WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED);
	if (!port || listener == INVALID_SOCKET || bind(listener, (struct sockaddr *)&a, sizeof a) != 0 ||
	    listen(listener, SOMAXCONN) != 0 || getsockname(listener, (struct sockaddr *)&a, &length) != 0)
		die("listening socket");
	if (WSAIoctl(listener, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, &accept_ex, sizeof accept_ex, &bytes, NULL, NULL) != 0 ||
	    !CreateIoCompletionPort((HANDLE)listener, port, 0, 0))
		die("AcceptEx");
	for (int i = 0; i < ACCEPTS; i++)
		start_accept();
	printf("%d\n", ntohs(a.sin_port));
	fflush(stdout);
	if (!CreateThread(NULL, 0, work, NULL, 0, NULL))
		die("CreateThread");
	while (getchar() != EOF)
		;
	exit(0);
}
