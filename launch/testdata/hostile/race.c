// Calls whose address another thread changes all the time, between one that the
// rules allow and one that they deny, and in its family. Arguments: tcp, udp,
// unix or unixgram, the two addresses, which are ports of 127.0.0.1 and 127.0.0.2 or
// paths of one length, and how often. It prints what it has been told of the forbidden one.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_un un;
} allowed, forbidden;
static unsigned char shared[sizeof(struct sockaddr_un)];
static socklen_t length;
static sa_family_t family;
static volatile int stop;

static void *change(void *unused) {
    for (unsigned turn = 0; !stop; turn++) {
        for (size_t i = 2; i < length; i++)
            *(volatile unsigned char *)(shared + i) = ((unsigned char *)(turn & 1 ? &allowed : &forbidden))[i];
        *(volatile unsigned char *)shared = turn % 3 == 0 ? (family == AF_UNIX ? AF_INET : AF_UNIX) : turn % 7 == 0 ? AF_UNSPEC : family;
        *(volatile unsigned char *)shared = family;
    }
    return unused;
}

static void set(const char *kind, const char *a, const char *b) {
    family = strncmp(kind, "unix", 4) ? AF_INET : AF_UNIX;
    allowed.any.sa_family = forbidden.any.sa_family = family;
    if (family == AF_UNIX) {
        strcpy(allowed.un.sun_path, a);
        strcpy(forbidden.un.sun_path, b);
        length = 2 + strlen(a) + 1;
        return;
    }
    allowed.in.sin_addr.s_addr = htonl(0x7f000001);
    allowed.in.sin_port = htons(atoi(a));
    forbidden.in.sin_addr.s_addr = htonl(0x7f000002);
    forbidden.in.sin_port = htons(atoi(b));
    length = sizeof(struct sockaddr_in);
}

int main(int argc, char **argv) {
    int rounds = atoi(argv[4]), done = 0;
    set(argv[1], argv[2], argv[3]);
    memcpy(shared, &allowed, length);
    int type = strcmp(argv[1], "udp") && strcmp(argv[1], "unixgram") ? SOCK_STREAM : SOCK_DGRAM;
    pthread_t thread;
    pthread_create(&thread, NULL, change, NULL);
    for (int i = 0; i < rounds; i++) {
        int fd = socket(family, type | (i & 1 ? SOCK_NONBLOCK : 0), 0);
        struct sockaddr *name = (struct sockaddr *)shared;
        if (connect(fd, name, length) == 0)
            done++;
        close(fd);
        if (family == AF_INET) {
            union { struct sockaddr any; struct sockaddr_in in; } own;
            socklen_t size = sizeof own;
            fd = socket(family, type, 0);
            if (bind(fd, name, length) == 0 && getsockname(fd, &own.any, &size) == 0 && own.in.sin_addr.s_addr == forbidden.in.sin_addr.s_addr)
                puts("bound to the forbidden address");
            close(fd);
        }
        if (type == SOCK_STREAM)
            continue;
        fd = socket(family, SOCK_DGRAM, 0);
        struct iovec v = {"datagram", 8};
        struct mmsghdr m = {.msg_hdr = {.msg_name = shared, .msg_namelen = length, .msg_iov = &v, .msg_iovlen = 1}};
        done += sendto(fd, "datagram", 8, MSG_DONTWAIT, name, length) == 8;
        done += sendmsg(fd, &m.msg_hdr, MSG_DONTWAIT) == 8;
        done += sendmmsg(fd, &m, 1, MSG_DONTWAIT) == 1;
        close(fd);
    }
    stop = 1;
    pthread_join(thread, NULL);
    puts(done ? "done" : "nothing has been done");
    return 0;
}
