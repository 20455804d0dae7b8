/* Events, semaphores and waits for them. */
#include "check.h"

#include <time.h>

static void refused(void)
{
	HANDLE many[MAXIMUM_WAIT_OBJECTS + 1] = {0}, e = CreateEventA(NULL, TRUE, FALSE, NULL);

	CHECK(e);
	FAILS((ULONG_PTR)CreateEventA(NULL, TRUE, FALSE, "name"), ERROR_NOT_SUPPORTED);
	FAILS((ULONG_PTR)CreateSemaphoreW(NULL, 0, 1, u"name"), ERROR_NOT_SUPPORTED);
	FAILS((ULONG_PTR)CreateSemaphoreA(NULL, 2, 1, NULL), ERROR_INVALID_PARAMETER);
	FAILS(SetEvent(NULL), ERROR_INVALID_HANDLE);
	FAILS(ResetEvent(INVALID_HANDLE_VALUE), ERROR_INVALID_HANDLE);
	FAILS(CloseHandle(NULL), ERROR_INVALID_HANDLE);
	FAILS(CloseHandle(INVALID_HANDLE_VALUE), ERROR_INVALID_HANDLE);
	CHECK(CloseHandle(GetCurrentThread()));

	FAILS((int)WaitForSingleObject(NULL, 0), ERROR_INVALID_HANDLE);
	FAILS((int)WaitForMultipleObjects(0, &e, FALSE, 0), ERROR_INVALID_PARAMETER);
	FAILS((int)WaitForMultipleObjects(1, NULL, FALSE, 0), ERROR_INVALID_PARAMETER);
	FAILS((int)WaitForMultipleObjects(MAXIMUM_WAIT_OBJECTS + 1, many, FALSE, 0), ERROR_INVALID_PARAMETER);
	many[0] = many[1] = e;
	FAILS((int)WaitForMultipleObjects(2, many, TRUE, 0), ERROR_INVALID_PARAMETER);
	EQUAL(WaitForMultipleObjects(2, many, FALSE, 0), WAIT_TIMEOUT);

	CHECK(CloseHandle(e));
	FAILS(CloseHandle(e), ERROR_INVALID_HANDLE);
	FAILS((int)WaitForSingleObject(e, 0), ERROR_INVALID_HANDLE);
}

static void events(void)
{
	HANDLE manual = CreateEventW(NULL, TRUE, TRUE, NULL), automatic = CreateEventA(NULL, FALSE, TRUE, NULL);
	HANDLE both[2] = {manual, automatic};

	EQUAL(WaitForMultipleObjects(2, both, TRUE, 0), WAIT_OBJECT_0);
	EQUAL(WaitForMultipleObjects(2, both, TRUE, 1), WAIT_TIMEOUT);
	EQUAL(WaitForMultipleObjects(2, both, FALSE, INFINITE), WAIT_OBJECT_0);
	CHECK(ResetEvent(manual));
	EQUAL(WaitForMultipleObjects(2, both, FALSE, 0), WAIT_TIMEOUT);
	CHECK(SetEvent(automatic));
	CHECK(SetEvent(automatic));
	EQUAL(WaitForMultipleObjects(2, both, FALSE, INFINITE), WAIT_OBJECT_0 + 1);
	EQUAL(WaitForSingleObject(automatic, 0), WAIT_TIMEOUT);

	/* Winsock's events are the same objects. */
	CHECK(WSASetEvent(manual));
	EQUAL(WaitForSingleObject(manual, 0), WAIT_OBJECT_0);
	CHECK(CloseHandle(manual));
	CHECK(WSACloseEvent(automatic));
}

static void semaphores(void)
{
	HANDLE s = CreateSemaphoreA(NULL, 1, 3, NULL), e = CreateEventA(NULL, TRUE, TRUE, NULL), both[2] = {e, s};
	LONG before = -1;

	CHECK(s);
	EQUAL(WaitForMultipleObjects(2, both, TRUE, INFINITE), WAIT_OBJECT_0);
	EQUAL(WaitForMultipleObjects(2, both, TRUE, 0), WAIT_TIMEOUT);
	CHECK(ReleaseSemaphore(s, 2, &before));
	EQUAL(before, 0);
	FAILS(ReleaseSemaphore(s, 2, &before), ERROR_TOO_MANY_POSTS);
	EQUAL(before, 0);
	FAILS(ReleaseSemaphore(s, 0, NULL), ERROR_INVALID_PARAMETER);
	FAILS(ReleaseSemaphore(e, 1, NULL), ERROR_INVALID_HANDLE);
	FAILS(SetEvent(s), ERROR_INVALID_HANDLE);
	EQUAL(WaitForSingleObject(s, 0), WAIT_OBJECT_0);
	CHECK(ResetEvent(e));
	EQUAL(WaitForMultipleObjects(2, both, FALSE, INFINITE), WAIT_OBJECT_0 + 1);
	EQUAL(WaitForSingleObject(s, 0), WAIT_TIMEOUT);
	CHECK(CloseHandle(s));
	FAILS(ReleaseSemaphore(s, 1, NULL), ERROR_INVALID_HANDLE);
	CHECK(CloseHandle(e));
}

static void times(void)
{
	ULONGLONG start = GetTickCount64();
	LARGE_INTEGER frequency, one, two;
	FILETIME now;
	ULARGE_INTEGER units;

	CHECK(QueryPerformanceFrequency(&frequency) && frequency.QuadPart >= 1000000);
	CHECK(QueryPerformanceCounter(&one));
	Sleep(20);
	EQUAL(SleepEx(5, TRUE), 0);
	CHECK(QueryPerformanceCounter(&two));
	CHECK((two.QuadPart - one.QuadPart) * 1000 / frequency.QuadPart >= 25);
	CHECK(GetTickCount64() - start >= 24);
	CHECK(GetTickCount() - (DWORD)start >= 24);
	GetSystemTimeAsFileTime(&now);
	units.LowPart = now.dwLowDateTime;
	units.HighPart = now.dwHighDateTime;
	CHECK(llabs((long long)(units.QuadPart / 10000000 - 11644473600ULL) - (long long)time(NULL)) <= 1);
}

int main(void)
{
	SetLastError(7);
	EQUAL(WSAGetLastError(), 7);
	refused();
	SetLastError(7);
	events();
	EQUAL(GetLastError(), 7); /* success leaves it alone */
	semaphores();
	times();
	return 0;
}
