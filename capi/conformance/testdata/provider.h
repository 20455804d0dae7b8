/* Providers of a test's own: see fake/fake.h. */
#ifndef UPCALL_CONFORMANCE_PROVIDER_H
#define UPCALL_CONFORMANCE_PROVIDER_H

#include "behaviour.h"

#include <sporder.h>
#include <ws2spi.h>

#include "fake/fake.h"

/* The path of the object of provider n: each is a file of its own. */
static inline const char *path_of(int n)
{
	static char path[4096];

	snprintf(path, sizeof path, "%s/fake%d.so", getenv("UPCALL_TEST_FAKES"), n);
	return path;
}

static inline const WCHAR *wide(const char *text)
{
	static WCHAR buf[4096];
	size_t i = 0;

	do
		buf[i] = (unsigned char)text[i];
	while (text[i++]);
	return buf;
}

static inline GUID id_of(int n)
{
	GUID id = {0xfa4e0000u + n, 0x1111, 0x2222, {1, 2, 3, 4, 5, 6, 7, 8}};

	return id;
}

/* An entry of the catalog. */
static inline WSAPROTOCOL_INFOW entry(int family, int type, int protocol)
{
	WSAPROTOCOL_INFOW e;

	memset(&e, 0, sizeof e);
	e.dwProviderFlags = PFL_MATCHES_PROTOCOL_ZERO;
	e.iVersion = 2;
	e.iAddressFamily = family;
	e.iSocketType = type;
	e.iProtocol = protocol;
	e.iMaxSockAddr = e.iMinSockAddr = 16;
	e.ProtocolChain.ChainLen = BASE_PROTOCOL;
	e.szProtocol[0] = 'x';
	return e;
}

static inline WSAPROTOCOL_INFOW tcp(void) { return entry(AF_INET, SOCK_STREAM, IPPROTO_TCP); }
static inline WSAPROTOCOL_INFOW udp(void) { return entry(AF_INET, SOCK_DGRAM, IPPROTO_UDP); }

static inline WSAPROTOCOL_INFOW with_descriptors(WSAPROTOCOL_INFOW e)
{
	e.dwServiceFlags1 |= XP1_IFS_HANDLES;
	return e;
}

/* The installed catalog; the caller frees it. */
static inline WSAPROTOCOL_INFOW *catalog(int *count)
{
	DWORD length = 0;
	int error;
	WSAPROTOCOL_INFOW *all;

	EQUAL(WSCEnumProtocols(0, 0, &length, &error), SOCKET_ERROR);
	EQUAL(error, WSAENOBUFS);
	CHECK((all = malloc(length)) != 0);
	*count = WSCEnumProtocols(0, all, &length, &error);
	CHECK(*count >= 0);
	return all;
}

/* Loads provider n. It stays loaded, so that what it has seen stays. */
static inline struct fake *loaded(int n)
{
	HMODULE m = LoadLibraryA(path_of(n));
	struct fake *f;

	CHECK(m != 0);
	f = ((FAKE)(void *)GetProcAddress(m, "Fake"))();
	f->id = id_of(n);
	return f;
}

/* Remembers the ids of what was installed last. */
static inline void note_ids(struct fake *f)
{
	int count, i, n = 0;
	WSAPROTOCOL_INFOW *all = catalog(&count);

	for (i = 0; i < count; i++)
		if (!memcmp(&all[i].ProviderId, &f->id, sizeof f->id) && n < 8)
			f->ids[n++] = all[i].dwCatalogEntryId;
	CHECK(n > 0);
	free(all);
}

/* Installs provider n with entries, and loads it. */
static inline struct fake *installed(int n, int count, const WSAPROTOCOL_INFOW *entries)
{
	GUID id = id_of(n);
	struct fake *f = loaded(n);
	int error;

	OK(WSCInstallProvider(&id, wide(path_of(n)), (LPWSAPROTOCOL_INFOW)entries, count, &error));
	note_ids(f);
	return f;
}

static inline struct fake *provider(int n, WSAPROTOCOL_INFOW e) { return installed(n, 1, &e); }

/* Installs provider n as a layer over the entries of another. Its own entry's id
 * is the first; the chain's is the second. */
static inline struct fake *layer(int n, DWORD flags)
{
	GUID id = id_of(n);
	struct fake *f = loaded(n);
	WSAPROTOCOL_INFOW *all, *chain = 0;
	DWORD bare = 0;
	int count, i, error;

	all = catalog(&count);
	for (i = 0; i < count && !chain; i++)
		if (all[i].ProtocolChain.ChainLen != LAYERED_PROTOCOL)
			chain = &all[i];
	CHECK(chain != 0);
	OK(WSCInstallProviderAndChains(&id, (LPWSTR)wide(path_of(n)), (LPWSTR)u"layer", flags, chain, 1, &bare, &error));
	free(all);
	note_ids(f);
	all = catalog(&count);
	f->ids[0] = bare;
	for (i = 0; i < count; i++)
		if (!memcmp(&all[i].ProviderId, &id, sizeof id) && all[i].dwCatalogEntryId != bare)
			f->ids[1] = all[i].dwCatalogEntryId;
	free(all);
	return f;
}

static inline SOCKET stream(void)
{
	SOCKET s = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(s != INVALID_SOCKET);
	return s;
}

/* A call of the interface of providers fails with this code. */
#define REFUSES(e, code) \
	do { \
		long long refuses_; \
		error = -1; \
		refuses_ = (long long)(e); \
		CHECK(refuses_ == SOCKET_ERROR || refuses_ == 0); \
		check_equal(__FILE__, __LINE__, #e ": error", error, (code)); \
	} while (0)

#endif
