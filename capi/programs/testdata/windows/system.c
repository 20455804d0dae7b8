/*
 * Upcall has neither files, nor mappings of them, nor named pipes, nor a registry: the calls for
 * them say so, and the programs do without.
 */
#include "system.h"

#include "shlobj.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static void absent(void)
{
	SetLastError(ERROR_CALL_NOT_IMPLEMENTED);
}

HANDLE WINAPI CreateFileA(LPCSTR name, DWORD access, DWORD share, LPSECURITY_ATTRIBUTES security, DWORD disposition, DWORD flags, HANDLE from)
{
	(void)name, (void)access, (void)share, (void)security, (void)disposition, (void)flags, (void)from;
	absent();
	return INVALID_HANDLE_VALUE;
}

HANDLE WINAPI CreateFileMappingA(HANDLE file, LPSECURITY_ATTRIBUTES security, DWORD protection, DWORD size_high, DWORD size_low, LPCSTR name)
{
	(void)file, (void)security, (void)protection, (void)size_high, (void)size_low, (void)name;
	absent();
	return NULL;
}

LPVOID WINAPI MapViewOfFile(HANDLE mapping, DWORD access, DWORD offset_high, DWORD offset_low, SIZE_T size)
{
	(void)mapping, (void)access, (void)offset_high, (void)offset_low, (void)size;
	absent();
	return NULL;
}

BOOL WINAPI UnmapViewOfFile(LPCVOID address)
{
	(void)address;
	absent();
	return FALSE;
}

HANDLE WINAPI CreateNamedPipeA(LPCSTR name, DWORD mode, DWORD pipe_mode, DWORD instances, DWORD out_size, DWORD in_size, DWORD timeout, LPSECURITY_ATTRIBUTES security)
{
	(void)name, (void)mode, (void)pipe_mode, (void)instances, (void)out_size, (void)in_size, (void)timeout, (void)security;
	absent();
	return INVALID_HANDLE_VALUE;
}

BOOL WINAPI ConnectNamedPipe(HANDLE pipe, LPOVERLAPPED overlapped)
{
	(void)pipe, (void)overlapped;
	absent();
	return FALSE;
}

BOOL WINAPI DisconnectNamedPipe(HANDLE pipe)
{
	(void)pipe;
	absent();
	return FALSE;
}

BOOL WINAPI SetNamedPipeHandleState(HANDLE pipe, LPDWORD mode, LPDWORD count, LPDWORD timeout)
{
	(void)pipe, (void)mode, (void)count, (void)timeout;
	absent();
	return FALSE;
}

/* There is no directory of system libraries. */
UINT WINAPI GetSystemDirectoryA(LPSTR buffer, UINT size)
{
	(void)buffer, (void)size;
	absent();
	return 0;
}

INT_PTR _get_osfhandle(int fd)
{
	return fd;
}

BOOL WINAPI SHGetSpecialFolderPathA(HWND owner, LPSTR path, int folder, BOOL create)
{
	(void)owner, (void)path, (void)folder, (void)create;
	absent();
	return FALSE;
}

LONG WINAPI RegOpenKeyExA(HKEY key, LPCSTR name, DWORD options, REGSAM access, HKEY *result)
{
	(void)key, (void)name, (void)options, (void)access, (void)result;
	return ERROR_CALL_NOT_IMPLEMENTED;
}

LONG WINAPI RegQueryValueExA(HKEY key, LPCSTR name, LPDWORD reserved, LPDWORD type, LPBYTE data, LPDWORD size)
{
	(void)key, (void)name, (void)reserved, (void)type, (void)data, (void)size;
	return ERROR_CALL_NOT_IMPLEMENTED;
}

LONG WINAPI RegCloseKey(HKEY key)
{
	(void)key;
	return ERROR_CALL_NOT_IMPLEMENTED;
}

/* This is no version of Windows. */
DWORD WINAPI GetVersion(void)
{
	return 0;
}

ULONGLONG WINAPI VerSetConditionMask(ULONGLONG mask, DWORD type, BYTE condition)
{
	(void)type, (void)condition;
	return mask;
}

BOOL WINAPI VerifyVersionInfoA(LPOSVERSIONINFOEXA version, DWORD types, DWORDLONG mask)
{
	(void)version, (void)types, (void)mask;
	absent();
	return FALSE;
}

BOOL WINAPI MoveFileExA(LPCSTR from, LPCSTR to, DWORD flags)
{
	if (flags != MOVEFILE_REPLACE_EXISTING) {
		SetLastError(ERROR_INVALID_FLAGS);
		return FALSE;
	}
	if (rename(from, to) == 0)
		return TRUE;
	SetLastError(errno == ENOENT ? ERROR_FILE_NOT_FOUND : ERROR_ACCESS_DENIED);
	return FALSE;
}

#define PAGE 4096

LPVOID WINAPI VirtualAlloc(LPVOID address, SIZE_T size, DWORD type, DWORD protection)
{
	void *memory;

	if (address != NULL || type != (MEM_COMMIT | MEM_RESERVE) || protection != PAGE_READWRITE) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return NULL;
	}
	size = (size + PAGE - 1) / PAGE * PAGE;
	memory = aligned_alloc(PAGE, size);
	if (memory == NULL)
		SetLastError(ERROR_NOT_ENOUGH_MEMORY);
	else
		memset(memory, 0, size);
	return memory;
}

BOOL WINAPI VirtualFree(LPVOID address, SIZE_T size, DWORD type)
{
	if (type == MEM_RELEASE && size == 0) {
		free(address);
		return TRUE;
	}
	if (type == MEM_DECOMMIT && madvise(address, size, MADV_DONTNEED) == 0)
		return TRUE;
	SetLastError(ERROR_INVALID_PARAMETER);
	return FALSE;
}

/* A timer is an event that a thread sets. */
HANDLE WINAPI CreateWaitableTimerA(LPSECURITY_ATTRIBUTES security, BOOL manual, LPCSTR name)
{
	return CreateEventA(security, manual, FALSE, name);
}

struct timer {
	HANDLE event;
	LONGLONG wait;
};

static DWORD WINAPI run_timer(LPVOID p)
{
	struct timer t = *(struct timer *)p;
	struct timespec ts = {t.wait / 10000000, t.wait % 10000000 * 100};

	free(p);
	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
	SetEvent(t.event);
	return 0;
}

BOOL WINAPI SetWaitableTimer(HANDLE timer, const LARGE_INTEGER *due, LONG period, PTIMERAPCROUTINE routine, LPVOID argument, BOOL resume)
{
	struct timer *t;
	HANDLE thread;

	(void)argument;
	if (due->QuadPart > 0 || period != 0 || routine != NULL || resume) {
		absent();
		return FALSE;
	}
	t = malloc(sizeof *t);
	if (t == NULL) {
		SetLastError(ERROR_NOT_ENOUGH_MEMORY);
		return FALSE;
	}
	t->event = timer;
	t->wait = -due->QuadPart;
	thread = CreateThread(NULL, 0, run_timer, t, 0, NULL);
	if (thread == NULL) {
		free(t);
		return FALSE;
	}
	return CloseHandle(thread);
}
