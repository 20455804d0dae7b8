/*
 * Tells ThreadSanitizer, in a program that was built with it, of the order that
 * the library's own synchronisation makes: the library is not. What is done
 * before RELEASE(x) comes before what is done after an ACQUIRE(x) that it lets
 * through.
 */
#ifndef UPCALL_CAPI_WINDOWS_ORDER_H
#define UPCALL_CAPI_WINDOWS_ORDER_H

#include <stdint.h>

extern void __tsan_acquire(void *address) __attribute__((weak));
extern void __tsan_release(void *address) __attribute__((weak));

#define ACQUIRE(address) (__tsan_acquire ? __tsan_acquire((void *)(address)) : (void)0)
#define RELEASE(address) (__tsan_release ? __tsan_release((void *)(address)) : (void)0)

/* An address that stands for an object behind a handle. */
extern char upcall_order[256];
#define ORDER(handle) (&upcall_order[((uintptr_t)(handle) >> 2) % sizeof upcall_order])

#endif
