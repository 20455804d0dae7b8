/* A provider that keeps the upcall table, for calls.c, and then does not start. */
#include <winsock2.h>
#include <ws2spi.h>

extern WSPUPCALLTABLE bench_upcalls;
extern DWORD bench_entry;

__attribute__((visibility("default"))) int WSPAPI WSPStartup(WORD version, LPWSPDATA data, LPWSAPROTOCOL_INFOW info,
	WSPUPCALLTABLE upcalls, LPWSPPROC_TABLE table)
{
	(void)version, (void)data, (void)table;
	bench_upcalls = upcalls;
	bench_entry = info->dwCatalogEntryId;
	return WSASYSNOTREADY;
}
