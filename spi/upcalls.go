package spi

// UpcallTable is WSPUPCALLTABLE: the fifteen upcalls that the host hands to
// WSPStartup, in the table's order. A provider copies it; the one passed last
// counts. A layer hands it to the next provider unchanged.
//
// The sixteenth upcall, WPUCompleteOverlappedRequest, is an export of the DLL
// and not in the table: see [DLL].
//
// Source: ns-ws2spi-wspupcalltable; each member's page is
// nf-ws2spi-NAME in lower case.
type UpcallTable struct {
	// WPUCloseEvent closes an event. WSA_INVALID_HANDLE.
	WPUCloseEvent func(ev Event) Errno

	// WPUCloseSocketHandle removes a handle that WPUCreateSocketHandle made,
	// and its context. WSAENOTSOCK.
	WPUCloseSocketHandle func(s Socket) Errno

	// WPUCreateEvent makes a manual-reset event, not signalled.
	// WSA_NOT_ENOUGH_MEMORY.
	WPUCreateEvent func() (Event, Errno)

	// WPUCreateSocketHandle makes a non-IFS handle. Calls on it reach the
	// provider that catalogEntryID names, from before this returns; context is
	// what WPUQuerySocketHandleContext answers. WSAENOBUFS, WSAEINVAL (unknown
	// id).
	WPUCreateSocketHandle func(catalogEntryID uint32, context uintptr) (Socket, Errno)

	// WPUFDIsSet reports whether s is among the set's first fd_count entries.
	WPUFDIsSet func(s Socket, set *FDSet) bool

	// WPUGetProviderPath stores a provider's path as installed, unexpanded and
	// NUL terminated. length counts WCHARs: the buffer's size going in, the
	// string's length with the NUL coming out, also when the buffer is too
	// small (WSAEFAULT). WSAEINVAL (unknown id).
	WPUGetProviderPath func(providerID *GUID, path []uint16, length *int32) Errno

	// WPUModifyIFSHandle registers an OS handle, or takes it over from the
	// provider below: the last caller wins. The result equals proposed.
	// WSAEINVAL (handle or id), WSANOTINITIALISED.
	WPUModifyIFSHandle func(catalogEntryID uint32, proposed Socket) (Socket, Errno)

	// WPUPostMessage posts to a window through the client's post routine.
	WPUPostMessage func(wnd HWND, msg uint32, wParam, lParam uintptr) bool

	// WPUQueryBlockingCallback stores the calling thread's blocking callback,
	// nil when it has no hook, and the context to call it with. WSAEFAULT,
	// WSAEINVAL (unknown id).
	WPUQueryBlockingCallback func(catalogEntryID uint32, callback *BlockingCallback, context *uintptr) Errno

	// WPUQuerySocketHandleContext returns the context of a handle made by
	// WPUCreateSocketHandle. It takes no lock. WSAENOTSOCK for anything else.
	WPUQuerySocketHandleContext func(s Socket) (uintptr, Errno)

	// WPUQueueApc queues apc(context) to a thread, which runs it in an
	// alertable wait. WSAEFAULT (no such thread).
	WPUQueueApc func(thread *ThreadID, apc UserAPC, context uintptr) Errno

	// WPUResetEvent clears an event. WSA_INVALID_HANDLE.
	WPUResetEvent func(ev Event) Errno

	// WPUSetEvent signals an event. WSA_INVALID_HANDLE.
	WPUSetEvent func(ev Event) Errno

	// WPUOpenCurrentThread stores an id of the calling thread that other
	// threads can queue APCs to until WPUCloseThread. WSANOTINITIALISED.
	WPUOpenCurrentThread func(thread *ThreadID) Errno

	// WPUCloseThread ends the use of an id that WPUOpenCurrentThread stored.
	// APCs already queued still run. WSANOTINITIALISED, WSAEFAULT.
	WPUCloseThread func(thread *ThreadID) Errno
}

// DLL is what a provider reaches by linking with Ws2_32.dll and the system,
// beside the upcall table.
type DLL interface {
	// WPUCompleteOverlappedRequest completes an operation that has no
	// completion routine on a handle made by WPUCreateSocketHandle: it stores
	// transferred in InternalHigh, then the status in Internal, then signals
	// ov's event and queues to the handle's completion port, whichever there
	// is. The provider stores Offset (flags) and OffsetHigh (error) before.
	// WSAEINVAL when s is not such a handle or ov is nil.
	// Source: nf-ws2spi-wpucompleteoverlappedrequest.
	WPUCompleteOverlappedRequest(s Socket, ov *Overlapped, status Errno, transferred uint32) Errno

	// WSCEnumProtocols returns every entry of the catalog this process started
	// with, in order, hidden entries and bare layers included.
	// Source: nf-ws2spi-wscenumprotocols.
	WSCEnumProtocols() []ProtocolInfo

	// LoadProvider stands for ExpandEnvironmentStrings, LoadLibrary and
	// GetProcAddress("WSPStartup"): it returns the entry point of the provider
	// that is installed under id with the given path. Loading the same id and
	// path again gives the same provider. WSAEPROVIDERFAILEDINIT.
	LoadProvider(id GUID, path string) (StartupFunc, Errno)

	// RegisterWait makes an event like WPUCreateEvent's that also calls signal
	// each time it is set, set already or not, as RegisterWaitForSingleObject
	// does. signal runs on the setter's goroutine, perhaps inside a provider's
	// lock: it must neither block nor call a provider. WPUCloseEvent ends it.
	RegisterWait(signal func()) (Event, Errno)

	// RegisterWaitBy is RegisterWait for a client that waits for descriptors
	// itself: EventWatcher then returns by for the event.
	RegisterWaitBy(by Watcher, signal func()) (Event, Errno)

	// EventWatcher returns who waits for the descriptors that ev tells of, nil
	// unless the event was made by RegisterWaitBy. A base provider asks when an
	// event is selected, and need not heed it.
	EventWatcher(ev Event) Watcher

	// WaitForEvent stands for WaitForSingleObject: it waits, not alertably,
	// until ev is signalled or milliseconds have passed (Infinite: for ever).
	// WSA_WAIT_EVENT_0, WSA_WAIT_TIMEOUT, or WSA_WAIT_FAILED for a handle that
	// is not an event.
	WaitForEvent(ev Event, milliseconds uint32) uint32

	// CompletionPort returns where the packets of the overlapped operations of
	// s go, nil if nowhere. A base provider asks when it starts an operation
	// on an IFS handle that has no completion routine: the client may associate
	// the handle with a port at any time. For handles of WPUCreateSocketHandle
	// WPUCompleteOverlappedRequest queues the packets.
	CompletionPort(s Socket) CompletionPort

	// CompleteWith makes complete run for each packet of lower, a socket of the
	// next provider that a layer keeps under its own handle upper. While the
	// client has upper associated with a port, the packets of lower's
	// operations go to complete on a thread that dequeues from that port, so
	// that a chain needs no goroutines of its own to pass completions up. No
	// lock is held; complete tells the client by WPUCompleteOverlappedRequest.
	// While upper has no port, lower has none: CompletionPort tells. It ends
	// with either handle. WSAENOTSOCK, WSAEINVAL (upper is not from
	// WPUCreateSocketHandle).
	CompleteWith(lower, upper Socket, complete func(Completion)) Errno

	// Application returns the path of the program whose sockets these are,
	// which GetModuleFileName gives a provider that is loaded into it.
	Application() string
}

// StartupFunc is WSPStartup, the one function that a provider exports. info is
// the catalog entry that the provider is started for: for a layer the chain
// entry. The provider stores its versions in data and returns its functions;
// the host refuses a Version other than 2.2 and a Provider that [CheckProvider]
// finds incomplete. Starts are counted: each successful one is undone by one
// WSPCleanup. The upcall table of the latest start counts.
// WSASYSNOTREADY, WSAVERNOTSUPPORTED, WSAEPROCLIM, WSAEPROVIDERFAILEDINIT.
// Source: nf-ws2spi-wspstartup.
type StartupFunc func(versionRequested uint16, data *WSPData, info *ProtocolInfo, upcalls UpcallTable, dll DLL) (Provider, Errno)

// Version22 is MAKEWORD(2, 2), the version that the host requests.
const Version22 = 0x0202

// NegotiateVersion applies a provider's side of the version rule, for one that
// supports 2.2 only: it fills data's versions, or gives WSAVERNOTSUPPORTED for
// a request below 2.2.
func NegotiateVersion(requested uint16, data *WSPData, description string) Errno {
	data.Version, data.HighVersion = Version22, Version22
	for i, c := range description {
		if i >= len(data.Description)-1 {
			break
		}
		data.Description[i] = uint16(c)
	}
	if major, minor := requested&0xff, requested>>8; major < 2 || major == 2 && minor < 2 {
		return WSAVERNOTSUPPORTED
	}
	return 0
}
