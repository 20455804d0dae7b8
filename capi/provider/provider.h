/*
 * Modules: what LoadLibrary, GetProcAddress and FreeLibrary do.
 *
 * A module is a shared object, or a provider written in Go, whose path is
 * "go:NAME?OPTIONS" and whose only symbol is WSPStartup. Opening a path again
 * gives the same module, which stays until it was closed as often. A shared
 * object's DllMain, if it has one, is called when it comes and when it goes.
 *
 * A function that fails sets the last error.
 */
#ifndef UPCALL_CAPI_PROVIDER_H
#define UPCALL_CAPI_PROVIDER_H

/*
 * NULL: ERROR_MOD_NOT_FOUND (126) or ERROR_DLL_INIT_FAILED (1114). The path is
 * UTF-8, and its environment references are expanded by the caller.
 */
void *upcall_provider_open(const char *path);

/* NULL: ERROR_PROC_NOT_FOUND (127) or ERROR_INVALID_HANDLE (6). */
void *upcall_provider_symbol(void *module, const char *name);

/* 0: ERROR_INVALID_HANDLE (6), for what is no open module. */
int upcall_provider_close(void *module);

#endif
