/*
 * Puts functions of its own into the upcall table that a layer hands down: linked
 * with --wrap=NextStart. Each counts its calls and calls the host's; the numbers
 * go to the layer's log when it is unloaded.
 */
#include <stdlib.h>

#include "next.h"

NEXT *__real_NextStart(const WSAPROTOCOL_INFOW *chain, const GUID *layer, WSPUPCALLTABLE upcalls, LPINT lpErrno);

static WSPUPCALLTABLE host;

#define COUNTED(NAME_, result_, parameters_, arguments_) \
	static LONG count##NAME_; \
	static result_ WSPAPI My##NAME_ parameters_ \
	{ \
		InterlockedIncrement(&count##NAME_); \
		return host.lp##NAME_ arguments_; \
	}

COUNTED(WPUCloseEvent, BOOL, (WSAEVENT e, LPINT error), (e, error))
COUNTED(WPUCloseSocketHandle, int, (SOCKET s, LPINT error), (s, error))
COUNTED(WPUCloseThread, int, (LPWSATHREADID thread, LPINT error), (thread, error))
COUNTED(WPUCreateEvent, WSAEVENT, (LPINT error), (error))
COUNTED(WPUCreateSocketHandle, SOCKET, (DWORD id, DWORD_PTR context, LPINT error), (id, context, error))
COUNTED(WPUFDIsSet, int, (SOCKET s, fd_set *set), (s, set))
COUNTED(WPUGetProviderPath, int, (LPGUID id, WCHAR *path, LPINT length, LPINT error), (id, path, length, error))
COUNTED(WPUModifyIFSHandle, SOCKET, (DWORD id, SOCKET s, LPINT error), (id, s, error))
COUNTED(WPUOpenCurrentThread, int, (LPWSATHREADID thread, LPINT error), (thread, error))
COUNTED(WPUPostMessage, BOOL, (HWND w, UINT message, WPARAM wp, LPARAM lp), (w, message, wp, lp))
COUNTED(WPUQueryBlockingCallback, int, (DWORD id, LPBLOCKINGCALLBACK *callback, PDWORD_PTR context, LPINT error), (id, callback, context, error))
COUNTED(WPUQuerySocketHandleContext, int, (SOCKET s, PDWORD_PTR context, LPINT error), (s, context, error))
COUNTED(WPUQueueApc, int, (LPWSATHREADID thread, LPWSAUSERAPC apc, DWORD_PTR context, LPINT error), (thread, apc, context, error))
COUNTED(WPUResetEvent, BOOL, (WSAEVENT e, LPINT error), (e, error))
COUNTED(WPUSetEvent, BOOL, (WSAEVENT e, LPINT error), (e, error))

#define ALL(do_) \
	do_(WPUCloseEvent) do_(WPUCloseSocketHandle) do_(WPUCloseThread) do_(WPUCreateEvent) do_(WPUCreateSocketHandle) \
	do_(WPUFDIsSet) do_(WPUGetProviderPath) do_(WPUModifyIFSHandle) do_(WPUOpenCurrentThread) do_(WPUPostMessage) \
	do_(WPUQueryBlockingCallback) do_(WPUQuerySocketHandleContext) do_(WPUQueueApc) do_(WPUResetEvent) do_(WPUSetEvent)

NEXT *__wrap_NextStart(const WSAPROTOCOL_INFOW *chain, const GUID *layer, WSPUPCALLTABLE upcalls, LPINT lpErrno)
{
	host = upcalls;
#define REPLACE(NAME_) upcalls.lp##NAME_ = My##NAME_;
	ALL(REPLACE)
	return __real_NextStart(chain, layer, upcalls, lpErrno);
}

/* What the provider below calls comes until the layer is unloaded. */
__attribute__((destructor)) static void unload(void)
{
#define TELL(NAME_) Log("substitute", #NAME_ " %d", (int)count##NAME_);
	ALL(TELL)
}
