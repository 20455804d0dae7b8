package spi

// Namespaces, NS_. A provider serves one; a query for NS_ALL goes to all.
const (
	NS_ALL       = 0
	NS_DNS       = 12
	NS_NETBT     = 13
	NS_WINS      = 14
	NS_NLA       = 15
	NS_BTH       = 16
	NS_NTDS      = 32
	NS_EMAIL     = 37
	NS_PNRPNAME  = 38
	NS_PNRPCLOUD = 39
)

// Control flags of a lookup, LUP_.
const (
	LUP_DEEP                   = 0x000001
	LUP_CONTAINERS             = 0x000002
	LUP_NOCONTAINERS           = 0x000004
	LUP_NEAREST                = 0x000008
	LUP_RETURN_NAME            = 0x000010
	LUP_RETURN_TYPE            = 0x000020
	LUP_RETURN_VERSION         = 0x000040
	LUP_RETURN_COMMENT         = 0x000080
	LUP_RETURN_ADDR            = 0x000100
	LUP_RETURN_BLOB            = 0x000200
	LUP_RETURN_ALIASES         = 0x000400
	LUP_RETURN_QUERY_STRING    = 0x000800
	LUP_RETURN_ALL             = 0x000ff0
	LUP_FLUSHCACHE             = 0x001000
	LUP_FLUSHPREVIOUS          = 0x002000
	LUP_NON_AUTHORITATIVE      = 0x004000
	LUP_RES_SERVICE            = 0x008000
	LUP_SECURE                 = 0x008000
	LUP_RETURN_PREFERRED_NAMES = 0x010000
	LUP_ADDRCONFIG             = 0x100000
	LUP_DUAL_ADDR              = 0x200000
)

// RESULT_IS_ALIAS in QuerySet.OutputFlags marks a result that is another name
// of the one before.
const RESULT_IS_ALIAS = 1

// Operations of NSPSetService, WSAESETSERVICEOP.
const (
	RNRSERVICE_REGISTER   = 0
	RNRSERVICE_DEREGISTER = 1
	RNRSERVICE_DELETE     = 2
)

// SERVICE_MULTIPLE makes NSPSetService work on the given addresses alone.
const SERVICE_MULTIPLE = 1

// Lookup is the handle of a lookup in progress: a provider's own, or the host's
// for a client.
type Lookup uintptr

// NSP is a namespace provider: the functions of NSP_ROUTINE. Each gives its
// code as the result where the functions in C call WSASetLastError. All may be
// called from several threads at once.
//
// Source: ns-ws2spi-nsp_routine; each function's page is nf-ws2spi-NAME in
// lower case, or its typedef's nc-ws2spi-lpNAME.
type NSP interface {
	// NSPCleanup undoes one NSPStartup. The last one does not return while
	// anything of the provider still runs. WSAEINVAL, WSAEOPNOTSUPP.
	NSPCleanup(providerID *GUID) Errno

	// NSPLookupServiceBegin begins a lookup and searches nothing yet. The
	// provider copies what it keeps of restrictions ([QuerySet.Clone]).
	// WSAEINVAL, WSAEOPNOTSUPP, WSANO_DATA, WSASERVICE_NOT_FOUND (a class of
	// service that is not of this namespace).
	NSPLookupServiceBegin(providerID *GUID, restrictions *QuerySet, classInfo *ServiceClassInfo, flags uint32) (Lookup, Errno)

	// NSPLookupServiceNext stores the next result at the beginning of results
	// and everything that it points to behind it ([QuerySet.Pack]). length
	// counts bytes: the room going in, and with WSAEFAULT what is needed coming
	// out; the same result then comes again, or with LUP_FLUSHPREVIOUS the one
	// after. flags restrict further what Begin's flags ask for. WSA_E_NO_MORE
	// (the end), WSA_E_CANCELLED (NSPLookupServiceEnd was called meanwhile),
	// WSANO_DATA (the name exists, but not with what is asked for),
	// WSAHOST_NOT_FOUND, WSASERVICE_NOT_FOUND, WSATRY_AGAIN, WSANO_RECOVERY,
	// WSAEFAULT, WSAEINVAL, WSA_INVALID_HANDLE.
	NSPLookupServiceNext(h Lookup, flags uint32, length *uint32, results []byte) Errno

	// NSPLookupServiceEnd ends a lookup, from any thread: an
	// NSPLookupServiceNext that is searching gives WSA_E_CANCELLED, and an
	// NSPIoctl that is pending completes with WSA_OPERATION_ABORTED, or not at
	// all if by a window message. WSA_INVALID_HANDLE.
	NSPLookupServiceEnd(h Lookup) Errno

	// NSPSetService registers or removes a service (RNRSERVICE_). WSAEACCES,
	// WSAEINVAL, WSAEOPNOTSUPP, WSASERVICE_NOT_FOUND.
	NSPSetService(providerID *GUID, classInfo *ServiceClassInfo, regInfo *QuerySet, operation int32, flags uint32) Errno

	// NSPInstallServiceClass makes a class of services known. WSAEACCES,
	// WSAEALREADY, WSAEINVAL, WSAEOPNOTSUPP.
	NSPInstallServiceClass(providerID *GUID, classInfo *ServiceClassInfo) Errno

	// NSPRemoveServiceClass undoes that. WSAEACCES, WSAEINVAL, WSAEOPNOTSUPP,
	// WSATYPE_NOT_FOUND.
	NSPRemoveServiceClass(providerID, classID *GUID) Errno

	// NSPGetServiceClassInfo stores what is known of a class in info as
	// NSPLookupServiceNext stores a result. WSAEFAULT, WSAEINVAL,
	// WSAEOPNOTSUPP, WSANO_DATA, WSATYPE_NOT_FOUND.
	NSPGetServiceClassInfo(providerID, classID *GUID, length *uint32, info []byte) Errno

	// NSPIoctl controls a lookup. SIO_NSP_NOTIFY_CHANGE tells whether its
	// results are out of date: with no completion 0 means that they are and
	// WSAEWOULDBLOCK that they still hold; otherwise WSA_IO_PENDING means that
	// [NSPHost.Notify] of a copy of it will tell. WSA_INVALID_HANDLE,
	// WSAEFAULT, WSAEINVAL, WSAEOPNOTSUPP.
	NSPIoctl(h Lookup, code uint32, in, out []byte, returned *uint32, completion *NotifyCompletion, thread *ThreadID) Errno
}

// NSPHost is what a namespace provider reaches by linking with Ws2_32.dll and
// the system.
type NSPHost interface {
	// Notify completes what NSPIoctl has left pending: it sets the event,
	// queues the APC to the thread, or the packet to the port, or posts the
	// message, as c says; the operation's Overlapped gets the status. It is a
	// leaf: it may be called with any lock held, once for one operation.
	Notify(c *NotifyCompletion, thread *ThreadID, status Errno)
}

// NSPStartupFunc is NSPStartup, the one function that a namespace provider
// exports. providerID is the catalog's id for it. Starts are counted: each
// successful one is undone by one NSPCleanup. The host refuses a provider that
// [CheckNSP] finds incomplete. WSAEINVAL, WSAEINVALIDPROCTABLE, WSASYSNOTREADY.
// Source: nf-ws2spi-nspstartup.
type NSPStartupFunc func(providerID *GUID, host NSPHost) (NSP, Errno)

// Ways to be notified, WSACOMPLETIONTYPE.
const (
	NSP_NOTIFY_IMMEDIATELY = 0
	NSP_NOTIFY_HWND        = 1
	NSP_NOTIFY_EVENT       = 2
	NSP_NOTIFY_PORT        = 3
	NSP_NOTIFY_APC         = 4
)

// NotifyCompletion is WSACOMPLETION: how NSPIoctl tells of its end. The union
// of the structure in C is laid flat, for Go must tell pointers from handles.
// Source: winsock2/ns-winsock2-wsacompletion.
type NotifyCompletion struct {
	Type       int32             // NSP_NOTIFY_
	Message    uint32            // HWND: the message
	Overlapped *Overlapped       // event, port, APC
	Routine    CompletionRoutine // APC
	Handle     uintptr           // HWND: the window; port: the completion port
	Context    uintptr           // HWND: the message's wParam; port: the key
}
