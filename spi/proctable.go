package spi

import "reflect"

// ProcTable is WSPPROC_TABLE: the thirty functions as pointers, in the table's
// order. It serves providers that are not Go types with thirty methods, such as
// those written in C. [ProcTable.Provider] makes a Provider of it, whose
// missing entries the host finds by [CheckProvider].
// Source: ns-ws2spi-wspproc_table.
type ProcTable struct {
	LpWSPAccept              func(s Socket, addr []byte, addrLen *int32, cond ConditionFunc, callbackData uintptr) (Socket, Errno)
	LpWSPAddressToString     func(addr []byte, info *ProtocolInfo, buf []uint16, length *uint32) Errno
	LpWSPAsyncSelect         func(s Socket, wnd HWND, msg uint32, events int32) Errno
	LpWSPBind                func(s Socket, name []byte) Errno
	LpWSPCancelBlockingCall  func() Errno
	LpWSPCleanup             func() Errno
	LpWSPCloseSocket         func(s Socket) Errno
	LpWSPConnect             func(s Socket, name []byte, callerData, calleeData *Buf, sqos, gqos *QOS) Errno
	LpWSPDuplicateSocket     func(s Socket, pid uint32, info *ProtocolInfo) Errno
	LpWSPEnumNetworkEvents   func(s Socket, ev Event, out *NetworkEvents) Errno
	LpWSPEventSelect         func(s Socket, ev Event, events int32) Errno
	LpWSPGetOverlappedResult func(s Socket, ov *Overlapped, transferred *uint32, wait bool, flags *uint32) Errno
	LpWSPGetPeerName         func(s Socket, name []byte, nameLen *int32) Errno
	LpWSPGetSockName         func(s Socket, name []byte, nameLen *int32) Errno
	LpWSPGetSockOpt          func(s Socket, level, name int32, val []byte, valLen *int32) Errno
	LpWSPGetQOSByName        func(s Socket, name *Buf, qos *QOS) Errno
	LpWSPIoctl               func(s Socket, code uint32, in, out []byte, returned *uint32, ov *Overlapped, routine CompletionRoutine, thread *ThreadID) Errno
	LpWSPJoinLeaf            func(s Socket, name []byte, callerData, calleeData *Buf, sqos, gqos *QOS, flags uint32) (Socket, Errno)
	LpWSPListen              func(s Socket, backlog int32) Errno
	LpWSPRecv                func(s Socket, bufs []Buf, received, flags *uint32, ov *Overlapped, routine CompletionRoutine, thread *ThreadID) Errno
	LpWSPRecvDisconnect      func(s Socket, data *Buf) Errno
	LpWSPRecvFrom            func(s Socket, bufs []Buf, received, flags *uint32, from []byte, fromLen *int32, ov *Overlapped, routine CompletionRoutine, thread *ThreadID) Errno
	LpWSPSelect              func(read, write, except *FDSet, timeout *Timeval) (int32, Errno)
	LpWSPSend                func(s Socket, bufs []Buf, sent *uint32, flags uint32, ov *Overlapped, routine CompletionRoutine, thread *ThreadID) Errno
	LpWSPSendDisconnect      func(s Socket, data *Buf) Errno
	LpWSPSendTo              func(s Socket, bufs []Buf, sent *uint32, flags uint32, to []byte, ov *Overlapped, routine CompletionRoutine, thread *ThreadID) Errno
	LpWSPSetSockOpt          func(s Socket, level, name int32, val []byte) Errno
	LpWSPShutdown            func(s Socket, how int32) Errno
	LpWSPSocket              func(af, typ, protocol int32, info *ProtocolInfo, g Group, flags uint32) (Socket, Errno)
	LpWSPStringToAddress     func(str []uint16, af int32, info *ProtocolInfo, addr []byte, addrLen *int32) Errno
}

// Provider returns the table's functions as a [Provider]. The table must not
// change afterwards.
func (t *ProcTable) Provider() Provider { return procTable{t} }

type procTable struct{ *ProcTable }

// CheckProvider returns WSAEINVALIDPROCTABLE when one of the thirty functions
// is missing: p is nil, a [ProcTable] with a nil entry, or a struct that embeds
// a Provider which is.
func CheckProvider(p Provider) Errno {
	if !complete(reflect.ValueOf(p), 0) {
		return WSAEINVALIDPROCTABLE
	}
	return 0
}

// deepestEmbedding bounds the search for embedded providers; a chain has at
// most MaxProtocolChain of them, each perhaps with helper structs between.
const deepestEmbedding = 4 * MaxProtocolChain

var providerType = reflect.TypeFor[Provider]()

func complete(v reflect.Value, depth int) bool {
	for v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return false
		}
		v = v.Elem()
	}
	if !v.IsValid() {
		return false
	}
	if v.Kind() != reflect.Struct || depth > deepestEmbedding {
		return true
	}
	if v.Type() == reflect.TypeFor[ProcTable]() {
		for i := range v.NumField() {
			if v.Field(i).IsNil() {
				return false
			}
		}
		return true
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous && (f.Type.Implements(providerType) || f.Type == reflect.TypeFor[*ProcTable]()) && !complete(v.Field(i), depth+1) {
			return false
		}
	}
	return true
}

func (t procTable) WSPAccept(s Socket, addr []byte, addrLen *int32, cond ConditionFunc, callbackData uintptr) (Socket, Errno) {
	return t.LpWSPAccept(s, addr, addrLen, cond, callbackData)
}

func (t procTable) WSPAddressToString(addr []byte, info *ProtocolInfo, buf []uint16, length *uint32) Errno {
	return t.LpWSPAddressToString(addr, info, buf, length)
}

func (t procTable) WSPAsyncSelect(s Socket, wnd HWND, msg uint32, events int32) Errno {
	return t.LpWSPAsyncSelect(s, wnd, msg, events)
}

func (t procTable) WSPBind(s Socket, name []byte) Errno {
	return t.LpWSPBind(s, name)
}

func (t procTable) WSPCancelBlockingCall() Errno {
	return t.LpWSPCancelBlockingCall()
}

func (t procTable) WSPCleanup() Errno {
	return t.LpWSPCleanup()
}

func (t procTable) WSPCloseSocket(s Socket) Errno {
	return t.LpWSPCloseSocket(s)
}

func (t procTable) WSPConnect(s Socket, name []byte, callerData, calleeData *Buf, sqos, gqos *QOS) Errno {
	return t.LpWSPConnect(s, name, callerData, calleeData, sqos, gqos)
}

func (t procTable) WSPDuplicateSocket(s Socket, pid uint32, info *ProtocolInfo) Errno {
	return t.LpWSPDuplicateSocket(s, pid, info)
}

func (t procTable) WSPEnumNetworkEvents(s Socket, ev Event, out *NetworkEvents) Errno {
	return t.LpWSPEnumNetworkEvents(s, ev, out)
}

func (t procTable) WSPEventSelect(s Socket, ev Event, events int32) Errno {
	return t.LpWSPEventSelect(s, ev, events)
}

func (t procTable) WSPGetOverlappedResult(s Socket, ov *Overlapped, transferred *uint32, wait bool, flags *uint32) Errno {
	return t.LpWSPGetOverlappedResult(s, ov, transferred, wait, flags)
}

func (t procTable) WSPGetPeerName(s Socket, name []byte, nameLen *int32) Errno {
	return t.LpWSPGetPeerName(s, name, nameLen)
}

func (t procTable) WSPGetSockName(s Socket, name []byte, nameLen *int32) Errno {
	return t.LpWSPGetSockName(s, name, nameLen)
}

func (t procTable) WSPGetSockOpt(s Socket, level, name int32, val []byte, valLen *int32) Errno {
	return t.LpWSPGetSockOpt(s, level, name, val, valLen)
}

func (t procTable) WSPGetQOSByName(s Socket, name *Buf, qos *QOS) Errno {
	return t.LpWSPGetQOSByName(s, name, qos)
}

func (t procTable) WSPIoctl(s Socket, code uint32, in, out []byte, returned *uint32, ov *Overlapped, routine CompletionRoutine, thread *ThreadID) Errno {
	return t.LpWSPIoctl(s, code, in, out, returned, ov, routine, thread)
}

func (t procTable) WSPJoinLeaf(s Socket, name []byte, callerData, calleeData *Buf, sqos, gqos *QOS, flags uint32) (Socket, Errno) {
	return t.LpWSPJoinLeaf(s, name, callerData, calleeData, sqos, gqos, flags)
}

func (t procTable) WSPListen(s Socket, backlog int32) Errno {
	return t.LpWSPListen(s, backlog)
}

func (t procTable) WSPRecv(s Socket, bufs []Buf, received, flags *uint32, ov *Overlapped, routine CompletionRoutine, thread *ThreadID) Errno {
	return t.LpWSPRecv(s, bufs, received, flags, ov, routine, thread)
}

func (t procTable) WSPRecvDisconnect(s Socket, data *Buf) Errno {
	return t.LpWSPRecvDisconnect(s, data)
}

func (t procTable) WSPRecvFrom(s Socket, bufs []Buf, received, flags *uint32, from []byte, fromLen *int32, ov *Overlapped, routine CompletionRoutine, thread *ThreadID) Errno {
	return t.LpWSPRecvFrom(s, bufs, received, flags, from, fromLen, ov, routine, thread)
}

func (t procTable) WSPSelect(read, write, except *FDSet, timeout *Timeval) (int32, Errno) {
	return t.LpWSPSelect(read, write, except, timeout)
}

func (t procTable) WSPSend(s Socket, bufs []Buf, sent *uint32, flags uint32, ov *Overlapped, routine CompletionRoutine, thread *ThreadID) Errno {
	return t.LpWSPSend(s, bufs, sent, flags, ov, routine, thread)
}

func (t procTable) WSPSendDisconnect(s Socket, data *Buf) Errno {
	return t.LpWSPSendDisconnect(s, data)
}

func (t procTable) WSPSendTo(s Socket, bufs []Buf, sent *uint32, flags uint32, to []byte, ov *Overlapped, routine CompletionRoutine, thread *ThreadID) Errno {
	return t.LpWSPSendTo(s, bufs, sent, flags, to, ov, routine, thread)
}

func (t procTable) WSPSetSockOpt(s Socket, level, name int32, val []byte) Errno {
	return t.LpWSPSetSockOpt(s, level, name, val)
}

func (t procTable) WSPShutdown(s Socket, how int32) Errno {
	return t.LpWSPShutdown(s, how)
}

func (t procTable) WSPSocket(af, typ, protocol int32, info *ProtocolInfo, g Group, flags uint32) (Socket, Errno) {
	return t.LpWSPSocket(af, typ, protocol, info, g, flags)
}

func (t procTable) WSPStringToAddress(str []uint16, af int32, info *ProtocolInfo, addr []byte, addrLen *int32) Errno {
	return t.LpWSPStringToAddress(str, af, info, addr, addrLen)
}
