/*
 * Calls from Go into a provider written in C: its WSPStartup and its thirty
 * functions. Memory comes as uintptr_t, since cgo lets no Go pointer through
 * that points to another.
 *
 * Each returns the provider's error code, 0 for success and NO_CODE for a
 * failure without one.
 */
#ifndef UPCALL_CAPI_CALLS_H
#define UPCALL_CAPI_CALLS_H

#include <ws2spi.h>

#include <stdatomic.h>
#include <stdint.h>

enum { NO_CODE = -1 };

/* Counts of the threads inside a library, each on its own line of the cache. */
enum { INSIDE = 16 };
struct upcall_inside {
	_Atomic long n;
	char line[64 - sizeof(long)];
};

/* A shared object that has a WSPStartup. */
struct upcall_library {
	struct upcall_inside inside[INSIDE];
	/* It is to be closed by the last thread that leaves it. */
	_Atomic int closing;
	uint64_t number; /* by which Go knows it */
	void *module;
	LPWSPSTARTUP startup;
	/* All that its WSPStartups have returned while it is open: a thread may still
	 * be in a function of one that has ended. */
	_Atomic(struct upcall_started *) started;
	struct upcall_library *older; /* the one before; none is ever freed */
	char path[];
};

/* What one WSPStartup has returned. */
struct upcall_started {
	struct upcall_library *library;
	struct upcall_started *next;
	WSPPROC_TABLE table;
};

struct upcall_socket_result {
	uint64_t socket;
	int32_t error;
};

struct upcall_count_result {
	int32_t count;
	int32_t error;
};

/* Opens the object; what is wrong is written to why. Threads inside: none. */
struct upcall_library *upcall_library_new(const char *path, uint64_t number);
int upcall_library_open(struct upcall_library *l, char *why, unsigned size);
/* It is to be closed, by the last thread that leaves it; not zero: none is
 * inside. */
int upcall_library_idle(struct upcall_library *l);
/* It is in use again. */
void upcall_library_keep(struct upcall_library *l);
void upcall_library_close(struct upcall_library *l);

struct upcall_started_result {
	struct upcall_started *started;
	int32_t error;
	uint32_t missing; /* a bit for each pointer that is NULL */
};

/* Calls WSPStartup, with the upcall table of upcalls.h. context is what
 * upcall_starting() says meanwhile. */
struct upcall_started_result upcall_library_start(struct upcall_library *l, uint16_t version, uintptr_t data, uintptr_t info, uintptr_t context);

/* The context of the innermost WSPStartup that this thread is in, 0 if none. */
uintptr_t upcall_starting(void);

typedef struct upcall_started *callee;

struct upcall_socket_result upcall_call_accept(callee c, uint64_t s, uintptr_t addr, uintptr_t addrlen, uintptr_t condition);
int32_t upcall_call_address_to_string(callee c, uintptr_t addr, uint32_t length, uintptr_t info, uintptr_t buf, uintptr_t buflen);
int32_t upcall_call_async_select(callee c, uint64_t s, uint64_t wnd, uint32_t msg, int32_t events);
int32_t upcall_call_bind(callee c, uint64_t s, uintptr_t name, int32_t length);
int32_t upcall_call_cancel_blocking_call(callee c);
int32_t upcall_call_cleanup(callee c);
int32_t upcall_call_close_socket(callee c, uint64_t s);
int32_t upcall_call_connect(callee c, uint64_t s, uintptr_t name, int32_t length, uintptr_t caller, uintptr_t callee_data, uintptr_t sqos, uintptr_t gqos);
int32_t upcall_call_duplicate_socket(callee c, uint64_t s, uint32_t pid, uintptr_t info);
int32_t upcall_call_enum_network_events(callee c, uint64_t s, uint64_t ev, uintptr_t out);
int32_t upcall_call_event_select(callee c, uint64_t s, uint64_t ev, int32_t events);
int32_t upcall_call_get_overlapped_result(callee c, uint64_t s, uintptr_t ov, uintptr_t transferred, int32_t wait, uintptr_t flags);
int32_t upcall_call_get_peer_name(callee c, uint64_t s, uintptr_t name, uintptr_t length);
int32_t upcall_call_get_sock_name(callee c, uint64_t s, uintptr_t name, uintptr_t length);
int32_t upcall_call_get_sock_opt(callee c, uint64_t s, int32_t level, int32_t option, uintptr_t value, uintptr_t length);
int32_t upcall_call_get_qos_by_name(callee c, uint64_t s, uintptr_t name, uintptr_t qos);
int32_t upcall_call_ioctl(callee c, uint64_t s, uint32_t code, uintptr_t in, uint32_t inlen, uintptr_t out, uint32_t outlen, uintptr_t returned, uintptr_t ov, int32_t routine, uintptr_t thread);
struct upcall_socket_result upcall_call_join_leaf(callee c, uint64_t s, uintptr_t name, int32_t length, uintptr_t caller, uintptr_t callee_data, uintptr_t sqos, uintptr_t gqos, uint32_t flags);
int32_t upcall_call_listen(callee c, uint64_t s, int32_t backlog);
int32_t upcall_call_recv(callee c, uint64_t s, uintptr_t bufs, uint32_t n, uintptr_t received, uintptr_t flags, uintptr_t ov, int32_t routine, uintptr_t thread);
int32_t upcall_call_recv_disconnect(callee c, uint64_t s, uintptr_t data);
int32_t upcall_call_recv_from(callee c, uint64_t s, uintptr_t bufs, uint32_t n, uintptr_t received, uintptr_t flags, uintptr_t from, uintptr_t fromlen, uintptr_t ov, int32_t routine, uintptr_t thread);
struct upcall_count_result upcall_call_select(callee c, uintptr_t r, uintptr_t w, uintptr_t e, uintptr_t timeout);
int32_t upcall_call_send(callee c, uint64_t s, uintptr_t bufs, uint32_t n, uintptr_t sent, uint32_t flags, uintptr_t ov, int32_t routine, uintptr_t thread);
int32_t upcall_call_send_disconnect(callee c, uint64_t s, uintptr_t data);
int32_t upcall_call_send_to(callee c, uint64_t s, uintptr_t bufs, uint32_t n, uintptr_t sent, uint32_t flags, uintptr_t to, int32_t tolen, uintptr_t ov, int32_t routine, uintptr_t thread);
int32_t upcall_call_set_sock_opt(callee c, uint64_t s, int32_t level, int32_t option, uintptr_t value, int32_t length);
int32_t upcall_call_shutdown(callee c, uint64_t s, int32_t how);
struct upcall_socket_result upcall_call_socket(callee c, int32_t af, int32_t type, int32_t protocol, uintptr_t info, uint32_t g, uint32_t flags);
int32_t upcall_call_string_to_address(callee c, uintptr_t text, int32_t af, uintptr_t info, uintptr_t addr, uintptr_t length);

#endif
