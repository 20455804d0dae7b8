#include "calls.h"

DWORD WINAPI GetLastError(void)
{
	return upcall_thread.error;
}

VOID WINAPI SetLastError(DWORD error)
{
	upcall_thread.error = error;
}
