#include "callbacks.h"

#include "_cgo_export.h"
#include "modules.h"
#include "thread.h"

void CALLBACK upcall_completion(DWORD error, DWORD transferred, LPWSAOVERLAPPED ov, DWORD flags)
{
	goCompletion(error, transferred, ov, flags);
}

uintptr_t upcall_completion_address(void)
{
	return (uintptr_t)upcall_completion;
}

int CALLBACK upcall_condition(LPWSABUF caller, LPWSABUF caller_data, LPQOS sqos, LPQOS gqos, LPWSABUF callee, LPWSABUF callee_data, GROUP *g, DWORD_PTR data)
{
	return goCondition(data, caller, caller_data, sqos, gqos, callee, callee_data, g);
}

BOOL CALLBACK upcall_blocking(DWORD_PTR context)
{
	return goBlocking(context);
}

void CALLBACK upcall_apc(DWORD_PTR context)
{
	goApc(context);
}

/* Runs a C function on a thread that may be one of Go's own. */
#define RUN(call_) \
	struct upcall_thread *t = &upcall_thread; \
	const char *provider = t->provider; \
	t->provider = 0; \
	t->depth++; \
	call_; \
	t->depth--; \
	t->provider = provider

void upcall_provider_run_completion(uintptr_t routine, uint32_t error, uint32_t transferred, uintptr_t ov, uint32_t flags)
{
	RUN(((LPWSAOVERLAPPED_COMPLETION_ROUTINE)routine)(error, transferred, (LPWSAOVERLAPPED)ov, flags));
}

int32_t upcall_provider_run_condition(uintptr_t condition, uintptr_t caller, uint32_t callerlen, uintptr_t caller_data, uintptr_t sqos, uintptr_t gqos, uintptr_t callee, uint32_t calleelen, uintptr_t callee_data, uintptr_t g, uintptr_t data)
{
	WSABUF from = {callerlen, (char *)caller}, to = {calleelen, (char *)callee};
	int32_t answer;

	RUN(answer = ((LPCONDITIONPROC)condition)(&from, (LPWSABUF)caller_data, (LPQOS)sqos, (LPQOS)gqos, &to, (LPWSABUF)callee_data, (GROUP *)g, data));
	return answer;
}

void upcall_provider_run_apc(uintptr_t apc, uint64_t loading, uintptr_t context)
{
	if (upcall_object_loading(apc) != loading)
		return; /* its provider has been unloaded since */
	RUN(((LPWSAUSERAPC)apc)(context));
}

int32_t upcall_provider_run_blocking(uintptr_t callback, uintptr_t context)
{
	int32_t again;

	RUN(again = ((LPBLOCKINGCALLBACK)callback)(context));
	return again;
}
