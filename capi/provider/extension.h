/*
 * Extension functions across the boundary: those of a provider in Go as C
 * function pointers, of which there is a fixed number of each kind; and calls of
 * those of a provider in C.
 */
#ifndef UPCALL_CAPI_EXTENSION_H
#define UPCALL_CAPI_EXTENSION_H

#include <stdint.h>

#include "calls.h"

enum upcall_extension {
	UPCALL_ACCEPTEX,
	UPCALL_GETACCEPTEXSOCKADDRS,
	UPCALL_CONNECTEX,
	UPCALL_DISCONNECTEX,
	UPCALL_TRANSMITFILE,
	UPCALL_TRANSMITPACKETS,
	UPCALL_WSARECVMSG,
	UPCALL_WSASENDMSG,
	UPCALL_WSAPOLL,
	UPCALL_EXTENSIONS
};
enum { UPCALL_POINTERS = 64 };

/* The C function number n of a kind, and its number again, -1 if it is none. */
uintptr_t upcall_extension_pointer(int kind, int n);
int upcall_extension_number(int kind, uintptr_t function);

struct upcall_sockaddrs {
	uintptr_t local, remote;
	int32_t local_length, remote_length;
	int32_t error;
};

int32_t upcall_ext_acceptex(callee c, uintptr_t f, uint64_t listen, uint64_t accept, uintptr_t out, uint32_t receive, uint32_t local, uint32_t remote, uintptr_t received, uintptr_t ov);
struct upcall_sockaddrs upcall_ext_getacceptexsockaddrs(callee c, uintptr_t f, uintptr_t out, uint32_t receive, uint32_t local, uint32_t remote);
int32_t upcall_ext_connectex(callee c, uintptr_t f, uint64_t s, uintptr_t name, int32_t length, uintptr_t data, uint32_t size, uintptr_t sent, uintptr_t ov);
int32_t upcall_ext_disconnectex(callee c, uintptr_t f, uint64_t s, uintptr_t ov, uint32_t flags);
int32_t upcall_ext_transmitfile(callee c, uintptr_t f, uint64_t s, uintptr_t file, uint32_t bytes, uint32_t each, uintptr_t ov, uintptr_t around, uint32_t flags);
int32_t upcall_ext_transmitpackets(callee c, uintptr_t f, uint64_t s, uintptr_t elements, uint32_t n, uint32_t each, uintptr_t ov, uint32_t flags);
int32_t upcall_ext_wsarecvmsg(callee c, uintptr_t f, uint64_t s, uintptr_t msg, uintptr_t received, uintptr_t ov, int32_t routine);
int32_t upcall_ext_wsasendmsg(callee c, uintptr_t f, uint64_t s, uintptr_t msg, uint32_t flags, uintptr_t sent, uintptr_t ov, int32_t routine);
struct upcall_count_result upcall_ext_wsapoll(callee c, uintptr_t f, uintptr_t fds, uint32_t n, int32_t timeout);

#endif
