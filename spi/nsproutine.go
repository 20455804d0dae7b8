package spi

import "reflect"

// NSPRoutine is NSP_ROUTINE: the nine functions as pointers behind the table's
// size and the provider's version. It serves providers that are not Go types
// with nine methods, such as those written in C. [NSPRoutine.Provider] makes an
// NSP of it, whose missing entries the host finds by [CheckNSP].
// Source: ns-ws2spi-nsp_routine.
type NSPRoutine struct {
	Size         uint32 // bytes
	MajorVersion uint32
	MinorVersion uint32
	_            uint32

	LpNSPCleanup             func(providerID *GUID) Errno
	LpNSPLookupServiceBegin  func(providerID *GUID, restrictions *QuerySet, classInfo *ServiceClassInfo, flags uint32) (Lookup, Errno)
	LpNSPLookupServiceNext   func(h Lookup, flags uint32, length *uint32, results []byte) Errno
	LpNSPLookupServiceEnd    func(h Lookup) Errno
	LpNSPSetService          func(providerID *GUID, classInfo *ServiceClassInfo, regInfo *QuerySet, operation int32, flags uint32) Errno
	LpNSPInstallServiceClass func(providerID *GUID, classInfo *ServiceClassInfo) Errno
	LpNSPRemoveServiceClass  func(providerID, classID *GUID) Errno
	LpNSPGetServiceClassInfo func(providerID, classID *GUID, length *uint32, info []byte) Errno
	LpNSPIoctl               func(h Lookup, code uint32, in, out []byte, returned *uint32, completion *NotifyCompletion, thread *ThreadID) Errno
}

// SizeofNSPRoutine is the value of NSPRoutine.Size. A provider from before
// Windows XP has a table without NSPIoctl and says 80.
const (
	SizeofNSPRoutine           = 88
	sizeofNSPRoutineWithoutCtl = 80
)

// Provider returns the table's functions as an [NSP]. The table must not change
// afterwards. NSPIoctl gives WSAEOPNOTSUPP if the table is of a size without it.
func (t *NSPRoutine) Provider() NSP { return nspRoutine{t} }

type nspRoutine struct{ *NSPRoutine }

// CheckNSP returns WSAEINVALIDPROCTABLE when p is nil, or a table of a wrong
// size or with a missing entry.
func CheckNSP(p NSP) Errno {
	if p == nil {
		return WSAEINVALIDPROCTABLE
	}
	r, ok := p.(nspRoutine)
	if !ok {
		if v := reflect.ValueOf(p); v.Kind() == reflect.Pointer && v.IsNil() {
			return WSAEINVALIDPROCTABLE
		}
		return 0
	}
	if r.NSPRoutine == nil || r.Size < sizeofNSPRoutineWithoutCtl {
		return WSAEINVALIDPROCTABLE
	}
	table := reflect.ValueOf(r.NSPRoutine).Elem()
	for i := range table.NumField() {
		f := table.Field(i)
		needed := r.Size >= SizeofNSPRoutine || table.Type().Field(i).Name != "LpNSPIoctl"
		if f.Kind() == reflect.Func && f.IsNil() && needed {
			return WSAEINVALIDPROCTABLE
		}
	}
	return 0
}

func (t nspRoutine) NSPCleanup(providerID *GUID) Errno { return t.LpNSPCleanup(providerID) }

func (t nspRoutine) NSPLookupServiceBegin(providerID *GUID, restrictions *QuerySet, classInfo *ServiceClassInfo, flags uint32) (Lookup, Errno) {
	return t.LpNSPLookupServiceBegin(providerID, restrictions, classInfo, flags)
}

func (t nspRoutine) NSPLookupServiceNext(h Lookup, flags uint32, length *uint32, results []byte) Errno {
	return t.LpNSPLookupServiceNext(h, flags, length, results)
}

func (t nspRoutine) NSPLookupServiceEnd(h Lookup) Errno { return t.LpNSPLookupServiceEnd(h) }

func (t nspRoutine) NSPSetService(providerID *GUID, classInfo *ServiceClassInfo, regInfo *QuerySet, operation int32, flags uint32) Errno {
	return t.LpNSPSetService(providerID, classInfo, regInfo, operation, flags)
}

func (t nspRoutine) NSPInstallServiceClass(providerID *GUID, classInfo *ServiceClassInfo) Errno {
	return t.LpNSPInstallServiceClass(providerID, classInfo)
}

func (t nspRoutine) NSPRemoveServiceClass(providerID, classID *GUID) Errno {
	return t.LpNSPRemoveServiceClass(providerID, classID)
}

func (t nspRoutine) NSPGetServiceClassInfo(providerID, classID *GUID, length *uint32, info []byte) Errno {
	return t.LpNSPGetServiceClassInfo(providerID, classID, length, info)
}

func (t nspRoutine) NSPIoctl(h Lookup, code uint32, in, out []byte, returned *uint32, completion *NotifyCompletion, thread *ThreadID) Errno {
	if t.Size < SizeofNSPRoutine {
		return WSAEOPNOTSUPP
	}
	return t.LpNSPIoctl(h, code, in, out, returned, completion, thread)
}
