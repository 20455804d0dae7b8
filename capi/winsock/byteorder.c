/* Byte order, and IPv4 addresses as text: neither needs WSAStartup or Go. */
#include <winsock2.h>

#include <ctype.h>
#include <stdio.h>

#include "_cgo_export.h"
#include "thread.h"

u_long WSAAPI htonl(u_long host)
{
	return __builtin_bswap32(host);
}

u_short WSAAPI htons(u_short host)
{
	return __builtin_bswap16(host);
}

u_long WSAAPI ntohl(u_long network)
{
	return __builtin_bswap32(network);
}

u_short WSAAPI ntohs(u_short network)
{
	return __builtin_bswap16(network);
}

/* Reads a number, decimal, octal or hexadecimal; 0 if there is none. */
static const char *number(const char *text, uint64_t *value)
{
	unsigned base = 10, digit;
	const char *first;

	*value = 0;
	if (*text == '0' && (text[1] == 'x' || text[1] == 'X'))
		base = 16, text += 2;
	else if (*text == '0')
		base = 8;
	for (first = text;; text++) {
		if (*text >= '0' && *text <= '9')
			digit = *text - '0';
		else if (isalpha((unsigned char)*text))
			digit = tolower((unsigned char)*text) - 'a' + 10;
		else
			break;
		if (digit >= base || (*value = *value * base + digit) > UINT32_MAX)
			return 0;
	}
	return text > first ? text : 0;
}

/* One to four numbers, the last of which fills the bytes that are left. */
u_long WSAAPI inet_addr(const char *text)
{
	uint64_t part[4];
	uint32_t address = 0;
	int n = 0, i;

	if (!text)
		return INADDR_NONE;
	if (*text == ' ' && !text[1])
		return 0;
	for (;; text++) {
		if (n == 4 || !(text = number(text, &part[n++])))
			return INADDR_NONE;
		if (*text != '.')
			break;
	}
	if (*text && !isspace((unsigned char)*text))
		return INADDR_NONE;
	for (i = 0; i < n - 1; i++) {
		if (part[i] > 255)
			return INADDR_NONE;
		address |= (uint32_t)part[i] << (24 - 8 * i);
	}
	if (part[i] > UINT32_MAX >> 8 * i)
		return INADDR_NONE;
	return htonl(address | (uint32_t)part[i]);
}

char *WSAAPI inet_ntoa(struct in_addr address)
{
	static UPCALL_TLS char text[sizeof "255.255.255.255"];
	const unsigned char *b = (const unsigned char *)&address;

	snprintf(text, sizeof text, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
	return text;
}

/*
 * Stores value in the byte order of the socket's protocol, swapped or not. All
 * four functions do the same: what turns one order into the other turns it back.
 */
#define ORDERED(s, value, result, swap) \
	do { \
		struct goBigEndian_return r; \
		ALIVE(SOCKET_ERROR); \
		r = goBigEndian(self(), s); \
		FAIL_IF(r.r1, SOCKET_ERROR); \
		FAIL_IF(result ? 0 : WSAEFAULT, SOCKET_ERROR); \
		*result = r.r0 ? swap(value) : value; \
		return 0; \
	} while (0)

int WSAAPI WSAHtonl(SOCKET s, u_long host, u_long *network)
{
	ORDERED(s, host, network, __builtin_bswap32);
}

int WSAAPI WSAHtons(SOCKET s, u_short host, u_short *network)
{
	ORDERED(s, host, network, __builtin_bswap16);
}

int WSAAPI WSANtohl(SOCKET s, u_long network, u_long *host)
{
	ORDERED(s, network, host, __builtin_bswap32);
}

int WSAAPI WSANtohs(SOCKET s, u_short network, u_short *host)
{
	ORDERED(s, network, host, __builtin_bswap16);
}
