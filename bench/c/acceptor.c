/* acceptor: a server of one thread that waits in accept, and resets each
 * connection. It prints its port, and then, for each line "MILLISECONDS" on
 * standard input, how many connections it has accepted in a second. */
#include <string.h>

#include "figure.h"
#include "server.h"

int main(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct linger none = { 1, 0 };
	socklen_t length = sizeof at;
	long long start, end;
	int milliseconds, n, fd, listener = socket(AF_INET, SOCK_STREAM, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, SOMAXCONN) < 0 ||
	    getsockname(listener, (struct sockaddr *)&at, &length) < 0)
		die("acceptor: listen");
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	while (next_line(&milliseconds)) {
		start = now(CLOCK_MONOTONIC);
		end = start + milliseconds * 1000000LL;
		for (n = 0; now(CLOCK_MONOTONIC) < end; n++) {
			length = sizeof at;
			if ((fd = accept(listener, (struct sockaddr *)&at, &length)) < 0)
				die("acceptor: accept");
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
			close(fd);
		}
		print_figure(n * 1e9 / (now(CLOCK_MONOTONIC) - start));
	}
	return 0;
}
