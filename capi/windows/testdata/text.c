/* Strings, code pages, the environment, messages and GUIDs. */
#include <objbase.h>
#include <rpc.h>

#include "check.h"

static void strings(void)
{
	char a[8];
	WCHAR w[8];

	EQUAL(lstrlenA(NULL), 0);
	EQUAL(lstrlenW(u"abc"), 3);
	EQUAL(lstrcmpA("a", "b"), -1);
	EQUAL(lstrcmpiA("ABC", "abc"), 0);
	EQUAL(lstrcmpW(u"b", u"a"), 1);
	EQUAL(lstrcmpiW(u"ABC", u"abc"), 0);
	EQUAL(lstrcmpiW(NULL, u"a"), -1);
	CHECK(strcmp(lstrcpynA(a, "abcdefghij", 8), "abcdefg") == 0);
	CHECK(strcmp(lstrcatA(lstrcpyA(a, "ab"), "cd"), "abcd") == 0);
	EQUAL(lstrcmpW(lstrcpynW(w, u"abcdefghij", 4), u"abc"), 0);
	EQUAL(lstrcmpW(lstrcatW(lstrcpyW(w, u"ab"), u"cd"), u"abcd"), 0);
	CHECK(lstrcpyA(NULL, "a") == NULL && lstrcpynA(a, "a", 0) == NULL);
}

static void code_pages(void)
{
	WCHAR w[16];
	char a[16];
	BOOL used;
	static const struct {
		const char *from;
		int length;
		WCHAR to[6];
	} bad[] = {
		{"\xff", 1, {0xFFFD}},
		{"\xc3", 1, {0xFFFD}},
		{"\xc0\x80", 2, {0xFFFD, 0xFFFD}},
		{"\xe2\x82x", 3, {0xFFFD, u'x'}},
		{"\xed\xa0\x80", 3, {0xFFFD, 0xFFFD, 0xFFFD}},
		{"\xe0\x80\x80", 3, {0xFFFD, 0xFFFD, 0xFFFD}},
		{"\xf4\x90\x80\x80", 4, {0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD}},
		{"\xf0\x9f\x98", 3, {0xFFFD}},
	};

	/* A character of each length: 1 + 1 + 1 + 2 units and the NUL. */
	EQUAL(MultiByteToWideChar(CP_UTF8, 0, "a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80", -1, NULL, 0), 6);
	EQUAL(MultiByteToWideChar(CP_ACP, MB_ERR_INVALID_CHARS, "a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80", -1, w, 6), 6);
	EQUAL(lstrcmpW(w, u"a\u00fc\u20ac\U0001F600"), 0);
	EQUAL(WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, w, 5, NULL, 0, NULL, NULL), 10);
	EQUAL(WideCharToMultiByte(CP_ACP, 0, w, -1, a, sizeof a, NULL, &used), 11);
	CHECK(!used && strcmp(a, "a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80") == 0);
	/* The last code points of each length, the first and the last ones around surrogates. */
	for (uint32_t c = 1; c <= 0x10FFFF; c += c < 0x3000 || (c > 0xD000 && c < 0xE100) || c > 0x10FF00 ? 1 : 97) {
		WCHAR units[2] = {(WCHAR)c}, back[2];
		int n = 1, bytes;

		if (c >= 0xD800 && c <= 0xDFFF)
			continue;
		if (c >= 0x10000) {
			units[0] = (WCHAR)(0xD7C0 + (c >> 10));
			units[1] = (WCHAR)(0xDC00 + (c & 0x3FF));
			n = 2;
		}
		bytes = WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, units, n, a, sizeof a, NULL, NULL);
		EQUAL(bytes, c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4);
		EQUAL(MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, a, bytes, back, 2), n);
		CHECK(memcmp(units, back, n * sizeof *back) == 0);
	}
	for (size_t i = 0; i < ARRAYSIZE(bad); i++) {
		int n = lstrlenW(bad[i].to);

		FAILS(MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, bad[i].from, bad[i].length, w, 16), ERROR_NO_UNICODE_TRANSLATION);
		EQUAL(MultiByteToWideChar(CP_UTF8, 0, bad[i].from, bad[i].length, w, 16), n);
		CHECK(memcmp(w, bad[i].to, n * sizeof *w) == 0);
	}
	w[0] = 0xD800;
	w[1] = 'x';
	FAILS(WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, w, 2, a, sizeof a, NULL, NULL), ERROR_NO_UNICODE_TRANSLATION);
	EQUAL(WideCharToMultiByte(CP_UTF8, 0, w, 2, a, sizeof a, NULL, NULL), 4);
	EQUAL(WideCharToMultiByte(CP_ACP, 0, w, 2, a, sizeof a, "?", &used), 2);
	CHECK(used && memcmp(a, "?x", 2) == 0);

	FAILS(MultiByteToWideChar(1252, 0, "a", 1, w, 1), ERROR_INVALID_PARAMETER);
	FAILS(MultiByteToWideChar(CP_UTF8, 0x100, "a", 1, w, 1), ERROR_INVALID_FLAGS);
	FAILS(MultiByteToWideChar(CP_UTF8, 0, "abc", 3, w, 2), ERROR_INSUFFICIENT_BUFFER);
	FAILS(MultiByteToWideChar(CP_UTF8, 0, "abc", 0, w, 2), ERROR_INVALID_PARAMETER);
	FAILS(MultiByteToWideChar(CP_UTF8, 0, NULL, 3, w, 2), ERROR_INVALID_PARAMETER);
	FAILS(WideCharToMultiByte(CP_UTF8, 0, u"\u20ac", 1, a, 2, NULL, NULL), ERROR_INSUFFICIENT_BUFFER);
	FAILS(WideCharToMultiByte(CP_UTF8, 0, u"a", 1, a, 2, "?", NULL), ERROR_INVALID_PARAMETER);
}

static void environment(void)
{
	char a[64];
	WCHAR w[64];

	CHECK(SetEnvironmentVariableA("UPCALL_T", "va\xc3\xbcue"));
	EQUAL(ExpandEnvironmentStringsA("<%UPCALL_T%|%UPCALL_NONE%|%|100%>", a, sizeof a), 30);
	CHECK(strcmp(a, "<va\xc3\xbcue|%UPCALL_NONE%|%|100%>") == 0);
	EQUAL(ExpandEnvironmentStringsA("%UPCALL_T%", NULL, 0), 7);
	EQUAL(ExpandEnvironmentStringsA("%UPCALL_T%", a, 6), 7);
	EQUAL(ExpandEnvironmentStringsW(u"%UPCALL_T%.dll", w, 64), 10);
	EQUAL(lstrcmpW(w, u"va\u00fcue.dll"), 0);
	EQUAL(ExpandEnvironmentStringsW(u"", w, 64), 1);
	EQUAL(GetEnvironmentVariableA("UPCALL_T", a, 6), 7);
	EQUAL(GetEnvironmentVariableA("UPCALL_T", a, 7), 6);
	EQUAL(GetEnvironmentVariableW(u"UPCALL_T", w, 5), 6);
	EQUAL(GetEnvironmentVariableW(u"UPCALL_T", w, 6), 5);
	CHECK(SetEnvironmentVariableW(u"UPCALL_T", NULL));
	FAILS(GetEnvironmentVariableA("UPCALL_T", a, 7), ERROR_ENVVAR_NOT_FOUND);
	FAILS(SetEnvironmentVariableA("a=b", "c"), ERROR_INVALID_PARAMETER);
}

static void messages(void)
{
	char a[128];
	WCHAR w[128];
	LPSTR made = NULL;
	DWORD n = FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, WSAECONNREFUSED, 0, a, sizeof a, NULL);

	CHECK(n > 10 && strlen(a) == n && strcmp(a + n - 3, ".\r\n") == 0 && a[0] >= 'A' && a[0] <= 'Z');
	EQUAL(FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM, NULL, WSAECONNREFUSED, 0, w, 128, NULL), n);
	for (DWORD i = 0; i <= n; i++)
		EQUAL(w[i], a[i]);
	EQUAL(FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_ALLOCATE_BUFFER, NULL, WSAECONNREFUSED, 0, (LPSTR)&made, 0, NULL), n);
	CHECK(strcmp(made, a) == 0 && LocalFree(made) == NULL);
	EQUAL(FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_MAX_WIDTH_MASK, NULL, WSAECONNREFUSED, 0, a, sizeof a, NULL), n - 2);
	CHECK(FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM, NULL, ERROR_INSUFFICIENT_BUFFER, 0, a, sizeof a, NULL));
	FAILS(FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM, NULL, WSAECONNREFUSED, 0, a, 5, NULL), ERROR_INSUFFICIENT_BUFFER);
	FAILS(FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM, NULL, 0x7654321, 0, a, sizeof a, NULL), ERROR_MR_MID_NOT_FOUND);
	FAILS(FormatMessageA(FORMAT_MESSAGE_FROM_STRING, "x", 0, 0, a, sizeof a, NULL), ERROR_NOT_SUPPORTED);
}

static void guids(void)
{
	GUID g = {0x12345678, 0x9abc, 0xdef0, {1, 2, 3, 4, 5, 6, 7, 0xff}}, h;
	WCHAR w[39];

	EQUAL(StringFromGUID2(&g, w, 38), 0);
	EQUAL(StringFromGUID2(&g, w, 39), 39);
	EQUAL(lstrcmpW(w, u"{12345678-9ABC-DEF0-0102-0304050607FF}"), 0);
	EQUAL(UuidCreate(&g), RPC_S_OK);
	EQUAL(UuidCreate(&h), RPC_S_OK);
	CHECK(memcmp(&g, &h, sizeof g) && (g.Data3 >> 12) == 4 && (g.Data4[0] >> 6) == 2);
}

int main(void)
{
	HANDLE out = GetStdHandle(STD_OUTPUT_HANDLE);
	DWORD n;

	strings();
	code_pages();
	environment();
	messages();
	guids();
	OutputDebugStringA("debug A\n");
	OutputDebugStringW(u"debug \u00fc\n");
	CHECK(WriteFile(out, "out\n", 4, &n, NULL) && n == 4);
	FAILS(CloseHandle(out), ERROR_INVALID_HANDLE);
	EQUAL(GetStdHandle(1), (LONG_PTR)INVALID_HANDLE_VALUE);
	return 0;
}
