// Calls that are chosen by the bytes of the argument, in hexadecimal: five for each
// call, after one that says whether other threads disturb them. Each line is a call
// and what it gave.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
static const int numbers[] = {SYS_connect, SYS_bind, SYS_sendto, SYS_sendmsg, SYS_sendmmsg, SYS_recvfrom, SYS_recvmsg, SYS_recvmmsg,
                              SYS_getsockname, SYS_getpeername, SYS_getsockopt, SYS_listen, SYS_accept4};
static const char *names[] = {"connect", "bind", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg",
                              "getsockname", "getpeername", "getsockopt", "listen", "accept4"};
static const long lengths[] = {0, 1, 2, 3, 8, 15, 16, 24, 28, 110, 111, 128, 129, -1, INT32_MIN, INT32_MAX, 1L << 32, 4096};
static const long flags[] = {0, MSG_DONTWAIT, MSG_OOB, MSG_PEEK, MSG_NOSIGNAL, MSG_MORE, -1 & ~0x20000000, 0x40000000};
static long fds[12];
static char *pointers[16];
static volatile int stop;

static void *disturb(void *unused) {
    for (unsigned i = 0; !stop; i++) {
        pointers[1][i % 16] ^= 1 << i % 8;
        pointers[1][0] = i % 3 ? AF_INET : AF_UNIX;
        mprotect(pointers[12], 4096, i & 1 ? PROT_NONE : PROT_READ | PROT_WRITE);
        dup2(fds[i % 4], fds[(i + 1) % 4]);
        if (i % 5 == 0)
            close(fds[i % 4]);
    }
    return unused;
}

static void nothing(int unused) { (void)unused; }

static char *pages(int protection) {
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(p + 4096, 4096);
    mprotect(p, 4096, protection);
    return p;
}

static void prepare(void) {
    int pipes[2];
    static const int sockets[][2] = {{AF_INET, SOCK_STREAM}, {AF_INET6, SOCK_STREAM}, {AF_INET, SOCK_DGRAM}, {AF_INET6, SOCK_DGRAM},
                                     {AF_UNIX, SOCK_STREAM}, {AF_UNIX, SOCK_DGRAM}, {AF_UNIX, SOCK_SEQPACKET}, {AF_NETLINK, SOCK_RAW}};
    for (size_t i = 0; i < COUNT(sockets); i++)
        fds[i] = socket(sockets[i][0], sockets[i][1] | SOCK_NONBLOCK, 0);
    if (pipe(pipes) != 0)
        exit(1);
    fds[8] = pipes[0], fds[9] = open("/dev/null", O_RDWR), fds[10] = -1, fds[11] = 9999;
    char *page = pages(PROT_READ | PROT_WRITE);
    pointers[0] = NULL;
    pointers[1] = page;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    memcpy(page, &in, sizeof in);
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    pointers[2] = page + 256;
    memcpy(pointers[2], &in6, sizeof in6);
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "nothing"};
    pointers[3] = page + 512;
    memcpy(pointers[3], &un, sizeof un);
    pointers[4] = page + 768; // AF_UNSPEC
    pointers[5] = page + 1024;
    pointers[5][0] = 77;
    pointers[6] = pages(PROT_READ | PROT_WRITE) + 4096 - 4; // it ends within a structure
    pointers[6][0] = AF_INET;
    pointers[7] = pages(PROT_READ | PROT_WRITE) + 4096 - 20;
    pointers[7][0] = AF_UNIX;
    pointers[8] = pages(PROT_NONE);
    pointers[9] = pages(PROT_READ);
    pointers[10] = (char *)0xffff888000000000;
    pointers[11] = (char *)1;
    pointers[12] = pages(PROT_READ | PROT_WRITE);
    static struct iovec v = {"payload", 7}, bad = {(char *)1, 100};
    struct mmsghdr m = {.msg_hdr = {.msg_name = pointers[1], .msg_namelen = 16, .msg_iov = &v, .msg_iovlen = 1}};
    pointers[13] = page + 1280;
    memcpy(pointers[13], &m, sizeof m);
    m.msg_hdr.msg_iov = &bad;
    pointers[14] = page + 1536;
    memcpy(pointers[14], &m, sizeof m);
    m.msg_hdr.msg_iov = &v, m.msg_hdr.msg_name = pointers[6], m.msg_hdr.msg_iovlen = 5000;
    pointers[15] = page + 1792;
    memcpy(pointers[15], &m, sizeof m);
}

int main(int argc, char **argv) {
    size_t n = strlen(argv[1]) / 2;
    unsigned char *code = calloc(n + 6, 1);
    for (size_t i = 0; i < n; i++)
        sscanf(argv[1] + 2 * i, "%2hhx", code + i);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGALRM, nothing);
    prepare();
    pthread_t thread;
    int disturbed = code[0] & 1;
    if (disturbed)
        pthread_create(&thread, NULL, disturb, NULL);
    if (code[0] & 2) {
        struct itimerval often = {{0, 500}, {0, 500}};
        setitimer(ITIMER_REAL, &often, NULL);
    }
    for (size_t i = 1; i + 5 <= n && i < 200; i += 5) {
        unsigned char *c = code + i;
        int call = c[0] % COUNT(numbers);
        long fd = fds[c[1] % COUNT(fds)], at = (long)pointers[c[2] % 16], length = lengths[c[3] % COUNT(lengths)], flag = flags[c[4] % COUNT(flags)];
        long other = (long)pointers[c[4] % 16], result;
        switch (numbers[call]) {
        case SYS_sendto:
            result = syscall(numbers[call], fd, other, length, flag & ~MSG_PEEK, at, lengths[c[4] % COUNT(lengths)]);
            break;
        case SYS_recvfrom:
            result = syscall(numbers[call], fd, other, length, flag | MSG_DONTWAIT, at, other);
            break;
        case SYS_sendmmsg: case SYS_recvmmsg:
            result = syscall(numbers[call], fd, at, c[3] % 3, flag | MSG_DONTWAIT, NULL);
            break;
        case SYS_sendmsg: case SYS_recvmsg:
            result = syscall(numbers[call], fd, at, flag | MSG_DONTWAIT);
            break;
        case SYS_getsockname: case SYS_getpeername:
            result = syscall(numbers[call], fd, at, other);
            break;
        case SYS_getsockopt:
            result = syscall(numbers[call], fd, SOL_SOCKET, SO_ERROR, at, other);
            break;
        case SYS_accept4:
            result = syscall(numbers[call], fd, at, other, length);
            if (result >= 0)
                result = 0;
            break;
        default:
            result = syscall(numbers[call], fd, at, length);
        }
        if (!disturbed)
            printf("%s of %d with %d %d %d: %ld %s\n", names[call], c[1] % (int)COUNT(fds), c[2] % 16, c[3] % (int)COUNT(lengths),
                   c[4], result, result < 0 ? strerrorname_np(errno) : "");
    }
    stop = 1;
    if (disturbed)
        pthread_join(thread, NULL);
    puts("alive");
    return 0;
}
