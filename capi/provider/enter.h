/* What surrounds every call into a provider's code. */
#ifndef UPCALL_CAPI_ENTER_H
#define UPCALL_CAPI_ENTER_H

#include "calls.h"
#include "thread.h"

struct upcall_entered {
	const char *provider;
	const char *function;
	struct upcall_inside *inside;
};

/* The calling thread's count among a library's. */
unsigned upcall_shard(void);

static inline struct upcall_entered upcall_enter(struct upcall_library *l, const char *function)
{
	struct upcall_thread *t = &upcall_thread;
	struct upcall_entered e = {t->provider, t->function, &l->inside[upcall_shard()]};

	atomic_fetch_add_explicit(&e.inside->n, 1, memory_order_relaxed);
	t->provider = l->path;
	t->function = function;
	t->depth++;
	return e;
}

void upcall_last_left(struct upcall_library *l);

static inline void upcall_leave(struct upcall_library *l, const struct upcall_entered *e)
{
	struct upcall_thread *t = &upcall_thread;

	t->depth--;
	t->provider = e->provider;
	t->function = e->function;
	/* In one order with the setting of closing: either this thread sees it, or
	 * who set it sees this thread gone. */
	atomic_fetch_sub(&e->inside->n, 1);
	if (__builtin_expect(atomic_load(&l->closing), 0))
		upcall_last_left(l);
}

#endif
