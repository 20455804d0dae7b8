package spi

import (
	"unsafe"

	"upcall.dev/internal/pack"
)

// QuerySet2 is WSAQUERYSET2W, in which namespace providers of version 2 are
// asked and answer: a [QuerySet] without the class of the service.
// Source: winsock2/ns-winsock2-wsaqueryset2w.
type QuerySet2 struct {
	Size                uint32 // bytes: [SizeofQuerySet2]
	_                   uint32
	ServiceInstanceName *uint16
	Version             *ServiceVersion
	Comment             *uint16
	NameSpace           uint32 // NS_
	_                   uint32
	NSProviderID        *GUID
	Context             *uint16
	NumberOfProtocols   uint32 // at Protocols
	_                   uint32
	Protocols           *AFProtocol
	QueryString         *uint16
	NumberOfCsAddrs     uint32 // at CsaBuffer
	_                   uint32
	CsaBuffer           *CSAddrInfo
	OutputFlags         uint32 // RESULT_
	_                   uint32
	Blob                *Blob
}

// SizeofQuerySet2 is sizeof(WSAQUERYSET2W).
const SizeofQuerySet2 = 112

// Second returns q for a provider of version 2. What q points to is shared.
func (q *QuerySet) Second() *QuerySet2 {
	return &QuerySet2{
		Size: SizeofQuerySet2, ServiceInstanceName: q.ServiceInstanceName, Version: q.Version, Comment: q.Comment,
		NameSpace: q.NameSpace, NSProviderID: q.NSProviderID, Context: q.Context,
		NumberOfProtocols: q.NumberOfProtocols, Protocols: q.Protocols, QueryString: q.QueryString,
		NumberOfCsAddrs: q.NumberOfCsAddrs, CsaBuffer: q.CsaBuffer, OutputFlags: q.OutputFlags, Blob: q.Blob,
	}
}

// First returns q as a query set of the first version, without a class; what q
// points to is shared. A q that is nil or too small gives nil.
func (q *QuerySet2) First() *QuerySet {
	if q == nil || q.Size < SizeofQuerySet2 {
		return nil
	}
	return &QuerySet{
		Size: SizeofQuerySet, ServiceInstanceName: q.ServiceInstanceName, Version: q.Version, Comment: q.Comment,
		NameSpace: q.NameSpace, NSProviderID: q.NSProviderID, Context: q.Context,
		NumberOfProtocols: q.NumberOfProtocols, Protocols: q.Protocols, QueryString: q.QueryString,
		NumberOfCsAddrs: q.NumberOfCsAddrs, CsaBuffer: q.CsaBuffer, OutputFlags: q.OutputFlags, Blob: q.Blob,
	}
}

// QuerySet2At returns the query set at the beginning of memory; nil if memory is
// too short or not aligned.
func QuerySet2At(memory []byte) *QuerySet2 {
	if len(memory) < SizeofQuerySet2 || !pack.Aligned(memory) {
		return nil
	}
	return (*QuerySet2)(unsafe.Pointer(unsafe.SliceData(memory)))
}

// Pack stores a copy of q in memory as [QuerySet.Pack] does, with its errors.
func (q *QuerySet2) Pack(memory []byte, length *uint32) Errno {
	if length == nil {
		return WSAEFAULT
	}
	first := q.First()
	if first == nil || !first.valid() {
		return WSAEINVAL
	}
	return packInto(memory, length, func(b *pack.Buffer) {
		second := pack.One[QuerySet2](b)
		copied := *first
		first.copyPointers(b, &copied)
		*second = *copied.Second()
	})
}
