package spi

import "unsafe"

// Extension functions are a provider's own: a client gets a pointer to one by
// WSPIoctl with SIO_GET_EXTENSION_FUNCTION_POINTER and the function's GUID, and
// calls it without the DLL. In Go the pointer is to a variable of one of the
// function types below; [StoreExtension] and [LoadExtension] are the two ends.
// The provider keeps the variable until its last WSPCleanup.
//
// A pointer is good for sockets of the provider that gave it. An IFS layer that
// lets the ioctl pass down gives the base provider's functions, and does not see
// their calls; a non-IFS layer must give its own.
// Source: desktop-src/WinSock, "Winsock extensions", and the mswsock pages.
var (
	WSAID_ACCEPTEX             = MustParseGUID("b5367df1-cbac-11cf-95ca-00805f48a192")
	WSAID_CONNECTEX            = MustParseGUID("25a207b9-ddf3-4660-8ee9-76e58c74063e")
	WSAID_DISCONNECTEX         = MustParseGUID("7fda2e11-8630-436f-a031-f536a6eec157")
	WSAID_GETACCEPTEXSOCKADDRS = MustParseGUID("b5367df2-cbac-11cf-95ca-00805f48a192")
	WSAID_TRANSMITFILE         = MustParseGUID("b5367df0-cbac-11cf-95ca-00805f48a192")
	WSAID_TRANSMITPACKETS      = MustParseGUID("d9689da0-1f90-11d3-9971-00c04f68c876")
	WSAID_WSAPOLL              = MustParseGUID("18c76f85-dc66-4964-972e-23c27238312b")
	WSAID_WSARECVMSG           = MustParseGUID("f689d7c8-6f1f-436b-8a53-e54fe351c322")
	WSAID_WSASENDMSG           = MustParseGUID("a441e712-754f-43ca-84a7-0dee44cf606d")
)

// AcceptExFunc accepts a connection into accept, a socket that is neither bound
// nor connected, and receives the first receiveLen bytes of data, if receiveLen
// is not 0, into out. Behind that room out receives the local and the remote
// address, each in a room whose length is given and is at least 16 bytes more
// than the address family's longest; [GetAcceptExSockaddrsFunc] reads them. ov
// must not be nil. The accepted socket takes the listening one's properties by
// SO_UPDATE_ACCEPT_CONTEXT. A provider answers WSA_IO_PENDING and indicates the
// completion also when a connection is there: there are programs that rely on
// it (libevent 2.1 locks itself up otherwise). WSA_IO_PENDING, WSAEINVAL, WSAEFAULT (out or a room
// is too small), WSAECONNRESET. Source: mswsock/nf-mswsock-acceptex.
type AcceptExFunc func(listen, accept Socket, out []byte, receiveLen, localLen, remoteLen uint32, received *uint32, ov *Overlapped) Errno

// GetAcceptExSockaddrsFunc finds the two addresses in what AcceptEx has stored;
// its lengths are those of that call. The slices share out's memory; nil when
// out does not have them. Source: mswsock/nf-mswsock-getacceptexsockaddrs.
type GetAcceptExSockaddrsFunc func(out []byte, receiveLen, localLen, remoteLen uint32) (local, remote []byte)

// ConnectExFunc connects a bound socket and sends data, if there is any, once
// it is connected. ov must not be nil. SO_UPDATE_CONNECT_CONTEXT completes the
// socket's state. WSA_IO_PENDING, WSAEINVAL (not bound), WSAEISCONN,
// WSAEALREADY, and as completions those of connecting.
// Source: mswsock/nc-mswsock-lpfn_connectex.
type ConnectExFunc func(s Socket, name, data []byte, sent *uint32, ov *Overlapped) Errno

// DisconnectExFunc ends a connection gracefully and, with TF_REUSE_SOCKET,
// makes the socket ready for ConnectEx or AcceptEx again. A nil ov waits.
// WSA_IO_PENDING, WSAENOTCONN, WSAEINVAL (flags).
// Source: mswsock/nc-mswsock-lpfn_disconnectex.
type DisconnectExFunc func(s Socket, ov *Overlapped, flags uint32) Errno

// TransmitFileFunc sends toWrite bytes of an open file, 0 meaning the rest of
// it, between a head and a tail that may be absent. The file is the operating
// system's handle; with ov reading starts at ov's Offset, else at the file's
// position. perSend is a hint in bytes, 0 for the provider's choice.
// WSA_IO_PENDING, WSAENOTCONN, WSAEINVAL (flags), WSAEBADF.
// Source: mswsock/nf-mswsock-transmitfile.
type TransmitFileFunc func(s Socket, file uintptr, toWrite, perSend uint32, ov *Overlapped, around *TransmitFileBuffers, flags uint32) Errno

// TransmitPacketsFunc sends elements, pieces of memory or of files, in order: on
// a stream as one run of bytes, on a datagram socket with TP_ELEMENT_EOP at the
// end of each datagram. Otherwise as [TransmitFileFunc].
// Source: mswsock/nc-mswsock-lpfn_transmitpackets.
type TransmitPacketsFunc func(s Socket, elements []TransmitPacketsElement, perSend uint32, ov *Overlapped, flags uint32) Errno

// WSARecvMsgFunc is WSPRecvFrom with control information. It has no parameter
// for the calling thread: a routine runs on the thread that
// WPUOpenCurrentThread names. Source: mswsock/nc-mswsock-lpfn_wsarecvmsg.
type WSARecvMsgFunc func(s Socket, msg *Msg, received *uint32, ov *Overlapped, routine CompletionRoutine) Errno

// WSASendMsgFunc is WSPSendTo with control information; as [WSARecvMsgFunc].
// Source: winsock2/nf-winsock2-wsasendmsg.
type WSASendMsgFunc func(s Socket, msg *Msg, flags uint32, sent *uint32, ov *Overlapped, routine CompletionRoutine) Errno

// WSAPollFunc waits until something that fds ask for holds, and returns the
// number of elements whose Revents is not 0; 0 after timeout milliseconds, of
// which a negative number never passes. An element whose FD is InvalidSocket is
// passed over. WSAEINVAL (an Events bit that only answers), WSAENOTSOCK is
// POLLNVAL in the element. Source: winsock2/nf-winsock2-wsapoll.
type WSAPollFunc func(fds []PollFD, timeout int32) (int32, Errno)

// StoreExtension stores the pointer to an extension function as the result of
// SIO_GET_EXTENSION_FUNCTION_POINTER. The caller keeps f as long as clients may
// call it. WSAEFAULT when out is too small.
func StoreExtension[F any](out []byte, returned *uint32, f *F) Errno {
	p := unsafe.Pointer(f)
	if len(out) < int(unsafe.Sizeof(p)) || returned == nil {
		return WSAEFAULT
	}
	*returned = uint32(copy(out, (*[unsafe.Sizeof(p)]byte)(unsafe.Pointer(&p))[:]))
	return 0
}

// Extensions are the extension functions of a provider that has all of them.
// Clients get pointers to the fields, which therefore live, and stay as they
// are, as long as the provider.
type Extensions struct {
	AcceptEx             AcceptExFunc
	GetAcceptExSockaddrs GetAcceptExSockaddrsFunc
	ConnectEx            ConnectExFunc
	DisconnectEx         DisconnectExFunc
	TransmitFile         TransmitFileFunc
	TransmitPackets      TransmitPacketsFunc
	WSARecvMsg           WSARecvMsgFunc
	WSASendMsg           WSASendMsgFunc
	WSAPoll              WSAPollFunc
}

// Store answers SIO_GET_EXTENSION_FUNCTION_POINTER: in has the GUID of the
// function. WSAEFAULT (in or out is too small), WSAEINVAL (no such function).
func (x *Extensions) Store(in, out []byte, returned *uint32) Errno {
	var id GUID
	if len(in) < int(unsafe.Sizeof(id)) {
		return WSAEFAULT
	}
	copy((*[unsafe.Sizeof(id)]byte)(unsafe.Pointer(&id))[:], in)
	switch id {
	case WSAID_ACCEPTEX:
		return StoreExtension(out, returned, &x.AcceptEx)
	case WSAID_GETACCEPTEXSOCKADDRS:
		return StoreExtension(out, returned, &x.GetAcceptExSockaddrs)
	case WSAID_CONNECTEX:
		return StoreExtension(out, returned, &x.ConnectEx)
	case WSAID_DISCONNECTEX:
		return StoreExtension(out, returned, &x.DisconnectEx)
	case WSAID_TRANSMITFILE:
		return StoreExtension(out, returned, &x.TransmitFile)
	case WSAID_TRANSMITPACKETS:
		return StoreExtension(out, returned, &x.TransmitPackets)
	case WSAID_WSARECVMSG:
		return StoreExtension(out, returned, &x.WSARecvMsg)
	case WSAID_WSASENDMSG:
		return StoreExtension(out, returned, &x.WSASendMsg)
	case WSAID_WSAPOLL:
		return StoreExtension(out, returned, &x.WSAPoll)
	}
	return WSAEINVAL
}

// LoadExtension returns the extension function of type F whose pointer out
// holds. F must be the type that belongs to the GUID that was asked for.
func LoadExtension[F any](out []byte) (f F, ok bool) {
	var p unsafe.Pointer
	if len(out) < int(unsafe.Sizeof(p)) {
		return f, false
	}
	copy((*[unsafe.Sizeof(p)]byte)(unsafe.Pointer(&p))[:], out)
	if p == nil {
		return f, false
	}
	return *(*F)(p), true
}

// Flags of TransmitFile, TransmitPackets and DisconnectEx. The three that
// choose a thread are hints.
const (
	TF_DISCONNECT         = 0x01
	TF_REUSE_SOCKET       = 0x02
	TF_WRITE_BEHIND       = 0x04
	TF_USE_DEFAULT_WORKER = 0x00
	TF_USE_SYSTEM_THREAD  = 0x10
	TF_USE_KERNEL_APC     = 0x20
)

// TransmitFileBuffers is TRANSMIT_FILE_BUFFERS: what to send around a file.
type TransmitFileBuffers struct {
	Head       *byte
	HeadLength uint32
	_          uint32
	Tail       *byte
	TailLength uint32
	_          uint32
}

// Kinds of [TransmitPacketsElement].
const (
	TP_ELEMENT_MEMORY = 1
	TP_ELEMENT_FILE   = 2
	TP_ELEMENT_EOP    = 4 // with one of the others: ends a datagram
)

// TransmitPacketsElement is TRANSMIT_PACKETS_ELEMENT: Length bytes of memory or
// of a file. Make one with [MemoryElement] or [FileElement].
//
// Unlike the other structures it is not laid out as in C, where an offset may be
// in a pointer's place: the garbage collector must find the memory, and no
// number that looks like a bad pointer.
type TransmitPacketsElement struct {
	ElFlags uint32
	Length  uint32
	memory  unsafe.Pointer
	offset  int64
	file    uintptr
}

// MemoryElement describes b; flags is 0 or TP_ELEMENT_EOP.
func MemoryElement(b []byte, flags uint32) TransmitPacketsElement {
	return TransmitPacketsElement{ElFlags: TP_ELEMENT_MEMORY | flags, Length: uint32(len(b)), memory: unsafe.Pointer(unsafe.SliceData(b))}
}

// FileElement describes length bytes of an open file from offset; a length of 0
// means the rest of the file, an offset of -1 the file's position. flags is 0
// or TP_ELEMENT_EOP.
func FileElement(file uintptr, offset int64, length, flags uint32) TransmitPacketsElement {
	return TransmitPacketsElement{ElFlags: TP_ELEMENT_FILE | flags, Length: length, offset: offset, file: file}
}

// Memory returns the memory of an element that is memory.
func (e *TransmitPacketsElement) Memory() (b []byte, ok bool) {
	if e.ElFlags&TP_ELEMENT_MEMORY == 0 {
		return nil, false
	}
	return unsafe.Slice((*byte)(e.memory), e.Length), true
}

// File returns the handle and the offset of an element that is a file.
func (e *TransmitPacketsElement) File() (file uintptr, offset int64, ok bool) {
	if e.ElFlags&TP_ELEMENT_FILE == 0 {
		return 0, 0, false
	}
	return e.file, e.offset, true
}
