#include <pthread.h>
#include <stdlib.h>

#include <winsock2.h>
#include <upcall_wah.h>

/* Tables of a provider's structures by handle: open hashing, with a lock. */
enum { BUCKETS = 1024 };

struct node {
	struct node *next;
	LPUPCALL_HANDLE_CONTEXT context;
};

struct _UPCALL_HANDLE_TABLE {
	pthread_mutex_t lock; /* a leaf lock, but for an enumeration's function; guards the nodes */
	struct node *buckets[BUCKETS];
};

static struct node **bucket(LPUPCALL_HANDLE_TABLE table, HANDLE h)
{
	return &table->buckets[((uintptr_t)h * 0x9E3779B97F4A7C15u) >> 54];
}

/* Where the node of a handle is, or would be put. */
static struct node **find(LPUPCALL_HANDLE_TABLE table, HANDLE h)
{
	struct node **at = bucket(table, h);

	while (*at && (*at)->context->Handle != h)
		at = &(*at)->next;
	return at;
}

DWORD WSPAPI WahCreateHandleContextTable(LPUPCALL_HANDLE_TABLE *table)
{
	if (!table)
		return WSAEFAULT;
	*table = calloc(1, sizeof **table);
	if (!*table)
		return WSA_NOT_ENOUGH_MEMORY;
	pthread_mutex_init(&(*table)->lock, 0);
	return 0;
}

DWORD WSPAPI WahDestroyHandleContextTable(LPUPCALL_HANDLE_TABLE table)
{
	if (!table)
		return WSAEINVAL;
	for (int i = 0; i < BUCKETS; i++)
		for (struct node *n = table->buckets[i], *next; n; n = next) {
			next = n->next;
			free(n);
		}
	pthread_mutex_destroy(&table->lock);
	free(table);
	return 0;
}

LPUPCALL_HANDLE_CONTEXT WSPAPI WahInsertHandleContext(LPUPCALL_HANDLE_TABLE table, LPUPCALL_HANDLE_CONTEXT context)
{
	struct node **at, *n;
	LPUPCALL_HANDLE_CONTEXT result = context;

	pthread_mutex_lock(&table->lock);
	at = find(table, context->Handle);
	n = *at;
	if (n) {
		result = n->context;
	} else {
		n = calloc(1, sizeof *n);
		*at = n;
	}
	if (n) {
		n->context = context;
		__atomic_add_fetch(&context->RefCount, 1, __ATOMIC_SEQ_CST);
	} else {
		result = 0;
	}
	pthread_mutex_unlock(&table->lock);
	return result;
}

LPUPCALL_HANDLE_CONTEXT WSPAPI WahReferenceContextByHandle(LPUPCALL_HANDLE_TABLE table, HANDLE h)
{
	struct node *n;
	LPUPCALL_HANDLE_CONTEXT context = 0;

	pthread_mutex_lock(&table->lock);
	n = *find(table, h);
	if (n) {
		context = n->context;
		__atomic_add_fetch(&context->RefCount, 1, __ATOMIC_SEQ_CST);
	}
	pthread_mutex_unlock(&table->lock);
	return context;
}

DWORD WSPAPI WahRemoveHandleContext(LPUPCALL_HANDLE_TABLE table, LPUPCALL_HANDLE_CONTEXT context)
{
	struct node **at, *n;
	DWORD e = WSAENOTSOCK;

	pthread_mutex_lock(&table->lock);
	at = find(table, context->Handle);
	n = *at;
	if (n && n->context == context) {
		*at = n->next;
		free(n);
		e = 0;
	}
	pthread_mutex_unlock(&table->lock);
	return e;
}

BOOL WSPAPI WahEnumerateHandleContexts(LPUPCALL_HANDLE_TABLE table, LPUPCALL_HANDLE_ENUM fn, LPVOID argument)
{
	BOOL go_on = TRUE;

	pthread_mutex_lock(&table->lock);
	for (int i = 0; go_on && i < BUCKETS; i++)
		for (struct node *n = table->buckets[i]; go_on && n; n = n->next)
			go_on = fn(argument, n->context);
	pthread_mutex_unlock(&table->lock);
	return go_on;
}
