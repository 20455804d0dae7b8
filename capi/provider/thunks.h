/*
 * Providers written in Go as C sees them. A WSPStartup and the thirty functions
 * have no argument that says whose they are, so there is a fixed number of each,
 * and Go hands them out.
 */
#ifndef UPCALL_CAPI_THUNKS_H
#define UPCALL_CAPI_THUNKS_H

#include <stdint.h>

enum { UPCALL_INSTANCES = 64 };

/* Module number m, and its number again; -1 if it is none of these. */
void *upcall_go_module(int m);
int upcall_go_module_number(void *module);
/* The module's WSPStartup. */
void *upcall_go_startup(int m);

#endif
