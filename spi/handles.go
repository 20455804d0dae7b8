package spi

// Socket is a SOCKET: on Linux an IFS handle is a file descriptor, and a
// non-IFS handle is a number above 2^32 that can never be one.
type Socket uintptr

// InvalidSocket is INVALID_SOCKET, the result of a failed call that makes a
// socket.
const InvalidSocket = ^Socket(0)

// Event is a WSAEVENT: a manual-reset event object of the host. Its two low
// bits are ignored by every event function, as they are on Windows, so that an
// overlapped operation can tag its event to suppress a port packet.
type Event uintptr

// InvalidEvent is WSA_INVALID_EVENT.
const InvalidEvent Event = 0

// Untagged returns the event without the tag bits that a client may have set
// in WSAOVERLAPPED.hEvent.
func (e Event) Untagged() Event { return e &^ 3 }

// Tagged reports whether the low bit is set: the operation signals the event
// but queues no packet to a completion port.
func (e Event) Tagged() bool { return e&1 != 0 }

// HWND names a window, which here is a message queue of the host.
type HWND uintptr

// Group is a GROUP, a socket group id; groups are reserved and always zero.
type Group uint32

// ThreadID is WSATHREADID. Its contents belong to the host: a provider copies
// the structure and hands it back to WPUQueueApc.
// Source: ns-ws2spi-wsathreadid.
type ThreadID struct {
	ThreadHandle uintptr
	Reserved     uintptr
}
