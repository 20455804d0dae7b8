#define _GNU_SOURCE
#include "modules.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "_cgo_export.h"
#include "thread.h"
#include "thunks.h"

enum { PROCESS_DETACH = 0, PROCESS_ATTACH = 1 };
enum { INVALID_HANDLE = 6, MOD_NOT_FOUND = 126, PROC_NOT_FOUND = 127, DLL_INIT_FAILED = 1114 };

_Atomic(struct upcall_object *) upcall_objects;

/* Guards the nodes, except against the handler of crashes. Recursive, for a
 * DllMain may load a library. */
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

static uint64_t loadings; /* so far */

struct extent {
	ElfW(Addr) base;
	uintptr_t start, end;
};

/* Finds where the segments of the object at extent->base begin and end. */
static int measure(struct dl_phdr_info *info, size_t size, void *data)
{
	struct extent *x = data;

	(void)size;
	if (info->dlpi_addr != x->base)
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];
		uintptr_t from = info->dlpi_addr + h->p_vaddr;

		if (h->p_type != PT_LOAD)
			continue;
		if (x->start == 0 || from < x->start)
			x->start = from;
		if (from + h->p_memsz > x->end)
			x->end = from + h->p_memsz;
	}
	return 1;
}

/* The symbol if the object itself defines it, not a library that it needs. */
static void *own_symbol(void *handle, const char *name)
{
	struct link_map *map = 0, *home = 0;
	void *symbol = dlsym(handle, name);
	Dl_info info;

	if (!symbol || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 ||
	    !dladdr1(symbol, &info, (void **)&home, RTLD_DL_LINKMAP))
		return 0;
	return map == home ? symbol : 0;
}

static struct upcall_object *find(void *handle)
{
	for (struct upcall_object *o = atomic_load(&upcall_objects); o; o = o->next)
		if (o->opened && o->handle == handle)
			return o;
	return 0;
}

/* A node for an object that was not open. */
static struct upcall_object *add(void *handle, const char *path)
{
	struct link_map *map = 0;
	struct extent x = {0};
	struct upcall_object *o = atomic_load(&upcall_objects);

	while (o && o->opened)
		o = o->next;
	if (!o) {
		o = calloc(1, sizeof *o);
		if (!o)
			return 0;
		o->next = atomic_load(&upcall_objects);
		atomic_store(&upcall_objects, o);
	}
	if (dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0) {
		x.base = map->l_addr;
		dl_iterate_phdr(measure, &x);
	}
	snprintf(o->path, sizeof o->path, "%s", path);
	o->handle = handle;
	o->end = x.end;
	o->opened = 1;
	o->main = (int (*)(void *, uint32_t, void *))own_symbol(handle, "DllMain");
	atomic_store(&o->loading, ++loadings);
	atomic_store_explicit(&o->start, x.start, memory_order_release);
	return o;
}

void *upcall_object_open(const char *path, char *why, unsigned size)
{
	struct upcall_object *o;
	void *handle;

	pthread_mutex_lock(&lock);
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		snprintf(why, size, "%s", dlerror());
		upcall_thread.error = MOD_NOT_FOUND;
		goto out;
	}
	o = find(handle);
	if (o) {
		o->opened++;
		goto out;
	}
	o = add(handle, path);
	if (!o) {
		snprintf(why, size, "out of memory");
		upcall_thread.error = MOD_NOT_FOUND;
	} else if (o->main && !o->main(handle, PROCESS_ATTACH, 0)) {
		snprintf(why, size, "its DllMain refused to be attached");
		o->opened = 0;
		atomic_store(&o->start, 0);
		upcall_thread.error = DLL_INIT_FAILED;
	} else {
		goto out;
	}
	dlclose(handle);
	handle = 0;
out:
	pthread_mutex_unlock(&lock);
	return handle;
}

void *upcall_object_symbol(void *module, const char *name)
{
	void *symbol = 0;

	ALIVE(0); /* another thread may have had the lock at the fork */
	pthread_mutex_lock(&lock);
	if (!find(module)) {
		upcall_thread.error = INVALID_HANDLE;
	} else {
		symbol = dlsym(module, name);
		if (!symbol)
			upcall_thread.error = PROC_NOT_FOUND;
	}
	pthread_mutex_unlock(&lock);
	return symbol;
}

int upcall_object_close(void *module)
{
	struct upcall_object *o;

	ALIVE(0);
	pthread_mutex_lock(&lock);
	o = find(module);
	if (!o) {
		upcall_thread.error = INVALID_HANDLE;
		pthread_mutex_unlock(&lock);
		return 0;
	}
	if (--o->opened == 0) {
		if (o->main)
			o->main(module, PROCESS_DETACH, 0);
		atomic_store(&o->start, 0);
	}
	dlclose(module);
	pthread_mutex_unlock(&lock);
	return 1;
}

uint64_t upcall_object_loading(uintptr_t code)
{
	for (struct upcall_object *o = atomic_load(&upcall_objects); o; o = o->next) {
		uintptr_t begin = atomic_load_explicit(&o->start, memory_order_acquire);

		if (begin && code >= begin && code < o->end)
			return atomic_load(&o->loading);
	}
	return 0;
}

void *upcall_provider_open(const char *path)
{
	char why[512] = "";
	void *module;

	if (upcall_forked) {
		upcall_thread.error = MOD_NOT_FOUND;
		return 0;
	}
	if (strncmp(path, "go:", 3) == 0) {
		int m = goModuleOpen((char *)path);

		if (m < 0)
			upcall_thread.error = MOD_NOT_FOUND;
		return m < 0 ? 0 : upcall_go_module(m);
	}
	module = upcall_object_open(path, why, sizeof why);
	return module;
}

void *upcall_provider_symbol(void *module, const char *name)
{
	int m = upcall_go_module_number(module);

	if (m < 0)
		return upcall_object_symbol(module, name);
	if (strcmp(name, "WSPStartup") == 0)
		return upcall_go_startup(m);
	upcall_thread.error = PROC_NOT_FOUND;
	return 0;
}

int upcall_provider_close(void *module)
{
	int m = upcall_go_module_number(module);

	if (m < 0)
		return upcall_object_close(module);
	if (!upcall_forked && goModuleClose(m))
		return 1;
	upcall_thread.error = INVALID_HANDLE;
	return 0;
}
