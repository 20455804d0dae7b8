#include <string.h>
#include <strings.h>

#include "calls.h"

int WINAPI lstrlenA(LPCSTR s)
{
	return s ? (int)strlen(s) : 0;
}

int WINAPI lstrlenW(LPCWSTR s)
{
	int n = 0;

	while (s && s[n])
		n++;
	return n;
}

static int sign(int d)
{
	return (d > 0) - (d < 0);
}

int WINAPI lstrcmpA(LPCSTR a, LPCSTR b)
{
	if (!a || !b)
		return !b - !a;
	return sign(strcmp(a, b));
}

int WINAPI lstrcmpiA(LPCSTR a, LPCSTR b)
{
	if (!a || !b)
		return !b - !a;
	return sign(strcasecmp(a, b));
}

/* Capital letters of ASCII as small ones. */
static WCHAR lower(WCHAR c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

static WCHAR same(WCHAR c)
{
	return c;
}

static int compare(LPCWSTR a, LPCWSTR b, WCHAR (*as)(WCHAR))
{
	if (!a || !b)
		return !b - !a;
	while (*a && as(*a) == as(*b)) {
		a++;
		b++;
	}
	return sign((int)as(*a) - (int)as(*b));
}

int WINAPI lstrcmpW(LPCWSTR a, LPCWSTR b)
{
	return compare(a, b, same);
}

int WINAPI lstrcmpiW(LPCWSTR a, LPCWSTR b)
{
	return compare(a, b, lower);
}

LPSTR WINAPI lstrcpyA(LPSTR to, LPCSTR from)
{
	return to && from ? strcpy(to, from) : NULL;
}

LPWSTR WINAPI lstrcpyW(LPWSTR to, LPCWSTR from)
{
	if (!to || !from)
		return NULL;
	return memcpy(to, from, (lstrlenW(from) + 1) * sizeof *to);
}

/* At most room - 1 of from, and always a NUL. */
LPSTR WINAPI lstrcpynA(LPSTR to, LPCSTR from, int room)
{
	size_t n;

	if (!to || !from || room <= 0)
		return NULL;
	n = strnlen(from, room - 1);
	memcpy(to, from, n);
	to[n] = 0;
	return to;
}

LPWSTR WINAPI lstrcpynW(LPWSTR to, LPCWSTR from, int room)
{
	int n = 0;

	if (!to || !from || room <= 0)
		return NULL;
	for (; n < room - 1 && from[n]; n++)
		to[n] = from[n];
	to[n] = 0;
	return to;
}

LPSTR WINAPI lstrcatA(LPSTR to, LPCSTR from)
{
	return to && from ? strcat(to, from) : NULL;
}

LPWSTR WINAPI lstrcatW(LPWSTR to, LPCWSTR from)
{
	if (!to || !from)
		return NULL;
	lstrcpyW(to + lstrlenW(to), from);
	return to;
}
