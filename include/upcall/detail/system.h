/*
 * Where Winsock's names meet the C library's.
 *
 * Winsock reuses names that a C library on Linux already has, with other types
 * and another meaning. Three things keep the two apart:
 *
 * 1. Functions. socket, bind, send, getaddrinfo and the others that libc exports
 *    too are declared here under their Winsock names and labelled with the
 *    symbol upcall_NAME (UPCALL_SYMBOL). &socket, function pointers and macros
 *    such as "#define close closesocket" work as usual, and the shared library
 *    never takes libc's place for the rest of the process. Functions that only
 *    Winsock has (WSASend, closesocket, ...) are exported by their plain names.
 *
 * 2. Names that <stdlib.h>, <unistd.h> and <sys/time.h> bring into nearly every
 *    program with other types are macros, after the system's own declarations
 *    have been read: fd_set, select, timeval (two 32-bit fields, as on Windows),
 *    u_long (32 bits), gethostname, and socklen_t in <ws2tcpip.h>. After
 *    <winsock2.h> "struct timeval" is Winsock's, and cannot be passed to the
 *    system's setitimer or utimes; gettimeofday, if <sys/time.h> is included,
 *    is the library's own and takes it.
 *
 * 3. The system's socket headers (<sys/socket.h>, <netdb.h>, <netinet/in.h>,
 *    <poll.h>, ...) cannot be in the same source file: an #error says so,
 *    whichever comes first. Other system headers go before or after as one likes;
 *    the few in sys/ and unistd.h beside this directory see to that, and do
 *    nothing unless Winsock's headers are included.
 */
#ifndef UPCALL_DETAIL_SYSTEM_H
#define UPCALL_DETAIL_SYSTEM_H

#if defined _SYS_SOCKET_H || defined _NETINET_IN_H || defined _NETDB_H || \
    defined _ARPA_INET_H || defined _SYS_POLL_H || defined _POLL_H
#error "a system socket header (<sys/socket.h>, <netinet/in.h>, <netdb.h>, <arpa/inet.h> or <poll.h>) was included before Winsock's: a source file can use one of the two; leave the system's out"
#endif

#include <sys/select.h>
#include <sys/types.h>

/* The symbol of a function or variable whose name libc has, too. */
#define UPCALL_SYMBOL(name) __asm__("upcall_" #name)

/*
 * FD_SETSIZE is the program's own if it defined one, be it before <stdlib.h> or
 * after; glibc's definition is told by what it refers to, and dropped.
 */
#pragma push_macro("__FD_SETSIZE")
#undef __FD_SETSIZE
#if defined FD_SETSIZE && FD_SETSIZE + 0 == 0
#undef FD_SETSIZE
#pragma pop_macro("FD_SETSIZE")
#endif
#pragma pop_macro("__FD_SETSIZE")
#ifndef FD_SETSIZE
#define FD_SETSIZE 64
#endif

#undef FD_SET
#undef FD_CLR
#undef FD_ISSET
#undef FD_ZERO

#define fd_set upcall_fd_set
#define select upcall_select
#define timeval upcall_timeval
#define u_long upcall_u_long
#define gethostname upcall_gethostname

#endif
