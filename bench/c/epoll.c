/* An echo server as one writes it in C for speed: one thread, one
 * level-triggered epoll loop, one receive and one send for each message. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/epoll.h>

#include "server.h"

struct connection {
	int fd;
	int start, end; /* of what a send has left in buffer */
	char buffer[BUFFER];
};

static int loop;

static void watch(int operation, int fd, unsigned events, void *data)
{
	struct epoll_event e = { .events = events, .data.ptr = data };
	if (epoll_ctl(loop, operation, fd, &e) < 0)
		die("epoll_ctl");
}

static void end(struct connection *c)
{
	close(c->fd);
	free(c);
}

/* send_left goes on with what the socket has not taken. */
static void send_left(struct connection *c)
{
	ssize_t n = send(c->fd, c->buffer + c->start, c->end - c->start, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN) {
		end(c);
		return;
	}
	if (n > 0)
		c->start += n;
	if (c->start == c->end) {
		c->start = c->end = 0;
		watch(EPOLL_CTL_MOD, c->fd, EPOLLIN, c);
	}
}

static void serve(struct connection *c)
{
	if (c->end > 0) {
		send_left(c);
		return;
	}
	ssize_t n = recv(c->fd, c->buffer, BUFFER, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		end(c);
		return;
	}
	ssize_t sent = send(c->fd, c->buffer, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent == n)
		return;
	if (sent < 0 && errno != EAGAIN) {
		end(c);
		return;
	}
	c->start = sent > 0 ? sent : 0;
	c->end = n;
	watch(EPOLL_CTL_MOD, c->fd, EPOLLOUT, c);
}

static void accept_all(int listener)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EAGAIN)
				return;
			die("accept4");
		}
		struct connection *c = malloc(sizeof *c);
		if (!c)
			die("malloc");
		c->fd = fd;
		c->start = c->end = 0;
		watch(EPOLL_CTL_ADD, fd, EPOLLIN, c);
	}
}

int main(void)
{
	raise_limit();
	loop = epoll_create1(EPOLL_CLOEXEC);
	if (loop < 0)
		die("epoll_create1");
	int listener = listening();
	watch(EPOLL_CTL_ADD, listener, EPOLLIN, &listener);
	watch(EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN, NULL);
	for (;;) {
		struct epoll_event events[128];
		int n = epoll_wait(loop, events, 128, -1);
		if (n < 0 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < n; i++) {
			void *data = events[i].data.ptr;
			if (!data)
				return 0;
			if (data == &listener)
				accept_all(listener);
			else
				serve(data);
		}
	}
}
