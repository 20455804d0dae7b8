package ws2

import (
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
}

type portTable struct {
	objects *slot.Table[port.Port]
}

func (p *portTable) init() { p.objects = slot.New[port.Port](kindPort) }

// association is a socket's tie to a completion port.
type association struct {
	port *port.Port
	key  uintptr
}

func (a *association) queue(ov *spi.Overlapped, status spi.Errno, transferred uint32) {
	a.port.Post(port.Packet{Bytes: transferred, Status: status, Key: a.key, Overlapped: ov})
}

// CreateIoCompletionPort makes a completion port that keeps about concurrency
// threads at work; 0 means one for each processor. It stands for the system call
// of that name with no file handle. WSA_NOT_ENOUGH_MEMORY.
func (d *DLL) CreateIoCompletionPort(concurrency uint32) (Port, error) {
	handle, ok := d.ports.objects.Insert(port.New(int(min(concurrency, 1<<30))), 0)
	if !ok {
		return 0, spi.WSA_NOT_ENOUGH_MEMORY.Err()
	}
	return Port(handle), nil
}

// CloseCompletionPort closes a port: threads that wait at it come back with
// WSA_INVALID_HANDLE, packets that nobody has taken are lost, and operations
// that complete later queue none. WSA_INVALID_HANDLE.
func (d *DLL) CloseCompletionPort(p Port) error {
	object := d.ports.objects.Remove(uintptr(p))
	if object == nil {
		return spi.WSA_INVALID_HANDLE.Err()
	}
	object.Close()
	return nil
}

// AssociateCompletionPort ties a socket to a port: each of its overlapped
// operations that has no completion routine, and no tagged event, will queue a
// packet with this key. It stands for CreateIoCompletionPort with a file handle.
//
// WSA_INVALID_HANDLE (no such port), WSAENOTSOCK, WSA_INVALID_PARAMETER (the
// socket has a port already), WSAEOPNOTSUPP (an IFS handle: its completions
// are the operating system's, and not the DLL's to queue).
func (d *DLL) AssociateCompletionPort(s spi.Socket, p Port, key uintptr) error {
	object := d.ports.objects.Get(uintptr(p))
	if object == nil {
		return spi.WSA_INVALID_HANDLE.Err()
	}
	sock := d.handles.find(s)
	switch {
	case sock == nil || sock.state.Load() == closed:
		return spi.WSAENOTSOCK.Err()
	case isIFS(s):
		return spi.WSAEOPNOTSUPP.Err()
	case !sock.port.CompareAndSwap(nil, &association{object, key}):
		return spi.WSA_INVALID_PARAMETER.Err()
	}
	return nil
}

// PostQueuedCompletionStatus queues a packet of the caller's own.
// WSA_INVALID_HANDLE.
func (d *DLL) PostQueuedCompletionStatus(p Port, packet Packet) error {
	object := d.ports.objects.Get(uintptr(p))
	if object == nil || !object.Post(port.Packet{Bytes: packet.Transferred, Status: packet.Status, Key: packet.Key, Overlapped: packet.Overlapped}) {
		return spi.WSA_INVALID_HANDLE.Err()
	}
	return nil
}

// GetQueuedCompletionStatus takes the next packet of a port, waiting for one if
// there is none. A packet of an operation that failed comes with its status as
// the error, as on Windows: with any error, a packet was taken if and only if
// its Overlapped is not nil. WSAETIMEDOUT (no packet came in time),
// WSA_INVALID_HANDLE (no such port, or it was closed meanwhile).
//
// The port counts the thread as one of its workers from here to its next
// request; see [Thread.LeavePort]. The unbound thread is never counted.
func (t *Thread) GetQueuedCompletionStatus(p Port, milliseconds uint32) (Packet, error) {
	object := t.dll.ports.objects.Get(uintptr(p))
	if object == nil {
		return Packet{}, t.fail(spi.WSA_INVALID_HANDLE)
	}
	if t.bound && t.worker == nil {
		t.worker = port.NewWorker()
	}
	switch packet, result := object.Get(t.worker, timeoutOf(milliseconds)); result {
	case port.OK:
		return Packet{packet.Bytes, packet.Status, packet.Key, packet.Overlapped}, t.result(packet.Status)
	case port.TimedOut:
		return Packet{}, t.fail(spi.WSAETIMEDOUT)
	}
	return Packet{}, t.fail(spi.WSA_INVALID_HANDLE)
}

// LeavePort tells the port of the thread's latest request not to count on the
// thread until its next one: before it blocks for long.
func (t *Thread) LeavePort() {
	if t.worker != nil {
		t.worker.Leave()
	}
}
