#include <winsock2.h>
#include <ws2tcpip.h>

#include "_cgo_export.h"
#include "names.h"

/* The functions of addresses and texts alone need no WSAStartup. */

PCSTR WSAAPI inet_ntop(INT family, const VOID *addr, PSTR text, size_t size)
{
	ALIVE(0);
	FAIL_IF(goInetNtop(family, (void *)addr, text, size > 1024 ? 1024 : size, 0), 0);
	return text;
}

PCWSTR WSAAPI InetNtopW(INT family, const VOID *addr, PWSTR text, size_t size)
{
	ALIVE(0);
	FAIL_IF(goInetNtop(family, (void *)addr, text, size > 1024 ? 1024 : size, 1), 0);
	return text;
}

/* 1, 0 if the text is no address of the family, or -1. */
static int parsed(int e)
{
	if (e == WSAEINVAL)
		return 0;
	FAIL_IF(e, -1);
	return 1;
}

INT WSAAPI inet_pton(INT family, PCSTR text, PVOID addr)
{
	ALIVE(-1);
	return parsed(goInetPton(family, (void *)text, addr, 0));
}

INT WSAAPI InetPtonW(INT family, PCWSTR text, PVOID addr)
{
	ALIVE(-1);
	return parsed(goInetPton(family, (void *)text, addr, 1));
}

INT WSAAPI WSAAddressToStringA(LPSOCKADDR addr, DWORD addr_length, LPWSAPROTOCOL_INFOA info, LPSTR text, LPDWORD length)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goWSAAddressToString(self(), addr, addr_length, info, text, length, 0));
}

INT WSAAPI WSAAddressToStringW(LPSOCKADDR addr, DWORD addr_length, LPWSAPROTOCOL_INFOW info, LPWSTR text, LPDWORD length)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goWSAAddressToString(self(), addr, addr_length, info, text, length, 1));
}

INT WSAAPI WSAStringToAddressA(LPSTR text, INT family, LPWSAPROTOCOL_INFOA info, LPSOCKADDR addr, LPINT length)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goWSAStringToAddress(self(), text, family, info, addr, length, 0));
}

INT WSAAPI WSAStringToAddressW(LPWSTR text, INT family, LPWSAPROTOCOL_INFOW info, LPSOCKADDR addr, LPINT length)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goWSAStringToAddress(self(), text, family, info, addr, length, 1));
}

char *gai_strerrorA(int error)
{
	static __thread char text[GAI_STRERROR_BUFFER_SIZE + 1];

	if (upcall_forked)
		return strcpy(text, "not available in a process that fork made");
	goErrorText(error, text, sizeof text, 0);
	return text;
}

WCHAR *gai_strerrorW(int error)
{
	static __thread WCHAR text[GAI_STRERROR_BUFFER_SIZE + 1];

	if (upcall_forked)
		text[0] = 0;
	else
		goErrorText(error, text, sizeof text / sizeof *text, 1);
	return text;
}

const struct in6_addr in6addr_any = IN6ADDR_ANY_INIT;
const struct in6_addr in6addr_loopback = IN6ADDR_LOOPBACK_INIT;
