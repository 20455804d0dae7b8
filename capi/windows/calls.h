/* What the files of this package have from each other. */
#ifndef UPCALL_CAPI_WINDOWS_CALLS_H
#define UPCALL_CAPI_WINDOWS_CALLS_H

#include <windows.h>

#include "thread.h"

/* Calls of the program's routines, for Go. */
void windows_run_apc(void *routine, uintptr_t data);

/* GetStdHandle's handles: no descriptor has such a number. */
#define STD_HANDLE(n) ((HANDLE)(ULONG_PTR)(n))

/* The descriptor of a standard handle, -1 for any other. */
static inline int std_descriptor(HANDLE h)
{
	DWORD n = (DWORD)(ULONG_PTR)h;

	if (((ULONG_PTR)h >> 32) || n < STD_ERROR_HANDLE || n > STD_INPUT_HANDLE)
		return -1;
	return (int)(STD_INPUT_HANDLE - n);
}

/* What GetCurrentThread and GetCurrentProcess return. */
#define THIS_THREAD ((HANDLE)(LONG_PTR)-2)
#define THIS_PROCESS ((HANDLE)(LONG_PTR)-1)

#endif
