package spi

// ConditionFunc is LPCONDITIONPROC: the client's decision about one incoming
// connection, taken on the accepting thread before WSPAccept returns. It
// returns CF_ACCEPT, CF_REJECT or CF_DEFER. callerID and calleeID are the
// peer's and the local address. A nil ConditionFunc accepts.
type ConditionFunc func(callerID []byte, callerData *Buf, sqos, gqos *QOS,
	calleeID []byte, calleeData *Buf, group *Group, callbackData uintptr) int32

// CompletionRoutine is LPWSAOVERLAPPED_COMPLETION_ROUTINE. It runs as an APC
// of the thread that started the operation. nil means none.
type CompletionRoutine func(err Errno, transferred uint32, ov *Overlapped, flags uint32)

// UserAPC is LPWSAUSERAPC, a routine that WPUQueueApc runs on a thread.
type UserAPC func(context uintptr)

// BlockingCallback is LPBLOCKINGCALLBACK: a provider calls it again and again
// while a blocking call waits. False means that the wait was cancelled.
type BlockingCallback func(context uintptr) bool

// Provider is the thirty functions that WSPStartup returns. Every function may
// be called from any thread, with no lock of the host held. An Errno of zero
// is success; [NoErrorCode] is a failure without a code, which the host
// reports as WSASYSCALLFAILURE. Besides the errors named below, every function
// may give WSAENETDOWN, WSAEINPROGRESS and, where it takes a socket,
// WSAENOTSOCK.
//
// A layer embeds the next Provider and overrides what it changes:
//
//	type layer struct{ spi.Provider }
//
//	func (l *layer) WSPConnect(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS) spi.Errno {
//		log.Println("connecting")
//		return l.Provider.WSPConnect(s, name, callerData, calleeData, sqos, gqos)
//	}
//
// That alone never sees a connect, for client calls go to whoever registered
// the socket last, which is the provider below. So a layer also overrides
// WSPSocket, WSPAccept and WSPJoinLeaf, and takes the handles over by
// WPUModifyIFSHandle, or puts its own before those of the provider below by
// WPUCreateSocketHandle; package layer does it for all layers.
//
// Slices and pointers are the caller's. A function that returns
// WSA_IO_PENDING keeps ov, the memory that bufs describes, from and fromLen
// until completion, but never bufs itself; everything else is only valid
// during the call.
type Provider interface {
	// WSPAccept takes the first pending connection of a listening socket,
	// after asking cond. addr receives the peer's address and addrLen its
	// length; both may be nil.
	// WSAECONNREFUSED (CF_REJECT), WSATRY_AGAIN (CF_DEFER), WSAEWOULDBLOCK,
	// WSAEINVAL (not listening), WSAEOPNOTSUPP, WSAEFAULT, WSAEINTR.
	WSPAccept(s Socket, addr []byte, addrLen *int32, cond ConditionFunc, callbackData uintptr) (Socket, Errno)

	// WSPAddressToString writes the text form of addr to buf as UTF-16. length
	// counts WCHARs with the NUL. WSAEFAULT (length is what is needed),
	// WSAEINVAL.
	WSPAddressToString(addr []byte, info *ProtocolInfo, buf []uint16, length *uint32) Errno

	// WSPAsyncSelect posts msg to wnd, through WPUPostMessage, when one of the
	// FD_ events occurs; it makes the socket nonblocking and replaces any
	// earlier selection. Zero events ends it. WSAEINVAL.
	WSPAsyncSelect(s Socket, wnd HWND, msg uint32, events int32) Errno

	// WSPBind gives the socket its local address. WSAEADDRINUSE,
	// WSAEADDRNOTAVAIL, WSAEFAULT, WSAEINVAL (already bound), WSAEACCES.
	WSPBind(s Socket, name []byte) Errno

	// WSPCancelBlockingCall cancels the blocking call of the calling thread.
	// WSAEINVAL when there is none.
	WSPCancelBlockingCall() Errno

	// WSPCleanup undoes one WSPStartup; the last one resets open sockets and
	// returns when every goroutine of the provider has ended.
	// WSANOTINITIALISED.
	WSPCleanup() Errno

	// WSPCloseSocket closes s. Pending overlapped operations complete with
	// WSA_OPERATION_ABORTED. A non-IFS provider ends it with
	// WPUCloseSocketHandle, at once or when the last operation is through.
	// WSAEWOULDBLOCK (nonblocking with a linger time: s stays open), WSAEINTR.
	WSPCloseSocket(s Socket) Errno

	// WSPConnect connects s, or gives a datagram socket its default peer.
	// WSAEWOULDBLOCK (started), WSAEALREADY, WSAEISCONN, WSAECONNREFUSED,
	// WSAETIMEDOUT, WSAENETUNREACH, WSAEHOSTUNREACH, WSAEADDRNOTAVAIL,
	// WSAEAFNOSUPPORT, WSAEFAULT, WSAEINVAL (listening), WSAEINTR.
	WSPConnect(s Socket, name []byte, callerData, calleeData *Buf, sqos, gqos *QOS) Errno

	// WSPDuplicateSocket fills info with what WSPSocket needs to make another
	// descriptor for the same socket in process pid, once. WSAEINVAL.
	WSPDuplicateSocket(s Socket, pid uint32, info *ProtocolInfo) Errno

	// WSPEnumNetworkEvents copies and clears the record of network events and
	// resets ev, unless zero, in one step. WSAEINVAL.
	WSPEnumNetworkEvents(s Socket, ev Event, out *NetworkEvents) Errno

	// WSPEventSelect is WSPAsyncSelect with an event and a record instead of a
	// message.
	WSPEventSelect(s Socket, ev Event, events int32) Errno

	// WSPGetOverlappedResult gives the outcome of an operation: bytes, flags,
	// or its error. WSA_IO_INCOMPLETE when it is not done and wait is false.
	WSPGetOverlappedResult(s Socket, ov *Overlapped, transferred *uint32, wait bool, flags *uint32) Errno

	// WSPGetPeerName stores the peer's address. WSAEFAULT, WSAENOTCONN.
	WSPGetPeerName(s Socket, name []byte, nameLen *int32) Errno

	// WSPGetSockName stores the local address. WSAEFAULT, WSAEINVAL (unbound).
	WSPGetSockName(s Socket, name []byte, nameLen *int32) Errno

	// WSPGetSockOpt stores an option's value. SO_PROTOCOL_INFOW must be
	// answered: the host adopts unknown handles by it. WSAEFAULT, WSAEINVAL
	// (level), WSAENOPROTOOPT.
	WSPGetSockOpt(s Socket, level, name int32, val []byte, valLen *int32) Errno

	// WSPGetQOSByName looks up a QOS template. WSAEINVAL when there is none.
	WSPGetQOSByName(s Socket, name *Buf, qos *QOS) Errno

	// WSPIoctl controls the socket's mode. returned receives the bytes stored
	// in out. WSAEOPNOTSUPP (unknown code), WSAEFAULT, WSAEINVAL,
	// WSAEWOULDBLOCK, WSA_IO_PENDING.
	WSPIoctl(s Socket, code uint32, in, out []byte, returned *uint32, ov *Overlapped, routine CompletionRoutine, thread *ThreadID) Errno

	// WSPJoinLeaf joins a leaf to a multipoint session. WSAEOPNOTSUPP where
	// the protocol has none.
	WSPJoinLeaf(s Socket, name []byte, callerData, calleeData *Buf, sqos, gqos *QOS, flags uint32) (Socket, Errno)

	// WSPListen makes s listen. SOMAXCONN asks for the provider's maximum.
	// WSAEINVAL (unbound), WSAEISCONN, WSAEOPNOTSUPP, WSAEADDRINUSE.
	WSPListen(s Socket, backlog int32) Errno

	// WSPRecv receives. flags is in/out; received and flags are untouched on
	// WSA_IO_PENDING. Success with zero bytes is the end of a stream.
	// WSAENOTCONN, WSAESHUTDOWN, WSAEWOULDBLOCK, WSAEMSGSIZE, WSAECONNRESET,
	// WSAECONNABORTED, WSAEINVAL, WSAEOPNOTSUPP, WSAEINTR, WSA_IO_PENDING.
	WSPRecv(s Socket, bufs []Buf, received, flags *uint32, ov *Overlapped, routine CompletionRoutine, thread *ThreadID) Errno

	// WSPRecvDisconnect ends reception and returns disconnect data.
	// WSAENOPROTOOPT where the protocol has none, WSAENOTCONN.
	WSPRecvDisconnect(s Socket, data *Buf) Errno

	// WSPRecvFrom is WSPRecv that stores the sender's address; from and
	// fromLen may be nil.
	WSPRecvFrom(s Socket, bufs []Buf, received, flags *uint32, from []byte, fromLen *int32, ov *Overlapped, routine CompletionRoutine, thread *ThreadID) Errno

	// WSPSelect reduces the sets to the ready sockets and returns their number,
	// zero after the timeout. nil timeout waits for ever, zero polls.
	// WSAEINVAL, WSAENOTSOCK, WSAEINTR.
	WSPSelect(read, write, except *FDSet, timeout *Timeval) (int32, Errno)

	// WSPSend sends. A blocking stream sends all of bufs, a nonblocking one may
	// take a part. WSAENOTCONN, WSAESHUTDOWN, WSAEWOULDBLOCK, WSAEMSGSIZE,
	// WSAECONNRESET, WSAECONNABORTED, WSAEINTR, WSA_IO_PENDING.
	WSPSend(s Socket, bufs []Buf, sent *uint32, flags uint32, ov *Overlapped, routine CompletionRoutine, thread *ThreadID) Errno

	// WSPSendDisconnect ends sending, with disconnect data where the protocol
	// has it (else WSAENOPROTOOPT).
	WSPSendDisconnect(s Socket, data *Buf) Errno

	// WSPSendTo is WSPSend to an address, which a connected stream ignores.
	// WSAEDESTADDRREQ, WSAEADDRNOTAVAIL, WSAEAFNOSUPPORT, WSAENETUNREACH.
	WSPSendTo(s Socket, bufs []Buf, sent *uint32, flags uint32, to []byte, ov *Overlapped, routine CompletionRoutine, thread *ThreadID) Errno

	// WSPSetSockOpt sets an option. WSAEFAULT (too short), WSAEINVAL (level or
	// value), WSAENOPROTOOPT, WSAENOTCONN.
	WSPSetSockOpt(s Socket, level, name int32, val []byte) Errno

	// WSPShutdown ends reception (SD_RECEIVE), sending (SD_SEND) or both
	// (SD_BOTH) without closing s. WSAEINVAL (how), WSAENOTCONN.
	WSPShutdown(s Socket, how int32) Errno

	// WSPSocket makes a socket of the chosen catalog entry. af, typ and
	// protocol are the client's own, FROM_PROTOCOL_INFO and zero included.
	// When info came from WSPDuplicateSocket the result is another descriptor
	// for that socket. The provider registers the handle by
	// WPUCreateSocketHandle or WPUModifyIFSHandle before it returns.
	// WSAEAFNOSUPPORT, WSAESOCKTNOSUPPORT, WSAEPROTONOSUPPORT, WSAEINVAL,
	// WSAEMFILE, WSAENOBUFS.
	WSPSocket(af, typ, protocol int32, info *ProtocolInfo, g Group, flags uint32) (Socket, Errno)

	// WSPStringToAddress parses the UTF-16 text str into addr. WSAEFAULT
	// (addrLen is what is needed), WSAEINVAL.
	WSPStringToAddress(str []uint16, af int32, info *ProtocolInfo, addr []byte, addrLen *int32) Errno
}
