/* A program that begins as most do on Windows: a client with select. */
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <winsock2.h>
#include <ws2tcpip.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	WSADATA wsa;
	ADDRINFOA hints, *result = NULL, *ai;
	SOCKET s = INVALID_SOCKET;
	struct timeval tv = {5, 0};
	fd_set readable, writable;
	u_long nonblocking = 1;
	unsigned long waiting;
	char buffer[512], text[INET6_ADDRSTRLEN], host[256];
	int n, err, len = sizeof err;

	if (argc != 3 || WSAStartup(MAKEWORD(2, 2), &wsa) != 0)
		return EXIT_FAILURE;
	printf("%s %u.%u\n", wsa.szDescription, LOBYTE(wsa.wVersion), HIBYTE(wsa.wVersion));
	if (gethostname(host, sizeof host) == SOCKET_ERROR)
		return EXIT_FAILURE;
	memset(&hints, 0, sizeof hints);
	hints.ai_family = AF_UNSPEC;
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_protocol = IPPROTO_TCP;
	if ((n = getaddrinfo(argv[1], argv[2], &hints, &result)) != 0) {
		fprintf(stderr, "%s\n", gai_strerrorA(n));
		return EXIT_FAILURE;
	}
	for (ai = result; ai != NULL; ai = ai->ai_next) {
		s = socket(ai->ai_family, ai->ai_socktype, ai->ai_protocol);
		if (s == INVALID_SOCKET)
			continue;
		if (ioctlsocket(s, FIONBIO, &nonblocking) == 0 &&
		    (connect(s, ai->ai_addr, (int)ai->ai_addrlen) == 0 || WSAGetLastError() == WSAEWOULDBLOCK))
			break;
		closesocket(s);
		s = INVALID_SOCKET;
	}
	freeaddrinfo(result);
	FD_ZERO(&readable);
	FD_ZERO(&writable);
	FD_SET(s, &writable);
	n = select(0, &readable, &writable, NULL, &tv);
	if (n != 1 || !FD_ISSET(s, &writable) || getsockopt(s, SOL_SOCKET, SO_ERROR, (char *)&err, &len) != 0)
		return EXIT_FAILURE;
	FD_CLR(s, &writable);
	n = send(s, "hello\r\n", 7, 0);
	if (ioctlsocket(s, FIONREAD, &waiting) == 0)
		printf("%lu\n", waiting);
	while ((n = recv(s, buffer, sizeof buffer, 0)) > 0)
		fwrite(buffer, 1, (size_t)n, stdout);
	shutdown(s, SD_BOTH);
	inet_ntop(AF_INET6, &in6addr_loopback, text, sizeof text);
	closesocket(s);
	return WSACleanup();
}
