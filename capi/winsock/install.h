/* What the C files of the catalog's functions share. */
#ifndef UPCALL_CAPI_INSTALL_H
#define UPCALL_CAPI_INSTALL_H

#include <winsock2.h>
#include <sporder.h>
#include <ws2spi.h>

#include "names.h"

/*
 * First line of a function with an lpErrno. Without one there is no way to tell
 * what is wrong but the last error, and nothing is done.
 */
#define TELLS(lpErrno_) \
	do { \
		FAIL_IF((lpErrno_) ? 0 : WSAEFAULT, SOCKET_ERROR); \
		if (__builtin_expect(upcall_forked, 0)) \
			return by_errno(WSANOTINITIALISED, lpErrno_); \
	} while (0)

/* How such a function ends: success leaves *lpErrno untouched. */
static inline int by_errno(int e, int *lpErrno)
{
	if (!e)
		return 0;
	*lpErrno = e;
	return SOCKET_ERROR;
}

#endif
