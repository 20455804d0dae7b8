/* A client and a server in one process: every byte that is sent comes back. */
#include "check.h"

#include <pthread.h>

enum { TOTAL = 1 << 20, PIECE = 1000 };

static SOCKET listening;

static void *serve(void *unused)
{
	char buf[4096];
	struct sockaddr_in peer;
	int length = sizeof peer, n;
	SOCKET s = accept(listening, (struct sockaddr *)&peer, &length);

	CHECK(s != INVALID_SOCKET);
	EQUAL(length, sizeof peer);
	EQUAL(peer.sin_family, AF_INET);
	EQUAL(peer.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	while ((n = recv(s, buf, sizeof buf, 0)) > 0)
		EQUAL(send(s, buf, n, 0), n);
	EQUAL(n, 0);
	OK(closesocket(s));
	return 0;
}

static unsigned char byte_at(int i)
{
	return (unsigned)i * 2654435761u >> 24;
}

static void *upload(void *client)
{
	unsigned char buf[PIECE];
	int i, at;

	for (at = 0; at < TOTAL; at += i) {
		for (i = 0; i < PIECE && at + i < TOTAL; i++)
			buf[i] = byte_at(at + i);
		EQUAL(send(*(SOCKET *)client, (char *)buf, i, 0), i);
	}
	OK(shutdown(*(SOCKET *)client, SD_SEND));
	return 0;
}

int main(void)
{
	pthread_t server, sender;
	struct sockaddr_in a;
	unsigned char buf[PIECE];
	SOCKET s;
	int n, i, at;

	start(MAKEWORD(2, 2));
	listening = listener();
	a = address_of(listening);
	OK(pthread_create(&server, 0, serve, 0));
	s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(s != INVALID_SOCKET);
	OK(connect(s, (struct sockaddr *)&a, sizeof a));
	OK(pthread_create(&sender, 0, upload, &s));
	for (at = 0; (n = recv(s, (char *)buf, sizeof buf, 0)) > 0; at += n)
		for (i = 0; i < n; i++)
			EQUAL(buf[i], byte_at(at + i));
	EQUAL(n, 0);
	EQUAL(at, TOTAL);
	OK(pthread_join(sender, 0));
	OK(pthread_join(server, 0));
	OK(closesocket(s));
	OK(closesocket(listening));
	OK(WSACleanup());
	EQUAL(WSACleanup(), SOCKET_ERROR);
	EQUAL(WSAGetLastError(), WSANOTINITIALISED);
	printf("%d bytes\n", at);
	return 0;
}
