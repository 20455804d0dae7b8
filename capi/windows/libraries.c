#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "../provider/provider.h"
#include "calls.h"

/*
 * Modules are capi/provider's, but for two: the libraries of Windows whose
 * functions this library has, which are all itself, and the program.
 */
static char own_module, program_module;
#define OWN ((HMODULE)(void *)&own_module)
#define PROGRAM ((HMODULE)(void *)&program_module)

/* Every LOAD_LIBRARY_SEARCH_ flag. */
#define SEARCH_FLAGS 0x1F00

/* Whether path names a library of Windows whose functions are here. */
static BOOL names_own(const char *path)
{
	static const char *const names[] = {"ws2_32", "mswsock", "wsock32", "kernel32", "user32", "ole32", "rpcrt4", "libws2_32"};
	static const char *const endings[] = {"", ".dll", ".so", ".so.0"};
	const char *name = path;
	char whole[32];

	for (const char *p = path; *p; p++)
		if (*p == '/' || *p == '\\')
			name = p + 1;
	for (size_t i = 0; i < ARRAYSIZE(names); i++)
		for (size_t j = 0; j < ARRAYSIZE(endings); j++) {
			snprintf(whole, sizeof whole, "%s%s", names[i], endings[j]);
			if (strcasecmp(name, whole) == 0)
				return TRUE;
		}
	return FALSE;
}

/* What dlopen has of this library, the program if it is linked into that. */
static void *own_object(Dl_info *info)
{
	void *object;

	if (!dladdr((void *)LoadLibraryA, info))
		return NULL;
	object = dlopen(info->dli_fname, RTLD_LAZY | RTLD_NOLOAD);
	if (!object)
		object = dlopen(NULL, RTLD_LAZY);
	if (object)
		dlclose(object); /* it stays, this library being part of it */
	return object;
}

/* A function of this library's own, not of one that it needs. */
static void *own_symbol(const char *name)
{
	Dl_info own, its;
	void *object = own_object(&own), *symbol;
	char prefixed[128];

	if (!object)
		return NULL;
	/* What libc has, too, is upcall_NAME here. */
	if (snprintf(prefixed, sizeof prefixed, "upcall_%s", name) < (int)sizeof prefixed) {
		symbol = dlsym(object, prefixed);
		if (symbol && dladdr(symbol, &its) && its.dli_fbase == own.dli_fbase)
			return symbol;
	}
	symbol = dlsym(object, name);
	return symbol && dladdr(symbol, &its) && its.dli_fbase == own.dli_fbase ? symbol : NULL;
}

HMODULE WINAPI LoadLibraryA(LPCSTR path)
{
	FAIL_IF(path && *path ? 0 : ERROR_INVALID_PARAMETER, NULL);
	if (names_own(path))
		return OWN;
	return upcall_provider_open(path);
}

/* Flags that say where to look change nothing: a path without a slash is looked for as dlopen(3) does. */
HMODULE WINAPI LoadLibraryExA(LPCSTR path, HANDLE file, DWORD flags)
{
	FAIL_IF(file ? ERROR_INVALID_PARAMETER : 0, NULL);
	FAIL_IF(flags & ~(LOAD_WITH_ALTERED_SEARCH_PATH | SEARCH_FLAGS) ? ERROR_NOT_SUPPORTED : 0, NULL);
	return LoadLibraryA(path);
}

/* The UTF-8 of a path, in memory of malloc's; NULL with the last error. */
static char *narrow(LPCWSTR path)
{
	int n = path ? WideCharToMultiByte(CP_UTF8, 0, path, -1, NULL, 0, NULL, NULL) : 0;
	char *bytes;

	FAIL_IF(n ? 0 : ERROR_INVALID_PARAMETER, NULL);
	bytes = malloc(n);
	FAIL_IF(bytes ? 0 : ERROR_NOT_ENOUGH_MEMORY, NULL);
	WideCharToMultiByte(CP_UTF8, 0, path, -1, bytes, n, NULL, NULL);
	return bytes;
}

HMODULE WINAPI LoadLibraryExW(LPCWSTR path, HANDLE file, DWORD flags)
{
	char *bytes = narrow(path);
	HMODULE m = bytes ? LoadLibraryExA(bytes, file, flags) : NULL;

	free(bytes);
	return m;
}

HMODULE WINAPI LoadLibraryW(LPCWSTR path)
{
	return LoadLibraryExW(path, NULL, 0);
}

BOOL WINAPI FreeLibrary(HMODULE module)
{
	if (module == OWN || module == PROGRAM)
		return TRUE;
	return !!upcall_provider_close(module);
}

/* There are no ordinals here. */
FARPROC WINAPI GetProcAddress(HMODULE module, LPCSTR name)
{
	void *symbol;
	FARPROC function;

	FAIL_IF((ULONG_PTR)name >> 16 ? 0 : ERROR_PROC_NOT_FOUND, NULL);
	if (module == OWN || module == PROGRAM || !module) {
		symbol = module == OWN ? own_symbol(name) : dlsym(RTLD_DEFAULT, name);
		FAIL_IF(symbol ? 0 : ERROR_PROC_NOT_FOUND, NULL);
	} else {
		symbol = upcall_provider_symbol(module, name);
	}
	memcpy(&function, &symbol, sizeof function);
	return function;
}

/* The program's for NULL; else a module that is loaded, which is not counted. */
HMODULE WINAPI GetModuleHandleA(LPCSTR name)
{
	void *object;

	if (!name)
		return PROGRAM;
	if (names_own(name))
		return OWN;
	object = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
	FAIL_IF(object ? 0 : ERROR_MOD_NOT_FOUND, NULL);
	dlclose(object);
	return object;
}

HMODULE WINAPI GetModuleHandleW(LPCWSTR name)
{
	char *bytes;
	HMODULE m;

	if (!name)
		return PROGRAM;
	bytes = narrow(name);
	m = bytes ? GetModuleHandleA(bytes) : NULL;
	free(bytes);
	return m;
}

/* Stores a module's path and returns 0, or an error. */
static DWORD path_of(HMODULE module, char *path, size_t room)
{
	struct link_map *map = NULL;
	Dl_info own;
	ssize_t n;

	if (!module || module == PROGRAM) {
		n = readlink("/proc/self/exe", path, room - 1);
		if (n < 0)
			return ERROR_GEN_FAILURE;
		path[n] = 0;
		return 0;
	}
	if (module == OWN) {
		if (!dladdr((void *)LoadLibraryA, &own))
			return ERROR_MOD_NOT_FOUND;
		snprintf(path, room, "%s", own.dli_fname);
		return 0;
	}
	/* Only a module that can be found among those that are loaded is asked. */
	for (struct link_map *m = _r_debug.r_map; m; m = m->l_next)
		if ((void *)m == (void *)module)
			map = m;
	if (!map)
		return ERROR_MOD_NOT_FOUND;
	snprintf(path, room, "%s", map->l_name);
	return 0;
}

#define PATH_ROOM 4096

/* What does not fit is cut off, with ERROR_INSUFFICIENT_BUFFER, and the result is the room. */
DWORD WINAPI GetModuleFileNameA(HMODULE module, LPSTR to, DWORD room)
{
	char path[PATH_ROOM];
	size_t n;

	FAIL_IF(to && room ? 0 : ERROR_INSUFFICIENT_BUFFER, 0);
	FAIL_IF(path_of(module, path, sizeof path), 0);
	n = strlen(path);
	lstrcpynA(to, path, (int)room);
	FAIL_IF(n < room ? 0 : ERROR_INSUFFICIENT_BUFFER, room);
	return (DWORD)n;
}

DWORD WINAPI GetModuleFileNameW(HMODULE module, LPWSTR to, DWORD room)
{
	char path[PATH_ROOM];
	WCHAR wide[PATH_ROOM];
	DWORD n;

	FAIL_IF(to && room ? 0 : ERROR_INSUFFICIENT_BUFFER, 0);
	FAIL_IF(path_of(module, path, sizeof path), 0);
	n = MultiByteToWideChar(CP_UTF8, 0, path, -1, wide, PATH_ROOM) - 1;
	lstrcpynW(to, wide, (int)room);
	FAIL_IF(n < room ? 0 : ERROR_INSUFFICIENT_BUFFER, room);
	return n;
}
