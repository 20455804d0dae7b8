/*
 * The upcall table that providers written in C get, and its other direction: a
 * table with C functions in it that a layer has put there.
 */
#ifndef UPCALL_CAPI_UPCALLS_H
#define UPCALL_CAPI_UPCALLS_H

#include <ws2spi.h>

#include <stdint.h>

const WSPUPCALLTABLE *upcall_table(void);

/*
 * The segments of the DLL's table of non-IFS handles. Go stores each once, when
 * it comes, and never frees or moves it.
 */
void upcall_share_segment(uint32_t index, uintptr_t slots);
/* From now on a handle that no segment has is none; before, Go is asked. */
void upcall_share(void);

/* A bit for each function of the table that is not upcall_table()'s. */
uint32_t upcall_table_foreign(const WSPUPCALLTABLE *t);

/* Calls of the functions of another table. Each returns an error code. */
int32_t upcall_up_close_event(const WSPUPCALLTABLE *t, uint64_t ev);
int32_t upcall_up_close_socket_handle(const WSPUPCALLTABLE *t, uint64_t s);
struct upcall_up_result {
	uint64_t value;
	int32_t error;
};
struct upcall_up_result upcall_up_create_event(const WSPUPCALLTABLE *t);
struct upcall_up_result upcall_up_create_socket_handle(const WSPUPCALLTABLE *t, uint32_t id, uint64_t context);
int32_t upcall_up_fd_is_set(const WSPUPCALLTABLE *t, uint64_t s, uintptr_t set);
int32_t upcall_up_get_provider_path(const WSPUPCALLTABLE *t, uintptr_t id, uintptr_t path, uintptr_t length);
struct upcall_up_result upcall_up_modify_ifs_handle(const WSPUPCALLTABLE *t, uint32_t id, uint64_t s);
int32_t upcall_up_post_message(const WSPUPCALLTABLE *t, uint64_t wnd, uint32_t msg, uint64_t wparam, uint64_t lparam);
struct upcall_up_callback {
	uint64_t callback;
	uint64_t context;
	int32_t error;
};
struct upcall_up_callback upcall_up_query_blocking_callback(const WSPUPCALLTABLE *t, uint32_t id);
struct upcall_up_result upcall_up_query_socket_handle_context(const WSPUPCALLTABLE *t, uint64_t s);
int32_t upcall_up_queue_apc(const WSPUPCALLTABLE *t, uintptr_t thread, uintptr_t handle);
int32_t upcall_up_reset_event(const WSPUPCALLTABLE *t, uint64_t ev);
int32_t upcall_up_set_event(const WSPUPCALLTABLE *t, uint64_t ev);
int32_t upcall_up_open_current_thread(const WSPUPCALLTABLE *t, uintptr_t thread);
int32_t upcall_up_close_thread(const WSPUPCALLTABLE *t, uintptr_t thread);

#endif
