/*
 * Events without Go. The state of an event is in a word that ws2.DLL.ShareEvents
 * shows; these functions do what concerns nobody else, which is most of what
 * programs do with events, and leave the rest to Go.
 */
#ifndef UPCALL_CAPI_EVENTS_H
#define UPCALL_CAPI_EVENTS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* A handle's bits 2 to 31 number its slot, its upper half tags the state. */
struct upcall_event_slot {
	_Atomic uint64_t handle;
	_Atomic uint64_t state;
};

enum {
	UPCALL_EVENT_INDEX_SHIFT = 2,
	UPCALL_EVENT_SEGMENT_BITS = 10,
	UPCALL_EVENT_SEGMENTS = 1 << 20,
};

/* States of an event; one that is busy changes in Go alone. */
enum { UPCALL_EVENT_UNSET = 0, UPCALL_EVENT_SIGNALLED = 1, UPCALL_EVENT_BUSY = 4 };

extern _Atomic(struct upcall_event_slot *) upcall_event_segments[UPCALL_EVENT_SEGMENTS];

/* Go stores each segment once, when it comes, and never frees or moves it. */
void upcall_share_events(uint32_t segment, uintptr_t slots);

#define UPCALL_EVENT_TAG(event_) ((event_) & ~(uint64_t)0xffffffff)

/* Where the state of an event is, if it is one. NULL: certainly none. */
static inline _Atomic uint64_t *upcall_event_state(uint64_t event)
{
	uint32_t number = (uint32_t)event >> UPCALL_EVENT_INDEX_SHIFT;
	struct upcall_event_slot *segment =
		atomic_load_explicit(&upcall_event_segments[number >> UPCALL_EVENT_SEGMENT_BITS], memory_order_acquire);

	if (__builtin_expect(!segment || !UPCALL_EVENT_TAG(event), 0))
		return 0;
	return &segment[number & ((1 << UPCALL_EVENT_SEGMENT_BITS) - 1)].state;
}

/*
 * Sets or resets an event. 0: nothing was done, it is for Go. As with a change by
 * Go, what the caller wrote before can be seen after, even if the event already
 * was as it should be: hence the exchange of a state for itself.
 */
static inline int upcall_event_become(uint64_t event, uint64_t state)
{
	_Atomic uint64_t *at = upcall_event_state(event);
	uint64_t seen;

	if (__builtin_expect(!at, 0))
		return 0;
	seen = atomic_load_explicit(at, memory_order_relaxed);
	while (seen - UPCALL_EVENT_TAG(event) <= UPCALL_EVENT_SIGNALLED)
		if (atomic_compare_exchange_strong(at, &seen, UPCALL_EVENT_TAG(event) | state))
			return 1;
	return 0;
}

/*
 * A wait for any of n events, 64 at most: the index of the first one that is
 * signalled, if that is all there is to know and to do about them, else -1.
 *
 * Most programs have all their events in one segment. What must not be is then
 * gathered without a branch, and looked at once: a slot in another segment, a tag
 * that is not the handle's, a state that is none.
 */
static inline int upcall_event_signalled(const uint64_t *events, uint32_t n)
{
	const uint64_t segment_bits = 0xffffffff & ~(((uint64_t)1 << (UPCALL_EVENT_INDEX_SHIFT + UPCALL_EVENT_SEGMENT_BITS)) - 1);
	uint64_t some = 0, every = ~(uint64_t)0, tags = 0, states = 0;
	struct upcall_event_slot *segment;
	_Atomic uint64_t *at;
	uint32_t first = n;

	if (n == 0 || !upcall_event_state(events[0]))
		return -1;
	segment = atomic_load_explicit(&upcall_event_segments[(events[0] & segment_bits) >> (UPCALL_EVENT_INDEX_SHIFT + UPCALL_EVENT_SEGMENT_BITS)],
		memory_order_acquire);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t event = events[i];
		/* In bytes, from bits that are the slot's number already times four. */
		size_t offset = (event & ~(segment_bits | ~(uint64_t)0xffffffff | 3)) * (sizeof *segment >> UPCALL_EVENT_INDEX_SHIFT);
		uint64_t state = atomic_load_explicit((_Atomic uint64_t *)((char *)&segment->state + offset), memory_order_acquire);

		some |= event;
		every &= event;
		tags |= state ^ event;
		states |= state;
		if ((state & UPCALL_EVENT_SIGNALLED) && first == n)
			first = i;
	}
	if (first == n || ((some ^ every) & segment_bits) || UPCALL_EVENT_TAG(tags) ||
	    ((uint32_t)states & ~(UPCALL_EVENT_SIGNALLED | UPCALL_EVENT_BUSY)))
		return -1;
	/* A busy one may be of the kind that a wait uses up. */
	at = upcall_event_state(events[first]);
	if (atomic_load_explicit(at, memory_order_relaxed) != (UPCALL_EVENT_TAG(events[first]) | UPCALL_EVENT_SIGNALLED))
		return -1;
	atomic_thread_fence(memory_order_seq_cst);
	return first;
}

#endif
