#include <stdlib.h>
#include <string.h>

#include "_cgo_export.h"
#include "enter.h"
#include "modules.h"
#include "upcalls.h"

static _Atomic unsigned shards;
static __thread unsigned shard __attribute__((tls_model("initial-exec")));
static __thread uintptr_t starting __attribute__((tls_model("initial-exec")));

unsigned upcall_shard(void)
{
	if (__builtin_expect(shard == 0, 0))
		shard = atomic_fetch_add(&shards, 1) % INSIDE + 1;
	return shard - 1;
}

uintptr_t upcall_starting(void)
{
	return starting;
}

/* All that there have been, so that a search for leaks finds them. */
static struct upcall_library *libraries;

struct upcall_library *upcall_library_new(const char *path, uint64_t number)
{
	size_t size = sizeof(struct upcall_library) + strlen(path) + 1;
	struct upcall_library *l = aligned_alloc(64, (size + 63) & ~(size_t)63);

	memset(l, 0, sizeof *l);
	l->number = number;
	strcpy(l->path, path);
	l->older = libraries; /* the caller has the list locked */
	libraries = l;
	return l;
}

int upcall_library_open(struct upcall_library *l, char *why, unsigned size)
{
	l->module = upcall_object_open(l->path, why, size);
	if (!l->module)
		return 0;
	l->startup = (LPWSPSTARTUP)upcall_object_symbol(l->module, "WSPStartup");
	if (l->startup) {
		atomic_store(&l->closing, 0);
		return 1;
	}
	strncpy(why, "it exports no WSPStartup", size);
	upcall_object_close(l->module);
	l->module = 0;
	return 0;
}

void upcall_library_close(struct upcall_library *l)
{
	struct upcall_started *s = atomic_exchange(&l->started, 0);

	while (s) {
		struct upcall_started *next = s->next;

		free(s);
		s = next;
	}
	upcall_object_close(l->module);
	l->module = 0;
	l->startup = 0;
}

static long inside(struct upcall_library *l)
{
	long n = 0;

	for (int i = 0; i < INSIDE; i++)
		n += atomic_load(&l->inside[i].n);
	return n;
}

int upcall_library_idle(struct upcall_library *l)
{
	atomic_store(&l->closing, 1);
	return inside(l) == 0;
}

void upcall_library_keep(struct upcall_library *l)
{
	atomic_store(&l->closing, 0);
}

void upcall_last_left(struct upcall_library *l)
{
	if (inside(l) == 0)
		goLibraryLeft(l->number);
}

struct upcall_started_result upcall_library_start(struct upcall_library *l, uint16_t version, uintptr_t data, uintptr_t info, uintptr_t context)
{
	struct upcall_started_result r = {0};
	struct upcall_started *s = calloc(1, sizeof *s);
	struct upcall_entered entered;
	uintptr_t outer = starting;

	if (!s) {
		r.error = WSA_NOT_ENOUGH_MEMORY;
		return r;
	}
	s->library = l;
	starting = context;
	entered = upcall_enter(l, "WSPStartup");
	r.error = l->startup(version, (LPWSPDATA)data, (LPWSAPROTOCOL_INFOW)info, *upcall_table(), &s->table);
	upcall_leave(l, &entered);
	starting = outer;
	if (r.error) {
		free(s);
		return r;
	}
	for (int i = 0; i < 30; i++)
		if (!((void **)&s->table)[i])
			r.missing |= 1u << i;
	s->next = atomic_load(&l->started);
	while (!atomic_compare_exchange_weak(&l->started, &s->next, s))
		;
	r.started = s;
	return r;
}
