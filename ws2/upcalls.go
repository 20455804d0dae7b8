package ws2

import (
	"upcall.dev/internal/wait"
	"upcall.dev/spi"
)

// This file is the sixteen upcalls. Fifteen are the table that every WSPStartup
// gets; WPUCompleteOverlappedRequest is an export, which Go providers reach
// through [DLL.Exports]. Each names its status in the documentation's table:
// what a provider must use. The host supplies them all. The source of each is
// https://learn.microsoft.com/windows/win32/api/ws2spi/nf-ws2spi-NAME with its
// name in lower case.
//
// They may be called from inside any call into a provider, on any thread, and
// from a provider's own threads until its last WSPCleanup returns. None calls a
// provider. WPUSetEvent, WPUResetEvent, WPUFDIsSet, WPUQueueApc,
// WPUQuerySocketHandleContext and WPUCloseSocketHandle are leaves: they may be
// called with any lock held.

// UpcallTable returns the table that every WSPStartup gets, for helpers of
// providers that have none.
func (d *DLL) UpcallTable() spi.UpcallTable { return d.table }

// upcalls returns the table. It is kept out of line because the compiler inlines
// nothing into the closures of a function that is inlined itself.
//
//go:noinline
func (d *DLL) upcalls() spi.UpcallTable {
	// The query is called at the start of nearly every function of a non-IFS
	// provider, so the handle table's lookup is inlined into it.
	sockets := d.handles.nonIFS
	return spi.UpcallTable{
		WPUCloseEvent:            d.wpuCloseEvent,
		WPUCloseSocketHandle:     d.wpuCloseSocketHandle,
		WPUCreateEvent:           d.wpuCreateEvent,
		WPUCreateSocketHandle:    d.wpuCreateSocketHandle,
		WPUFDIsSet:               wpuFDIsSet,
		WPUGetProviderPath:       d.wpuGetProviderPath,
		WPUModifyIFSHandle:       d.wpuModifyIFSHandle,
		WPUPostMessage:           d.wpuPostMessage,
		WPUQueryBlockingCallback: d.wpuQueryBlockingCallback,
		// WPUQuerySocketHandleContext returns the context of a handle that
		// WPUCreateSocketHandle made and WPUCloseSocketHandle has not closed,
		// whichever provider's it is. It takes no lock.
		// Required for non-IFS providers. WSAENOTSOCK (any other value, IFS
		// handles included).
		WPUQuerySocketHandleContext: func(s spi.Socket) (uintptr, spi.Errno) {
			context, ok := sockets.At(uintptr(s)).Context(uintptr(s))
			if !ok {
				return 0, spi.WSAENOTSOCK
			}
			return context, 0
		},
		WPUQueueApc:          d.wpuQueueApc,
		WPUResetEvent:        d.wpuResetEvent,
		WPUSetEvent:          d.wpuSetEvent,
		WPUOpenCurrentThread: d.wpuOpenCurrentThread,
		WPUCloseThread:       d.wpuCloseThread,
	}
}

// wpuCloseEvent closes an event; waits for it end with WSA_INVALID_HANDLE.
// Optional. WSA_INVALID_HANDLE (not an event, or closed before).
func (d *DLL) wpuCloseEvent(ev spi.Event) spi.Errno {
	// The handle goes last: then its slot, with the state, may be another event's.
	if e := d.event(ev); e == nil || !e.Close() {
		return spi.WSA_INVALID_HANDLE
	}
	d.events.Remove(uintptr(ev.Untagged()))
	d.eventsClosed.Add(1)
	return 0
}

// wpuCreateEvent makes a manual-reset event, not signalled. It is one with the
// client's WSAEVENTs. Optional. WSA_NOT_ENOUGH_MEMORY.
func (d *DLL) wpuCreateEvent() (spi.Event, spi.Errno) {
	return d.newEvent(wait.NewEvent())
}

// wpuResetEvent clears an event, signalled or not.
// Optional. WSA_INVALID_HANDLE.
func (d *DLL) wpuResetEvent(ev spi.Event) spi.Errno {
	if e := d.event(ev); e == nil || !e.Reset() {
		return spi.WSA_INVALID_HANDLE
	}
	return 0
}

// wpuSetEvent signals an event, signalled or not.
// Optional. WSA_INVALID_HANDLE.
func (d *DLL) wpuSetEvent(ev spi.Event) spi.Errno {
	if e := d.event(ev); e == nil || !e.Set() {
		return spi.WSA_INVALID_HANDLE
	}
	return 0
}

// wpuCreateSocketHandle makes a non-IFS handle for the provider of a catalog
// entry, its own. From before it returns client calls on the handle go to that
// provider, and the query gives context. The handle is the provider's: it stays
// until wpuCloseSocketHandle, also when the client has closed it.
// Required for non-IFS providers. WSAENOBUFS (no more handles), WSAEINVAL
// (unknown id), WSANOTINITIALISED.
func (d *DLL) wpuCreateSocketHandle(catalogEntryID uint32, context uintptr) (spi.Socket, spi.Errno) {
	e, code := d.caller(catalogEntryID)
	if code != 0 {
		return spi.InvalidSocket, code
	}
	handle, ok := d.handles.nonIFS.Insert(&socket{provider: e.provider, entry: e}, context)
	if !ok {
		return spi.InvalidSocket, spi.WSAENOBUFS
	}
	return spi.Socket(handle), 0
}

// wpuCloseSocketHandle removes a handle that wpuCreateSocketHandle made, with
// its context and its tie to a completion port. It works after the client's
// closesocket and inside the last WSPCleanup. The value is not used again.
// Required. WSAENOTSOCK (not such a handle, or closed before).
func (d *DLL) wpuCloseSocketHandle(s spi.Socket) spi.Errno {
	sock := d.handles.nonIFS.Remove(uintptr(s))
	if sock == nil {
		return spi.WSAENOTSOCK
	}
	sock.state.Store(closed)
	return 0
}

// wpuModifyIFSHandle registers an operating-system handle for the provider of a
// catalog entry, and returns the same handle. A layer calls it again for a
// handle that the provider below has registered: the last caller wins. There is
// no upcall to undo it; the host forgets the handle when the client closes it.
// Required for IFS providers. WSAEINVAL (not an open operating-system handle, or
// unknown id), WSANOTINITIALISED.
func (d *DLL) wpuModifyIFSHandle(catalogEntryID uint32, proposed spi.Socket) (spi.Socket, spi.Errno) {
	e, code := d.caller(catalogEntryID)
	if code == 0 {
		code = d.handles.register(proposed, e)
	}
	if code != 0 {
		return spi.InvalidSocket, code
	}
	return proposed, 0
}

// caller returns the catalog entry that a provider says it is called as.
// WSAEINVAL, WSANOTINITIALISED.
func (d *DLL) caller(catalogEntryID uint32) (*entry, spi.Errno) {
	r := d.current.Load()
	if r == nil {
		return nil, spi.WSANOTINITIALISED
	}
	e := r.byID[catalogEntryID]
	if e == nil {
		return nil, spi.WSAEINVAL
	}
	return e, 0
}

// wpuFDIsSet reports whether s is among the first fd_count entries of set, which
// may be more than 64. Optional. No errors.
func wpuFDIsSet(s spi.Socket, set *spi.FDSet) bool { return set.IsSet(s) }

// wpuGetProviderPath stores the path of a provider as it was installed, with its
// environment references, and a NUL. length counts WCHARs: the size of path
// going in, what is needed coming out, also when path is too small.
// Required. WSAEINVAL (no such provider), WSAEFAULT (a nil pointer, or path too
// small), WSANOTINITIALISED.
func (d *DLL) wpuGetProviderPath(providerID *spi.GUID, path []uint16, length *int32) spi.Errno {
	if providerID == nil || length == nil {
		return spi.WSAEFAULT
	}
	r := d.current.Load()
	if r == nil {
		return spi.WSANOTINITIALISED
	}
	return r.catalog.ProviderPath(*providerID, path, length)
}

// wpuPostMessage posts to a window: to the client's post routine if it has set
// one, else to the queue of that window of this DLL.
// Required. False when it could not be posted.
func (d *DLL) wpuPostMessage(wnd spi.HWND, msg uint32, wParam, lParam uintptr) bool {
	return d.windows.post(wnd, msg, wParam, lParam)
}

// wpuQueryBlockingCallback stores what a provider must call while a call of this
// thread blocks, and the context to call it with; nil when the thread has no
// blocking hook, as is the rule with version 2.
// Required. WSAEFAULT (a nil pointer), WSAEINVAL (unknown id),
// WSANOTINITIALISED.
func (d *DLL) wpuQueryBlockingCallback(catalogEntryID uint32, callback *spi.BlockingCallback, context *uintptr) spi.Errno {
	if callback == nil || context == nil {
		return spi.WSAEFAULT
	}
	*callback, *context = nil, 0
	e, code := d.caller(catalogEntryID)
	if code != 0 {
		return code
	}
	if d.threads.hooked.Load() == 0 {
		return 0
	}
	if t := d.CallingThread(); t != nil && t.hook != nil {
		*callback = func(uintptr) bool { return t.runHook(e) }
		*context = uintptr(catalogEntryID)
	}
	return 0
}

// wpuQueueApc queues apc(context) to a thread, which runs it in its next, or its
// present, alertable wait, in the order of queueing. It takes no lock, and
// copies what thread points to. What it queues outlives wpuCloseThread.
// Optional. WSAEFAULT (nil, not the id of a thread, or the thread has ended).
func (d *DLL) wpuQueueApc(thread *spi.ThreadID, apc spi.UserAPC, context uintptr) spi.Errno {
	if thread == nil || apc == nil {
		return spi.WSAEFAULT
	}
	ref := d.threads.ids.Get(thread.ThreadHandle)
	if ref == nil || !ref.thread.bound || !ref.thread.waiter.Queue(apc, context) {
		return spi.WSAEFAULT
	}
	return 0
}

// wpuOpenCurrentThread stores an id of the calling thread for wpuQueueApc, for
// use until wpuCloseThread. The thread must be bound: nothing else can wait
// alertably. Not in the documentation's table of obligations.
// WSANOTINITIALISED, WSAEFAULT (nil), WSAEOPNOTSUPP (not bound), WSAENOBUFS.
func (d *DLL) wpuOpenCurrentThread(thread *spi.ThreadID) spi.Errno {
	if d.current.Load() == nil {
		return spi.WSANOTINITIALISED
	}
	if thread == nil {
		return spi.WSAEFAULT
	}
	t := d.CallingThread()
	if t == nil {
		return spi.WSAEOPNOTSUPP
	}
	handle, ok := d.threads.ids.Insert(&threadRef{thread: t}, 0)
	if !ok {
		return spi.WSAENOBUFS
	}
	*thread = spi.ThreadID{ThreadHandle: handle}
	return 0
}

// wpuCloseThread ends the use of an id that wpuOpenCurrentThread stored, and
// clears it. The ids that the DLL hands to providers with each call are its own
// and cannot be closed. Its cell in the table of obligations is blank.
// WSANOTINITIALISED, WSAEFAULT (nil, not an id, closed before, or the DLL's).
func (d *DLL) wpuCloseThread(thread *spi.ThreadID) spi.Errno {
	if d.current.Load() == nil {
		return spi.WSANOTINITIALISED
	}
	if thread == nil {
		return spi.WSAEFAULT
	}
	ref := d.threads.ids.Get(thread.ThreadHandle)
	if ref == nil || ref.own || d.threads.ids.Remove(thread.ThreadHandle) == nil {
		return spi.WSAEFAULT
	}
	*thread = spi.ThreadID{}
	return 0
}

// wpuCompleteOverlappedRequest completes an operation that has no completion
// routine, on a handle that wpuCreateSocketHandle made. It stores transferred in
// InternalHigh, then the status in Internal, then sets ov's event and queues a
// packet to the handle's completion port, whichever there is; the low bit of the
// event's handle suppresses the packet. Offset and OffsetHigh are the
// provider's, who writes them before. An event that is closed by now is passed
// over. Exported, not in the table.
// WSAEINVAL (not such a handle, or no ov).
func (d *DLL) wpuCompleteOverlappedRequest(s spi.Socket, ov *spi.Overlapped, status spi.Errno, transferred uint32) spi.Errno {
	sock := d.handles.nonIFS.Get(uintptr(s))
	if sock == nil || ov == nil {
		return spi.WSAEINVAL
	}
	// Once Internal has changed the client may use ov for something else,
	// and tie the socket to a port that has nothing to do with it.
	ev := ov.HEvent
	var a *association
	if !ev.Tagged() {
		a = d.association(sock)
	}
	ov.Complete(status, transferred)
	if ev.Untagged() != spi.InvalidEvent {
		d.wpuSetEvent(ev)
	}
	if a != nil {
		a.queue(ov, status, transferred)
	}
	d.outcomes.Completed(ov)
	return 0
}
