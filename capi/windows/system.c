#include <string.h>
#include <unistd.h>

#include "calls.h"

VOID WINAPI GetSystemInfo(LPSYSTEM_INFO info)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	memset(info, 0, sizeof *info);
#if defined __x86_64__
	info->wProcessorArchitecture = PROCESSOR_ARCHITECTURE_AMD64;
	info->dwProcessorType = 8664; /* PROCESSOR_AMD_X8664 */
#elif defined __aarch64__
	info->wProcessorArchitecture = PROCESSOR_ARCHITECTURE_ARM64;
#else
	info->wProcessorArchitecture = PROCESSOR_ARCHITECTURE_UNKNOWN;
#endif
	info->dwPageSize = (DWORD)sysconf(_SC_PAGESIZE);
	info->lpMinimumApplicationAddress = (LPVOID)0x10000;
	info->lpMaximumApplicationAddress = (LPVOID)0x7FFFFFFEFFFF;
	info->dwNumberOfProcessors = n < 1 ? 1 : (DWORD)n;
	info->dwActiveProcessorMask = n >= 64 ? ~(DWORD_PTR)0 : ((DWORD_PTR)1 << info->dwNumberOfProcessors) - 1;
	info->dwAllocationGranularity = info->dwPageSize; /* mmap's */
}

/* To standard error, where there is no debugger to listen. */
VOID WINAPI OutputDebugStringA(LPCSTR text)
{
	size_t n = text ? strlen(text) : 0;

	while (n) {
		ssize_t put = write(STDERR_FILENO, text, n);

		if (put <= 0)
			return;
		text += put;
		n -= put;
	}
}

VOID WINAPI OutputDebugStringW(LPCWSTR text)
{
	char part[512];

	while (text && *text) {
		int units = lstrlenW(text), n;

		if (units > 128)
			units = 128 - ((text[127] & 0xFC00) == 0xD800); /* no pair apart */
		n = WideCharToMultiByte(CP_UTF8, 0, text, units, part, sizeof part - 1, NULL, NULL);
		part[n] = 0;
		OutputDebugStringA(part);
		text += units;
	}
}
