// A program with seccomp filters of its own. The argument is the port of a server.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int port;

static const char *server(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int failed = connect(fd, (struct sockaddr *)&at, sizeof at) == 0 ? 0 : errno;
    close(fd);
    return failed ? strerrorname_np(failed) : "connected";
}

static const char *on(int call, unsigned action, unsigned flags) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) >= 0 ? "installed" : strerrorname_np(errno);
}

static void *wait_here(void *go) {
    int c;
    if (read(*(int *)go, &c, 1) < 0)
        perror("read");
    printf("the other thread is %s\n", server());
    return NULL;
}

static void trapped(int signal, siginfo_t *info, void *context) {
    (void)context;
    printf("signal %d of call %d\n", signal, info->si_syscall == SYS_connect);
}

int main(int argc, char **argv) {
    port = atoi(argv[1]);
    setbuf(stdout, NULL);
    int go[2];
    pthread_t other;
    if (pipe(go) != 0 || pthread_create(&other, NULL, wait_here, &go[0]) != 0)
        return 1;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    printf("own filter %s\n", on(SYS_uname, SECCOMP_RET_ERRNO | EPERM, 0));
    printf("then %s\n", server());
    printf("of all threads %s\n", on(SYS_getppid, SECCOMP_RET_ERRNO | EPERM, SECCOMP_FILTER_FLAG_TSYNC));
    printf("then %s\n", server());
    if (write(go[1], "x", 1) != 1)
        return 1;
    pthread_join(other, NULL);
    if (fork() == 0) {
        printf("a child is %s\n", server());
        _exit(0);
    }
    wait(NULL);
    if (fork() == 0) {
        struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};
        sigaction(SIGSYS, &action, NULL);
        printf("a trap is %s\n", on(SYS_connect, SECCOMP_RET_TRAP, 0));
        server();
        _exit(0);
    }
    wait(NULL);
    printf("refusing is %s\n", on(SYS_connect, SECCOMP_RET_ERRNO | EACCES, 0));
    printf("then %s\n", server());
    if (argc > 2)
        printf("a listener is %s\n", on(SYS_uname, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER));
    return 0;
}
