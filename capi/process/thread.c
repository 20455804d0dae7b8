#include "thread.h"

#include <pthread.h>

#include "_cgo_export.h"

UPCALL_TLS struct upcall_thread upcall_thread;
int upcall_forked;

/* The key's destructor tells Go that a thread ends. */
static pthread_key_t ending;

static void end(void *go)
{
	if (go && !upcall_forked) {
		upcall_thread.go = 0;
		upcallThreadEnds(go);
	}
}

static void forked(void)
{
	upcall_forked = 1;
}

__attribute__((constructor)) static void prepare(void)
{
	pthread_key_create(&ending, end);
	pthread_atfork(0, 0, forked);
}

void *upcall_adopt(void)
{
	struct upcallAdopt_return a = upcallAdopt(upcall_thread.depth > 0);

	void *go = (void *)a.r0;

	if (a.r1) {
		upcall_thread.go = go;
		pthread_setspecific(ending, go);
	}
	return go;
}

int upcall_in_provider(void)
{
	return upcall_thread.depth > 0;
}
