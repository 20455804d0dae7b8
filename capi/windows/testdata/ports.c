/* Completion ports: their calls, and packets of sockets' operations. */
#include "check.h"

static HANDLE new_port(DWORD threads)
{
	HANDLE p = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, threads);

	CHECK(p);
	return p;
}

/* Programs post numbers that are the address of nothing. */
static void numbers_for_operations(HANDLE p)
{
	static const ULONG_PTR numbers[] = {1, 4095, 0xc000000001, ~(ULONG_PTR)0};
	OVERLAPPED_ENTRY entries[4];
	OVERLAPPED *got;
	DWORD n;
	ULONG_PTR key;
	ULONG taken;

	for (int twice = 0; twice < 2; twice++)
		for (int i = 0; i < 4; i++)
			CHECK(PostQueuedCompletionStatus(p, i, 0, (OVERLAPPED *)numbers[i]));
	for (int i = 0; i < 4; i++)
		CHECK(GetQueuedCompletionStatus(p, &n, &key, &got, INFINITE) && n == (DWORD)i && (ULONG_PTR)got == numbers[i]);
	memset(entries, 0xa5, sizeof entries);
	CHECK(GetQueuedCompletionStatusEx(p, entries, 4, &taken, INFINITE, FALSE) && taken == 4);
	for (int i = 0; i < 4; i++)
		CHECK((ULONG_PTR)entries[i].lpOverlapped == numbers[i] && entries[i].dwNumberOfBytesTransferred == (DWORD)i);
}

static void calls(void)
{
	HANDLE p = new_port(0);
	OVERLAPPED ov, *got = &ov;
	OVERLAPPED_ENTRY entries[4];
	DWORD n = 0;
	ULONG taken = 9;
	ULONG_PTR key = 0;

	FAILS((ULONG_PTR)CreateIoCompletionPort(INVALID_HANDLE_VALUE, p, 0, 0), ERROR_INVALID_PARAMETER);
	FAILS((ULONG_PTR)CreateIoCompletionPort((HANDLE)12345, p, 0, 0), ERROR_INVALID_HANDLE);
	FAILS((ULONG_PTR)CreateIoCompletionPort((HANDLE)12345, NULL, 0, 0), ERROR_INVALID_HANDLE);

	FAILS(GetQueuedCompletionStatus(p, &n, &key, &got, 0), WAIT_TIMEOUT);
	CHECK(got == NULL);
	FAILS(GetQueuedCompletionStatusEx(p, entries, 4, &taken, 1, FALSE), WAIT_TIMEOUT);
	EQUAL(taken, 0);
	FAILS(GetQueuedCompletionStatusEx(p, entries, 0, &taken, 0, FALSE), ERROR_INVALID_PARAMETER);

	for (int i = 0; i < 5; i++)
		CHECK(PostQueuedCompletionStatus(p, 10 + i, 20 + i, i == 1 ? NULL : &ov + i));
	CHECK(GetQueuedCompletionStatus(p, &n, &key, &got, INFINITE));
	CHECK(n == 10 && key == 20 && got == &ov);
	CHECK(GetQueuedCompletionStatus(p, &n, &key, &got, INFINITE));
	CHECK(n == 11 && key == 21 && got == NULL);
	CHECK(GetQueuedCompletionStatusEx(p, entries, 4, &taken, INFINITE, TRUE));
	EQUAL(taken, 3);
	for (int i = 2; i < 5; i++) {
		EQUAL(entries[i - 2].dwNumberOfBytesTransferred, 10 + i);
		EQUAL(entries[i - 2].lpCompletionKey, 20 + i);
		EQUAL(entries[i - 2].Internal, 0);
		CHECK(entries[i - 2].lpOverlapped == &ov + i);
	}
	numbers_for_operations(p);
	CHECK(CloseHandle(p));
	FAILS(GetQueuedCompletionStatus(p, &n, &key, &got, 0), ERROR_INVALID_HANDLE);
	FAILS(PostQueuedCompletionStatus(p, 0, 0, NULL), ERROR_INVALID_HANDLE);
	FAILS(CloseHandle(p), ERROR_INVALID_HANDLE);
}

static DWORD WINAPI wait_for_the_end(LPVOID p)
{
	DWORD n;
	ULONG_PTR key;
	OVERLAPPED *ov = (OVERLAPPED *)1;

	FAILS(GetQueuedCompletionStatus(p, &n, &key, &ov, INFINITE), ERROR_ABANDONED_WAIT_0);
	CHECK(ov == NULL);
	return 1;
}

static VOID CALLBACK nothing(ULONG_PTR p)
{
}

static void ends_of_waits(void)
{
	HANDLE p = new_port(1), t = CreateThread(NULL, 0, wait_for_the_end, p, 0, NULL);
	OVERLAPPED_ENTRY e;
	ULONG n;
	DWORD code;

	EQUAL(WaitForSingleObject(t, 20), WAIT_TIMEOUT);
	CHECK(CloseHandle(p));
	EQUAL(WaitForSingleObject(t, INFINITE), WAIT_OBJECT_0);
	CHECK(GetExitCodeThread(t, &code) && code == 1 && CloseHandle(t));

	p = new_port(1);
	CHECK(QueueUserAPC(nothing, GetCurrentThread(), 0));
	FAILS(GetQueuedCompletionStatusEx(p, &e, 1, &n, INFINITE, TRUE), WAIT_IO_COMPLETION);
	CHECK(CloseHandle(p));
}

static void sockets(void)
{
	SOCKET a, b;
	HANDLE p;
	OVERLAPPED in = {0}, out = {0}, *got;
	char buffer[16];
	DWORD n;
	ULONG_PTR key;

	pair(&a, &b);
	p = CreateIoCompletionPort((HANDLE)a, NULL, 77, 1); /* both at once */
	CHECK(p);
	CHECK(CreateIoCompletionPort((HANDLE)b, p, 78, 0) == p);
	FAILS((ULONG_PTR)CreateIoCompletionPort((HANDLE)b, p, 78, 0), ERROR_INVALID_PARAMETER);

	FAILS(ReadFile((HANDLE)a, buffer, sizeof buffer, NULL, &in), ERROR_IO_PENDING);
	CHECK(!HasOverlappedIoCompleted(&in));
	FAILS(GetOverlappedResult((HANDLE)a, &in, &n, FALSE), ERROR_IO_INCOMPLETE);
	CHECK(WriteFile((HANDLE)b, "hello", 5, NULL, &out) || GetLastError() == ERROR_IO_PENDING);
	for (int i = 0; i < 2; i++) {
		CHECK(GetQueuedCompletionStatus(p, &n, &key, &got, INFINITE));
		CHECK((got == &in && key == 77) || (got == &out && key == 78));
		EQUAL(n, 5);
	}
	CHECK(memcmp(buffer, "hello", 5) == 0);
	CHECK(HasOverlappedIoCompleted(&in));
	CHECK(GetOverlappedResult((HANDLE)a, &in, &n, FALSE));
	EQUAL(n, 5);

	/* One that fails: FALSE, with its packet. */
	FAILS(ReadFile((HANDLE)a, buffer, sizeof buffer, NULL, &in), ERROR_IO_PENDING);
	CHECK(CancelIoEx((HANDLE)a, &in));
	got = NULL;
	FAILS(GetQueuedCompletionStatus(p, &n, &key, &got, INFINITE), ERROR_OPERATION_ABORTED);
	CHECK(got == &in && key == 77);
	FAILS(CancelIoEx((HANDLE)a, &in), ERROR_NOT_FOUND);
	CHECK(CancelIo((HANDLE)a));
	FAILS(CancelIo((HANDLE)12345), ERROR_INVALID_HANDLE);

	/* Without an OVERLAPPED: they wait. */
	CHECK(WriteFile((HANDLE)a, "again", 5, &n, NULL));
	EQUAL(n, 5);
	CHECK(ReadFile((HANDLE)b, buffer, 5, &n, NULL));
	EQUAL(n, 5);
	FAILS(ReadFile((HANDLE)b, buffer, 5, NULL, NULL), ERROR_INVALID_PARAMETER);
	CHECK(CloseHandle((HANDLE)a)); /* a socket's handle is the socket */
	CHECK(ReadFile((HANDLE)b, buffer, 5, &n, NULL));
	EQUAL(n, 0);
	FAILS(ReadFile((HANDLE)a, buffer, 5, &n, NULL), ERROR_INVALID_HANDLE);
	OK(closesocket(b));
	CHECK(CloseHandle(p));
}

#define WORKERS 4
#define PACKETS 20000

static LONG counts[PACKETS];

static DWORD WINAPI take(LPVOID p)
{
	DWORD n, taken = 0;
	ULONG_PTR key;
	OVERLAPPED *ov;

	while (GetQueuedCompletionStatus(p, &n, &key, &ov, INFINITE) && key < PACKETS) {
		EQUAL(InterlockedIncrement(&counts[key]), 1);
		taken++;
	}
	return taken;
}

/* Each packet is taken by one of several threads. */
static void many(void)
{
	HANDLE p = new_port(2), t[WORKERS];
	DWORD code, total = 0;

	for (int i = 0; i < WORKERS; i++)
		t[i] = CreateThread(NULL, 0, take, p, 0, NULL);
	for (int i = 0; i < PACKETS; i++)
		CHECK(PostQueuedCompletionStatus(p, 0, i, NULL));
	for (int i = 0; i < WORKERS; i++)
		CHECK(PostQueuedCompletionStatus(p, 0, PACKETS, NULL));
	EQUAL(WaitForMultipleObjects(WORKERS, t, TRUE, INFINITE), WAIT_OBJECT_0);
	for (int i = 0; i < WORKERS; i++) {
		CHECK(GetExitCodeThread(t[i], &code) && CloseHandle(t[i]));
		total += code;
	}
	EQUAL(total, PACKETS);
	CHECK(CloseHandle(p));
}

int main(void)
{
	calls();
	ends_of_waits();
	start(MAKEWORD(2, 2));
	sockets();
	many();
	OK(WSACleanup());
	return 0;
}
