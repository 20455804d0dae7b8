/* Blocking calls: a program of Winsock as blockingwinsock, of Linux as blocking.
 *
 *	blocking peer           prints its port and serves one connection
 *	blocking PORT WHAT      measures, at the peer at that port, the nanoseconds of
 *		send       a call of send with 64 bytes, which the peer drops
 *		large      one with 256 KiB
 *		roundtrip  64 bytes to the peer and back
 */
#ifdef WINSOCK
#include <winsock2.h>
#include <windows.h>
#else
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
typedef int SOCKET;
#define INVALID_SOCKET (-1)
#endif
#include <string.h>

#include "figure.h"

enum { SMALL = 64, LARGE = 256 << 10 };

static char buffer[LARGE];
static SOCKET s;

static SOCKET open_socket(void)
{
	SOCKET opened = socket(AF_INET, SOCK_STREAM, 0);

	if (opened == INVALID_SOCKET)
		fail("socket");
	return opened;
}

static void at_once(SOCKET s)
{
	int one = 1;

	if (setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (char *)&one, sizeof one) != 0)
		fail("TCP_NODELAY");
}

static struct sockaddr_in loopback(int port)
{
	struct sockaddr_in a;

	memset(&a, 0, sizeof a);
	a.sin_family = AF_INET;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons(port);
	return a;
}

/* all reports whether so many bytes came. */
static int all(int size)
{
	for (int got = 0; got < size;) {
		int n = recv(s, buffer + got, size - got, 0);

		if (n <= 0)
			return 0;
		got += n;
	}
	return 1;
}

/* The first byte tells the peer whether to answer. */
static int peer(void)
{
	struct sockaddr_in a = loopback(0);
#ifdef WINSOCK
	int length = sizeof a;
#else
	socklen_t length = sizeof a;
#endif
	SOCKET l = open_socket();

	if (bind(l, (struct sockaddr *)&a, sizeof a) != 0 || listen(l, 1) != 0 || getsockname(l, (struct sockaddr *)&a, &length) != 0)
		fail("listening socket");
	printf("%d\n", ntohs(a.sin_port));
	fflush(stdout);
	s = accept(l, NULL, NULL);
	if (s == INVALID_SOCKET || !all(1))
		fail("accept");
	at_once(s);
	if (buffer[0] == 'r')
		while (all(SMALL))
			if (send(s, buffer, SMALL, 0) != SMALL)
				return 1;
	while (recv(s, buffer, LARGE, 0) > 0)
		;
	return 0;
}

static void send_small(void)
{
	for (int i = 0; i < 100; i++)
		if (send(s, buffer, SMALL, 0) != SMALL)
			fail("send");
}

static void send_large(void)
{
	if (send(s, buffer, LARGE, 0) != LARGE)
		fail("send");
}

static void round_trip(void)
{
	for (int i = 0; i < 20; i++)
		if (send(s, buffer, SMALL, 0) != SMALL || !all(SMALL))
			fail("round trip");
}

int main(int argc, char **argv)
{
	void (*batch)(void) = send_small;
	int milliseconds, calls = 100;
#ifdef WINSOCK
	WSADATA data;

	if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
		fail("WSAStartup");
#endif
	if (argc == 2)
		return peer();
	if (argc != 3)
		fail("usage: blocking peer | blocking PORT WHAT");
	struct sockaddr_in a = loopback(atoi(argv[1]));
	if (argv[2][0] == 'l')
		batch = send_large, calls = 1;
	if (argv[2][0] == 'r')
		batch = round_trip, calls = 20;
	s = open_socket();
	if (connect(s, (struct sockaddr *)&a, sizeof a) != 0 || send(s, argv[2], 1, 0) != 1)
		fail("connect");
	at_once(s);
	while (next_line(&milliseconds))
		print_figure(per_call(milliseconds, CLOCK_MONOTONIC, batch, calls));
	return 0;
}
