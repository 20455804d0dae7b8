#include <upcall_wah.h>

#include "install.h"

/*
 * Functions that are documented nowhere, and whose parameters nobody has told:
 * they do nothing, and say so in the last error.
 */
#define UNKNOWN(name_) \
	int WSPAPI name_(void) \
	{ \
		upcall_thread.error = ERROR_CALL_NOT_IMPLEMENTED; \
		return SOCKET_ERROR; \
	}

UNKNOWN(WSCDeinstallProviderEx)
UNKNOWN(WSCEnumProtocolsEx)
UNKNOWN(WSCGetApplicationCategoryEx)
UNKNOWN(WSCInstallNameSpaceEx2)
UNKNOWN(WSCInstallProviderEx)
UNKNOWN(WSCSetApplicationCategoryEx)
UNKNOWN(WSCUnInstallNameSpaceEx2)
UNKNOWN(WSCUpdateProviderEx)

/* Those whose relatives return the code itself. */
#define UNKNOWN_CODE(type_, name_) \
	type_ WSPAPI name_(void) \
	{ \
		return upcall_thread.error = ERROR_CALL_NOT_IMPLEMENTED; \
	}

UNKNOWN_CODE(int, WSCWriteProviderOrderEx)
UNKNOWN_CODE(DWORD, WahWriteLSPEvent)

/* By its name, the upcall WPUGetProviderPath. */
int WSPAPI WPUGetProviderPathEx(LPGUID id, WCHAR *path, LPINT length, LPINT lpErrno)
{
	return WSCGetProviderPath(id, path, length, lpErrno);
}
