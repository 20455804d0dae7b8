/* interrupted HOST PORT COUNT [restart]: connects many times under a timer whose
 * handler restarts system calls, or does not. Then EINTR means that the connect
 * goes on, poll waits for its end and SO_ERROR tells it. Each connection is tried
 * with a byte there and back, for one that only seems to be connected, a phantom. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static void on_alarm(int signal) { (void)signal; }

static int finish(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int error = 0;
	socklen_t length = sizeof error;

	while (poll(&p, 1, -1) < 0)
		if (errno != EINTR)
			return errno;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
		return errno;
	return error;
}

static int echo(int fd)
{
	char c = 'x';

	while (send(fd, &c, 1, MSG_NOSIGNAL) != 1)
		if (errno != EINTR)
			return errno;
	c = 0;
	for (;;) {
		ssize_t n = read(fd, &c, 1);
		if (n == 1)
			return c == 'x' ? 0 : EBADMSG;
		if (n == 0)
			return EPIPE;
		if (errno != EINTR)
			return errno;
	}
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval each = {{0, 1000}, {0, 1000}};
	struct linger reset = {1, 0};
	struct sockaddr_in to = {.sin_family = AF_INET};
	int failed = 0, interrupted = 0, phantoms = 0, count;

	if (argc < 4)
		return 2;
	if (argc > 4 && strcmp(argv[4], "restart") == 0)
		action.sa_flags = SA_RESTART;
	inet_pton(AF_INET, argv[1], &to.sin_addr);
	to.sin_port = htons(atoi(argv[2]));
	count = atoi(argv[3]);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &each, NULL);
	for (int i = 0; i < count; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0), error = 0;

		if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
			error = errno;
			if (error == EINTR) {
				interrupted++;
				error = finish(fd);
			}
		}
		if (error == 0) {
			error = echo(fd);
			phantoms += error != 0;
		}
		if (error != 0) {
			failed++;
			fprintf(stderr, "connect %d: %s\n", i, strerror(error));
		}
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		close(fd);
	}
	printf("%d failed, %d phantoms\n", failed, phantoms);
	fprintf(stderr, "%d interrupted\n", interrupted);
	return failed != 0;
}
