// Calls on UDP sockets with arguments that are wrong, or change meanwhile. The
// argument is the port of a receiver, to which only "right" may go.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static unsigned seed = 1;
static unsigned next(void) { return seed = seed * 1103515245 + 12345; }
static unsigned pick(unsigned n) { return (next() >> 8) % n; }

static char area[1 << 17];

// word is an argument: small, large, a pointer that is fine, or one that is not.
static long word(int fd) {
    static const long odd[] = {0, -1, 1, 2, 16, 28, 128, 129, 0x7fffffff, 0x80000000, 0x100000000, 1024, 1025, 65535, 65536,
                               -4096, 0x7ffffffff000, 0xdeadbeef, 40, 4};
    switch (pick(4)) {
    case 0: return (long)area + pick(sizeof area);
    case 1: return (long)area;
    case 2: return fd;
    }
    return odd[pick(sizeof odd / sizeof *odd)];
}

static struct sockaddr_in shared;
static volatile int stop;
static uint16_t port;

// A thread that changes the address between one that is fine, the one of the
// receiver in another family, and noise.
static void *change(void *unused) {
    while (!stop) {
        shared.sin_family = AF_UNIX;
        shared.sin_port = htons(9);
        shared.sin_family = AF_INET;
        shared.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        shared.sin_addr.s_addr = htonl(0x7f000002);
    }
    return unused;
}

int main(int argc, char **argv) {
    static const int calls[] = {SYS_sendto, SYS_sendmsg, SYS_sendmmsg, SYS_recvfrom, SYS_recvmsg, SYS_recvmmsg,
                                SYS_bind, SYS_connect, SYS_getsockname, SYS_getpeername};
    signal(SIGPIPE, SIG_IGN);
    port = (uint16_t)atoi(argv[1]);
    int fds[] = {socket(AF_INET, SOCK_DGRAM, 0), socket(AF_INET6, SOCK_DGRAM, 0), socket(AF_UNIX, SOCK_DGRAM, 0),
                 socket(AF_INET, SOCK_STREAM, 0), 0, -1, 9999};
    for (int i = 0; i < 4; i++) {
        struct timeval short_time = {0, 1000};
        setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &short_time, sizeof short_time);
        setsockopt(fds[i], SOL_SOCKET, SO_SNDTIMEO, &short_time, sizeof short_time);
    }
    for (int i = 0; i < 6000; i++) {
        int fd = fds[pick(6)];
        if (i % 16 == 0) {
            for (size_t at = 0; at + 8 <= 4096; at += 8)
                *(long *)(area + at) = word(fd);
        }
        // The receiver's address never appears here: area has no such port but
        // by the chance of noise.
        int call = calls[pick(sizeof calls / sizeof *calls)];
        long flags = pick(4) ? MSG_DONTWAIT : word(fd) & ~0x20000000;
        if (call == SYS_sendto || call == SYS_recvfrom)
            syscall(call, fd, word(fd), word(fd), flags, word(fd), word(fd));
        else if (call == SYS_sendmmsg || call == SYS_recvmmsg)
            syscall(call, fd, word(fd), word(fd), flags | MSG_DONTWAIT, pick(2) ? 0 : word(fd), 0);
        else
            syscall(call, fd, word(fd), call == SYS_sendmsg || call == SYS_recvmsg ? flags : word(fd), word(fd), 0, 0);
    }

    pthread_t thread;
    pthread_create(&thread, NULL, change, NULL);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    for (int i = 0; i < 2000; i++) {
        sendto(fd, "changing", 8, MSG_DONTWAIT, (struct sockaddr *)&shared, sizeof shared);
        struct iovec v = {"changing", 8};
        struct msghdr m = {.msg_name = &shared, .msg_namelen = sizeof shared, .msg_iov = &v, .msg_iovlen = 1};
        sendmsg(fd, &m, MSG_DONTWAIT);
    }
    stop = 1;
    pthread_join(thread, NULL);

    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < 5; i++)
        if (sendto(fd, "right", 5, 0, (struct sockaddr *)&to, sizeof to) != 5)
            perror("sendto");
    puts("done");
    return 0;
}
