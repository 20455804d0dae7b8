/* Byte order and addresses as text need neither WSAStartup nor Go. */
#include <winsock2.h>

#include "_cgo_export.h"
#include "thread.h"

u_long WSAAPI htonl(u_long host)
{
	return __builtin_bswap32(host);
}

u_short WSAAPI htons(u_short host)
{
	return __builtin_bswap16(host);
}

u_long WSAAPI ntohl(u_long network)
{
	return __builtin_bswap32(network);
}

u_short WSAAPI ntohs(u_short network)
{
	return __builtin_bswap16(network);
}
