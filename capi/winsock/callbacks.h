/*
 * How Go calls functions of the program. Pointers are uintptr_t: what they point
 * to may be Go's, on its heap and kept alive by the caller.
 */
#ifndef UPCALL_CAPI_CALLBACKS_H
#define UPCALL_CAPI_CALLBACKS_H

#include <winsock2.h>

/* The arguments of a condition function. */
struct upcall_condition {
	uintptr_t caller;
	uint32_t caller_length;
	uintptr_t caller_data, sqos, gqos;
	uintptr_t callee;
	uint32_t callee_length;
	uintptr_t callee_data, group, context;
};

static inline int32_t upcall_ask(uintptr_t condition, const struct upcall_condition *c)
{
	WSABUF caller = {c->caller_length, (CHAR *)c->caller}, callee = {c->callee_length, (CHAR *)c->callee};

	return ((LPCONDITIONPROC)condition)(&caller, (LPWSABUF)c->caller_data, (LPQOS)c->sqos, (LPQOS)c->gqos,
		&callee, (LPWSABUF)c->callee_data, (GROUP *)c->group, c->context);
}

static inline void upcall_completed(uintptr_t routine, uint32_t error, uint32_t transferred, uintptr_t overlapped, uint32_t flags)
{
	((LPWSAOVERLAPPED_COMPLETION_ROUTINE)routine)(error, transferred, (LPWSAOVERLAPPED)overlapped, flags);
}

static inline int32_t upcall_hooked(uintptr_t hook)
{
	return ((BOOL (CALLBACK *)(void))hook)();
}

#endif
