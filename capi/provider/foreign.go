package provider

/*
#include "upcalls.h"
*/
import "C"

import (
	"runtime"
	"runtime/cgo"

	"upcall.dev/spi"
)

// foreignTable returns the upcall table that a layer in C hands down: own, with
// the layer's functions in the places of the bits. These must be there as long as
// the provider below may call them.
func foreignTable(own spi.UpcallTable, handed *C.WSPUPCALLTABLE, bits uint32) spi.UpcallTable {
	if bits == 0 {
		return own
	}
	t := new(C.WSPUPCALLTABLE) // which goes with what it is in
	*t = *handed
	replace := func(place int) bool { return bits&(1<<place) != 0 }
	if replace(0) {
		own.WPUCloseEvent = func(ev spi.Event) spi.Errno {
			return spi.Errno(C.upcall_up_close_event(t, C.uint64_t(ev)))
		}
	}
	if replace(1) {
		own.WPUCloseSocketHandle = func(s spi.Socket) spi.Errno {
			return spi.Errno(C.upcall_up_close_socket_handle(t, C.uint64_t(s)))
		}
	}
	if replace(2) {
		own.WPUCreateEvent = func() (spi.Event, spi.Errno) {
			r := C.upcall_up_create_event(t)
			return spi.Event(r.value), spi.Errno(r.error)
		}
	}
	if replace(3) {
		own.WPUCreateSocketHandle = func(id uint32, context uintptr) (spi.Socket, spi.Errno) {
			r := C.upcall_up_create_socket_handle(t, C.uint32_t(id), C.uint64_t(context))
			return spi.Socket(r.value), spi.Errno(r.error)
		}
	}
	if replace(4) {
		own.WPUFDIsSet = func(s spi.Socket, set *spi.FDSet) bool {
			is := C.upcall_up_fd_is_set(t, C.uint64_t(s), C.uintptr_t(at(set)))
			runtime.KeepAlive(set)
			return is != 0
		}
	}
	if replace(5) {
		own.WPUGetProviderPath = func(id *spi.GUID, path []uint16, length *int32) spi.Errno {
			e := C.upcall_up_get_provider_path(t, C.uintptr_t(at(id)), C.uintptr_t(start(path)), C.uintptr_t(at(length)))
			runtime.KeepAlive(id)
			runtime.KeepAlive(path)
			runtime.KeepAlive(length)
			return spi.Errno(e)
		}
	}
	if replace(6) {
		own.WPUModifyIFSHandle = func(id uint32, s spi.Socket) (spi.Socket, spi.Errno) {
			r := C.upcall_up_modify_ifs_handle(t, C.uint32_t(id), C.uint64_t(s))
			return spi.Socket(r.value), spi.Errno(r.error)
		}
	}
	if replace(7) {
		own.WPUPostMessage = func(wnd spi.HWND, msg uint32, wParam, lParam uintptr) bool {
			return C.upcall_up_post_message(t, C.uint64_t(wnd), C.uint32_t(msg), C.uint64_t(wParam), C.uint64_t(lParam)) != 0
		}
	}
	if replace(8) {
		own.WPUQueryBlockingCallback = func(id uint32, callback *spi.BlockingCallback, context *uintptr) spi.Errno {
			if callback == nil || context == nil {
				return spi.WSAEFAULT
			}
			r := C.upcall_up_query_blocking_callback(t, C.uint32_t(id))
			*callback, *context = blockingOf(uintptr(r.callback)), uintptr(r.context)
			return spi.Errno(r.error)
		}
	}
	if replace(9) {
		own.WPUQuerySocketHandleContext = func(s spi.Socket) (uintptr, spi.Errno) {
			r := C.upcall_up_query_socket_handle_context(t, C.uint64_t(s))
			return uintptr(r.value), spi.Errno(r.error)
		}
	}
	if replace(10) {
		own.WPUQueueApc = func(thread *spi.ThreadID, apc spi.UserAPC, context uintptr) spi.Errno {
			if thread == nil || apc == nil {
				return spi.WSAEFAULT
			}
			h := cgo.NewHandle(queued{apc, context})
			e := spi.Errno(C.upcall_up_queue_apc(t, C.uintptr_t(at(thread)), C.uintptr_t(h)))
			runtime.KeepAlive(thread)
			if e != 0 {
				h.Delete()
			}
			return e
		}
	}
	if replace(11) {
		own.WPUResetEvent = func(ev spi.Event) spi.Errno {
			return spi.Errno(C.upcall_up_reset_event(t, C.uint64_t(ev)))
		}
	}
	if replace(12) {
		own.WPUSetEvent = func(ev spi.Event) spi.Errno {
			return spi.Errno(C.upcall_up_set_event(t, C.uint64_t(ev)))
		}
	}
	if replace(13) {
		own.WPUOpenCurrentThread = func(thread *spi.ThreadID) spi.Errno {
			e := C.upcall_up_open_current_thread(t, C.uintptr_t(at(thread)))
			runtime.KeepAlive(thread)
			return spi.Errno(e)
		}
	}
	if replace(14) {
		own.WPUCloseThread = func(thread *spi.ThreadID) spi.Errno {
			e := C.upcall_up_close_thread(t, C.uintptr_t(at(thread)))
			runtime.KeepAlive(thread)
			return spi.Errno(e)
		}
	}
	return own
}
