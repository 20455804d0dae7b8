/*
 * Installs the two layers of this directory, lists what is installed, orders
 * and removes it, by the functions of the catalog.
 *
 *	install list
 *	install add ifs|nonifs LIBRARY [ENTRY...]   over these entries (all base entries that fit)
 *	install order ENTRY...                      these first, the others behind them as they were
 *	install remove ifs|nonifs
 *
 * Build:  gcc -O2 $(pkg-config --cflags upcall) -o install install.c $(pkg-config --libs upcall)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ws2spi.h>

#include <sporder.h>

static const struct LAYER {
	const char *name;
	GUID id;
	DWORD flags; /* of the layer's entries */
} layers[] = {
	{"ifs", {0x6f2b1c4e, 0x93d7, 0x4a0f, {0x8c, 0x15, 0x2e, 0x7a, 0xb0, 0x44, 0x91, 0x02}}, XP1_IFS_HANDLES},
	{"nonifs", {0xb3a80d51, 0x27e6, 0x4c79, {0x9d, 0x02, 0x51, 0xcf, 0x88, 0x13, 0x6e, 0x0a}}, 0},
};

static int Fail(const char *what, int error)
{
	fprintf(stderr, "install: %s: error %d\n", what, error);
	return 1;
}

/* The whole catalog, in its order. The caller frees it. */
static WSAPROTOCOL_INFOW *Catalog(int *count)
{
	WSAPROTOCOL_INFOW *all = NULL;
	DWORD size = 0;
	int error = 0;

	for (;;) {
		*count = WSCEnumProtocols(NULL, all, &size, &error);
		if (*count != SOCKET_ERROR)
			return all;
		free(all);
		if (error != WSAENOBUFS)
			exit(Fail("the catalog cannot be read", error));
		all = malloc(size);
	}
}

static void Print(const WCHAR *text)
{
	char utf8[3 * MAX_PATH];

	if (WideCharToMultiByte(CP_UTF8, 0, text, -1, utf8, sizeof utf8, NULL, NULL) == 0)
		strcpy(utf8, "?");
	fputs(utf8, stdout);
}

static int List(void)
{
	int count, i, j, error, length;
	WSAPROTOCOL_INFOW *all = Catalog(&count);
	WCHAR path[MAX_PATH];

	for (i = 0; i < count; i++) {
		const WSAPROTOCOLCHAIN *c = &all[i].ProtocolChain;

		printf("%u\t%s\t%s\t", all[i].dwCatalogEntryId,
		       c->ChainLen == LAYERED_PROTOCOL ? "layer" : c->ChainLen == BASE_PROTOCOL ? "base" : "chain",
		       all[i].dwServiceFlags1 & XP1_IFS_HANDLES ? "IFS" : "non-IFS");
		Print(all[i].szProtocol);
		for (j = 0; j < c->ChainLen && c->ChainLen > 1; j++)
			printf("%s%u", j == 0 ? "\t" : ">", c->ChainEntries[j]);
		length = MAX_PATH;
		if (WSCGetProviderPath(&all[i].ProviderId, path, &length, &error) == 0) {
			printf("\t");
			Print(path);
		}
		printf("\n");
	}
	free(all);
	return 0;
}

static const struct LAYER *Named(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof layers / sizeof *layers; i++)
		if (strcmp(layers[i].name, name) == 0)
			return &layers[i];
	fprintf(stderr, "install: there is no layer %s: ifs or nonifs\n", name);
	exit(2);
}

/*
 * A layer over IFS handles can only be over entries that have them. One with
 * handles of its own can be over all.
 */
static int Fits(const struct LAYER *layer, const WSAPROTOCOL_INFOW *entry, char **ids, int n)
{
	int i;

	if ((layer->flags & XP1_IFS_HANDLES) && !(entry->dwServiceFlags1 & XP1_IFS_HANDLES))
		return 0;
	if (n == 0)
		return entry->ProtocolChain.ChainLen == BASE_PROTOCOL;
	for (i = 0; i < n; i++)
		if (strtoul(ids[i], NULL, 10) == entry->dwCatalogEntryId)
			return 1;
	return 0;
}

static int Add(const struct LAYER *layer, const char *library, char **ids, int n)
{
	WCHAR path[MAX_PATH], name[WSAPROTOCOL_LEN + 1];
	WSAPROTOCOL_INFOW *all, *over;
	int count, i, fitting = 0, error;
	GUID id = layer->id;
	DWORD entry;

	if (MultiByteToWideChar(CP_UTF8, 0, library, -1, path, MAX_PATH) == 0)
		return Fail("the path is too long", GetLastError());
	MultiByteToWideChar(CP_UTF8, 0, layer->name, -1, name, WSAPROTOCOL_LEN + 1);
	all = Catalog(&count);
	over = calloc(count ? count : 1, sizeof *over);
	for (i = 0; i < count; i++)
		if (Fits(layer, &all[i], ids, n))
			over[fitting++] = all[i];
	free(all);
	if (fitting == 0) {
		free(over);
		return Fail("the catalog has no entry that the layer can be over", WSAEINVAL);
	}
	/*
	 * One call installs the layer's own entry, which no socket is ever made of,
	 * and a chain over each of the entries, and puts the chains first.
	 */
	if (WSCInstallProviderAndChains(&id, path, name, layer->flags, over, fitting, &entry, &error) == SOCKET_ERROR) {
		free(over);
		return Fail("the layer cannot be installed", error);
	}
	free(over);
	printf("%s is entry %u, with %d chains\n", layer->name, entry, fitting);
	return 0;
}

static int Order(char **ids, int n)
{
	int count, i, j, k = 0, error;
	WSAPROTOCOL_INFOW *all = Catalog(&count);
	DWORD *order = calloc(count ? count + n : 1, sizeof *order);

	for (i = 0; i < n; i++)
		order[k++] = strtoul(ids[i], NULL, 10);
	for (i = 0; i < count; i++) {
		for (j = 0; j < n && order[j] != all[i].dwCatalogEntryId; j++)
			;
		if (j == n)
			order[k++] = all[i].dwCatalogEntryId;
	}
	error = WSCWriteProviderOrder(order, k);
	free(order);
	free(all);
	return error == 0 ? 0 : Fail("the order cannot be written", error);
}

static int Remove(const struct LAYER *layer)
{
	GUID id = layer->id;
	int error;

	/* The layer's chains go with it, and those above it in which it is. */
	if (WSCDeinstallProvider(&id, &error) == SOCKET_ERROR)
		return Fail("the layer cannot be removed", error);
	return 0;
}

int main(int n, char **args)
{
	if (n == 2 && strcmp(args[1], "list") == 0)
		return List();
	if (n >= 4 && strcmp(args[1], "add") == 0)
		return Add(Named(args[2]), args[3], args + 4, n - 4);
	if (n >= 3 && strcmp(args[1], "order") == 0)
		return Order(args + 2, n - 2);
	if (n == 3 && strcmp(args[1], "remove") == 0)
		return Remove(Named(args[2]));
	fprintf(stderr, "usage: install list | add ifs|nonifs LIBRARY [ENTRY...] | order ENTRY... | remove ifs|nonifs\n");
	return 2;
}
