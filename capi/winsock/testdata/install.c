/* The functions that install providers, over a catalog of this test's own. */
#include "check.h"

#include <nspapi.h>
#include <sporder.h>
#include <ws2spi.h>

static GUID id = {0x5f1d2c3b, 0x1111, 0x4a4a, {1, 2, 3, 4, 5, 6, 7, 8}};
static GUID layer_id = {0x5f1d2c3b, 0x2222, 0x4a4a, {1, 2, 3, 4, 5, 6, 7, 8}};
static GUID unknown = {0x5f1d2c3b, 0x3333, 0x4a4a, {1, 2, 3, 4, 5, 6, 7, 8}};
static WCHAR path[] = u"%HOME%/provider.so", layer_path[] = u"/nowhere/layer.so", layer_name[] = u"A layer";

/* A call that fails with a code in its lpErrno, which is the last parameter, e_. */
#define REFUSED(call, code) \
	do { \
		int e_ = -12345; \
		EQUAL(call, SOCKET_ERROR); \
		check_equal(__FILE__, __LINE__, #call ": its error", e_, (code)); \
	} while (0)
/* One that succeeds, and leaves its lpErrno alone. */
#define DONE(call) \
	do { \
		int e_ = -12345; \
		EQUAL(call, 0); \
		EQUAL(e_, -12345); \
	} while (0)

typedef int (WSPAPI *enumerator)(LPINT, LPWSAPROTOCOL_INFOW, LPDWORD, LPINT);

/* All entries of a catalog; the caller frees them. */
static WSAPROTOCOL_INFOW *entries(enumerator enumerate, int *n)
{
	DWORD length = 0;
	WSAPROTOCOL_INFOW *all;
	int e = 0;

	EQUAL(enumerate(NULL, NULL, &length, &e), SOCKET_ERROR);
	EQUAL(e, WSAENOBUFS);
	all = malloc(length);
	*n = enumerate(NULL, all, &length, &e);
	EQUAL(length, *n * sizeof *all);
	return all;
}

static int count(enumerator enumerate, const GUID *provider)
{
	int n, found = 0;
	WSAPROTOCOL_INFOW *all = entries(enumerate, &n);

	for (int i = 0; i < n; i++)
		found += !provider || !memcmp(&all[i].ProviderId, provider, sizeof *provider);
	free(all);
	return found;
}

static WSAPROTOCOL_INFOW base_entry(void)
{
	WSAPROTOCOL_INFOW info;

	memset(&info, 0, sizeof info);
	info.dwServiceFlags1 = XP1_GUARANTEED_DELIVERY | XP1_GUARANTEED_ORDER | XP1_IFS_HANDLES;
	info.dwProviderFlags = PFL_MATCHES_PROTOCOL_ZERO;
	info.ProtocolChain.ChainLen = BASE_PROTOCOL;
	info.iVersion = 2;
	info.iAddressFamily = AF_INET;
	info.iMaxSockAddr = info.iMinSockAddr = sizeof(struct sockaddr_in);
	info.iSocketType = SOCK_STREAM;
	info.iProtocol = 222;
	memcpy(info.szProtocol, u"Test", 10);
	return info;
}

static void providers(void)
{
	WSAPROTOCOL_INFOW info = base_entry(), *all;
	int e, n, filter[] = {222, 0};
	WCHAR back[64], *long_path;
	DWORD length;
	int size = 64;

	REFUSED(WSCInstallProvider(NULL, path, &info, 1, &e_), WSAEFAULT);
	REFUSED(WSCInstallProvider(&id, NULL, &info, 1, &e_), WSAEFAULT);
	REFUSED(WSCInstallProvider(&id, path, NULL, 1, &e_), WSAEINVAL);
	REFUSED(WSCInstallProvider(&id, path, &info, 0, &e_), WSAEINVAL);
	long_path = malloc(300 * sizeof *long_path);
	for (int i = 0; i < 300; i++)
		long_path[i] = i < 299 ? 'x' : 0;
	REFUSED(WSCInstallProvider(&id, long_path, &info, 1, &e_), WSAEINVAL);
	free(long_path);
	FAILS(WSCInstallProvider(&id, path, &info, 1, NULL), WSAEFAULT);
	EQUAL(count(WSCEnumProtocols, &id), 0);

	DONE(WSCInstallProvider(&id, path, &info, 1, &e_));
	REFUSED(WSCInstallProvider(&id, path, &info, 1, &e_), WSANO_RECOVERY);
	EQUAL(count(WSCEnumProtocols, &id), 1);
	EQUAL(count(WSCEnumProtocols32, &id), 0);

	all = malloc(length = 4 * sizeof *all);
	e = 0;
	EQUAL(WSCEnumProtocols(filter, all, &length, &e), 1);
	EQUAL(all[0].iProtocol, 222);
	CHECK(all[0].dwCatalogEntryId > 1000);
	CHECK(!memcmp(all[0].szProtocol, u"Test", 10));
	REFUSED(WSCEnumProtocols(filter, all, NULL, &e_), WSAEFAULT);
	length = sizeof *all - 1;
	REFUSED(WSCEnumProtocols(filter, all, &length, &e_), WSAENOBUFS);
	EQUAL(length, sizeof *all);

	DONE(WSCGetProviderPath(&id, back, &size, &e_));
	CHECK(!memcmp(back, path, sizeof path));
	EQUAL(size, sizeof path / sizeof *path);
	size = 3;
	REFUSED(WSCGetProviderPath(&id, back, &size, &e_), WSAEFAULT);
	EQUAL(size, sizeof path / sizeof *path);
	REFUSED(WSCGetProviderPath(&unknown, back, &size, &e_), WSAEINVAL);
	REFUSED(WSCGetProviderPath(NULL, back, &size, &e_), WSAEFAULT);
	REFUSED(WSCGetProviderPath(&id, back, NULL, &e_), WSAEFAULT);
	REFUSED(WSCGetProviderPath32(&id, back, &size, &e_), WSAEINVAL);

	all[0].iProtocol = 223;
	DONE(WSCUpdateProvider(&id, u"/else/where.so", all, 1, &e_));
	REFUSED(WSCUpdateProvider(&unknown, path, all, 1, &e_), WSAEINVAL);
	REFUSED(WSCUpdateProvider(&id, NULL, all, 1, &e_), WSAEFAULT);
	REFUSED(WSCUpdateProvider(&id, path, NULL, 1, &e_), WSAEINVAL);
	REFUSED(WSCUpdateProvider32(&id, path, all, 1, &e_), WSAEINVAL);
	free(all);
	size = 64;
	DONE(WSCGetProviderPath(&id, back, &size, &e_));
	CHECK(!memcmp(back, u"/else/where.so", 30));
	all = entries(WSCEnumProtocols, &n);
	EQUAL(all[n - 1].iProtocol, 223);
	free(all);

	REFUSED(WSCDeinstallProvider(&unknown, &e_), WSAEINVAL);
	REFUSED(WSCDeinstallProvider(NULL, &e_), WSAEFAULT);
	REFUSED(WSCDeinstallProvider32(&id, &e_), WSAEINVAL);
	DONE(WSCDeinstallProvider(&id, &e_));
	REFUSED(WSCDeinstallProvider(&id, &e_), WSAEINVAL);
	EQUAL(count(WSCEnumProtocols, &id), 0);

	info = base_entry();
	DONE(WSCInstallProvider64_32(&id, path, &info, 1, &e_));
	EQUAL(count(WSCEnumProtocols, &id), 1);
	EQUAL(count(WSCEnumProtocols32, &id), 1);
	size = 64;
	DONE(WSCGetProviderPath32(&id, back, &size, &e_));
	DONE(WSCUpdateProvider32(&id, u"/thirty/two.so", &info, 1, &e_));
	DONE(WSCDeinstallProvider(&id, &e_));
	EQUAL(count(WSCEnumProtocols32, &id), 1);
	DONE(WSCDeinstallProvider32(&id, &e_));
	EQUAL(count(WSCEnumProtocols32, &id), 0);
}

static void chains(void)
{
	WSAPROTOCOL_INFOW over, *all;
	DWORD layer = 0, *order, categories = LSP_FIREWALL | LSP_INSPECTOR;
	int before = count(WSCEnumProtocols, NULL), n, chained = 0;
	size_t size = sizeof categories;

	memset(&over, 0, sizeof over);
	over.iAddressFamily = AF_INET;
	over.iSocketType = SOCK_STREAM;
	over.iProtocol = IPPROTO_TCP;
	REFUSED(WSCInstallProviderAndChains(NULL, layer_path, layer_name, 0, NULL, 0, &layer, &e_), WSAEINVAL);
	REFUSED(WSCInstallProviderAndChains(&layer_id, NULL, layer_name, 0, NULL, 0, &layer, &e_), WSAEFAULT);
	REFUSED(WSCInstallProviderAndChains(&layer_id, layer_path, NULL, 0, NULL, 0, &layer, &e_), WSAEFAULT);
	REFUSED(WSCInstallProviderAndChains(&layer_id, layer_path, layer_name, 0, &over, 0, &layer, &e_), WSAEINVAL);
	over.iProtocol = 77;
	REFUSED(WSCInstallProviderAndChains(&layer_id, layer_path, layer_name, 0, &over, 1, &layer, &e_), WSAEINVAL);
	over.iProtocol = IPPROTO_TCP;
	DONE(WSCInstallProviderAndChains(&layer_id, layer_path, layer_name, XP1_IFS_HANDLES, &over, 1, &layer, &e_));
	REFUSED(WSCInstallProviderAndChains(&layer_id, layer_path, layer_name, 0, NULL, 0, &layer, &e_), WSAEINVAL);

	all = entries(WSCEnumProtocols, &n);
	EQUAL(n, before + 2);
	EQUAL(all[0].ProtocolChain.ChainLen, 2);
	EQUAL(all[0].ProtocolChain.ChainEntries[0], layer);
	EQUAL(all[n - 1].dwCatalogEntryId, layer);
	EQUAL(all[n - 1].ProtocolChain.ChainLen, LAYERED_PROTOCOL);

	/* The chain behind everything, and in front again. */
	order = malloc(n * sizeof *order);
	for (int i = 0; i < n; i++)
		order[i] = all[(i + 1) % n].dwCatalogEntryId;
	free(all);
	EQUAL(WSCWriteProviderOrder(order, n), 0);
	all = entries(WSCEnumProtocols, &n);
	for (int i = 0; i < n; i++)
		EQUAL(all[i].dwCatalogEntryId, order[i]);
	EQUAL(WSCWriteProviderOrder(order, n - 1), WSAEINVAL);
	EQUAL(WSCWriteProviderOrder(NULL, n), WSAEFAULT);
	EQUAL(WSCWriteProviderOrder32(order, n), WSAEINVAL);
	order[0] = order[1];
	EQUAL(WSCWriteProviderOrder(order, n), WSAEINVAL);
	free(order);
	free(all);

	REFUSED(WSCSetProviderInfo(&unknown, ProviderInfoLspCategories, (PBYTE)&categories, sizeof categories, 0, &e_), WSAEINVAL);
	REFUSED(WSCSetProviderInfo(&layer_id, ProviderInfoLspCategories, (PBYTE)&categories, 3, 0, &e_), WSAEFAULT);
	REFUSED(WSCSetProviderInfo(&layer_id, ProviderInfoAudit, (PBYTE)&categories, 4, 0, &e_), ERROR_CALL_NOT_IMPLEMENTED);
	REFUSED(WSCSetProviderInfo(NULL, ProviderInfoLspCategories, (PBYTE)&categories, 4, 0, &e_), WSAEFAULT);
	DONE(WSCSetProviderInfo(&layer_id, ProviderInfoLspCategories, (PBYTE)&categories, sizeof categories, 0, &e_));
	categories = 0;
	DONE(WSCGetProviderInfo(&layer_id, ProviderInfoLspCategories, (PBYTE)&categories, &size, 0, &e_));
	EQUAL(categories, LSP_FIREWALL | LSP_INSPECTOR);
	size = 1;
	REFUSED(WSCGetProviderInfo(&layer_id, ProviderInfoLspCategories, (PBYTE)&categories, &size, 0, &e_), WSAEFAULT);
	EQUAL(size, sizeof categories);
	REFUSED(WSCGetProviderInfo(&unknown, ProviderInfoLspCategories, (PBYTE)&categories, &size, 0, &e_), WSAEINVALIDPROVIDER);
	REFUSED(WSCGetProviderInfo32(&layer_id, ProviderInfoLspCategories, (PBYTE)&categories, &size, 0, &e_), WSAEINVALIDPROVIDER);
	REFUSED(WSCSetProviderInfo32(&layer_id, ProviderInfoLspCategories, (PBYTE)&categories, 4, 0, &e_), WSAEINVAL);
	REFUSED(WSCGetProviderInfo(&layer_id, ProviderInfoLspCategories, (PBYTE)&categories, NULL, 0, &e_), WSAEFAULT);

	DONE(WSCDeinstallProvider(&layer_id, &e_));
	EQUAL(count(WSCEnumProtocols, NULL), before);

	/* Over everything, in both catalogs. */
	DONE(WSCInstallProviderAndChains64_32(&layer_id, layer_path, path, layer_name, 0, NULL, 0, NULL, &e_));
	all = entries(WSCEnumProtocols, &n);
	for (int i = 0; i < n; i++)
		chained += all[i].ProtocolChain.ChainLen > 1;
	CHECK(chained >= 4);
	free(all);
	EQUAL(count(WSCEnumProtocols32, &layer_id), chained + 1);
	REFUSED(WSCInstallProviderAndChains64_32(&layer_id, layer_path, NULL, layer_name, 0, NULL, 0, NULL, &e_), WSAEFAULT);
	DONE(WSCDeinstallProvider(&layer_id, &e_));
	DONE(WSCDeinstallProvider32(&layer_id, &e_));
}

static void categories(void)
{
	WCHAR program[] = u"/usr/bin/program-and-more", extra[] = u"-x";
	DWORD found = 0, before = 99;

	REFUSED(WSCGetApplicationCategory(program, 16, NULL, 0, &found, &e_), WSASERVICE_NOT_FOUND);
	DONE(WSCSetApplicationCategory(program, 16, NULL, 0, LSP_PROXY, &before, &e_));
	EQUAL(before, 0);
	DONE(WSCSetApplicationCategory(program, 16, extra, 2, LSP_FIREWALL, NULL, &e_));
	DONE(WSCSetApplicationCategory(program, 16, NULL, 0, LSP_SYSTEM, &before, &e_));
	EQUAL(before, LSP_PROXY);
	DONE(WSCGetApplicationCategory(u"/usr/bin/program", 17, NULL, 0, &found, &e_));
	EQUAL(found, LSP_PROXY | LSP_SYSTEM);
	DONE(WSCGetApplicationCategory(program, 16, extra, 2, &found, &e_));
	EQUAL(found, LSP_FIREWALL);
	REFUSED(WSCGetApplicationCategory(NULL, 1, NULL, 0, &found, &e_), WSAEFAULT);
	REFUSED(WSCGetApplicationCategory(program, 16, NULL, 0, NULL, &e_), WSAEFAULT);
	REFUSED(WSCSetApplicationCategory(program, 0, NULL, 0, LSP_PROXY, NULL, &e_), WSAEINVAL);
	REFUSED(WSCSetApplicationCategory(NULL, 0, NULL, 0, LSP_PROXY, NULL, &e_), WSAEFAULT);
}

/* The entries of the name-space catalog that a start-up sees. */
static int names(WSANAMESPACE_INFOEXW **all)
{
	DWORD length = 0;
	int n;

	start(MAKEWORD(2, 2));
	FAILS(WSCEnumNameSpaceProvidersEx(&length, NULL), WSAEFAULT);
	*all = malloc(length);
	n = WSCEnumNameSpaceProvidersEx(&length, *all);
	OK(WSACleanup());
	return n;
}

static void name_spaces(void)
{
	static BYTE data[] = {1, 2, 3};
	BLOB blob = {sizeof data, data};
	WSANAMESPACE_INFOEXW *all, thirty_two[32];
	WCHAR name[] = u"Our names";
	DWORD length = sizeof thirty_two;
	GUID order[3];
	int n;

	FAILS(WSCInstallNameSpace(NULL, path, 12, 1, &id), WSAEINVAL);
	FAILS(WSCInstallNameSpace(name, NULL, 12, 1, &id), WSAEINVAL);
	FAILS(WSCInstallNameSpace(name, path, 12, 1, NULL), WSAEINVAL);
	FAILS(WSCInstallNameSpace(name, path, NS_ALL, 1, &id), WSAEINVAL);
	OK(WSCInstallNameSpaceEx(name, path, NS_NLA, 7, &id, &blob));
	FAILS(WSCInstallNameSpace(name, path, 12, 1, &id), WSANO_RECOVERY);
	EQUAL(n = names(&all), 3);
	CHECK(!memcmp(all[2].lpszIdentifier, name, sizeof name));
	EQUAL(all[2].dwVersion, 7);
	EQUAL(all[2].fActive, TRUE);
	EQUAL(all[2].ProviderSpecific.cbSize, 3);
	CHECK(!memcmp(all[2].ProviderSpecific.pBlobData, data, 3));
	for (int i = 0; i < 3; i++)
		order[i] = all[2 - i].NSProviderId;
	free(all);
	EQUAL(WSCWriteNameSpaceOrder(order, 3), 0);
	EQUAL(WSCWriteNameSpaceOrder(order, 2), WSAEINVAL);
	EQUAL(WSCWriteNameSpaceOrder(NULL, 3), WSAEFAULT);
	EQUAL(WSCWriteNameSpaceOrder32(order, 3), WSAEINVAL);
	OK(WSCEnableNSProvider(&id, FALSE));
	FAILS(WSCEnableNSProvider(&unknown, FALSE), WSAEINVAL);
	FAILS(WSCEnableNSProvider(NULL, FALSE), WSAEFAULT);
	FAILS(WSCEnableNSProvider32(&id, FALSE), WSAEINVAL);
	EQUAL(names(&all), 3);
	CHECK(!memcmp(&all[0].NSProviderId, &id, sizeof id));
	EQUAL(all[0].fActive, FALSE);
	free(all);
	FAILS(WSCUnInstallNameSpace(&unknown), WSAEINVAL);
	FAILS(WSCUnInstallNameSpace(NULL), WSAEFAULT);
	FAILS(WSCUnInstallNameSpace32(&id), WSAEINVAL);
	OK(WSCUnInstallNameSpace(&id));
	EQUAL(names(&all), 2);
	free(all);

	/* The 32-bit catalog. */
	OK(WSCInstallNameSpace32(name, path, NS_NLA, 1, &id));
	OK(WSCInstallNameSpaceEx32(name, path, NS_NLA, 1, &unknown, &blob));
	EQUAL(WSCEnumNameSpaceProviders32(&length, (LPWSANAMESPACE_INFOW)thirty_two), 4);
	length = sizeof thirty_two;
	EQUAL(WSCEnumNameSpaceProvidersEx32(&length, thirty_two), 4);
	EQUAL(thirty_two[3].ProviderSpecific.cbSize, 3);
	length = 8;
	FAILS(WSCEnumNameSpaceProvidersEx32(&length, thirty_two), WSAEFAULT);
	FAILS(WSCEnumNameSpaceProviders32(NULL, NULL), WSAEFAULT);
	OK(WSCEnableNSProvider32(&id, FALSE));
	OK(WSCUnInstallNameSpace32(&unknown));
	OK(WSCUnInstallNameSpace32(&id));
}

/* The catalog's file cannot be written, or read: argv[1] says so. */
static int broken(void)
{
	WSAPROTOCOL_INFOW info = base_entry();

	REFUSED(WSCInstallProvider(&id, path, &info, 1, &e_), WSANO_RECOVERY);
	REFUSED(WSCInstallProvider(&id, path, &info, 1, &e_), WSANO_RECOVERY);
	FAILS(WSCInstallNameSpace(layer_name, path, NS_NLA, 1, &id), WSANO_RECOVERY);
	return 0;
}

int main(int n, char **args)
{
	if (n > 1)
		return broken();
	providers();
	chains();
	categories();
	name_spaces();
	return 0;
}
