/* Random bytes, which come from the system. */
#ifndef PROGRAMS_BCRYPT_H
#define PROGRAMS_BCRYPT_H

#include <windows.h>

#include <sys/random.h>

static __inline__ NTSTATUS BCryptGenRandom(PVOID algorithm, UCHAR *buffer, ULONG size, ULONG flags)
{
	ULONG n;

	(void)algorithm, (void)flags;
	for (n = 0; n < size;) {
		ssize_t got = getrandom(buffer + n, size - n, 0);
		if (got < 0)
			return (NTSTATUS)0xC0000001;
		n += (ULONG)got;
	}
	return STATUS_SUCCESS;
}

#endif
