/*
 * Callbacks across the boundary. A function of Go's that a provider in C is to
 * call is passed as one of the functions here; a C function that Go is to call
 * is called through upcall_provider_run_NAME.
 */
#ifndef UPCALL_CAPI_CALLBACKS_H
#define UPCALL_CAPI_CALLBACKS_H

#include <ws2spi.h>

#include <stdint.h>

/* A completion routine; it is found by the OVERLAPPED. */
void CALLBACK upcall_completion(DWORD error, DWORD transferred, LPWSAOVERLAPPED ov, DWORD flags);
/* A condition function; data is its handle. */
int CALLBACK upcall_condition(LPWSABUF caller, LPWSABUF caller_data, LPQOS sqos, LPQOS gqos, LPWSABUF callee, LPWSABUF callee_data, GROUP *g, DWORD_PTR data);
/* A blocking callback; context is a catalog entry's id. */
BOOL CALLBACK upcall_blocking(DWORD_PTR context);
/* An APC; context is its handle. */
void CALLBACK upcall_apc(DWORD_PTR context);

uintptr_t upcall_completion_address(void);

void upcall_provider_run_completion(uintptr_t routine, uint32_t error, uint32_t transferred, uintptr_t ov, uint32_t flags);
int32_t upcall_provider_run_condition(uintptr_t condition, uintptr_t caller, uint32_t callerlen, uintptr_t caller_data, uintptr_t sqos, uintptr_t gqos, uintptr_t callee, uint32_t calleelen, uintptr_t callee_data, uintptr_t g, uintptr_t data);
void upcall_provider_run_apc(uintptr_t apc, uint64_t loading, uintptr_t context);
int32_t upcall_provider_run_blocking(uintptr_t callback, uintptr_t context);

#endif
