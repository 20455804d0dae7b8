/*
 * An echo server over a completion port.
 *
 *	portecho PORT [WORKERS [CONNECTIONS]]
 *
 * sends back what each client sends. PORT 0 lets the system choose one; the
 * server prints it. WORKERS threads (2 unless told) share the work. With
 * CONNECTIONS it ends when it has served so many.
 *
 * The idea: nobody waits for a socket. A worker starts an operation, which goes on
 * by itself, and asks the port for whatever operation of whatever connection has
 * ended since. So a few threads serve thousands of connections, and a connection
 * costs one structure and no thread.
 */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ACCEPTS = 4, BUFFER = 4096, MAX_WORKERS = 64 };

/*
 * A connection has one operation at a time, so one OVERLAPPED is enough, and no
 * lock: between two operations it belongs to the worker that got the packet. The
 * OVERLAPPED comes first, and its address leads back to the connection.
 */
struct connection {
	OVERLAPPED overlapped;
	SOCKET socket;
	enum { ACCEPTING, RECEIVING, SENDING } doing;
	WSABUF rest; /* what is still to be sent, or where to receive */
	char buffer[BUFFER];
};

static HANDLE port;
static SOCKET listener;
static int family;
static LPFN_ACCEPTEX accept_ex;
static DWORD workers = 2;
static LONG limit;            /* connections to serve; 0: no limit */
static volatile LONG started; /* accepts */
static volatile LONG live;    /* connections, those to be accepted too */

static void die(const char *what)
{
	fprintf(stderr, "portecho: %s: error %d\n", what, WSAGetLastError());
	exit(1);
}

/* A packet with neither key nor OVERLAPPED tells a worker to end. */
static void stop_workers(void)
{
	for (DWORD i = 0; i < workers; i++)
		PostQueuedCompletionStatus(port, 0, 0, NULL);
}

static void end(struct connection *c)
{
	closesocket(c->socket);
	free(c);
	if (InterlockedDecrement(&live) == 0)
		stop_workers();
}

/*
 * An overlapped call that returns SOCKET_ERROR with WSA_IO_PENDING has started its
 * operation, as one that returns 0 has: a packet comes for both. After any other
 * error none comes.
 */
static int has_started(int result)
{
	return result == 0 || WSAGetLastError() == WSA_IO_PENDING;
}

static void receive(struct connection *c)
{
	DWORD flags = 0;

	c->doing = RECEIVING;
	c->rest.buf = c->buffer;
	c->rest.len = BUFFER;
	memset(&c->overlapped, 0, sizeof c->overlapped);
	if (!has_started(WSARecv(c->socket, &c->rest, 1, NULL, &flags, &c->overlapped, NULL)))
		end(c);
}

static void send_rest(struct connection *c)
{
	c->doing = SENDING;
	memset(&c->overlapped, 0, sizeof c->overlapped);
	if (!has_started(WSASend(c->socket, &c->rest, 1, NULL, 0, &c->overlapped, NULL)))
		end(c);
}

/*
 * AcceptEx wants the socket that the connection will have. A few such accepts wait
 * at once, so that a burst of clients does not have to.
 */
static void start_accept(void)
{
	struct connection *c;
	DWORD none;

	if (InterlockedIncrement(&started) > limit && limit > 0)
		return;
	c = calloc(1, sizeof *c);
	if (!c)
		die("calloc");
	InterlockedIncrement(&live);
	c->doing = ACCEPTING;
	c->socket = WSASocketW(family, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED);
	if (c->socket == INVALID_SOCKET)
		die("WSASocket");
	/* No data is waited for: 0 bytes. The addresses go into the buffer. */
	if (!has_started(accept_ex(listener, c->socket, c->buffer, 0, sizeof(SOCKADDR_STORAGE) + 16,
		sizeof(SOCKADDR_STORAGE) + 16, &none, &c->overlapped) ? 0 : SOCKET_ERROR))
		die("AcceptEx");
}

static void accepted(struct connection *c)
{
	/* Until then shutdown and getpeername do not work on the socket. */
	setsockopt(c->socket, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (char *)&listener, sizeof listener);
	if (!CreateIoCompletionPort((HANDLE)c->socket, port, 0, 0))
		die("CreateIoCompletionPort");
	receive(c);
}

/* An operation of c has ended well and has moved so many bytes. */
static void go_on(struct connection *c, DWORD bytes)
{
	switch (c->doing) {
	case ACCEPTING:
		start_accept();
		accepted(c);
		return;
	case RECEIVING:
		if (bytes == 0) { /* the client has finished sending */
			end(c);
			return;
		}
		c->rest.len = bytes;
		break;
	case SENDING:
		c->rest.buf += bytes;
		c->rest.len -= bytes;
		if (c->rest.len == 0) {
			receive(c);
			return;
		}
	}
	send_rest(c);
}

static DWORD WINAPI work(LPVOID unused)
{
	(void)unused;
	for (;;) {
		DWORD bytes;
		ULONG_PTR key;
		OVERLAPPED *overlapped;
		BOOL ok = GetQueuedCompletionStatus(port, &bytes, &key, &overlapped, INFINITE);

		/* Without an OVERLAPPED: told to end, or the port is no more. With one,
		 * FALSE is the failure of that operation. */
		if (!overlapped)
			return 0;
		struct connection *c = (struct connection *)overlapped;
		if (ok) {
			go_on(c, bytes);
			continue;
		}
		if (c->doing == ACCEPTING) /* the client left before it was served */
			start_accept();
		end(c);
	}
}

static void listen_at(const char *service)
{
	ADDRINFOA hints = {.ai_flags = AI_PASSIVE, .ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
	SOCKADDR_STORAGE at;
	int length = sizeof at;
	GUID id = WSAID_ACCEPTEX;
	DWORD bytes;

	if (getaddrinfo("127.0.0.1", service, &hints, &found) != 0)
		die("getaddrinfo");
	family = found->ai_family;
	listener = WSASocketW(family, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED);
	if (listener == INVALID_SOCKET || bind(listener, found->ai_addr, (int)found->ai_addrlen) != 0 || listen(listener, SOMAXCONN) != 0)
		die("listening");
	freeaddrinfo(found);
	/* AcceptEx is the provider's: each socket may have another one. */
	if (WSAIoctl(listener, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, &accept_ex, sizeof accept_ex, &bytes, NULL, NULL) != 0)
		die("no AcceptEx");
	if (!CreateIoCompletionPort((HANDLE)listener, port, 0, 0))
		die("CreateIoCompletionPort");
	if (getsockname(listener, (struct sockaddr *)&at, &length) != 0)
		die("getsockname");
	printf("listening at port %d\n", ntohs(((struct sockaddr_in *)&at)->sin_port));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	HANDLE threads[MAX_WORKERS];
	WSADATA data;

	if (argc < 2) {
		fprintf(stderr, "usage: portecho PORT [WORKERS [CONNECTIONS]]\n");
		return 2;
	}
	if (argc > 2)
		workers = atoi(argv[2]);
	if (argc > 3)
		limit = atoi(argv[3]);
	if (workers < 1 || workers > MAX_WORKERS || limit < 0) {
		fprintf(stderr, "portecho: from 1 to %d workers\n", MAX_WORKERS);
		return 2;
	}
	if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
		die("WSAStartup");
	/* So many workers run at once; 0 would be as many as there are processors. */
	port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, workers);
	if (!port)
		die("CreateIoCompletionPort");
	listen_at(argv[1]);
	/* One more than there is: the workers do not end before all have begun. */
	live = 1;
	for (int i = 0; i < ACCEPTS; i++)
		start_accept();
	for (DWORD i = 0; i < workers; i++) {
		threads[i] = CreateThread(NULL, 0, work, NULL, 0, NULL);
		if (!threads[i])
			die("CreateThread");
	}
	if (InterlockedDecrement(&live) == 0)
		stop_workers();
	WaitForMultipleObjects(workers, threads, TRUE, INFINITE);
	for (DWORD i = 0; i < workers; i++)
		CloseHandle(threads[i]);
	closesocket(listener);
	CloseHandle(port);
	WSACleanup();
	printf("served all\n");
	return 0;
}
