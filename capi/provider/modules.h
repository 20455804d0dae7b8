/* What is behind provider.h: the list of modules, and why one could not be opened. */
#ifndef UPCALL_CAPI_MODULES_H
#define UPCALL_CAPI_MODULES_H

#include <stdatomic.h>
#include <stdint.h>

#include "provider.h"

/* A shared object that is open or has been. Nodes are never freed. */
struct upcall_object {
	struct upcall_object *next;
	/* 0 while it is not open. The handler of crashes reads this, and then the
	 * rest. */
	_Atomic uintptr_t start;
	uintptr_t end;
	_Atomic uint64_t loading; /* no two have had the same */
	char path[1024];
	void *handle;
	unsigned opened;
	int (*main)(void *module, uint32_t reason, void *reserved);
};

/* The first of all nodes. */
extern _Atomic(struct upcall_object *) upcall_objects;

/*
 * As upcall_provider_open for a shared object; what is wrong is written to why,
 * whose size is given.
 */
void *upcall_object_open(const char *path, char *why, unsigned size);
void *upcall_object_symbol(void *module, const char *name);
int upcall_object_close(void *module);

/* The loading of the shared object that code is in, 0 if it is in none of them. Calls nobody. */
uint64_t upcall_object_loading(uintptr_t code);

#endif
