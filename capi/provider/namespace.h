/*
 * Calls from Go into a name-space provider written in C, as calls.h has them for
 * transport providers. A provider's functions return SOCKET_ERROR and leave their
 * code as the last error; here they return it.
 */
#ifndef UPCALL_CAPI_NAMESPACE_H
#define UPCALL_CAPI_NAMESPACE_H

#include "calls.h"

/* What one NSPStartup has returned. It stays until the library is closed. */
struct upcall_names {
	struct upcall_started started; /* of which the library is used, and next */
	NSP_ROUTINE table;
};

/* Opens the library's object if it exports NSPStartup; what is wrong is written to why. */
int upcall_names_open(struct upcall_library *l, char *why, unsigned size);

/* NULL, without an error: there is no memory. */
struct upcall_names *upcall_names_start(struct upcall_library *l, uintptr_t id, uint32_t *error);
void upcall_names_free(struct upcall_names *n);
/* Lets the library free it when it is closed. */
void upcall_names_keep(struct upcall_names *n);

uint32_t upcall_names_cleanup(struct upcall_names *n, uintptr_t id);
uint32_t upcall_names_begin(struct upcall_names *n, uintptr_t id, uintptr_t query, uintptr_t class, uint32_t flags, uintptr_t *lookup);
uint32_t upcall_names_next(struct upcall_names *n, uintptr_t lookup, uint32_t flags, uintptr_t length, uintptr_t results);
uint32_t upcall_names_end(struct upcall_names *n, uintptr_t lookup);
uint32_t upcall_names_set(struct upcall_names *n, uintptr_t id, uintptr_t class, uintptr_t info, int32_t operation, uint32_t flags);
uint32_t upcall_names_install_class(struct upcall_names *n, uintptr_t id, uintptr_t class);
uint32_t upcall_names_remove_class(struct upcall_names *n, uintptr_t id, uintptr_t class_id);
uint32_t upcall_names_class_info(struct upcall_names *n, uintptr_t id, uintptr_t length, uintptr_t info);

/* An NSPIoctl with a completion. The provider may look at it until the lookup ends. */
struct upcall_notification {
	WSACOMPLETION completion;
	WSATHREADID thread;
};
/* The parts are as spi has them. NULL: there is no memory. */
struct upcall_notification *upcall_notification_new(int32_t type, uint32_t message, uintptr_t overlapped, uintptr_t handle, uintptr_t context);

/* completion is 0 for none. */
uint32_t upcall_names_ioctl(struct upcall_names *n, uintptr_t lookup, uint32_t code, uintptr_t in, uint32_t in_length,
	uintptr_t out, uint32_t out_length, uintptr_t returned, struct upcall_notification *completion, uintptr_t thread);

#endif
