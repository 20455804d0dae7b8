package spi

import (
	"sync/atomic"
	"unsafe"
)

// Buf is WSABUF, one element of a scatter/gather array.
// Source: winsock2, ws2def/ns-ws2def-wsabuf.
type Buf struct {
	Len uint32 // bytes at Buf
	_   uint32
	Buf *byte
}

// NewBuf describes the whole of b. A nil or empty b gives an empty Buf.
func NewBuf(b []byte) Buf {
	return Buf{Len: uint32(len(b)), Buf: unsafe.SliceData(b)}
}

// Bytes returns the memory that the Buf describes.
func (b Buf) Bytes() []byte {
	if b.Buf == nil {
		return nil
	}
	return unsafe.Slice(b.Buf, b.Len)
}

// BufsLen returns the total length of bufs in bytes.
func BufsLen(bufs []Buf) int {
	n := 0
	for i := range bufs {
		n += int(bufs[i].Len)
	}
	return n
}

// OperationInProgress is WSS_OPERATION_IN_PROGRESS (STATUS_PENDING), the value
// of Overlapped.Internal from the start of an operation to its completion.
const OperationInProgress = 0x103

// Overlapped is WSAOVERLAPPED. A provider owns Offset (result flags) and
// OffsetHigh (the WSA error); the host writes InternalHigh (bytes) and then
// Internal when the operation completes. Read Internal with
// [Overlapped.InProgress]: it is ordered before InternalHigh.
// Source: winsock2/ns-winsock2-wsaoverlapped.
type Overlapped struct {
	Internal     uint64
	InternalHigh uint64
	Offset       uint32
	OffsetHigh   uint32
	HEvent       Event
}

// Start marks the operation as in progress.
func (o *Overlapped) Start() { atomic.StoreUint64(&o.Internal, OperationInProgress) }

// InProgress reports whether the operation has not completed yet. Once it
// reports false, InternalHigh, Offset and OffsetHigh are valid.
func (o *Overlapped) InProgress() bool {
	return atomic.LoadUint64(&o.Internal) == OperationInProgress
}

// Complete stores the bytes transferred, then the status, in the order that a
// concurrent reader of Internal relies on. It signals nothing; the host's
// WPUCompleteOverlappedRequest does that.
func (o *Overlapped) Complete(status Errno, transferred uint32) {
	atomic.StoreUint64(&o.InternalHigh, uint64(transferred))
	s := uint64(uint32(status))
	if s == OperationInProgress {
		s = uint64(WSASYSCALLFAILURE)
	}
	atomic.StoreUint64(&o.Internal, s)
}

// FDSetSize is FD_SETSIZE, the number of sockets in an [FDSet] that the client
// was not compiled to enlarge.
const FDSetSize = 64

// FDSet is fd_set: a counted array. Only the first Count entries count, and
// Count may exceed [FDSetSize] when the set was made by [NewFDSet] or by a C
// program compiled with a larger FD_SETSIZE.
// Source: winsock2/ns-winsock2-fd_set.
type FDSet struct {
	Count uint32
	_     uint32
	Array [FDSetSize]Socket
}

// NewFDSet returns a set of the given sockets with room for at least
// [FDSetSize].
func NewFDSet(sockets ...Socket) *FDSet {
	words := 1 + max(len(sockets), FDSetSize)
	mem := make([]uint64, words)
	set := (*FDSet)(unsafe.Pointer(unsafe.SliceData(mem)))
	set.Count = uint32(len(sockets))
	copy(set.Sockets(), sockets)
	return set
}

// Sockets returns the members, sharing the set's memory. A nil set is empty.
func (set *FDSet) Sockets() []Socket {
	if set == nil {
		return nil
	}
	return unsafe.Slice(&set.Array[0], set.Count)
}

// IsSet reports membership, as FD_ISSET and WPUFDIsSet do.
func (set *FDSet) IsSet(s Socket) bool {
	for _, member := range set.Sockets() {
		if member == s {
			return true
		}
	}
	return false
}

// Keep reduces the set to the members for which ready reports true, keeping
// their order, and returns how many are left.
func (set *FDSet) Keep(ready func(Socket) bool) int32 {
	if set == nil {
		return 0
	}
	members := set.Sockets()
	n := 0
	for _, s := range members {
		if ready(s) {
			members[n] = s
			n++
		}
	}
	set.Count = uint32(n)
	return int32(n)
}

// FDMaxEvents is FD_MAX_EVENTS, the length of NetworkEvents.ErrorCode.
const FDMaxEvents = 10

// NetworkEvents is WSANETWORKEVENTS: the FD_ bits recorded and, for each bit
// that is set, its error code at the bit's index.
// Source: winsock2/ns-winsock2-wsanetworkevents.
type NetworkEvents struct {
	NetworkEvents int32
	ErrorCode     [FDMaxEvents]int32
}

// Timeval is timeval with Windows' 32-bit long.
type Timeval struct {
	Sec  int32
	Usec int32
}

// Linger is LINGER, the value of SO_LINGER; Linger counts seconds.
type Linger struct {
	OnOff  uint16
	Linger uint16
}

// FlowSpec is FLOWSPEC.
type FlowSpec struct {
	TokenRate, TokenBucketSize, PeakBandwidth uint32
	Latency, DelayVariation, ServiceType      uint32
	MaxSduSize, MinimumPolicedSize            uint32
}

// QOS is the QOS structure of a quality-of-service request.
type QOS struct {
	SendingFlowspec   FlowSpec
	ReceivingFlowspec FlowSpec
	ProviderSpecific  Buf
}

// WSPData is WSPDATA, what a provider tells about itself at start-up.
// Source: ns-ws2spi-wspdata.
type WSPData struct {
	Version     uint16 // the version that the host should use, low byte major
	HighVersion uint16 // the highest version that the provider supports
	Description [256]uint16
}
