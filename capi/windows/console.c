#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "calls.h"

/*
 * Console control handlers run on a thread of their own, as on Windows, when a
 * signal comes: SIGINT is CTRL_C_EVENT, SIGQUIT CTRL_BREAK_EVENT, SIGTERM and
 * SIGHUP are CTRL_CLOSE_EVENT. If none of them returns TRUE the signal does what
 * it would have done.
 *
 * The signals are caught only while there are handlers. A handler that the
 * program had for one of them is called as well, first; a signal that it ignores
 * stays ignored.
 */
static struct caught {
	const int number;
	const DWORD event;
	struct sigaction before;
	BOOL installed;
	int pending; /* how many the thread has not seen yet */
} signals[] = {
	{.number = SIGINT, .event = CTRL_C_EVENT},
	{.number = SIGQUIT, .event = CTRL_BREAK_EVENT},
	{.number = SIGTERM, .event = CTRL_CLOSE_EVENT},
	{.number = SIGHUP, .event = CTRL_CLOSE_EVENT},
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows, and installed and before */
static PHANDLER_ROUTINE *handlers; /* the latest is the last */
static size_t count;
static BOOL ignoring; /* CTRL_C_EVENT */
static BOOL has_thread;
static pid_t served; /* the process that has the thread */

static sem_t arrived;

/* Whether the program has a handler of its own for the signal. */
static BOOL has_own(const struct caught *s)
{
	return s->before.sa_flags & SA_SIGINFO || (s->before.sa_handler != SIG_DFL && s->before.sa_handler != SIG_IGN);
}

/* What the signal does in a program that has no handler. */
static void by_default(int number)
{
	struct sigaction standard = {.sa_handler = SIG_DFL};
	sigset_t set;

	sigaction(number, &standard, NULL);
	sigemptyset(&set);
	sigaddset(&set, number);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	kill(getpid(), number);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	int saved = errno;
	BOOL own;

	for (size_t i = 0; i < ARRAYSIZE(signals); i++) {
		struct caught *s = &signals[i];

		if (s->number != number)
			continue;
		own = has_own(s);
		if (s->before.sa_flags & SA_SIGINFO)
			s->before.sa_sigaction(number, info, context);
		else if (own)
			s->before.sa_handler(number);
		if (getpid() != served && !own && !(ignoring && s->event == CTRL_C_EVENT))
			by_default(number); /* a child has no thread that asks the handlers */
		__atomic_fetch_add(&s->pending, 1, __ATOMIC_SEQ_CST);
		sem_post(&arrived);
	}
	errno = saved;
}

static void tell(struct caught *s)
{
	PHANDLER_ROUTINE *copy;
	size_t n;
	BOOL handled = FALSE, own;

	pthread_mutex_lock(&lock);
	n = count;
	copy = malloc((n + 1) * sizeof *copy);
	if (copy)
		memcpy(copy, handlers, n * sizeof *copy);
	own = has_own(s);
	handled = ignoring && s->event == CTRL_C_EVENT;
	pthread_mutex_unlock(&lock);
	while (copy && !handled && n)
		handled = copy[--n](s->event);
	free(copy);
	if (!handled && !own)
		by_default(s->number);
}

static void *serve(void *unused)
{
	for (;;) {
		while (sem_wait(&arrived) < 0 && errno == EINTR)
			;
		for (size_t i = 0; i < ARRAYSIZE(signals); i++)
			if (__atomic_exchange_n(&signals[i].pending, 0, __ATOMIC_SEQ_CST))
				tell(&signals[i]);
	}
	return unused;
}

/* Starts the thread, which takes no signals itself. The caller holds lock. */
static DWORD start(void)
{
	pthread_attr_t detached;
	pthread_t thread;
	sigset_t all, before;
	int e;

	if (has_thread)
		return 0;
	sem_init(&arrived, 0, 0);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	e = pthread_create(&thread, &detached, serve, NULL);
	pthread_attr_destroy(&detached);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	has_thread = e == 0;
	served = getpid();
	return e ? ERROR_NOT_ENOUGH_MEMORY : 0;
}

static void install(struct caught *s)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};

	if (s->installed || sigaction(s->number, NULL, &s->before) < 0)
		return;
	if (!(s->before.sa_flags & SA_SIGINFO) && s->before.sa_handler == SIG_IGN)
		return;
	sigemptyset(&action.sa_mask);
	s->installed = sigaction(s->number, &action, NULL) == 0;
}

/* Puts back what was there, unless somebody has put something else there meanwhile. */
static void restore(struct caught *s)
{
	struct sigaction now;

	if (!s->installed)
		return;
	s->installed = FALSE;
	if (sigaction(s->number, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_signal)
		sigaction(s->number, &s->before, NULL);
}

/* Makes the signals what handlers and ignoring ask for. The caller holds lock. */
static DWORD apply(void)
{
	DWORD e = count || ignoring ? start() : 0;

	if (e)
		return e;
	for (size_t i = 0; i < ARRAYSIZE(signals); i++) {
		if (count || (ignoring && signals[i].event == CTRL_C_EVENT))
			install(&signals[i]);
		else
			restore(&signals[i]);
	}
	return 0;
}

static DWORD add(PHANDLER_ROUTINE handler)
{
	PHANDLER_ROUTINE *more = realloc(handlers, (count + 1) * sizeof *more);
	DWORD e;

	if (!more)
		return ERROR_NOT_ENOUGH_MEMORY;
	handlers = more;
	handlers[count++] = handler;
	e = apply();
	if (e)
		count--;
	return e;
}

static DWORD remove_latest(PHANDLER_ROUTINE handler)
{
	for (size_t i = count; i-- > 0;) {
		if (handlers[i] != handler)
			continue;
		memmove(handlers + i, handlers + i + 1, (--count - i) * sizeof *handlers);
		return apply();
	}
	return ERROR_INVALID_PARAMETER;
}

BOOL WINAPI SetConsoleCtrlHandler(PHANDLER_ROUTINE handler, BOOL adding)
{
	DWORD e;

	ALIVE(FALSE);
	pthread_mutex_lock(&lock);
	if (!handler) {
		ignoring = adding;
		e = apply();
	} else {
		e = adding ? add(handler) : remove_latest(handler);
	}
	pthread_mutex_unlock(&lock);
	FAIL_IF(e, FALSE);
	return TRUE;
}

/* To this process, which is its own group. */
BOOL WINAPI GenerateConsoleCtrlEvent(DWORD event, DWORD group)
{
	FAIL_IF(event > CTRL_BREAK_EVENT ? ERROR_INVALID_PARAMETER : 0, FALSE);
	FAIL_IF(group && group != (DWORD)getpid() ? ERROR_NOT_SUPPORTED : 0, FALSE);
	FAIL_IF(kill(getpid(), event == CTRL_C_EVENT ? SIGINT : SIGQUIT) < 0 ? ERROR_GEN_FAILURE : 0, FALSE);
	return TRUE;
}
