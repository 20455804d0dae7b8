/*
 * u_long is unsigned long on Windows, which has 64 bits here. Many programs give
 * ioctlsocket the address of an unsigned long as well; it is as wide as they
 * mean it to be.
 */
#ifndef UPCALL_DETAIL_IOCTLSOCKET_H
#define UPCALL_DETAIL_IOCTLSOCKET_H

#include "sockets.h"

#ifdef __cplusplus
extern "C" {
#endif

WINSOCK_API_LINKAGE int WSAAPI ioctlsocket(SOCKET s, LONG cmd, u_long *argp);

static __inline__ int upcall_ioctlsocket_long(SOCKET s, LONG cmd, unsigned long *argp)
{
	u_long value;
	int result;

	if (argp == NULL)
		return ioctlsocket(s, cmd, NULL);
	value = (u_long)*argp;
	result = ioctlsocket(s, cmd, &value);
	*argp = value;
	return result;
}

#ifdef __cplusplus
}
template <class T> struct upcall_unsigned_long {};
template <> struct upcall_unsigned_long<unsigned long> { typedef int result; };
template <class T> inline typename upcall_unsigned_long<T>::result ioctlsocket(SOCKET s, LONG cmd, T *argp) { return upcall_ioctlsocket_long(s, cmd, argp); }
#else
#define ioctlsocket(s, cmd, argp) (__extension__ _Generic((argp), unsigned long *: upcall_ioctlsocket_long, default: ioctlsocket)((s), (cmd), (argp)))
#endif

#endif
