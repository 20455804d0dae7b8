/* Modules. The argument is a shared object with a function answer() that returns 42. */
#include <winsock2.h>
#include <ws2spi.h>

#include "check.h"

typedef SOCKET (WSAAPI *socket_function)(int, int, int);
typedef int (*answer_function)(void);

int main(int n, char **args)
{
	static const char *const names[] = {"ws2_32.dll", "WS2_32", "kernel32", "C:\\Windows\\mswsock.dll", "libws2_32.so.0"};
	HMODULE own = GetModuleHandleA("kernel32.dll"), m;
	WCHAR wide[512];
	char path[512];

	CHECK(own && n == 2);
	for (size_t i = 0; i < ARRAYSIZE(names); i++)
		CHECK(LoadLibraryA(names[i]) == own);
	CHECK(GetModuleHandleW(u"user32.dll") == own);
	CHECK((socket_function)GetProcAddress(own, "socket") == socket);
	CHECK(GetProcAddress(own, "WSAStartup") == (FARPROC)WSAStartup);
	CHECK(GetProcAddress(own, "CreateThread") == (FARPROC)CreateThread);
	FAILS((ULONG_PTR)GetProcAddress(own, "malloc"), ERROR_PROC_NOT_FOUND);
	FAILS((ULONG_PTR)GetProcAddress(own, "NoSuchFunction"), ERROR_PROC_NOT_FOUND);
	FAILS((ULONG_PTR)GetProcAddress(own, (LPCSTR)115), ERROR_PROC_NOT_FOUND);
	CHECK(FreeLibrary(own));
	CHECK(GetModuleFileNameA(own, path, sizeof path) && strstr(path, "libws2_32.so"));

	CHECK(GetModuleHandleA(NULL) && GetModuleHandleA(NULL) != own);
	CHECK(GetModuleFileNameA(NULL, path, sizeof path) == strlen(path) && strstr(path, "libraries"));
	EQUAL(GetModuleFileNameW(NULL, wide, 512), strlen(path));
	EQUAL(GetModuleFileNameA(NULL, path, 3), 3);
	EQUAL(GetLastError(), ERROR_INSUFFICIENT_BUFFER);

	FAILS((ULONG_PTR)LoadLibraryA("/no/such/library.so"), ERROR_MOD_NOT_FOUND);
	FAILS((ULONG_PTR)GetModuleHandleA(args[1]), ERROR_MOD_NOT_FOUND);
	FAILS((ULONG_PTR)LoadLibraryExA(args[1], NULL, 2), ERROR_NOT_SUPPORTED);
	MultiByteToWideChar(CP_UTF8, 0, args[1], -1, wide, 512);
	m = LoadLibraryW(wide);
	CHECK(m && LoadLibraryExA(args[1], NULL, LOAD_LIBRARY_SEARCH_SYSTEM32) == m && GetModuleHandleA(args[1]) == m);
	EQUAL(((answer_function)GetProcAddress(m, "answer"))(), 42);
	FAILS((ULONG_PTR)GetProcAddress(m, "question"), ERROR_PROC_NOT_FOUND);
	CHECK(GetModuleFileNameA(m, path, sizeof path) && strcmp(path, args[1]) == 0);
	CHECK(FreeLibrary(m));
	CHECK(GetProcAddress(m, "answer"));
	CHECK(FreeLibrary(m));
	FAILS(FreeLibrary(m), ERROR_INVALID_HANDLE);
	FAILS((ULONG_PTR)GetModuleHandleA(args[1]), ERROR_MOD_NOT_FOUND);

	m = LoadLibraryA("go:kernel"); /* a provider written in Go */
	CHECK(m && GetProcAddress(m, "WSPStartup"));
	FAILS((ULONG_PTR)GetProcAddress(m, "WSPSocket"), ERROR_PROC_NOT_FOUND);
	CHECK(FreeLibrary(m));
	FAILS((ULONG_PTR)LoadLibraryA("go:no-such-provider"), ERROR_MOD_NOT_FOUND);
	return 0;
}
