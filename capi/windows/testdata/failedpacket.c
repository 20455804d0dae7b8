/* What GetQueuedCompletionStatusEx tells of an operation that has failed. */
#include <mswsock.h>

#include "check.h"

int main(void)
{
	GUID id = WSAID_CONNECTEX;
	LPFN_CONNECTEX connect_ex = NULL;
	struct sockaddr_in any = {.sin_family = AF_INET}, nobody = {.sin_family = AF_INET};
	OVERLAPPED ov = {0};
	OVERLAPPED_ENTRY entry;
	ULONG taken = 0;
	DWORD n = 0, flags = 0;
	int length = sizeof nobody;
	HANDLE port;
	SOCKET s, reserved;

	start(MAKEWORD(2, 2));
	any.sin_addr.s_addr = nobody.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	/* A port that is bound and does not listen. */
	reserved = socket(AF_INET, SOCK_STREAM, 0);
	OK(bind(reserved, (struct sockaddr *)&nobody, sizeof nobody));
	OK(getsockname(reserved, (struct sockaddr *)&nobody, &length));

	s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(s != INVALID_SOCKET);
	port = CreateIoCompletionPort((HANDLE)s, NULL, 7, 0);
	CHECK(port);
	OK(bind(s, (struct sockaddr *)&any, sizeof any));
	OK(WSAIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, &connect_ex, sizeof connect_ex, &n, NULL, NULL));
	CHECK(connect_ex(s, (struct sockaddr *)&nobody, sizeof nobody, NULL, 0, NULL, &ov) || WSAGetLastError() == WSA_IO_PENDING);
	CHECK(GetQueuedCompletionStatusEx(port, &entry, 1, &taken, INFINITE, FALSE));
	EQUAL(taken, 1);
	EQUAL(entry.lpCompletionKey, 7);
	CHECK(entry.lpOverlapped == &ov);
	EQUAL(entry.Internal & 0xC0000000, 0xC0000000);
	FAILS(WSAGetOverlappedResult(s, &ov, &n, FALSE, &flags), WSAECONNREFUSED);
	OK(closesocket(s));
	OK(closesocket(reserved));
	return 0;
}
