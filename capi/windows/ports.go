package windows

import "C"

import (
	"sync"
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// entry is OVERLAPPED_ENTRY. internal is an NTSTATUS: programs tell failures by
// its two highest bits.
type entry struct {
	key         uintptr
	overlapped  uintptr
	internal    uintptr
	transferred uint32
}

// invalid is INVALID_HANDLE_VALUE.
const invalid = ^uintptr(0)

func closePort(h uintptr) error { return process.DLL().CloseCompletionPort(ws2.Port(h)) }

//export goCreateIoCompletionPort
func goCreateIoCompletionPort(file, port, key uintptr, threads uint32) (uintptr, int32) {
	dll := process.DLL()
	made := port == 0
	if made {
		p, err := dll.CreateIoCompletionPort(threads)
		if err != nil {
			return 0, code(err)
		}
		port = uintptr(p)
	}
	if file == invalid {
		return port, 0
	}
	if err := dll.AssociateCompletionPort(spi.Socket(file), ws2.Port(port), key); err != nil {
		if made {
			_ = closePort(port)
		}
		return 0, handleCode(err)
	}
	return port, 0
}

//export goPostQueuedCompletionStatus
func goPostQueuedCompletionStatus(port uintptr, transferred uint32, key, overlapped uintptr) int32 {
	return code(process.DLL().PostQueuedCompletionStatus(ws2.Port(port),
		ws2.Packet{Transferred: transferred, Key: key, Posted: overlapped}))
}

// address is what C gets for the operation of a packet: programs post numbers for
// it that are no addresses.
func address(p *ws2.Packet) uintptr {
	if p.Overlapped != nil {
		return uintptr(unsafe.Pointer(p.Overlapped))
	}
	return p.Posted
}

//export goGetQueuedCompletionStatus
func goGetQueuedCompletionStatus(t unsafe.Pointer, port uintptr, transferred, key, overlapped unsafe.Pointer, milliseconds uint32) int32 {
	p, err := process.Thread(t).GetQueuedCompletionStatus(ws2.Port(port), milliseconds)
	operation := address(&p)
	*(*uintptr)(overlapped) = operation
	if err == nil || operation != 0 {
		*(*uint32)(transferred) = p.Transferred
		*(*uintptr)(key) = p.Key
	}
	return code(err)
}

//export goGetQueuedCompletionStatusEx
func goGetQueuedCompletionStatusEx(t unsafe.Pointer, port uintptr, list unsafe.Pointer, n uint32, removed unsafe.Pointer, milliseconds uint32, alertable bool) int32 {
	room := packetRooms.Get().(*[]ws2.Packet)
	defer packetRooms.Put(room)
	if length := min(int(n), mostPackets); length > len(*room) {
		*room = make([]ws2.Packet, length)
	}
	packets := (*room)[:min(int(n), len(*room))]
	taken, err := process.Thread(t).GetQueuedCompletionStatusEx(ws2.Port(port), packets, milliseconds, alertable)
	*(*uint32)(removed) = uint32(taken)
	entries := unsafe.Slice((*entry)(list), taken)
	for i := range packets[:taken] {
		p := &packets[i]
		entries[i] = entry{p.Key, address(p), ntstatus(uint32(p.Status)), p.Transferred}
	}
	clear(packets[:taken])
	return code(err)
}

// packetRooms hold what calls have taken until it is in the program's memory, of
// which mostPackets are enough for one call.
var packetRooms = sync.Pool{New: func() any { return new([]ws2.Packet) }}

const mostPackets = 1024

// ntstatus is the NTSTATUS of a Win32 or Winsock code, as NTSTATUS_FROM_WIN32
// makes it: an error of the facility FACILITY_NTWIN32.
func ntstatus(code uint32) uintptr {
	if code == 0 {
		return 0
	}
	return uintptr(0xC0070000 | code&0xFFFF)
}

//export goSetFileCompletionNotificationModes
func goSetFileCompletionNotificationModes(file uintptr, flags uint8) int32 {
	return handleCode(process.DLL().SetFileCompletionNotificationModes(spi.Socket(file), flags))
}
