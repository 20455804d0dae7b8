/* What the programs share that measure calls: for each line "MILLISECONDS" on
 * standard input they measure for about so long and print one figure. They end
 * with their standard input. */
#ifndef FIGURE_H
#define FIGURE_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline long long now(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) < 0)
		abort();
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static inline void fail(const char *why)
{
	fprintf(stderr, "%s\n", why);
	exit(1);
}

/* Nanoseconds for each of the calls that batch makes, by a clock. */
static inline double per_call(int milliseconds, clockid_t clock, void (*batch)(void), int calls)
{
	long long end = now(CLOCK_MONOTONIC) + milliseconds * 1000000LL, start = now(clock), batches = 0;

	do {
		batch();
		batches++;
	} while (now(CLOCK_MONOTONIC) < end);
	return (double)(now(clock) - start) / (batches * calls);
}

static inline int next_line(int *milliseconds)
{
	return scanf("%d", milliseconds) == 1 && *milliseconds > 0;
}

static inline void print_figure(double figure)
{
	printf("%.3f\n", figure);
	fflush(stdout);
}

/* Obeys the lines for calls that never wait: counts the thread's own processor
 * time, so that what else the machine does counts less. */
static inline int measure(void (*batch)(void), int calls)
{
	int milliseconds;

	batch();
	while (next_line(&milliseconds))
		print_figure(per_call(milliseconds, CLOCK_THREAD_CPUTIME_ID, batch, calls));
	return 0;
}

#endif
