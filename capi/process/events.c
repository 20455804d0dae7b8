#include "events.h"

_Atomic(struct upcall_event_slot *) upcall_event_segments[UPCALL_EVENT_SEGMENTS];

void upcall_share_events(uint32_t segment, uintptr_t slots)
{
	if (segment < UPCALL_EVENT_SEGMENTS)
		atomic_store_explicit(&upcall_event_segments[segment], (struct upcall_event_slot *)slots, memory_order_release);
}
