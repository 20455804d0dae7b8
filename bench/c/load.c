/* load PORT CONNECTIONS SIZE PID: the load that every echo server gets, from
 * one thread over one epoll loop.
 *
 * It connects, then obeys lines "MILLISECONDS ATONCE" on standard input: for
 * that long it keeps ATONCE messages of SIZE bytes on their way, each on a
 * connection of its own, and waits for the answer before the connection's next.
 * With fewer messages than connections the next one goes to a random other
 * connection. The first tenth of the time is not counted. With a processor to
 * itself it looks for answers without sleeping: as with clients elsewhere, no
 * server pays for waking it. It prints
 *
 *     MESSAGES NANOSECONDS CPU OTHERS
 *
 * where CPU is the processor time, in nanoseconds, that the process PID, the
 * server, used meanwhile, and OTHERS what the rest of the machine did. It ends
 * with its standard input. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "server.h"

struct connection {
	int fd;
	int unsent;  /* of the message on its way */
	int unheard; /* of its answer */
};

static int loop, count, size;
static int alone; /* on its processor */
static clockid_t server;
static struct connection *connections;
static char out[BUFFER], in[BUFFER];

static long long now(clockid_t clock)
{
	struct timespec t;
	if (clock_gettime(clock, &t) < 0)
		die("clock_gettime");
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* busy returns how long all processors together have been at work. */
static long long busy(void)
{
	long long user, nice, system, idle, wait, irq, softirq, steal = 0;
	FILE *f = fopen("/proc/stat", "r");
	if (!f || fscanf(f, "cpu %lld %lld %lld %lld %lld %lld %lld %lld", &user, &nice, &system, &idle, &wait, &irq, &softirq, &steal) < 7)
		die("load: /proc/stat");
	fclose(f);
	return (user + nice + system + irq + softirq + steal) * (1000000000LL / sysconf(_SC_CLK_TCK));
}

static void fail(const char *why)
{
	fprintf(stderr, "load: %s\n", why);
	exit(1);
}

static void interest(struct connection *c, int operation)
{
	struct epoll_event e = { .events = EPOLLIN | (c->unsent ? EPOLLOUT : 0), .data.ptr = c };
	if (epoll_ctl(loop, operation, c->fd, &e) < 0)
		die("load: epoll_ctl");
}

static void push(struct connection *c, int waited)
{
	ssize_t n = send(c->fd, out + size - c->unsent, c->unsent, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN)
		die("load: send");
	if (n > 0)
		c->unsent -= n;
	if (waited != (c->unsent > 0))
		interest(c, EPOLL_CTL_MOD);
}

static void ask(struct connection *c)
{
	c->unsent = c->unheard = size;
	push(c, 0);
}

/* hear reads what there is. It returns 1 when the answer is complete. */
static int hear(struct connection *c)
{
	ssize_t n = recv(c->fd, in, c->unheard ? c->unheard : 1, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0)
		die("load: recv");
	if (n == 0)
		fail("the server closed a connection");
	if (c->unheard == 0)
		fail("the server sent more than it got");
	if (memcmp(in, out + size - c->unheard, n) != 0)
		fail("the server's answer is not the message");
	c->unheard -= n;
	return c->unheard == 0;
}

static void connect_all(int port)
{
	connections = calloc(count, sizeof *connections);
	if (!connections)
		die("load: calloc");
	for (int i = 0; i < count; i++) {
		struct connection *c = &connections[i];
		/* One source address has only so many ports. */
		struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + i / 20000) };
		struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		int one = 1;
		c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (c->fd < 0)
			die("load: socket");
		if (setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one) < 0 ||
		    bind(c->fd, (struct sockaddr *)&from, sizeof from) < 0 ||
		    connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0)
			die("load: connect");
		if (setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0)
			die("load: TCP_NODELAY");
		interest(c, EPOLL_CTL_ADD);
	}
}

/* An idle connection, or c when all are to be busy. */
static struct connection *next(struct connection *c, int at_once)
{
	static unsigned long long state = 88172645463325252ULL;
	if (at_once == count)
		return c;
	do {
		state ^= state << 13, state ^= state >> 7, state ^= state << 17;
		c = &connections[state % count];
	} while (c->unheard > 0);
	return c;
}

static void run(int milliseconds, int at_once)
{
	long long warm = now(CLOCK_MONOTONIC) + milliseconds * 100000LL;
	long long start = 0, stop = 0, messages = 0, cpu = 0, others = 0;
	int waiting = at_once, over = 0;
	long long heard = now(CLOCK_MONOTONIC);
	for (int i = 0; i < at_once; i++)
		ask(at_once == count ? &connections[i] : next(NULL, at_once));
	while (waiting > 0) {
		struct epoll_event events[128];
		int n = epoll_wait(loop, events, 128, alone ? 0 : 5000);
		if (n < 0 && errno != EINTR)
			die("load: epoll_wait");
		long long t = now(CLOCK_MONOTONIC);
		if (n > 0)
			heard = t;
		else if (t - heard > 4000000000LL)
			fail("the server has not answered for seconds");
		if (!start && t >= warm) {
			start = t;
			stop = t + milliseconds * 900000LL;
			cpu = now(server);
			others = busy() - cpu - now(CLOCK_PROCESS_CPUTIME_ID);
			messages = 0;
		}
		if (start && !over && t >= stop) {
			long long used = now(server);
			others = busy() - used - now(CLOCK_PROCESS_CPUTIME_ID) - others;
			printf("%lld %lld %lld %lld\n", messages, t - start, used - cpu, others);
			over = 1;
		}
		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;
			if (c->unsent > 0)
				push(c, 1);
			if (!hear(c))
				continue;
			messages++;
			if (!over)
				ask(next(c, at_once));
			else
				waiting--;
		}
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		fail("usage: load PORT CONNECTIONS SIZE PID");
	count = atoi(argv[2]);
	size = atoi(argv[3]);
	if (count < 1 || size < 1 || size > BUFFER || clock_getcpuclockid(atoi(argv[4]), &server) != 0)
		fail("bad CONNECTIONS, SIZE or PID");
	for (int i = 0; i < size; i++)
		out[i] = i * 31 + 7;
	alone = sysconf(_SC_NPROCESSORS_ONLN) > 1;
	raise_limit();
	loop = epoll_create1(EPOLL_CLOEXEC);
	if (loop < 0)
		die("load: epoll_create1");
	connect_all(atoi(argv[1]));
	puts("ready");
	fflush(stdout);
	int milliseconds, at_once;
	while (scanf("%d %d", &milliseconds, &at_once) == 2) {
		if (milliseconds < 1 || at_once < 1 || at_once > count)
			fail("bad MILLISECONDS or ATONCE");
		run(milliseconds, at_once);
	}
	return 0;
}
