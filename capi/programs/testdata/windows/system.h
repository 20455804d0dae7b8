/*
 * Calls of Windows that are not about sockets and that these programs name, put
 * before their first line. system.c tells which of them work.
 */
#ifndef PROGRAMS_SYSTEM_H
#define PROGRAMS_SYSTEM_H

#include <winsock2.h>

#include <windows.h>

#include <stdarg.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define _TRUNCATE ((size_t)-1)

/* Of Microsoft's C run-time library; count is _TRUNCATE. */
static __inline__ int _snprintf_s(char *buffer, size_t size, size_t count, const char *format, ...)
{
	va_list arguments;
	int n;

	(void)count;
	va_start(arguments, format);
	n = vsnprintf(buffer, size, format, arguments);
	va_end(arguments);
	return n < 0 || (size_t)n >= size ? -1 : n;
}

#define PAGE_READONLY 0x02
#define FILE_MAP_READ 0x0004
#define CREATE_ALWAYS 2
#define OPEN_ALWAYS 4
#define FILE_ATTRIBUTE_NORMAL 0x00000080
#define FILE_FLAG_OVERLAPPED 0x40000000
#define PIPE_ACCESS_DUPLEX 0x00000003
#define PIPE_TYPE_BYTE 0x00000000
#define PIPE_READMODE_BYTE 0x00000000
#define PIPE_WAIT 0x00000000
#define PIPE_REJECT_REMOTE_CLIENTS 0x00000008
#define PIPE_UNLIMITED_INSTANCES 255

HANDLE WINAPI CreateFileA(LPCSTR name, DWORD access, DWORD share, LPSECURITY_ATTRIBUTES security, DWORD disposition, DWORD flags, HANDLE from);
HANDLE WINAPI CreateFileMappingA(HANDLE file, LPSECURITY_ATTRIBUTES security, DWORD protection, DWORD size_high, DWORD size_low, LPCSTR name);
LPVOID WINAPI MapViewOfFile(HANDLE mapping, DWORD access, DWORD offset_high, DWORD offset_low, SIZE_T size);
BOOL WINAPI UnmapViewOfFile(LPCVOID address);
HANDLE WINAPI CreateNamedPipeA(LPCSTR name, DWORD mode, DWORD pipe_mode, DWORD instances, DWORD out_size, DWORD in_size, DWORD timeout, LPSECURITY_ATTRIBUTES security);
BOOL WINAPI ConnectNamedPipe(HANDLE pipe, LPOVERLAPPED overlapped);
BOOL WINAPI DisconnectNamedPipe(HANDLE pipe);
BOOL WINAPI SetNamedPipeHandleState(HANDLE pipe, LPDWORD mode, LPDWORD count, LPDWORD timeout);
UINT WINAPI GetSystemDirectoryA(LPSTR buffer, UINT size);
INT_PTR _get_osfhandle(int fd);
/* Pages of memory: the whole of them at once, readable and writable. */
#define MEM_COMMIT 0x00001000
#define MEM_RESERVE 0x00002000
#define MEM_DECOMMIT 0x00004000
#define MEM_RELEASE 0x00008000
#define PAGE_READWRITE 0x04
LPVOID WINAPI VirtualAlloc(LPVOID address, SIZE_T size, DWORD type, DWORD protection);
BOOL WINAPI VirtualFree(LPVOID address, SIZE_T size, DWORD type);

/* The registry. */
typedef struct HKEY__ *HKEY;
typedef DWORD REGSAM;
#define HKEY_LOCAL_MACHINE ((HKEY)0x80000002)
#define KEY_QUERY_VALUE 0x0001
#define KEY_ENUMERATE_SUB_KEYS 0x0008
#define KEY_READ 0x20019
#define REG_SZ 1
LONG WINAPI RegOpenKeyExA(HKEY key, LPCSTR name, DWORD options, REGSAM access, HKEY *result);
LONG WINAPI RegQueryValueExA(HKEY key, LPCSTR name, LPDWORD reserved, LPDWORD type, LPBYTE data, LPDWORD size);
LONG WINAPI RegCloseKey(HKEY key);
#define RegOpenKeyEx RegOpenKeyExA
#define RegQueryValueEx RegQueryValueExA

/* Timers to wait for: one time, after a time from now in units of -100 ns. */
typedef VOID (CALLBACK *PTIMERAPCROUTINE)(LPVOID argument, DWORD low, DWORD high);
HANDLE WINAPI CreateWaitableTimerA(LPSECURITY_ATTRIBUTES security, BOOL manual, LPCSTR name);
BOOL WINAPI SetWaitableTimer(HANDLE timer, const LARGE_INTEGER *due, LONG period, PTIMERAPCROUTINE routine, LPVOID argument, BOOL resume);
#define CreateWaitableTimer CreateWaitableTimerA

/* The version of Windows. */
DWORD WINAPI GetVersion(void);
typedef struct {
	DWORD dwOSVersionInfoSize;
	DWORD dwMajorVersion;
	DWORD dwMinorVersion;
	DWORD dwBuildNumber;
	DWORD dwPlatformId;
	CHAR szCSDVersion[128];
	WORD wServicePackMajor;
	WORD wServicePackMinor;
	WORD wSuiteMask;
	BYTE wProductType;
	BYTE wReserved;
} OSVERSIONINFOEXA, *LPOSVERSIONINFOEXA;
#define VER_MINORVERSION 0x0000001
#define VER_MAJORVERSION 0x0000002
#define VER_BUILDNUMBER 0x0000004
#define VER_PLATFORMID 0x0000008
#define VER_SERVICEPACKMINOR 0x0000010
#define VER_SERVICEPACKMAJOR 0x0000020
#define VER_EQUAL 1
#define VER_GREATER 2
#define VER_GREATER_EQUAL 3
#define VER_LESS 4
#define VER_LESS_EQUAL 5
#define VER_PLATFORM_WIN32_WINDOWS 1
#define VER_PLATFORM_WIN32_NT 2
#define VER_SET_CONDITION(mask, type, condition) ((mask) = VerSetConditionMask(mask, type, condition))
ULONGLONG WINAPI VerSetConditionMask(ULONGLONG mask, DWORD type, BYTE condition);
BOOL WINAPI VerifyVersionInfoA(LPOSVERSIONINFOEXA version, DWORD types, DWORDLONG mask);
typedef OSVERSIONINFOEXA OSVERSIONINFOEX;
#define VerifyVersionInfo VerifyVersionInfoA
typedef OSVERSIONINFOEXA OSVERSIONINFOEXW, *LPOSVERSIONINFOEXW;
#define VerifyVersionInfoW VerifyVersionInfoA

/* Of Microsoft's C run-time library: the texts of errno, of which it is told that there are none. */
#define sys_nerr 0
extern const char *const sys_errlist[1];

#define MOVEFILE_REPLACE_EXISTING 0x00000001
BOOL WINAPI MoveFileExA(LPCSTR from, LPCSTR to, DWORD flags);
#define MoveFileEx MoveFileExA

#define CreateFile CreateFileA
#define CreateFileMapping CreateFileMappingA
#define CreateNamedPipe CreateNamedPipeA
#define GetSystemDirectory GetSystemDirectoryA

#ifdef __cplusplus
}
#endif

#endif
