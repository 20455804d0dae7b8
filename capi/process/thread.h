/*
 * What the library keeps for each thread, and how an exported function begins.
 *
 * An exported function is a few lines of C: it asks ALIVE whether the process is
 * the one that loaded the library, calls its Go half with self(), and turns an
 * error into the last error and the documented return value. It never enters Go
 * where these lines can answer.
 */
#ifndef UPCALL_CAPI_THREAD_H
#define UPCALL_CAPI_THREAD_H

#include <stdint.h>

/* The library's last error, and the Go half of the thread (a *ws2.Thread). */
struct upcall_thread {
	uint32_t error;
	/* Calls into providers that this thread is in, and the innermost one's name
	 * and function, for the message of a crash. */
	uint32_t depth;
	const char *provider;
	const char *function;
	void *go;
	/* Not zero while the thread has a blocking hook. */
	uint32_t hooked;
};

#ifdef __cplusplus
#define UPCALL_TLS thread_local
#else
#define UPCALL_TLS __thread
#endif

extern UPCALL_TLS struct upcall_thread upcall_thread __attribute__((tls_model("initial-exec")));

/* Not zero in a process that fork made: it has none of Go's threads. */
extern int upcall_forked;

/* Gives the calling thread its Go half. NULL: it could not, which is fatal. */
void *upcall_adopt(void);

/* Whether the thread is inside a call into a provider. */
int upcall_in_provider(void);

/* The calling thread's Go half. */
static inline void *self(void)
{
	void *t = upcall_thread.go;

	return __builtin_expect(t != 0, 1) ? t : upcall_adopt();
}

/* Returns failed, with the last error set, if error is one. */
#define FAIL_IF(error_, failed_) \
	do { \
		uint32_t fail_if_ = (uint32_t)(error_); \
		if (__builtin_expect(fail_if_ != 0, 0)) { \
			upcall_thread.error = fail_if_; \
			return failed_; \
		} \
	} while (0)

/* First line of a function that enters Go. WSANOTINITIALISED is 10093. */
#define ALIVE(failed_) FAIL_IF(__builtin_expect(upcall_forked, 0) ? 10093 : 0, failed_)

#endif
