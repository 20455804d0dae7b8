/* The published design of events over POSIX threads (as in pevents), for
 * comparison: each event has a mutex, a state and a list of the waits that are
 * registered with it; each wait for several has a mutex, a condition variable
 * and a count of the references that lists hold. A wait visits the events one
 * after the other, drops the registrations of waits that are over while it has
 * an event's lock, takes the first event that is set, and registers with those
 * before it; then it sleeps on its condition variable, and whoever sets an event
 * walks its list. Registrations of a wait that is over stay until somebody comes
 * by, and the last one frees the wait.
 *
 * It measures a wait for any of 64 events of which the last one is set. */
#include <pthread.h>
#include <stdbool.h>

#include "figure.h"

enum { EVENTS = 64, BATCH = 1000 };

struct wait {
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	int references;
	int fired; /* the index of the event that ended it, -1 while there is none */
	bool waiting;
};

struct registration {
	struct wait *wait;
	int index;
};

struct event {
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool manual, set;
	struct registration *list;
	int count, room;
};

static struct event *new_event(bool manual)
{
	struct event *e = calloc(1, sizeof *e);

	if (!e)
		fail("calloc");
	pthread_mutex_init(&e->mutex, NULL);
	pthread_cond_init(&e->wake, NULL);
	e->manual = manual;
	return e;
}

static void destroy(struct wait *w)
{
	pthread_mutex_destroy(&w->mutex);
	pthread_cond_destroy(&w->wake);
	free(w);
}

/* over reports whether a wait is over, whose registration then goes. */
static bool over(struct wait *w)
{
	bool last;

	pthread_mutex_lock(&w->mutex);
	if (w->waiting) {
		pthread_mutex_unlock(&w->mutex);
		return false;
	}
	last = --w->references == 0;
	pthread_mutex_unlock(&w->mutex);
	if (last)
		destroy(w);
	return true;
}

/* The caller holds the event's lock, as for the next two. */
static void drop_registrations(struct event *e)
{
	int kept = 0;

	for (int i = 0; i < e->count; i++)
		if (!over(e->list[i].wait))
			e->list[kept++] = e->list[i];
	e->count = kept;
}

static void enlist(struct event *e, struct wait *w, int index)
{
	if (e->count == e->room) {
		e->room = e->room ? 2 * e->room : 4;
		e->list = realloc(e->list, e->room * sizeof *e->list);
		if (!e->list)
			fail("realloc");
	}
	e->list[e->count++] = (struct registration){ w, index };
	w->references++;
}

static bool take(struct event *e)
{
	if (!e->set)
		return false;
	if (!e->manual)
		e->set = false;
	return true;
}

static int wait_for_any(struct event **events, int count)
{
	struct wait *w = malloc(sizeof *w);
	int fired;
	bool last;

	if (!w)
		fail("malloc");
	pthread_mutex_init(&w->mutex, NULL);
	pthread_cond_init(&w->wake, NULL);
	w->references = 1;
	w->fired = -1;
	w->waiting = true;
	pthread_mutex_lock(&w->mutex);
	for (int i = 0; i < count && w->fired < 0; i++) {
		struct event *e = events[i];

		pthread_mutex_lock(&e->mutex);
		drop_registrations(e);
		if (take(e))
			w->fired = i;
		else
			enlist(e, w, i);
		pthread_mutex_unlock(&e->mutex);
	}
	while (w->fired < 0)
		pthread_cond_wait(&w->wake, &w->mutex);
	fired = w->fired;
	w->waiting = false;
	last = --w->references == 0;
	pthread_mutex_unlock(&w->mutex);
	if (last)
		destroy(w);
	return fired;
}

static void set_event(struct event *e)
{
	pthread_mutex_lock(&e->mutex);
	e->set = true;
	while (e->count > 0 && e->set) {
		struct registration r = e->list[--e->count];
		bool last;

		pthread_mutex_lock(&r.wait->mutex);
		last = --r.wait->references == 0;
		if (r.wait->waiting && r.wait->fired < 0 && take(e)) {
			r.wait->fired = r.index;
			pthread_cond_signal(&r.wait->wake);
		}
		pthread_mutex_unlock(&r.wait->mutex);
		if (last)
			destroy(r.wait);
	}
	if (e->set && e->manual)
		pthread_cond_broadcast(&e->wake);
	else if (e->set)
		pthread_cond_signal(&e->wake);
	pthread_mutex_unlock(&e->mutex);
}

static struct event *events[EVENTS];

static void wait_any(void)
{
	for (int i = 0; i < BATCH; i++)
		if (wait_for_any(events, EVENTS) != EVENTS - 1)
			fail("the wait ended by another event");
}

int main(void)
{
	for (int i = 0; i < EVENTS; i++)
		events[i] = new_event(true);
	set_event(events[EVENTS - 1]);
	return measure(wait_any, BATCH);
}
