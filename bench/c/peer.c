/* peer ADDRESS PROCESSES: what the programs that are measured talk to. It prints
 * a port. On it so many processes together accept connections and close them
 * with their peers, and echo datagrams. It ends with its standard input. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include "server.h"

static struct sockaddr_in at = { .sin_family = AF_INET };

static int bound(int type)
{
	int yes = 1, fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
	socklen_t length = sizeof at;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || getsockname(fd, (struct sockaddr *)&at, &length) < 0)
		die("peer: bind");
	return fd;
}

static void watch(int loop, int fd)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLRDHUP, .data.fd = fd };

	if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &e) < 0)
		die("peer: epoll_ctl");
}

static void echo(int fd)
{
	char message[BUFFER];
	struct sockaddr_in from;
	socklen_t length = sizeof from;
	ssize_t n;

	while ((n = recvfrom(fd, message, sizeof message, 0, (struct sockaddr *)&from, &length)) >= 0)
		sendto(fd, message, n, 0, (struct sockaddr *)&from, length);
}

static void serve(int streams, int datagrams)
{
	struct epoll_event ready[64];
	int loop = epoll_create1(0), i, n, fd;

	if (loop < 0 || listen(streams, SOMAXCONN) < 0)
		die("peer: listen");
	watch(loop, streams);
	watch(loop, datagrams);
	for (;;) {
		n = epoll_wait(loop, ready, 64, -1);
		for (i = 0; i < n; i++)
			if (ready[i].data.fd == datagrams)
				echo(datagrams);
			else if (ready[i].data.fd != streams)
				close(ready[i].data.fd);
			else
				while ((fd = accept4(streams, NULL, NULL, SOCK_NONBLOCK)) >= 0)
					watch(loop, fd);
	}
}

int main(int argc, char **argv)
{
	int processes, streams, datagrams;
	char c;

	if (argc != 3 || inet_pton(AF_INET, argv[1], &at.sin_addr) != 1 || (processes = atoi(argv[2])) < 1) {
		fprintf(stderr, "usage: peer ADDRESS PROCESSES\n");
		return 1;
	}
	raise_limit();
	while (processes--) {
		streams = bound(SOCK_STREAM);
		datagrams = bound(SOCK_DGRAM);
		switch (fork()) {
		case -1:
			die("peer: fork");
			break;
		case 0:
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(streams, datagrams);
		}
		close(streams);
		close(datagrams);
	}
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
