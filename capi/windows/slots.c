#include <limits.h>
#include <pthread.h>

#include "calls.h"

/* Values of each thread's own, by index: keys of libc's, whose number bounds them. */
DWORD WINAPI TlsAlloc(void)
{
	pthread_key_t key;

	FAIL_IF(pthread_key_create(&key, NULL) ? ERROR_NO_SYSTEM_RESOURCES : 0, TLS_OUT_OF_INDEXES);
	return key;
}

/* NULL may be a value, so success clears the last error here. */
LPVOID WINAPI TlsGetValue(DWORD index)
{
	FAIL_IF(index >= PTHREAD_KEYS_MAX ? ERROR_INVALID_PARAMETER : 0, NULL);
	upcall_thread.error = ERROR_SUCCESS;
	return pthread_getspecific(index);
}

BOOL WINAPI TlsSetValue(DWORD index, LPVOID value)
{
	FAIL_IF(pthread_setspecific(index, value) ? ERROR_INVALID_PARAMETER : 0, FALSE);
	return TRUE;
}

BOOL WINAPI TlsFree(DWORD index)
{
	FAIL_IF(pthread_key_delete(index) ? ERROR_INVALID_PARAMETER : 0, FALSE);
	return TRUE;
}
