/*
 * Makes a listening socket, and prints the error code of the first call that
 * fails, 0 if none. With the argument "handlers" it has a handler for SIGSEGV
 * and SIGUSR1 of its own.
 */
#include <signal.h>

#include "check.h"

static void handler(int number)
{
	static const char text[] = "handled\n";

	if (write(1, text, sizeof text - 1) < 0)
		_exit(9);
	if (number == SIGSEGV)
		_exit(5);
}

int main(int n, char **args)
{
	struct sockaddr_in a = loopback(0);
	SOCKET s;

	if (n > 1 && strcmp(args[1], "handlers") == 0) {
		signal(SIGSEGV, handler);
		signal(SIGUSR1, handler);
		raise(SIGUSR1);
	}
	start(MAKEWORD(2, 2));
	s = socket(AF_INET, SOCK_STREAM, 0);
	if (s == INVALID_SOCKET) {
		printf("%d\n", WSAGetLastError());
		WSACleanup();
		return 0;
	}
	OK(bind(s, (struct sockaddr *)&a, sizeof a));
	printf("%d\n", listen(s, 5) == 0 ? 0 : WSAGetLastError());
	if (n > 1 && strcmp(args[1], "handlers") == 0)
		raise(SIGUSR1);
	OK(closesocket(s));
	OK(WSACleanup());
	return 0;
}
