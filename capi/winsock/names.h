/* What the C files of names and of the catalog share. */
#ifndef UPCALL_CAPI_NAMES_H
#define UPCALL_CAPI_NAMES_H

#include <windows.h>

#include "thread.h"

/* How a function ends that returns its error, and leaves it as the last error, too. */
static inline int told(int e)
{
	if (e)
		upcall_thread.error = e;
	return e;
}

/* How a function ends that returns SOCKET_ERROR. */
static inline int socket_error(int e)
{
	return told(e) ? SOCKET_ERROR : 0;
}

#endif
