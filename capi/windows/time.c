#include <time.h>

#include "calls.h"

static uint64_t nanoseconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

ULONGLONG WINAPI GetTickCount64(void)
{
	return nanoseconds(CLOCK_BOOTTIME) / 1000000;
}

DWORD WINAPI GetTickCount(void)
{
	return (DWORD)GetTickCount64();
}

BOOL WINAPI QueryPerformanceCounter(LARGE_INTEGER *count)
{
	count->QuadPart = nanoseconds(CLOCK_MONOTONIC);
	return TRUE;
}

BOOL WINAPI QueryPerformanceFrequency(LARGE_INTEGER *frequency)
{
	frequency->QuadPart = 1000000000;
	return TRUE;
}

/* From 1601 to 1970, in units of 100 ns. */
#define UNIX_EPOCH 116444736000000000ULL

VOID WINAPI GetSystemTimeAsFileTime(LPFILETIME file_time)
{
	uint64_t t = nanoseconds(CLOCK_REALTIME) / 100 + UNIX_EPOCH;

	file_time->dwLowDateTime = (DWORD)t;
	file_time->dwHighDateTime = (DWORD)(t >> 32);
}
