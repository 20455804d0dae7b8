package process

/*
#include "events.h"
*/
import "C"

import (
	"unsafe"

	"upcall.dev/ws2"
)

// shareEvents makes the states of d's events known to events.h.
func shareEvents(d *ws2.DLL) {
	d.ShareEvents(func(segment int, slots unsafe.Pointer) {
		C.upcall_share_events(C.uint32_t(segment), C.uintptr_t(uintptr(slots)))
	})
}
