package ws2

import (
	"sync"
	"time"

	"upcall.dev/internal/port"
	"upcall.dev/internal/slot"
	"upcall.dev/spi"
)

// Port is the handle of a completion port.
type Port uintptr

// Packet is a completion packet: the outcome of one overlapped operation, or
// what [DLL.PostQueuedCompletionStatus] posted.
type Packet struct {
	Transferred uint32          // bytes
	Status      spi.Errno       // of the operation; 0 is success
	Key         uintptr         // given when the socket was associated with the port
	Overlapped  *spi.Overlapped // the operation
	Posted      uintptr         // what was posted in the place of an operation's address: any number, 0 for none
}

// Flags of [DLL.SetFileCompletionNotificationModes].
const (
	FILE_SKIP_COMPLETION_PORT_ON_SUCCESS = 1
	FILE_SKIP_SET_EVENT_ON_HANDLE        = 2
)

type portTable struct {
	objects *slot.Table[port.Port]

	// registering guards the changes of sockets' registrations. Locks of ports
	// are taken under it.
	registering sync.Mutex
}

func (p *portTable) init() { p.objects = slot.New[port.Port](kindPort) }

// CreateIoCompletionPort makes a completion port that keeps about concurrency
// threads at work; 0 means one for each processor. It stands for the system call
// of that name with no file handle. WSA_NOT_ENOUGH_MEMORY.
// Source: windows/win32/fileio/createiocompletionport.
func (d *DLL) CreateIoCompletionPort(concurrency uint32) (Port, error) {
	handle, ok := d.ports.objects.Insert(port.New(int(min(concurrency, 1<<30)), d.strays.add), 0)
	if !ok {
		return 0, spi.WSA_NOT_ENOUGH_MEMORY.Err()
	}
	return Port(handle), nil
}

// CloseCompletionPort closes a port: threads that wait at it come back with
// ERROR_ABANDONED_WAIT_0, packets that nobody has taken are lost, and operations
// that complete later queue none. It stands for CloseHandle.
// WSA_INVALID_HANDLE.
func (d *DLL) CloseCompletionPort(p Port) error {
	object := d.ports.objects.Remove(uintptr(p))
	if object == nil {
		return spi.WSA_INVALID_HANDLE.Err()
	}
	object.Close()
	return nil
}

// AssociateCompletionPort ties a socket to a port, until the socket is closed:
// each of its overlapped operations that has no completion routine, and no
// tagged event, will queue a packet with this key when it completes, also one
// that is under way. It stands for CreateIoCompletionPort with a file handle.
//
// WSA_INVALID_HANDLE (no such port), WSAENOTSOCK, WSA_INVALID_PARAMETER (the
// socket has a port already), WSAEOPNOTSUPP (an IFS handle, on a system where
// ports cannot watch descriptors).
func (d *DLL) AssociateCompletionPort(s spi.Socket, p Port, key uintptr) error {
	object := d.ports.objects.Get(uintptr(p))
	if object == nil {
		return spi.WSA_INVALID_HANDLE.Err()
	}
	sock, e := d.attachable(s)
	if e != 0 {
		return e.Err()
	}
	if isIFS(s) && !port.Watches {
		return spi.WSAEOPNOTSUPP.Err()
	}
	a := &association{port: object, key: key, provider: sock.provider}
	if !sock.port.CompareAndSwap(nil, a) {
		return spi.WSA_INVALID_PARAMETER.Err()
	}
	a.modes.Or(sock.modes.Load())
	return nil
}

// hasPort reports whether the socket's operations are told to an open port.
func (sock *socket) hasPort() bool {
	a := sock.port.Load()
	return a != nil && !a.port.Closed()
}

// attachable finds a socket for the calls that stand for the system's, on any
// thread.
func (d *DLL) attachable(s spi.Socket) (*socket, spi.Errno) {
	sock := d.handles.find(s)
	if sock == nil && isIFS(s) { // perhaps nobody has used it before
		return d.unbound.lookupSlowly(s)
	}
	if sock == nil || sock.state.Load() == closed {
		return nil, spi.WSAENOTSOCK
	}
	return sock, 0
}

// SetFileCompletionNotificationModes adds to a socket's modes. With
// FILE_SKIP_COMPLETION_PORT_ON_SUCCESS operations whose call returns success at
// once queue no packet. FILE_SKIP_SET_EVENT_ON_HANDLE changes nothing, since
// sockets are not waited for themselves. Modes cannot be taken back. It stands
// for the system call of that name.
//
// WSAENOTSOCK, WSA_INVALID_PARAMETER (other flags), WSAEOPNOTSUPP (a non-IFS
// handle: its provider completes by WPUCompleteOverlappedRequest, which cannot
// tell when the call returned).
// Source: windows/win32/api/winbase/nf-winbase-setfilecompletionnotificationmodes.
func (d *DLL) SetFileCompletionNotificationModes(s spi.Socket, flags uint8) error {
	sock, e := d.attachable(s)
	switch {
	case e != 0:
		return e.Err()
	case flags&^(FILE_SKIP_COMPLETION_PORT_ON_SUCCESS|FILE_SKIP_SET_EVENT_ON_HANDLE) != 0:
		return spi.WSA_INVALID_PARAMETER.Err()
	case !isIFS(s):
		return spi.WSAEOPNOTSUPP.Err()
	}
	sock.modes.Or(uint32(flags))
	if a := sock.port.Load(); a != nil {
		a.modes.Or(uint32(flags))
	}
	return nil
}

// PostQueuedCompletionStatus queues a packet of the caller's own. A number that is
// no operation's address goes into Posted: a Go pointer must not hold it.
// WSA_INVALID_HANDLE.
// Source: windows/win32/fileio/postqueuedcompletionstatus.
func (d *DLL) PostQueuedCompletionStatus(p Port, packet Packet) error {
	object := d.ports.objects.Get(uintptr(p))
	if object == nil || !object.Post(port.Packet{Bytes: packet.Transferred, Status: packet.Status, Key: packet.Key, Overlapped: packet.Overlapped, Posted: packet.Posted}) {
		return spi.WSA_INVALID_HANDLE.Err()
	}
	return nil
}

// portWorker returns the thread's worker, nil for the unbound thread, which is
// none.
func (t *Thread) portWorker() *port.Worker {
	if t.bound && t.worker == nil {
		t.worker = port.NewWorker()
		t.waiter.Notify(t.worker.Interrupt)
	}
	return t.worker
}

// GetQueuedCompletionStatus takes the next packet of a port, waiting for one if
// there is none. A packet of an operation that failed comes with its status as
// the error, as on Windows: with any error, a packet was taken if and only if
// its Overlapped is not nil or its Posted is not 0. WAIT_TIMEOUT (no packet came in time),
// WSA_INVALID_HANDLE (no such port), ERROR_ABANDONED_WAIT_0 (it was closed
// meanwhile).
//
// The operations of associated IFS sockets go on inside this call, on whichever
// thread waits here. The port counts the thread as one of its workers from here
// to its next request; see [Thread.LeavePort]. The unbound thread is never
// counted.
// Source: windows/win32/api/ioapiset/nf-ioapiset-getqueuedcompletionstatus.
func (t *Thread) GetQueuedCompletionStatus(p Port, milliseconds uint32) (Packet, error) {
	object := t.dll.ports.objects.Get(uintptr(p))
	if object == nil {
		return Packet{}, t.fail(spi.WSA_INVALID_HANDLE)
	}
	packet, result := object.Get(t.portWorker(), timeoutOf(milliseconds))
	if result != port.OK {
		return Packet{}, t.fail(portCode(result))
	}
	return clientPacket(&packet), t.result(packet.Status)
}

func clientPacket(p *port.Packet) Packet {
	return Packet{p.Bytes, p.Status, p.Key, p.Overlapped, p.Posted}
}

func portCode(r port.Result) spi.Errno {
	switch r {
	case port.TimedOut:
		return spi.WAIT_TIMEOUT
	case port.Closed:
		return spi.ERROR_ABANDONED_WAIT_0
	}
	return spi.WSA_INVALID_PARAMETER
}

// longestRoom bounds the packets that one call moves.
const longestRoom = 1024

// rooms holds buffers for the unbound thread.
var rooms = sync.Pool{New: func() any { return new([]port.Packet) }}

// GetQueuedCompletionStatusEx takes as many packets as there are and entries has
// room for, waiting for the first if there is none, and returns their number.
// An operation that failed is told by its packet's Status only. If alertable,
// APCs that are queued to the thread when there is no packet end the call after
// they have run. The rest is as in [Thread.GetQueuedCompletionStatus].
//
// WAIT_TIMEOUT, WAIT_IO_COMPLETION (APCs ran), WSA_INVALID_HANDLE,
// ERROR_ABANDONED_WAIT_0, WSA_INVALID_PARAMETER (no room). With an error the
// number is 0.
// Source: windows/win32/fileio/getqueuedcompletionstatusex-func.
func (t *Thread) GetQueuedCompletionStatusEx(p Port, entries []Packet, milliseconds uint32, alertable bool) (int, error) {
	object := t.dll.ports.objects.Get(uintptr(p))
	if object == nil {
		return 0, t.fail(spi.WSA_INVALID_HANDLE)
	}
	n, e := t.dequeue(object, entries, milliseconds, alertable)
	return n, t.result(e)
}

// dequeue is GetQueuedCompletionStatusEx once the port is known.
func (t *Thread) dequeue(object *port.Port, entries []Packet, milliseconds uint32, alertable bool) (int, spi.Errno) {
	room := &t.room
	if !t.bound {
		room = rooms.Get().(*[]port.Packet)
		defer rooms.Put(room)
	}
	length := min(len(entries), longestRoom)
	if length > len(*room) {
		*room = make([]port.Packet, length)
	}
	packets := (*room)[:length]
	var n int
	var result port.Result
	if t.bound && alertable {
		n, result = t.getAlertably(object, packets, timeoutOf(milliseconds))
	} else {
		n, result = object.GetMany(t.portWorker(), packets, timeoutOf(milliseconds))
	}
	switch result {
	case port.OK:
	case port.Interrupted:
		return 0, spi.WAIT_IO_COMPLETION
	default:
		return 0, portCode(result)
	}
	for i := range packets[:n] {
		entries[i] = clientPacket(&packets[i])
	}
	clear(packets[:n])
	return n, 0
}

// getAlertably is port.GetMany in an alertable wait: the result is
// port.Interrupted when APCs ran.
func (t *Thread) getAlertably(object *port.Port, packets []port.Packet, timeout time.Duration) (int, port.Result) {
	w := t.portWorker()
	var deadline time.Time
	if timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	for {
		w.Alertable(true)
		now := timeout
		if t.waiter.Pending() {
			now = 0
		}
		n, result := object.GetMany(w, packets, now)
		w.Alertable(false)
		if result == port.OK || result == port.Closed || result == port.Refused {
			return n, result
		}
		if t.waiter.RunAPCs() {
			return 0, port.Interrupted
		}
		if result == port.TimedOut && now == timeout {
			return 0, result
		}
		// The interrupt was for an APC that has run in an earlier wait.
		if timeout > 0 {
			timeout = max(time.Until(deadline), 0)
		}
	}
}

// LeavePort tells the port of the thread's latest request not to count on the
// thread until its next one: before it blocks for long.
func (t *Thread) LeavePort() {
	if t.worker != nil {
		t.worker.Leave()
	}
}
