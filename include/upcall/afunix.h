/* Local socket addresses. */
#ifndef _AFUNIX_
#define _AFUNIX_

#include <winsock2.h>

#ifdef _SYS_UN_H
#error "<sys/un.h> was included before <afunix.h>: a source file can use one of the two; leave the system's out"
#endif

#define UNIX_PATH_MAX 108

typedef struct sockaddr_un {
	ADDRESS_FAMILY sun_family;
	char sun_path[UNIX_PATH_MAX];
} SOCKADDR_UN, *PSOCKADDR_UN;

#define SIO_AF_UNIX_GETPEERPID _WSAIOR(IOC_VENDOR, 256)

#endif
