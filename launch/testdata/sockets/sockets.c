// sockets CASE HOST PORT: the corners of connect(2), one case a run. It prints
// what it sees, which must be the same with and without upcall.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <netinet/tcp.h>
#include <unistd.h>

static struct sockaddr_storage target;
static socklen_t target_len;

static void resolve(const char *host, const char *port) {
	struct sockaddr_in *v4 = (struct sockaddr_in *)&target;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&target;
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(atoi(port));
		target_len = sizeof *v4;
	} else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(atoi(port));
		target_len = sizeof *v6;
	} else {
		fprintf(stderr, "bad host\n");
		exit(2);
	}
}

static int new_socket(int flags) {
	int s = socket(target.ss_family, SOCK_STREAM | flags, 0);
	if (s < 0) { perror("socket"); exit(2); }
	return s;
}

static const char *name(int e) { return e ? strerrorname_np(e) : "0"; }

static int try_connect(int s) { return connect(s, (struct sockaddr *)&target, target_len) == 0 ? 0 : errno; }

static int so_error(int s) {
	int e = -1;
	socklen_t n = sizeof e;
	if (getsockopt(s, SOL_SOCKET, SO_ERROR, &e, &n)) return errno;
	return e;
}

static void print_peer(int s) {
	struct sockaddr_storage peer;
	socklen_t n = sizeof peer;
	char text[100];
	if (getpeername(s, (struct sockaddr *)&peer, &n)) { printf("peer %s\n", name(errno)); return; }
	const void *ip = peer.ss_family == AF_INET ? (void *)&((struct sockaddr_in *)&peer)->sin_addr : (void *)&((struct sockaddr_in6 *)&peer)->sin6_addr;
	int same = ntohs(((struct sockaddr_in *)&peer)->sin_port) == ntohs(((struct sockaddr_in *)&target)->sin_port);
	printf("peer %s, %s port, length %u\n", inet_ntop(peer.ss_family, ip, text, sizeof text), same ? "same" : "another", n);
}

static void request(int s) {
	const char *q = "GET /hello HTTP/1.0\r\n\r\n";
	char buf[4096];
	size_t got = 0;
	ssize_t n;
	if (write(s, q, strlen(q)) < 0) { printf("write %s\n", name(errno)); return; }
	while ((n = read(s, buf + got, sizeof buf - 1 - got)) > 0) got += n;
	if (n < 0) { printf("read %s\n", name(errno)); return; }
	buf[got] = 0;
	char *body = strstr(buf, "\r\n\r\n");
	printf("body %s\n", body ? body + 4 : "none");
}

static int wait_for(int s, int events, int ms) {
	struct pollfd p = {.fd = s, .events = events};
	int n = poll(&p, 1, ms);
	return n <= 0 ? 0 : p.revents;
}

static void *thread(void *arg) {
	int s = new_socket(0);
	int e = try_connect(s);
	*(int *)arg = e;
	if (!e) {
		char c;
		if (write(s, "GET / HTTP/1.0\r\n\r\n", 18) != 18 || read(s, &c, 1) != 1) *(int *)arg = -1;
	}
	close(s);
	return 0;
}

static volatile sig_atomic_t alarms;
static void on_alarm(int sig) { alarms++; }

// A server's full queue makes a connect take a second; accepting lets it in.
static int queue, delayed;

static void fill_queue(void) {
	struct sockaddr_storage own = target;
	queue = new_socket(0);
	((struct sockaddr_in *)&own)->sin_port = 0;
	target_len = sizeof own;
	if (bind(queue, (struct sockaddr *)&own, sizeof(struct sockaddr_in)) || listen(queue, 0) || getsockname(queue, (struct sockaddr *)&target, &target_len)) { perror("listen"); exit(2); }
	if (try_connect(new_socket(0))) { perror("first connect"); exit(2); }
	delayed = new_socket(0);
}

static void wait_until_connected(void) {
	close(accept(queue, 0, 0));
	for (int i = 0; i < 10000; i++) {
		struct tcp_info info = {0};
		socklen_t n = sizeof info;
		if (!getsockopt(delayed, IPPROTO_TCP, TCP_INFO, &info, &n) && info.tcpi_state == TCP_ESTABLISHED) break;
		usleep(1000);
	}
	usleep(100000); // who connects for the program knows it too
}

static void on_alarm_wait(int sig) { if (!alarms++) wait_until_connected(); }

int main(int argc, char **argv) {
	if (argc != 4) return 2;
	resolve(argv[2], argv[3]);
	const char *what = argv[1];
	setvbuf(stdout, 0, _IOLBF, 0);
	alarm(60);
	if (!strcmp(what, "blocking")) {
		int s = new_socket(0);
		printf("connect %s\n", name(try_connect(s)));
		print_peer(s);
		printf("again %s\n", name(try_connect(s)));
		printf("so_error %s\n", name(so_error(s)));
		request(s);
	} else if (!strcmp(what, "refused")) {
		int s = new_socket(0);
		printf("connect %s\n", name(try_connect(s)));
		print_peer(s);
		printf("so_error %s\n", name(so_error(s)));
		printf("again %s\n", name(try_connect(s)));
	} else if (!strcmp(what, "nonblocking-refused")) {
		int s = new_socket(SOCK_NONBLOCK);
		int e = try_connect(s);
		if (e == EINPROGRESS) { // a refusal on loopback may come at once
			int events = wait_for(s, POLLOUT, 20000);
			for (int i = 0; i < 1000 && !(events & POLLOUT); i++) { // the error may be seen first
				usleep(1000);
				events = wait_for(s, POLLOUT, 20000);
			}
			printf("poll %s %s\n", events & POLLERR ? "err" : "-", events & POLLOUT ? "out" : "-");
			e = so_error(s);
		} else
			printf("poll err out\n");
		printf("error %s\n", name(e));
		printf("then %s\n", name(so_error(s)));
		print_peer(s);
	} else if (!strcmp(what, "refused-read")) { // why it failed, as Perl's Net::Ping and djb's programs ask
		int s = new_socket(SOCK_NONBLOCK);
		char c;
		printf("connect %s\n", name(try_connect(s)));
		wait_for(s, POLLOUT, 20000);
		print_peer(s);
		printf("poll %x\n", wait_for(s, POLLIN | POLLOUT | POLLRDHUP, 20000));
		printf("read %s\n", name(read(s, &c, 1) < 0 ? errno : 0));
		printf("then %s\n", name(read(s, &c, 1) < 0 ? errno : 0));
		printf("so_error %s\n", name(so_error(s)));
		printf("again %s\n", name(try_connect(s)));
		printf("at last %s\n", name(try_connect(s)));
		wait_for(s, POLLOUT, 20000);
		printf("connect %s\n", name(try_connect(s)));
	} else if (!strcmp(what, "epoll")) { // registered before connect
		int s = new_socket(SOCK_NONBLOCK), ep = epoll_create1(0);
		struct epoll_event ev = {.events = EPOLLOUT | EPOLLET};
		int copy = dup(s);
		int e = try_connect(copy);
		epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev);
		if (e == EINPROGRESS) e = 0;
		printf("connect %s\n", name(e));
		int n;
		do n = epoll_wait(ep, &ev, 1, 20000); while (n == 1 && !(ev.events & EPOLLOUT));
		printf("epoll %d\n", n);
		printf("so_error %s\n", name(so_error(s)));
		print_peer(s);
		e = try_connect(s);
		printf("again %s\n", e == EISCONN ? "0" : name(e)); // 0 the first time
		fcntl(s, F_SETFL, 0);
		close(copy);
		request(s);
	} else if (!strcmp(what, "fork")) { // a child connects the parent's socket by a dup
		int s = new_socket(0), copy = dup(s);
		pid_t child = fork();
		if (!child) _exit(try_connect(copy));
		int status;
		waitpid(child, &status, 0);
		close(copy);
		printf("child %s\n", name(WEXITSTATUS(status)));
		print_peer(s);
		request(s);
	} else if (!strcmp(what, "threads")) {
		enum { N = 32 };
		pthread_t t[N];
		int e[N], failed = 0;
		for (int i = 0; i < N; i++) pthread_create(&t[i], 0, thread, &e[i]);
		for (int i = 0; i < N; i++) { pthread_join(t[i], 0); failed += e[i] != 0; }
		printf("failed %d\n", failed);
	} else if (!strcmp(what, "multipath")) { // IPPROTO_MPTCP, where there is such a thing
		for (int flags = 0; flags <= SOCK_NONBLOCK; flags += SOCK_NONBLOCK) {
			int s = socket(target.ss_family, SOCK_STREAM | flags, 262);
			if (s < 0) { printf("none\n"); continue; }
			int e = try_connect(s);
			if (e == EINPROGRESS) {
				while (!wait_for(s, POLLOUT, 20000));
				e = so_error(s);
			}
			printf("connect %s\n", name(e));
			print_peer(s);
			fcntl(s, F_SETFL, 0);
			request(s);
		}
	} else if (!strcmp(what, "options")) { // set before, seen after
		int s = new_socket(0), one = 1, v = 0;
		socklen_t n = sizeof v;
		struct linger l = {1, 5};
		setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof l);
		printf("connect %s\n", name(try_connect(s)));
		getsockopt(s, IPPROTO_TCP, TCP_NODELAY, &v, &n);
		printf("nodelay %d, %s\n", v, fcntl(s, F_GETFL) & O_NONBLOCK ? "nonblocking" : "blocking");
		request(s);
	} else if (!strcmp(what, "reconnect")) { // one socket, several connections
		int s = new_socket(0);
		struct sockaddr none = {.sa_family = AF_UNSPEC};
		for (int i = 0; i < 3; i++) {
			printf("connect %s\n", name(try_connect(s)));
			print_peer(s);
			printf("disconnect %s\n", name(connect(s, &none, sizeof none) ? errno : 0));
			print_peer(s);
		}
	} else if (!strcmp(what, "wrong")) {
		int s = new_socket(0);
		printf("short %s\n", name(connect(s, (struct sockaddr *)&target, 8) ? errno : 0));
		printf("bad memory %s\n", name(connect(s, (struct sockaddr *)8, sizeof(struct sockaddr_in)) ? errno : 0));
		printf("bad fd %s\n", name(connect(999, (struct sockaddr *)&target, target_len) ? errno : 0));
		printf("no socket %s\n", name(connect(1, (struct sockaddr *)&target, target_len) ? errno : 0));
		struct sockaddr_storage other = target;
		other.ss_family = target.ss_family == AF_INET ? AF_INET6 : AF_INET;
		printf("family %s\n", name(connect(s, (struct sockaddr *)&other, sizeof other) ? errno : 0));
		int l = new_socket(0);
		listen(l, 1);
		printf("listening %s\n", name(try_connect(l)));
		int u = socket(AF_UNIX, SOCK_STREAM, 0);
		struct sockaddr path = {.sa_family = AF_UNIX, .sa_data = "/nowhere"};
		printf("unix %s\n", name(connect(u, &path, sizeof path) ? errno : 0));
		int d = socket(target.ss_family, SOCK_DGRAM, 0);
		printf("udp %s\n", name(try_connect(d)));
		print_peer(d);
	} else if (!strcmp(what, "bypass")) { // what would go around connect
		int s = new_socket(0);
		char c = 0;
		printf("fastopen %s\n", name(sendto(s, &c, 1, 0x20000000 | MSG_NOSIGNAL, (struct sockaddr *)&target, target_len) < 0 ? errno : 0));
		printf("io_uring %s\n", name(syscall(SYS_io_uring_setup, 1, 0) < 0 ? errno : 0));
	} else if (!strcmp(what, "interrupted")) { // a handler without SA_RESTART
		int s = new_socket(0);
		struct sigaction a = {.sa_handler = on_alarm};
		sigaction(SIGUSR1, &a, 0);
		if (!fork()) { usleep(800000); kill(getppid(), SIGUSR1); _exit(0); }
		int e = try_connect(s);
		printf("connect %s, %d signals\n", name(e), (int)alarms);
		if (e == EINTR) {
			printf("again %s\n", name(try_connect(s)));
			print_peer(s);
			request(s);
		}
	} else if (!strcmp(what, "restarted")) { // a handler with SA_RESTART
		int s = new_socket(0);
		struct sigaction a = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
		sigaction(SIGUSR1, &a, 0);
		if (!fork()) { usleep(800000); kill(getppid(), SIGUSR1); _exit(0); }
		printf("connect %s\n", name(try_connect(s)));
		printf("signals %d\n", (int)alarms);
		print_peer(s);
		request(s);
	} else if (!strcmp(what, "polled")) { // interrupted, and then asked as the manual of connect(2) says
		struct sigaction a = {.sa_handler = on_alarm};
		int s = new_socket(0);
		sigaction(SIGUSR1, &a, 0);
		if (!fork()) { usleep(800000); kill(getppid(), SIGUSR1); _exit(0); }
		int e = try_connect(s);
		if (e == EINTR) {
			while (!wait_for(s, POLLOUT, 20000));
			e = so_error(s);
		}
		printf("connect %s, %d signals\n", name(e), (int)alarms);
		print_peer(s);
		request(s);
	} else if (!strcmp(what, "late")) { // connected when the interrupted call is made again
		for (int i = 0; i < 3; i++) {
			struct sigaction a = {.sa_handler = on_alarm_wait, .sa_flags = i ? SA_RESTART : 0};
			struct timeval timeout = {i == 2 ? 20 : 0, 0};
			alarms = 0;
			fill_queue();
			setsockopt(delayed, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
			sigaction(SIGUSR1, &a, 0);
			if (!fork()) { usleep(800000); kill(getppid(), SIGUSR1); _exit(0); }
			printf("connect %s\n", name(try_connect(delayed)));
			printf("so_error %s\n", name(so_error(delayed)));
			print_peer(delayed);
			printf("again %s\n", name(try_connect(delayed)));
			printf("again %s\n", name(try_connect(delayed)));
			close(queue);
			close(delayed);
			wait(0);
		}
		fill_queue();
		if (!fork()) { usleep(200000); close(accept(queue, 0, 0)); _exit(0); }
		for (int i = 0; i < 3; i++) printf("uninterrupted %s\n", name(try_connect(delayed)));
		wait(0);
	} else if (!strcmp(what, "storm")) { // a timer that interrupts all the time, no SA_RESTART
		struct sigaction a = {.sa_handler = on_alarm};
		struct itimerval every = {{0, 300}, {0, 300}};
		int lies = 0;
		sigaction(SIGALRM, &a, 0);
		setitimer(ITIMER_REAL, &every, 0);
		for (int i = 0; i < 300; i++) {
			int s = new_socket(0);
			int e = try_connect(s);
			if (e == EINTR) { // it goes on by itself
				while (!wait_for(s, POLLOUT, 20000));
				e = so_error(s);
			}
			struct sockaddr_storage peer;
			socklen_t n = sizeof peer;
			if (e) { close(s); continue; }
			while ((e = getpeername(s, (struct sockaddr *)&peer, &n)) && errno == EINTR);
			if (e) lies++;
			close(s);
		}
		printf("lies %d\n", lies);
	} else if (!strcmp(what, "timeout")) { // SO_SNDTIMEO
		int s = new_socket(0);
		struct timeval t = {0, 100000};
		setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
		printf("connect %s\n", name(try_connect(s)));
		printf("poll %s\n", wait_for(s, POLLOUT, 20000) & POLLOUT ? "out" : "-");
		printf("so_error %s\n", name(so_error(s)));
		print_peer(s);
		request(s);
	} else
		return 2;
	return 0;
}
