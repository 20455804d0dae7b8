/* client WHAT ADDRESS PORT [OPEN]: what a program's own socket calls cost it.
 * See figure.h. WHAT is
 *
 *     connect      the median of blocking connects, in microseconds
 *     connections  how many connects and closes there are in a second
 *     accepted     the same, each waiting until the peer has closed it
 *     datagram     the median of a sendto and the recvfrom of its echo, in
 *                  microseconds
 *
 * OPEN connections more are open meanwhile, in processes of their own, each of
 * which has its connections with another address, the next ones after ADDRESS:
 * with most ports in use for one address the kernel takes long to find another. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "figure.h"
#include "server.h"

enum { MOST = 1 << 20, HELD = 4000 };

static struct sockaddr_in to;
static double samples[MOST];

static int open_socket(int type)
{
	int fd = socket(AF_INET, type, 0);

	if (fd < 0)
		die("client: socket");
	return fd;
}

/* finish resets the connection, so that no port stays in TIME_WAIT. */
static void finish(int fd)
{
	struct linger none = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
	close(fd);
}

static void connect_to(int fd, struct sockaddr_in *peer)
{
	if (connect(fd, (struct sockaddr *)peer, sizeof *peer) < 0)
		die("client: connect");
}

static void connect_to_peer(int fd)
{
	connect_to(fd, &to);
}

static double connect_once(void)
{
	int fd = open_socket(SOCK_STREAM);
	long long start = now(CLOCK_MONOTONIC), end;

	connect_to_peer(fd);
	end = now(CLOCK_MONOTONIC);
	finish(fd);
	return end - start;
}

static double accepted_once(void)
{
	int fd = open_socket(SOCK_STREAM);
	char c;

	connect_to_peer(fd);
	if (recv(fd, &c, 1, 0) > 0)
		fail("client: the peer sends");
	finish(fd);
	return 0;
}

static double datagram_once(void)
{
	static int fd = -1;
	char message[64] = "", answer[64];
	struct sockaddr_in from;
	socklen_t length = sizeof from;
	struct timeval patience = { 5, 0 };
	long long start;

	if (fd < 0) {
		fd = open_socket(SOCK_DGRAM);
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	}
	start = now(CLOCK_MONOTONIC);
	if (sendto(fd, message, sizeof message, 0, (struct sockaddr *)&to, sizeof to) != sizeof message)
		die("client: sendto");
	if (recvfrom(fd, answer, sizeof answer, 0, (struct sockaddr *)&from, &length) != sizeof answer)
		die("client: recvfrom");
	return now(CLOCK_MONOTONIC) - start;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median_of(int milliseconds, double (*once)(void))
{
	long long end = now(CLOCK_MONOTONIC) + milliseconds * 1000000LL;
	int n = 0;

	while (n < MOST && (n == 0 || now(CLOCK_MONOTONIC) < end))
		samples[n++] = once();
	qsort(samples, n, sizeof *samples, ascending);
	return samples[n / 2] / 1000;
}

static double rate_of(int milliseconds, double (*once)(void))
{
	long long start = now(CLOCK_MONOTONIC), end = start + milliseconds * 1000000LL;
	int n = 0;

	do {
		once();
		n++;
	} while (now(CLOCK_MONOTONIC) < end);
	return n * 1e9 / (now(CLOCK_MONOTONIC) - start);
}

/* hold opens connections in a process that ends with this one. nth is from 1 on. */
static void hold(int count, int nth)
{
	struct sockaddr_in peer = to;
	int ready[2];
	char c;

	peer.sin_addr.s_addr = htonl(ntohl(to.sin_addr.s_addr) + nth);
	if (pipe(ready) < 0)
		die("client: pipe");
	switch (fork()) {
	case -1:
		die("client: fork");
		break;
	case 0:
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[0]);
		while (count--)
			connect_to(open_socket(SOCK_STREAM), &peer);
		if (write(ready[1], "", 1) != 1)
			die("client: write");
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		fail("client: not all connections can be opened");
	close(ready[0]);
}

int main(int argc, char **argv)
{
	int milliseconds, rate, nth = 0, held = argc > 4 ? atoi(argv[4]) : 0;
	double (*once)(void);

	if (argc < 4 || inet_pton(AF_INET, argv[2], &to.sin_addr) != 1)
		fail("usage: client WHAT ADDRESS PORT [OPEN]");
	to.sin_family = AF_INET;
	to.sin_port = htons(atoi(argv[3]));
	rate = strcmp(argv[1], "connections") == 0 || strcmp(argv[1], "accepted") == 0;
	once = strcmp(argv[1], "datagram") == 0 ? datagram_once : strcmp(argv[1], "accepted") == 0 ? accepted_once : connect_once;
	raise_limit();
	for (; held > 0; held -= HELD)
		hold(held < HELD ? held : HELD, ++nth);
	once();
	while (next_line(&milliseconds))
		print_figure(rate ? rate_of(milliseconds, once) : median_of(milliseconds, once));
	return 0;
}
