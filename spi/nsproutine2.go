package spi

// AsyncCall is the handle of a call to a namespace provider of version 2 that
// ends with WSAProviderCompleteAsyncCall, not with its return.
type AsyncCall uintptr

// NSPv2Routine is NSPV2_ROUTINE: the functions of a namespace provider of
// version 2, which a program gives to WSAAdvertiseProvider. Those for lookups
// are required. Each that returns a code gives it as the result where the
// function in C calls WSASetLastError, and WSAEOPNOTSUPP if it is only there for
// the sake of the table.
//
// A provider may answer an AsyncCall before its function returns or later, from
// any thread; what its arguments point to stays until then, but is not pinned
// for C. After the end of the lookup nobody waits for the answer any more.
//
// Source: ns-ws2spi-nspv2_routine; each function's page is nc-ws2spi-lpNAME in
// lower case.
type NSPv2Routine struct {
	Size         uint32 // bytes: [SizeofNSPv2Routine]
	MajorVersion uint32
	MinorVersion uint32
	_            uint32

	// LpNSPv2Startup tells that the process begins to use the provider. What it
	// stores in session comes with other calls.
	LpNSPv2Startup func(providerID *GUID, session *uintptr) Errno
	// LpNSPv2Cleanup undoes a start.
	LpNSPv2Cleanup func(providerID *GUID, session uintptr) Errno
	// LpNSPv2LookupServiceBegin is [NSP].NSPLookupServiceBegin.
	LpNSPv2LookupServiceBegin func(providerID *GUID, restrictions *QuerySet2, flags uint32, session uintptr) (Lookup, Errno)
	// LpNSPv2LookupServiceNextEx answers call as [NSP].NSPLookupServiceNext
	// returns, with a QuerySet2 as the result.
	LpNSPv2LookupServiceNextEx func(call AsyncCall, h Lookup, flags uint32, length *uint32, results []byte)
	// LpNSPv2LookupServiceEnd is [NSP].NSPLookupServiceEnd.
	LpNSPv2LookupServiceEnd func(h Lookup) Errno
	// LpNSPv2SetServiceEx answers call as [NSP].NSPSetService returns.
	LpNSPv2SetServiceEx func(call AsyncCall, providerID *GUID, regInfo *QuerySet2, operation int32, flags uint32, session uintptr)
	// LpNSPv2ClientSessionRundown tells that the process is about to end its
	// use; the cleanup follows.
	LpNSPv2ClientSessionRundown func(providerID *GUID, session uintptr)
}

// SizeofNSPv2Routine is sizeof(NSPV2_ROUTINE).
const SizeofNSPv2Routine = 72

// CheckNSPv2 returns WSAEINVAL when t is nil, too small, or without one of the
// functions for lookups.
func CheckNSPv2(t *NSPv2Routine) Errno {
	if t == nil || t.Size < SizeofNSPv2Routine ||
		t.LpNSPv2LookupServiceBegin == nil || t.LpNSPv2LookupServiceNextEx == nil || t.LpNSPv2LookupServiceEnd == nil {
		return WSAEINVAL
	}
	return 0
}
