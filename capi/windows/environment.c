#include <stdlib.h>
#include <string.h>

#include "calls.h"

/* Text that grows. */
struct text {
	char *bytes;
	size_t n, room;
	BOOL failed;
};

static void add(struct text *t, const char *bytes, size_t n)
{
	if (t->failed)
		return;
	if (t->n + n + 1 > t->room) {
		size_t room = (t->n + n + 1) * 2;
		char *more = realloc(t->bytes, room);

		if (!more) {
			t->failed = TRUE;
			return;
		}
		t->bytes = more;
		t->room = room;
	}
	memcpy(t->bytes + t->n, bytes, n);
	t->n += n;
	t->bytes[t->n] = 0;
}

/* The value of the variable whose name has n bytes, NULL if there is none. */
static const char *value_of(const char *name, size_t n)
{
	char *copy = strndup(name, n);
	const char *value = copy ? getenv(copy) : NULL;

	free(copy);
	return value;
}

/* Replaces each %NAME% by NAME's value; one that does not exist stays as it is. */
static struct text expand(const char *from)
{
	struct text t = {0};

	add(&t, "", 0);
	while (*from) {
		const char *end = *from == '%' ? strchr(from + 1, '%') : NULL;
		const char *value = end ? value_of(from + 1, end - from - 1) : NULL;

		if (value) {
			add(&t, value, strlen(value));
			from = end + 1;
		} else {
			size_t n = 1 + strcspn(from + 1, "%");

			add(&t, from, n);
			from += n;
		}
	}
	return t;
}

/* The result counts the NUL; it is the room needed if there is not enough. */
DWORD WINAPI ExpandEnvironmentStringsA(LPCSTR from, LPSTR to, DWORD room)
{
	struct text t;
	DWORD n;

	FAIL_IF(from ? 0 : ERROR_INVALID_PARAMETER, 0);
	t = expand(from);
	FAIL_IF(t.failed ? ERROR_NOT_ENOUGH_MEMORY : 0, 0);
	n = (DWORD)t.n + 1;
	if (to && n <= room)
		memcpy(to, t.bytes, n);
	else if (to && room)
		*to = 0;
	free(t.bytes);
	return n;
}

/* The UTF-8 of text, in memory of malloc's. */
static char *narrow(LPCWSTR text)
{
	int n = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
	char *bytes = malloc(n);

	if (bytes)
		WideCharToMultiByte(CP_UTF8, 0, text, -1, bytes, n, NULL, NULL);
	return bytes;
}

DWORD WINAPI ExpandEnvironmentStringsW(LPCWSTR from, LPWSTR to, DWORD room)
{
	struct text t = {0};
	char *bytes;
	DWORD n;

	FAIL_IF(from ? 0 : ERROR_INVALID_PARAMETER, 0);
	bytes = narrow(from);
	FAIL_IF(bytes ? 0 : ERROR_NOT_ENOUGH_MEMORY, 0);
	t = expand(bytes);
	free(bytes);
	FAIL_IF(t.failed ? ERROR_NOT_ENOUGH_MEMORY : 0, 0);
	n = MultiByteToWideChar(CP_UTF8, 0, t.bytes, -1, NULL, 0);
	if (to && n <= room)
		MultiByteToWideChar(CP_UTF8, 0, t.bytes, -1, to, n);
	else if (to && room)
		*to = 0;
	free(t.bytes);
	return n;
}

/* The length without the NUL, or the room needed, with it, if there is not enough. */
DWORD WINAPI GetEnvironmentVariableA(LPCSTR name, LPSTR to, DWORD room)
{
	const char *value = name ? getenv(name) : NULL;
	size_t n;

	FAIL_IF(value ? 0 : ERROR_ENVVAR_NOT_FOUND, 0);
	n = strlen(value);
	if (!to || n + 1 > room)
		return (DWORD)n + 1;
	memcpy(to, value, n + 1);
	return (DWORD)n;
}

DWORD WINAPI GetEnvironmentVariableW(LPCWSTR name, LPWSTR to, DWORD room)
{
	char *bytes = name ? narrow(name) : NULL;
	const char *value = bytes ? getenv(bytes) : NULL;
	DWORD n;

	free(bytes);
	FAIL_IF(value ? 0 : ERROR_ENVVAR_NOT_FOUND, 0);
	n = MultiByteToWideChar(CP_UTF8, 0, value, -1, NULL, 0);
	if (!to || n > room)
		return n;
	MultiByteToWideChar(CP_UTF8, 0, value, -1, to, n);
	return n - 1;
}

static DWORD set(const char *name, const char *value)
{
	if (!name || !*name || strchr(name, '='))
		return ERROR_INVALID_PARAMETER;
	if (value ? setenv(name, value, 1) : unsetenv(name))
		return ERROR_NOT_ENOUGH_MEMORY;
	return 0;
}

BOOL WINAPI SetEnvironmentVariableA(LPCSTR name, LPCSTR value)
{
	FAIL_IF(set(name, value), FALSE);
	return TRUE;
}

BOOL WINAPI SetEnvironmentVariableW(LPCWSTR name, LPCWSTR value)
{
	char *n = name ? narrow(name) : NULL, *v = value ? narrow(value) : NULL;
	DWORD e = (name && !n) || (value && !v) ? ERROR_NOT_ENOUGH_MEMORY : set(n, v);

	free(n);
	free(v);
	FAIL_IF(e, FALSE);
	return TRUE;
}
