// traffic WHAT ADDRESS PORT: a client of the servers in relayed.go. It prints one
// figure and ends, but for "idle", which answers commands on its standard input.
//
//	download SECONDS   MB/s that it receives
//	upload SECONDS     MB/s that the server has received
//	idle               "open N" opens so many connections, "request N" and "connect N" give the
//	                   median of so many round trips, or connects with a round trip, in ns
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 256 << 10 };

static const char request[] = "GET / HTTP/1.1\r\nHost: bench\r\nUser-Agent: traffic\r\n\r\n";
static struct sockaddr_in server;
static char block[BLOCK];

static void fail(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int dial(void)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0)
		fail("socket");
	if (connect(fd, (struct sockaddr *)&server, sizeof server) < 0)
		fail("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

static void put(int fd, const char *from, size_t n)
{
	for (ssize_t k; n > 0; from += k, n -= k)
		if ((k = write(fd, from, n)) <= 0)
			fail("write");
}

static size_t get(int fd, size_t room)
{
	ssize_t n = read(fd, block, room);
	if (n < 0)
		fail("read");
	if (n == 0) {
		fprintf(stderr, "traffic: the server has closed a connection\n");
		exit(1);
	}
	return n;
}

static double download(double seconds)
{
	int fd = dial();
	double bytes = 0, start = now(), elapsed;
	put(fd, "d", 1);
	do
		bytes += get(fd, BLOCK);
	while ((elapsed = now() - start) < seconds);
	return bytes / elapsed / 1e6;
}

static double upload(double seconds)
{
	int fd = dial();
	double bytes = 0, start = now();
	put(fd, "u", 1);
	do {
		put(fd, block, BLOCK);
		bytes += BLOCK;
	} while (now() - start < seconds);
	put(fd, "\1", 1);
	get(fd, 1); // sent when all has been received
	return bytes / (now() - start) / 1e6;
}

// answer reads one response, whose length the head of the first tells.
static void answer(int fd)
{
	static size_t length;
	size_t have = 0;
	while (!length || have < length) {
		have += get(fd, BLOCK);
		if (!length) {
			char *end = memmem(block, have, "\r\n\r\n", 4), *body = memmem(block, have, "Content-Length: ", 16);
			if (end && body)
				length = end + 4 - block + atoi(body + 16);
		}
	}
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

// median makes n measurements: round trips on fd, or on new connections if it is -1.
static double median(int n, int fd)
{
	double *times = calloc(n, sizeof *times);
	for (int i = 0; i < n; i++) {
		double start = now();
		int one = fd < 0 ? dial() : fd;
		put(one, request, sizeof request - 1);
		answer(one);
		times[i] = (now() - start) * 1e9;
		if (fd < 0) {
			struct linger reset = {1, 0}; // no port is left in TIME_WAIT
			setsockopt(one, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
			close(one);
		}
	}
	qsort(times, n, sizeof *times, ascending);
	double middle = times[n / 2];
	free(times);
	return middle;
}

static void idle(void)
{
	struct rlimit r;
	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
	char what[16];
	for (int n, fd = dial(); scanf("%15s %d", what, &n) == 2; fflush(stdout)) {
		double figure = n;
		if (!strcmp(what, "open"))
			for (int i = 0; i < n; i++) {
				int one = dial();
				put(one, request, sizeof request - 1);
				answer(one);
			}
		else
			figure = median(n, strcmp(what, "request") ? -1 : fd);
		printf("%.0f\n", figure);
	}
}

int main(int argc, char **argv)
{
	if (argc < 4 || inet_pton(AF_INET, argv[2], &server.sin_addr) != 1)
		return 2;
	server.sin_family = AF_INET;
	server.sin_port = htons(atoi(argv[3]));
	double seconds = argc > 4 ? atof(argv[4]) : 0;
	if (!strcmp(argv[1], "idle"))
		idle();
	else
		printf("%f\n", strcmp(argv[1], "upload") ? download(seconds) : upload(seconds));
	return 0;
}
