/*
 * A crash in a provider says whose it was: one line on standard error, and then
 * what would have happened without this handler.
 *
 * It is installed before Go's runtime starts, which passes on to it the signals
 * of code that is not Go's. A program that installs a handler of its own later
 * takes its place; one that was there before is called.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "modules.h"
#include "thread.h"

static const struct {
	int number;
	const char *name;
} signals[] = {{SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGFPE, "SIGFPE"}, {SIGILL, "SIGILL"}, {SIGABRT, "SIGABRT"}};

enum { SIGNALS = sizeof signals / sizeof *signals };

static struct sigaction before[SIGNALS];

struct line {
	char text[2048];
	unsigned length;
};

static void add(struct line *l, const char *s)
{
	while (*s && l->length < sizeof l->text)
		l->text[l->length++] = *s++;
}

static void add_hex(struct line *l, uintptr_t n)
{
	char digits[2 * sizeof n + 3], *p = digits + sizeof digits;

	*--p = 0;
	do
		*--p = "0123456789abcdef"[n & 15];
	while (n >>= 4);
	*--p = 'x';
	*--p = '0';
	add(l, p);
}

static uintptr_t where(void *context)
{
	ucontext_t *c = context;

#if defined __x86_64__
	return c->uc_mcontext.gregs[REG_RIP];
#elif defined __aarch64__
	return c->uc_mcontext.pc;
#else
	(void)c;
	return 0;
#endif
}

static const struct upcall_object *object_at(uintptr_t pc)
{
	for (struct upcall_object *o = atomic_load(&upcall_objects); o; o = o->next) {
		uintptr_t start = atomic_load_explicit(&o->start, memory_order_acquire);

		if (start && pc >= start && pc < o->end)
			return o;
	}
	return 0;
}

/* Writes whose crash it is, if it is a provider's. */
static void tell(const char *signal, uintptr_t pc, const void *address)
{
	const struct upcall_thread *t = &upcall_thread;
	const struct upcall_object *o = object_at(pc);
	struct line l = {.length = 0};

	if (!o && !(t->depth && t->provider))
		return;
	add(&l, "upcall: provider ");
	add(&l, t->depth && t->provider ? t->provider : o->path);
	add(&l, " crashed");
	if (t->depth && t->provider && t->function) {
		add(&l, " in ");
		add(&l, t->function);
	}
	add(&l, ": ");
	add(&l, signal);
	if (address) {
		add(&l, " at address ");
		add_hex(&l, (uintptr_t)address);
	}
	add(&l, ", code ");
	if (o) {
		add(&l, o->path);
		add(&l, "+");
		add_hex(&l, pc - atomic_load(&o->start));
	} else {
		add_hex(&l, pc);
	}
	add(&l, "\n");
	for (unsigned done = 0; done < l.length;) {
		ssize_t n = write(2, l.text + done, l.length - done);

		if (n <= 0)
			break;
		done += n;
	}
}

static void crashed(int number, siginfo_t *info, void *context)
{
	unsigned i = 0;
	int sent = info->si_code <= 0; /* by kill, raise or abort */
	int own = !sent || info->si_pid == getpid();

	while (i < SIGNALS - 1 && signals[i].number != number)
		i++;
	if (own)
		tell(signals[i].name, where(context), sent ? 0 : info->si_addr);
	if (before[i].sa_flags & SA_SIGINFO) {
		before[i].sa_sigaction(number, info, context);
		return;
	}
	if (before[i].sa_handler != SIG_DFL && before[i].sa_handler != SIG_IGN) {
		before[i].sa_handler(number);
		return;
	}
	if (before[i].sa_handler == SIG_IGN && sent)
		return;
	/* The default action: the faulting instruction runs again, or the signal
	 * comes again when this handler has returned. */
	signal(number, SIG_DFL);
	if (sent)
		raise(number);
}

/* Before Go's runtime, whose constructor has no priority. */
__attribute__((constructor(101))) static void watch(void)
{
	struct sigaction a;

	memset(&a, 0, sizeof a);
	a.sa_sigaction = crashed;
	a.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
	sigfillset(&a.sa_mask);
	for (int i = 0; i < SIGNALS; i++)
		sigaction(signals[i].number, &a, &before[i]);
}
