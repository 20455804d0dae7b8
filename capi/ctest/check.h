/*
 * What a test program in C says when something does not hold: the line, the
 * expression, and the last error; it then ends with 1.
 *
 *	CHECK(e)             e holds
 *	OK(e)                the call returns 0
 *	FAILS(e, WSAE...)    e is SOCKET_ERROR, INVALID_SOCKET or FALSE with this last error
 *	EQUAL(a, b)          two integers
 */
#ifndef UPCALL_CTEST_CHECK_H
#define UPCALL_CTEST_CHECK_H

#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void check_failed(const char *file, int line, const char *what)
{
	int e = WSAGetLastError();

	fprintf(stderr, "%s:%d: %s does not hold; the last error is %d\n", file, line, what, e);
	fflush(0);
	_exit(1);
}

static inline void check_equal(const char *file, int line, const char *what, long long a, long long b)
{
	int e = WSAGetLastError();

	if (a == b)
		return;
	fprintf(stderr, "%s:%d: %s: %lld and %lld (%#llx, %#llx); the last error is %d\n", file, line, what, a, b, a, b, e);
	fflush(0);
	_exit(1);
}

#define CHECK(e) ((e) ? (void)0 : check_failed(__FILE__, __LINE__, #e))
#define EQUAL(a, b) check_equal(__FILE__, __LINE__, #a " == " #b, (long long)(a), (long long)(b))
#define OK(e) check_equal(__FILE__, __LINE__, #e " succeeds", (long long)(e), 0)

/* A failure tells its code in the last error, whatever that was before. */
#define FAILS(e, code) \
	do { \
		long long fails_; \
		WSASetLastError(-12345); \
		fails_ = (long long)(e); \
		if (fails_ != SOCKET_ERROR && fails_ != 0) \
			check_equal(__FILE__, __LINE__, #e " fails", fails_, SOCKET_ERROR); \
		check_equal(__FILE__, __LINE__, #e ": last error", WSAGetLastError(), (code)); \
	} while (0)

static inline void start(WORD version)
{
	WSADATA data;

	OK(WSAStartup(version, &data));
}

/* A loopback address with a port in host order. */
static inline struct sockaddr_in loopback(u_short port)
{
	struct sockaddr_in a;

	memset(&a, 0, sizeof a);
	a.sin_family = AF_INET;
	a.sin_port = htons(port);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

/* The address that a socket has. */
static inline struct sockaddr_in address_of(SOCKET s)
{
	struct sockaddr_in a;
	int length = sizeof a;

	OK(getsockname(s, (struct sockaddr *)&a, &length));
	EQUAL(length, sizeof a);
	return a;
}

/* A socket of a type, bound to a port of the system's choice. */
static inline SOCKET bound(int type)
{
	struct sockaddr_in a = loopback(0);
	SOCKET s = socket(AF_INET, type, 0);

	CHECK(s != INVALID_SOCKET);
	OK(bind(s, (struct sockaddr *)&a, sizeof a));
	return s;
}

static inline SOCKET listener(void)
{
	SOCKET s = bound(SOCK_STREAM);

	OK(listen(s, SOMAXCONN));
	return s;
}

/* Two connected stream sockets. */
static inline void pair(SOCKET *one, SOCKET *other)
{
	SOCKET l = listener();
	struct sockaddr_in a = address_of(l);

	*one = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
	CHECK(*one != INVALID_SOCKET);
	OK(connect(*one, (struct sockaddr *)&a, sizeof a));
	*other = accept(l, NULL, NULL);
	CHECK(*other != INVALID_SOCKET);
	OK(closesocket(l));
}

#endif
