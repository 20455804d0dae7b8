#include "next.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A pointer to any function, by way of which the others are converted. */
typedef void (*FUNCTION)(void);

/*
 * The whole catalog, hidden entries and bare layers included, which
 * WSAEnumProtocols would not show. The caller frees it.
 */
static WSAPROTOCOL_INFOW *Catalog(int *count, LPINT lpErrno)
{
	WSAPROTOCOL_INFOW *all = NULL;
	DWORD size = 0;

	/* The first call tells the size. Somebody may install a provider meanwhile. */
	for (;;) {
		*count = WSCEnumProtocols(NULL, all, &size, lpErrno);
		if (*count != SOCKET_ERROR)
			return all;
		free(all);
		if (*lpErrno != WSAENOBUFS)
			return NULL;
		all = malloc(size);
		if (all == NULL) {
			*lpErrno = WSA_NOT_ENOUGH_MEMORY;
			return NULL;
		}
	}
}

/* The entry with an id, NULL if there is none. */
static const WSAPROTOCOL_INFOW *Lookup(const WSAPROTOCOL_INFOW *all, int count, DWORD id)
{
	int i;

	for (i = 0; i < count; i++)
		if (all[i].dwCatalogEntryId == id)
			return &all[i];
	return NULL;
}

/*
 * A chain entry lists the ids of its members, the topmost layer first and the
 * base provider last. Ours is one whose provider is this layer.
 */
static const WSAPROTOCOL_INFOW *FindBelow(const WSAPROTOCOL_INFOW *all, int count, const WSAPROTOCOL_INFOW *chain, const GUID *layer)
{
	const WSAPROTOCOLCHAIN *c = &chain->ProtocolChain;
	int i;

	for (i = 0; i + 1 < c->ChainLen; i++) {
		const WSAPROTOCOL_INFOW *member = Lookup(all, count, c->ChainEntries[i]);

		/* The topmost member may be named by the chain entry's own id. */
		if (c->ChainEntries[i] == chain->dwCatalogEntryId)
			member = chain;
		if (member != NULL && memcmp(&member->ProviderId, layer, sizeof *layer) == 0)
			return Lookup(all, count, c->ChainEntries[i + 1]);
	}
	return NULL;
}

/* Loads the library that an installed provider is in. */
static HMODULE Load(const GUID *provider, LPINT lpErrno)
{
	WCHAR path[MAX_PATH], expanded[MAX_PATH];
	int length = MAX_PATH;
	HMODULE dll;

	if (WSCGetProviderPath((LPGUID)provider, path, &length, lpErrno) == SOCKET_ERROR)
		return NULL;
	/* The path is as it was installed, often "%SystemRoot%\..." */
	length = ExpandEnvironmentStringsW(path, expanded, MAX_PATH);
	if (length == 0 || length > MAX_PATH) {
		*lpErrno = WSAEPROVIDERFAILEDINIT;
		return NULL;
	}
	dll = LoadLibraryW(expanded);
	if (dll == NULL)
		*lpErrno = WSAEPROVIDERFAILEDINIT;
	return dll;
}

NEXT *NextStart(const WSAPROTOCOL_INFOW *chain, const GUID *layer, WSPUPCALLTABLE upcalls, LPINT lpErrno)
{
	WSAPROTOCOL_INFOW *all;
	const WSAPROTOCOL_INFOW *below;
	LPWSPSTARTUP startup;
	WSPDATA data;
	NEXT *next;
	int count, i;

	all = Catalog(&count, lpErrno);
	if (all == NULL)
		return NULL;
	next = calloc(1, sizeof *next);
	below = FindBelow(all, count, chain, layer);
	if (next == NULL || below == NULL) {
		*lpErrno = next == NULL ? WSA_NOT_ENOUGH_MEMORY : WSAEPROVIDERFAILEDINIT;
		free(all);
		free(next);
		return NULL;
	}
	/*
	 * A base provider is told of its own entry; a layer needs the chain, to find
	 * its place in it.
	 */
	next->entry = *chain;
	next->below = below->ProtocolChain.ChainLen == BASE_PROTOCOL ? *below : *chain;
	next->dll = Load(&below->ProviderId, lpErrno);
	free(all);
	if (next->dll == NULL) {
		free(next);
		return NULL;
	}
	startup = (LPWSPSTARTUP)(FUNCTION)GetProcAddress(next->dll, "WSPStartup");
	/* The provider below gets the very upcalls that this layer got. */
	*lpErrno = startup == NULL ? WSAEPROVIDERFAILEDINIT : startup(MAKEWORD(2, 2), &data, &next->below, upcalls, &next->table);
	if (*lpErrno != 0) {
		FreeLibrary(next->dll);
		free(next);
		return NULL;
	}
	for (i = 0; i < (int)(sizeof next->table / sizeof(void *)); i++)
		if (((void **)&next->table)[i] == NULL)
			*lpErrno = WSAEINVALIDPROCTABLE;
	if (data.wVersion != MAKEWORD(2, 2))
		*lpErrno = WSAVERNOTSUPPORTED;
	if (*lpErrno != 0) {
		NextStop(next);
		return NULL;
	}
	return next;
}

void NextStop(NEXT *next)
{
	int error;

	if (next->table.lpWSPCleanup != NULL)
		next->table.lpWSPCleanup(&error);
	FreeLibrary(next->dll);
	free(next);
}

void Log(const char *name, const char *format, ...)
{
	const char *path = getenv("LAYER_LOG");
	char line[512];
	va_list arguments;
	int length;
	FILE *file;

	if (path == NULL)
		return;
	length = snprintf(line, sizeof line, "%s: ", name);
	va_start(arguments, format);
	length += vsnprintf(line + length, sizeof line - length - 1, format, arguments);
	va_end(arguments);
	if (length > (int)sizeof line - 2)
		length = sizeof line - 2;
	line[length] = '\n';
	/* One write each, since other processes may have the file open, too. */
	file = fopen(path, "ab");
	if (file != NULL) {
		fwrite(line, 1, length + 1, file);
		fclose(file);
	}
}
