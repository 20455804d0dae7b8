#include <pthread.h>
#include <stdlib.h>
#include <string.h>

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

/* A thread's texts of errors. Not thread-local variables: a program that loads
 * the library while it runs has room for few of those. */
struct texts {
	char narrow[GAI_STRERROR_BUFFER_SIZE + 1];
	WCHAR wide[GAI_STRERROR_BUFFER_SIZE + 1];
};

static pthread_key_t texts;

__attribute__((constructor)) static void prepare(void)
{
	pthread_key_create(&texts, free);
}

/* The calling thread's, or NULL without memory. */
static struct texts *own_texts(void)
{
	struct texts *t = pthread_getspecific(texts);

	if (!t) {
		t = malloc(sizeof *t);
		if (t)
			pthread_setspecific(texts, t);
	}
	return t;
}

char *gai_strerrorA(int error)
{
	static char none[] = "";
	struct texts *t = own_texts();

	if (!t)
		return none;
	if (upcall_forked)
		return strcpy(t->narrow, "not available in a process that fork made");
	goErrorText(error, t->narrow, sizeof t->narrow, 0);
	return t->narrow;
}

WCHAR *gai_strerrorW(int error)
{
	static WCHAR none[1];
	struct texts *t = own_texts();

	if (!t)
		return none;
	if (upcall_forked)
		t->wide[0] = 0;
	else
		goErrorText(error, t->wide, sizeof t->wide / sizeof *t->wide, 1);
	return t->wide;
}

const struct in6_addr in6addr_any = IN6ADDR_ANY_INIT;
const struct in6_addr in6addr_loopback = IN6ADDR_LOOPBACK_INIT;
