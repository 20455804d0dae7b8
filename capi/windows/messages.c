#include <stdlib.h>
#include <string.h>

#include "_cgo_export.h"
#include "calls.h"

#define LONGEST 256

/* Writes the text of a code, UTF-8, and returns its length; 0 if there is none. */
static int text_of(DWORD flags, DWORD code, char *text)
{
	int n;

	if (!(flags & FORMAT_MESSAGE_FROM_SYSTEM)) {
		upcall_thread.error = ERROR_NOT_SUPPORTED;
		return 0;
	}
	ALIVE(0);
	n = goMessage(code, text, LONGEST - 4);
	FAIL_IF(n ? 0 : ERROR_MR_MID_NOT_FOUND, 0);
	text[n++] = '.';
	if (!(flags & FORMAT_MESSAGE_MAX_WIDTH_MASK)) {
		text[n++] = '\r';
		text[n++] = '\n';
	}
	text[n] = 0;
	return n;
}

/* Where a message of n units of size bytes, the NUL counted, goes: buffer, or new memory whose address buffer gets. */
static void *place_for(DWORD flags, void *buffer, DWORD room, DWORD n, size_t size)
{
	void *p;

	FAIL_IF(buffer ? 0 : ERROR_INVALID_PARAMETER, NULL);
	if (!(flags & FORMAT_MESSAGE_ALLOCATE_BUFFER)) {
		FAIL_IF(n <= room ? 0 : ERROR_INSUFFICIENT_BUFFER, NULL);
		return buffer;
	}
	p = LocalAlloc(LMEM_FIXED, (room > n ? room : n) * size);
	memcpy(buffer, &p, sizeof p);
	return p;
}

DWORD WINAPI FormatMessageA(DWORD flags, LPCVOID source, DWORD code, DWORD language, LPSTR buffer, DWORD room, va_list *arguments)
{
	char text[LONGEST];
	int n = text_of(flags, code, text);
	char *to = n ? place_for(flags, buffer, room, n + 1, 1) : NULL;

	if (!to)
		return 0;
	memcpy(to, text, n + 1);
	return n;
}

DWORD WINAPI FormatMessageW(DWORD flags, LPCVOID source, DWORD code, DWORD language, LPWSTR buffer, DWORD room, va_list *arguments)
{
	char text[LONGEST];
	WCHAR wide[LONGEST];
	int n = text_of(flags, code, text);
	WCHAR *to;

	if (!n)
		return 0;
	n = MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, LONGEST);
	to = place_for(flags, buffer, room, n, sizeof *wide);
	if (!to)
		return 0;
	memcpy(to, wide, n * sizeof *wide);
	return n - 1;
}
