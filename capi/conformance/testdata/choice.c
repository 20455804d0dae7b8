/* Choosing a provider, and the catalog as clients see it. */
#include "behaviour.h"

BEHAVIOUR(57)
{
	start(MAKEWORD(2, 2));
	FAILS(socket(AF_APPLETALK, SOCK_STREAM, 0) != INVALID_SOCKET, WSAEAFNOSUPPORT);
	FAILS(socket(AF_INET, SOCK_SEQPACKET, 0) != INVALID_SOCKET, WSAESOCKTNOSUPPORT);
	FAILS(socket(AF_INET, SOCK_STREAM, 250) != INVALID_SOCKET, WSAEPROTONOSUPPORT);
	FAILS(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP) != INVALID_SOCKET, WSAEPROTOTYPE);
}

BEHAVIOUR(57a)
{
	SOCKET s;
	int type = 0, length = sizeof type;

	start(MAKEWORD(2, 2));
	FAILS(socket(0, 0, 0) != INVALID_SOCKET, WSAEINVAL);
	s = socket(0, SOCK_DGRAM, IPPROTO_UDP);
	CHECK(s != INVALID_SOCKET);
	OK(getsockopt(s, SOL_SOCKET, SO_TYPE, (char *)&type, &length));
	EQUAL(type, SOCK_DGRAM);
	OK(closesocket(s));
}

/* Returns what clients see, and how many. */
static WSAPROTOCOL_INFOW *protocols(int *count)
{
	DWORD length = 0;
	WSAPROTOCOL_INFOW *all;

	FAILS(WSAEnumProtocolsW(0, 0, &length), WSAENOBUFS);
	CHECK(length > 0 && length % 628 == 0);
	CHECK((all = malloc(length)) != 0);
	*count = WSAEnumProtocolsW(0, all, &length);
	EQUAL(*count, length / 628);
	return all;
}

BEHAVIOUR(61)
{
	int count;
	WSAPROTOCOL_INFOW *all, info, got;
	WSAPROTOCOL_INFOA narrow;
	int length = sizeof got, type, type_length = sizeof type, i;
	SOCKET s;

	start(MAKEWORD(2, 2));
	all = protocols(&count);
	for (i = 0; all[i].iSocketType != SOCK_DGRAM; i++)
		CHECK(i < count);
	info = all[i];
	info.iSocketType = SOCK_STREAM;
	info.iProtocol = IPPROTO_TCP;
	s = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED);
	CHECK(s != INVALID_SOCKET);
	OK(getsockopt(s, SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)&got, &length));
	EQUAL(length, 628);
	EQUAL(got.dwCatalogEntryId, info.dwCatalogEntryId);
	EQUAL(got.iSocketType, SOCK_DGRAM);
	OK(getsockopt(s, SOL_SOCKET, SO_TYPE, (char *)&type, &type_length));
	EQUAL(type, SOCK_DGRAM);
	length = sizeof narrow;
	OK(getsockopt(s, SOL_SOCKET, SO_PROTOCOL_INFOA, (char *)&narrow, &length));
	EQUAL(length, 372);
	EQUAL(narrow.dwCatalogEntryId, info.dwCatalogEntryId);
	for (i = 0; got.szProtocol[i] || narrow.szProtocol[i]; i++)
		EQUAL(got.szProtocol[i], (unsigned char)narrow.szProtocol[i]);
	OK(closesocket(s));
	s = WSASocketA(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &narrow, 0, WSA_FLAG_OVERLAPPED);
	CHECK(s != INVALID_SOCKET);
	OK(closesocket(s));
	free(all);
}

BEHAVIOUR(62)
{
	WSAPROTOCOL_INFOW info;

	start(MAKEWORD(2, 2));
	memset(&info, 0, sizeof info);
	info.dwCatalogEntryId = 0xfffffff0;
	FAILS(WSASocketW(AF_INET, SOCK_STREAM, 0, &info, 0, 0) != INVALID_SOCKET, WSAEINVAL);
}

BEHAVIOUR(72)
{
	DWORD wide = 0, narrow = 0;

	start(MAKEWORD(2, 2));
	FAILS(WSAEnumProtocolsW(0, 0, &wide), WSAENOBUFS);
	FAILS(WSAEnumProtocolsA(0, 0, &narrow), WSAENOBUFS);
	CHECK(wide > 0 && wide % 628 == 0);
	EQUAL(wide / 628 * 372, narrow);
	FAILS(WSAEnumProtocolsA(0, 0, 0), WSAEFAULT);
	FAILS(WSAEnumProtocolsW(0, 0, 0), WSAEFAULT);
}

BEHAVIOUR(73)
{
	DWORD length, less;
	int count, i, k;
	WSAPROTOCOL_INFOW *wide;
	WSAPROTOCOL_INFOA *narrow;

	start(MAKEWORD(2, 2));
	wide = protocols(&count);
	less = length = count * 628;
	less--;
	FAILS(WSAEnumProtocolsW(0, wide, &less), WSAENOBUFS);
	EQUAL(less, length);
	less = length = count * 372;
	CHECK((narrow = malloc(length)) != 0);
	EQUAL(WSAEnumProtocolsA(0, narrow, &length), count);
	less--;
	FAILS(WSAEnumProtocolsA(0, narrow, &less), WSAENOBUFS);
	EQUAL(less, length);
	for (i = 0; i < count; i++) {
		CHECK(!memcmp(&wide[i], &narrow[i], offsetof(WSAPROTOCOL_INFOA, szProtocol)));
		for (k = 0; wide[i].szProtocol[k] || narrow[i].szProtocol[k]; k++)
			EQUAL(wide[i].szProtocol[k], (unsigned char)narrow[i].szProtocol[k]);
		CHECK(k > 0);
	}
	free(wide);
	free(narrow);
}

BEHAVIOUR(74)
{
	INT tcp[] = {IPPROTO_TCP, 0}, none[] = {0};
	DWORD length;
	int count, found, i, expected = 0;
	WSAPROTOCOL_INFOW *all;

	start(MAKEWORD(2, 2));
	all = protocols(&count);
	for (i = 0; i < count; i++)
		expected += all[i].iProtocol == IPPROTO_TCP;
	length = count * 628;
	found = WSAEnumProtocolsW(tcp, all, &length);
	CHECK(found > 0);
	EQUAL(found, expected);
	for (i = 0; i < found; i++)
		EQUAL(all[i].iProtocol, IPPROTO_TCP);
	length = count * 628;
	EQUAL(WSAEnumProtocolsW(none, all, &length), 0);
	free(all);
}

BEHAVIOUR(75)
{
	int count, i;
	WSAPROTOCOL_INFOW *all;

	start(MAKEWORD(2, 2));
	all = protocols(&count);
	for (i = 0; i < count; i++) {
		CHECK(all[i].ProtocolChain.ChainLen > 0);
		CHECK(!(all[i].dwProviderFlags & PFL_HIDDEN));
		if (non_ifs())
			CHECK(all[i].iAddressFamily == AF_UNIX || !(all[i].dwServiceFlags1 & XP1_IFS_HANDLES) || all[i].ProtocolChain.ChainLen == 1);
	}
	free(all);
}
