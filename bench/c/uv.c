/* The echo server over libuv: a write is tried at once, and queued only when
 * the socket does not take all of it. */
#include <string.h>
#include <uv.h>

#include "server.h"

struct connection {
	uv_tcp_t handle;
	char buffer[BUFFER];
	uv_write_t request;
	char *left; /* what the queued write sends */
};

static void check(int code, const char *what)
{
	if (code < 0) {
		fprintf(stderr, "%s: %s\n", what, uv_strerror(code));
		exit(1);
	}
}

static void freed(uv_handle_t *handle) { free(handle); }

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	(void)suggested;
	*buffer = uv_buf_init(((struct connection *)handle)->buffer, BUFFER);
}

static void received(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer);

static void written(uv_write_t *request, int status)
{
	struct connection *c = request->data;
	free(c->left);
	if (uv_is_closing((uv_handle_t *)c))
		return;
	if (status < 0)
		uv_close((uv_handle_t *)c, freed);
	else
		check(uv_read_start((uv_stream_t *)c, allocate, received), "uv_read_start");
}

static void received(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
	struct connection *c = (struct connection *)stream;
	if (n == 0)
		return;
	if (n < 0) {
		uv_close((uv_handle_t *)stream, freed);
		return;
	}
	uv_buf_t all = uv_buf_init(buffer->base, n);
	int sent = uv_try_write(stream, &all, 1);
	if (sent == n)
		return;
	if (sent < 0 && sent != UV_EAGAIN) {
		uv_close((uv_handle_t *)stream, freed);
		return;
	}
	size_t taken = sent > 0 ? sent : 0;
	uv_read_stop(stream);
	c->left = malloc(n - taken);
	if (!c->left)
		die("malloc");
	memcpy(c->left, buffer->base + taken, n - taken);
	uv_buf_t rest = uv_buf_init(c->left, n - taken);
	c->request.data = c;
	check(uv_write(&c->request, stream, &rest, 1, written), "uv_write");
}

static void connected(uv_stream_t *listener, int status)
{
	check(status, "uv_listen");
	struct connection *c = malloc(sizeof *c);
	if (!c)
		die("malloc");
	check(uv_tcp_init(listener->loop, &c->handle), "uv_tcp_init");
	check(uv_accept(listener, (uv_stream_t *)c), "uv_accept");
	check(uv_read_start((uv_stream_t *)c, allocate, received), "uv_read_start");
}

static void stop(uv_poll_t *input, int status, int events)
{
	(void)input, (void)status, (void)events;
	exit(0);
}

int main(void)
{
	raise_limit();
	uv_loop_t *loop = uv_default_loop();
	uv_tcp_t listener;
	uv_poll_t input;
	check(uv_tcp_init(loop, &listener), "uv_tcp_init");
	check(uv_tcp_open(&listener, listening()), "uv_tcp_open");
	check(uv_listen((uv_stream_t *)&listener, SOMAXCONN, connected), "uv_listen");
	check(uv_poll_init(loop, &input, STDIN_FILENO), "uv_poll_init");
	check(uv_poll_start(&input, UV_READABLE | UV_DISCONNECT, stop), "uv_poll_start");
	return uv_run(loop, UV_RUN_DEFAULT);
}
