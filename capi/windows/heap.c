#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"

/*
 * A heap is a list of the blocks of libc's that HeapDestroy frees; the process
 * heap, and what the Local functions use, is libc's alone and keeps no list.
 */
struct block {
	struct block *next, *previous;
	SIZE_T size;
	struct heap *heap;
};

struct heap {
	struct block blocks; /* the list's ends */
	pthread_mutex_t lock;
	BOOL listed;
};

static struct heap process_heap = {.lock = PTHREAD_MUTEX_INITIALIZER};

HANDLE WINAPI GetProcessHeap(void)
{
	return (HANDLE)&process_heap;
}

HANDLE WINAPI HeapCreate(DWORD options, SIZE_T initial, SIZE_T maximum)
{
	struct heap *h = calloc(1, sizeof *h);

	FAIL_IF(h ? 0 : ERROR_NOT_ENOUGH_MEMORY, NULL);
	h->blocks.next = h->blocks.previous = &h->blocks;
	h->listed = TRUE;
	pthread_mutex_init(&h->lock, NULL);
	return (HANDLE)h;
}

static void list(struct heap *h, struct block *b)
{
	if (!h->listed)
		return;
	pthread_mutex_lock(&h->lock);
	b->next = h->blocks.next;
	b->previous = &h->blocks;
	b->next->previous = b->previous->next = b;
	pthread_mutex_unlock(&h->lock);
}

static void unlist(struct heap *h, struct block *b)
{
	if (!h->listed)
		return;
	pthread_mutex_lock(&h->lock);
	b->next->previous = b->previous;
	b->previous->next = b->next;
	pthread_mutex_unlock(&h->lock);
}

BOOL WINAPI HeapDestroy(HANDLE handle)
{
	struct heap *h = (struct heap *)handle;

	FAIL_IF(!h || !h->listed ? ERROR_INVALID_HANDLE : 0, FALSE);
	for (struct block *b = h->blocks.next, *next; b != &h->blocks; b = next) {
		next = b->next;
		free(b);
	}
	pthread_mutex_destroy(&h->lock);
	free(h);
	return TRUE;
}

static struct block *block_of(LPCVOID memory)
{
	return (struct block *)memory - 1;
}

LPVOID WINAPI HeapAlloc(HANDLE handle, DWORD flags, SIZE_T size)
{
	struct heap *h = (struct heap *)handle;
	SIZE_T whole = size + sizeof(struct block);
	struct block *b;

	FAIL_IF(h ? 0 : ERROR_INVALID_HANDLE, NULL);
	b = whole < size ? NULL : flags & HEAP_ZERO_MEMORY ? calloc(1, whole) : malloc(whole);
	FAIL_IF(b ? 0 : ERROR_NOT_ENOUGH_MEMORY, NULL);
	b->size = size;
	b->heap = h;
	list(h, b);
	return b + 1;
}

LPVOID WINAPI HeapReAlloc(HANDLE handle, DWORD flags, LPVOID memory, SIZE_T size)
{
	struct heap *h = (struct heap *)handle;
	SIZE_T whole = size + sizeof(struct block), before;
	struct block *b, *moved;

	FAIL_IF(!h || !memory ? ERROR_INVALID_PARAMETER : 0, NULL);
	b = block_of(memory);
	FAIL_IF(b->heap == h ? 0 : ERROR_INVALID_PARAMETER, NULL);
	before = b->size;
	FAIL_IF(whole < size || ((flags & HEAP_REALLOC_IN_PLACE_ONLY) && size > before) ? ERROR_NOT_ENOUGH_MEMORY : 0, NULL);
	if (flags & HEAP_REALLOC_IN_PLACE_ONLY) {
		b->size = size;
		return memory;
	}
	unlist(h, b);
	moved = realloc(b, whole);
	list(h, moved ? moved : b);
	FAIL_IF(moved ? 0 : ERROR_NOT_ENOUGH_MEMORY, NULL);
	if ((flags & HEAP_ZERO_MEMORY) && size > before)
		memset((char *)(moved + 1) + before, 0, size - before);
	moved->size = size;
	return moved + 1;
}

BOOL WINAPI HeapFree(HANDLE handle, DWORD flags, LPVOID memory)
{
	struct heap *h = (struct heap *)handle;
	struct block *b;

	if (!memory)
		return TRUE;
	FAIL_IF(h ? 0 : ERROR_INVALID_HANDLE, FALSE);
	b = block_of(memory);
	FAIL_IF(b->heap == h ? 0 : ERROR_INVALID_PARAMETER, FALSE);
	unlist(h, b);
	free(b);
	return TRUE;
}

SIZE_T WINAPI HeapSize(HANDLE handle, DWORD flags, LPCVOID memory)
{
	if (!handle || !memory || block_of(memory)->heap != (struct heap *)handle)
		return (SIZE_T)-1;
	return block_of(memory)->size;
}

/* Memory for the Local functions is fixed: the handle is the address. */
HLOCAL WINAPI LocalAlloc(UINT flags, SIZE_T size)
{
	void *p;

	FAIL_IF(flags & ~(UINT)LPTR ? ERROR_INVALID_PARAMETER : 0, NULL);
	p = flags & LMEM_ZEROINIT ? calloc(1, size ? size : 1) : malloc(size ? size : 1);
	FAIL_IF(p ? 0 : ERROR_NOT_ENOUGH_MEMORY, NULL);
	return p;
}

HLOCAL WINAPI LocalFree(HLOCAL memory)
{
	free(memory);
	return NULL;
}
