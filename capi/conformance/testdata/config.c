/* Changes of the catalog. */
#include "behaviour.h"

#include <sporder.h>
#include <ws2spi.h>

/* Writes the order of the entries anew, the last one first. */
static void reorder(void)
{
	DWORD length = 0, ids[256];
	int count, i, error = 0;
	WSAPROTOCOL_INFOW *all;

	EQUAL(WSCEnumProtocols(0, 0, &length, &error), SOCKET_ERROR);
	EQUAL(error, WSAENOBUFS);
	CHECK((all = malloc(length)) != 0);
	count = WSCEnumProtocols(0, all, &length, &error);
	CHECK(count > 1 && count < 256);
	for (i = 0; i < count; i++)
		ids[i] = all[count - 1 - i].dwCatalogEntryId;
	OK(WSCWriteProviderOrder(ids, count));
	free(all);
}

BEHAVIOUR(116)
{
	HANDLE handle = 0;
	WSAEVENT e;
	OVERLAPPED ov;

	start(MAKEWORD(2, 2));
	OK(WSAProviderConfigChange(&handle, 0, 0));
	CHECK(handle != 0);
	e = new_event();
	memset(&ov, 0, sizeof ov);
	ov.hEvent = e;
	FAILS(WSAProviderConfigChange(&handle, &ov, 0), WSA_IO_PENDING);
	CHECK(!is_set(e));
	reorder();
	await(e);
	CHECK(HasOverlappedIoCompleted(&ov));
	EQUAL(ov.Internal, 0);
	FAILS(WSAProviderConfigChange(0, &ov, 0), WSAEFAULT);
	CHECK(CloseHandle(handle));
	FAILS(WSAProviderConfigChange(&handle, &ov, 0), WSA_INVALID_HANDLE);
	CHECK(WSACloseEvent(e));
}

/* The catalog that a start-up has read counts until the last cleanup. */
BEHAVIOUR(60)
{
	DWORD length;
	WSAPROTOCOL_INFOW before[64], after[64];
	int n, last;

	start(MAKEWORD(2, 2));
	length = sizeof before;
	n = WSAEnumProtocolsW(0, before, &length);
	CHECK(n > 1);
	reorder();
	length = sizeof after;
	EQUAL(WSAEnumProtocolsW(0, after, &length), n);
	CHECK(!memcmp(before, after, length));
	OK(WSACleanup());
	start(MAKEWORD(2, 2));
	length = sizeof after;
	EQUAL(WSAEnumProtocolsW(0, after, &length), n);
	for (last = 0; last < n; last++)
		EQUAL(after[last].dwCatalogEntryId, before[n - 1 - last].dwCatalogEntryId);
}
