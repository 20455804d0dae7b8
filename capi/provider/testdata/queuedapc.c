/* A layer in C has queued an APC when the last WSACleanup unloads it. */
#include "check.h"

#include <ws2spi.h>

static void CALLBACK routine(DWORD error, DWORD bytes, LPWSAOVERLAPPED overlapped, DWORD flags)
{
}

int main(void)
{
	WSAOVERLAPPED overlapped = {0};
	DWORD flags = 0, bytes;
	char c;
	WSABUF buf = {1, &c};
	SOCKET a, b;

	start(MAKEWORD(2, 2));
	pair(&a, &b);
	EQUAL(WSARecv(a, &buf, 1, &bytes, &flags, &overlapped, routine), SOCKET_ERROR);
	EQUAL(WSAGetLastError(), WSA_IO_PENDING);
	EQUAL(send(b, "x", 1, 0), 1);
	while (__atomic_load_n(&overlapped.Internal, __ATOMIC_ACQUIRE) == WSS_OPERATION_IN_PROGRESS)
		Sleep(1); /* the layer queues right after */
	OK(WSACleanup()); /* which waits for the layer's worker */
	SleepEx(0, TRUE);
	start(MAKEWORD(2, 2));
	pair(&a, &b);
	EQUAL(send(a, "x", 1, 0), 1);
	OK(WSACleanup());
	return 0;
}
