#include <limits.h>
#include <string.h>

#include "calls.h"

/*
 * Every code page that a program of this system may mean, the system's own
 * included, is UTF-8. What is not valid becomes U+FFFD, one for each longest
 * start of a valid sequence, or else for each byte, or an error if the program
 * asks for that.
 */
#define REPLACEMENT 0xFFFD

static DWORD check_page(UINT page)
{
	switch (page) {
	case CP_ACP: case CP_OEMCP: case CP_THREAD_ACP: case CP_UTF8:
		return 0;
	}
	return ERROR_INVALID_PARAMETER;
}

/* Where the output goes, or how much it would be if room is 0. */
struct output {
	int room, used;
	BOOL full;
};

/* Takes a character at p, which has n > 0 bytes, and returns how many bytes it has; *c is REPLACEMENT and *bad TRUE if it is not valid. */
static int take(const unsigned char *p, int n, uint32_t *c, BOOL *bad)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	int length = *p < 0x80 ? 1 : *p < 0xC2 ? 0 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : *p < 0xF5 ? 4 : 0;
	uint32_t v;

	if (length == 1) {
		*c = *p;
		return 1;
	}
	v = length ? *p & (0x7F >> length) : 0;
	for (int i = 1; i < length; i++) {
		BOOL follows = i < n && (p[i] & 0xC0) == 0x80;

		/* The second byte decides about overlong forms, surrogates and the end. */
		if (follows && i == 1) {
			uint32_t least = (v << 6 | (p[1] & 0x3F)) << (6 * (length - 2));

			follows = least + (1u << (6 * (length - 2))) > smallest[length] && least <= 0x10FFFF && (least < 0xD800 || least > 0xDFFF);
		}
		if (!follows) {
			*c = REPLACEMENT;
			*bad = TRUE;
			return i;
		}
		v = v << 6 | (p[i] & 0x3F);
	}
	if (length == 0) {
		*c = REPLACEMENT;
		*bad = TRUE;
		return 1;
	}
	*c = v;
	return length;
}

static void put_wide(struct output *o, LPWSTR to, WCHAR unit)
{
	if (o->room) {
		if (o->used >= o->room) {
			o->full = TRUE;
			return;
		}
		to[o->used] = unit;
	}
	o->used++;
}

int WINAPI MultiByteToWideChar(UINT page, DWORD flags, LPCCH from, int length, LPWSTR to, int room)
{
	struct output o = {.room = room};
	BOOL bad = FALSE;

	FAIL_IF(check_page(page), 0);
	FAIL_IF(flags & ~(MB_ERR_INVALID_CHARS | MB_PRECOMPOSED) ? ERROR_INVALID_FLAGS : 0, 0);
	FAIL_IF(!from || length == 0 || length < -1 || room < 0 || (room && !to) || (const void *)from == (const void *)to ? ERROR_INVALID_PARAMETER : 0, 0);
	if (length == -1) {
		size_t n = strlen(from) + 1;

		FAIL_IF(n > INT_MAX ? ERROR_INVALID_PARAMETER : 0, 0);
		length = (int)n;
	}
	for (int i = 0; i < length && !o.full;) {
		uint32_t c;

		i += take((const unsigned char *)from + i, length - i, &c, &bad);
		FAIL_IF(bad && (flags & MB_ERR_INVALID_CHARS) ? ERROR_NO_UNICODE_TRANSLATION : 0, 0);
		if (c >= 0x10000) {
			put_wide(&o, to, (WCHAR)(0xD800 + ((c - 0x10000) >> 10)));
			c = 0xDC00 + ((c - 0x10000) & 0x3FF);
		}
		put_wide(&o, to, (WCHAR)c);
	}
	FAIL_IF(o.full ? ERROR_INSUFFICIENT_BUFFER : 0, 0);
	return o.used;
}

static void put(struct output *o, LPSTR to, uint32_t c)
{
	int length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};

	if (o->used > INT_MAX - length || (o->room && o->used > o->room - length)) {
		o->full = TRUE;
		return;
	}
	if (o->room) {
		for (int i = length - 1; i > 0; i--, c >>= 6)
			to[o->used + i] = (char)(0x80 | (c & 0x3F));
		to[o->used] = (char)(lead[length] | c);
	}
	o->used += length;
}

int WINAPI WideCharToMultiByte(UINT page, DWORD flags, LPCWCH from, int length, LPSTR to, int room, LPCCH default_char, LPBOOL used_default)
{
	struct output o = {.room = room};

	FAIL_IF(check_page(page), 0);
	FAIL_IF(flags & ~(WC_ERR_INVALID_CHARS | WC_NO_BEST_FIT_CHARS | WC_COMPOSITECHECK | WC_DEFAULTCHAR) ? ERROR_INVALID_FLAGS : 0, 0);
	FAIL_IF(!from || length == 0 || length < -1 || room < 0 || (room && !to) || (const void *)from == (const void *)to ? ERROR_INVALID_PARAMETER : 0, 0);
	/* As on Windows for UTF-8, which has every character. */
	FAIL_IF(page == CP_UTF8 && (default_char || used_default) ? ERROR_INVALID_PARAMETER : 0, 0);
	if (used_default)
		*used_default = FALSE;
	if (length == -1)
		length = lstrlenW(from) + 1;
	for (int i = 0; i < length && !o.full; i++) {
		uint32_t c = from[i];

		if ((c & 0xFC00) == 0xD800 && i + 1 < length && (from[i + 1] & 0xFC00) == 0xDC00) {
			c = 0x10000 + ((c & 0x3FF) << 10) + (from[++i] & 0x3FF);
		} else if ((c & 0xF800) == 0xD800) {
			FAIL_IF(flags & WC_ERR_INVALID_CHARS ? ERROR_NO_UNICODE_TRANSLATION : 0, 0);
			if (used_default)
				*used_default = TRUE;
			c = default_char ? (unsigned char)*default_char : REPLACEMENT;
		}
		put(&o, to, c);
	}
	FAIL_IF(o.full ? ERROR_INSUFFICIENT_BUFFER : 0, 0);
	return o.used;
}
