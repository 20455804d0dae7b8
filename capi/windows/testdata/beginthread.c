/* Threads of _beginthread, which close their handles themselves. */
#include <errno.h>
#include <process.h>

#include "check.h"

static HANDLE done;

static void returns(void *p)
{
	EQUAL(*(int *)p, 7);
	CHECK(SetEvent(done));
}

static void ends(void *p)
{
	*(int *)p = 8;
	CHECK(SetEvent(done));
	_endthread();
}

int main(void)
{
	int number = 7;

	done = CreateEvent(NULL, FALSE, FALSE, NULL);
	CHECK(done);
	CHECK(_beginthread(returns, 0, &number) != (uintptr_t)-1);
	EQUAL(WaitForSingleObject(done, INFINITE), WAIT_OBJECT_0);
	CHECK(_beginthread(ends, 0, &number) != (uintptr_t)-1);
	EQUAL(WaitForSingleObject(done, INFINITE), WAIT_OBJECT_0);
	EQUAL(number, 8);
	errno = 0;
	EQUAL(_beginthread(NULL, 0, NULL), -1);
	EQUAL(errno, EINVAL);
	return 0;
}
