/*
 * The same questions to two sources of names: compiled with LIBC this is the C
 * library's answer, otherwise Winsock's. Each line is one answer; addresses are
 * text, and errors are by Winsock's names. The two tell a name without an address of
 * the family from one that is not there in different cases.
 */
#ifdef LIBC
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#else
#include <winsock2.h>
#include <ws2tcpip.h>
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef LIBC
static const char *error_name(int e)
{
	switch (e) {
	case 0: return "success";
	case EAI_NONAME:
	case EAI_ADDRFAMILY:
	case EAI_NODATA: return "NOT_FOUND";
	case EAI_BADFLAGS: return "EINVAL";
	case EAI_FAMILY: return "EAFNOSUPPORT";
	case EAI_SOCKTYPE: return "ESOCKTNOSUPPORT";
	case EAI_SERVICE: return "TYPE_NOT_FOUND";
	case EAI_OVERFLOW: return "EFAULT";
	}
	return gai_strerror(e);
}
#else
static const char *error_name(int e)
{
	switch (e) {
	case 0: return "success";
	case WSAHOST_NOT_FOUND:
	case WSANO_DATA: return "NOT_FOUND";
	case WSAEINVAL: return "EINVAL";
	case WSAEAFNOSUPPORT: return "EAFNOSUPPORT";
	case WSAESOCKTNOSUPPORT: return "ESOCKTNOSUPPORT";
	case WSATYPE_NOT_FOUND: return "TYPE_NOT_FOUND";
	case WSAEFAULT: return "EFAULT";
	}
	return gai_strerrorA(e);
}
#endif
