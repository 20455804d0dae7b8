package spi

import (
	"unsafe"

	"upcall.dev/internal/pack"
)

// ServiceClassInfo is WSASERVICECLASSINFOW: a class of services and what each
// namespace needs to know of it.
// Source: winsock2/ns-winsock2-wsaserviceclassinfow.
type ServiceClassInfo struct {
	ServiceClassID   *GUID
	ServiceClassName *uint16
	Count            uint32 // at ClassInfos
	_                uint32
	ClassInfos       *NSClassInfo
}

// NSClassInfo is WSANSCLASSINFOW: one value that a namespace knows a class by.
type NSClassInfo struct {
	Name      *uint16
	NameSpace uint32 // NS_
	ValueType uint32 // as in the registry: 4 is REG_DWORD
	ValueSize uint32 // bytes at Value
	_         uint32
	Value     *byte
}

// Values returns the class's values, sharing their memory.
func (c *ServiceClassInfo) Values() []NSClassInfo {
	if c.ClassInfos == nil {
		return nil
	}
	return unsafe.Slice(c.ClassInfos, c.Count)
}

func (c *ServiceClassInfo) valid() bool {
	if c.ServiceClassID == nil || c.Count > mostElements || c.Count != 0 && c.ClassInfos == nil {
		return false
	}
	for _, v := range c.Values() {
		if v.ValueSize > longestBlob || v.ValueSize != 0 && v.Value == nil {
			return false
		}
	}
	return true
}

// Pack stores a copy of c as [QuerySet.Pack] does one of a query set.
// WSAEFAULT, WSAEINVAL (no class id, or counts that cannot be).
func (c *ServiceClassInfo) Pack(memory []byte, length *uint32) Errno {
	if length == nil || c == nil {
		return WSAEFAULT
	}
	if !c.valid() {
		return WSAEINVAL
	}
	return packInto(memory, length, func(b *pack.Buffer) {
		copied := pack.One[ServiceClassInfo](b)
		*copied = *c
		copied.ServiceClassID = pack.CopyOne(b, c.ServiceClassID)
		copied.ServiceClassName = copyString(b, c.ServiceClassName)
		values := pack.Alloc[NSClassInfo](b, len(c.Values()))
		for i, v := range c.Values() {
			values[i] = v
			values[i].Name = copyString(b, v.Name)
			values[i].Value = copyBlob(b, unsafe.Slice(v.Value, v.ValueSize))
		}
		copied.ClassInfos = unsafe.SliceData(values)
	})
}

// ServiceClassInfoAt returns the class at the beginning of memory; nil if memory
// is too short or not aligned.
func ServiceClassInfoAt(memory []byte) *ServiceClassInfo {
	if len(memory) < int(unsafe.Sizeof(ServiceClassInfo{})) || !pack.Aligned(memory) {
		return nil
	}
	return (*ServiceClassInfo)(unsafe.Pointer(unsafe.SliceData(memory)))
}

// NamespaceInfo is WSANAMESPACE_INFOW: an entry of the namespace catalog.
// Source: winsock2/ns-winsock2-wsanamespace_infow.
type NamespaceInfo struct {
	NSProviderID GUID
	NameSpace    uint32 // NS_
	Active       int32  // BOOL
	Version      uint32
	_            uint32
	Identifier   *uint16
}

// NamespaceInfoEx is WSANAMESPACE_INFOEXW: [NamespaceInfo] with data of the
// provider.
type NamespaceInfoEx struct {
	NamespaceInfo
	ProviderSpecific Blob
}

// PackNamespaces stores an array of NamespaceInfoEx with extended, or else of
// NamespaceInfo, as [QuerySet.Pack] stores a query set.
func PackNamespaces(infos []NamespaceInfoEx, extended bool, memory []byte, length *uint32) Errno {
	if length == nil {
		return WSAEFAULT
	}
	return packInto(memory, length, func(b *pack.Buffer) {
		if extended {
			array := pack.Alloc[NamespaceInfoEx](b, len(infos))
			for i, info := range infos {
				array[i] = info
				array[i].Identifier = copyString(b, info.Identifier)
				array[i].ProviderSpecific.Data = copyBlob(b, info.ProviderSpecific.Bytes())
			}
			return
		}
		array := pack.Alloc[NamespaceInfo](b, len(infos))
		for i, info := range infos {
			array[i] = info.NamespaceInfo
			array[i].Identifier = copyString(b, info.Identifier)
		}
	})
}
