/* What the library does to a process: fork, signals, threads. */
#include "behaviour.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

BEHAVIOUR(fork)
{
	SOCKET one, other;
	WSAEVENT e;
	pid_t child;
	int status;

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	e = new_event();
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		WSADATA data;
		char c;
		fd_set set;
		struct addrinfo *list;
		DWORD n = 0;

		alarm(PATIENCE / 1000);
		FD_ZERO(&set);
		FD_SET(one, &set);
		FAILS(send(one, "x", 1, 0), WSANOTINITIALISED);
		FAILS(recv(one, &c, 1, 0), WSANOTINITIALISED);
		FAILS(socket(AF_INET, SOCK_STREAM, 0) != INVALID_SOCKET, WSANOTINITIALISED);
		FAILS(select(0, &set, 0, 0, 0), WSANOTINITIALISED);
		FAILS(closesocket(one), WSANOTINITIALISED);
		FAILS(WSASetEvent(e), WSANOTINITIALISED);
		FAILS(WSACleanup(), WSANOTINITIALISED);
		FAILS(WSAEnumProtocolsW(0, 0, &n), WSANOTINITIALISED);
		EQUAL(WSAWaitForMultipleEvents(1, &e, FALSE, 0, FALSE), WSA_WAIT_FAILED);
		EQUAL(WSAGetLastError(), WSANOTINITIALISED);
		EQUAL(WSAStartup(MAKEWORD(2, 2), &data), WSANOTINITIALISED);
		EQUAL(getaddrinfo("127.0.0.1", "80", 0, &list), WSANOTINITIALISED);
		EQUAL(htons(1), 256);
		_exit(0);
	}
	EQUAL(waitpid(child, &status, 0), child);
	EQUAL(status, 0);
	say(one, "the parent goes on");
	hear(other, "the parent goes on");
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		execl("/bin/true", "true", (char *)0);
		_exit(1);
	}
	EQUAL(waitpid(child, &status, 0), child);
	EQUAL(status, 0);
	OK(closesocket(one));
	OK(closesocket(other));
}

static volatile sig_atomic_t caught;

static void catch_signal(int signal)
{
	caught = signal;
}

static void *from_elsewhere(void *to)
{
	OK(pthread_kill(*(pthread_t *)to, SIGUSR1));
	return 0;
}

BEHAVIOUR(signals)
{
	static const int numbers[] = {SIGUSR1, SIGUSR2, SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGCHLD, SIGURG, SIGALRM, SIGSEGV};
	SOCKET one, other;
	pthread_t self = pthread_self(), t;
	size_t i;

	signal(SIGUSR1, catch_signal);
	start(MAKEWORD(2, 2));
	pair(&one, &other);
	CHECK(signal(SIGUSR1, catch_signal) == catch_signal);
	for (i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		struct sigaction action;

		memset(&action, 0, sizeof action);
		action.sa_handler = catch_signal;
		action.sa_flags = SA_ONSTACK;
		OK(sigaction(numbers[i], &action, 0));
		caught = 0;
		raise(numbers[i]);
		EQUAL(caught, numbers[i]);
	}
	caught = 0;
	OK(pthread_create(&t, 0, from_elsewhere, &self));
	OK(pthread_join(t, 0));
	EQUAL(caught, SIGUSR1);
	OK(closesocket(other));
	signal(SIGPIPE, SIG_DFL);
	for (i = 0; i < 3; i++) /* no SIGPIPE ends the program */
		send(one, "x", 1, 0);
	OK(closesocket(one));
}

static void *one_of_many(void *unused)
{
	SOCKET one, other;

	WSASetLastError(31);
	pair(&one, &other);
	say(one, "hello");
	hear(other, "hello");
	OK(closesocket(one));
	OK(closesocket(other));
	EQUAL(WSAGetLastError(), 31);
	return 0;
}

BEHAVIOUR(threads)
{
	pthread_t t[8];
	int round, i;

	start(MAKEWORD(2, 2));
	WSASetLastError(17);
	for (round = 0; round < 10; round++) {
		for (i = 0; i < 8; i++)
			OK(pthread_create(&t[i], 0, one_of_many, 0));
		for (i = 0; i < 8; i++)
			OK(pthread_join(t[i], 0));
	}
	EQUAL(WSAGetLastError(), 17);
	OK(WSACleanup());
}
