#include <winsock2.h>

#include "_cgo_export.h"
#include "thread.h"

/* Returns what a Go half counted, or SOCKET_ERROR with the last error set. */
static inline int counted(int n)
{
	if (__builtin_expect(n >= 0, 1))
		return n;
	upcall_thread.error = -n;
	return SOCKET_ERROR;
}

int WSAAPI send(SOCKET s, const char *buf, int len, int flags)
{
	ALIVE(SOCKET_ERROR);
	return counted(goSend(self(), s, (void *)buf, len, flags));
}

int WSAAPI recv(SOCKET s, char *buf, int len, int flags)
{
	ALIVE(SOCKET_ERROR);
	return counted(goRecv(self(), s, buf, len, flags));
}

int WSAAPI sendto(SOCKET s, const char *buf, int len, int flags, const struct sockaddr *to, int to_length)
{
	ALIVE(SOCKET_ERROR);
	return counted(goSendTo(self(), s, (void *)buf, len, flags, (void *)to, to_length));
}

int WSAAPI recvfrom(SOCKET s, char *buf, int len, int flags, struct sockaddr *from, int *from_length)
{
	ALIVE(SOCKET_ERROR);
	return counted(goRecvFrom(self(), s, buf, len, flags, from, from_length));
}
