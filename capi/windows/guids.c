#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

#include <objbase.h>
#include <rpc.h>

#include "calls.h"

int WINAPI StringFromGUID2(REFGUID id, LPWSTR to, int room)
{
	const GUID *g = id;
	char text[39];

	if (!to || room < (int)sizeof text)
		return 0;
	snprintf(text, sizeof text, "{%08X-%04X-%04X-%02X%02X-%02X%02X%02X%02X%02X%02X}",
		(unsigned)g->Data1, g->Data2, g->Data3, g->Data4[0], g->Data4[1], g->Data4[2], g->Data4[3],
		g->Data4[4], g->Data4[5], g->Data4[6], g->Data4[7]);
	for (size_t i = 0; i < sizeof text; i++)
		to[i] = (unsigned char)text[i];
	return sizeof text;
}

/* A GUID of random bits (version 4). */
RPC_STATUS RPC_ENTRY UuidCreate(UUID *id)
{
	ssize_t n;

	while ((n = getrandom(id, sizeof *id, 0)) < 0 && errno == EINTR)
		;
	if (n != sizeof *id)
		return RPC_S_UUID_NO_ADDRESS;
	id->Data3 = (id->Data3 & 0x0FFF) | 0x4000;
	id->Data4[0] = (id->Data4[0] & 0x3F) | 0x80;
	return RPC_S_OK;
}
