package spi

import (
	"slices"
	"unicode/utf16"
	"unsafe"

	"upcall.dev/internal/pack"
)

// QuerySet is WSAQUERYSETW: what a lookup asks for, and each of its results.
// Source: winsock2/ns-winsock2-wsaquerysetw.
type QuerySet struct {
	Size                uint32 // bytes: [SizeofQuerySet]
	_                   uint32
	ServiceInstanceName *uint16
	ServiceClassID      *GUID
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

// SizeofQuerySet is sizeof(WSAQUERYSETW).
const SizeofQuerySet = 120

// ServiceVersion is WSAVERSION: a version and how to compare with it.
type ServiceVersion struct {
	Version uint32
	How     int32 // 0 COMP_EQUAL, 1 COMP_NOTLESS
}

// AFProtocol is AFPROTOCOLS: an address family and protocol to restrict a
// lookup to.
type AFProtocol struct {
	AddressFamily int32
	Protocol      int32 // 0 is any
}

// CSAddrInfo is CSADDR_INFO: the addresses of a service.
type CSAddrInfo struct {
	LocalAddr  SocketAddress // to bind to
	RemoteAddr SocketAddress // to connect to
	SocketType int32
	Protocol   int32
}

// SocketAddress is SOCKET_ADDRESS: a sockaddr with its length.
type SocketAddress struct {
	Sockaddr *byte
	Length   int32 // bytes at Sockaddr
	_        uint32
}

// NewSocketAddress describes name.
func NewSocketAddress(name []byte) SocketAddress {
	return SocketAddress{Sockaddr: unsafe.SliceData(name), Length: int32(len(name))}
}

// Bytes returns the memory of the address, nil if there is none.
func (a SocketAddress) Bytes() []byte {
	if a.Sockaddr == nil || a.Length <= 0 {
		return nil
	}
	return unsafe.Slice(a.Sockaddr, a.Length)
}

// Blob is BLOB: bytes with a length.
type Blob struct {
	Size uint32 // bytes at Data
	_    uint32
	Data *byte
}

// NewBlob describes data.
func NewBlob(data []byte) *Blob {
	return &Blob{Size: uint32(len(data)), Data: unsafe.SliceData(data)}
}

// Bytes returns the memory of the blob; a nil one has none.
func (b *Blob) Bytes() []byte {
	if b == nil || b.Data == nil {
		return nil
	}
	return unsafe.Slice(b.Data, b.Size)
}

// Limits of what [QuerySet.Clone] accepts.
const (
	mostElements   = 1 << 16 // protocols or addresses
	longestAddress = 1 << 10 // bytes of a sockaddr
	longestBlob    = 1 << 24 // bytes
)

// Name returns the instance's name, "" if there is none.
func (q *QuerySet) Name() string { return UTF16PtrToString(q.ServiceInstanceName) }

// ProtocolList returns the families and protocols, sharing their memory.
func (q *QuerySet) ProtocolList() []AFProtocol {
	if q.Protocols == nil {
		return nil
	}
	return unsafe.Slice(q.Protocols, q.NumberOfProtocols)
}

// SetProtocols makes q restrict to these families and protocols.
func (q *QuerySet) SetProtocols(protocols []AFProtocol) {
	q.NumberOfProtocols, q.Protocols = uint32(len(protocols)), unsafe.SliceData(protocols)
}

// Addresses returns the service's addresses, sharing their memory.
func (q *QuerySet) Addresses() []CSAddrInfo {
	if q.CsaBuffer == nil {
		return nil
	}
	return unsafe.Slice(q.CsaBuffer, q.NumberOfCsAddrs)
}

// SetAddresses makes these the addresses of q.
func (q *QuerySet) SetAddresses(addresses []CSAddrInfo) {
	q.NumberOfCsAddrs, q.CsaBuffer = uint32(len(addresses)), unsafe.SliceData(addresses)
}

// valid reports whether the counts of q can be believed.
func (q *QuerySet) valid() bool {
	return q.Size >= SizeofQuerySet && q.NumberOfProtocols <= mostElements && q.NumberOfCsAddrs <= mostElements &&
		(q.NumberOfProtocols == 0 || q.Protocols != nil) && (q.NumberOfCsAddrs == 0 || q.CsaBuffer != nil) &&
		!slices.ContainsFunc(q.Addresses(), func(a CSAddrInfo) bool { return !a.LocalAddr.valid() || !a.RemoteAddr.valid() }) &&
		(q.Blob == nil || q.Blob.Size <= longestBlob && (q.Blob.Size == 0 || q.Blob.Data != nil))
}

func (a SocketAddress) valid() bool {
	return a.Length >= 0 && a.Length <= longestAddress && (a.Length == 0 || a.Sockaddr != nil)
}

// Clone returns a copy that shares no memory with q. WSAEFAULT (q is nil),
// WSAEINVAL (a size or count that cannot be).
func (q *QuerySet) Clone() (*QuerySet, Errno) {
	if q == nil {
		return nil, WSAEFAULT
	}
	if !q.valid() {
		return nil, WSAEINVAL
	}
	var length uint32
	if q.Pack(nil, &length) == WSAEINVAL {
		return nil, WSAEINVAL
	}
	memory := make([]byte, length)
	if e := q.Pack(memory, &length); e != 0 {
		return nil, e
	}
	return QuerySetAt(memory), 0
}

// QuerySetAt returns the query set at the beginning of memory, as
// NSPLookupServiceNext stores it; nil if memory is too short or not aligned.
func QuerySetAt(memory []byte) *QuerySet {
	if len(memory) < SizeofQuerySet || !pack.Aligned(memory) {
		return nil
	}
	return (*QuerySet)(unsafe.Pointer(unsafe.SliceData(memory)))
}

// Pack stores a copy of q at the beginning of memory and everything that it
// points to behind it. length is the room in bytes going in, at most that of
// memory, and what is needed coming out. WSAEFAULT (too small, or memory is not
// aligned to 8 bytes; nothing is stored), WSAEINVAL (as [QuerySet.Clone]).
func (q *QuerySet) Pack(memory []byte, length *uint32) Errno {
	if length == nil {
		return WSAEFAULT
	}
	if !q.valid() {
		return WSAEINVAL
	}
	return packInto(memory, length, func(b *pack.Buffer) {
		copied := pack.One[QuerySet](b)
		*copied = *q
		copied.Size = SizeofQuerySet
		q.copyPointers(b, copied)
	})
}

// copyPointers makes copied, which is a copy of q, point to copies.
func (q *QuerySet) copyPointers(b *pack.Buffer, copied *QuerySet) {
	copied.ServiceInstanceName = copyString(b, q.ServiceInstanceName)
	copied.ServiceClassID = pack.CopyOne(b, q.ServiceClassID)
	copied.Version = pack.CopyOne(b, q.Version)
	copied.Comment = copyString(b, q.Comment)
	copied.NSProviderID = pack.CopyOne(b, q.NSProviderID)
	copied.Context = copyString(b, q.Context)
	copied.Protocols = pack.Copy(b, q.ProtocolList())
	copied.QueryString = copyString(b, q.QueryString)
	addresses := pack.Alloc[CSAddrInfo](b, len(q.Addresses()))
	for i, a := range q.Addresses() {
		addresses[i] = a
		addresses[i].LocalAddr.Sockaddr = copySockaddr(b, a.LocalAddr)
		addresses[i].RemoteAddr.Sockaddr = copySockaddr(b, a.RemoteAddr)
	}
	copied.CsaBuffer = unsafe.SliceData(addresses)
	copied.Blob = pack.CopyOne(b, q.Blob)
	if q.Blob != nil {
		copied.Blob.Data = copyBlob(b, q.Blob.Bytes())
	}
}

// packInto runs build over the first *length bytes of memory.
func packInto(memory []byte, length *uint32, build func(*pack.Buffer)) Errno {
	room := min(uint64(len(memory)), uint64(*length))
	needed, ok := pack.Into(memory[:room], build)
	*length = uint32(needed)
	if !ok {
		return WSAEFAULT
	}
	return 0
}

func copyString(b *pack.Buffer, p *uint16) *uint16 {
	if p == nil {
		return nil
	}
	return pack.Copy(b, append(utf16Until(p), 0))
}

// copySockaddr keeps an address where a sockaddr of its family can be read.
func copySockaddr(b *pack.Buffer, a SocketAddress) *byte {
	name := a.Bytes()
	if len(name) == 0 {
		return nil
	}
	words := pack.Alloc[uint64](b, (len(name)+7)/8)
	memory := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(name))
	copy(memory, name)
	return unsafe.SliceData(memory)
}

func copyBlob(b *pack.Buffer, data []byte) *byte {
	return copySockaddr(b, SocketAddress{Sockaddr: unsafe.SliceData(data), Length: int32(len(data))})
}

// longestString bounds the search for the NUL of a string, in WCHARs.
const longestString = 1 << 15

func utf16Until(p *uint16) []uint16 {
	n := 0
	for n < longestString && *(*uint16)(unsafe.Add(unsafe.Pointer(p), 2*n)) != 0 {
		n++
	}
	return unsafe.Slice(p, n)[:n:n]
}

// UTF16PtrToString decodes a NUL terminated string; nil is "".
func UTF16PtrToString(p *uint16) string {
	if p == nil {
		return ""
	}
	return string(utf16.Decode(utf16Until(p)))
}

// UTF16Ptr returns s as a NUL terminated string.
func UTF16Ptr(s string) *uint16 {
	return unsafe.SliceData(append(utf16.Encode([]rune(s)), 0))
}
