/* Sleeping on a word of memory. */
#ifndef UPCALL_CAPI_WINDOWS_FUTEX_H
#define UPCALL_CAPI_WINDOWS_FUTEX_H

#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Sleeps while *word is value, until a wake or the deadline (CLOCK_MONOTONIC; NULL: none). It may return early. */
static inline long futex_wait(uint32_t *word, uint32_t value, const struct timespec *deadline)
{
	return syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, value, deadline, 0, FUTEX_BITSET_MATCH_ANY);
}

static inline void futex_wake(uint32_t *word, int n)
{
	syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, n, 0, 0, 0);
}

/* The deadline that many milliseconds from now. */
static inline struct timespec deadline_in(uint32_t milliseconds)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += milliseconds / 1000;
	t.tv_nsec += milliseconds % 1000 * 1000000L;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

#endif
